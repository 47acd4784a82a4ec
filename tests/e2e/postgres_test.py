#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A collector whose store is a PostgreSQL server that goes away and comes back, by a clean stop and by kill -9:
everything acknowledged is in the database once, and the collector ends while the server is away."""

import contextlib
import ctypes
import glob
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from collector import Collector, CollectorError  # noqa: E402
from tap import Tap, skip_all  # noqa: E402

RECORDS = 3000
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


class Server:
    """A cluster in a folder of its own, reached by a socket in it."""

    def __init__(self, programs):
        self.programs = programs
        self.user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        self.folder = tempfile.mkdtemp(prefix="whereto-pg-")
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.url = f"postgresql://wt@{self.folder.replace('/', '%2F')}/postgres"
        self.process = None
        initdb = self._spawn("initdb", "-U", "wt", "--auth=trust", "--no-locale", "-E", "UTF8", "--no-sync")
        if initdb.wait() != 0:
            raise RuntimeError(self.log())
        self.start()

    def _spawn(self, program, *arguments):
        def prepare():
            if self.user:
                os.setgroups([])
                os.setgid(self.user.pw_gid)
                os.setuid(self.user.pw_uid)
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)

        with open(os.path.join(self.folder, "log"), "ab") as log:
            return subprocess.Popen([os.path.join(self.programs, program), "-D", os.path.join(self.folder, "data"),
                                     *arguments], cwd="/", stdout=log, stderr=log, preexec_fn=prepare)

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def start(self):
        self.process = self._spawn("postgres", "-k", self.folder, "-c", "listen_addresses=")
        while subprocess.run([os.path.join(self.programs, "pg_isready"), "-q", "-h", self.folder]).returncode != 0:
            if self.process.poll() is not None:
                raise RuntimeError(self.log())
            time.sleep(0.02)

    def end(self, number=signal.SIGINT):
        if self.process:
            self.process.send_signal(number)
            self.process.wait()
            self.process = None

    def ask(self, sql):
        answer = subprocess.run([os.path.join(self.programs, "psql"), self.url, "-Atc", sql], capture_output=True,
                                text=True, check=True)
        return answer.stdout.strip()

    def close(self):
        self.end()
        shutil.rmtree(self.folder)


def send(collector, start):
    lines = (json.dumps({"client": f"203.0.{i >> 8 & 255}.{i & 255}", "server": "192.0.2.10", "type": f"t{i % 7}",
                         "requests": 1}) for i in range(start, start + RECORDS))
    return subprocess.run([os.environ["WHERETO"], "send", "--to", collector.telemetry, "--key", collector.key_file,
                           "--wait"], input="\n".join(lines) + "\n", text=True).returncode


def stored(collector, count):
    """The API says so; while the server is away it says that instead."""
    def asked():
        try:
            return collector.top()["total"].get("requests") == count
        except (OSError, KeyError, TypeError, CollectorError):
            return False
    collector.wait(asked, f"{count} requests")


def check_away(tap, server, collector):
    tap.check(send(collector, 0) == 0, "records are acknowledged")
    stored(collector, RECORDS)
    server.end()
    tap.check(send(collector, RECORDS) == 0, "so are they while the server is away")
    server.start()
    stored(collector, 2 * RECORDS)
    server.end(signal.SIGKILL)
    tap.check(send(collector, 2 * RECORDS) == 0, "and while it has crashed")
    tap.check(collector.stop(60) == 0, "the collector ends without it")
    server.start()
    collector.start()
    stored(collector, 3 * RECORDS)


def check_store(tap, server):
    def store(action, url=server.url):
        done = subprocess.run([os.environ["WHERETO"], "store", action, url], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    status, text = store("check")
    tap.check(status == 1 and "store migrate" in text, "store check: nothing there yet", text)
    tap.equal(server.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'whereto'"), "0", "and it makes nothing")
    status, text = store("migrate")
    tap.check(status == 0 and "was 0" in text, "store migrate", text)
    status, text = store("migrate")
    tap.check(status == 0 and "up to date" in text, "once more", text)
    server.ask("INSERT INTO whereto.batches VALUES('gone', 9, 0, 0, 0), ('gone', 8, 0, 0, 0)")
    status, text = store("check", server.url.replace("wt@", "wt:secret@"))
    tap.check(status == 0 and "gone: last batch 9\n" in text and "flow_minute: empty" in text, "store check", text)
    tap.check("secret" not in text, "without the password", text)
    tap.equal(store("vacuum")[0], 0, "store vacuum")
    server.ask("UPDATE whereto.meta SET value = '99'")
    for action in ("check", "migrate", "vacuum"):
        status, text = store(action)
        tap.check(status == 1 and "newer whereto" in text, f"store {action}: a newer schema", text)
    server.ask("DROP SCHEMA whereto CASCADE")
    status, text = store("check", "postgresql://wt:secret@127.0.0.1:1/none")
    tap.check(status == 1 and "secret" not in text, "store check: no server", text)


def main():
    tap = Tap()
    programs = [os.path.dirname(path) for path in sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
                if os.path.exists(f"/usr/share/postgresql/{path.split('/')[4]}/extension/ip4r.control")]
    if not programs:
        return skip_all("PostgreSQL or ip4r is missing (postgresql-15, postgresql-15-ip4r)")
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Server(programs[-1])) as server:
        check_store(tap, server)
        with Collector(folder, store={"url": server.url}) as collector:
            check_away(tap, server, collector)
            tap.check(collector.stop() == 0, "the collector ends")
        done = subprocess.run([os.environ["WHERETO"], "store", "check", server.url], capture_output=True, text=True)
        tap.check("total_day: 20" in done.stdout, "store check shows the tables' ranges", done.stdout + done.stderr)
        for table in ("total_minute", "country_hour", "flow_day"):
            tap.equal(server.ask(f"SELECT sum(requests) FROM whereto.{table}"), str(3 * RECORDS),
                      f"{table} has every record once")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
