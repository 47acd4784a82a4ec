#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`whereto demo` for real: it ends well by itself and by signals, it says what it shows, what it shows comes
from the real parts, and whatever ends it leaves no process and no file behind.

Every run has a folder of its own as TMPDIR, which must be empty afterwards. Processes are found as descendants
of the demo while it runs and must be gone, by their ids and start times, when it has ended."""

import fcntl
import json
import os
import pwd
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from tap import Tap, skip_all  # noqa: E402

DEADLINE_S = 60
UNPRIVILEGED = "nobody"


def wait(condition, timeout_s=DEADLINE_S):
    """Asks until it is true; its value, or the last false one when time is up."""
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        select.select([], [], [], 0.05)


def start_time(pid):
    """Tells a process from a later one with its id; None when it's gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def descendants(pid):
    found = children(pid)
    return found + [below for child in found for below in descendants(child)]


class Demo:
    """One run. Its standard output goes to a file, which grows while it is read here."""

    def __init__(self, *arguments, prefix=(), stdout=None, **popen):
        self.folder = tempfile.mkdtemp(prefix="whereto-demo-test.")
        os.chmod(self.folder, 0o1777)
        self.temporary = os.path.join(self.folder, "tmp")
        os.mkdir(self.temporary)
        os.chmod(self.temporary, 0o1777)
        self.errors = open(os.path.join(self.folder, "stderr"), "w+b")
        self.file = open(os.path.join(self.folder, "stdout"), "w+b")
        self.seen = {}
        environment = dict(os.environ, TMPDIR=self.temporary, TERM="xterm")
        self.process = subprocess.Popen([*prefix, os.environ["WHERETO"], "demo", *arguments], env=environment,
                                        stdin=subprocess.DEVNULL, stdout=stdout or self.file,
                                        stderr=self.errors, **popen)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.left():
            os.kill(pid, signal.SIGKILL)
        self.file.close()
        self.errors.close()
        shutil.rmtree(self.folder)

    @staticmethod
    def text(file):
        return os.pread(file.fileno(), 1 << 20, 0).decode(errors="replace")

    def output(self):
        return self.text(self.file)

    def log(self):
        return f"{self.output()}\n{self.text(self.errors)}"

    def look(self):
        """Notes the processes there are now. True when collector, nginx and its two workers run."""
        for pid in descendants(self.process.pid):
            began = start_time(pid)
            if began:
                self.seen[pid] = began
        names = [command_line(pid) for pid in self.seen]
        return (any("collector -c" in name for name in names) and any("nginx: master" in name for name in names)
                and sum("nginx: worker" in name for name in names) >= 2)

    def find(self, text):
        return next(pid for pid in self.seen if text in command_line(pid))

    def wait_served(self):
        """Until all parts run and something was stored; None when that doesn't come about."""
        if not wait(lambda: self.look() or self.process.poll() is not None) or self.process.poll() is not None:
            return None
        return wait(lambda: re.search(r"[1-9]\d* records", self.output()) or self.process.poll() is not None)

    def ask(self, question):
        address = re.search(r"^Dashboard: (http://127\.0\.0\.1:\d+)/", self.output(), re.M).group(1)
        with urllib.request.urlopen(f"{address}/api/v1/{question}", timeout=20) as answer:
            return json.load(answer)

    def api(self, by):
        return self.ask(f"top?by={by}&limit=1000")

    def end(self):
        try:
            return self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            return "still running"

    def left(self):
        return [pid for pid, began in self.seen.items() if start_time(pid) == began]


def check_clean(tap, demo, name):
    tap.equal([command_line(pid) for pid in demo.left()], [], f"{name}: no process is left")
    tap.equal(os.listdir(demo.temporary), [], f"{name}: no file is left")


def check_story(tap, demo, name):
    """A run that ended well."""
    output = demo.output()
    tap.check("SAMPLE DATA" in output and "README.md" in output, f"{name}: it says what it shows", output)
    tap.check(re.search(r"^64528 Sample Office Tallinn +\d", output, re.M), f"{name}: the table names sample networks",
              demo.log())
    ledger = re.findall(r"^ledger: sent (\d+) = stored (\d+) \+ in flight 0$", output, re.M)
    tap.check(ledger and ledger[-1][0] == ledger[-1][1] != "0", f"{name}: the ledger closes", demo.log())
    sums = re.search(r"received (\d+) responses, (\d+) bytes\nthe store holds (\d+) requests, (\d+) bytes: equal",
                     output)
    tap.check(sums and sums[1] == sums[3] != "0" and sums[2] == sums[4], f"{name}: the store has what clients got",
              demo.log())


def owners(demo):
    return {os.stat(f"/proc/{pid}").st_uid for pid in demo.left()}


def test_seconds(tap, name, prefix=(), user=None):
    with Demo("--seconds", "8", prefix=prefix) as demo:
        tap.check(wait(lambda: demo.look() or demo.process.poll() is not None) and demo.process.poll() is None,
                  f"{name}: the real parts run", demo.log())
        if user is not None:
            tap.equal(owners(demo), {user}, f"{name}: without rights")
        tap.equal(demo.end(), 0, f"{name}: exit status") or tap.note(demo.log())
        check_story(tap, demo, name)
        check_clean(tap, demo, name)


