#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The probe's figures of ordinary servers, on a lossy path of 50 ms: what is in the collector's store must be what
the clients received, the connections they made, and the segments the path lost, exactly.

nginx (without the module), HAProxy, socat and a plain Python server; cubic and bbr; IPv4 and IPv6: a port and a
traffic type for each. Every 40th data segment, every 7th FIN and every 9th SYN-ACK of the servers is lost once. Some of
the servers are there before the probe, others come after it."""

import collections
import contextlib
import itertools
import os
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import lab
import nginx
import probe
import tap
from collector import Collector
from servers import Haproxy, PythonServer, Socat, fetch, write_file

DELAY_MS = 25  # each way
SIZES = {"100k": 100_000, "1m": 1_000_000}
CONNECTIONS = ["100k"] * 5 + ["1m"]  # on each path to each server

Path = collections.namedtuple("Path", "name client server")
PATHS = [Path("cubic4", "203.0.113.1", "192.0.2.10"), Path("bbr4", "203.0.113.2", "192.0.2.10"),
         Path("cubic6", "2001:db8:ffff::1", "2001:db8:1::10"), Path("bbr6", "2001:db8:ffff::2", "2001:db8:1::10")]
SERVERS = ("nginx", "haproxy", "python", "socat")
PORTS = {(server, way): 8000 + number for number, (server, way) in enumerate(itertools.product(SERVERS, PATHS))}


def type_of(server, way):
    return f"{server} {way.name}"


def ports_of(server):
    return [PORTS[server, way] for way in PATHS]


class Clients:
    """Everything at once: {type: bytes received} when all are done."""

    def __init__(self, path):
        self.path = path
        self.received = collections.Counter()
        self.failed = []
        self.lock = threading.Lock()
        threads = [threading.Thread(target=self._fetch, args=(server, way, name))
                   for server, way in PORTS for name in CONNECTIONS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _fetch(self, server, way, name):
        try:
            with self.path.client():
                size = fetch(way.server, PORTS[server, way], None if server == "socat" else name, source=way.client)
        except OSError as error:
            self.failed.append((server, way.name, name, str(error)))
            return
        with self.lock:
            self.received[type_of(server, way)] += size


@contextlib.contextmanager
def running(folder):
    """nginx and HAProxy: there before the probe is."""
    listen = "".join(f"listen [::]:{port} ipv6only=off backlog=512;" for port in ports_of("nginx"))
    with contextlib.ExitStack() as stack:
        web = nginx.Nginx(os.path.join(folder, "nginx"), http=f"server {{ {listen} }}", start=False, module=False)
        for name, size in SIZES.items():
            write_file(folder, name, size)
            web.write_file(name, size)
        web.start()
        stack.enter_context(web)
        stack.enter_context(PythonServer(folder, [], unix="python.sock"))
        stack.enter_context(Haproxy(folder, ports_of("haproxy"), "python.sock"))
        yield


def check_type(t, row, wire, received, what):
    """One server's figures on one path."""
    t.equal(row["connections"], len(CONNECTIONS), f"{what}: connections are those made")
    t.equal(row["bytes_sent"], received, f"{what}: bytes are what the clients received")
    t.check(wire["dropped"] > 0, f"{what}: the path lost something", wire)
    t.equal(row["packets_retransmitted"], wire["dropped"] + wire["needless"],
            f"{what}: retransmissions are the segments lost")
    t.equal((row["packets_sent"], row["bytes_retransmitted"]), (wire["data_segments"], wire["payload_again"]),
            f"{what}: packets, and bytes sent again, are those on the wire")


def check_all(t, path, collector, received):
    total = len(CONNECTIONS) * len(PORTS)
    # Those without a type are the collector's own API, which the probe sees as well.
    collector.wait(lambda: sum(row["connections"] for row in collector.top(by="type")["rows"] if row["type"]) >= total,
                   f"{total} connections in the store")
    rows = {row["type"]: row for row in collector.top(by="type")["rows"] if row["type"]}
    t.equal(sorted(rows), sorted(type_of(*key) for key in PORTS), "every connection has its port's traffic type")
    for (server, way), port in PORTS.items():
        what = type_of(server, way)
        if what in rows:
            check_type(t, rows[what], path.wire(port), received[what], what)
    t.equal(collector.top()["total"]["records_approximate"], 0, "no record is approximate")
    lost = {kind: path.counters()["to_client"][kind]["dropped"] for kind in ("data", "fin", "synack")}
    t.check(all(lost.values()), "FINs and SYN-ACKs were lost, too", lost)
    t.check(min(row["rtt_p50_us"] for row in rows.values()) >= 2000 * DELAY_MS, "round-trip times are the path's",
            {name: row["rtt_p50_us"] for name, row in rows.items()})
    needless = path.wire()["needless"]
    if needless:
        t.note(f"{needless} segments were sent again that had not been lost")


def main():
    reason = lab.unavailable() or probe.unavailable("ebpf")
    for what, there in (("nginx", nginx.program()), ("haproxy", Haproxy.PROGRAM), ("socat", Socat.PROGRAM)):
        reason = reason or (None if there else f"needs {what}")
    if reason:
        tap.skip_all(reason)
    t = tap.Tap()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="whereto-probe-"))
        path = stack.enter_context(lab.Lab(
            server=["192.0.2.10", "2001:db8:1::10"], client=[way.client for way in PATHS],
            bbr=[way.client for way in PATHS if way.name.startswith("bbr")],
            delay_ms=DELAY_MS, drop_to_client=40, drop_fin=7, drop_synack=9))
        collector = stack.enter_context(Collector(os.path.join(folder, "collector")))
        stack.enter_context(running(folder))
        stack.enter_context(probe.Probe(folder, collector, backend="ebpf",
                                        ports={port: type_of(*key) for key, port in PORTS.items()}))
        stack.enter_context(PythonServer(folder, ports_of("python")))
        for way in PATHS:
            stack.enter_context(Socat(folder, PORTS["socat", way], "100k"))
        clients = Clients(path)
        t.equal(clients.failed, [], "every client was served")
        check_all(t, path, collector, clients.received)
    return t.done()


if __name__ == "__main__":
    sys.exit(main())
