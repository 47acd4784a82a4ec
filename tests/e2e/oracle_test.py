#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The whole chain against a naive computation: 200,000 random records over random tables of 50,000 prefixes and
two routers. Every figure that the API gives, by every dimension, is compared with sums made here by brute
force: the longest match by one dictionary a prefix length, countries by looking at every range, sums by
adding up every record.

WT_SEED sets the seed."""

import bisect
import collections
import ipaddress
import json
import operator
import os
import random
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import mrtgen
import tap
from collector import Collector, program

RECORDS = 200_000
RELOADS = 5
PREFIXES_V4, PREFIXES_V6 = 40_000, 10_000
PATHS = 3000
CLIENTS = 20_000
LOOKUPS = 1000
MINUTE, HOUR, DAY = 60, 3600, 86400

FIGURES = ("bytes_sent", "bytes_received", "packets_sent", "packets_retransmitted", "bytes_retransmitted",
           "packets_spurious", "connections", "connections_with_retransmit", "requests", "duration_ms",
           "goodput_tested", "goodput_met")
SUMS = FIGURES + ("records", "records_approximate", "rtt_count")
RTT_BOUNDS = (0, 1000, 2000, 5000, 10000, 20000, 40000, 70000, 100000, 150000, 250000, 500000, 2000000)
RTT_SUM = len(SUMS)
WIDTH = RTT_SUM + 1 + len(RTT_BOUNDS) - 1   # a cell: SUMS, the sum of round trips, their histogram
DIMENSIONS = ("minute", "router", "type", "prefix", "path", "origin", "neighbour", "country", "match")
PLACE = {name: at for at, name in enumerate(DIMENSIONS)}


# ---- random tables ----

def random_prefixes(rng, bits, count, shortest, longest, base):
    """Nested: half of them are more specific ones of those before. (network as a number, length)"""
    found, listed = set(), []
    while len(listed) < count:
        if listed and rng.random() < 0.5:
            network, length = rng.choice(listed)
            more = min(bits, length + rng.randint(1, 8))
            network |= rng.getrandbits(more - length) << bits - more
            prefix = network, more
        else:
            length = rng.randint(shortest, longest)
            network = base | rng.getrandbits(bits)
            prefix = network >> bits - length << bits - length, length
        if prefix not in found:
            found.add(prefix)
            listed.append(prefix)
    return listed


def prefix_text(bits, network, length):
    address = ipaddress.IPv4Address(network) if bits == 32 else ipaddress.IPv6Address(network)
    return f"{address}/{length}"


class Path:
    """A path as segments, with everything that is told of it, in words of this file's own."""

    def __init__(self, *segments):
        self.segments = segments
        shown = {"seq": (" ", "", ""), "set": (",", "{", "}"), "cseq": (" ", "(", ")"), "cset": (",", "[", "]")}
        words = []
        for kind, members in segments:
            between, left, right = shown[kind]
            words.append(left + between.join(map(str, members)) + right)
        self.text = " ".join(words)   # empty: a route of one's own network, which is known
        plain = [segment for segment in segments if segment[0] in ("seq", "set")]
        self.neighbour = self.end(plain[0], 0) if plain else None
        self.origin = self.end(plain[-1], -1) if plain else None
        self.members = frozenset(number for _, members in segments for number in members)

    def written(self, dice):
        """Path and attributes for mrtgen. Now and then a sequence is cut in two, which does not change it."""
        kind, members = self.segments[0] if self.segments else ("", ())
        if dice % 7 or len(self.segments) != 1 or kind != "seq" or not 2 <= len(members) < 255:
            return self.text, {}
        parts = (members[:1], members[1:])
        return None, {"raw": [(0x40, 2, b"".join(
            struct.pack(f">BB{len(part)}I", 2, len(part), *part) for part in parts))]}

    @staticmethod
    def end(segment, at):
        kind, members = segment
        if kind == "set":
            return members[0] if len(set(members)) == 1 else None
        return members[at]


