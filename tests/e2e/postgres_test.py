#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A collector whose store is a PostgreSQL server that goes away and comes back, by a clean stop and by kill -9:
everything acknowledged is in the database once, and the collector ends while the server is away."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from collector import Collector, CollectorError  # noqa: E402
from postgres import Server, unavailable  # noqa: E402
from tap import Tap, skip_all  # noqa: E402

RECORDS = 3000


def send(collector, start):
    lines = (json.dumps({"client": f"203.0.{i >> 8 & 255}.{i & 255}", "server": "192.0.2.10", "type": f"t{i % 7}",
                         "requests": 1}) for i in range(start, start + RECORDS))
    return subprocess.run([os.environ["WHERETO"], "send", "--to", collector.telemetry, "--key", collector.key_file,
                           "--wait"], input="\n".join(lines) + "\n", text=True).returncode


def stored(collector, count):
    """The API says so; while the server is away it says that instead."""
    def asked():
        try:
            return collector.top()["total"].get("requests") == count
        except (OSError, KeyError, TypeError, CollectorError):
            return False
    collector.wait(asked, f"{count} requests")


def check_away(tap, server, collector):
    tap.check(send(collector, 0) == 0, "records are acknowledged")
    stored(collector, RECORDS)
    server.end()
    tap.check(send(collector, RECORDS) == 0, "so are they while the server is away")
    server.start()
    stored(collector, 2 * RECORDS)
    server.end(signal.SIGKILL)
    tap.check(send(collector, 2 * RECORDS) == 0, "and while it has crashed")
    tap.check(collector.stop(60) == 0, "the collector ends without it")
    server.start()
    collector.start()
    stored(collector, 3 * RECORDS)


def main():
    tap = Tap()
    reason = unavailable()
    if reason:
        return skip_all(reason)
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Server()) as server:
        with Collector(folder, store={"url": server.url}) as collector:
            check_away(tap, server, collector)
            tap.check(collector.stop() == 0, "the collector ends")
        for table in ("total_minute", "country_hour", "flow_day"):
            tap.equal(server.ask(f"SELECT sum(requests) FROM whereto.{table}"), str(3 * RECORDS),
                      f"{table} has every record once")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
