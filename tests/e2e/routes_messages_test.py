#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a router may say by BGP and no daemon at hand does, or not when wanted: ADD-PATH's identifiers, two-byte AS
numbers, malformed attributes (RFC 7606), refreshes, graceful restart, collisions, strangers."""

import ipaddress
import os
import socket
import struct
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import bgpspeaker  # noqa: E402
import bgptable  # noqa: E402
import mrtgen  # noqa: E402
import routes  # noqa: E402
from bgpspeaker import Speaker, capabilities, end_of_rib, message, updates, withdrawals  # noqa: E402

OTHER = routes.ROUTERS[1]


def route(path="174 3356", next_hop="192.0.2.1", **more):
    return bgptable.Attributes(**{**dict.fromkeys(bgptable.Attributes._fields), "path": path, "next_hop": next_hop,
                                  "origin_code": "igp", "atomic_aggregate": False, **more})


FIRST = {"198.51.100.0/24": route(), "203.0.113.0/24": route("1299 64496", med=5, local_pref=200),
         "2001:db8:10::/48": route("6939 64497", "2001:db8::1"), "0.0.0.0/0": route("174")}


class Edge:
    """A collector that has one neighbour, the router "edge"."""

    def __init__(self, **options):
        self.options = options
        self.folder = tempfile.TemporaryDirectory()

    def __enter__(self):
        entry = {"bgp": routes.ROUTER, "stale": "20s", **self.options}
        self.collector = routes.collector(self.folder.name, [routes.router("edge", **entry)])
        self.target = (routes.COLLECTOR, routes.bgp_port(self.collector))
        return self

    def __exit__(self, *exception):
        self.collector.kill()
        self.folder.cleanup()

    def speaker(self, **options):
        return Speaker(self.target, **{"address": routes.ROUTER, **options})

    def expect(self, tap, table, what, **options):
        routes.expect(tap, self.collector, "edge", table, what, 10, **options)

    def source(self):
        return routes.source(self.collector, "edge")


def test_add_path(tap):
    offer = capabilities(routes.ASN, add_path=bgpspeaker.SEND)
    better, worse = {p: r._replace(local_pref=300) for p, r in FIRST.items()}, FIRST
    with Edge() as edge, edge.speaker(capability_list=offer) as speaker:
        speaker.send(updates(worse, path_id=7), updates(better, path_id=4000000000), end_of_rib())
        edge.expect(tap, better, "ADD-PATH: the better of two paths")
        speaker.send(withdrawals(FIRST, path_id=9))
        speaker.send(withdrawals(FIRST, path_id=4000000000))
        edge.expect(tap, worse, "the better is withdrawn, by its identifier; one that isn't there too")
        speaker.send(updates(better, path_id=7))
        edge.expect(tap, better, "the same identifier again replaces the path")
        speaker.send(withdrawals(FIRST, path_id=7))
        edge.expect(tap, {}, "the last is withdrawn")


def test_two_byte(tap, rng):
    table = bgptable.generate(rng, 300, 100)
    offer = [pair for pair in capabilities(routes.ASN) if pair[0] != 65]
    with Edge() as edge, edge.speaker(capability_list=offer) as speaker:
        speaker.send(updates(table, as_bytes=2), end_of_rib())
        edge.expect(tap, table, "two-byte AS numbers: AS4_PATH and AS4_AGGREGATOR are put in")


def test_next_hops(tap):
    table = {"198.51.100.0/24": route(next_hop="2001:db8::7"), "203.0.113.0/24": route()}
    offer = capabilities(routes.ASN) + [(5, struct.pack(">HHH", 1, 1, 2))]
    with Edge() as edge, edge.speaker(capability_list=offer) as speaker:
        speaker.send(updates(table))
        edge.expect(tap, table, "an IPv6 next hop of an IPv4 prefix (RFC 8950)")
        packed = mrtgen.pack_address("2001:db8::8") + mrtgen.pack_address("fe80::1")
        reach = mrtgen.attribute(0x80, 14, mrtgen.mp_reach_full(packed, mrtgen.nlri(["2001:db8:20::/48"])))
        speaker.send(mrtgen.update(reach + mrtgen.pack_attributes("174", {})))
        table["2001:db8:20::/48"] = route("174", "2001:db8::8")
        edge.expect(tap, table, "a link-local next hop beside the global one")
        block = mrtgen.pack_attributes("174", {"next_hop": "192.0.2.1"})
        speaker.send(mrtgen.update(block, b"\x08\x0b\x0a\xff\xff"))
        table["11.0.0.0/8"] = table["8.0.0.0/8"] = route("174")
        del table["8.0.0.0/8"]
        table["255.192.0.0/10"] = route("174")
        edge.expect(tap, table, "bits behind a prefix's length are masked")


def raw_update(attributes, prefixes=("198.51.100.0/24",)):
    return mrtgen.update(attributes, mrtgen.nlri(prefixes))


GOOD = mrtgen.pack_attributes("174 64496", {"next_hop": "192.0.2.1"})
WITHDRAWS = {
    "ORIGIN of 3": mrtgen.attribute(0x40, 1, b"\3") + GOOD[4:],
    "ORIGIN of two bytes": mrtgen.attribute(0x40, 1, b"\0\0") + GOOD[4:],
    "a path segment longer than the path": mrtgen.attribute(0x40, 2, b"\2\5\0\0\0\1") + mrtgen.attribute(0x40, 1, b"\0")
                                           + mrtgen.attribute(0x40, 3, b"\1\2\3\4"),
    "a next hop of three bytes": mrtgen.pack_attributes("174", {}) + mrtgen.attribute(0x40, 3, b"\1\2\3"),
    "a MED of three bytes": GOOD + mrtgen.attribute(0x80, 4, b"\0\0\0"),
    "communities of six bytes": GOOD + mrtgen.attribute(0xC0, 8, bytes(6)),
    "large communities of eight bytes": GOOD + mrtgen.attribute(0xC0, 32, bytes(8)),
    "no path": mrtgen.pack_attributes(None, {"next_hop": "192.0.2.1"}),
    "wrong flags of ORIGIN": mrtgen.attribute(0xC0, 1, b"\0") + GOOD[4:],
}
DISCARDS = {
    "ATOMIC_AGGREGATE of one byte": mrtgen.attribute(0x40, 6, b"\0"),
    "AGGREGATOR of three bytes": mrtgen.attribute(0xC0, 7, b"\0\0\0"),
    "AS4_PATH on a four-byte session": mrtgen.attribute(0xC0, 17, mrtgen.pack_path("1 2 3")),
    "an unknown optional transitive attribute": mrtgen.attribute(0xC0, 99, b"\1\2\3"),
    "an unknown optional attribute": mrtgen.attribute(0x80, 98, b""),
    "ORIGIN twice": mrtgen.attribute(0x40, 1, b"\2"),
}
RESETS = {
    "a prefix length of 33": (raw_update(GOOD)[:-4] + b"\x21\xc6\x33\x64\x00\x80"[:4], (3,)),
    "a marker that isn't all ones": (b"\0" * 16 + struct.pack(">HB", 19, 4), (1,)),
    "a message of 10 bytes": (b"\xff" * 16 + struct.pack(">HB", 10, 4), (1,)),
    "a message type of 9": (message(9), (1,)),
    "attributes longer than the message": (message(2, struct.pack(">HH", 0, 200) + GOOD), (3,)),
    "a second OPEN": (bgpspeaker.open_message(routes.ASN, "127.0.1.1", 90, []), (5, 6)),
}


def test_malformed(tap):
    kept = {"203.0.113.0/24": route("1299")}
    with Edge() as edge, edge.speaker() as speaker:
        speaker.send(updates(kept))
        for what, attributes in WITHDRAWS.items():
            speaker.send(raw_update(GOOD))
            edge.expect(tap, {**kept, "198.51.100.0/24": route("174 64496")}, f"before {what}")
            speaker.send(raw_update(attributes))
            edge.expect(tap, kept, f"{what}: taken as a withdrawal")
        for what, attribute in DISCARDS.items():
            speaker.send(raw_update(GOOD + attribute))
            edge.expect(tap, {**kept, "198.51.100.0/24": route("174 64496")}, f"{what}: passed over")
            speaker.send(withdrawals(["198.51.100.0/24"]))
            edge.expect(tap, kept, f"behind {what}")
        tap.check(not speaker.closed, "the session has gone through all that")
    for what, (data, codes) in RESETS.items():
        with Edge() as edge, edge.speaker() as speaker:
            speaker.send(updates(kept))
            edge.expect(tap, kept, f"before {what}")
            speaker.send(data)
            speaker.wait(lambda: speaker.notification, what)
            tap.check(speaker.notification[0] in codes, f"{what} ends the session", speaker.notification)
            edge.expect(tap, kept, "the routes stay, stale", match="stale")


def reconnects(edge, speaker):
    """As a router that restarts: without a word, then back and saying so."""
    speaker.close(cease=False)
    edge.collector.wait(lambda: edge.source()["state"] == "stale", "the loss")
    offer = capabilities(routes.ASN, restart_s=120, restarted=True, preserved=bgpspeaker.FAMILIES)
    return edge.speaker(capability_list=offer)


def test_restarts(tap):
    half = dict(list(FIRST.items())[:2])
    offer = capabilities(routes.ASN, restart_s=120, preserved=bgpspeaker.FAMILIES)
    with Edge() as edge:
        speaker = edge.speaker(capability_list=offer)
        speaker.send(updates(FIRST), end_of_rib())
        edge.expect(tap, FIRST, "a table", match="own")
        with reconnects(edge, speaker) as speaker:
            speaker.send(updates(half))
            routes.settle(edge.collector, "edge", FIRST, 5)
            edge.expect(tap, FIRST, "graceful restart: what is not told again yet stays")
            speaker.send(end_of_rib())
            edge.expect(tap, half, "End-of-RIB: it goes", match="own")


def test_refresh(tap):
    half = dict(list(FIRST.items())[:1])
    with Edge() as edge, edge.speaker() as speaker:
        speaker.send(updates(FIRST), end_of_rib())
        edge.expect(tap, FIRST, "a table", match="own")
        speaker.send(bgpspeaker.route_refresh(4, 1), bgpspeaker.route_refresh(6, 1), updates(half))
        edge.expect(tap, FIRST, "enhanced refresh: what is not told again yet stays")
        speaker.send(bgpspeaker.route_refresh(4, 2))
        left = {p: r for p, r in FIRST.items() if p in half or ":" in p}
        edge.expect(tap, left, "the end of an IPv4 refresh: what was not told again goes", match="own")
        speaker.send(bgpspeaker.route_refresh(6, 2))
        edge.expect(tap, half, "the end of an IPv6 refresh", match="own")


def test_strangers(tap):
    with Edge() as edge:
        stranger = edge.speaker(address=OTHER, establish=False)
        stranger.wait(lambda: stranger.closed, "being refused")
        tap.check(not [kind for kind, _ in stranger.received if kind == bgpspeaker.OPEN],
                  "an unknown neighbour gets no OPEN", stranger.received)
        wrong = edge.speaker(asn=64999, establish=False)
        wrong.wait(lambda: wrong.notification, "a NOTIFICATION")
        tap.equal(wrong.notification, (2, 2), "a wrong AS number")
        wrong.close()
        old = edge.speaker(establish=False, capability_list=[(1, bgpspeaker.afi_safi(4))], router_id="0.0.0.0")
        old.wait(lambda: old.notification, "a NOTIFICATION")
        tap.equal(old.notification, (2, 3), "a router id of 0")
        old.close()
        silent = socket.create_connection(edge.target, source_address=(routes.ROUTER, 0))
        with edge.speaker() as speaker:
            speaker.send(updates(FIRST))
            edge.expect(tap, FIRST, "a connection that says nothing does not keep the next one out", match="own")
        silent.close()


def test_collision(tap):
    with Edge() as edge, edge.speaker() as first:
        first.send(updates(FIRST), end_of_rib())
        edge.expect(tap, FIRST, "a table", match="own")
        # As a router that does not know of its first connection any more, and opens the next.
        second = edge.speaker(establish=False)
        second.wait(lambda: second.closed or second.notification or second.established, "a decision")
        tap.check(not (first.closed and second.closed), "of two connections one stays",
                  (first.notification, second.notification))
        living = second if first.closed else first
        living.send(withdrawals(FIRST))
        edge.expect(tap, {}, "and it works")
        second.close()


def test_password(tap):
    with tempfile.NamedTemporaryFile("w", suffix=".md5") as file:
        file.write("right\n")
        file.flush()
        with Edge(md5_file=file.name) as edge:
            for what, password in (("another", "wrong"), ("no", None)):
                try:
                    edge.speaker(md5=password, timeout_s=2).close()
                    tap.check(False, f"{what} password is refused")
                except bgpspeaker.SpeakerError:
                    tap.check(True, f"{what} password is refused")
            with edge.speaker(md5="right") as speaker:
                speaker.send(updates(FIRST))
                edge.expect(tap, FIRST, "the right password", match="own")


def test_listing(tap, rng):
    """`routes` in pieces, one prefix, those below it and above it."""
    table = bgptable.generate(rng, 3000, 1000)
    with Edge() as edge, edge.speaker() as speaker:
        speaker.send(updates(table), end_of_rib())
        edge.expect(tap, table, "a table", match="own", source="bgp", peer=routes.ROUTER)
        c = edge.collector
        whole = [row["prefix"] for row in routes.rows(c, "edge")]
        tap.equal([row["prefix"] for row in routes.rows(c, "edge", limit=7)][:200], whole[:200], "pieces of seven rows")
        networks = {prefix: ipaddress.ip_network(prefix) for prefix in whole}
        for prefix in rng.sample(whole, 30) + ["0.0.0.0/0", "::/0", "10.0.0.0/8", "2400::/12"]:
            asked = ipaddress.ip_network(prefix)
            same = {p: n for p, n in networks.items() if n.version == asked.version}
            expected = {"exact": [p for p in whole if p == prefix],
                        "longer": [p for p in whole if p in same and same[p].subnet_of(asked)],
                        "shorter": [p for p in whole if p in same and asked.subnet_of(same[p])]}
            got = {select: [row["prefix"] for row in routes.rows(c, "edge", prefix=prefix, select=select)]
                   for select in expected}
            tap.equal(got, expected, f"{prefix}: exact, longer, shorter")
        started = time.monotonic()
        for prefix in rng.sample(whole, 100):
            row = c.api("lookup", address=prefix.split("/")[0], router="edge")["rows"][0]
            address = ipaddress.ip_address(prefix.split("/")[0])
            longest = max((p for p, n in networks.items() if n.version == address.version and address in n),
                          key=lambda p: int(p.split("/")[1]))
            if row["prefix"] != longest or bgptable.from_rows([row])[longest] != table[longest]:
                tap.check(False, f"lookup of {address}", f"{row}, expected {longest} {table[longest]}")
                break
        else:
            tap.check(True, f"lookups find the longest match ({time.monotonic() - started:.1f} s)")


def test_limit(tap):
    """No more routes than max_routes; those that are refused are counted, and a reload makes room."""
    with Edge() as edge:
        c = edge.collector
        c.config["routers"][0]["max_routes"] = 3
        tap.check(c.reload(), "max_routes by a reload")
        with edge.speaker() as speaker:
            speaker.send(updates(FIRST), end_of_rib())
            c.wait(lambda: edge.source()["counters"]["refused"] == 1, "the refusal")
            tap.equal(edge.source()["routes"], 3, "as many routes as may be")
            c.config["routers"][0]["max_routes"] = 4
            tap.check(c.reload(), "one more")
            speaker.send(updates(FIRST))
            edge.expect(tap, FIRST, "all of them")


def test_limit_of_files(tap):
    """A file with more routes than max_routes: those that fit stay over a reload, the others are counted."""
    prefixes = [f"10.{n}.0.0/16" for n in range(9)]
    with tempfile.TemporaryDirectory() as folder:
        mrt = os.path.join(folder, "edge.mrt")
        mrtgen.write_table(mrt, [mrtgen.Peer("192.0.2.7", 64503)],
                           [[(prefix, "64503", {"next_hop": "192.0.2.7"}) for prefix in prefixes]])
        entry = {**routes.router("edge", mrt=mrt), "max_routes": 5}
        with routes.collector(folder, [entry]) as c:
            for what in ("at the start", "after a reload"):
                source = routes.source(c, "edge")
                tap.equal((source["state"], source["routes"]), ("loaded", 5), f"as many routes of a file as may be {what}")
                tap.check(source["counters"]["refused"] >= 4, f"the others are counted {what}", source)
                c.reload()


def test_churn(tap):
    """Changes of paths to prefixes with traffic, and of no others; a table that is told first is none."""
    def change(prefix, before, after):
        return {"router": "edge", "prefix": prefix, "before": before, "after": after}

    with Edge() as edge:
        c = edge.collector

        def changes():
            return [{key: row[key] for key in ("router", "prefix", "before", "after")}
                    for row in reversed(c.api("changes", last="1h")["rows"])]
        with edge.speaker() as speaker:
            speaker.send(updates(FIRST), end_of_rib())
            edge.expect(tap, FIRST, "before traffic")
            routes.send_record(c, "203.0.113.9")
            speaker.send(updates({"203.0.113.0/24": route("6939 64496"), "198.51.100.0/24": route("6939 1")}))
            speaker.send(updates({"203.0.113.0/24": route("6939 64496", med=7)}), withdrawals(["203.0.113.0/24"]),
                         updates({"203.0.113.0/24": route("174 64496")}))
            expected = [change("203.0.113.0/24", "1299 64496", "6939 64496"), change("203.0.113.0/24", "6939 64496", None),
                        change("203.0.113.0/24", None, "174 64496")]
            c.wait(lambda: len(changes()) >= 3, "the changes")
            tap.equal(changes(), expected, "changes of the path with traffic, in order; not of MED, nor of another prefix")
            tap.equal(c.api("changes", last="1h", prefix="198.51.100.0/24")["rows"], [], "asked for by prefix")
            for text, count in (("via:6939", 2), ("origin:64496 -via:6939", 1), ("router:edge via:1299", 1), ("router:other", 0)):
                tap.equal(len(c.api("changes", last="1h", filter=text)["rows"]), count, f"asked for by a filter: {text}")
        c.wait(lambda: edge.source()["state"] == "stale", "the loss of the session")
        tap.check(all(f"info: router edge: bgp {routes.ROUTER}: session is {what}" in c.log() for what in ("up", "down: ")),
                  "the log says which router it is, by name and address", c.log())
        with edge.speaker() as speaker:
            speaker.send(updates({"203.0.113.0/24": route("1299 64496")}), end_of_rib())
            c.wait(lambda: len(changes()) >= 4, "the change over the loss")
            tap.equal(changes()[3:], [change("203.0.113.0/24", "174 64496", "1299 64496")],
                      "another path after the session was lost and came back is one change")
            c.kill()
            c.start()
            tap.equal(len(changes()), 4, "they survive a crash")


def test(tap, rng):
    test_add_path(tap)
    test_two_byte(tap, rng)
    test_next_hops(tap)
    test_malformed(tap)
    test_restarts(tap)
    test_refresh(tap)
    test_strangers(tap)
    test_collision(tap)
    test_password(tap)
    test_limit(tap)
    test_limit_of_files(tap)
    test_churn(tap)
    test_listing(tap, rng)


routes.run(test)
