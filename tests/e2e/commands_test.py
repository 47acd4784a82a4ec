#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What every command has (--help, --version, secrets not shown), and `whereto top --watch` on a terminal."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from collector import Collector, program  # noqa: E402
from tap import Tap  # noqa: E402

ENTER, LEAVE = "\033[?1049h", "\033[?1049l"


def run(*arguments):
    done = subprocess.run([program(), *arguments], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout, done.stderr


def check_help(tap):
    status, out, _ = run("--help")
    commands = re.findall(r"^  whereto (\w+)", out, re.M)
    tap.check(status == 0 and len(commands) > 10, "--help lists the commands", out)
    with tempfile.TemporaryDirectory() as folder:
        for command in commands:
            done = subprocess.run([program(), command, "--help"], capture_output=True, text=True, cwd=folder, timeout=30)
            tap.check(done.returncode == 0 and done.stdout.startswith(f"usage: whereto {command}") and not done.stderr,
                      f"{command} --help", done.stdout + done.stderr)
        tap.equal(os.listdir(folder), [], "--help leaves no file behind")
    tap.equal(run("--version"), run("version"), "--version is version")
    tap.check(re.fullmatch(r"whereto \d+\.\d+\.\d+\n", run("--version")[1]), "and tells it")


def check_secrets(tap, collector):
    text = open(collector.config_file, encoding="utf-8").read()
    url = collector.config["store"]["url"]
    file = collector.config_file + ".secret"
    with open(file, "w", encoding="utf-8") as out:
        out.write(text.replace(url, "postgresql://me:very-secret@127.0.0.1:1/db"))
    status, out, err = run("check", file)
    tap.check("me:***@127.0.0.1" in out and "very-secret" not in out + err, "check shows no password", f"{status} {out}{err}")


def check_store_files(tap, collector):
    """`check` looks at what the store's URL names, and asks no server."""
    folder = os.path.dirname(collector.config_file)
    password = os.path.join(folder, "db.password")
    with open(password, "w", encoding="utf-8") as out:
        out.write("hidden\n")
    os.chmod(password, 0o600)
    with open(collector.config_file, encoding="utf-8") as file:
        text = file.read()

    def check(url):
        with open(collector.config_file + ".store", "w", encoding="utf-8") as out:
            out.write(text.replace(collector.config["store"]["url"], url))
        status, out, err = run("check", out.name)
        tap.check("hidden" not in out + err, "without the password", out + err)
        return status, out + err

    nowhere = "127.0.0.1:1"
    for url, word in ((f"clickhouse://w@{nowhere}/x?bogus=1", "its parameters are"), ("postgresql://[", "cannot be read"),
                      (f"postgresql://u@{nowhere}/d?nonsense=1", "cannot be read"),
                      (f"clickhouse://w@{nowhere}/x?password_file=/nowhere", "password_file: /nowhere: No such file"),
                      (f"clickhouse://w@{nowhere}/x?password_file=not.there", f"password_file: {folder}/not.there: No such file"),
                      (f"clickhouse://w@{nowhere}/x?ca_file=not.there", f"ca_file: {folder}/not.there: No such file"),
                      (f"postgresql://u@{nowhere}/d?passfile=not.there", f"passfile: {folder}/not.there: No such file")):
        status, text_out = check(url)
        tap.check(status == 1 and "store.url" in text_out and word in text_out, f"check: {url}", text_out)
    for url in (f"clickhouse://w@{nowhere}/x?password_file=db.password", f"postgresql://u@{nowhere}/d?passfile={password}&sslrootcert=system"):
        os.chmod(password, 0o600)
        status, text_out = check(url)
        tap.check(status == 0 and "warning" not in text_out, f"check: {url}", text_out)
        os.chmod(password, 0o644)
        status, text_out = check(url)
        tap.check(status == 0 and "warning: store.url" in text_out and password in text_out, "a password that others can read", text_out)


STOPPED = "[stopped]"


def be_shell(report, arguments):
    """In the terminal's session: runs the program as a job in the foreground, says on the terminal when it stops, and ends
    as it ends. Without such a parent Ctrl-Z would stop nobody."""
    job = os.fork()
    if job == 0:
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)   # until it is in the foreground
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execve(program(), [program(), *arguments], {**os.environ, "TERM": "xterm"})
    os.write(report, struct.pack("i", job))
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            os._exit(os.waitstatus_to_exitcode(status) & 255)
        os.write(1, STOPPED.encode())


