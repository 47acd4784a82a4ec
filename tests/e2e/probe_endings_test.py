#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""However a connection ends, the probe's figures are its last: one record, with what was sent until the very end,
equal to what passed on the wire.

Each way to end has a port and a traffic type of its own, and happens over IPv4 and over IPv6, on a path that loses every
30th data segment. The interval for living connections is an hour: what is in the store came from the ends."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import lab
import probe
import tap
from collector import Collector
from servers import State, sockets, wait_until

SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33
LINGER_0 = struct.pack("ii", 1, 0)
SMALL, BIG, PART = 100_000, 800_000, 200_000
PAYLOAD = os.urandom(BIG)
ORPHAN_RETRIES = 2  # how often the kernel tries a client that has vanished, once nobody holds the socket

SERVERS = {4: "192.0.2.10", 6: "2001:db8:1::10"}
CLIENTS = {4: "203.0.113.1", 6: "2001:db8:ffff::1"}
VANISHING = {4: "192.0.2.66", 6: "2001:db8:1::66"}  # servers that the client gets no more packets to

SERVER_CHILD = f"""
import socket, sys, signal
connection = socket.socket(fileno=int(sys.argv[1]))
connection.setsockopt(socket.SOL_SOCKET, {SO_SNDBUFFORCE}, 8 << 20)
connection.sendall(bytes({BIG}))
print("sent", flush=True)
signal.pause()
"""


class Connection:
    """A connection to a listener of its own."""

    def __init__(self, path, port, family, server=None, accept=True):
        self.path, self.port = path, port
        self.listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
        with path.client():
            self.client = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET)
        self.client.settimeout(30)
        self.client.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)  # its window is never closed
        self.client.bind((CLIENTS[family], 0))
        self.client.connect((server or SERVERS[family], port))
        self.server = None
        if accept:
            self.server = self.listener.accept()[0]
            self.server.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 8 << 20)  # send() takes all at once

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for end in (self.client, self.server, self.listener):
            if end:
                end.close()

    def read(self, size=None):
        """By the client; without a size to the end. Returns the size."""
        got = 0
        while size is None or got < size:
            data = self.client.recv(1 << 16)
            if not data:
                break
            got += len(data)
        return got


# ---- the ways to end; each returns what the client received, or None when nobody can know ----

def client_closes_first(path, port, family, stored):
    with Connection(path, port, family) as c:
        c.server.sendall(PAYLOAD[:SMALL])
        got = c.read(SMALL)
        c.client.close()
        c.server.recv(1)  # its FIN: the server's close() leads to LAST_ACK
        c.server.close()
        stored()
    return got


def serve_and_close(path, port, family, stored, size):
    with Connection(path, port, family) as c:
        c.server.sendall(PAYLOAD[:size])
        c.server.close()
        got = c.read()
        c.client.close()
        stored()  # now, not when TIME_WAIT is over
    return got


def server_closes_first(*case):
    return serve_and_close(*case, SMALL)


def closed_with_unsent_data(*case):
    return serve_and_close(*case, BIG)


def client_keeps_its_half(path, port, family, stored):
    with Connection(path, port, family) as c:
        c.server.sendall(PAYLOAD)
        c.server.close()
        got = c.read()
        stored()  # the client is still there
    return got


def server_killed(path, port, family, stored):
    with Connection(path, port, family) as c:
        child = subprocess.Popen([sys.executable, "-c", SERVER_CHILD, str(c.server.fileno())],
                                 pass_fds=[c.server.fileno()], stdout=subprocess.PIPE)
        c.server.close()
        with child:
            child.stdout.readline()
            child.send_signal(signal.SIGKILL)
        got = c.read()
        c.client.close()
        stored()
    return got


def client_resets(path, port, family, stored):
    with Connection(path, port, family) as c:
        c.server.sendall(PAYLOAD)
        c.read(PART)
        c.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)
        c.client.close()
        stored()  # the server has not closed its socket
    return None


def server_resets(path, port, family, stored):
    with Connection(path, port, family) as c:
        c.server.sendall(PAYLOAD)
        c.read(PART)
        c.server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)
        c.server.close()
        stored()
    return None


def unread_input(path, port, family, stored):
    with Connection(path, port, family) as c:
        c.client.sendall(b"q" * 1000)
        c.server.recv(1, socket.MSG_PEEK)
        c.server.sendall(PAYLOAD[:SMALL])
        got = c.read(SMALL)
        c.server.close()  # a reset
        stored()
    return got


