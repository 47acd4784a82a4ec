# SPDX-License-Identifier: BSD-2-Clause
"""Two network namespaces with a path of known delay, rate and exact loss between them.

    reason = lab.unavailable()
    if reason:
        tap.skip_all(reason)
    with lab.Lab(server=["192.0.2.10", "2001:db8::10"], client=["203.0.113.1"], delay_ms=10,
                 drop_to_client=50) as path:
        ...                                   # this process is in the server's namespace
        with path.client():                   # sockets and processes made here are the client's
            connection = socket.create_connection(("192.0.2.10", 80), source_address=("203.0.113.1", 0))
        path.wire()["dropped"]

Entering a Lab moves the calling thread, and so everything it starts, into a fresh namespace for good.
The client's namespace belongs to a child process; nothing has a name in the system, and all of it
vanishes with the test, however it ends. The path is $WHERETO_RELAY (tests/lab/relay.c), which says what
its loss means; congestion control is cubic both ways, but towards clients that are named in bbr."""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess

CLONE_NEWNET = 0x40000000
TUN = "/dev/net/tun"
REPEATED = ("data", "fin", "synack")  # what the kernel counts among a server's retransmissions
libc = ctypes.CDLL(None, use_errno=True)


def unavailable():
    """Why there can be no lab on this machine; None when there can."""
    if not os.environ.get("WHERETO_RELAY"):
        return "WHERETO_RELAY isn't set: run this test through meson"
    if os.geteuid() != 0:
        return "needs root, for network namespaces"
    for tool in ("ip", "nsenter", "unshare"):
        if not shutil.which(tool):
            return f"needs {tool} (iproute2, util-linux)"
    try:
        os.close(os.open(TUN, os.O_RDWR))
    except OSError as error:
        return f"{TUN}: {error.strerror}"
    trial = subprocess.run(["unshare", "--net", "true"], stderr=subprocess.PIPE, text=True, check=False)
    return trial.stderr.strip() if trial.returncode else None


def _enter(namespace_fd):
    if libc.setns(namespace_fd, CLONE_NEWNET) < 0:
        raise OSError(ctypes.get_errno(), "setns")


def _ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def _family_bits(address):
    return ("-6", 128) if ":" in address else ("-4", 32)


def _add_address(device, address):
    family, bits = _family_bits(address)
    _ip(family, "address", "add", f"{address}/{bits}", "dev", device, *(["nodad"] if bits == 128 else []))


def _configure(device, addresses, bbr=()):
    """In the current namespace: loopback, and everything else through the device."""
    _ip("link", "set", "lo", "up")
    _ip("link", "set", device, "txqueuelen", "10000", "up")
    for address in addresses:
        _add_address(device, address)
    for family in ("-4", "-6"):
        _ip(family, "route", "add", "default", "dev", device, "congctl", "cubic")
    for address in bbr:
        family, bits = _family_bits(address)
        _ip(family, "route", "add", f"{address}/{bits}", "dev", device, "congctl", "bbr")
    with open("/proc/sys/net/ipv4/tcp_no_metrics_save", "w", encoding="ascii") as setting:
        setting.write("1")


def alone(addresses):
    """Moves the calling thread, and so everything it starts, into a fresh namespace with nothing but a loopback
    device of these addresses (and 127/8), for good. An error's text when that is not allowed here."""
    if libc.unshare(CLONE_NEWNET) < 0:
        return f"network namespaces: {os.strerror(ctypes.get_errno())}"
    _ip("link", "set", "lo", "up")
    for address in addresses:
        _add_address("lo", address)
    return None


class Lab:
    def __init__(self, server, client, *, bbr=(), delay_ms=0, mbit=0, drop_to_client=0, drop_to_server=0, drop_fin=0,
                 drop_synack=0):
        """Addresses of both ends, and of those of the client's that the server talks to by bbr; delay and rate of
        each way; drop_...=N loses every Nth data segment, bare FIN of the server, SYN-ACK."""
        self.addresses = {"server": server, "client": client}
        self.bbr = bbr
        self.options = ["--delay-us", str(int(delay_ms * 1000)), "--mbit", str(mbit),
                        "--drop-ab", str(drop_to_client), "--drop-ba", str(drop_to_server),
                        "--drop-fin-ab", str(drop_fin), "--drop-synack-ab", str(drop_synack)]
        self.holder = None
        self.relay = None
        self.namespaces = {}

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exception):
        self.close()

    @contextlib.contextmanager
    def client(self):
        """What is started or opened inside is in the client's namespace, and stays there."""
        _enter(self.namespaces["client"])
        try:
            yield
        finally:
            _enter(self.namespaces["server"])

    def counters(self):
        """What went through so far: {"to_client": {...}, "to_server": {...}}, each packets, bytes, dropped,
        overflowed, then for each kind of segment (data fin synack syn), in all and by the server's port below
        "ports": segments, bytes, again, again_bytes, needless, dropped."""
        self.relay.send_signal(signal.SIGUSR1)
        ways = json.loads(self.relay.stdout.readline())
        return {"to_client": ways["ab"], "to_server": ways["ba"]}

    def wire(self, *ports):
        """Sums of what the server has sent, from these ports or in all: data_segments (with retransmissions),
        payload (bytes, each once), payload_again, connections, and retransmissions, needless, dropped of data, FINs and
        SYN-ACKs together."""
        counters = self.counters()["to_client"]
        parts = [counters["ports"][str(port)] for port in ports if str(port) in counters["ports"]] if ports else [counters]

        def total(figure, *kinds):
            return sum(part[kind][figure] for part in parts for kind in kinds)
        return {"data_segments": total("segments", "data"),
                "payload": total("bytes", "data") - total("again_bytes", "data"),
                "payload_again": total("again_bytes", "data"),
                "connections": total("segments", "synack") - total("again", "synack"),
                "retransmissions": total("again", *REPEATED), "needless": total("needless", *REPEATED),
                "dropped": total("dropped", *REPEATED)}

    def close(self):
        for process in (self.relay, self.holder):
            if process:
                process.kill()
                process.wait()
                process.stdout.close()
        if self.holder:
            self.holder.stdin.close()
        for fd in self.namespaces.values():
            os.close(fd)
        self.relay = self.holder = None
        self.namespaces = {}

    def _start(self):
        if libc.unshare(CLONE_NEWNET) < 0:
            raise OSError(ctypes.get_errno(), "unshare")
        self.namespaces["server"] = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        # cat ends when its input does, so also when this process is killed.
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo ready; exec cat"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.holder.stdout.readline()
        there = f"/proc/{self.holder.pid}/ns/net"
        self.namespaces["client"] = os.open(there, os.O_RDONLY | os.O_CLOEXEC)
        self.relay = subprocess.Popen(
            [os.environ["WHERETO_RELAY"], "/proc/self/ns/net", "server0", there, "client0", *self.options],
            stdout=subprocess.PIPE, text=True)
        if self.relay.stdout.readline() != "ready\n":
            raise RuntimeError("the relay didn't start")
        _configure("server0", self.addresses["server"], self.bbr)
        with self.client():
            _configure("client0", self.addresses["client"])
