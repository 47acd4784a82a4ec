# SPDX-License-Identifier: BSD-2-Clause
"""A small world for tests of the API: two routers, ASes with names, countries, and records over some hours, with the sums that
are to be expected made by brute force.

    world = World(random.Random(1), folder)
    with Collector(folder, **world.config()) as collector:
        collector.send(world.records)
        world.sums(("origin", "country"), since=..., until=...)   # {(64511, "DE"): Sums}

Rows of the API are compared by `figures(row)`, which is what `Sums.figures()` gives."""

import ipaddress
import os
import time

import mrtgen

MEASURES = ("bytes_sent", "packets_sent", "packets_retransmitted", "connections", "requests", "records")
COUNTRIES = {"DE": "Germany", "US": "United States", "BR": "Brazil", "CI": "Côte d'Ivoire", "JP": "Japan"}
SERVES = {"edge1": "192.0.2.0/24", "edge2": "198.51.100.0/24"}
TYPES = ("video", "api", "file, large", None)
NAMES = {64601: "Example Transit", 64602: "Second Carrier Ltd", 64700: 'Quoted "Access" Net', 64701: "Éclair Télécom"}
PATHS = ("64601 64700", "64601 64650 64701", "64602 64701", "64602 64651 64652 64702", "64601 64601 64650 64650 64703",
         "64703", "64602 64651 {64704,64705}", "")


class Sums:
    def __init__(self):
        self.values = dict.fromkeys(MEASURES, 0)

    def add(self, record):
        for name in MEASURES:
            self.values[name] += record.get(name, 1 if name == "records" else 0)

    def figures(self):
        return tuple(self.values[name] for name in MEASURES)


def figures(row):
    return tuple(row[name] for name in MEASURES)


def members(path):
    """ASes of a path, each once; None: there is none."""
    if path is None:
        return None
    seen = []
    for word in path.replace("{", " ").replace("}", " ").replace(",", " ").split():
        if int(word) not in seen:
            seen.append(int(word))
    return seen


def origin(path):
    return int(path.split()[-1]) if path and "{" not in path.split()[-1] else None


def neighbour(path):
    return int(path.split()[0]) if path else None


def transit(path):
    """The AS behind the neighbour, when there is one before the last."""
    found = members(path)
    return found[1] if found and len(found) > 2 else None


class World:
    def __init__(self, rng, folder, records=4000, hours=30):
        self.folder = folder
        self.networks = [f"203.{100 + i}.0.0/16" for i in range(40)]
        self.paths = {router: {n: rng.choice(PATHS) for n in self.networks if rng.random() < 0.9} for router in SERVES}
        self.countries = {n: rng.choice(list(COUNTRIES)) for n in self.networks if rng.random() < 0.9}
        self.now = int(time.time()) // 60 * 60
        self.rows = [self.make(rng, hours) for _ in range(records)]
        self.records = [row["record"] for row in self.rows]
        self.write()

    def make(self, rng, hours):
        router = rng.choice(list(SERVES))
        network = self.networks[min(int(rng.expovariate(0.15)), len(self.networks) - 1)]
        path = self.paths[router].get(network)
        kind = rng.choice(TYPES)
        back = rng.randrange(3600) if rng.random() < 0.5 else rng.randrange(hours * 3600)
        packets = rng.randrange(1, 2000)
        record = {"time": self.now - back, "client": str(ipaddress.ip_network(network)[rng.randrange(1, 60000)]),
                  "server": str(ipaddress.ip_network(SERVES[router])[rng.randrange(1, 250)]), "bytes_sent": packets * 1400,
                  "packets_sent": packets, "packets_retransmitted": rng.randrange(packets // 8 + 1), "connections": 1,
                  "requests": rng.randrange(1, 9), "rtt_us": [rng.randrange(800, 300000)]}
        if kind:
            record["type"] = kind
        return {"record": record, "minute": record["time"] // 60 * 60, "router": router, "type": kind, "prefix": network if path is not None else None,
                "path": path, "origin": origin(path), "neighbour": neighbour(path), "transit": transit(path),
                "country": self.countries.get(network), "match": "none" if path is None else "own"}

    def write(self):
        for router, paths in self.paths.items():
            mrtgen.write_table(os.path.join(self.folder, router + ".mrt"), [mrtgen.Peer("198.51.100.1", 64500)],
                               [[(prefix, path, {}) for prefix, path in sorted(paths.items())]])
        with open(os.path.join(self.folder, "asnames.txt"), "w", encoding="utf-8") as file:
            file.writelines(f"{number} {name}\n" for number, name in NAMES.items())
        lines = [f"ripencc|{code}|ipv4|{network.split('/')[0]}|65536|20200101|allocated" for network, code in self.countries.items()]
        with open(os.path.join(self.folder, "delegated"), "w", encoding="ascii") as file:
            file.write(f"2|ripencc|20260101|{len(lines)}|19830101|20260101|+0000\n"
                       f"ripencc|*|ipv4|*|{len(lines)}|summary\n" + "\n".join(lines) + "\n")

    def config(self):
        at = lambda name: os.path.join(self.folder, name)  # noqa: E731
        return {"routers": [{"name": router, "serves": [serves], "sources": [{"mrt": {"file": at(router + ".mrt")}}]}
                            for router, serves in SERVES.items()],
                "countries": [{"rir": {"files": [at("delegated")]}}], "asnames": {"file": at("asnames.txt")}}

    def chosen(self, since=0, until=1 << 40, where=lambda row: True):
        return (row for row in self.rows if since <= row["minute"] < until and where(row))

    def sums(self, by, step=None, **choice):
        """{values of `by`: Sums}; with `time` among them by buckets of step."""
        found = {}
        for row in self.chosen(**choice):
            key = tuple(row["minute"] // step * step if name == "time" else row[name] for name in by)
            found.setdefault(key, Sums()).add(row["record"])
        return found

    def total(self, **choice):
        return self.sums((), **choice).get((), Sums())