def random_path(rng, asns):
    hops = [asn for asn in rng.choices(asns, k=rng.choice((0, 1, 1, 2, 3, 3, 4, 5, 6, 8)))
            for _ in range(rng.choice((1, 1, 1, 1, 2, 5)))]
    segments = [("seq", hops)] if hops else []
    dice = rng.random()
    if dice < 0.06:
        segments.append(("set", rng.sample(asns, rng.randint(1, 4))))
    elif dice < 0.08:
        segments.insert(0, ("set", rng.sample(asns, rng.randint(1, 3))))
    elif dice < 0.10:
        segments.insert(0, ("cseq", [65001, 65002]))
    elif dice < 0.11:
        segments.insert(0, ("cset", [65003, 65004]))
    elif dice < 0.12:
        segments = [("seq", rng.choices(asns, k=rng.choice((100, 255, 256, 300, 700))))]
    return Path(*segments)


NO_PATH = Path()
NO_PATH.text = None


class View:
    """One source's table: {length: {network: path}} for each family."""

    def __init__(self):
        self.routes = {32: {}, 128: {}}

    def add(self, bits, network, length, path):
        self.routes[bits].setdefault(length, {})[network] = path

    def match(self, address):
        """The longest match: (prefix text, path), or None."""
        bits, number = address.max_prefixlen, int(address)
        for length in sorted(self.routes[bits], reverse=True):
            network = number >> bits - length << bits - length
            path = self.routes[bits][length].get(network)
            if path is not None:
                return prefix_text(bits, network, length), path
        return None

    def entries(self):
        return [(prefix_text(bits, network, length), *path.written(network))
                for bits, by_length in self.routes.items() for length, networks in by_length.items()
                for network, path in networks.items()]


def make_views(rng):
    """Three tables over the same prefixes: each has most of them, with paths of its own."""
    asns = rng.sample(range(1, 60000), 1500) + [rng.randrange(1 << 17, 1 << 32) for _ in range(500)]
    paths = [random_path(rng, asns) for _ in range(PATHS)]
    prefixes = [(32, *prefix) for prefix in random_prefixes(rng, 32, PREFIXES_V4, 8, 24, 0)] \
        + [(128, *prefix) for prefix in random_prefixes(rng, 128, PREFIXES_V6, 20, 64, 0)]
    views = {"edge1": View(), "edge1-backup": View(), "edge2": View()}
    for prefix in prefixes:
        for name, share in (("edge1", 0.7), ("edge1-backup", 0.2), ("edge2", 0.8)):
            if rng.random() < share:
                views[name].add(*prefix, rng.choice(paths))
    views["edge2"].add(32, 0, 0, rng.choice(paths))
    return views, prefixes, paths


def write_view(path, view, noise=None):
    """noise: a second peer's table in the same file, to be left out."""
    peers = [mrtgen.Peer("192.0.2.1", 64500)] + ([mrtgen.Peer("192.0.2.2", 64501)] if noise else [])
    mrtgen.write_table(path, peers, [view.entries()] + ([noise.entries()] if noise else []))


# ---- random countries ----

class Countries:
    """Two statistics files whose ranges overlap: the later line of the later file wins."""

    CODES = ("DE", "AT", "FR", "US", "JP", "BR", "ZA")

    def __init__(self, rng, prefixes):
        self.ranges = {32: [], 128: []}
        self.files = [self.make_file(rng, prefixes) for _ in range(2)]
        self.answers = {}

    def make_file(self, rng, prefixes):
        lines = []
        for bits, network, _ in rng.sample(prefixes, 700):
            code, status = rng.choice(self.CODES), rng.choice(("allocated", "assigned", "assigned", "reserved", "available"))
            if status in ("reserved", "available"):
                code = rng.choice(("", "ZZ", code))
            if bits == 32:
                first = network + rng.randint(-3, 3) & 0xFFFFFFFF
                size = min(rng.randint(1, 1 << rng.randint(1, 22)), (1 << 32) - first)
                kind, start, extent = "ipv4", ipaddress.IPv4Address(first), size
            else:
                length = rng.randint(12, 50)
                first = network >> 128 - length << 128 - length
                size = 1 << 128 - length
                kind, start, extent = "ipv6", ipaddress.IPv6Address(first), length
            lines.append(f"test|{code}|{kind}|{start}|{extent}|20260101|{status}")
            if status in ("allocated", "assigned"):
                self.ranges[bits].append((first, first + size - 1, code))
        return f"2|test|20261123|{len(lines)}|19830101|20261123|+0000\n" + "\n".join(lines) + "\n"

    def of(self, address):
        if address not in self.answers:
            number = int(address)
            self.answers[address] = next((code for first, last, code in reversed(self.ranges[address.max_prefixlen])
                                          if first <= number <= last), None)
        return self.answers[address]


