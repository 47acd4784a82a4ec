#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Completion in real shells: what TAB makes of a line, and that all that the tables have is offered."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import mrtgen  # noqa: E402
from collector import Collector, program  # noqa: E402
from tap import Tap  # noqa: E402

BREAKS = " \t\n\"'@><=;|&(:"


class Shell:
    """An interactive shell on a terminal. Ctrl-O shows the line as <line|place>."""

    def __init__(self, arguments, setup, **environment):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(arguments[0], arguments, {**os.environ, "TERM": "dumb", "PS1": "$ ", "HISTFILE": "", **environment})
        self.raw = ""
        self.type(setup + "; echo set''up\n")
        self.ready = self.wait("setup\r\n")

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait(self, end, timeout_s=30):
        deadline = time.monotonic() + timeout_s
        while not re.search(end, self.raw):
            if not select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
                return False
            try:
                piece = os.read(self.fd, 65536)
            except OSError:
                piece = b""
            if not piece:
                return False
            self.raw += piece.decode(errors="replace")
        return True

    def complete(self, line, tabs=1):
        """The line behind TAB; `raw` is all that was shown."""
        self.raw = ""
        self.type(line + "\t" * tabs + "\x0f")
        shown = re.search(r"<<(.*)>>", self.raw) if self.wait(r"<<.*>>") else None
        self.type("\x15")
        return shown and shown.group(1)

    def end(self):
        self.type("exit\n")
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def listed(*words):
    done = subprocess.run([program(), "completion", "zsh", "--", *words], capture_output=True, text=True, timeout=30)
    return [line.split("\t")[0] for line in done.stdout.splitlines()[1:]]


def check_tables(tap):
    """What is offered is what --help tells of, for every command; and every value that is offered is taken."""
    helped = subprocess.run([program(), "help"], capture_output=True, text=True, timeout=30).stdout
    commands = re.findall(r"^  whereto (\w+)", helped, re.M)
    tap.equal(listed(""), [*commands, "help"], "all commands are offered")
    tap.equal(listed("help", ""), [*commands, "help"], "behind help, too")
    for command in commands:
        text = subprocess.run([program(), command, "--help"], capture_output=True, text=True, timeout=30).stdout
        options = re.findall(r"^  (--?[\w-]+)", text, re.M)
        offered = listed(command, "-")
        tap.equal([o for o in options if o not in offered], [], f"{command}: every option of --help is offered")
        tap.equal([o for o in offered if o not in options and o not in ("-c", "-v")], [], f"{command}: and no other")
    for words in (["top", "--order"], ["mrt", "--format"], ["compare", "--by"], ["compare", "--between"], ["routes", "--select"], ["schema", "--store"]):
        for value in listed(*words, ""):
            status = subprocess.run([program(), *words, value, "--help"], capture_output=True, timeout=30).returncode
            tap.equal(status, 0, f"{' '.join(words)} {value}")
    tap.equal(listed("probe", "--backend", ""), ["auto", "ebpf", "sockdiag"], "the probe's values")
    tap.equal(listed("top", "--last=", "--by", "origin,ty"), ["origin,type"], "the last of a list")
    tap.check("--last" not in listed("top", "--last", "1h", "-") and "--to" in listed("send", "--to", "x", "-"), "what is there is not offered again, unless it may be")
    tap.equal(listed("nonsense", ""), [], "nothing behind an unknown command")
    tap.equal(listed("store", "vac"), ["vacuum"], "a command's argument")
    tap.equal(listed("top", "--filter", "origin:", "--api", "nonsense", "--by", "v"), ["via"], "a wrong address harms nobody")
    tap.equal(listed("top", "--api", "http://127.0.0.1:1", "--filter", "origin:"), [], "nor one where nobody answers")


def check_values(tap, sh, api):
    """Values that have traffic, from the collector."""
    for line, expected in (
            (f"whereto top --api {api} --filter router:e", f"whereto top --api {api} --filter router:edge1 "),
            (f"whereto top --api {api} --filter='type:v", f"whereto top --api {api} --filter='type:video' "),
            (f"whereto top --api={api} --filter \"router:edge1 -type:", f"whereto top --api={api} --filter \"router:edge1 -type:video\" "),
            (f"whereto top --api {api} --filter 'router:edge1'", f"whereto top --api {api} --filter 'router:edge1' "),
            (f"whereto top --api {api} --filter 'origin:64'5", f"whereto top --api {api} --filter 'origin:64511' "),
            (f"whereto top --api {api} --filter='origin:'6", f"whereto top --api {api} --filter='origin:64511' "),
            (f"whereto top --api {api} --filter type:video,a", f"whereto top --api {api} --filter type:video,a"),
            (f"whereto top --api {api} --filter path:", f"whereto top --api {api} --filter path:\\\"64500\\ 64511\\\" "),
            (f"whereto top --api {api} --filter 'path:", f"whereto top --api {api} --filter 'path:\"64500 64511\"' "),
            (f"whereto changes --api {api} --router ", f"whereto changes --api {api} --router edge1 "),
            (f"whereto routes --api {api} 203", f"whereto routes --api {api} 203.0.113.0/25 "),
            (f"whereto top --api {api} --filter nonsense:x", f"whereto top --api {api} --filter nonsense:x")):
        tap.equal(sh.complete(line), expected, "bash: " + line.replace(api, "URL"))
    sh.type(f"export WHERETO_API={api}; echo ex''ported\n")
    sh.wait("exported\r\n")
    tap.equal(sh.complete("whereto top --filter origin:"), "whereto top --filter origin:64511 ", "bash: the address of WHERETO_API")


