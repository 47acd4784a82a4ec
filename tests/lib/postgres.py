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

from processes import spawn, unprivileged


def _programs():
    """Folders of the versions that have ip4r."""
    return [os.path.dirname(path) for path in sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
            if os.path.exists(f"/usr/share/postgresql/{path.split('/')[4]}/extension/ip4r.control")]


def unavailable():
    """Why there can be none on this machine; None when there can."""
    return None if _programs() else "PostgreSQL or ip4r is missing (postgresql-15, postgresql-15-ip4r)"


class Server:
    """A cluster in a folder of its own, reached by a socket in it."""

    STOP = signal.SIGINT

    def __init__(self, start=True):
        self.programs = _programs()[-1]
        self.user = unprivileged("postgres")
        self.folder = tempfile.mkdtemp(prefix="whereto-pg-")
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.url = f"postgresql://wt@{self.folder.replace('/', '%2F')}/postgres"
        self.process = None
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
        self.process = self._spawn("postgres", "-k", self.folder, "-c", "listen_addresses=")
        while subprocess.run([os.path.join(self.programs, "pg_isready"), "-q", "-h", self.folder]).returncode != 0:
            if self.process.poll() is not None:
                raise RuntimeError(self.log())
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
        shutil.rmtree(self.folder)
