#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A collector whose store is locked and whose journal is full ends on SIGTERM all the same, and what its
sender was not told about is sent again to the next one: every record is stored once."""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from collector import Collector  # noqa: E402
from tap import Tap  # noqa: E402

RECORDS = 60000


def records():
    for i in range(RECORDS):
        yield json.dumps({"client": f"203.{i >> 16}.{i >> 8 & 255}.{i & 255}", "server": "192.0.2.10",
                          "type": f"t{i}", "requests": 1})


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder, Collector(folder) as collector:
        collector.stop()
        collector.config["journal"]["max_size"] = "1MiB"
        collector.start()
        lock = sqlite3.connect(os.path.join(folder, "whereto.db"), isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        sender = subprocess.Popen([os.environ["WHERETO"], "send", "--to", collector.telemetry, "--key",
                                   collector.key_file, "--wait"], stdin=subprocess.PIPE)
        try:
            sender.stdin.write("\n".join(records()).encode() + b"\n")
            sender.stdin.close()
            collector.wait(lambda: collector.metrics()["whereto_journal_failures_total"] > 0, "a full journal")
            tap.check(collector.stop(60) == 0, "a full journal does not keep the collector from ending")
            lock.execute("ROLLBACK")
            collector.start()
            tap.check(sender.wait(120) == 0, "the sender is told in the end")
        finally:
            sender.kill()
            lock.close()
        total = collector.top()["total"]
        tap.check(total["requests"] == RECORDS, "every record is stored once", json.dumps(total))
        row = collector.api("senders")["rows"][0]
        tap.check(row["sent"] == row["stored"] == RECORDS and row["in_flight"] == 0, "the ledger closes",
                  json.dumps(row))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
