#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The disk of the journal is full: nothing is acknowledged, the collector lives and says so, and when there is room again
everything arrives once. The disk of the store (SQLite) is full: what is acknowledged waits in the journal. The disk is a small
tmpfs in a mount namespace of the test's own."""

import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from collector import Collector, program  # noqa: E402
from disk import fill, remove_disk, small_disk  # noqa: E402
from tap import Tap, skip_all  # noqa: E402

RECORDS = 20000
STORED = 1000   # records for a store on the small disk


def send(collector, count=RECORDS):
    lines = "".join(json.dumps({"client": f"203.0.{i >> 8 & 255}.{i & 255}", "server": "192.0.2.10", "type": f"t{i}",
                                "requests": 1}) + "\n" for i in range(count))
    sender = subprocess.Popen([program(), "send", "--to", collector.telemetry, "--key", collector.key_file, "--wait"],
                              stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    sender.stdin.write(lines)
    sender.stdin.close()
    return sender


def check(tap, collector, journal):
    filler = fill(journal)
    sender = send(collector)
    try:
        collector.wait(lambda: collector.metrics()["whereto_journal_failures_total"] > 1, "a full disk")
        tap.equal(sender.poll(), None, "nothing is acknowledged")
        numbers = collector.metrics()
        tap.equal((numbers["whereto_journal_up"], numbers["whereto_store_up"]), (0, 1), "the metrics say so")
        answer = collector.api("senders")
        tap.check("No space left on device" in answer["backlog"]["journal_error"], "so does the API", answer)
        shown = subprocess.run([program(), "senders", "--api", f"http://{collector.ready['http']}"], capture_output=True,
                               text=True).stdout
        tap.check("nothing is acknowledged, the journal cannot be written: " in shown, "so does whereto senders", shown)
        tap.equal(collector.http("/healthz")[0], 503, "so does /healthz")
        os.unlink(filler)
        tap.equal(sender.wait(60), 0, "with room again everything is acknowledged")
    finally:
        sender.kill()
        sender.wait()
    collector.wait(lambda: collector.metrics()["whereto_journal_up"] == 1, "a journal that is well")
    tap.equal(collector.top()["total"]["requests"], RECORDS, "and stored once")
    tap.equal(collector.api("senders")["backlog"]["journal_error"], None, "and the API says no more")


def check_start(tap, collector, journal):
    """A restart on a full disk is refused with a reason; the journal is not hurt."""
    tap.equal(collector.stop(), 0, "the collector ends")
    filler = fill(journal)
    collector.launch()
    tap.check(collector.process.wait(30) != 0 and "No space left on device" in collector.log(),
              "a start on a full disk says why it cannot be", collector.log())
    collector.kill()
    os.unlink(filler)
    collector.start()
    tap.equal(collector.top()["total"]["requests"], RECORDS, "with room again it starts, and all is there")


def check_store(tap, collector, disk):
    """The store's disk is full; the journal's is not."""
    collector.send([{"client": "203.0.113.1", "server": "192.0.2.10", "type": "before", "requests": 1}])
    collector.wait(lambda: collector.top()["total"]["requests"] == 1, "the first record")
    filler = fill(disk)
    sender = send(collector, STORED)
    try:
        tap.equal(sender.wait(60), 0, "the store's disk is full: everything is acknowledged all the same")
    finally:
        sender.kill()
        sender.wait()
    collector.wait(lambda: collector.metrics()["whereto_store_up"] == 0, "a store that cannot be written")
    backlog = collector.api("senders")["backlog"]
    tap.check("full" in str(backlog["store_error"]), "the API says why it waits", backlog)
    tap.equal(collector.metrics()["whereto_journal_up"], 1, "the journal is well")
    collector.kill()
    collector.start()
    os.unlink(filler)
    collector.wait(lambda: collector.metrics()["whereto_store_up"] == 1, "a store that is well")
    collector.wait(lambda: collector.top()["total"]["requests"] == STORED + 1, "with room again all is there, once, after kill -9 too")
    tap.equal(collector.api("senders")["backlog"]["store_error"], None, "and the API says no more")


def on_small_disk(disk, size, check_it):
    """Why there can be none; None when it was checked."""
    os.mkdir(disk)
    reason = small_disk(disk, size)
    if not reason:
        try:
            check_it()
        finally:
            remove_disk(disk)
    return reason


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="whereto-full-") as folder:
        journal, store = os.path.join(folder, "journal"), os.path.join(folder, "store")

        def check_journal():
            with Collector(folder) as collector:
                check(tap, collector, journal)
                check_start(tap, collector, journal)

        def check_results():
            with Collector(os.path.join(folder, "other"), store={"url": f"sqlite:{store}/results.db"}) as collector:
                check_store(tap, collector, store)

        reason = on_small_disk(journal, "16m", check_journal) or on_small_disk(store, "24m", check_results)
        if reason:
            return skip_all(reason)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
