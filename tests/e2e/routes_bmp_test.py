#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a router may say by BMP and no daemon at hand does, or not when wanted: Loc-RIB without a Peer Up, VRFs,
Adj-RIB-Out, ADD-PATH, two-byte paths, peers that go and come, damaged messages, strangers."""

import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import bgpspeaker  # noqa: E402
import bgptable  # noqa: E402
import bmpexporter  # noqa: E402
import routes  # noqa: E402
from bgpspeaker import capabilities, end_of_rib, update_messages, withdrawals  # noqa: E402
from bmpexporter import Exporter, Peer, initiation, message, monitoring, peer_down, peer_up, termination  # noqa: E402

VRF = 64500 << 32 | 1  # 64500:1


def table(path, *prefixes, **more):
    route = bgptable.Attributes(**{**dict.fromkeys(bgptable.Attributes._fields), "path": path, "origin_code": "igp",
                                   "next_hop": "192.0.2.1", "local_pref": 100, "atomic_aggregate": False, **more})
    return {prefix: route._replace(next_hop="2001:db8::1") if ":" in prefix else route
            for prefix in prefixes or ("198.51.100.0/24", "203.0.113.0/24", "2001:db8:10::/48")}


PRE, POST, LOC, OUT = table("64501"), table("64502"), table("64503"), table("64504")


class Edge:
    """A collector that has one router, "edge", by BMP. source: more of the source's options."""

    def __init__(self, stale="20s", **source):
        self.entry = routes.router("edge", stale=stale, bmp={"from": routes.ROUTER, **source})

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.collector = routes.collector(self.folder.name, [self.entry])
        self.target = (routes.COLLECTOR, routes.bmp_port(self.collector))
        return self

    def __exit__(self, *exception):
        self.collector.kill()
        self.folder.cleanup()

    def exporter(self, address=routes.ROUTER):
        return Exporter(self.target, address)

    def expect(self, tap, expected, what, **fields):
        routes.expect(tap, self.collector, "edge", expected, what, 10, **fields)


def told(peer, routes_of, flags=None, **options):
    return b"".join(monitoring(peer, update_messages(routes_of, **options), flags))


def withdrawn(peer, prefixes, flags=None, **options):
    return b"".join(monitoring(peer, [withdrawals([prefix], **options) for prefix in prefixes], flags))


def test_tables(tap):
    peer, loc = Peer("192.0.2.7", 64999), Peer(None, 64500, kind=bmpexporter.LOC_RIB)
    with Edge() as edge, edge.exporter() as router:
        router.send(initiation(), peer_up(peer), told(peer, PRE))
        edge.expect(tap, PRE, "routes before policy", peer="192.0.2.7", source="bmp", match="own")
        router.send(told(peer, POST, bmpexporter.POST_POLICY))
        edge.expect(tap, POST, "after policy is better", peer="192.0.2.7")
        router.send(told(peer, OUT, bmpexporter.ADJ_RIB_OUT), told(peer, OUT, bmpexporter.ADJ_RIB_OUT | 0x40))
        edge.expect(tap, POST, "what is sent to a peer is not the router's table")
        router.send(told(loc, LOC))
        edge.expect(tap, LOC, "Loc-RIB is best, without a Peer Up too")
        router.send(withdrawn(peer, POST, bmpexporter.POST_POLICY), withdrawn(peer, PRE))
        edge.expect(tap, LOC, "and is another table")
    for name, flags, expected in (("pre-policy", 0, PRE), ("post-policy", 0x40, POST), ("adj-rib-out", 0x50, OUT)):
        with Edge(table=name) as edge, edge.exporter() as router:
            router.send(initiation(), peer_up(peer))
            for its, of in ((0, PRE), (0x40, POST), (0x50, OUT)):
                router.send(told(peer, of, its))
            router.send(told(loc, LOC))
            edge.expect(tap, expected, f"table: {name}")


def test_vrfs(tap):
    plain = Peer("192.0.2.7", 64999)
    inside = Peer("192.0.2.7", 64999, kind=bmpexporter.DISTINGUISHED, distinguisher=VRF)
    for what, source, expected in (("the global table", {}, PRE), ("a VRF by its name", {"vrf": "blue"}, POST),
                                   ("a VRF by its distinguisher", {"vrf": "64500:1"}, POST)):
        with Edge(**source) as edge, edge.exporter() as router:
            router.send(initiation(), peer_up(plain), peer_up(inside, tlvs=bmpexporter.tlv(3, b"blue")))
            router.send(told(inside, POST, 0), told(plain, PRE))
            edge.expect(tap, expected, what)


