#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tags: a server without any privilege names the traffic type of its connections in one line, and the figures are split
where the type changes, to the segment, on a path that loses every 20th.

The server is a process of nobody's that does what the clients tell it; tags are made as docs/probe.md says, not by
whereto's own code."""

import collections
import contextlib
import errno
import os
import socket
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import lab
import probe
import tap
from collector import Collector, CollectorError
from servers import State, sockets, wait_quiet, wait_until

SERVER = {4: "192.0.2.10", 6: "2001:db8:1::10"}
CLIENT = {4: "203.0.113.1", 6: "2001:db8:ffff::1"}
PORTS = {name: 8000 + number for number, name in enumerate(("late", "listener", "rule", "turns 4", "turns 6", "alone"))}
TAGS = {7: "seven", 9: "nine"}
NAMES = ("video", "late", "too late", "all")
NOBODY = 65534
OPEN = (State.ESTABLISHED, State.CLOSE_WAIT)
LINGER_0 = struct.pack("ii", 1, 0)
FIGURES = {"bytes_sent": "payload", "packets_sent": "data_segments", "packets_retransmitted": "retransmissions",
           "bytes_retransmitted": "payload_again"}

SERVER_PROGRAM = f"""
import contextlib, errno, os, select, socket, struct, sys
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})  # and no capability is left
listener = socket.socket(fileno=int(sys.argv[1]))
while True:
    with listener.accept()[0] as connection, connection.makefile("r") as lines, contextlib.suppress(ConnectionError):
        for line in lines:
            word, number = line.split()
            try:
                if word in ("tag", "own"):
                    connection.setsockopt(0x5754, 1 if word == "tag" else 2, struct.pack("=I", int(number)))
                    print("ok", flush=True)
                elif word == "send":
                    connection.sendall(bytes(int(number)))
                elif word == "reset":  # wait for it
                    print("waits", flush=True)
                    poll = select.poll()
                    poll.register(connection, 0)
                    poll.poll()
            except OSError as error:
                print(errno.errorcode[error.errno], flush=True)
"""


def tag_of(name):
    value = 2166136261
    for byte in name.encode():
        value = (value ^ byte) * 16777619 & 0xffffffff
    return 0x80000000 | (value ^ value >> 31)


def set_tag(connection, tag):
    connection.setsockopt(0x5754, 1, struct.pack("=I", tag))


def refusal(connection):
    try:
        set_tag(connection, 7)
    except OSError as error:
        return errno.errorcode[error.errno]
    return None


class Server:
    """Of one listener, which may have a tag itself."""

    def __init__(self, port, tag=None):
        self.listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
        if tag:
            set_tag(self.listener, tag)
        self.process = subprocess.Popen([sys.executable, "-c", SERVER_PROGRAM, str(self.listener.fileno())], text=True,
                                        stdout=subprocess.PIPE, pass_fds=[self.listener.fileno()])

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.listener.close()

    def answer(self):
        return self.process.stdout.readline().strip()


class Client:
    def __init__(self, path, server, port, family=4):
        self.server = server
        with path.client():
            self.socket = socket.create_connection((SERVER[family], port), 30, source_address=(CLIENT[family], 0))

    def tag(self, number):
        """What the server's setsockopt() said."""
        self.socket.sendall(f"tag {number}\n".encode())
        return self.server.answer()

    def own(self, number):
        """The same, of a server that counts by itself when this is refused."""
        self.socket.sendall(f"own {number}\n".encode())
        return self.server.answer()

    def get(self, size):
        self.socket.sendall(f"send {size}\n".encode())
        while size:
            size -= len(self.socket.recv(min(size, 1 << 16)))


class World:
    def __init__(self, t, path, collector):
        self.t, self.path, self.collector = t, path, collector

    def wire(self, port):
        wire = self.path.wire(port)
        return collections.Counter({figure: wire[name] for figure, name in FIGURES.items()})

    def rows(self):
        return {row["type"]: row for row in self.collector.top(by="type")["rows"]}

    def wait_bytes(self, kinds, size):
        def there():
            rows = self.rows()
            return sum(rows[kind]["bytes_sent"] for kind in kinds if kind in rows) >= size and rows
        return self.collector.wait(there, f"{size} bytes of {kinds}")


def after_the_end(world):
    """A server that names a type when its client has reset the connection changes nothing."""
    port = PORTS["late"]
    with Server(port) as server:
        client = Client(world.path, server, port)
        world.t.equal(client.tag(tag_of("late")), "ok", "a tag is taken")
        client.get(20_000)
        client.socket.sendall(f"reset 0\ntag {tag_of('too late')}\n".encode())
        server.answer()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)
        client.socket.close()
        world.t.check(server.answer(), "a tag on a connection that was reset is answered")


def of_the_listener(world):
    """A listening socket's tag is that of all its connections, until they have one of their own."""
    with Server(PORTS["listener"], tag_of("all")) as server:
        client = Client(world.path, server, PORTS["listener"])
        client.get(10_000)
        client.tag(9)
        client.get(1_000)
        client.socket.close()


