#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Two routers of a real collector, a transit each, and connections sent one by one: what differs between them is found, what does not is
called the same, and of little traffic nothing is said. Sums, what is at stake and whom to peer with are computed here as well. The
records come from a fixed seed."""

import csv
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import mrtgen  # noqa: E402
from collector import Collector, program  # noqa: E402
from tap import Tap  # noqa: E402

SEED = 20261127
SERVES = {"edge1": "192.0.2.0/24", "edge2": "198.51.100.0/24"}
SERVER = {"edge1": "192.0.2.10", "edge2": "198.51.100.10"}
TRANSIT = {"edge1": 64601, "edge2": 64602}
# By network: its AS, and of each router how many connections, what part of packets is lost, and the round-trip time.
NETWORKS = {
    "203.0.0.0/16": (64700, {"edge1": (1500, 0.001, 30), "edge2": (1500, 0.012, 30)}),  # edge2 loses
    "203.1.0.0/16": (64701, {"edge1": (4000, 0.0002, 80), "edge2": (3500, 0.0002, 35)}),  # edge1 is slow
    "203.2.0.0/16": (64702, {"edge1": (3000, 0.0002, 20), "edge2": (3000, 0.0002, 20)}),  # the same
    "203.3.0.0/16": (64703, {"edge1": (40, 0.002, 50), "edge2": (35, 0.002, 50)}),  # little
    "203.4.0.0/16": (64704, {"edge1": (500, 0.002, 50)}),  # one router only
    "203.5.0.0/16": (64700, {"edge1": (300, 0.002, 50)}),  # direct at edge1
}
DIRECT = {("203.5.0.0/16", "edge1")}
PACKETS = 30
NAMES = {64601: "Example Transit", 64700: "Quoted, Net"}


def path(network, router):
    asn = NETWORKS[network][0]
    return f"{asn}" if (network, router) in DIRECT else f"{TRANSIT[router]} {asn}"


def write(folder):
    for router in SERVES:
        routes = [(network, path(network, router), {}) for network in NETWORKS]
        mrtgen.write_table(os.path.join(folder, router + ".mrt"), [mrtgen.Peer("198.51.100.1", 64500)], [routes])
    with open(os.path.join(folder, "asnames.txt"), "w", encoding="utf-8") as file:
        file.writelines(f"{number} {name}\n" for number, name in NAMES.items())


def config(folder):
    return {"routers": [{"name": router, "serves": [serves], "sources": [{"mrt": {"file": os.path.join(folder, router + ".mrt")}}]}
                        for router, serves in SERVES.items()], "asnames": {"file": os.path.join(folder, "asnames.txt")}}


def connection(rng, now, network, router, loss, rtt_ms):
    packets = rng.randrange(PACKETS // 2, 3 * PACKETS // 2)
    again = sum(rng.random() < loss for _ in range(packets))
    return {"time": now - rng.randrange(600), "client": network.replace(".0.0/16", f".{rng.randrange(256)}.9"), "server": SERVER[router], "type": "web",
            "bytes_sent": packets * 1400, "packets_sent": packets, "packets_retransmitted": again * 2, "connections": 1,
            "connections_with_retransmit": int(again > 0), "rtt_us": [int(1000 * rtt_ms * rng.uniform(0.9, 1.3))]}


def make(now):
    """[(network, router, record)]"""
    rng = random.Random(SEED)
    return [(network, router, connection(rng, now, network, router, loss, rtt_ms)) for network, (_, sides) in NETWORKS.items()
            for router, (count, loss, rtt_ms) in sides.items() for _ in range(count)]


class Compare:
    def __init__(self, tap, collector, made):
        self.tap, self.collector, self.made = tap, collector, made
        self.sums = defaultdict(lambda: defaultdict(int))
        for network, router, record in made:
            for name in ("bytes_sent", "packets_sent", "packets_retransmitted", "connections", "connections_with_retransmit"):
                self.sums[network, router][name] += record[name]

    def ask(self, name="compare", **parameters):
        return self.collector.api(name, last="2h", **parameters)

    def check_verdicts(self):
        answer = self.ask()
        rows = {row["prefix"]: row for row in answer["rows"]}
        found = {network: tuple((row[name]["verdict"], row[name]["best"]) for name in ("retransmits", "rtt")) for network, row in rows.items()}
        nothing = ("not enough data", None)
        self.tap.equal(found, {
            "203.0.0.0/16": (("better", "edge1"), ("same", None)), "203.1.0.0/16": (("same", None), ("better", "edge2")),
            "203.2.0.0/16": (("same", None), ("same", None)), "203.3.0.0/16": (nothing, nothing)}, "verdicts are what was planted, by prefix")
        sides = {side["router"]: side for side in rows["203.0.0.0/16"]["sides"]}
        self.tap.equal({name: side["retransmits"]["verdict"] for name, side in sides.items()}, {"edge1": "better", "edge2": "worse"}, "each side has its own")
        for network, row in rows.items():
            for side in row["sides"]:
                sums = self.sums[network, side["router"]]
                self.tap.equal({name: side[name] for name in sums}, dict(sums), f"{network} by {side['router']}: its sums")
                hit, rtt = side["retransmits"], side["rtt"]
                self.tap.check(hit["value"] == sums["connections_with_retransmit"] / sums["connections"] and hit["low"] <= hit["value"] <= hit["high"]
                               and rtt["low"] < rtt["value"] < rtt["high"], "and its figures, inside their intervals", side)
        worse = sides["edge2"]["retransmits"]
        self.tap.check(0 < worse["difference_low"] < worse["difference"] < worse["difference_high"]
                       and abs(worse["difference"] - (worse["value"] - sides["edge1"]["retransmits"]["value"])) < 1e-12, "the difference, inside its interval", worse)
        self.check_sums(answer)

    def check_sums(self, answer):
        both = [network for network, (_, sides) in NETWORKS.items() if len(sides) == 2]
        stake = {"203.0.0.0/16": self.sums["203.0.0.0/16", "edge2"]["bytes_sent"], "203.1.0.0/16": self.sums["203.1.0.0/16", "edge1"]["bytes_sent"]}
        self.tap.equal({row["prefix"]: row["at_stake_bytes"] for row in answer["rows"]}, {network: stake.get(network, 0) for network in both}, "what goes by a worse side")
        order = sorted(both, key=lambda network: (-stake.get(network, 0), -sum(self.sums[network, router]["bytes_sent"] for router in SERVES)))
        self.tap.equal([row["prefix"] for row in answer["rows"]], order, "the most at stake first")
        networks = answer["networks"]
        self.tap.equal((networks["compared"], networks["bytes_sent"], networks["at_stake_bytes"]), (4, sum(self.sums[network, router]["bytes_sent"]
                       for network in both for router in SERVES), sum(stake.values())), "sums of all that are compared")
        self.tap.equal((networks["retransmits"], networks["rtt"]), ({"better": 1, "same": 2, "not enough data": 1},) * 2, "and how many have which verdict")
        self.tap.equal(answer["total"]["bytes_sent"], sum(sums["bytes_sent"] for sums in self.sums.values()), "the total is of all traffic")
        one = self.ask(limit=1)
        self.tap.equal((one["rows"], one["networks"]), (answer["rows"][:1], networks), "a limit cuts rows and no sums")

    def check_other_ways(self):
        origins = self.ask(by="origin")
        self.tap.equal([row["origin"] for row in origins["rows"]].count(64704), 0, "by origin, who is served by one router is not there either")
        self.tap.equal({row.get("origin_name") for row in origins["rows"]}, {"Quoted, Net", None}, "names are")
        between = {row["prefix"]: row for row in self.ask(between="neighbour")["rows"]}
        self.tap.equal({side["neighbour"]: side["retransmits"]["verdict"] for side in between["203.0.0.0/16"]["sides"]}, {64601: "better", 64602: "worse"},
                       "the same between neighbours")
        self.tap.equal(between["203.0.0.0/16"]["retransmits"]["best"], 64601, "where the best is a number")
        self.tap.equal(self.ask(filter="router:edge1")["rows"], [], "of one router there is nothing to compare")
        self.tap.equal(self.ask(filter="type:other")["networks"]["compared"], 0, "nor where there is no traffic")

    def check_csv(self):
        lines = list(csv.DictReader(io.StringIO(self.collector.http("/api/v1/compare?last=2h&by=origin&format=csv")[1])))
        rows = self.ask(by="origin")["rows"]
        wanted = [(str(row["origin"]), row.get("origin_name", ""), side["router"], str(side["bytes_sent"]), side["retransmits"]["verdict"], side["rtt"]["why"] or "")
                  for row in rows for side in row["sides"]]
        self.tap.equal([(line["origin"], line["origin_name"], line["router"], line["bytes_sent"], line["retransmits_verdict"], line["rtt_why"]) for line in lines], wanted,
                       "as CSV: a line a side")
        self.tap.equal([line["rtt_difference"] == "" for line in lines], [side["rtt"]["difference"] is None for row in rows for side in row["sides"]],
                       "what is not known is empty")

    def check_errors(self):
        for question, part in (("by=path", "there are prefix, origin, country"), ("by=origin,prefix", "one dimension"), ("by=", "empty"),
                               ("between=type", "neither router nor neighbour"), ("limit=0", "'limit'"), ("sort=bytes_sent", "takes")):
            status, body = self.collector.http("/api/v1/compare?" + question)
            self.tap.check(status == 400 and part in json.loads(body)["error"], f"{question} is refused", body)

    def check_peering(self):
        answer = self.ask("peering")
        transit, direct = defaultdict(lambda: defaultdict(int)), defaultdict(int)
        for (network, router), sums in self.sums.items():
            if (network, router) in DIRECT:
                direct[NETWORKS[network][0]] += sums["bytes_sent"]
            else:
                transit[NETWORKS[network][0]][TRANSIT[router]] += sums["bytes_sent"]
        self.tap.equal({row["origin"]: {way["neighbour"]: way["bytes_sent"] for way in row["transit"]} for row in answer["rows"]},
                       {asn: dict(ways) for asn, ways in transit.items()}, "peering: bytes to each origin by each other network")
        order = [sum(ways.values()) for ways in transit.values()]
        self.tap.equal([row["bytes_sent"] for row in answer["rows"]], sorted(order, reverse=True), "the most first")
        self.tap.equal({row["origin"]: row["direct"]["bytes_sent"] for row in answer["rows"] if row["direct"]}, dict(direct), "and what goes there directly")
        first = next(row for row in answer["rows"] if row["origin"] == 64700)
        self.tap.equal((first["direct"]["routers"], sorted(first["routers"]), first["origin_name"]), (["edge1"], ["edge1", "edge2"], "Quoted, Net"), "with the routers of both")
        self.tap.check(abs(sum(way["share"] for way in first["transit"]) - 1) < 1e-12, "shares are of the row", first["transit"])
        self.tap.equal((answer["transit"]["bytes_sent"], answer["origins"]), (sum(order), len(order)), "and the sum of all")
        lines = list(csv.DictReader(io.StringIO(self.collector.http("/api/v1/peering?last=2h&format=csv")[1])))
        self.tap.equal([(int(line["origin"]), int(line["neighbour"]), int(line["bytes_sent"]), int(line["direct_bytes_sent"])) for line in lines],
                       [(row["origin"], way["neighbour"], way["bytes_sent"], direct[row["origin"]]) for row in answer["rows"] for way in row["transit"]], "as CSV: a line a neighbour")

    def run(self, *arguments):
        done = subprocess.run([program(), *arguments, "--api", f"http://{self.collector.ready['http']}"], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def check_command(self):
        status, text, _ = self.run("compare", "--last", "2h")
        lines = text.splitlines()
        self.tap.check(status == 0 and "4 prefixes had traffic by two routers or more" in text, "whereto compare: the sum in a sentence", text)
        at = next(i for i, line in enumerate(lines) if line.startswith("203.0.0.0/16"))
        sides = {words[0]: words for words in (line.removeprefix("203.0.0.0/16").split() for line in lines[at:at + 2])}
        self.tap.check("better" in sides["edge1"] and "worse" in sides["edge2"] and "same" in sides["edge2"], "a line a side, with its verdicts", text)
        self.tap.equal(json.loads(self.run("compare", "--last", "2h", "--by", "origin", "--json")[1])["rows"], self.ask(by="origin")["rows"], "--json: the API's")
        status, text, _ = self.run("compare", "--filter", "router:edge1")
        self.tap.check(status == 0 and "--between neighbour" in text, "of one router it says what else there is", text)
        text = self.run("compare", "--last", "2h", "--filter", "prefix:203.0.0.0/16")[1]
        self.tap.check(text.splitlines()[2].startswith("1 prefix had traffic by two routers or more"), "one is one", text)
        text = self.run("compare", "--between", "neighbour", "--filter", "router:edge1 neighbour:64601")[1]
        self.tap.check("--between router" in text, "nor is it told to do what it did", text)
        self.tap.check("no traffic in this time" in self.run("compare", "--filter", "type:other")[1], "of none that there is none")
        self.tap.check(self.run("compare", "--by", "via")[0] == 2, "a dimension that is not compared is wrong usage")
        status, text, _ = self.run("peering", "--last", "2h")
        line = next((line for line in text.splitlines() if line.startswith("64700")), "")
        self.tap.check(status == 0 and "edge1" in line and "64601" in line and "64602" in line, "whereto peering: by whom, and where it is direct", text)
        self.tap.check(self.run("peering", "--csv")[1].startswith("origin,origin_name,neighbour,"), "--csv: the API's")
        self.tap.check("no traffic in this time" in self.run("peering", "--filter", "type:other")[1], "and says when there is nothing")
        own = self.run("peering", "--last", "2h", "--filter", "neighbour:64700 origin:64700")[1]
        self.tap.check("where its path is known, the origin is the neighbour" in own, "or nothing by transit", own)
        one = self.run("peering", "--last", "2h", "--filter", "origin:64700")[1]
        self.tap.check(" went to 1 origin by transit" in one, "one is one", one)

    def check_all(self):
        self.check_verdicts()
        self.check_other_ways()
        self.check_csv()
        self.check_errors()
        self.check_peering()
        self.check_command()


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="whereto-test.") as folder:
        write(folder)
        made = make(int(time.time()))
        with Collector(os.path.join(folder, "collector"), **config(folder)) as collector:
            collector.send([record for _, _, record in made])
            Compare(tap, collector, made).check_all()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
