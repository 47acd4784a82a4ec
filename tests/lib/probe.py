# SPDX-License-Identifier: BSD-2-Clause
"""A real probe for end-to-end tests.

    reason = probe.unavailable("ebpf")
    if reason:
        tap.skip_all(reason)
    with probe.Probe(folder, collector, ports={80: "web"}, backend="ebpf") as prober:
        ...
        prober.stop()          # SIGTERM: what it has is acknowledged
        prober.kill()          # kill -9
        prober.start()         # goes on where it was
        prober.reload()        # True: prober.config is in use
        prober.status()["events"]

The program is $WHERETO; it runs in the network namespace of the calling thread, and what it pins is in a bpf file
system of the test's own, in folder (own_mounts() first, once). Nothing is left behind."""

import ctypes
import json
import os
import select
import signal
import subprocess
import time

from collector import program
from daemon import Daemon

CLONE_NEWNS = 0x20000
libc = ctypes.CDLL(None, use_errno=True)


def _trial(backend, tagging):
    """Runs a probe until it says that it works, or what is wrong. (ok, text)"""
    command = [program(), "probe", "--dry-run", "--backend", backend, "--tagging", tagging]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True) as process:
        said = []
        for line in process.stderr:
            said.append(line.strip())
            if line.startswith("ready "):
                break
        process.kill()
    return bool(said) and said[-1].startswith("ready "), "; ".join(said)


def unavailable(backend="ebpf", tags=False):
    """Why there can be no such probe on this machine; None when there can."""
    if os.geteuid() != 0:
        return "needs root, for eBPF"
    ready, text = _trial(backend, "on" if tags else "off")
    return None if ready else f"no probe of backend {backend} here: {text}"


def own_mounts():
    """From now on what the calling thread and its children mount is seen by nobody else, and goes with them. Why it
    can't be, or why there is no bpf file system to mount; None when there is."""
    if libc.unshare(CLONE_NEWNS) < 0:
        return f"mount namespaces: {os.strerror(ctypes.get_errno())}"
    for arguments in (["--make-rprivate", "/"], ["-t", "bpf", "bpf", "/sys/fs/bpf"]):
        done = subprocess.run(["mount", *arguments], stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            return done.stderr.strip()
    return None


class Probe(Daemon):
    """ports, tags: {number: traffic type}; types: names that servers give by tags. With pin a restart loses nothing;
    see own_mounts(). runner: a command that runs it."""

    def __init__(self, folder, collector, *, ports=None, tags=None, types=(), name="probe", interval="10s", backend="ebpf", pin=False,
                 runner=(), **more):
        self.folder = os.path.abspath(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.config_file = os.path.join(self.folder, "probe.yaml")
        self.log_file = os.path.join(self.folder, "probe.log")
        self.runner = runner
        self.bpf = os.path.join(self.folder, "bpf")
        os.makedirs(self.bpf, exist_ok=True)
        if pin:
            subprocess.run(["mount", "-t", "bpf", "bpf", self.bpf], check=True)
        rules = [{"type": kind, "port": port} for port, kind in (ports or {}).items()]
        rules += [{"type": kind, "tag": tag} for tag, kind in (tags or {}).items()]
        self.config = {"name": name, "collectors": [collector.telemetry], "key": {"file": collector.key_file},
                       "interval": interval, "backend": backend, "types": list(types), "type_rules": rules,
                       "pin": os.path.join(self.bpf, "whereto"), "status": os.path.join(self.folder, "probe.sock"), **more}
        self.start()

    def __exit__(self, *exception):
        super().__exit__(*exception)
        subprocess.run(["umount", "--quiet", self.bpf], check=False)

    @property
    def pid(self):
        return self.process.pid

    def _write_config(self):
        with open(self.config_file, "w", encoding="utf-8") as file:
            json.dump({"probe": self.config}, file, indent=1)

    def reload(self, timeout_s=30):
        """Writes the configuration as it is now, SIGHUP; returns when it is in use (True) or was refused."""
        self._write_config()
        before = self.log().count("reloaded")
        self.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + timeout_s
        while self.log().count("reloaded") == before:
            if time.monotonic() > deadline:
                raise self.Error(f"no end of a reload\n{self.log()}")
            select.select([], [], [], 0.05)
        return "not reloaded" not in [line for line in self.log().splitlines() if "reloaded" in line][-1]

    def start(self, timeout_s=30):
        """Returns when it counts."""
        self._write_config()
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen([*self.runner, program(), "probe", "-c", self.config_file], stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=log)
        self.wait_ready(timeout_s)

    def status(self):
        """What `whereto probe --status` says."""
        done = subprocess.run([program(), "probe", "-c", self.config_file, "--status", "--json"], check=True,
                              stdout=subprocess.PIPE)
        return json.loads(done.stdout)
