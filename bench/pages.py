#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""How long the dashboard's pages wait for their figures, and a person for the first page.

    pages.py [--store sqlite:FILE] [--times 20] [--loads 5] [--ranges 24h,7d,30d]

A collector serves the store; Chromium opens every page once for every range up to the store's last hour and tells what it
asked (web/tests/calls.mjs), so the list of calls is the dashboard's own. Then the collector is started anew and each call asked
TIMES times: the first time, which finds nothing in memory, apart; then the median, the 95th percentile, and which call is slowest.
"at once" is the median of all calls of a page asked in parallel, as the page does. Answers are computed each time: no older one is
taken. Last, the overview is opened LOADS times: when its controls can be used, its figures stand there, its charts are drawn.

Without --store a file of two days is made first ($WHERETO_BENCH_STORE), and removed. Nothing in a given file is deleted:
retention is forever. Asserts nothing."""

import argparse
import calendar
import concurrent.futures
import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse

from collector import Collector

WEB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "web")
RANGES = {"24h": 86400, "7d": 7 * 86400, "30d": 30 * 86400}
HEAD = ("page", "range", "calls", "first ms", "p50 ms", "p95 ms", "at once", "slowest call (its p95)")
LINE = "{:<22} {:<5} {:>5} {:>9} {:>8} {:>8} {:>8}  {}"


def pages(collector, newest_s):
    """The pages to open; the one with a filter keeps to the largest country."""
    largest = collector.api("top", by="country", from_=newest_s - 86400, to=newest_s, limit=1)["rows"][0]["country"]
    return {"overview": "/", "networks": "/networks", "networks, prefixes": "/networks?by=prefix",
            "networks, worst first": "/networks?sort=retransmit_rate", "networks, a country": f"/networks?filter=country:{largest}",
            "paths": "/paths", "compare": "/compare", "incidents": "/incidents", "routes": "/routes", "senders": "/senders", "routers": "/routers"}


def newest(collector):
    """The end of the last hour that the store has figures of, in seconds since 1970."""
    def last(**question):
        answer = collector.api("series", by="", fields="bytes_sent", **question)
        if not answer["rows"]:
            sys.exit("the store has no traffic")
        start = calendar.timegm(time.strptime(answer["rows"][-1]["time"], "%Y-%m-%dT%H:%M:%SZ"))
        return start, start + answer["step"]
    start, end = last(from_="2020-01-01T00:00:00Z", points=5000)
    return last(from_=start, to=end, step="1h")[1]


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def browse(collector, ranges, loads):
    """(visits of every page, loads of the first one), as web/tests/calls.mjs tells them."""
    to = newest(collector)
    setting = {"url": f"http://{collector.ready['http']}", "chromium": shutil.which("chromium"), "loads": loads,
               "pages": pages(collector, to), "ranges": {name: {"from": stamp(to - RANGES[name]), "to": stamp(to)} for name in ranges}}
    run = subprocess.run(["node", os.path.join(WEB, "tests", "calls.mjs"), json.dumps(setting)], stdout=subprocess.PIPE, text=True, check=True)
    told = [json.loads(line) for line in run.stdout.splitlines()]
    return [t for t in told if "page" in t], [t for t in told if "load" in t]


# ---- asking ----

def ask(connection, path):
    """Milliseconds until the whole answer is here."""
    begin = time.perf_counter()
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        sys.exit(f"{path}: {answer.status} {body[:200]}")
    return (time.perf_counter() - begin) * 1e3


def quantile(values, percent):
    values = sorted(values)
    return values[(len(values) * percent + 99) // 100 - 1]


class Asker:
    """Connections to the collector, one for each call that a page makes at once."""

    def __init__(self, collector):
        self.connections = [http.client.HTTPConnection(collector.ready["http"]) for _ in range(16)]
        self.threads = concurrent.futures.ThreadPoolExecutor(len(self.connections))

    def alone(self, path):
        return ask(self.connections[0], path)

    def at_once(self, paths):
        for connection in self.connections:
            connection.close()   # the collector may have closed them meanwhile
        begin = time.perf_counter()
        list(self.threads.map(ask, self.connections, paths))
        return (time.perf_counter() - begin) * 1e3

    def close(self):
        self.threads.shutdown()
        for connection in self.connections:
            connection.close()


def named(path):
    """A call without what all calls of a page share."""
    at = urllib.parse.urlsplit(path)
    left = [(name, value) for name, value in urllib.parse.parse_qsl(at.query) if name not in ("from", "to", "fields", "filter", "keys")]
    return at.path.removeprefix("/api/v1/") + " " + " ".join("=".join(pair) for pair in left)


def show_page(asker, visit, times):
    calls = visit["calls"]
    first = {path: asker.alone(path) for path in calls}
    asked = {path: [asker.alone(path) for _ in range(times)] for path in calls}
    every = [ms for list_ in asked.values() for ms in list_]
    slowest = max(calls, key=lambda path: quantile(asked[path], 95))
    at_once = [asker.at_once(calls) for _ in range(max(3, times // 4))]
    print(LINE.format(visit["page"], visit["range"], len(calls), f"{max(first.values()):.1f}", f"{quantile(every, 50):.1f}",
                      f"{quantile(every, 95):.1f}", f"{quantile(at_once, 50):.1f}",
                      f"{named(slowest)} ({quantile(asked[slowest], 95):.1f})"), flush=True)


def show_loads(loads):
    for name, what in (("usable", "controls can be used"), ("drawn", "figures stand there"), ("charts", "charts are drawn")):
        values = [load[name] for load in loads]
        print(f"overview, {what}: median {quantile(values, 50)} ms, slowest {max(values)} ms of {len(values)} loads")
    print(f"first load: {loads[0]['bytes'] / 1000:.0f} kB compressed")


# ---- the whole ----

def run(folder, arguments):
    forever = {"minute": "forever", "hour": "forever", "day": "forever"}
    with Collector(folder, store={"url": arguments.store, "retention": forever}) as collector:
        visits, loads = browse(collector, arguments.ranges.split(","), arguments.loads)
        collector.stop()
        collector.start()   # nothing in memory
        print(LINE.format(*HEAD))
        with contextlib.closing(Asker(collector)) as asker:
            for visit in visits:
                show_page(asker, visit, arguments.times)
        if loads:
            show_loads(loads)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--store", help="sqlite:FILE")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--loads", type=int, default=5, help="of the overview, in new tabs")
    parser.add_argument("--ranges", default=",".join(RANGES), help="which of: " + " ".join(RANGES))
    arguments = parser.parse_args()
    if not shutil.which("chromium") or not os.path.exists(os.path.join(WEB, "node_modules", "playwright-core")):
        print("left out: needs chromium, node and web/node_modules, which building the dashboard makes")
        return
    with tempfile.TemporaryDirectory(prefix="whereto-bench-") as folder:
        if not arguments.store:
            arguments.store = f"sqlite:{folder}/made.db"
            subprocess.run([os.environ["WHERETO_BENCH_STORE"], "--url", arguments.store, "--days", "2", "--prefixes", "5000", "--peak", "1000",
                            "--times", "0"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        run(folder, arguments)


if __name__ == "__main__":
    main()
