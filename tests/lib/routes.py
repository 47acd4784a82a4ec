# SPDX-License-Identifier: BSD-2-Clause
"""What the end-to-end tests of live routes share: a namespace, a collector that listens for routers, and the
question whether its table is the one it should be.

    routes.enter(Frr)                              # or ends the program: skipped, and why
    with routes.collector(folder, [routes.router("edge", bgp=ROUTER, stale="3s")]) as c:
        routes.expect(tap, c, "edge", table, "the table as fed", source="bgp", match="own")"""

import json
import os
import random
import shutil
import sys
import threading
import time

import bgptable
import lab
import mrtgen
import tap as tap_module
from collector import Collector, CollectorError

COLLECTOR = "127.0.0.1"
COLLECTOR6 = "2001:db8:1::c"
ROUTER, ROUTER6 = "127.0.1.1", "2001:db8:1::1"
ROUTERS = [f"127.0.1.{n}" for n in range(1, 7)]
ASN = 64500
IPV4 = int(os.environ.get("WT_ROUTES4", "40000"))
IPV6 = int(os.environ.get("WT_ROUTES6", "12000"))
SEED = int(os.environ.get("WT_SEED") or random.randrange(1 << 32))


def enter(*daemons):
    """Into a namespace of its own; skips the program where that or a daemon is missing."""
    if not os.environ.get("WHERETO"):
        tap_module.skip_all("WHERETO isn't set: run this test through meson")
    if os.geteuid() != 0:
        tap_module.skip_all("needs root, for network namespaces")
    if not shutil.which("ip"):
        tap_module.skip_all("needs ip (iproute2)")
    for reason in filter(None, (daemon.missing() for daemon in daemons)):
        tap_module.skip_all(reason)
    # An address of its own makes a connection to it come from it: so a router's BMP session, whose end cannot be
    # bound, comes from the router's address when it goes to the collector at that address.
    reason = lab.alone([*ROUTERS, COLLECTOR6, ROUTER6])
    if reason:
        tap_module.skip_all(reason)
    print(f"# WT_SEED={SEED}", flush=True)
    return random.Random(SEED)


def router(name, serves=None, stale="3s", bgp=None, asn=ASN, bmp=None, mrt=None, md5_file=None):
    """An entry of `routers`: sources in the order bmp, bgp, mrt."""
    sources = []
    if bmp:
        sources.append({"bmp": bmp if isinstance(bmp, dict) else {"from": bmp}})
    if bgp:
        sources.append({"bgp": {"from": bgp, "as": asn, **({"md5_file": md5_file} if md5_file else {})}})
    if mrt:
        sources.append({"mrt": {"file": mrt}})
    return {"name": name, "serves": serves or ["192.0.2.0/24"], "stale": stale, "sources": sources}


def collector(folder, routers, asn=ASN, **more):
    return Collector(folder, routers=routers, bmp={"listen": ["0.0.0.0:0"]}, bgp={
        "listen": [f"{COLLECTOR}:0", f"[{COLLECTOR6}]:0"], "as": asn, "router_id": COLLECTOR}, **more)


def port_of(ready, number=0):
    return int(ready.split(",")[number].rpartition(":")[2])


def bgp_port(c, ipv6=False):
    return port_of(c.ready["bgp"], 1 if ipv6 else 0)


def bmp_port(c):
    return port_of(c.ready["bmp"])


def source(c, name, number=0):
    """The state of a router's source, as /routers has it."""
    for row in c.api("routers")["rows"]:
        if row["name"] == name:
            return row["sources"][number]
    raise CollectorError(f"/routers does not have {name}")


def rows(c, name, **parameters):
    """All rows of a router's table, however many answers it takes."""
    out, after = [], {}
    while True:
        answer = c.api("routes", router=name, **{"limit": 100000, **parameters, **after})
        out += answer["rows"]
        if not answer["next"]:
            return out
        after = {"after": answer["next"]}


