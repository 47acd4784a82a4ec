#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""One router with three sources: BMP from FRR, BGP from BIRD, a table file. Each takes over when those before it are
lost and hands back when they return, and every record counts under the route that held when it came."""

import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import bgptable  # noqa: E402
import mrtgen  # noqa: E402
import routes  # noqa: E402
from daemons import Bird, Frr, Neighbour, Station  # noqa: E402
from routes_life import Fed, reach  # noqa: E402

BY_BMP, BY_BGP = routes.ROUTERS[0], routes.ROUTERS[1]
CLIENT, NOBODY = "198.51.100.9", "203.0.113.9"
STALE_S = 4


def fed_table(rng, path):
    """A table that tells who told it: all paths, and that of the client's prefix."""
    table = bgptable.generate(rng, 800, 200, path=path, local_pref=100, med=0)
    for prefix in ("0.0.0.0/0", "::/0"):
        del table[prefix]
    table["198.51.100.0/24"] = next(route for prefix, route in table.items() if ":" not in prefix)
    return table


class Records:
    """What was sent, by match."""

    def __init__(self, tap, c):
        self.tap, self.collector, self.expected = tap, c, {}

    def count(self, match, what, client=CLIENT, server="192.0.2.1"):
        """One record; then `top` by match is what it should be."""
        c = self.collector
        routes.send_record(c, client, server)
        self.expected[match] = self.expected.get(match, 0) + 1
        got = {}

        def counted():
            got.update({row["match"]: row["bytes_sent"] for row in c.top(by="match")["rows"]})
            return sum(got.values()) == sum(self.expected.values())
        c.wait(counted, "the record in `top`")
        self.tap.equal(got, self.expected, f"a record {what} counts as {match}")


def test(tap, rng):
    by_bmp, by_bgp, by_file = (fed_table(rng, path) for path in ("64501 64496", "64502 64496", "64503 64496"))
    with tempfile.TemporaryDirectory() as folder:
        mrt = os.path.join(folder, "edge.mrt.gz")
        mrtgen.write_table(mrt, [mrtgen.Peer("192.0.2.7", 64503)], [[
            (prefix, route.path, {"next_hop": route.next_hop}) for prefix, route in by_file.items()]])
        entry = routes.router("edge", stale=f"{STALE_S}s", bmp=BY_BMP, bgp=BY_BGP, mrt=mrt)
        with routes.collector(folder, [entry]) as c, \
                Frr(folder, BY_BMP, bmp=Station(BY_BMP, routes.bmp_port(c))) as frr, Fed(frr) as frr_fed, \
                Bird(folder, BY_BGP, bgp=[Neighbour(routes.COLLECTOR, routes.bgp_port(c))]) as bird, \
                Fed(bird) as bird_fed:
            steps(tap, c, (frr, frr_fed, by_bmp), (bird, bird_fed, by_bgp), by_file)


def holds(tap, c, source, match, paths, what):
    """Until the client's route is from that source; then all are, those of IPv6 as soon as its first ones have come: FRR tells
    IPv4 first, and until then the source is not known to carry the other."""
    def row():
        row = c.api("lookup", address=CLIENT, router="edge")["rows"][0]
        return (row["source"], row["match"], row["path"]) == (source, match, paths) if row["prefix"] else False
    c.wait(row, what, 30)
    c.wait(lambda: any(":" in line["prefix"] and line["source"] == source for line in routes.rows(c, "edge")), what + ", IPv6", 30)
    listed = routes.rows(c, "edge")
    wrong = [line for line in listed if (line["source"], line["match"], line["path"]) != (source, match, paths)]
    tap.check(listed and not wrong, what, wrong[:3])


def start(c, number, daemon, fed, table):
    if not daemon.process:
        daemon.start()
    fed.feed(table)
    fed.wait(len(table))
    reach(c, daemon, number)


def lose(daemon, fed):
    daemon.kill()
    fed.rest()


def steps(tap, c, first, second, by_file):
    records = Records(tap, c)
    c.wait(lambda: routes.source(c, "edge", 2)["state"] == "loaded", "the file")
    holds(tap, c, "mrt", "fallback", "64503 64496", "only the file: it answers")
    records.count("fallback", "under the file")
    start(c, 1, *second)
    holds(tap, c, "bgp", "fallback", "64502 64496", "BGP takes over")
    start(c, 0, *first)
    holds(tap, c, "bmp", "own", "64501 64496", "BMP takes over")
    records.count("own", "under the first source")
    records.count("none", "of a client without a route", client=NOBODY)
    records.count("none", "of a server behind no router", server="198.18.0.1")
    with routes.Watch(c, "edge", CLIENT) as watch:
        lose(*first[:2])
        holds(tap, c, "bmp", "stale", "64501 64496", "the first source is lost: its routes stay for a while")
        records.count("stale", "in that while")
        holds(tap, c, "bgp", "fallback", "64502 64496", "then BGP answers")
        records.count("fallback", "under BGP")
        lose(*second[:2])
        holds(tap, c, "mrt", "fallback", "64503 64496", "BGP is lost too: the file answers")
        start(c, 0, *first)
        holds(tap, c, "bmp", "own", "64501 64496", "the first source is back")
        records.count("own", "under the first source again")
    tap.check("none" not in watch.matches(), "there was no moment without a route", watch.seen)


routes.run(test, Frr, Bird)
