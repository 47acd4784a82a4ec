# SPDX-License-Identifier: BSD-2-Clause
"""A real nginx for tests: Debian's program with the module, a configuration of its own, and every file it
reads or writes inside one folder.

    with Nginx(folder, http="server { listen 192.0.2.10:80; whereto on; }") as nginx:
        nginx.reload()                     # returns when the old workers are gone
        nginx.stop()                       # gracefully: the workers have flushed
        nginx.accesses()                   # [{"server_addr": ..., "bytes_sent": ...}]

The module is $WHERETO_NGINX_MODULE, the program $NGINX or nginx as it is found in PATH or /usr/sbin."""

import json
import os
import select
import shutil
import signal
import subprocess
import time
import urllib.parse

LOG_FIELDS = ("server_addr", "host", "remote_addr", "server_protocol", "request_uri", "status", "bytes_sent",
              "request_length", "connection", "connection_requests")
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def program():
    return os.environ.get("NGINX") or shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def unavailable(*tools):
    """Why nginx cannot be tested here, with these programs; None when it can."""
    if not program():
        return "needs nginx"
    module = os.environ.get("WHERETO_NGINX_MODULE")
    if not module or not os.path.exists(module):
        return "the nginx module isn't built (nginx-dev)"
    missing = [tool for tool in tools if not shutil.which(tool)]
    return f"needs {missing[0]}" if missing else None


def make_certificate(folder):
    """tls.key and tls.crt, for whoever doesn't look."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", "tls.key", "-out", "tls.crt", "-days", "2", "-subj", "/CN=video.test"],
                   cwd=folder, check=True, stderr=subprocess.DEVNULL)


def fetch_http2(path, source, server, urls):
    """All at once, by curl in the lab's client, with one HTTP/2 connection a host. Returns the size."""
    hosts = {urllib.parse.urlsplit(url).hostname for url in urls}
    resolve = [word for host in hosts for word in ("--resolve", f"{host}:443:{server}")]
    with path.client():
        curl = subprocess.run(["curl", "--silent", "--show-error", "--fail", "--insecure", "--http2", "--parallel",
                               "--max-time", "40", "--interface", source, *resolve, *urls],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    return len(curl.stdout)


class Nginx:
    def __init__(self, folder, http, workers=2, start=True, module=True):
        self.folder = os.path.abspath(folder)
        self.log_file = os.path.join(self.folder, "error.log")
        self.process = None
        os.makedirs(os.path.join(self.folder, "html"), exist_ok=True)
        log_format = ",".join(f'"{name}":"${name}"' for name in LOG_FIELDS)
        user = "user root;" if os.geteuid() == 0 else ""
        load = f'load_module {os.path.abspath(os.environ["WHERETO_NGINX_MODULE"])};' if module else ""
        self.config = f"""
            {load}
            {user}
            daemon off;
            pid nginx.pid;
            error_log error.log info;
            worker_processes {workers};
            events {{ worker_connections 256; }}
            http {{
                log_format fields escape=json '{{{log_format}}}';
                access_log access.log fields;
                {" ".join(f"{name}_temp_path temporary/{name};" for name in TEMPORARY)}
                root html;
                {http}
            }}
            """
        os.makedirs(os.path.join(self.folder, "temporary"), exist_ok=True)
        self.write_config()
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.kill()

    def write_config(self):
        with open(os.path.join(self.folder, "nginx.conf"), "w", encoding="utf-8") as file:
            file.write(self.config)

    def write_file(self, name, size):
        """A file of incompressible bytes to fetch."""
        with open(os.path.join(self.folder, "html", name), "wb") as file:
            file.write(os.urandom(size))

    def command(self):
        return [program(), "-p", self.folder, "-c", "nginx.conf", "-e", "error.log"]

    def check_config(self):
        """(exit status, output) of `nginx -t`."""
        done = subprocess.run([*self.command(), "-t"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
        return done.returncode, done.stdout

    def start(self):
        """Returns when the workers are there (connections are accepted even before)."""
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL)
        try:
            self.wait(self.workers, "workers")
        except BaseException:
            self.kill()
            raise

    def workers(self):
        """Process ids of the workers, old ones after a reload included; none when the master is gone."""
        try:
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
                return {int(pid) for pid in file.read().split()}
        except (FileNotFoundError, ProcessLookupError):
            return set()

    def reload(self, wait=True):
        """SIGHUP. Returns when every worker is a new one, or at once."""
        old = self.workers()
        self.process.send_signal(signal.SIGHUP)
        if wait:
            self.wait_replaced(old)

    def wait_replaced(self, old):
        """Until none of the old workers is left and new ones are there."""
        self.wait(lambda: self.workers() and not self.workers() & old, "the old workers' end")

    def stop(self, signo=signal.SIGQUIT, timeout_s=30):
        """Graceful by default. Returns the exit status."""
        self.process.send_signal(signo)
        status = self.process.wait(timeout_s)
        self.process = None
        return status

    def kill(self):
        if not self.process:
            return
        workers = self.workers()
        self.process.kill()
        self.process.wait()
        self.process = None
        for pid in workers:  # they'd live on without their master
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def accesses(self):
        """The access log; numbers are numbers."""
        with open(os.path.join(self.folder, "access.log"), encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        return [{key: int(value) if value.isdigit() else value for key, value in line.items()} for line in lines]

    def log(self):
        with open(self.log_file, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait(self, condition, what, timeout_s=30):
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"nginx: waited for {what}\n{self.log()}")
            select.select([], [], [], 0.02)