def values(answer, key):
    return {row[key] for row in answer["rows"]}


def check_dashboard(tap, demo, name):
    """Something to see on every page: a past, a transit that loses packets, a path that changes, and a word on what it is."""
    tap.check("Sample data" in demo.ask("about")["notice"], f"{name}: the dashboard says that it is sample data")
    wait(lambda: len(demo.ask("series?last=24h&step=1h")["rows"]) >= 24)
    apart = [demo.ask(f"top?by={by}&filter=router:{routers}&last=1h&limit=1000") for by in ("origin", "country")
             for routers in ("edge1,edge2", "ams,nyc,sin")]
    tap.check(not any(values(apart[i], by) & values(apart[i + 1], by) - {None} for i, by in ((0, "origin"), (2, "country"))),
              f"{name}: what loopback has no distance for is in networks and countries of its own")
    tap.check(apart[1]["rows"] and not any(row["approximate"] for row in apart[1]["rows"]), f"{name}: so the others are exact")
    share = apart[0]["total"]["bytes_sent"] / apart[1]["total"]["bytes_sent"]
    tap.check(share < 0.1, f"{name}: and the past looks as what is now", share)
    berlin = next(row for row in apart[1]["rows"] if row["origin"] == 64501)
    tap.check(5000 < berlin["rtt_p50_us"] < 40000, f"{name}: a round trip to Berlin takes as long as one would", berlin)
    communities = [route["communities"] for route in demo.ask("lookup?address=127.16.0.1")["rows"]]
    tap.check(communities and all(communities), f"{name}: routes have communities", communities)
    past = [row["bytes_sent"] for row in demo.ask("series?last=24h&step=1h")["rows"]]
    tap.check(len(past) >= 24 and min(past[:-1]) > 0, f"{name}: there is a past", past)
    tap.check(len(demo.ask("top?by=country&last=24h&limit=1000")["rows"]) >= 40, f"{name}: dozens of countries")
    rates = {row["via"]: row["retransmit_rate"] for row in demo.ask("top?by=via&last=1h&limit=1000")["rows"]}
    tap.check(rates[64499] > 0.02 and all(rates[asn] < 0.01 for asn in (64498, 64500, 65537)),
              f"{name}: one transit loses packets", rates)
    said = demo.ask("suspects?last=1h")
    tap.equal([row["values"] for row in said["rows"]], [[64499]], f"{name}: and is named, and nobody else")
    tap.check(said["verdict"].startswith("64499 Sample Carrier Asia is on the path of "), f"{name}: in a sentence", said["verdict"])
    changes = wait(lambda: demo.ask("changes?last=1h")["rows"])
    tap.check(changes and changes[0]["router"] == "ams" and changes[0]["before"] != changes[0]["after"] is not None,
              f"{name}: a path changes", changes)


def check_routers(tap, demo, name):
    """Three tell their tables live, the same that is in their files; one of them is lost after a while, and its file answers."""
    def sources():
        return {row["name"]: [source["state"] for source in row["sources"]] for row in demo.ask("routers")["rows"]}

    lost = {"edge1": ["loaded"], "edge2": ["loaded"], "ams": ["up", "loaded"], "nyc": ["up", "loaded"], "sin": ["stale", "loaded"]}
    wait(lambda: sources() == lost)
    tap.equal(sources(), lost, f"{name}: routers live, with a second source, and lost")
    live = {row["name"]: row["sources"] for row in demo.ask("routers")["rows"] if len(row["sources"]) == 2}
    tap.check(all(bmp["prefixes"] == mrt["prefixes"] > 90 and bmp["peers"] == 4 and not bmp["counters"]["malformed"] and
                  not bmp["counters"]["treated_as_withdrawn"] for bmp, mrt in live.values()), f"{name}: their tables are those of the files", live)
    found = [row for row in demo.ask("lookup?address=127.16.0.1")["rows"] if row["router"] == "nyc"]
    tap.check(found and found[0]["source"] == "bmp" and found[0]["peer"] and found[0]["communities"],
              f"{name}: a route that was told live, with its communities", found)
    moved = demo.ask("changes?last=1h")["rows"]
    tap.check({row["router"] for row in moved} == {"ams"}, f"{name}: a router that is lost is no change of paths", moved)


def test_interrupted(tap):
    name = "SIGINT in the middle"
    with Demo() as demo:
        if not tap.check(demo.wait_served(), f"{name}: it runs without --seconds", demo.log()):
            return
        expected = ({(router, kind) for router in ("edge1", "edge2") for kind in ("web", "video")} |
                    {(router, kind) for router in ("ams", "nyc", "sin") for kind in ("web", "video", "api")})
        wait(lambda: len(demo.api("router,type")["rows"]) >= len(expected), 30)
        got = {(row["router"], row["type"]) for row in demo.api("router,type")["rows"]}
        tap.equal(got, expected, f"{name}: routers and types are told apart")
        tap.check(len(values(demo.api("country"), "country") - {None}) >= 10, f"{name}: countries are known")
        paths = values(demo.api("path"), "path") - {None}
        tap.check({len(path.split()) for path in paths} >= {1, 2, 3}, f"{name}: paths of several lengths", paths)
        check_dashboard(tap, demo, name)
        check_routers(tap, demo, name)
        demo.process.send_signal(signal.SIGINT)
        tap.equal(demo.end(), 0, f"{name}: exit status") or tap.note(demo.log())
        check_story(tap, demo, name)
        check_clean(tap, demo, name)


