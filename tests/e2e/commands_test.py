#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What every command has (--help, --version, secrets not shown), what questions look like on a terminal, and `whereto top --watch`."""

import fcntl
import http.server
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
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import mrtgen  # noqa: E402
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


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def be_shell(report, arguments, environment):
    """In the terminal's session: runs the program as a job in the foreground, says on the terminal when it stops, and ends
    as it ends. Without such a parent Ctrl-Z would stop nobody."""
    job = os.fork()
    if job == 0:
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)   # until it is in the foreground
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execve(program(), [program(), *arguments], {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", **environment})
    os.write(report, struct.pack("i", job))
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            os._exit(os.waitstatus_to_exitcode(status) & 255)
        os.write(1, STOPPED.encode())


def plain(text):
    """Without colours."""
    return re.sub(r"\033\[[0-9;?]*[a-zA-Z]", "", text).replace("\r", "")


class Terminal:
    """A program on a terminal of its own; `text` is the last picture without colours."""

    def __init__(self, *arguments, rows=20, columns=100, **environment):
        read, write = os.pipe()
        self.shell, self.fd = pty.fork()
        if self.shell == 0:
            set_size(0, rows, columns)
            be_shell(write, arguments, environment)
        os.close(write)
        self.pid = struct.unpack("i", os.read(read, 4))[0]
        os.close(read)
        self.raw = ""

    def resize(self, rows, columns):
        set_size(self.fd, rows, columns)

    @property
    def text(self):
        return plain(self.raw.rpartition("\033[J")[0].rpartition("\033[H")[2])

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
            ("+", "last 5m", "+: a longer time"), ("-", "last 1m", "-: a shorter one"), ("-", "last 1m", "-: none is shorter"), ("h", "g G group", "h: the keys"),
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
    """The first question gets this, but for since when there is traffic; returns the connection on which the second one comes, which gets nothing."""
    while True:
        connection = listening.accept()[0]
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)
        is_since = head.startswith(b"GET /api/v1/since ")
        if not body and not is_since:
            return connection
        answer = b'{"since": null}' if is_since else body
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
        connection.close()
        body = body if is_since else b""


def check_output(tap):
    """What cannot be written is no success; a reader that goes away is no fault to speak of."""
    row = sums(1000)
    with FakeApi(300, **{"from": at(0), "to": at(300)}, rows=[{"country": "DE", **row}], total=row, other=None) as api:
        for arguments in (("top", *api.options), ("top", "--json", *api.options), ("help",), ("top", "--help"), ("version",), ("schema",), ("check", "--options")):
            with open("/dev/full", "w", encoding="utf-8") as full:
                done = subprocess.run([program(), *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
            tap.check(done.returncode == 1 and re.search("No space left|could not be written", done.stderr), f"a full disk: {' '.join(arguments[:2])}", (done.returncode, done.stderr))
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run([program(), "top", *api.options], stdout=write, stderr=subprocess.PIPE, text=True, timeout=30)
        os.close(write)
        tap.check(done.returncode != 0 and not done.stderr, "a reader that has gone away", (done.returncode, done.stderr))


def check_broken_answers(tap):
    """Whatever comes instead of an answer is a failure with a message, never an empty table."""
    part = b'{"from":"2026-01-01T00:00:00Z","rows":[{"origin":1'
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
    for what, reply in (("cut", head + b"Content-Length: 500\r\n\r\n" + part), ("cut in a chunk", head + b"Transfer-Encoding: chunked\r\n\r\n20\r\nabc"),
                        ("no JSON", head + b"Content-Length: %d\r\n\r\n" % len(part) + part), ("an empty one", head + b"Content-Length: 0\r\n\r\n"),
                        ("another JSON", head + b"Content-Length: 2\r\n\r\n{}"), ("no HTTP", b"220 mail.example\r\n"), ("nothing", b"")):
        for arguments in (("senders",), ("changes", "--json"), ("routes", "--csv")):
            if len(arguments) > 1 and what in ("no JSON", "another JSON"):
                continue   # is printed as it comes
            with socket.create_server(("127.0.0.1", 0)) as listening:
                asking = subprocess.Popen([program(), *arguments, "--api", f"http://127.0.0.1:{listening.getsockname()[1]}"],
                                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                connection = listening.accept()[0]
                connection.recv(65536)
                connection.sendall(reply)
                connection.close()
                out, err = asking.communicate(timeout=30)
            tap.check(asking.returncode == 1 and not out and err.startswith(f"whereto {arguments[0]}: "), f"{' '.join(arguments)}: {what}", (asking.returncode, out, err))


def check_terminals(tap):
    """A dumb one gets no escape sequences, one of another locale no blocks, a narrow one no line of a table that is too wide."""
    rows = [{"router": "edge1", "origin": 64500 + i, "origin_name": f"Sample Network of the Number {i}", **sums(25000000, again=400, previous=sums(100))} for i in range(3)]
    compared = {"from": at(0), "to": at(300), "previous": {"from": at(-300), "to": at(0)}}
    with FakeApi(200, **compared, rows=rows, total=sums(1, previous=sums(1)), other=None) as api:
        for columns in (20, 40, 60):
            lines = plain(api.draw(columns, 24, "top", "--by", "router,origin", "--compare")).splitlines()
            tap.check(len(lines) > 4 and max(map(len, lines[2:])) <= columns, f"a table on {columns} columns", lines)
        text = api.draw(100, 24, "top", LC_ALL="C")
        tap.check(text.isascii() and re.search("#{5}", text), "blocks are ASCII where the locale is not UTF-8", text)
        tap.check("█" in api.draw(100, 24, "top", LC_ALL="", LC_CTYPE="", LANG=""), "and blocks where none is named")
        t = Terminal("top", "--watch", "1", *api.options, TERM="dumb")
        seen = t.wait(lambda t: t.raw.count("ORIGIN") > 1)
        os.kill(t.pid, signal.SIGINT)
        t.end()
        tap.check(seen and "\033" not in t.raw, "top --watch on a dumb terminal: one table after another", t.raw)
        t = Terminal("top", "--watch", "60", *api.options, columns=40)
        tap.check(t.wait(lambda t: "h help  q quit" in t.text.splitlines()[-1][:40] if t.text else False), "the keys fit 40 columns", t.text)
        t.press("h")
        tap.check(t.wait(lambda t: re.match(r"g by .* h  q$", t.text.splitlines()[-1])) and len(t.text.splitlines()[-1]) <= 40, "all of them", t.text)
        t.press("q")
        t.end()


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


START = 1767225600   # 2026-01-01T00:00:00Z


def sums(bytes_sent, packets=10000, again=10, **more):
    return {"bytes_sent": bytes_sent, "packets_sent": packets, "packets_retransmitted": again, "connections": 600, "requests": 1200,
            "retransmit_rate": again / packets, "rtt_count": 10, "rtt_p50_us": 20000, "rtt_p95_us": 90000, "share": 0.5, "approximate": False,
            **more}


def at(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START + seconds))


class FakeApi:
    """Gives one answer to every question, at a time of its own; `asked` has the questions. since: of the first traffic; None: not known."""

    def __init__(self, seconds, since=None, **answer):
        api = self
        api.asked = []
        whole = json.dumps(answer).encode()
        begin = json.dumps({"since": None if since is None else at(since)}).encode()
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(START + seconds))

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = begin if self.path == "/api/v1/since" else whole
                if body is whole:
                    api.asked.append(urllib.parse.parse_qs(self.path.partition("?")[2]))
                self.send_response_only(200)
                self.send_header("Date", date)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.options = ("--api", f"http://127.0.0.1:{self.server.server_port}")

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def run(self, *arguments):
        return run(*arguments, *self.options)[1]

    def draw(self, columns, rows, *arguments, **environment):
        """What it writes to a terminal of that size."""
        t = Terminal(*arguments, *self.options, rows=rows, columns=columns, **environment)
        t.end()
        return t.raw.replace("\r", "")


def check_top(tap):
    """At 3:20 of a range of five minutes: rates are over 200 seconds."""
    rows = [{"origin": 64500 + i, "origin_name": f"Sample Network of the Number {i}", **sums(25000000 // (i + 1), again=400 - i)}
            for i in range(3)]
    with FakeApi(200, **{"from": at(0), "to": at(300)}, rows=rows, total=sums(100000000), other=sums(50000000)) as api:
        narrow, wide = (plain(api.draw(columns, 24, "top")) for columns in (80, 120))
        for title in ("BYTES", "BIT/S", "RETRANS", "RTT P50", "CONNS"):
            tap.check(title in narrow, f"top at 80 columns: {title}", narrow)
        tap.check("█" in narrow and "RTT P95" not in narrow and "to 00:03:20 UTC" in narrow, "and bars", narrow)
        tap.check(re.search(r"^64500 Sample Network of the Nu.*  25\.0 MB  1\.00M  █", narrow, re.M), "rates are over what has passed", narrow)
        tap.check(all(title in wide for title in ("SHARE", "RTT P95", "REQUESTS")) and "█" * 8 in wide, "top at 120 columns has all", wide)
        tap.check(max(len(line) for text in (narrow, wide) for line in text.splitlines()) <= 120 and
                  max(map(len, narrow.splitlines())) <= 80, "no line is too wide")
        tap.check("\033[31m" in api.draw(80, 24, "top") and "\033" not in api.draw(80, 24, "top", NO_COLOR="1"), "colours, unless NO_COLOR is set")
        t = Terminal("top", "--watch", "60", *api.options, rows=24, columns=80)
        tap.check(t.wait(lambda t: "last 1m" in t.text) and "BIT/S" in t.text and "█" in t.text and "CONN/S" in t.text and "BYTES" not in t.text,
                  "the live view has rates and bars", t.raw)
        tap.equal(api.asked[-1]["last"], ["1m"], "and of the last minute")
        t.press("S")
        tap.check(t.wait(lambda t: "REQUESTS/S" in t.text) and "REQ/S" not in t.text, "a rate is called by what it is of", t.text)
        t.press("q")
        t.end()


def check_rates(tap):
    """Sorted by a rate that has no column of its own, top has one; series draws it."""
    row = sums(1000, again=200, packets_spurious=50, goodput_tested=40, goodput_met=30)
    none = sums(1000, again=0, packets_spurious=0, goodput_tested=0, goodput_met=0)
    with FakeApi(300, **{"from": at(0), "to": at(300)}, rows=[{"country": "DE", **row}, {"country": "FR", **none}], total=row, other=None) as api:
        for sort, title, value in (("goodput_rate", "GOODPUT", "75.0 %"), ("spurious_rate", "NEEDLESS", "25.0 %")):
            text = plain(api.draw(100, 24, "top", "--by", "country", "--sort", sort))
            tap.check(title in text and re.search(rf"^DE .* {value}", text, re.M) and re.search(r"^FR .* -  ", text, re.M), f"top --sort {sort}", text)
            tap.check(max(map(len, text.splitlines())) <= 100 and "BYTES" in text, "that fits, with bytes", text)
        tap.check("GOODPUT" not in plain(api.draw(100, 24, "top")), "else there is no such column")
    with FakeApi(300, **{"from": at(0), "to": at(300)}, step=300, rows=[{"time": at(0), **row}], total=row, other=None, other_rows=[]) as api:
        for figure, value in (("goodput_rate", "75.0 %"), ("spurious_rate", "25.0 %")):
            tap.check(value in api.run("series", "--figure", figure) and figure.split("_")[0] in api.asked[-1]["fields"][0], f"series --figure {figure}")


def check_unknown_times(tap):
    """What no rate can be told of has none."""
    rows = [{"time": at(60 * i), **sums(1000)} for i in range(2)]
    with FakeApi(200, **{"from": at(0), "to": at(300)}, rows=rows, total=sums(2000), other=None) as api:
        tap.check("BIT/S" not in api.run("top", "--by", "time"), "by time there are no rates")
    with FakeApi(200, **{"from": "1970-01-01T00:00:00Z", "to": at(300)}, rows=[{"country": "DE", **sums(1000)}], total=sums(1000), other=None) as api:
        text = api.run("top", "--by", "country", "--last", "forever")
        tap.check("BIT/S" not in text and text.startswith("up to 2026-01-01 00:03:20 UTC"), "nor of all time", text)


def check_since(tap):
    """Of an hour in which the store's traffic begins ten minutes before the end: averages are over these."""
    row = sums(75000000, share=1)
    hour = {"from": at(0), "to": at(3600)}
    with FakeApi(3700, since=3000, **hour, rows=[{"origin": 64500, **row}], total=row, other=sums(0)) as api:
        text = plain(api.draw(120, 24, "top"))
        tap.check("00:00 to 01:00 UTC, traffic since 00:50" in text and re.search(r"^64500 .* 1\.00M ", text, re.M), "top: a rate is over what there is of the range", text)
    with FakeApi(3700, since=3000, **{"from": "1970-01-01T00:00:00Z", "to": at(3600)}, rows=[{"country": "DE", **row}], total=row, other=None) as api:
        text = plain(api.draw(120, 24, "top", "--by", "country", "--last", "forever"))
        tap.check("BIT/S" in text and re.search(r"^DE .* 1\.00M ", text, re.M), "also over all time", text)
    path = {"router": "edge1", "path": "64500", "neighbour": 64500, "transit": None, "origin": 64500, "hops": [{"as": 64500, "name": None}], **row}
    with FakeApi(3700, since=3000, **hour, rows=[path], total=row, other=sums(0), nodes=[], links=[]) as api:
        text = plain(api.draw(120, 24, "paths"))
        tap.check(re.search(r"^edge1 .* 1\.00M ", text, re.M), "paths: the same", text)
    buckets = [{"time": at(3000 + 300 * i), **sums(37500000)} for i in range(2)]
    with FakeApi(3700, since=3000, **hour, step=300, rows=buckets, total=row, other=None) as api:
        text = plain(api.draw(80, 24, "series"))
        tap.check("1.00 Mbit/s" in text and "167 kbit/s" not in text, "series: its mean as well", text)
    compared = {**hour, "previous": {"from": at(-3600), "to": at(0)}, "rows": [{"country": "DE", **row, "previous": sums(100)}],
                "total": {**row, "previous": sums(100)}, "other": None}
    for since, change in ((-1200, "-"), (-2400, "x ")):
        with FakeApi(3700, since=since, **compared) as api:
            text = plain(api.draw(120, 24, "top", "--compare", "--by", "country"))
            line = next((line for line in text.splitlines() if line.startswith("DE")), "")
            tap.check((" x " in line) == (change != "-"), f"--compare: what had traffic for {-since} of 3600 seconds", text)


def check_compare(tap):
    """Half an hour of an hour that is not over, beside a whole hour: twice the rate is the same amount."""
    rows = [{"country": "DE", **sums(900, again=310, previous=sums(900, again=100))},
            {"country": "FR", **sums(450, again=100, previous=sums(900, again=200))},
            {"country": "GB", **sums(300, previous=sums(0))}]
    answer = {"from": at(3600), "to": at(7200), "previous": {"from": at(0), "to": at(3600)}, "rows": rows,
              "total": sums(1650, previous=sums(1800)), "other": None}
    with FakeApi(5400, **answer) as api:
        text = plain(api.draw(80, 24, "top", "--compare", "--by", "country"))
        tap.check("01:00 to 01:30 UTC, compared with 00:00 to 01:00" in text, "--compare says with what", text)
        found = [re.split(r"  +", line)[0:1] + re.findall(r"(?:x )?[+-][\d.]+ (?:%|pp)|new|same", line) for line in text.splitlines()
                 if line[:2] in ("DE", "FR", "GB")]
        tap.equal(found, [["DE", "+100 %", "+2.10 pp"], ["FR", "same", "-1.00 pp"], ["GB", "new", "same"]], "changes are of rates")
        tap.equal(api.asked[-1]["compare"], ["previous"], "without a value it is the range before")
        api.run("top", "--compare", "1d")
        tap.equal(api.asked[-1]["compare"], ["1d"], "or so long ago")


def bill(mbps):
    return {"mean_bps": None, "percentile_bps": None, "max_bps": None} if mbps is None else \
        {"mean_bps": mbps * 5e5, "percentile_bps": mbps * 9e5, "max_bps": mbps * 1e6}


def throughput(**more):
    return {"from": at(-6000), "to": at(0), "step": 300, "samples": 20, "percentile": 95, "rows": [], "total": bill(20), "other": None, **more}


def check_series(tap):
    buckets = [{"time": at(60 * i), **sums(75000000, again=10 * i)} for i in range(5)]
    answer = {"from": at(0), "to": at(300), "step": 60, "rows": buckets, "total": sums(375000000, 50000, 100), "other": None, "other_rows": []}
    with FakeApi(270, **answer) as api:
        text = api.run("series")
        tap.equal(re.findall(r"(\S+ Mbit/s)  █", text), ["10.0 Mbit/s"] * 4 + ["20.0 Mbit/s"], "the last bucket's rate is of what has passed")
        chart = plain(api.draw(80, 24, "series"))
        tap.check("20.0 Mbit/s ┤" in chart and "0 bit/s └┬" in chart and "max 10.0 Mbit/s" in chart and "total 375 MB" in chart,
                  "series draws a chart with its unit", chart)
        tap.check(len(chart.splitlines()) < 24 and max(map(len, chart.splitlines())) <= 80, "that fits", chart)
        tap.check("points" in api.asked[-1], "of as many points as there is room for")
        for figure, unit in (("retransmit_rate", "0.40 % ┤"), ("rtt_p50", "20.0 ms ┤"), ("rtt_p95_us", "100 ms ┤"), ("connections", "20.0/s ┤")):
            chart = plain(api.draw(80, 24, "series", "--figure", figure))
            tap.check(unit in chart, f"series --figure {figure}: {unit}", chart)
        tap.check("0.40 % ┤" in plain(api.draw(80, 24, "series", "--sort", "retransmit_rate")), "what is sorted by is drawn")
        tap.equal(run("series", "--figure", "nonsense", *api.options)[0], 2, "another figure is wrong usage")
    with FakeApi(270, **answer, throughput=throughput()) as api:
        tap.check("p95 18.0 Mbit/s" in plain(api.draw(120, 24, "series")) and "p95: 95 % of 20 means of 5 m" in api.run("series"), "the percentile is beside the chart, and what it is of")
        tap.equal(api.asked[-1]["percentile"], ["95"], "which is asked for")
        api.run("series", "--percentile", "90")
        tap.equal(api.asked[-1]["percentile"], ["90"], "or another")
        tap.check("p95" not in api.run("series", "--figure", "rtt_p50") and "percentile" not in api.asked[-1], "not beside other figures")
    rows = [{"time": at(60 * i), "country": code, **sums(75000000)} for i in range(5) for code in ("DE", "FR")]
    both = throughput(rows=[{"country": "DE", **bill(20)}, {"country": "FR", **bill(None)}], other=bill(3))
    with FakeApi(300, **{**answer, "rows": rows, "other_rows": buckets}, throughput=both) as api:
        text = plain(api.draw(100, 24, "series", "--by", "country"))
        tap.equal([re.findall(r"(?:[\d.]+ Mbit/s| - )", line)[1:3] for line in text.splitlines() if line[:2] in ("DE", "FR", "al")],
                  [["18.0 Mbit/s", "20.0 Mbit/s"], [" - ", "10.0 Mbit/s"], ["2.70 Mbit/s", "3.00 Mbit/s"]], "each group has its own percentile, and the highest of the same samples")
    with FakeApi(245, **answer) as api:
        tap.check(re.search(r"00:04 .* -  ", api.run("series")), "a bucket of five seconds has no rate yet")


def check_series_compare(tap):
    """Half of ten minutes, beside the five before: half as much, and one bucket more."""
    buckets = [{"time": at(600 + 60 * i), **sums(75000000)} for i in range(0, 5, 2)]
    earlier = [{"time": at(300 + 60 * i), **sums(150000000)} for i in range(5)]
    answer = {"from": at(600), "to": at(1200), "step": 60, "previous": {"from": at(300), "to": at(600), "step": 60}, "rows": buckets, "previous_rows": earlier,
              "total": sums(225000000, again=300, previous=sums(750000000, again=100)), "other": None, "other_rows": []}
    with FakeApi(900, **answer) as api:
        chart = plain(api.draw(80, 24, "series", "--compare"))
        tap.equal(api.asked[-1]["compare"], ["previous"], "series --compare asks for the range before")
        line = next((line for line in chart.splitlines() if "─" * 10 in line), "")
        tap.check(line.startswith("20.0 Mbit/s ┤") and "─ everything from 00:05 to 00:10: mean 20.0 Mbit/s, now -70 %" in chart,
                  "which is a line in the chart, with its mean", chart)
        tap.check(len(chart.splitlines()) <= 24 and max(map(len, chart.splitlines())) <= 80, "that fits", chart)
        table = api.run("series", "--compare", "5m")
        tap.equal((api.asked[-1]["compare"], re.findall(r"(\d\d:\d\d) .*?([\d.]+ Mbit/s) +([\d.]+ Mbit/s) +(\S+ %)", table)),
                  (["5m"], [(t, "10.0 Mbit/s", "20.0 Mbit/s", "-50 %") for t in ("00:10", "00:12", "00:14")]), "in the table two columns")
        rate = plain(api.draw(80, 24, "series", "--compare", "--figure", "retransmit_rate"))
        tap.check("overall 1.00 %, now +2.00 pp" in rate, "changes of a rate are in points", rate)
        status, _, err = run("series", "--compare", "--csv", "--by", "origin", *api.options)
        tap.check(status == 2 and "no --by" in err, "as CSV it is of everything", err)
    with FakeApi(900, since=500, **answer) as api:
        tap.check("mean -, now -" in api.run("series", "--compare"), "with too little of the range before nothing is compared")


def check_paths(tap, collector):
    """Of four networks those behind AS 64999 lose packets."""
    text = plain(drawn("paths", "--last", "30m", "--api", "http://" + collector.ready["http"]))
    tap.check(re.search(r"^edge1 +64500 › 64999 › 64511 Exam.* █.* 10\.0 % ", text, re.M), "paths have the names of their ASes, and rates", text)
    for stage, what in (("router", "edge1"), ("neighbour", "64500 Example Transit"), ("transit", "64999"), ("origin", "64511 Example Net")):
        tap.check(re.search(rf"^{stage} +{what}", text, re.M), f"the flow by stage: {stage}", text)
    tap.check("91.7 % of all retransmits go by transit 64999" in text, "and where it is lost", text)
    tap.check(max(map(len, text.splitlines())) <= 80, "within 80 columns")
    status, out, _ = run("paths", "--csv", "--last", "30m", "--api", "http://" + collector.ready["http"])
    tap.check(status == 0 and out.startswith("router,path,neighbour,transit,origin,") and out.count("\n") == 3, "paths --csv", out)
    status, out, _ = run("paths", "--json", "--limit", "1", "--filter", "origin:64512", "--api", "http://" + collector.ready["http"])
    tap.check(status == 0 and [row["origin"] for row in json.loads(out)["rows"]] == [64512], "paths --json --filter", out)
    status, _, err = run("lookup", "nonsense", "--api", "http://" + collector.ready["http"])
    tap.equal((status, err), (2, "whereto lookup: 'nonsense' is no IP address\n"), "a wrong argument is not called by the API's name")
    status, out, err = run("paths", "--filter", "router:edge1 contry:DE", "--api", "http://" + collector.ready["http"])
    tap.check(status == 2 and not out and err.endswith("\n  router:edge1 contry:DE\n               ^\n"), "a mistake is shown with a caret", err)


def check_narrow(tap, collector):
    """Tables of every question: below the sentences no line is wider than the window."""
    for question in ("paths", "suspects", "incidents", "compare", "peering", "senders", "routers", "routes", "lookup 203.0.113.9", "series --table"):
        arguments = [*question.split(), "--api", "http://" + collector.ready["http"]]
        lines = plain(drawn(*arguments, columns=40)).splitlines()
        table = [line for line in lines if "  " in line.strip()]
        tap.check(lines and all(len(line) <= 40 for line in table), f"{question} on 40 columns", lines)


def drawn(*arguments, columns=80):
    t = Terminal(*arguments, rows=24, columns=columns)
    t.end()
    return t.raw


def check_with_routes(tap, folder):
    os.makedirs(folder)
    mrtgen.write_paths(os.path.join(folder, "edge1.mrt"), [("203.0.113.0/25", [64500, 64999, 64511]), ("203.0.113.128/25", [64500, 64512])])
    with open(os.path.join(folder, "asnames.txt"), "w", encoding="utf-8") as names:
        names.write("64500 Example Transit\n64511 Example Net\n64512 Example Other Net\n")
    with Collector(folder, asnames={"file": os.path.join(folder, "asnames.txt")},
                   routers=[{"name": "edge1", "serves": ["192.0.2.0/24"], "sources": [{"mrt": {"file": os.path.join(folder, "edge1.mrt")}}]}]) as collector:
        collector.send([{"client": client, "server": "192.0.2.10", "bytes_sent": 1000000, "packets_sent": 11000, "packets_retransmitted": again}
                        for client, again in (("203.0.113.9", 1100), ("203.0.113.200", 100))], name="web1")
        check_paths(tap, collector)
        check_narrow(tap, collector)


def main():
    tap = Tap()
    check_help(tap)
    check_top(tap)
    check_rates(tap)
    check_unknown_times(tap)
    check_since(tap)
    check_compare(tap)
    check_series(tap)
    check_series_compare(tap)
    check_no_answer(tap)
    check_output(tap)
    check_broken_answers(tap)
    check_terminals(tap)
    with tempfile.TemporaryDirectory() as folder, Collector(folder) as collector:
        check_secrets(tap, collector)
        check_store_files(tap, collector)
        collector.send([{"client": "203.0.113.9", "server": "192.0.2.10", "type": kind, "bytes_sent": 1000, "packets_sent": 5}
                        for kind in ("video", "api")], name="web1")
        check_watch(tap, collector)
        check_stop(tap, collector)
        check_with_routes(tap, os.path.join(folder, "routes"))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