def wrong_rows(listed, **fields):
    """What is wrong with rows besides their attributes: order, origin, neighbour, and the fields given."""
    prefixes = [row["prefix"] for row in listed]
    if prefixes != sorted(set(prefixes), key=mrtgen.prefix_key):
        yield "the rows are not in order"
    for row in listed:
        first = row["path"].split(" ")[0]
        expected = dict(fields, origin=bgptable.origin_of(row["path"]),
                        neighbour=int(first) if first.isdigit() else None)
        for field, value in expected.items():
            if row[field] != value:
                yield f"{row['prefix']} by {row['path']!r}: {field} {row[field]!r}, expected {value!r}"
        if row["age_s"] < 0:
            yield f"{row['prefix']}: {row['age_s']} s old"


def listed_so(c, name, table, prefixes):
    """Are just these prefixes listed as in the table?"""
    return all(bgptable.from_rows(rows(c, name, prefix=prefix, select="exact")) == {prefix: table[prefix]}
               for prefix in prefixes)


def settle(c, name, table, timeout_s=30, last=(), **fields):
    """Asks until the listed table is this one, first what is cheap: its size, and the prefixes `last`, which are
    likely to come last. Returns (what is wrong, rows)."""
    deadline = time.monotonic() + timeout_s
    while True:
        left = deadline - time.monotonic()
        try:
            c.wait(lambda: len(table) in [s["prefixes"] for row in c.api("routers")["rows"] if row["name"] == name
                                          for s in row["sources"]] and listed_so(c, name, table, last),
                   f"{len(table)} prefixes of {name}", max(left, 0.1))
        except CollectorError:
            if c.process.poll() is not None:
                raise
        listed = rows(c, name)
        wrong = bgptable.differences(bgptable.from_rows(listed), table)
        if not wrong:
            others = list(wrong_rows(listed, **fields))
            wrong = "\n".join([f"{len(others)} rows:", *others[:5]]) if others else ""
        if not wrong or time.monotonic() > deadline:
            return wrong, listed
        time.sleep(0.2)


def expect(tap, c, name, table, what, timeout_s=30, last=(), **fields):
    """One test point: the router's table is this one, and all its rows have these fields."""
    started = time.monotonic()
    wrong, listed = settle(c, name, table, timeout_s, last, **fields)
    tap.check(not wrong, what, f"{wrong}\n{json.dumps(c.api('routers'))}\n{c.log()[-1500:]}")
    if os.environ.get("WT_TIMES"):
        tap.note(f"{time.monotonic() - started:.1f} s: {what}")
    return listed


def expect_all_match(tap, c, name, count, match, what, timeout_s=30):
    """Until all rows of a table have this match; with count 0, until there are none."""
    def got():
        listed = rows(c, name)
        return len(listed) == count and all(row["match"] == match for row in listed)
    try:
        c.wait(got, what, timeout_s)
        return tap.check(True, what)
    except CollectorError as late:
        listed = rows(c, name)
        return tap.check(False, what, f"{len(listed)} rows, {sorted({row['match'] for row in listed})}\n"
                                      f"{str(late)[-1500:]}")


def send_record(c, client, server="192.0.2.1"):
    """One record of one byte, acknowledged."""
    c.send([{"client": client, "server": server, "type": "test", "bytes_sent": 1}], name="web1")


class Watch:
    """Looks an address up again and again while the test does something, and keeps what it saw."""

    def __init__(self, c, name, address):
        self.collector, self.name, self.address = c, name, address
        self.seen = []            # (path, match), without repetitions
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.wait(0.02):
            row = self.collector.api("lookup", address=self.address, router=self.name)["rows"][0]
            now = (row["path"], row["match"])
            if not self.seen or self.seen[-1] != now:
                self.seen.append(now)

    def matches(self):
        return {match for _, match in self.seen}


def sample(rng, table, count):
    return rng.sample(sorted(table), min(count, len(table)))


def run(test, *daemons):
    """The main of a test program: test(tap, rng) with a folder of its own as the working directory."""
    rng = enter(*daemons)
    tap = tap_module.Tap()
    started = time.monotonic()
    test(tap, rng)
    if os.environ.get("WT_TIMES"):
        tap.note(f"{time.monotonic() - started:.1f} s in all")
    sys.exit(tap.done())
