# SPDX-License-Identifier: BSD-2-Clause
"""A real PostgreSQL with ip4r for end-to-end tests, run as an unprivileged user in a folder of its own.

    with contextlib.closing(Server()) as server:
        Collector(folder, store={"url": server.url})
        server.ask("SELECT sum(requests) FROM whereto.total_minute")
        server.end(signal.SIGKILL)"""

import glob
import os
import shutil
import signal
import subprocess
import tempfile
import time

from disk import remove_disk, small_disk
from processes import free_port, spawn, unprivileged


def _programs():
    """Folders of the versions that have ip4r."""
    return [os.path.dirname(path) for path in sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
            if os.path.exists(f"/usr/share/postgresql/{path.split('/')[4]}/extension/ip4r.control")]


def unavailable():
    """Why there can be none on this machine; None when there can."""
    return None if _programs() else "PostgreSQL or ip4r is missing (postgresql-15, postgresql-15-ip4r)"


class Server:
    """A cluster in a folder of its own, reached by a socket in it; with tcp=True on a port of 127.0.0.1 as well. settings are its
    options. disk: the size of a disk of its own; `no_disk` then tells why there is none, and nothing else can be used."""

    STOP = signal.SIGINT

    def __init__(self, start=True, tcp=False, settings=(), disk=None):
        self.programs = _programs()[-1]
        self.user = unprivileged("postgres")
        self.folder = tempfile.mkdtemp(prefix="whereto-pg-")
        self.disk = disk
        self.no_disk = small_disk(self.folder, disk) if disk else None
        self.process = None
        if self.no_disk:
            self.disk = None
            return
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.port = free_port() if tcp else 5432
        self.options = ["-k", self.folder, "-p", str(self.port), "-c", f"listen_addresses={'127.0.0.1' if tcp else ''}"]
        self.options += [word for setting in settings for word in ("-c", setting)]
        self.url = f"postgresql://wt@{self.folder.replace('/', '%2F')}:{self.port}/postgres"
        initdb = self._spawn("initdb", "-U", "wt", "--auth=trust", "--no-locale", "-E", "UTF8", "--no-sync")
        if initdb.wait() != 0:
            raise RuntimeError(self.log())
        if start:
            self.start()

    def _spawn(self, program, *arguments):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            return spawn([os.path.join(self.programs, program), "-D", os.path.join(self.folder, "data"), *arguments],
                         user=self.user, death=signal.SIGQUIT, cwd="/", stdout=log, stderr=log)

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def start(self):
        deadline = time.monotonic() + 30
        self.process = self._spawn("postgres", *self.options)
        ready = [os.path.join(self.programs, "pg_isready"), "-q", "-h", self.folder, "-p", str(self.port)]
        while subprocess.run(ready).returncode != 0:
            if self.process.poll() is not None:
                # After a kill -9 the old one's children are there a moment longer.
                if "pre-existing shared memory block" not in self.log()[-500:] or time.monotonic() > deadline:
                    raise RuntimeError(self.log())
                self.process = self._spawn("postgres", *self.options)
            time.sleep(0.02)

    def end(self, number=STOP):
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
        if self.disk:
            remove_disk(self.folder)
        shutil.rmtree(self.folder)