class Terminal:
    """A program on a terminal of its own; `text` is the last picture without colours."""

    def __init__(self, *arguments, rows=20, columns=100):
        read, write = os.pipe()
        self.shell, self.fd = pty.fork()
        if self.shell == 0:
            be_shell(write, arguments)
        os.close(write)
        self.pid = struct.unpack("i", os.read(read, 4))[0]
        os.close(read)
        self.resize(rows, columns)
        self.raw = ""

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def text(self):
        picture = self.raw.rpartition("\033[J")[0].rpartition("\033[H")[2]
        return re.sub(r"\033\[[0-9;?]*[a-zA-Z]", "", picture).replace("\r", "")

    def wait(self, condition, timeout_s=20):
        """Reads until condition(self) holds; False when it does not in time, or the program has ended."""
        deadline = time.monotonic() + timeout_s
        while not condition(self):
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            try:
                piece = os.read(self.fd, 65536) if ready else b""
            except OSError:
                piece = b""
            if not piece:
                return condition(self)
            self.raw += piece.decode(errors="replace")
        return True

    def press(self, key):
        os.write(self.fd, key.encode())

    def end(self):
        self.wait(lambda t: False, 10)   # until it closes the terminal
        _, status = os.waitpid(self.shell, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def check_watch(tap, collector):
    t = Terminal("top", "--api", "http://" + collector.ready["http"], "--watch", "60")
    tap.check(t.wait(lambda t: "ORIGIN" in t.text and "by origin" in t.text), "the live view draws", t.raw)
    for key, expected, what in (
            ("g", "by country", "g: the next grouping"), ("G", "by origin", "G: back"),
            ("\033[D", "by type", "an arrow: around the end"),
            ("ssS", "sorted by retransmit_rate", "several keys at once"), ("S", "sorted by bytes_sent", "S: back"),
            ("s", "sorted by retransmit_rate", "s: the next measure"), ("S", "sorted by bytes_sent", "S: back"),
            ("-", "15m", "-: a shorter time"), ("+", "1h", "+: a longer one"), ("h", "g G group", "h: the keys"),
            ("h", "live   h help", "h: and away"), (" ", "PAUSED", "space: a pause"), (" ", "live", "space: on")):
        t.press(key)
        tap.check(t.wait(lambda t, expected=expected: expected in t.text), what, t.text)
    tap.check("video" in t.text and "api" in t.text and "TOTAL" not in t.text.splitlines()[-1], "the rows are there", t.text)
    t.resize(6, 60)
    tap.check(t.wait(lambda t: len(t.text.splitlines()) == 6), "a smaller window gets a smaller picture", t.text)
    collector.stop()
    t.press("r")
    tap.check(t.wait(lambda t: "whereto top:" in t.text and "video" not in t.text.splitlines()[-1]),
              "a collector that is away is said, the picture stays", t.text)
    collector.start()
    t.press("r")
    tap.check(t.wait(lambda t: "whereto top:" not in t.text), "and back", t.text)
    t.press("q")
    tap.check(t.wait(lambda t: LEAVE in t.raw) and t.end() == 0, "q leaves the screen as it was", t.raw[-200:])


def check_stop(tap, collector):
    t = Terminal("top", "--api", "http://" + collector.ready["http"], "--watch", "60")
    t.wait(lambda t: "by origin" in t.text)
    os.kill(t.pid, signal.SIGTSTP)
    tap.check(t.wait(lambda t: STOPPED in t.raw) and LEAVE in t.raw, "Ctrl-Z gives the screen back and stops", t.raw[-200:])
    t.raw = ""
    os.kill(t.pid, signal.SIGCONT)
    tap.check(t.wait(lambda t: ENTER in t.raw and "by origin" in t.text), "and takes it again", t.raw)
    os.kill(t.pid, signal.SIGTERM)
    tap.check(t.wait(lambda t: LEAVE in t.raw) and t.end() == 0, "SIGTERM ends it", t.raw[-200:])


def answer_once(listening, body):
    """The first question gets this; returns the connection on which the second one comes, which gets nothing."""
    while True:
        connection = listening.accept()[0]
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)
        if not body:
            return connection
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        connection.close()
        body = b""


def check_no_answer(tap):
    """A collector that does not answer keeps nobody."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(20)
        t = Terminal("top", "--api", f"http://127.0.0.1:{listening.getsockname()[1]}", "--watch", "1")
        body = json.dumps({"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T01:00:00Z", "rows": [], "total": {}, "other": None})
        with answer_once(listening, body.encode()):
            start = time.monotonic()
            t.press("\x03")
            tap.check(t.wait(lambda t: LEAVE in t.raw) and t.end() == 0, "Ctrl-C ends it while it waits for an answer", t.raw[-200:])
            tap.check(time.monotonic() - start < 30, "soon", time.monotonic() - start)


def main():
    tap = Tap()
    check_help(tap)
    check_no_answer(tap)
    with tempfile.TemporaryDirectory() as folder, Collector(folder) as collector:
        check_secrets(tap, collector)
        check_store_files(tap, collector)
        collector.send([{"client": "203.0.113.9", "server": "192.0.2.10", "type": kind, "bytes_sent": 1000, "packets_sent": 5}
                        for kind in ("video", "api")], name="web1")
        check_watch(tap, collector)
        check_stop(tap, collector)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
