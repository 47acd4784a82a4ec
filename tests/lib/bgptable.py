# SPDX-License-Identifier: BSD-2-Clause
"""Routing tables as real routers have them, from a seed, and the form in which tables are compared.

    table = generate(random.Random(seed), ipv4=40000, ipv6=12000)     # {prefix: Attributes}
    table["198.51.100.0/24"].path                                     # "174 3356 64496 64496"
    tap.check(not differences(listed, table), "the same", differences(listed, table))

An Attributes holds what the API's `routes` says of a route, in the API's words and text. What has no order of its
own, communities and members of an AS_SET, is sorted, so that two tables are the same exactly when their
dictionaries are equal. from_rows() makes a table of the API's rows; tests/lib/daemons.py of what daemons print.

The shape: prefixes lie in clusters, as networks are given out and announced, with the lengths of the real tables;
the prefixes of a cluster mostly share their attributes, about one set for five prefixes; paths have 1 to 9 hops,
mean 4.3, some with their origin repeated; a fifth of the ASes need four bytes."""

import collections
import operator
import socket

Attributes = collections.namedtuple("Attributes", (
    "path", "next_hop", "origin_code", "med", "local_pref", "communities", "ext_communities",
    "large_communities", "aggregator", "atomic_aggregate"))

NAMED = {"internet": "0:0", "graceful-shutdown": "65535:0", "blackhole": "65535:666", "no-llgr": "65535:7",
         "llgr-stale": "65535:6", "no-export": "65535:65281", "no-advertise": "65535:65282",
         "local-AS": "65535:65283", "no-export-subconfed": "65535:65283", "no-peer": "65535:65284"}

# Lengths of announced prefixes, per mille, as the global tables have them.
LENGTHS4 = {24: 605, 23: 105, 22: 115, 21: 50, 20: 45, 19: 27, 18: 15, 17: 9, 16: 15, 15: 3, 14: 3, 13: 2, 12: 1,
            11: 1, 25: 1, 26: 1, 28: 1, 30: 1, 32: 2}
LENGTHS6 = {48: 470, 44: 90, 40: 75, 36: 45, 32: 130, 29: 20, 33: 20, 34: 15, 35: 10, 38: 10, 42: 25, 45: 10,
            46: 30, 47: 25, 30: 5, 31: 5, 28: 5, 56: 5, 64: 4, 128: 1}
HOPS = {1: 10, 2: 60, 3: 220, 4: 320, 5: 220, 6: 100, 7: 45, 8: 20, 9: 5}
LARGE_ASES = (174, 701, 1299, 2914, 3257, 3320, 3356, 3491, 5511, 6453, 6461, 6762, 6830, 6939, 7018, 9002, 12956)


def pick(rng, weights):
    return rng.choices(list(weights), weights=weights.values())[0]


# Canonical text.

def sort_communities(words):
    """Of lists as well as of text; None for none. Names become numbers."""
    if isinstance(words, str):
        words = words.split()
    words = [NAMED.get(word, word) for word in words or ()]
    return " ".join(sorted(words, key=_community_key)) or None


def _community_key(word):
    return [int(part) if part.isdigit() else part for part in word.split(":")] if word[0].isdigit() and ":" in word \
        else [word]


def sort_sets(path):
    """Members of AS_SETs in ascending order."""
    if "{" not in path:
        return path
    parts = path.replace("{", "\0{").replace("}", "}\0").split("\0")
    return "".join("{" + ",".join(sorted(part[1:-1].replace(",", " ").split(), key=int)) + "}"
                   if part.startswith("{") else part for part in parts)


def ext_community(raw):
    """Text of eight bytes given as a number: as the API writes it."""
    kind, high, low = raw >> 48, raw >> 16 & 0xFFFFFFFF, raw & 0xFFFF
    name = {2: "rt", 3: "soo"}.get(kind & 0xFF)
    if name and kind >> 8 == 0:
        return f"{name}:{raw >> 32 & 0xFFFF}:{raw & 0xFFFFFFFF}"
    if name and kind >> 8 == 1:
        return f"{name}:{socket.inet_ntop(socket.AF_INET, high.to_bytes(4, 'big'))}:{low}"
    if name and kind >> 8 == 2:
        return f"{name}:{high}:{low}"
    return f"0x{raw:016x}"