# ---- routers and traffic ----

SERVES = {"edge1": ["192.0.2.0/24", "2001:db8:1::/48"], "edge2": ["192.0.2.128/25", "2001:db8:1:8000::/49"]}
SERVERS = {"192.0.2.1": "edge1", "192.0.2.127": "edge1", "192.0.2.128": "edge2", "192.0.2.255": "edge2",
           "2001:db8:1::1": "edge1", "2001:db8:1:7fff::1": "edge1", "2001:db8:1:8000::1": "edge2",
           "198.51.100.1": None, "2001:db8:2::1": None}
SOURCES = {"edge1": ("edge1", "edge1-backup"), "edge2": ("edge2",)}
TYPES = (None, "video", "api", "späh ✓", 'a "b", c\\d', "t" * 64)


class World:
    def __init__(self, rng):
        self.views, self.prefixes, self.paths = make_views(rng)
        self.countries = Countries(rng, self.prefixes)
        self.clients = [self.random_client(rng) for _ in range(CLIENTS)]
        self.routes = {}

    def random_client(self, rng):
        bits, network, length = rng.choice(self.prefixes)
        size = 1 << bits - length
        offset = rng.choice((0, size - 1, -1, size, rng.randrange(size), rng.randrange(size)))
        number = rng.getrandbits(bits) if rng.random() < 0.15 else (network + offset) % (1 << bits)
        if bits == 128 and number >> 32 == 0xFFFF:
            number >>= 64
        return ipaddress.IPv4Address(number) if bits == 32 else ipaddress.IPv6Address(number)

    def route(self, router, client):
        """(prefix, path, match): the first source of the router that has a route."""
        key = router, client
        if key not in self.routes:
            answer = None, NO_PATH, "none"
            for at, source in enumerate(SOURCES.get(router, ())):
                hit = self.views[source].match(client)
                if hit:
                    answer = *hit, "fallback" if at else "own"
                    break
            self.routes[key] = answer
        return self.routes[key]

    def config(self, folder):
        write_view(os.path.join(folder, "edge1.mrt.gz"), self.views["edge1"], noise=self.views["edge2"])
        write_view(os.path.join(folder, "edge1-backup.mrt"), self.views["edge1-backup"])
        write_view(os.path.join(folder, "edge2.mrt"), self.views["edge2"])
        for at, text in enumerate(self.countries.files):
            with open(os.path.join(folder, f"delegated-{at}"), "w", encoding="ascii") as file:
                file.write(text)
        first = {"mrt": {"file": os.path.join(folder, "edge1.mrt.gz"), "peer": "192.0.2.1"}}
        second = {"mrt": {"file": os.path.join(folder, "edge1-backup.mrt")}}
        return {
            "routers": [{"name": "edge1", "serves": SERVES["edge1"], "sources": [first, second]},
                        {"name": "edge2", "serves": SERVES["edge2"],
                         "sources": [{"mrt": {"file": os.path.join(folder, "edge2.mrt")}}]}],
            "countries": [{"rir": {"files": [os.path.join(folder, "delegated-0"), os.path.join(folder, "delegated-1")]}}],
        }


def random_record(rng, world, times):
    record = {"time": rng.choice(times) + rng.randrange(MINUTE), "client": str(rng.choice(world.clients)),
              "server": rng.choice(tuple(SERVERS))}
    kind = rng.choice(TYPES)
    if kind:
        record["type"] = kind
    if rng.random() < 0.1:
        record["approximate"] = True
    if rng.random() < 0.5:
        record["rtt_us"] = [rng.choice((0, 1, 1000, 1001, 500000, 500001, (1 << 32) - 1, rng.getrandbits(18)))
                            for _ in range(rng.choice((1, 1, 2, 5)))]
    for name in rng.sample(FIGURES, rng.randint(1, 6)):
        record[name] = rng.getrandbits(rng.choice((1, 8, 16, 24, 40)))
    return record


