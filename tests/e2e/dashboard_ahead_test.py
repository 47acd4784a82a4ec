#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the dashboard asks has been asked ahead: its pages are opened in a real browser, the collector is started anew, and once
it has asked ahead (src/http/ahead.def) each call that the pages made is answered without a look into the tables of closed buckets.
Left out is what depends on the answers before: small charts of prefixes, and the rate over time of whom the Overview names.
Skipped, with the reason, without node, Chromium or web/node_modules."""

import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import browser  # noqa: E402
import sample_world  # noqa: E402
from collector import Collector  # noqa: E402
from tap import in_one_hour  # noqa: E402

PAGES = {"overview": "/", "networks": "/networks", "prefixes": "/networks?by=prefix", "paths": "/paths", "compare": "/compare",
         "incidents": "/incidents"}
RANGES = {last: {"last": last} for last in ("24h", "7d", "30d")}
HOURS = 40
TABLES = 'whereto_http_store_runs_total{from="tables"}'
KEPT = 'whereto_http_store_runs_total{from="kept"}'


def calls_of_pages(collector, chromium):
    """[(page, range, call)] as a browser makes them."""
    setting = {"url": f"http://{collector.ready['http']}", "chromium": chromium, "pages": PAGES, "ranges": RANGES, "loads": 0}
    told = subprocess.run(["node", browser.script("calls.mjs"), json.dumps(setting)], stdout=subprocess.PIPE, text=True, check=True).stdout
    visits = [json.loads(line) for line in told.splitlines()]
    return [(visit["page"], visit["range"], call) for visit in visits for call in visit["calls"]
            if not ("/sparklines?" in call and "by=prefix" in call) and "&filter=" not in call]


def check_call(tap, collector, page, range_, call):
    """Whether the call finds sums that were kept."""
    before = collector.metrics()
    status, body = collector.http(call)
    after = collector.metrics()
    tap.check(status == 200 and after[TABLES] == before[TABLES], f"{page}, {range_}: {call.split('?')[0]} was asked ahead",
              f"{call}: {status}, {after[TABLES] - before[TABLES]:.0f} runs of buckets read from tables")
    return after[KEPT] > before[KEPT]


def run(tap, folder, chromium):
    sample_world.write(folder)
    with Collector(folder, **sample_world.config(folder)) as collector:
        collector.send(sample_world.records(time.time(), HOURS))
        calls = calls_of_pages(collector, chromium)
        collector.stop()
        collector.start()
        collector.wait(lambda: collector.metrics()["whereto_http_ahead_rounds_total"] >= 1, "all questions asked ahead", 120)
        used = sum(check_call(tap, collector, *call) for call in calls)
        tap.check(used > len(calls) / 2, "most of them found sums that were kept", f"{used} of {len(calls)}")


def main():
    chromium = browser.needs()
    # Its pages ask about an hour that begins meanwhile, which is asked ahead later.
    return in_one_hour(lambda tap, folder: run(tap, folder, chromium))


if __name__ == "__main__":
    sys.exit(main())