def ext_community_raw(text):
    """The opposite. A number that needs four bytes says of which kind an AS's community is."""
    if text.startswith("0x"):
        return int(text, 16)
    name, high, low = text.split(":")
    kind = {"rt": 2, "soo": 3}[name]
    if "." in high:
        return (0x100 | kind) << 48 | int.from_bytes(socket.inet_aton(high), "big") << 16 | int(low)
    if int(high) > 0xFFFF:
        return (0x200 | kind) << 48 | int(high) << 16 | int(low)
    return kind << 48 | int(high) << 32 | int(low)


def from_rows(rows):
    """A table of rows of /api/v1/routes."""
    of_row = operator.itemgetter(*Attributes._fields)
    known = {}
    table = {}
    for row in rows:
        values = of_row(row)
        if values not in known:
            known[values] = canonical(Attributes(*values))
        table[row["prefix"]] = known[values]
    return table


def canonical(attributes):
    return attributes._replace(
        path=sort_sets(attributes.path), communities=sort_communities(attributes.communities),
        ext_communities=sort_communities(attributes.ext_communities),
        large_communities=sort_communities(attributes.large_communities))


def origin_of(path):
    """The AS a path begins at: None for an empty path or an AS_SET of several."""
    last = path.split(" ")[-1].strip("{}") if path else ""
    return int(last) if last.isdigit() else None


def differences(got, expected, most=5):
    """What two tables don't share, as text with a few examples of each kind; empty when they are equal."""
    if got == expected:
        return ""
    lines = []
    for name, prefixes in (("missing", expected.keys() - got.keys()), ("too many", got.keys() - expected.keys())):
        if prefixes:
            lines.append(f"{len(prefixes)} {name}: {' '.join(sorted(prefixes)[:most])}")
    wrong = collections.defaultdict(list)
    for prefix in got.keys() & expected.keys():
        if got[prefix] != expected[prefix]:
            for field, a, b in zip(Attributes._fields, got[prefix], expected[prefix]):
                if a != b:
                    wrong[field].append(f"{prefix}: {a!r}, expected {b!r}")
    for field, examples in wrong.items():
        lines += [f"{len(examples)} differ in {field}:"] + ["  " + example for example in sorted(examples)[:most]]
    return "\n".join(lines)


# The generator.

def random_as(rng):
    return rng.choice((rng.randrange(1000, 23000), rng.randrange(24000, 64000), rng.randrange(1000, 64000),
                       rng.randrange(1000, 64000), rng.randrange(131072, 402000)))


def random_path(rng, transits, hops=None):
    hops = hops or pick(rng, HOPS)
    path = [rng.choice(LARGE_ASES)] if hops > 1 else []
    path += [rng.choice(transits) for _ in range(hops - 2)]
    path = [asn for at, asn in enumerate(path) if asn not in path[:at]]
    origin = random_as(rng)
    path += [origin] * (1 if rng.random() < 0.85 else rng.choice((2, 2, 3, 3, 4, 6, 11)))
    text = " ".join(map(str, path))
    if rng.random() < 0.004:
        text += " {" + ",".join(map(str, sorted({random_as(rng) for _ in range(rng.randrange(1, 4))}))) + "}"
    return text


def random_ext_community(rng):
    asn = rng.choice((rng.randrange(1, 64000), rng.randrange(131072, 402000)))
    return rng.choice((f"rt:{asn}:{rng.randrange(65536)}", f"soo:{asn}:{rng.randrange(65536)}",
                       f"rt:{rng.randrange(1, 64000)}:{rng.randrange(1 << 32)}",
                       f"rt:192.0.2.{rng.randrange(256)}:{rng.randrange(65536)}",
                       f"0x030b00000000{rng.randrange(65536):04x}"))


def several(rng, most, make):
    return [make() for _ in range(1 + int((most - 1) * rng.random() ** 3))]


