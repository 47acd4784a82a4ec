#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`whereto mrt` against bgpdump, on files generated here: every line must be the same, byte for byte. The
JSON form is checked against what was put in. Damaged files must name file and offset, and in a
collector's log the router."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import mrtgen  # noqa: E402
from collector import Collector  # noqa: E402
from mrtgen import Peer  # noqa: E402
from tap import Tap  # noqa: E402

WHERETO = os.environ["WHERETO"]
BGPDUMP = shutil.which("bgpdump")
SEED = int(os.environ.get("WT_SEED", random.randrange(1 << 32)))

PEERS = [Peer("192.0.2.1", 64500), Peer("2001:db8::1", 4200000001), Peer("198.51.100.7", 174, two_byte=True),
         Peer("::ffff:192.0.2.9", 64502), Peer("::1:2", 64503)]
LOCAL = Peer("192.0.2.254", 64999)
LOCAL6 = Peer("2001:db8::fe", 64999)


def run(*args, stdin=None):
    done = subprocess.run([WHERETO, "mrt", *args], input=stdin, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def bgpdump(path):
    return subprocess.run([BGPDUMP, "-m", path], capture_output=True, check=False).stdout


def first_difference(got, expected):
    for number, (a, b) in enumerate(zip(got.split(b"\n"), expected.split(b"\n")), 1):
        if a != b:
            return f"line {number}\ngot      {a[-300:]!r}\nexpected {b[-300:]!r}"
    return f"{len(got)} and {len(expected)} bytes"


def same_as_bgpdump(tap, name, path):
    if not BGPDUMP:
        tap.skip(name, "bgpdump isn't installed")
        return
    status, got, errors = run(path)
    expected = bgpdump(path)
    tap.check(status == 0 and got == expected and expected, name, f"status {status} {errors}\n"
              + first_difference(got, expected))


def random_path(rng):
    def asn():
        return rng.choice([rng.randrange(1, 65536), rng.randrange(65536, 1 << 32), 0, 23456, (1 << 32) - 1])

    def several(low, high, between):
        return between.join(str(asn()) for _ in range(rng.randrange(low, high)))

    parts = []
    if rng.random() < 0.1:
        parts.append("(" + several(1, 4, " ") + ")")
    if rng.random() < 0.05:
        parts.append("[" + several(1, 4, ",") + "]")
    parts.append(several(0, 9, " "))
    if rng.random() < 0.2:
        parts.append("{" + several(1, 5, ",") + "}")
    if rng.random() < 0.05:
        parts.append(several(1, 3, " "))
    return " ".join(part for part in parts if part)


def random_attributes(rng, ipv6):
    attrs = {"origin_code": rng.choice([0, 0, 0, 1, 2])}
    if ipv6:
        attrs["next_hop"] = rng.choice(["2001:db8::1", "fe80::1", "::1", "::ffff:192.0.2.1", "1:0:2:3:4:5:6:7", "1::"])
        if rng.random() < 0.3:
            attrs["link_local"] = "fe80::2"
    else:
        attrs["next_hop"] = f"192.0.2.{rng.randrange(256)}"
    for name in ("med", "local_pref"):
        if rng.random() < 0.5:
            attrs[name] = rng.choice([0, 100, 1 << 31, (1 << 32) - 1, rng.randrange(1 << 32)])
    if rng.random() < 0.5:
        attrs["communities"] = [rng.choice(["no-export", "no-advertise", "local-AS", "65535:666",
                                            f"{rng.randrange(65536)}:{rng.randrange(65536)}"])
                                for _ in range(rng.randrange(1, 30))]
    if rng.random() < 0.3:
        attrs["large_communities"] = [f"{rng.randrange(1 << 32)}:{i}:{rng.randrange(1 << 32)}" for i in range(3)]
    if rng.random() < 0.2:
        attrs["ext_communities"] = ["0002fde800000064", "4300000000000001"]
    if rng.random() < 0.2:
        attrs["aggregator"] = (rng.randrange(1 << 32), "203.0.113.5")
    if rng.random() < 0.2:
        attrs["atomic_aggregate"] = True
    if rng.random() < 0.1:
        attrs["originator_id"] = "192.0.2.33"
        attrs["cluster_list"] = ["192.0.2.34", "192.0.2.35"]
    if rng.random() < 0.1:
        attrs["raw"] = [(0xC0, 99, b"\1\2\3"), (0xE0, 35, b"")]
    return attrs


def random_prefix(rng, ipv6):
    if ipv6:
        bits = rng.randrange(129)
        words = [rng.choice([0, 0, 0, rng.randrange(65536)]) for _ in range(8)]
        return ":".join(f"{word:x}" for word in words) + f"/{bits}"
    return ".".join(str(rng.randrange(256)) for _ in range(4)) + f"/{rng.randrange(33)}"


def random_routes(rng, count):
    routes = []
    for _ in PEERS:
        own = {}
        for _ in range(count):
            ipv6 = rng.random() < 0.4
            own[random_prefix(rng, ipv6)] = (random_path(rng), random_attributes(rng, ipv6))
        own["0.0.0.0/0"] = (random_path(rng), random_attributes(rng, False))
        own["::/0"] = (random_path(rng), random_attributes(rng, True))
        routes.append([(prefix, *rest) for prefix, rest in own.items()])
    return routes


def test_tables(tap, folder, rng):
    path = os.path.join(folder, "rib.mrt")
    routes = random_routes(rng, 400)
    mrtgen.write_table(path, PEERS, routes)
    same_as_bgpdump(tap, "random table", path)
    for ending in (".gz", ".bz2", ".xz", ".zst"):
        mrtgen.write_table(path + ending, PEERS, routes)
        tap.equal(run(path + ending), run(path), f"the same from {ending}")
    with open(path + ".gz", "rb") as file:
        tap.equal(run("-", stdin=file.read()), run(path), "the same from standard input")
    if shutil.which("zstd"):
        subprocess.run(["zstd", "-q", path, "-o", path + ".packed"], check=True)
        tap.equal(run(path + ".packed"), run(path), "the same from zstd's own file")
    else:
        tap.skip("the same from zstd's own file", "zstd isn't installed")
    mrtgen.write_table(path, PEERS, routes, full_mp_reach=True)
    same_as_bgpdump(tap, "full MP_REACH_NLRI", path)
    for number, own in enumerate(routes):
        for _, _, attrs in own:
            attrs["path_id"] = rng.randrange(1 << 32) if number else 0
    mrtgen.write_table(path, PEERS, routes, add_path=True)
    same_as_bgpdump(tap, "ADD-PATH", path)


def test_odd_tables(tap, folder):
    path = os.path.join(folder, "odd.mrt")
    nh = {"next_hop": "192.0.2.1"}
    long_path = " ".join(str(65000 + i) for i in range(700))
    longer = " ".join(str(4200000000 + i) for i in range(900))
    cases = {
        "no path, no next hop, no origin": [(None, {"origin_code": None})],
        "empty path": [("", nh)],
        "path of 700": [(long_path, nh)],
        "path text that bgpdump cuts": [(longer, nh), ("{" + longer.replace(" ", ",") + "}", nh)],
        "nothing but sets": [("{1,2} {3}", nh), ("[1,2] (3 4)", nh), ("(1) 2 (3) {4}", nh)],
        "path of an unknown segment type": [("", {**nh, "raw": []}), (None, {"raw": [(0x40, 2, b"\5\1\0\0\0\1")]})],
        "path that is cut": [(None, {"raw": [(0x40, 2, b"\2\2\0\0\0\1")]})],
        "300 communities": [("1", {**nh, "communities": [f"{i}:{i}" for i in range(300)]})],
        "communities that bgpdump cuts": [("1", {**nh, "communities": ["65535:65535"] * 1200 + ["no-export"] * 9})],
        "origin out of range": [("1", {**nh, "origin_code": 9})],
        "aggregator 255.255.255.255": [("1", {**nh, "aggregator": (5, "255.255.255.255")})],
        "AS4_PATH where it has no place": [("1 2", {**nh, "raw": [(0xC0, 17, b"\2\1\0\0\0\7")]})],
        "IPv4 with an IPv6 next hop": [("1", {"next_hop": "2001:db8::5"}),
                                       ("1", {**nh, "raw": [(0x80, 14, b"\0\1\1\4\xc0\0\2\7\0")]})],
        "IPv4 next hop in MP_REACH": [("1", {"raw": [(0x80, 14, b"\4\xc0\0\2\7")]})],
        "attributes of 60 kB": [("1", {**nh, "raw": [(0xC0, 99, b"x" * 60000)]})],
    }
    for name, entries in cases.items():
        records = [mrtgen.peer_index_table(PEERS)]
        blocks = [mrtgen.pack_attributes(p, a) for p, a in entries]
        for number, prefix in enumerate(["198.51.100.0/24", "2001:db8:1::/48"]):
            records.append(mrtgen.rib_record(number, prefix, [(i % 5, 7, 0, b) for i, b in enumerate(blocks)]))
        mrtgen.write(path, records)
        same_as_bgpdump(tap, name, path)
    block = mrtgen.pack_attributes("1 2 3", nh)
    mrtgen.write(path, [mrtgen.peer_index_table(PEERS),
                        mrtgen.rib_record(0, "198.51.100.0/24", [(i % 5, i, 0, block) for i in range(5000)]),
                        mrtgen.rib_record(1, "198.51.100.0/24", [])])
    same_as_bgpdump(tap, "record of 5000 entries and one of none", path)
    mrtgen.write(path, [mrtgen.record(5, 48, 1, b"ospf"), mrtgen.record(5, 13, 6, b"generic"),
                        mrtgen.peer_index_table(PEERS, view_name=b"a view"),
                        mrtgen.rib_record(0, "198.51.100.0/24", [(0, 0, 0, block)]),
                        mrtgen.peer_index_table(PEERS[1:]),
                        mrtgen.rib_record(0, "198.51.100.0/24", [(0, 0, 0, block)])])
    same_as_bgpdump(tap, "other records between, and a second peer table", path)


def test_old_tables(tap, folder, rng):
    path = os.path.join(folder, "old.mrt")
    records = []
    for number in range(300):
        ipv6 = rng.random() < 0.4
        attrs = random_attributes(rng, ipv6)
        attrs["aggregator"] = (rng.choice([23456, rng.randrange(65536)]), "203.0.113.5")
        if rng.random() < 0.5:
            attrs["raw"] = [(0xC0, 18, b"\0\1\0\1\xcb\0\x71\x07")]
        tail = " ".join(str(rng.randrange(65536, 1 << 32)) for _ in range(rng.randrange(4)))
        if tail and rng.random() < 0.7:
            attrs.setdefault("raw", []).append((0xC0, 17, mrtgen.pack_path(tail)))
        as_path = " ".join(str(rng.choice([23456, rng.randrange(65536)])) for _ in range(rng.randrange(1, 5)))
        if rng.random() < 0.2:
            as_path += " {7,8}"
        peer = Peer("2001:db8::1" if ipv6 else "192.0.2.1", 64500)
        records.append(mrtgen.table_dump_record(number, random_prefix(rng, ipv6), peer, as_path, attrs))
        records.append(mrtgen.table_dump_record(number, random_prefix(rng, ipv6), peer, as_path, attrs, as_bytes=4))
    mrtgen.write(path, records)
    same_as_bgpdump(tap, "TABLE_DUMP", path)


def test_other_tables(tap, folder, rng):
    """Multicast, generic and geographic tables: not in bgpdump's lines, prefixes all in JSON."""
    path = os.path.join(folder, "other.mrt")
    block = mrtgen.pack_attributes("1 {2,3} (4)", {"next_hop": "192.0.2.1"})
    entries = [(0, 7, 5, block), (1, 7, 6, block)]
    six, four = mrtgen.pack_prefix("2001:db8::/32")[0], mrtgen.pack_prefix("198.51.100.0/24")[0]
    records = [mrtgen.peer_index_table(PEERS),
               mrtgen.rib_record(0, "198.51.100.0/24", entries, multicast=True),
               mrtgen.rib_record(1, "2001:db8::/32", entries, multicast=True),
               mrtgen.rib_record(2, "198.51.100.0/24", entries, multicast=True, add_path=True),
               mrtgen.rib_record(3, "2001:db8::/32", entries, multicast=True, add_path=True),
               mrtgen.generic_record(4, 1, 1, four, entries),
               mrtgen.generic_record(5, 2, 1, six, entries, add_path=True),
               mrtgen.generic_record(6, 2, 1, six, entries, add_path=True, path_id=9),
               mrtgen.generic_record(7, 1, 128, b"\x70" + b"\0" * 11 + b"\1\2\3", entries),
               mrtgen.record(8, 13, 7, b"\0\0\0\0" * 9),
               mrtgen.rib_record(9, "198.51.100.0/24", entries)]
    mrtgen.write(path, records)
    same_as_bgpdump(tap, "tables of every subtype", path)
    status, out, errors = run(path, "--format", "json")
    rows = [json.loads(line) for line in out.splitlines()]
    seen = [(row["prefix"], row["safi"], row["path_id"]) for row in rows]
    expected = [(prefix, safi, path_id) for prefix, safi, ids in
                [("198.51.100.0/24", 2, (None, None)), ("2001:db8::/32", 2, (None, None)),
                 ("198.51.100.0/24", 2, (5, 6)), ("2001:db8::/32", 2, (5, 6)), ("198.51.100.0/24", 1, (None, None)),
                 ("2001:db8::/32", 1, (5, 6)), ("2001:db8::/32", 1, (9, 9)), ("198.51.100.0/24", 1, (None, None))]
                for path_id in ids]
    tap.equal((status, errors, seen), (0, "", expected), "tables of every subtype in JSON")


def test_next_hops(tap, folder):
    """Every length that a next hop has, in both forms of MP_REACH and in messages."""
    path = os.path.join(folder, "hops.mrt")
    v4, v6, local = (mrtgen.pack_address(a) for a in ("192.0.2.7", "2001:db8::7", "fe80::7"))
    rd = b"\0" * 8
    hops = {4: v4, 16: v6, 32: v6 + local, 12: rd + v4, 24: rd + v6, 48: rd + v6 + rd + local}
    expected = {}
    for size, hop in hops.items():
        records = [mrtgen.peer_index_table(PEERS)]
        for prefix in ("198.51.100.0/24", "2001:db8:1::/48"):
            packed, ipv6 = mrtgen.pack_prefix(prefix)
            afi = 2 if ipv6 else 1
            for value in (bytes([size]) + hop, mrtgen.mp_reach_full(hop, packed, afi),
                          mrtgen.mp_reach_full(hop, b"", afi)):
                for attrs in ({}, {"next_hop": "192.0.2.9"}):
                    block = mrtgen.pack_attributes("1 2", attrs, mp_reach=value)
                    records.append(mrtgen.rib_record(0, prefix, [(0, 7, 0, block)]))
            block = mrtgen.pack_attributes("1 2", {}, mp_reach=mrtgen.mp_reach_full(hop, packed, afi))
            records.append(mrtgen.message_record(mrtgen.update(block), PEERS[0], LOCAL))
        mrtgen.write(path, records)
        expected[size] = "192.0.2.7" if size in (4, 12) else "2001:db8::7"
        if size in (4, 16, 32):
            same_as_bgpdump(tap, f"next hop of {size} bytes", path)
        rows = [json.loads(line) for line in run(path, "--format", "json")[1].splitlines()]
        tap.equal({row["next_hop"] for row in rows}, {expected[size]}, f"next hop of {size} bytes in JSON")


def test_hidden_add_path(tap, folder):
    """Path identifiers in messages whose subtype knows none (bgpdump issue 9)."""
    path = os.path.join(folder, "hidden.mrt")
    block = mrtgen.pack_attributes("1 2", {"next_hop": "192.0.2.1"})
    six = mrtgen.pack_attributes("1 2", {}, mp_reach=mrtgen.mp_reach_full(
        mrtgen.pack_address("2001:db8::7"), mrtgen.nlri(["2001:db8:1::/48", "2001:db8:2::/48"], 1)))
    gone = mrtgen.nlri(["203.0.113.0/24", "198.51.100.0/25"], 2)
    messages = [mrtgen.update(block, mrtgen.nlri(["198.51.100.0/24", "203.0.113.0/24"], 7), gone), mrtgen.update(six)]

    def write(add_path):
        mrtgen.write(path, [mrtgen.message_record(m, PEERS[0], LOCAL, add_path=add_path) for m in messages])

    write(True)
    told = run(path)
    same_as_bgpdump(tap, "ADD-PATH told by the subtype", path)
    write(False)
    tap.equal(run(path), told, "ADD-PATH that the subtype does not tell")


def test_messages_of_1999(tap, folder):
    """The deprecated type 5. bgpdump prints them with a column too few, and the peer instead of what is withdrawn."""
    path = os.path.join(folder, "1999.mrt")
    peer, local = Peer("192.0.2.1", 3333), Peer("192.0.2.2", 12654)
    attrs = {"next_hop": "192.0.2.1", "med": 5, "communities": ["1:2"], "aggregator": (7, "203.0.113.5")}
    block = mrtgen.pack_attributes("3333 {286,1103}", attrs, as_bytes=2)
    update = mrtgen.update(block, mrtgen.nlri(["198.51.100.0/24", "10.0.0.0/8"]), mrtgen.nlri(["11.0.0.0/8"]))
    mrtgen.write(path, [mrtgen.old_message_record(update, peer, local), mrtgen.old_state_record(6, 1, peer),
                        mrtgen.record(5, 5, 7, b"\0\7\1\2\3\4\0\7\1\2\3\4")])
    head = "BGP|1700000000|"
    lines = [head + "W|192.0.2.1|3333|11.0.0.0/8"]
    lines += [f"{head}A|192.0.2.1|3333|{prefix}|3333 {{286,1103}}|IGP|192.0.2.1|0|5|1:2|NAG|7 203.0.113.5|"
              for prefix in ("198.51.100.0/24", "10.0.0.0/8")]
    lines.append(head + "STATE|192.0.2.1|3333|6|1")
    tap.equal(run(path), (0, "".join(line + "\n" for line in lines).encode(), ""), "messages of 1999")
    if BGPDUMP:
        theirs = "".join(line + "\n" for line in lines).replace("|11.0.0.0/8", "|192.0.2.1/8").replace("|5|1:2", "|51:2")
        tap.equal(bgpdump(path).decode(), theirs, "what bgpdump makes of them")


def test_bgpdump_bugs(tap, folder):
    """What docs/mrt.md lists, shown."""
    path = os.path.join(folder, "bugs.mrt")
    peer = Peer("192.0.2.1", 64500)

    def check(name, records, ours, theirs):
        mrtgen.write(path, records)
        tap.equal(run(path)[1].decode().splitlines(), ours, name)
        if BGPDUMP:
            tap.equal(bgpdump(path).decode().splitlines(), theirs, name + ": bgpdump")

    nh = {"next_hop": "192.0.2.9"}
    row = "TABLE_DUMP|1700000000|B|192.0.2.1|64500|198.51.100.0/24|%s|IGP|192.0.2.9|0|0||NAG|%s|"
    raw = {**nh, "raw": [(0xC0, 7, b"\0\1\0\1\xcb\0\x71\7")]}
    check("AGGREGATOR with four bytes of AS beside a path with two",
          [mrtgen.table_dump_record(0, "198.51.100.0/24", peer, "1 2", raw)],
          [row % ("1 2", "65537 203.0.113.7")], [row % ("1 2", "1 0.1.203.0")])
    confed = {**nh, "raw": [(0xC0, 17, mrtgen.pack_path("70000"))]}
    check("a confederation in a path that AS4_PATH completes",
          [mrtgen.table_dump_record(0, "198.51.100.0/24", peer, "(65001 65002) 1 23456", confed)],
          [row % ("(65001 65002) 1 70000", "")], [row % ("(65001 65002) (65001) 70000", "")])
    confed = {**nh, "raw": [(0xC0, 17, mrtgen.pack_path("(65001 65002) 1 70000"))]}
    check("a confederation in AS4_PATH",
          [mrtgen.table_dump_record(0, "198.51.100.0/24", peer, "1 23456", confed)],
          [row % ("1 70000", "")], [row % ("1 23456", "")])
    update = mrtgen.update(mrtgen.pack_attributes("1", nh), b"\x21\1\2\3\4\5" + mrtgen.nlri(["198.51.100.0/24"]))
    tail = "|1|IGP|192.0.2.9|0|0||NAG||"
    check("a prefix of 33 bits", [mrtgen.message_record(update, peer, LOCAL)], [],
          ["BGP4MP|1700000000|A|192.0.2.1|64500|1.2.3.4/33" + tail, "BGP4MP|1700000000|A|192.0.2.1|64500|198.51.100.0/24" + tail])


def random_message(rng, as_bytes, add_path):
    def prefixes(ipv6):
        """No default route twice: that would be read as path identifiers."""
        several = [random_prefix(rng, ipv6) for _ in range(rng.randrange(5))]
        several = [p for i, p in enumerate(several) if not i or not p.endswith("/0")]
        return mrtgen.nlri(several, rng.randrange(1 << 32) if add_path else None)

    attrs = random_attributes(rng, False)
    if as_bytes == 2:
        attrs["aggregator"] = (rng.randrange(65536), "203.0.113.5")
    raw = attrs.setdefault("raw", [])
    if rng.random() < 0.3:
        raw.append((0x80, 15, b"\0\2\1" + prefixes(True)))
    elif rng.random() < 0.3:
        raw.append((0x80, 15, b"\0\1" + bytes([rng.choice([1, 2, 4])]) + prefixes(False)))
    mp_reach = None
    if rng.random() < 0.4:
        hops = [b"\x20\1" + b"\0" * 13 + b"\1", b"\x20\1" + b"\0" * 30, b"\xc0\0\2\1"]
        ipv6 = rng.random() < 0.6
        mp_reach = mrtgen.mp_reach_full(rng.choice(hops), prefixes(ipv6), 2 if ipv6 else 1, rng.choice([1, 1, 2]))
    path = " ".join(str(rng.choice([23456, rng.randrange(1 << 16)])) for _ in range(rng.randrange(6)))
    if rng.random() < 0.2:
        path += " {%d,%d}" % (rng.randrange(1 << 16), rng.randrange(1 << 16))
    if as_bytes == 2 and rng.random() < 0.4:
        raw.append((0xC0, 17, mrtgen.pack_path(" ".join(str(rng.randrange(65536, 1 << 32)) for _ in range(3)))))
    elif rng.random() < 0.2:
        path = "(65001 65002) " + path + " [65003,65004]"
    block = mrtgen.pack_attributes(path, attrs, as_bytes=as_bytes, mp_reach=mp_reach)
    return mrtgen.update(block, prefixes(False), prefixes(False))


def test_messages(tap, folder, rng):
    path = os.path.join(folder, "updates.mrt")
    for add_path in (False, True):
        records = []
        for number in range(400):
            peer, local = rng.choice([(PEERS[0], LOCAL), (Peer("2001:db8::9", 64501), LOCAL6)])
            as_bytes = rng.choice([2, 4])
            records.append(mrtgen.message_record(random_message(rng, as_bytes, add_path), peer, local, as_bytes,
                                                 microseconds=rng.choice([None, 0, 7, 999999]), add_path=add_path,
                                                 sent=rng.random() < 0.3))
            if number % 50 == 0:
                records.append(mrtgen.state_record(1, 6, peer, local, rng.choice([2, 4])))
                records.append(mrtgen.message_record(b"\xff" * 16 + b"\0\x13\4", peer, local))
                records.append(mrtgen.message_record(mrtgen.update(), peer, local))
        mrtgen.write(path, records)
        same_as_bgpdump(tap, "messages with ADD-PATH" if add_path else "messages", path)


def test_updates(tap, folder):
    """A source with update files, as `whereto check` loads it: a table of two peers at noon, then messages."""
    noon = 1700000000
    first, second = PEERS[0], Peer("192.0.2.2", 64501)
    nh = {"next_hop": "192.0.2.9"}
    mrtgen.write_table(os.path.join(folder, "rib.gz"), [first, second],
                       [[("198.51.100.0/24", "1 2", nh), ("203.0.113.0/24", "1", nh)],
                        [("198.51.100.0/24", "1 2 3", nh)]], time=noon)

    def message(peer, time, announced=(), withdrawn=()):
        block = mrtgen.pack_attributes("7 8", nh) if announced else b""
        return mrtgen.message_record(mrtgen.update(block, mrtgen.nlri(announced), mrtgen.nlri(withdrawn)), peer, LOCAL,
                                     time=time)

    mrtgen.write(os.path.join(folder, "updates.1100.bz2"), [message(first, noon - 1, ["10.0.0.0/8"])])
    mrtgen.write(os.path.join(folder, "updates.1200.bz2"), [message(first, noon + 1, ["11.0.0.0/8", "12.0.0.0/8"]),
                                                            message(first, noon + 2, [], ["198.51.100.0/24"])])
    mrtgen.write(os.path.join(folder, "updates.1215.xz"), [message(first, noon + 900, [], ["12.0.0.0/8"]),
                                                           mrtgen.state_record(6, 1, Peer("192.0.2.77", 9), LOCAL,
                                                                               time=noon + 901)])
    subprocess.run([WHERETO, "keygen", os.path.join(folder, "key")], check=True, capture_output=True)
    config = os.path.join(folder, "whereto.yaml")
    for peer, routes, updates in (("", 3, 3), (", peer: 192.0.2.1", 2, 3), (", peer: 192.0.2.2", 1, 0)):
        with open(config, "w", encoding="utf-8") as file:
            file.write("telemetry: {keys: [{id: 1, file: key}]}\nrouters: [{name: edge1, serves: [192.0.2.0/24], sources: "
                       f"[{{mrt: {{file: rib.gz, updates: ['updates.1*']{peer}}}}}]}}]\n")
        done = subprocess.run([WHERETO, "check", config], capture_output=True, check=False, text=True)
        tap.check(done.returncode == 0 and f"rib.gz: {routes} routes, {updates} UPDATEs applied" in done.stdout,
                  f"update files{peer}", done.stdout + done.stderr)


def test_json(tap, folder):
    path = os.path.join(folder, "json.mrt")
    attrs = {"next_hop": "192.0.2.9", "med": 0, "local_pref": 4294967295, "communities": ["174:1", "65535:65281"],
             "large_communities": ["4200000000:1:2"], "ext_communities": ["0002fde800000064"],
             "aggregator": (4200000000, "203.0.113.5"), "atomic_aggregate": True, "originator_id": "192.0.2.33",
             "cluster_list": ["192.0.2.34", "192.0.2.35"], "raw": [(0xC0, 99, b"\1\xff")]}
    mrtgen.write_table(path, PEERS, [[("198.51.100.0/24", "1 {2,3} (4 5) [6,7]", attrs)],
                                     [("2001:db8:1::/48", "", {"next_hop": "2001:db8::1", "origin_code": None})]])
    status, out, errors = run(path, "--format", "json")
    rows = [json.loads(line) for line in out.splitlines()]
    tap.equal((status, errors, len(rows)), (0, "", 2), "two lines of JSON")
    tap.equal(rows[0], {
        "kind": "rib", "time": 1700000000, "prefix": "198.51.100.0/24", "safi": 1, "path_id": None, "peer": "192.0.2.1",
        "peer_as": 64500, "originated": 1699999940, "path": "1 {2,3} (4 5) [6,7]", "origin_code": "IGP",
        "next_hop": "192.0.2.9", "local_pref": 4294967295, "med": 0, "communities": ["174:1", "65535:65281"],
        "ext_communities": ["0002fde800000064"], "large_communities": ["4200000000:1:2"],
        "atomic_aggregate": True, "aggregator": {"as": 4200000000, "address": "203.0.113.5"},
        "originator_id": "192.0.2.33", "cluster_list": ["192.0.2.34", "192.0.2.35"],
        "unknown": [{"flags": 192, "code": 99, "value": "01ff"}], "malformed": []}, "every attribute")
    tap.equal([rows[1][k] for k in ("path", "origin_code", "next_hop", "med", "communities", "aggregator", "unknown")],
              ["", None, "2001:db8::1", None, None, None, []], "absent is null")


def test_damaged(tap, folder, rng):
    path = os.path.join(folder, "damaged.mrt")
    mrtgen.write_table(path, PEERS, random_routes(rng, 30))
    whole = run(path)[1]
    with open(path, "rb") as file:
        data = file.read()
    for ending in ("", ".gz", ".bz2", ".xz", ".zst"):
        name = path + ".cut" + ending
        packed = mrtgen.compress(data, name)
        with open(name, "wb") as file:
            file.write(packed[:len(packed) // 2] if ending else data[:-7])
        status, out, errors = run(name)
        tap.check(status == 1 and whole.startswith(out) and len(out) < len(whole) and out.endswith(b"\n") | (not out)
                  and name in errors and "offset " in errors, f"cut short{' ' + ending if ending else ''}",
                  (status, len(out), len(whole), errors))
    for ending in (".gz", ".bz2", ".xz"):
        name = path + ".flipped" + ending
        packed = bytearray(mrtgen.compress(data, name))
        packed[-20 if ending == ".gz" else len(packed) // 2] ^= 1
        with open(name, "wb") as file:
            file.write(packed)
        status, out, errors = run(name)
        tap.check(status == 1 and name in errors and "offset " in errors, f"one bit changed in {ending}",
                  (status, errors))
    bad = {"longer than the file": data[:8] + b"\0\0\xff\xff" + data[12:],
           "of no length": data[:8] + b"\0\0\0\0" + data[12:],
           "text": b"no MRT file at all, just some text that goes on\n" * 9,
           "peer out of range": mrtgen.peer_index_table(PEERS)
           + mrtgen.rib_record(0, "192.0.2.0/24", [(5, 0, 0, b"")]),
           "no peer table": mrtgen.rib_record(0, "192.0.2.0/24", [(0, 0, 0, b"")]),
           "prefix length 33": mrtgen.peer_index_table(PEERS)
           + mrtgen.record(1, 13, 2, b"\0\0\0\1\x21\1\2\3\4\5\0\0"),
           "entry longer than its record": mrtgen.peer_index_table(PEERS)
           + mrtgen.record(1, 13, 2, b"\0\0\0\1\0\0\1\0\0\0\0\0\0\0\7\1\2\3")}
    for name, content in bad.items():
        with open(path, "wb") as file:
            file.write(content)
        status, out, errors = run(path)
        tap.check(status == 1 and path in errors and "offset " in errors and len(errors.splitlines()) == 1,
                  f"damaged: {name}", (status, errors))
    status, out, errors = run(os.path.join(folder, "absent"))
    tap.check(status == 1 and "absent" in errors and not out, "missing file", errors)
    open(path, "wb").close()
    tap.equal(run(path), (0, b"", ""), "an empty file has no lines")
    tap.equal([run()[0], run(path, "--format", "xml")[0], run(path, path)[0], run("--what", path)[0]], [2] * 4,
              "wrong usage")


def test_damaged_at_start(tap, folder):
    """The other sources are there, so the collector starts."""
    path = os.path.join(folder, "cut.mrt")
    with open(path, "wb") as file:
        file.write(b"garbage")
    with Collector(os.path.join(folder, "collector"), routers=[
            {"name": "edge1", "serves": ["192.0.2.0/24"], "sources": [{"mrt": {"file": path}}]}]) as collector:
        tap.check(f"error: router edge1: {path}: offset 0: " in collector.log() and "the collector starts without it" in collector.log(),
                  "a damaged file at the start: the log names router, file and offset", collector.log())


def main():
    tap = Tap()
    tap.note(f"WT_SEED={SEED}")
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        test_tables(tap, folder, rng)
        test_odd_tables(tap, folder)
        test_old_tables(tap, folder, rng)
        test_messages(tap, folder, rng)
        test_other_tables(tap, folder, rng)
        test_next_hops(tap, folder)
        test_hidden_add_path(tap, folder)
        test_messages_of_1999(tap, folder)
        test_bgpdump_bugs(tap, folder)
        test_updates(tap, folder)
        test_json(tap, folder)
        test_damaged(tap, folder, rng)
        test_damaged_at_start(tap, folder)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