class Cells:
    """The finest sums, and everything that is asked of them."""

    def __init__(self, world):
        self.world, self.cells, self.paths = world, {}, {}

    def add(self, record):
        client, router = ipaddress.ip_address(record["client"]), SERVERS[record["server"]]
        prefix, path, match = self.world.route(router, client)
        self.paths[path.text] = path
        key = (record["time"] // MINUTE * MINUTE, router, record.get("type"), prefix, path.text, path.origin,
               path.neighbour, self.world.countries.of(client), match)
        cell = self.cells.get(key)
        if cell is None:
            cell = self.cells[key] = [0] * WIDTH
        for at, name in enumerate(FIGURES):
            cell[at] += record.get(name, 0)
        if "connections_with_retransmit" not in record: # what `whereto send` makes of it
            cell[7] += min(record.get("connections", 0), record.get("packets_retransmitted", 0))
        cell[12] += 1
        cell[13] += record.get("approximate", False)
        for us in record.get("rtt_us", ()):
            cell[14] += 1
            cell[RTT_SUM] += us
            cell[RTT_SUM + 1 + min(bisect.bisect_left(RTT_BOUNDS, us, 1), len(RTT_BOUNDS) - 1) - 1] += 1

    def values(self, key, name, step):
        """What a cell counts for in this dimension: one value, or several for via."""
        if name == "time":
            return (key[0] // step * step,)
        if name == "via":
            return self.paths[key[PLACE["path"]]].members or (None,)
        return (key[PLACE[name]],)

    def group(self, by, keep=lambda key: True, step=MINUTE):
        """({values: sums}, total) of the cells that are kept."""
        groups, total = {}, [0] * WIDTH
        for key, sums in self.cells.items():
            if not keep(key):
                continue
            total = list(map(operator.add, total, sums))
            combined = [()]
            for name in by:
                combined = [start + (value,) for start in combined for value in self.values(key, name, step)]
            for at in combined:
                have = groups.get(at)
                groups[at] = sums if have is None else list(map(operator.add, have, sums))
        return groups, total

    def has_via(self, key, asns):
        members = self.paths[key[PLACE["path"]]].members
        return any(asn in members if asn else not members for asn in asns)


# ---- figures of a row ----

def quantile(sums, q):
    """By the histogram: even within a bucket; a single bucket has its mean."""
    count, histogram = sums[14], sums[RTT_SUM + 1:]
    if not count:
        return None
    if max(histogram) == count:
        return sums[RTT_SUM] / count
    rank, below = q * count, 0
    for at, number in enumerate(histogram):
        if number and below + number >= rank:
            low, high = RTT_BOUNDS[at], RTT_BOUNDS[at + 1]
            return low + (high - low) * (rank - below) / number
        below += number
    return None


DERIVED = {
    "retransmit_rate": lambda sums: sums[3] / sums[2] if sums[2] else None,
    "rtt_p50_us": lambda sums: quantile(sums, 0.5),
    "rtt_p95_us": lambda sums: quantile(sums, 0.95),
    "goodput_rate": lambda sums: sums[11] / sums[10] if sums[10] else None,
    "spurious_rate": lambda sums: sums[5] / sums[3] if sums[3] else None,
}


def figure(sums, name):
    return DERIVED[name](sums) if name in DERIVED else sums[SUMS.index(name)]


def near(got, want):
    if got is None or want is None:
        return got is want
    return abs(got - want) <= 1e-9 * max(abs(got), abs(want), 1)


def row_difference(row, sums, total, sort="bytes_sent"):
    """What is wrong with an answer's row; '' when nothing is."""
    bad = [f"{name}: {row[name]} instead of {sums[at]}" for at, name in enumerate(SUMS) if row[name] != sums[at]]
    bad += [f"{name}: {row[name]} instead of {derive(sums)}" for name, derive in DERIVED.items()
            if not near(row[name], derive(sums))]
    by = SUMS.index(sort if sort in SUMS else "bytes_sent")
    share = sums[by] / total[by] if total[by] else None
    if not near(row["share"], share):
        bad.append(f"share: {row['share']} instead of {share}")
    if row["approximate"] != bool(sums[13]):
        bad.append(f"approximate: {row['approximate']}")
    return ", ".join(bad)


def shown(name, value):
    if name == "time":
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(value))
    return value