def never_accepted(path, port, family, stored):
    with Connection(path, port, family, accept=False) as c:
        c.client.sendall(b"q")  # a connection on which nothing passes is none
        wait_until(lambda: any(each.state is State.ESTABLISHED and each.unread for each in sockets(port)),
                   "the connection, and its byte, in the listener's queue")
        c.listener.close()
        stored()
    return 0


def destroyed(path, port, family, stored):
    with Connection(path, port, family) as c:
        c.server.sendall(PAYLOAD)
        c.read(PART)
        subprocess.run(["ss", "-K", "state", "established", "sport", "=", f":{port}"], check=True, capture_output=True)
        stored()
    return None


def client_vanishes(path, port, family, stored):
    with Connection(path, port, family, server=VANISHING[family]) as c:
        c.server.sendall(PAYLOAD)
        c.read(PART)
        with path.client():
            subprocess.run(["ip", f"-{family}", "route", "add", "blackhole", VANISHING[family]], check=True)
        c.server.close()
        stored()
    return None


ENDINGS = [client_closes_first, server_closes_first, closed_with_unsent_data, client_keeps_its_half, server_killed,
           client_resets, server_resets, unread_input, never_accepted, destroyed, client_vanishes]
CASES = {8000 + 2 * number + (family == 6): (ending, family)
         for number, ending in enumerate(ENDINGS) for family in (4, 6)}


def name_of(port):
    ending, family = CASES[port]
    return f"{ending.__name__.replace('_', ' ')} IPv{family}"


class Cases:
    """All at once. Each goes on when its record is in the store."""

    def __init__(self, path, collector):
        self.path, self.collector = path, collector
        self.stored = {port: threading.Event() for port in CASES}
        self.received, self.failed = {}, {}
        threads = [threading.Thread(target=self._run, args=(port,)) for port in CASES]
        for thread in threads:
            thread.start()
        try:
            collector.wait(self._look, "a record of every case", timeout_s=60)
        finally:
            for event in self.stored.values():
                event.set()
            for thread in threads:
                thread.join()

    def rows(self):
        return {row["type"]: row for row in self.collector.top(by="type")["rows"] if row["type"]}

    def _look(self):
        rows = self.rows()
        for port, event in self.stored.items():
            if name_of(port) in rows:
                event.set()
        return self.failed or all(event.is_set() for event in self.stored.values())

    def _run(self, port):
        ending, family = CASES[port]
        try:
            self.received[port] = ending(self.path, port, family, self.stored[port].wait)
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            self.failed[name_of(port)] = repr(error)


def check(t, port, row, wire, received):
    name = name_of(port)
    t.equal((row["connections"], row["records"]), (1, 1), f"{name}: one connection, one record")
    t.equal([row["bytes_sent"], row["packets_sent"], row["packets_retransmitted"], row["bytes_retransmitted"]],
            [wire["payload"], wire["data_segments"], wire["retransmissions"], wire["payload_again"]],
            f"{name}: bytes, packets and retransmissions are those on the wire")
    if received is not None:
        t.equal(row["bytes_sent"], received, f"{name}: bytes are what the client received")


def main():
    reason = lab.unavailable() or probe.unavailable("ebpf")
    if reason:
        tap.skip_all(reason)
    t = tap.Tap()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="whereto-probe-"))
        path = stack.enter_context(lab.Lab(server=[*SERVERS.values(), *VANISHING.values()],
                                           client=list(CLIENTS.values()), delay_ms=5, drop_to_client=30))
        with open("/proc/sys/net/ipv4/tcp_orphan_retries", "w", encoding="ascii") as setting:
            setting.write(str(ORPHAN_RETRIES))
        collector = stack.enter_context(Collector(os.path.join(folder, "collector")))
        stack.enter_context(probe.Probe(folder, collector, backend="ebpf", interval="1h",
                                        ports={port: name_of(port) for port in CASES}))
        cases = Cases(path, collector)
        t.equal(cases.failed, {}, "everything ended as it should")
        rows = cases.rows()
        t.equal(sorted(rows), sorted(map(name_of, CASES)), "each has its record, and there is no other")
        for port in CASES:
            if name_of(port) in rows:
                check(t, port, rows[name_of(port)], path.wire(port), cases.received.get(port))
    return t.done()


if __name__ == "__main__":
    sys.exit(main())
