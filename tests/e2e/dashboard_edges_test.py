#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The dashboard where names are long, prefixes are of IPv6, paths have many hops, ranges are short, long or without end, and a page
stays open (web/tests/edges.mjs, which prints the results). Skipped, with the reason, without node, Chromium or web/node_modules."""

import json
import os
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import browser  # noqa: E402
import mrtgen  # noqa: E402
import sample_world  # noqa: E402
from collector import Collector  # noqa: E402

ROUTERS = ["edge-router-1.frankfurt-main.example.net", "core2.singapore-backbone.example.org"]
TRANSIT = 64496
NAMES = {TRANSIT: "Sample Holding International Transit Services and Telecommunications of the Northern Provinces GmbH & Co. KG",
         64500: "EXAMPLE-AS-CARRIER-WITH-A-LONG-HYPHENATED-IDENTIFIER-AND-NO-SPACES"}
NETWORKS = 48
DAYS = 3


def asn(n):
    return 4200000000 + n


def path(n):
    """Of the first with many hops and prepends."""
    return f"{TRANSIT} {TRANSIT} 64500 64501 64502 64503 {asn(n)} {asn(n)} {asn(n)}" if n % 8 == 0 else f"{TRANSIT} 64500 {asn(n)}"


def prefix(n):
    return f"2001:db8:{n:x}00:100:2000:3000:4000:0/112"


def write(folder):
    for router in ROUTERS:
        routes = [(prefix(n), path(n), {"next_hop": "2001:db8::1"}) for n in range(NETWORKS)]
        mrtgen.write_table(os.path.join(folder, router + ".mrt"), [mrtgen.Peer("198.51.100.1", TRANSIT)], [routes])
    with open(os.path.join(folder, "asnames.txt"), "w", encoding="utf-8") as file:
        for number, name in {**NAMES, **{asn(n): f"Sample Network {n} of the Confederated Municipalities" for n in range(NETWORKS)}}.items():
            file.write(f"{number} {name}\n")


def records(now):
    """One an hour of each network, from DAYS ago on; shares differ from one to the next."""
    random_ = random.Random(1)
    for hour in range(DAYS * 24):
        for n in range(NETWORKS):
            router, connections = (hour + n) % 2, 20 + 5 * (n % 7)
            again = 5 + n % 11
            yield {**sample_world.record(random_, sample_world.NETWORKS[0], sample_world.ROUTERS[0], int(now) - 30 - hour * 3600, False),
                   "client": f"2001:db8:{n:x}00:100:2000:3000:4000:{1 + hour}", "server": f"192.0.2.{16 * router + 1}",
                   "type": "downloads.cdn.customer-with-a-long-name.example.com", "connections": connections, "packets_retransmitted": again,
                   "packets_spurious": again * (n % 5) // 5, "goodput_tested": connections, "goodput_met": connections - n % 9,
                   "connections_with_retransmit": 1 + n % 13, "duration_ms": connections * (300 + 100 * (n % 4))}


def run(folder, chromium):
    write(folder)
    config = {"routers": [{"name": router, "serves": [f"192.0.2.{16 * i}/28"], "sources": [{"mrt": {"file": os.path.join(folder, router + ".mrt")}}]}
                          for i, router in enumerate(ROUTERS)], "asnames": {"file": os.path.join(folder, "asnames.txt")}}
    with Collector(folder, **{**config, "name": "collector-number-one.frankfurt-main.example.net"}) as collector:
        now = time.time()
        collector.send(records(now), name="web-server-0001.rack-17.frankfurt-main.customer.example.net")
        setting = {"url": f"http://{collector.ready['http']}", "chromium": chromium, "now": now, "first": asn(0), "routers": ROUTERS}
        return subprocess.run(["node", browser.script("edges.mjs"), json.dumps(setting)], stdin=subprocess.DEVNULL, check=False).returncode


def main():
    chromium = browser.needs()
    with tempfile.TemporaryDirectory(prefix="whereto-test.") as folder:
        return run(folder, chromium)


if __name__ == "__main__":
    sys.exit(main())