# ---- comparing answers ----

class Checker:
    def __init__(self, t, collector, cells, span):
        self.t, self.collector, self.cells = t, collector, cells
        self.span = {"from_": span[0], "to": span[1]}

    def ask(self, endpoint, by, **parameters):
        return self.collector.api(endpoint, by=",".join(by), **{**self.span, **parameters})

    def keys(self, answer, by):
        return [tuple(row[name] for name in by) for row in answer["rows"]]

    def differences(self, answer, by, groups, total, sort="bytes_sent"):
        """Of an answer's rows, total and other from what they must be."""
        bad = []
        want = {tuple(map(shown, by, at)): sums for at, sums in groups.items()}
        keys = self.keys(answer, by)
        if len(set(keys)) != len(keys):
            bad.append("rows of equal dimensions: "
                       + str([key for key, n in collections.Counter(keys).items() if n > 1][:3]))
        for key, row in zip(keys, answer["rows"]):
            wrong = row_difference(row, want[key], total, sort) if key in want else "there is no such row"
            if wrong:
                bad.append(f"{key}: {wrong}")
        wrong = row_difference(answer["total"], total, total, sort)
        if wrong:
            bad.append(f"total: {wrong}")
        if "via" in by:
            if answer["other"] is not None:
                bad.append("overlapping rows have an other")
        else:
            for name in SUMS:
                summed = sum(row[name] for row in answer["rows"]) + answer["other"][name]
                if summed != answer["total"][name]:
                    bad.append(f"rows + other = {summed} instead of {answer['total'][name]} {name}")
        return bad

    def report(self, name, bad):
        self.t.check(not bad, name, f"{len(bad)} differences, like\n" + "\n".join(bad[:5]))

    def all_rows(self, by, step=MINUTE, keep=lambda key: True, **parameters):
        groups, total = self.cells.group(by, keep, step)
        answer = self.ask("top", by, limit=100000, **({"step": f"{step}s"} if "time" in by else {}), **parameters)
        bad = self.differences(answer, by, groups, total)
        if len(answer["rows"]) != len(groups):
            bad.append(f"{len(answer['rows'])} rows instead of {len(groups)}")
        told = f" where {parameters['filter']}" if "filter" in parameters else ""
        self.report(f"top by {','.join(by) or 'nothing'}{told}: {len(groups)} rows", bad)
        return groups, total

    def order(self, by, groups, total, sort, order, limit):
        """The first rows of an order, and the rest in other."""
        answer = self.ask("top", by, sort=sort, order=order, limit=limit)
        figures = [figure(sums, sort) for sums in groups.values()]
        known = sorted((value for value in figures if value is not None), reverse=order == "desc")
        want = (known + [None] * (len(figures) - len(known)))[:limit]
        got = [row[sort] for row in answer["rows"]]
        bad = self.differences(answer, by, groups, total, sort)
        if len(got) != len(want) or not all(map(near, got, want)):
            bad.append(f"{sort} in the rows: {got[:5]}... instead of {want[:5]}...")
        self.report(f"top {limit} by {','.join(by)}, {sort} {order}", bad)

    def series(self, by, step, limit=None):
        """Time in buckets, and groups within it: the largest ones of the whole range."""
        largest, total = self.cells.group(by)
        groups, _ = self.cells.group(("time",) + by, step=step)
        more = {"limit": limit} if limit else {}
        answer = self.ask("series", by, step=f"{step}s", **more)
        bad = self.differences(answer, ("time",) + by, groups, total)
        if by:
            chosen = set(sorted(largest, key=lambda at: -largest[at][0])[:limit or 10])
            groups = {at: sums for at, sums in groups.items() if at[1:] in chosen}
        keys = self.keys(answer, ("time",) + by)
        if set(keys) != {tuple(map(shown, ("time",) + by, at)) for at in groups}:
            bad.append(f"{len(keys)} rows instead of {len(groups)}")
        if [key[0] for key in keys] != sorted(key[0] for key in keys):
            bad.append("not in the order of time")
        self.report(f"series by {','.join(by) or 'nothing'} in steps of {step} s: {len(groups)} rows", bad)


