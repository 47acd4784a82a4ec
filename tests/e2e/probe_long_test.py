#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Ten thousand connections that stay open, with traffic: the sums of what the probe reports of them are exactly what
was sent: while they live, across a restart of the probe in the middle of the traffic, across its death (kill -9) with
traffic until the next one comes, and when they are closed. Beside it a probe without eBPF reports the same traffic, under a
name and a type of its own."""

import contextlib
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import lab
import probe
import tap
from collector import Collector, CollectorError
from manyconns import ManyConnections

CONNECTIONS = 10_000
SERVER, CLIENT = "192.0.2.10", "203.0.113.1"
COMPARED = ("connections", "bytes_sent", "packets_sent", "packets_retransmitted", "bytes_received")


def row_of(collector, kind):
    rows = [row for row in collector.top(by="type")["rows"] if row["type"] == kind]
    return {name: rows[0][name] if rows else 0 for name in COMPARED}


def check(t, collector, kind, expected, what):
    """When all of it is in the store, or when nothing more comes."""
    expected = {name: expected[name] for name in COMPARED}
    with contextlib.suppress(CollectorError):
        collector.wait(lambda: all(value >= expected[name] for name, value in row_of(collector, kind).items()), what, 20)
    t.equal(row_of(collector, kind), expected, what)


def through_restarts(t, collector, many, prober):
    many.start_traffic()
    t.equal(prober.stop(), 0, "ebpf: the probe ends well")
    prober.start()
    many.finish_traffic()
    check(t, collector, "ebpf", many.totals(), "ebpf: restarted in the middle of the traffic")
    prober.kill()
    many.traffic()
    prober.start()
    many.traffic()
    check(t, collector, "ebpf", many.totals(), "ebpf: killed, and traffic before the next one came")


def check_closed_by_sockdiag(t, collector, expected):
    """It can't tell the FIN of a client from a byte."""
    wanted = {name: expected[name] for name in COMPARED if name != "bytes_received"}
    with contextlib.suppress(CollectorError):
        collector.wait(lambda: row_of(collector, "sockdiag")["bytes_sent"] >= wanted["bytes_sent"], "all bytes", 20)
    row = row_of(collector, "sockdiag")
    t.equal({name: row[name] for name in wanted}, wanted, "sockdiag: all connections are closed")
    t.check(0 <= row["bytes_received"] - expected["bytes_received"] <= CONNECTIONS,
            "sockdiag: bytes received, but for the clients' FINs", (row, expected))


def main():
    reason = probe.unavailable("ebpf") or lab.alone([SERVER, CLIENT]) or probe.own_mounts()
    if reason:
        tap.skip_all(reason)
    t = tap.Tap()
    kinds = [kind for kind in ("ebpf", "sockdiag") if not probe.unavailable(kind)]
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="whereto-probe-"))
        collector = stack.enter_context(Collector(os.path.join(folder, "collector")))
        many = stack.enter_context(ManyConnections(SERVER, CLIENT, CONNECTIONS))
        probes = {kind: stack.enter_context(probe.Probe(
            os.path.join(folder, kind), collector, backend=kind, name=kind, interval="500ms", pin=True,
            ports=dict.fromkeys(many.ports, kind))) for kind in kinds}
        many.open(CONNECTIONS)
        many.traffic()
        for kind in kinds:
            check(t, collector, kind, many.totals(), f"{kind}: the first traffic, all connections are open")
        through_restarts(t, collector, many, probes["ebpf"])
        many.traffic()
        many.close()
        check(t, collector, "ebpf", many.totals(), "ebpf: all connections are closed")
        if "sockdiag" in kinds:
            check_closed_by_sockdiag(t, collector, many.totals())
    return t.done()


if __name__ == "__main__":
    sys.exit(main())
