#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The disk of the journal is full: nothing is acknowledged, the collector lives and says so, and when there is room again
everything arrives once. The disk is a small tmpfs in a mount namespace of the test's own."""

import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from collector import Collector, program  # noqa: E402
from disk import fill, small_disk  # noqa: E402
from tap import Tap, skip_all  # noqa: E402

RECORDS = 20000


def send(collector):
    lines = "".join(json.dumps({"client": f"203.0.{i >> 8 & 255}.{i & 255}", "server": "192.0.2.10", "type": f"t{i}",
                                "requests": 1}) + "\n" for i in range(RECORDS))
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


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="whereto-full-") as folder:
        journal = os.path.join(folder, "journal")
        os.mkdir(journal)
        reason = small_disk(journal, "16m")
        if reason:
            return skip_all(reason)
        try:
            with Collector(folder) as collector:
                check(tap, collector, journal)
                check_start(tap, collector, journal)
        finally:
            subprocess.run(["umount", "--lazy", journal], check=True)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