def test_peers(tap):
    first, second = Peer("192.0.2.7", 64999), Peer("2001:db8::7", 64998, router_id="192.0.2.100")
    better, worse = table("64501", local_pref=200), table("64502", local_pref=50)
    with Edge(stale="2s") as edge, edge.exporter() as router:
        router.send(initiation(), peer_up(first), peer_up(second), told(first, better), told(second, worse))
        edge.expect(tap, better, "the better of two peers", peer="192.0.2.7")
        router.send(peer_down(first))
        edge.expect(tap, worse, "it goes down", peer="2001:db8::7", match="own")
        router.send(peer_up(first), told(first, better))
        edge.expect(tap, better, "it is back", match="own")
        router.send(peer_down(first), peer_down(second, reason=1))
        edge.expect(tap, {}, "both are down: their routes go after `stale`")
        router.send(peer_up(first), peer_up(first), told(first, better),
                    *monitoring(first, [end_of_rib([4]), end_of_rib([6])]))
        edge.expect(tap, better, "a Peer Up twice", match="own")


def test_forms(tap, rng):
    generated = bgptable.generate(rng, 300, 100)
    two_byte = Peer("192.0.2.7", 23456, flags=bmpexporter.TWO_BYTE)
    with Edge() as edge, edge.exporter() as router:
        router.send(peer_up(two_byte), told(two_byte, generated, as_bytes=2))
        edge.expect(tap, generated, "two-byte paths, as the flag says")
    several = Peer("192.0.2.7", 64999, sent=capabilities(64999, add_path=bgpspeaker.RECEIVE),
                   received=capabilities(64999, add_path=bgpspeaker.SEND))
    better = table("64501", local_pref=200)
    with Edge() as edge, edge.exporter() as router:
        router.send(peer_up(several), told(several, PRE, path_id=1), told(several, better, path_id=2))
        edge.expect(tap, better, "ADD-PATH, as the OPENs in the Peer Up say")
        router.send(withdrawn(several, better, path_id=2))
        edge.expect(tap, PRE, "the better path is withdrawn")


def test_faults(tap):
    peer = Peer("192.0.2.7", 64999)
    with Edge() as edge:
        with edge.exporter(routes.ROUTERS[1]) as stranger:
            tap.check(stranger.closed_by_station(), "a stranger is closed")
        with edge.exporter() as router:
            router.send(b"\x09" + peer_up(peer)[1:])
            tap.check(router.closed_by_station(), "what isn't BMP is closed")
        with edge.exporter() as router:
            router.send(initiation(), peer_up(peer), told(peer, PRE))
            cut = monitoring(peer, update_messages(POST))[0]
            router.send(message(bmpexporter.ROUTE, cut[6:-3]), message(bmpexporter.ROUTE, b"\0"),
                        message(bmpexporter.PEER_UP, bytes(50)), message(99, b"what is this"),
                        bmpexporter.statistics(peer, {0: 1, 7: 2}), message(bmpexporter.MIRRORING, peer.header()))
            extra = table("64505", "192.0.2.0/25")
            router.send(told(peer, extra))
            edge.expect(tap, {**PRE, **extra}, "damaged and unknown messages are passed over", match="own")
            with edge.exporter() as again:
                again.send(initiation(), peer_up(peer), told(peer, POST))
                tap.check(router.closed_by_station(), "a router's new connection replaces the old one")
                edge.expect(tap, {**POST, **extra}, "and tells anew")
                again.send(termination())
                routes.expect_all_match(tap, edge.collector, "edge", 4, "stale", "Termination: the routes are stale")
        tap.check(all(f"info: router edge: bmp {routes.ROUTER}: {what}" in edge.collector.log() for what in ("connected", "disconnected: ")),
                  "the log says which router it is, by name and address", edge.collector.log())


def test(tap, rng):
    test_tables(tap)
    test_vrfs(tap)
    test_peers(tap)
    test_forms(tap, rng)
    test_faults(tap)


routes.run(test)