def check_bash(tap, folder, api):
    os.symlink(program(), os.path.join(folder, "whereto"))
    with open(os.path.join(folder, "some file.mrt"), "w", encoding="ascii"):
        pass
    sh = Shell(["bash", "--norc", "--noprofile", "-i"],
               f"cd '{folder}'; PATH='{folder}':$PATH; source <(whereto completion bash); bind 'set enable-bracketed-paste off'; "
               r"""bind -x '"\C-o": printf "<<%s>>" "$READLINE_LINE"'""")
    tap.check(sh.ready, "bash takes the script", sh.raw)
    for line, expected in (
            ("whereto sus", "whereto suspects "),
            ("whereto co", "whereto co"),
            ("whereto top --comp", "whereto top --compare "),
            ("whereto top --by or", "whereto top --by origin "),
            ("whereto top --by=origin,co", "whereto top --by=origin,country "),
            ("whereto top --order=as", "whereto top --order=asc "),
            ("whereto mrt --format j", "whereto mrt --format json "),
            ("whereto top --filter or", "whereto top --filter origin:"),
            ("whereto mrt some", "whereto mrt some\\ file.mrt "),
            ("whereto mrt 'so", "whereto mrt 'some file.mrt' "),
            ("LANG=C whereto sus", "LANG=C whereto suspects "),
            ("./whereto keyg", "./whereto keygen "),
            ("echo; whereto rout --x", "echo; whereto rout --x"),
            ("whereto series --figure rtt_p9", "whereto series --figure rtt_p95 ")):
        tap.equal(sh.complete(line), expected, f"bash: {line}")
    line = sh.complete("whereto route", tabs=2)
    tap.check(line == "whereto route" and re.search(r"routes +\(routers' tables", sh.raw) and "routers  (routers and" in sh.raw,
              "bash: several are listed with what they are", sh.raw)
    check_values(tap, sh, api)
    sh.end()


def check_zsh(tap, folder, api):
    if not shutil.which("zsh"):
        tap.skip("zsh completes", "zsh is not installed")
        return
    sh = Shell(["zsh", "-f", "-i"], f"cd '{folder}'; PATH='{folder}':$PATH; autoload -Uz compinit; compinit -D -u; source <(whereto completion zsh); "
               r"show() { print -rn -- \<\<$BUFFER\>\>; }; zle -N show; bindkey '^O' show")
    tap.check(sh.ready, "zsh takes the script", sh.raw)
    for line, expected in (("whereto sus", "whereto suspects "), ("whereto top --by=origin,co", "whereto top --by=origin,country "),
                           ("whereto mrt some", "whereto mrt some\\ file.mrt "), ("whereto top --filter or", "whereto top --filter origin:"),
                           (f"whereto top --api {api} --filter 'router:e", f"whereto top --api {api} --filter 'router:edge1' ")):
        tap.equal(sh.complete(line), expected, f"zsh: {line}")
    sh.end()


def check_fish(tap, folder, api):
    if not shutil.which("fish"):
        tap.skip("fish completes", "fish is not installed")
        return
    def complete(line):
        text = f"set -x PATH '{folder}' $PATH; whereto completion fish | source; complete -C'{line}'"
        return [found.split("\t")[0] for found in subprocess.run(["fish", "-N", "-c", text], capture_output=True, text=True, timeout=60).stdout.splitlines()]
    tap.equal(complete("whereto sus"), ["suspects"], "fish: a command")
    tap.equal(complete(f"whereto top --api {api} --filter router:e"), ["router:edge1"], "fish: a value")


def main():
    tap = Tap()
    check_tables(tap)
    with tempfile.TemporaryDirectory() as folder:
        home = os.path.join(folder, "home")
        os.makedirs(home)
        mrtgen.write_paths(os.path.join(folder, "edge1.mrt"), [("203.0.113.0/25", [64500, 64511])])
        with Collector(folder, routers=[{"name": "edge1", "serves": ["192.0.2.0/24"], "sources": [{"mrt": {"file": os.path.join(folder, "edge1.mrt")}}]}]) as collector:
            collector.send([{"client": "203.0.113.9", "server": "192.0.2.10", "type": "video", "bytes_sent": 1000, "packets_sent": 5}], name="web1")
            api = "http://" + collector.ready["http"]
            check_bash(tap, home, api)
            check_zsh(tap, home, api)
            check_fish(tap, home, api)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