SINGLE = ("router", "type", "prefix", "origin", "neighbour", "path", "country", "match", "via")
SEVERAL = (("origin", "country"), ("router", "prefix"), ("type", "neighbour"), ("router", "match"),
           ("via", "type"), ("router", "type", "country"), ("neighbour", "origin", "router", "type"))
SORTS = SUMS + tuple(DERIVED)


def filters(rng, cells):
    """(text, what it keeps)"""
    keys = list(cells.cells)

    def some(name, count=1):
        values = sorted({key[PLACE[name]] for key in rng.sample(keys, 500)} - {None}, key=str)
        return rng.sample(values, min(count, len(values)))

    def is_in(name, *values):
        return lambda key: key[PLACE[name]] in values

    def both(*tests):
        return lambda key: all(test(key) for test in tests)

    def never(test):
        return lambda key: not test(key)

    origin, origins, country = some("origin")[0], some("origin", 5), some("country")[0]
    prefix, path, neighbour = some("prefix")[0], some("path")[0], some("neighbour")[0]
    hops = sorted({asn for key in rng.sample(keys, 20) for asn in cells.paths[key[PLACE["path"]]].members})[:4]
    return [
        ("router:edge1", is_in("router", "edge1")),
        ("router:null,edge2", is_in("router", None, "edge2")),
        ("-type:video", never(is_in("type", "video"))),
        ("type:null", is_in("type", None)),
        ('type:"späh ✓","a \\"b\\", c\\\\d"', is_in("type", "späh ✓", 'a "b", c\\d')),
        (f"country:{country},null match:own,fallback",
         both(is_in("country", country, None), is_in("match", "own", "fallback"))),
        (f"origin:{origin}", is_in("origin", origin)),
        (f"origin:{','.join(map(str, origins))} -router:edge2",
         both(is_in("origin", *origins), never(is_in("router", "edge2")))),
        ("origin:null match:own", both(is_in("origin", None), is_in("match", "own"))),
        (f"-neighbour:{neighbour},null", never(is_in("neighbour", neighbour, None))),
        (f"prefix:{prefix}", is_in("prefix", prefix)),
        ("prefix:null", is_in("prefix", None)),
        (f'path:"{path}"', is_in("path", path)),
        ('path:"" -prefix:null', is_in("path", "")),
        ("path:null", is_in("path", None)),
        (f"via:{','.join(map(str, hops))}", lambda key: cells.has_via(key, hops)),
        (f"-via:{hops[0]} country:{country}", lambda key: not cells.has_via(key, hops[:1]) and key[7] == country),
        ("via:null match:own", lambda key: cells.has_via(key, (0,)) and key[8] == "own"),
        ("match:none", is_in("match", "none")),
    ]


def check_answers(t, rng, collector, cells, times):
    checker = Checker(t, collector, cells, (min(times) - DAY, max(times) + DAY))
    checker.all_rows(())
    for name in SINGLE:
        groups, total = checker.all_rows((name,))
        sorts = SORTS if name in ("origin", "country") else rng.sample(SORTS, 2)
        for sort in sorts:
            checker.order((name,), groups, total, sort, rng.choice(("asc", "desc")), rng.choice((1, 7, 100, 2000)))
    for by in SEVERAL:
        groups, total = checker.all_rows(by)
        checker.order(by, groups, total, rng.choice(SORTS), "desc", 20)
    for step in (MINUTE, HOUR, DAY):
        checker.all_rows(("time", "router"), step)
    for text, keep in filters(rng, cells):
        by = rng.choice(((), ("origin",), ("router", "type"), ("country",), ("prefix",), ("via",)))
        checker.all_rows(by, keep=keep, filter=text)
    check_ranges(rng, checker, times)
    for by, step, limit in (((), MINUTE, None), ((), HOUR, None), ((), DAY, None), (("router",), HOUR, None),
                            (("origin",), DAY, 7), (("type", "country"), 5 * HOUR, 3), (("match",), 10 * MINUTE, None)):
        checker.series(by, step, limit)


