# SPDX-License-Identifier: BSD-2-Clause
"""A small world for tests that look at figures: routers with their tables, countries, names, and hours of records.

    world = World(seed)
    world.write(folder)                      # tables, countries, names
    collector = Collector(folder, **world.config())
    collector.send(world.records(now, hours=13))

Addresses are of 100.64.0.0/10 (RFC 6598): network n has the n-th /20. Records are made from the seed and the time, so the
whole is the same each time but for the clock. One transit loses packets for the last two hours; one small network
has a high rate over a handful of packets."""

import os
import random
import time

import mrtgen

ROUTERS = ["ams1", "fra1", "nyc1"]
TRANSITS = {64496: "Example Transit One", 64497: "Example Transit Two", 64499: "Example Lossy Transit"}
LOSSY = 64499
CARRIERS = {64500: "Sample Carrier Europe", 64501: "Sample Carrier Asia"}
COUNTRIES = ["DE", "US", "FR", "IN", "BR", "GB", "JP", "PL", "NL", "IT", "ES", "MX", "TR", "SE", "ID", "CH", "KR", "AU", "AT", "ZA",
             "SG", "CA", "NG", "EG"]
TYPES = ["web", "video", "api"]
FEW = 23   # the network whose rate is over a handful of packets
SIDES = 22  # the network of sides()


class Network:
    def __init__(self, number):
        self.number = number
        self.asn = 65000 + number
        self.name = f"Sample Network {COUNTRIES[number]}"
        self.country = COUNTRIES[number]
        self.prefix = f"100.{64 + number // 16}.{number % 16 * 16}.0/20"
        self.carrier = [None, 64500, 64501][number % 3]

    def path(self, router):
        transits = sorted(TRANSITS)
        first = transits[(self.number + ROUTERS.index(router)) % len(transits)]
        return " ".join(str(asn) for asn in (first, self.carrier, self.asn) if asn)

    def client(self, random_):
        third = self.number % 16 * 16 + random_.randrange(16)
        return f"100.{64 + self.number // 16}.{third}.{random_.randrange(1, 255)}"


NETWORKS = [Network(n) for n in range(len(COUNTRIES))]


def write(folder):
    """The files that config() names."""
    for router in ROUTERS:
        peers = [mrtgen.Peer("198.51.100.1", 64496)]
        mrtgen.write_table(os.path.join(folder, f"{router}.mrt"), peers,
                           [[(n.prefix, n.path(router), {}) for n in NETWORKS]])
    lines = [f"example|{n.country}|ipv4|{n.prefix[:-3]}|4096|20260101|allocated|x" for n in NETWORKS]
    with open(os.path.join(folder, "countries.txt"), "w", encoding="ascii") as file:
        file.write(f"2|example|20260101|{len(lines)}|20260101|20260101|+0000\nexample|*|ipv4|*|{len(lines)}|summary\n")
        file.write("\n".join(lines) + "\n")
    with open(os.path.join(folder, "asnames.txt"), "w", encoding="ascii") as file:
        for asn, name in {**TRANSITS, **CARRIERS, **{n.asn: n.name for n in NETWORKS}}.items():
            file.write(f"{asn} {name}\n")


def config(folder):
    return {
        "routers": [{"name": router, "serves": [f"192.0.2.{16 * i}/28"], "sources": [{"mrt": {"file": os.path.join(folder, f"{router}.mrt")}}]}
                    for i, router in enumerate(ROUTERS)],
        "countries": [{"rir": {"files": [os.path.join(folder, "countries.txt")]}}],
        "asnames": {"file": os.path.join(folder, "asnames.txt")},
    }


def record(random_, network, router, at, lossy):
    connections = 1 + random_.randrange(6)
    packets = connections * random_.randrange(20, 400) if network.number != FEW else 3
    rate = 0.001 + network.number % 5 * 0.001 + (0.045 if lossy and f"{LOSSY} " in network.path(router) else 0)
    again = sum(random_.random() < rate for _ in range(min(packets, 400))) * max(1, packets // 400) if network.number != FEW else 1
    rtt = 8000 + network.number * 7000
    return {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)), "client": network.client(random_),
            "server": f"192.0.2.{16 * ROUTERS.index(router) + 1 + random_.randrange(8)}", "type": random_.choice(TYPES),
            "bytes_sent": packets * 1400, "bytes_received": packets * 60, "packets_sent": packets,
            "packets_retransmitted": again, "bytes_retransmitted": again * 1400, "packets_spurious": again // 3, "connections": connections,
            "connections_with_retransmit": min(connections, again), "requests": connections * 2, "duration_ms": connections * 800,
            "goodput_tested": connections, "goodput_met": connections - (again * 50 > packets),
            "rtt_us": [int(rtt * random_.uniform(0.8, 1.9)) for _ in range(connections)]}


def records(now, hours, step_s=300, seed=1):
    """From some hours ago until now, a few a step; small networks have fewer."""
    random_ = random.Random(seed)
    first = int(now - hours * 3600)
    for at in range(first, int(now), step_s):
        for network in NETWORKS:
            for router in ROUTERS:
                if random_.random() < 2.2 / (1 + network.number):
                    yield record(random_, network, router, at + random_.randrange(step_s), now - at < 7200)
    yield record(random_, NETWORKS[FEW], ROUTERS[0], int(now) - 600, False)


def sides(now, hours, seed=2):
    """A network that one router reaches with fewer retransmits than another does, in the same time: enough of both to say so."""
    random_ = random.Random(seed)
    network, connections, packets = NETWORKS[SIDES], 100, 10
    for router, hit in ((ROUTERS[0], 1), (ROUTERS[2], 6)):
        for i in range(60):
            yield {**record(random_, network, router, int(now - (i + 0.5) / 60 * hours * 3600), False), "connections": connections, "requests": connections,
                   "connections_with_retransmit": hit, "packets_sent": connections * packets, "packets_retransmitted": hit,
                   "bytes_sent": connections * packets * 1400, "rtt_us": [random_.randrange(28000, 32000) for _ in range(60)]}