def of_a_rule(world):
    """A number that nothing is known of leaves the connection to the rules."""
    with Server(PORTS["rule"]) as server:
        client = Client(world.path, server, PORTS["rule"])
        client.tag(12345)
        client.get(3_000)
        world.t.equal(refusal(client.socket), "ENOPROTOOPT", "a connection that was made from here takes no tag")
        client.socket.close()


def of_nobody(world):
    """Options that are others', however large, are the kernel's to answer."""
    with socket.socket() as other:
        for size in (4, 4096, 4097, 8192, 200_000):
            said = None
            try:
                other.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno".ljust(size, b"\0"))
            except OSError as error:
                said = errno.errorcode[error.errno]
            world.t.equal(said, None, f"an option of {size} bytes is taken by the kernel")
            try:
                other.setsockopt(0x5754, 1, bytes(size))
            except OSError as error:
                said = errno.errorcode[error.errno]
            world.t.equal(said, "ENOPROTOOPT", f"one of {size} bytes that looks like a tag isn't taken")


def turns(world, family):
    """Several types by turns. What was sent before the first tag goes with it. Returns what each was sent."""
    port, sums = PORTS[f"turns {family}"], collections.defaultdict(collections.Counter)
    plan = [("seven", 7, 1_000), ("nine", 9, 200_000), ("video", tag_of("video"), 100), ("seven", 7, 150_000),
            ("seven", 7, 30_000), ("video", tag_of("video"), 500_000)]
    with Server(port) as server:
        client = Client(world.path, server, port, family)
        client.get(50_000)
        kind, last = plan[0][0], collections.Counter()
        for following, tag, size in plan:
            wait_quiet(port)
            now = world.wire(port)
            client.tag(tag)
            sums[kind].update(now - last)
            kind, last = following, now
            client.get(size)
        client.socket.close()
        wait_until(lambda: not any(each.state in OPEN for each in sockets(port)), "the connection's end")
    sums[kind].update(world.wire(port) - last)
    return sums


def check(world, four, six):
    """Everything has happened; the last was of type video, and all bytes of it are there."""
    t, expected = world.t, {kind: four[kind] + six[kind] for kind in four}
    expected["nine"]["bytes_sent"] += 1_000  # of_the_listener
    with contextlib.suppress(CollectorError):
        world.wait_bytes(expected, sum(figures["bytes_sent"] for figures in expected.values()))
    rows = {kind: row for kind, row in world.rows().items() if kind}
    t.equal(sorted(rows), ["all", "by rule", "late", "nine", "seven", "video"], "the types are those of tags and rules")
    for kind in ("seven", "video"):
        t.equal({name: rows[kind][name] for name in FIGURES}, dict(expected[kind]), f"{kind}: what was sent below its tag")
    for kind, size in (("late", 20_000), ("all", 10_000), ("by rule", 3_000), ("nine", expected["nine"]["bytes_sent"])):
        t.equal(rows[kind]["bytes_sent"], size, f"{kind}: bytes")
    t.equal({kind: row["connections"] for kind, row in rows.items()},
            {"all": 1, "by rule": 1, "late": 1, "nine": 0, "seven": 2, "video": 0},
            "a connection counts once, with its first type")


def away(world, prober):
    """Without a probe tags are refused. A connection that begins then is wholly its server's, if that counts by itself."""
    t, port, video = world.t, PORTS["alone"], world.rows()["video"]["bytes_sent"]
    with Server(port) as server:
        client = Client(world.path, server, port)
        t.equal(client.tag(tag_of("late")), "ok", "a tag is taken while there is a probe")
        t.equal(prober.stop(), 0, "the probe ends well")
        t.equal(client.tag(tag_of("late")), "ENOPROTOOPT", "a tag is refused when there is none")
        client.socket.close()
        client = Client(world.path, server, port)
        client.get(400)
        t.equal(client.own(0), "ENOPROTOOPT", "and to a server that counts by itself")
        client.get(30_000)
        prober.start()
        t.equal(prober.ready["resumed"], "yes", "the next probe goes on")
        client.socket.close()
        client = Client(world.path, server, port)
        client.own(tag_of("video"))
        client.get(5_000)
        client.socket.close()
        world.wait_bytes(["video"], video + 5_000)
        t.equal(world.rows().get("alone"), None, "of the connection begun without a probe nothing is told")


def main():
    reason = lab.unavailable() or probe.unavailable("ebpf", tags=True) or probe.own_mounts()
    if reason:
        tap.skip_all(reason)
    t = tap.Tap()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="whereto-probe-"))
        path = stack.enter_context(lab.Lab(server=list(SERVER.values()), client=list(CLIENT.values()), delay_ms=5,
                                           drop_to_client=20))
        collector = stack.enter_context(Collector(os.path.join(folder, "collector")))
        prober = stack.enter_context(probe.Probe(folder, collector, backend="ebpf", interval="1h", tags=TAGS, types=NAMES,
                                                 ports={PORTS["rule"]: "by rule", PORTS["alone"]: "alone"},
                                                 pin=True))
        world = World(t, path, collector)
        after_the_end(world)
        of_the_listener(world)
        of_a_rule(world)
        of_nobody(world)
        check(world, turns(world, 4), turns(world, 6))
        away(world, prober)
    return t.done()


if __name__ == "__main__":
    sys.exit(main())