def check_ranges(rng, checker, times):
    """From and to anywhere: minutes at the edges, hours and days between them."""
    for _ in range(8):
        first, last = sorted(rng.choice(times) + rng.randint(-2 * HOUR, 2 * HOUR) for _ in range(2))
        last += 1
        start, end = first // MINUTE * MINUTE, -(-last // MINUTE) * MINUTE
        checker.span = {"from_": first, "to": last}
        checker.all_rows((rng.choice(SINGLE),), keep=lambda key, start=start, end=end: start <= key[0] < end)
    checker.span = {"from_": min(times) - DAY, "to": max(times) + DAY}


# ---- lookups ----

def lookup_difference(world, collector, address):
    answer = collector.api("lookup", address=str(address))
    want = {"address": str(address), "country": world.countries.of(address)}
    bad = [f"{name}: {answer[name]} instead of {value}" for name, value in want.items() if answer[name] != value]
    for row in answer["rows"]:
        prefix, path, match = world.route(row["router"], address)
        want = {"prefix": prefix, "path": path.text, "origin": path.origin, "neighbour": path.neighbour, "match": match}
        bad += [f"{row['router']} {name}: {row[name]} instead of {value}" for name, value in want.items()
                if row[name] != value]
    if [row["router"] for row in answer["rows"]] != list(SERVES):
        bad.append("not one row for each router")
    return f"{address}: {', '.join(bad)}" if bad else ""


def without_age(answer):
    """The two were asked one after the other: a second may have passed."""
    for row in answer["rows"]:
        row.pop("age_s", None)
    return answer