def random_attributes(rng, ipv6, transits, **fixed):
    path = random_path(rng, transits)
    upstream = int(path.split()[0])
    tags = (upstream if upstream < 65536 else 64999, 64999, rng.choice(LARGE_ASES))
    values = {
        "path": path,
        "next_hop": f"2001:db8:ffff::{rng.randrange(1, 20):x}" if ipv6
                    else f"10.255.{rng.randrange(4)}.{upstream % 50}",
        "origin_code": pick(rng, {"igp": 85, "incomplete": 14, "egp": 1}),
        "med": rng.choice((0, 10, 100, rng.randrange(1 << 32))) if rng.random() < 0.3 else None,
        "local_pref": rng.choice((100, 100, 100, 80, 120, 200, rng.randrange(1 << 31))),
        "communities": several(rng, 24, lambda: f"{rng.choice(tags)}:{rng.randrange(65536)}")
                       if rng.random() < 0.6 else None,
        "ext_communities": several(rng, 4, lambda: random_ext_community(rng)) if rng.random() < 0.05 else None,
        "large_communities": several(rng, 8, lambda: f"{rng.choice(tags)}:{rng.randrange(99)}:{rng.randrange(1 << 32)}")
                             if rng.random() < 0.15 else None,
        "aggregator": f"{random_as(rng)} 192.0.2.{rng.randrange(256)}" if rng.random() < 0.05 else None,
        "atomic_aggregate": rng.random() < 0.03,
    }
    values.update(fixed)
    for kind in ("communities", "ext_communities", "large_communities"):
        values[kind] = sort_communities(set(values[kind] or ()))
    return Attributes(**values)


def corner_cases(rng, ipv6, transits):
    """Attributes that few routes of a table have."""
    origin = random_as(rng)
    return [random_attributes(rng, ipv6, transits, **fixed) for fixed in (
        {"path": ""},
        {"path": "23456"},
        {"path": "4200000000 174"},
        {"path": f"174 {origin} " + " ".join([str(origin)] * 60)},
        {"path": f"3356 {origin} {{{origin}}}"},
        {"path": f"3356 {{64511,4200000001}}", "aggregator": "4200000002 192.0.2.1", "atomic_aggregate": True},
        {"med": 0, "local_pref": 0},
        {"med": (1 << 32) - 1, "local_pref": (1 << 32) - 1},
        {"origin_code": "egp"},
        {"communities": ["no-export"]},
        {"communities": [f"64999:{n}" for n in range(200)]},
        {"large_communities": [f"4200000000:{n}:{(1 << 32) - 1}" for n in range(50)]},
    )]


def cluster(rng, ipv6):
    """(first bits, their length) of a network as registries give them out."""
    if ipv6:
        return 0x2400 + rng.randrange(0x700) << 13 | rng.randrange(1 << 13), 29
    while True:
        first = rng.randrange(1, 224)
        if first not in (10, 127):
            return first << 11 | rng.randrange(1 << 11), 19


def random_prefix(rng, ipv6, block):
    bits, length, lengths = *block, LENGTHS6 if ipv6 else LENGTHS4
    size = 128 if ipv6 else 32
    wanted = pick(rng, lengths)
    number = bits << size - length
    if wanted > length:
        # Neighbours in the block mostly, as who announces more specifics announces several.
        number |= rng.randrange(1 << min(wanted - length, 6)) << size - wanted
    number = number >> size - wanted << size - wanted
    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    return f"{socket.inet_ntop(family, number.to_bytes(size // 8, 'big'))}/{wanted}"


def generate_family(rng, count, ipv6, **fixed):
    transits = [random_as(rng) for _ in range(max(20, count // 30))]
    cases = [case._replace(**fixed) for case in corner_cases(rng, ipv6, transits)]
    table = {"::/0" if ipv6 else "0.0.0.0/0": cases.pop()} if count else {}
    while len(table) < count:
        block = cluster(rng, ipv6)
        shared = random_attributes(rng, ipv6, transits, **fixed)
        for _ in range(1 + int(rng.expovariate(1 / 8))):
            prefix = random_prefix(rng, ipv6, block)
            if prefix not in table and len(table) < count:
                own = cases.pop() if cases else \
                    random_attributes(rng, ipv6, transits, **fixed) if rng.random() < 0.08 else shared
                table[prefix] = own
    return table


def generate(rng, ipv4=40000, ipv6=12000, **fixed):
    """fixed: attributes that are the same for all, as next_hop in a table for an external peer."""
    return {**generate_family(rng, ipv4, False, **fixed), **generate_family(rng, ipv6, True, **fixed)}