def test_terminal_gone(tap):
    """The demo is a session's leader on a terminal whose other end is closed."""
    name = "the terminal goes away"
    master, slave = os.openpty()

    def own_terminal():
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    with Demo(stdout=slave, preexec_fn=own_terminal) as demo:
        os.close(slave)
        picture = b""
        end = time.monotonic() + DEADLINE_S
        while b"Sample Office Tallinn" not in picture and time.monotonic() < end:
            if select.select([master], [], [], 1)[0]:
                picture += os.read(master, 65536)
        tap.check(b"Sample Office Tallinn" in picture and b"\x1b[?1049h" in picture, f"{name}: it draws in place",
                  demo.log())
        tap.check(demo.look(), f"{name}: the parts run")
        os.close(master)
        tap.check(demo.end() in (0, 1), f"{name}: it ends by itself", demo.log())
        check_clean(tap, demo, name)


def test_output_stalled(tap):
    """A pipe that is full and that nobody reads."""
    name = "nobody reads its output"
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    with Demo(stdout=writer) as demo:
        tap.check(wait(demo.look), f"{name}: the parts run", demo.log())
        demo.process.terminate()
        tap.check(demo.end() in (0, 1), f"{name}: SIGTERM ends it", demo.log())
        check_clean(tap, demo, name)
    os.close(reader)
    os.close(writer)


def test_part_dies(tap, text, what):
    name = f"{what} is killed"
    with Demo() as demo:
        if not tap.check(demo.wait_served(), f"{name}: it runs", demo.log()):
            return
        os.kill(demo.find(text), signal.SIGKILL)
        tap.equal(demo.end(), 1, f"{name}: exit status") or tap.note(demo.log())
        errors = demo.text(demo.errors)
        tap.check(f"{what} was ended by signal 9" in errors, f"{name}: it says so", errors)
        check_clean(tap, demo, name)


def test_killed(tap):
    """Its folder stays, nobody is there to remove it; but no process does."""
    name = "kill -9 of the demo"
    with Demo() as demo:
        if not tap.check(demo.wait_served(), f"{name}: it runs", demo.log()):
            return
        demo.process.kill()
        demo.end()
        wait(lambda: not demo.left(), 30)
        tap.equal([command_line(pid) for pid in demo.left()], [], f"{name}: no process is left")


def test_refusals(tap):
    with Demo("--module", "/nowhere/module.so") as demo:
        tap.equal(demo.end(), 1, "no module: exit status")
        tap.check("/nowhere/module.so: No such file" in demo.log(), "no module: it says so", demo.log())
        check_clean(tap, demo, "no module")
    with Demo("--module", os.path.abspath(__file__)) as demo:
        tap.equal(demo.end(), 1, "not a module: exit status")
        tap.check("nginx ended with status 1; the end of its log:" in demo.log() and "invalid ELF" in demo.log(),
                  "not a module: nginx's own words", demo.log())
        check_clean(tap, demo, "not a module")
    for arguments in (("--seconds", "0"), ("--seconds", "-1"), ("--seconds", "8x"), ("--seconds",), ("more",)):
        with Demo(*arguments) as demo:
            tap.equal(demo.end(), 2, f"{' '.join(arguments)}: wrong usage")


def unprivileged():
    """The command that drops root's rights and that user's id; a reason why not."""
    user = pwd.getpwnam(UNPRIVILEGED)
    if os.geteuid() != 0:
        return None, None, "needs root, to become somebody else"
    if not shutil.which("setpriv"):
        return None, None, "needs setpriv"
    prefix = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    for needed in (os.environ["WHERETO"], os.environ["WHERETO_NGINX_MODULE"]):
        if subprocess.run([*prefix, "test", "-r", needed], check=False).returncode:
            return None, None, f"{UNPRIVILEGED} cannot read {needed}"
    return prefix, user.pw_uid, None


def main():
    if not os.environ.get("WHERETO"):
        skip_all("WHERETO isn't set: run this test through meson")
    if not shutil.which("nginx", path="/usr/sbin:" + os.environ.get("PATH", "")):
        skip_all("needs nginx")
    tap = Tap()
    prefix, user, reason = unprivileged()
    test_seconds(tap, "as the current user", user=user)
    if reason:
        tap.skip("as an unprivileged user", reason)
    else:
        test_seconds(tap, "as an unprivileged user", prefix, user)
    test_interrupted(tap)
    test_terminal_gone(tap)
    test_output_stalled(tap)
    test_part_dies(tap, "nginx: master", "nginx")
    test_part_dies(tap, "collector -c", "collector")
    test_killed(tap)
    test_refusals(tap)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