def check_lookups(t, rng, world, collector):
    addresses = rng.sample(world.clients, LOOKUPS - 100) + [world.random_client(rng) for _ in range(100)]
    bad = [text for text in (lookup_difference(world, collector, address) for address in addresses) if text]
    t.check(not bad, f"lookup of {LOOKUPS} addresses, both routers", "\n".join(bad[:5]))
    command = [program(), "lookup", "--api", "http://" + collector.ready["http"], "--json"]
    done = [subprocess.run([*command, str(address)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           check=False) for address in addresses[:20]]
    same = [without_age(json.loads(one.stdout or "null")) == without_age(collector.api("lookup", address=str(address)))
            for one, address in zip(done, addresses)]
    t.check(all(same), "whereto lookup --json says what the API says", done[0].stdout + done[0].stderr)


# ---- reload ----

def send(collector, name, lines):
    done = subprocess.run([program(), "send", "--to", collector.telemetry, "--key", collector.key_file, "--name", name,
                           "--wait"], input=lines, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


def sums_by(collector, by, kind):
    answer = collector.api("top", by=by, last="1h", filter=f"type:{kind}", limit=100000)
    return {row[by]: row["bytes_sent"] for row in answer["rows"]}


def check_reload_in_flow(t, rng, world, collector, folder):
    """A new table while records flow: none is lost, each counts under the old or the new one."""
    client = next(address for address in world.clients if world.route("edge1", address)[2] == "own"
                  and world.route("edge1", address)[1].origin)
    prefix, old, _ = world.route("edge1", client)
    new = Path(("seq", [64999, 64998]))
    network = ipaddress.ip_network(prefix)
    line = json.dumps({"client": str(client), "server": "192.0.2.1", "type": "flow", "bytes_sent": 1}) + "\n"
    before = 2000
    send(collector, "flow", line * before)
    t.equal(sums_by(collector, "origin", "flow"), {old.origin: before}, "before the reload: all under the old table")

    process = subprocess.Popen([program(), "send", "--to", collector.telemetry, "--key", collector.key_file, "--name",
                                "flow", "--wait"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    world.views["edge1"].add(network.max_prefixlen, int(network.network_address), network.prefixlen, new)
    world.routes.clear()
    write_view(os.path.join(folder, "next"), world.views["edge1"])
    os.replace(os.path.join(folder, "next"), os.path.join(folder, "edge1.mrt.gz"))
    count, done = 0, 0
    for _ in range(RELOADS):
        process.stdin.write(line * 50_000)
        count += 50_000
        done += collector.reload()
    process.stdin.write(line * 50_000)
    count += 50_000
    _, text = process.communicate(timeout=60)
    t.check(process.returncode == 0 and f"{count} acknowledged" in text, "records flow through the reloads", text)
    t.equal(done, RELOADS, "every reload ends while they flow")
    by_origin = sums_by(collector, "origin", "flow")
    t.equal(sum(by_origin.values()), before + count, "no record is lost, none counts twice")
    t.equal(set(by_origin), {old.origin, 64998}, "each is under the old or the new table")
    t.check(by_origin[64998] >= 50_000, "what came after the reload is under the new table", by_origin)
    send(collector, "flow", line.replace("flow", "after") * before)
    t.equal(sums_by(collector, "path", "after"), {new.text: before}, "after the reload: all under the new table")


def replace(path, content):
    with open(path, "wb") as file:
        file.write(content)


def check_bad_files(t, rng, world, collector, folder):
    """A file that cannot be read whole changes nothing and is told with the place."""
    table, ranges = os.path.join(folder, "edge2.mrt"), os.path.join(folder, "delegated-1")
    with open(table, "rb") as file:
        good = file.read()
    with open(ranges, "rb") as file:
        good_ranges = file.read()
    addresses = rng.sample(world.clients, 50)
    lines = good_ranges.split(b"\n")
    damaged = bytearray(good)
    at = len(good) * 2 // 3
    while not (damaged[at + 4:at + 6] == b"\x00\x0d" and damaged[at:at + 4] == good[:4]):
        at += 1 # the next record
    damaged[at + 8:at + 12] = struct.pack(">I", 0xFFFFFFF0)
    cases = [
        ("a truncated table", table, good[:at + 20], (table, "offset")),
        ("a table with a record of a wrong length", table, bytes(damaged), (table, str(at))),
        ("a table of noise", table, rng.randbytes(100_000), (table, "offset")),
        ("an empty table", table, b"", (table,)),
        ("a missing table", table, None, (table, "No such file")),
        ("a statistics file with a broken line", ranges, b"\n".join(lines[:9] + [b"test|DE|ipv4|10.0.0|256|x|assigned"]
                                                                 + lines[9:]), (f"{ranges}:10",)),
        ("a missing statistics file", ranges, None, (ranges, "no such file")),
    ]
    for name, path, content, told in cases:
        if content is None:
            os.rename(path, os.path.join(folder, "away"))
        else:
            replace(path, content)
        size = len(collector.log())
        refused = not collector.reload()
        text = collector.log()[size:]
        bad = [difference for difference in (lookup_difference(world, collector, address) for address in addresses)
               if difference]
        t.check(refused and all(word in text for word in told), f"{name}: refused, told with the place", text)
        t.check(not bad, f"{name}: the old table stays in use", "\n".join(bad[:3]))
        replace(path, good if path == table else good_ranges)
    t.check(collector.reload(), "good files again: reloaded")


def main():
    t = tap.Tap()
    seed = int(os.environ.get("WT_SEED") or random.SystemRandom().getrandbits(32))
    t.note(f"WT_SEED={seed}")
    rng = random.Random(seed)
    now = int(time.time()) // MINUTE * MINUTE
    times = [now - at * MINUTE for at in range(1, 6)] * 4 \
        + [now - HOUR, now - 3 * HOUR, now - 3 * HOUR - MINUTE, now - 26 * HOUR, now - 3 * DAY, now - 40 * DAY]
    with tempfile.TemporaryDirectory(prefix="whereto-oracle-") as folder:
        world = World(rng)
        store = {"url": "sqlite:" + os.path.join(folder, "collector", "whereto.db"),
                 "retention": {"minute": "300d", "hour": "300d", "day": "300d"}}
        with Collector(os.path.join(folder, "collector"), store=store, **world.config(folder)) as collector:
            t.check(True, "the tables are loaded", collector.log())
            cells = Cells(world)
            records = [random_record(rng, world, times) for _ in range(RECORDS)]
            status, text = send(collector, "oracle", "".join(json.dumps(record) + "\n" for record in records))
            t.check(status == 0 and f"{RECORDS} acknowledged" in text, f"{RECORDS} records are sent", text)
            for record in records:
                cells.add(record)
            t.note(f"{len(cells.cells)} cells, {len(cells.paths)} paths")
            check_answers(t, rng, collector, cells, times)
            check_lookups(t, rng, world, collector)
            check_reload_in_flow(t, rng, world, collector, folder)
            check_bad_files(t, rng, world, collector, folder)
    return t.done()


if __name__ == "__main__":
    sys.exit(main())
