#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A collector that is away for long, and a probe that is restarted and killed meanwhile: everything is stored once, and what a
probe that was killed could not save is in the ledger."""

import json
import os
import select
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import probe
from probe_test import expect, listen, rules, run, serve


def wait(condition, what, timeout_s=30):
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {timeout_s} s for {what}")
        select.select([], [], [], 0.05)


def told(collector):
    """Records that senders had to drop, as the collector knows."""
    return sum(found["dropped"] for found in collector.api("senders")["rows"])


def test_outage(t, folder, collector):
    """No collector for as long as it takes; the probe ends, is started, killed, started; then the collector is back."""
    server, size = listen("127.0.0.1"), 200
    spool = os.path.join(folder, "spool")
    prober = probe.Probe(folder, collector, ports=rules(outage=server), name="outage", pin=True, spool={"dir": spool})
    with prober:
        serve(server, size)
        expect(t, collector, "outage", 1, size, "before the outage")
        collector.kill()
        made = 1

        def more(count):
            nonlocal made
            for _ in range(count):
                serve(server, size)
            made += count

        def sender():
            return prober.status()["sender"]

        more(50)
        wait(lambda: sender()["collectors"][0]["away"], "the probe to see that nobody answers")
        more(200)
        wait(lambda: sender()["spool"]["records"] > 0 and sender()["unsent"] == 0, "records in the spool")
        t.equal(prober.stop(), 0, "the probe ends while nobody answers")
        more(30)
        prober.config["user"] = "nobody"  # whose the files are not
        prober.start()
        t.check(sender()["earlier_owed"] > 0, "what was sent and not acknowledged is still owed")
        t.equal(prober.ready["resumed"], "yes", "the probe goes on where it was")
        more(30)
        wait(lambda: prober.status()["records"] >= 60, "what happened while it was away")
        prober.stop()
        prober.start()
        t.check(sender()["killed_lost"] == 0 == sender()["dropped"], "nothing is lost", sender())
        collector.start()
        expect(t, collector, "outage", made, made * size, "every connection is stored once")
        wait(lambda: sender()["spool"]["records"] == 0 == sender()["earlier_owed"], "the end of the spool")
        t.check(not [name for name in os.listdir(spool) if name.endswith(".owed")], "no session is left in the spool")
        collector.kill()
        before, ledger = prober.status()["records"], sender()["dropped"]
        more(20)
        wait(lambda: prober.status()["records"] >= before + 20, "20 connections more")
        prober.kill()
        prober.kill()
        prober.start()
        lost, unclear = sender()["killed_lost"], sender()["killed_owed"]
        # Of the collector's own HTTP connections, which count as any server's, some may be among it.
        t.check(lost + unclear >= 20 and sender()["dropped"] == ledger + lost, "a probe that was killed knows what it lost",
                (lost, unclear, sender()))
        collector.start()
        wait(lambda: told(collector) == lost, "the loss in the collector's ledger")
        expect(t, collector, "outage", made - 20, (made - 20) * size, "nothing of it is stored")
        closes = [found for found in collector.api("senders")["rows"] if found["sender"] == "outage"]
        t.check(closes and all(found["sent"] == found["stored"] + found["in_flight"] for found in closes),
                "the ledger closes", json.dumps(closes))


if __name__ == "__main__":
    sys.exit(run(test_outage))
