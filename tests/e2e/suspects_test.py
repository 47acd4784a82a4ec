#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Where it is lost: a real collector with a fault of each kind planted in traffic of a type of its own, asked by its filter. Who is
named, its figures against those of other questions, since when, and what the command line makes of it.

Of each network one record a step: rates are the same for all but the fault, so nothing here is by chance."""

import calendar
import csv
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import mrtgen  # noqa: E402
from collector import Collector, program  # noqa: E402
from tap import Tap  # noqa: E402

ROUTERS = {"edge1": "192.0.2.0/25", "edge2": "192.0.2.128/25"}
SERVERS = {"edge1": "192.0.2.10", "edge2": "192.0.2.200"}
NAMES = {64500: "Example Transit", 64510: "Sample Carrier", 64601: "Sample Network A"}
# Each network's path by router. 64510 is reached by both neighbours, and by 64500 alone are 64520 and what is behind it.
PATHS = {
    "203.0.113.0/28": {"edge1": "64500 64510 64601", "edge2": "64501 64510 64601"},
    "203.0.113.16/28": {"edge1": "64500 64510 64602", "edge2": "64501 64510 64602"},
    "203.0.113.32/28": {"edge1": "64500 64603", "edge2": "64501 64603"},
    "203.0.113.48/28": {"edge1": "64501 64520 64604", "edge2": "64500 64520 64604"},
    "203.0.113.64/28": {"edge1": "64501 64605", "edge2": "64500 64605"},
    "203.0.113.80/28": {"edge1": "64501 64606", "edge2": "64501 64606"},
}
COUNTRY = ("64603", "64605", "64606")   # origins in Brazil, which have nothing else in common
CLEAN, LOSSY = 0.003, 0.04
STEP_S, STEPS = 300, 36   # three hours
PACKETS = 2000


def has_link(first, second):
    return lambda router, path: f"{first} {second}" in path


# type: (whose packets are lost, since which step, dim, values)
FAULTS = {
    "transit": (lambda router, path: "64510" in path, 24, "via", [64510]),
    "origin": (lambda router, path: path.endswith("64605"), 0, "via", [64605]),
    "neighbour": (lambda router, path: path.startswith("64501"), 0, "via", [64501]),
    "link": (has_link(64500, 64510), 12, "pair", [64500, 64510]),
    "exit": (lambda router, path: router == "edge2" and path.startswith("64500"), 12, "router,neighbour", ["edge2", 64500]),
    "router": (lambda router, path: router == "edge2", 12, "router", ["edge2"]),
    "country": (lambda router, path: path[-5:] in COUNTRY, 12, "country", ["BR"]),
    "calm": (lambda router, path: False, 0, None, None),
}


def record(network, router, at, kind, lossy):
    rate = LOSSY if lossy else CLEAN
    return {"time": at, "client": network.replace(".0/28", ".1/28").split("/")[0], "server": SERVERS[router], "type": kind, "bytes_sent": PACKETS * 1400,
            "packets_sent": PACKETS, "packets_retransmitted": int(PACKETS * rate), "connections": 40,
            "connections_with_retransmit": 30 if lossy else 5}


def records(begin):
    for kind, (is_lossy, since, _, _) in FAULTS.items():
        for step in range(STEPS):
            for network, paths in PATHS.items():
                for router, path in paths.items():
                    yield record(network, router, begin + step * STEP_S, kind, step >= since and is_lossy(router, path))
    yield {**record("203.0.113.0/28", "edge1", begin, "few", True), "packets_sent": 900}


def write(folder):
    for router in ROUTERS:
        mrtgen.write_table(os.path.join(folder, router + ".mrt"), [mrtgen.Peer("198.51.100.1", 64496)],
                           [[(network, paths[router], {}) for network, paths in PATHS.items()]])
    with open(os.path.join(folder, "asnames.txt"), "w", encoding="ascii") as file:
        file.writelines(f"{number} {name}\n" for number, name in NAMES.items())
    with open(os.path.join(folder, "delegated"), "w", encoding="ascii") as file:
        lines = [f"example|{'BR' if paths['edge1'][-5:] in COUNTRY else 'DE'}|ipv4|{network[:-3]}|16|20260101|allocated|x" for network, paths in PATHS.items()]
        file.write(f"2|example|20260101|{len(lines)}|20260101|20260101|+0000\nexample|*|ipv4|*|{len(lines)}|summary\n" + "\n".join(lines) + "\n")
    return {"countries": [{"rir": {"files": [os.path.join(folder, "delegated")]}}], "routers": [{"name": router, "serves": [serves], "sources": [{"mrt": {"file": os.path.join(folder, router + ".mrt")}}]}
                        for router, serves in ROUTERS.items()],
            "asnames": {"file": os.path.join(folder, "asnames.txt")}}


SUMS = ("bytes_sent", "packets_sent", "packets_retransmitted", "connections", "connections_with_retransmit")


def sums(row):
    return [row[name] for name in SUMS]


def seconds(text):
    return text and calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


class Suspects:
    def __init__(self, tap, collector, begin):
        self.tap, self.collector, self.begin = tap, collector, begin
        self.range = {"from_": begin, "to": begin + STEPS * STEP_S}

    def ask(self, kind, **more):
        return self.collector.api("suspects", filter=f"type:{kind}", **{**self.range, **more})

    def check_fault(self, kind):
        tap, (_, since, dim, values) = self.tap, FAULTS[kind]
        answer = self.ask(kind)
        rows = answer["rows"]
        tap.equal([(row["dim"], row["values"]) for row in rows], [(dim, values)], f"{kind}: it is named, and nobody else")
        if len(rows) != 1:
            return
        row = rows[0]
        whole = self.collector.api("top", by="", filter=f"type:{kind}", **self.range)["total"]
        own = self.collector.api("top", by="", filter=f"type:{kind} {row['filter']}", **self.range)["total"]
        tap.equal(sums(row), sums(own), f"{kind}: its sums are those of what its filter finds")
        tap.equal([a + b for a, b in zip(sums(row), sums(answer["other"]))], sums(whole), f"{kind}: rows + other = total")
        rest = (whole["packets_retransmitted"] - own["packets_retransmitted"]) / (whole["packets_sent"] - own["packets_sent"])
        tap.check(abs(row["elsewhere_rate"] - rest) < 1e-12 and abs(row["retransmit_rate"] - own["retransmit_rate"]) < 1e-12
                  and abs(row["retransmit_share"] - own["packets_retransmitted"] / whole["packets_retransmitted"]) < 1e-12
                  and row["excess"] == round(own["packets_retransmitted"] - own["packets_sent"] * rest), f"{kind}: rates, share and excess", row)
        tap.check(row["retransmit_rate_low"] < row["retransmit_rate"] < row["retransmit_rate_high"]
                  and row["elsewhere_rate_low"] <= row["elsewhere_rate"] <= row["elsewhere_rate_high"] < row["retransmit_rate_low"], f"{kind}: intervals", row)
        first = self.begin // 60 * 60
        want = (None, first) if not since else (self.begin + since * STEP_S, None)
        got = (seconds(row["since"]), seconds(row["since_before"]))
        tap.check(all((a is None) == (b is None) and (a is None or abs(a - b) <= 2 * STEP_S) for a, b in zip(got, want)) and row["until"] is None,
                  f"{kind}: since when", (got, want, row["until"]))
        tap.equal(answer["verdict"], row["verdict"], f"{kind}: the verdict is the first row's")

    def check_details(self):
        tap, row = self.tap, self.ask("transit")["rows"][0]
        tap.equal((row["role"], row["names"], row["twins"]), ("transit", ["Sample Carrier"], []), "a transit with its name")
        tap.equal([(hop["as"], hop["name"], hop["packets_sent"]) for hop in row["before"]],
                  [(64500, "Example Transit", 2 * STEPS * PACKETS), (64501, None, 2 * STEPS * PACKETS)], "who is before it")
        tap.equal(sorted(hop["as"] for hop in row["behind"]), [64601, 64602], "and behind it")
        tap.equal(self.ask("origin")["rows"][0]["role"], "origin", "an origin")
        tap.equal(self.ask("neighbour")["rows"][0]["role"], "neighbour", "a neighbour")
        tap.check(re.fullmatch(r"64510 Sample Carrier is on the path of \d\d % of all retransmits: 1\.5 %, against 0\.30 % elsewhere, since .*\d\d:\d\d UTC",
                               row["verdict"]), "the sentence", row["verdict"])
        for kind, begins in (("link", "The way from 64500 Example Transit to 64510 Sample Carrier is that of "), ("exit", "The way from edge2 to its neighbour 64500 Exam"),
                             ("router", "edge2 is the router of "), ("country", "Brazil is where "), ("origin", "64605 is where "), ("neighbour", "64501 is the neighbour by which ")):
            tap.check(self.ask(kind)["verdict"].startswith(begins), f"{kind}: the sentence", self.ask(kind)["verdict"])

    def check_nobody(self):
        for kind, begins in (("calm", "Nothing stands out: 0.30 % of the packets were sent again"), ("few", "Too few packets to say: 900"),
                             ("transit router:edge1 origin:64601", "Nothing to tell apart: "),
                             ("nosuch", "Too few packets to say: 0")):
            answer = self.ask(kind)
            self.tap.check(not answer["rows"] and answer["verdict"].startswith(begins), f"{kind}: nobody is named", answer["verdict"])
            self.tap.equal(answer["total"], answer["other"], f"{kind}: all is other")

    def check_two(self):
        """Both a transit and an origin: the second is of what the first leaves."""
        answer = self.ask("transit,origin", from_=self.begin + 24 * STEP_S)
        self.tap.equal([row["values"] for row in answer["rows"]], [[64510], [64605]], "two faults: both are named")
        parts = [sums(row) for row in answer["rows"]] + [sums(answer["other"])]
        self.tap.equal([sum(of) for of in zip(*parts)], sums(answer["total"]), "rows + other = total")
        self.tap.check("on other paths" in answer["rows"][1]["verdict"], "the second sentence says so", answer["rows"][1]["verdict"])
        self.tap.equal([row["values"] for row in self.ask("transit,origin", from_=self.begin + 24 * STEP_S, limit=1)["rows"]], [[64510]], "limit")

    def check_csv(self):
        status, text = self.collector.http(f"/api/v1/suspects?format=csv&filter=type:link&from={self.begin}&to={self.begin + STEPS * STEP_S}")
        table = list(csv.DictReader(io.StringIO(text, newline="")))
        row = self.ask("link")["rows"][0]
        self.tap.equal((status, [(line["dim"], line["value"], line["name"], line["value_2"], line["name_2"], line["role"]) for line in table]),
                       (200, [("pair", "64500", "Example Transit", "64510", "Sample Carrier", "")]), "as CSV")
        self.tap.equal([table[0][name] for name in ("packets_retransmitted", "excess", "since", "until", "verdict")],
                       [str(row["packets_retransmitted"]), str(row["excess"]), row["since"], "", row["verdict"]], "the same as JSON")

    def run(self, *arguments):
        done = subprocess.run([program(), "suspects", "--api", "http://" + self.collector.ready["http"], "--from", str(self.begin),
                               "--to", str(self.begin + STEPS * STEP_S), *arguments], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def check_command(self):
        tap = self.tap
        status, out, _ = self.run("--filter", "type:transit")
        lines = out.splitlines()
        tap.check(status == 0 and lines[0] == self.ask("transit")["verdict"], "the command begins with the verdict", out)
        tap.check(re.search(r"^64510 Sample Carrier +\d\d\.\d % +1\.53 % .* 0\.30 % ", out, re.M), "the one that is named", out)
        tap.check(re.search(r"^  by 64500 Example Transit +\d\d\.\d % +1\.53 %$", out, re.M), "by whom it is reached", out)
        tap.check(re.search(r"^other +\d\d\.\d % +0\.30 % ", out, re.M) and re.search(r"^total +100 % ", out, re.M), "everything else, and all", out)
        status, out, _ = self.run("--filter", "type:link")
        tap.check("64500 Example Transit > 64510 Sample Carrier" in out, "a way between two", out)
        status, out, _ = self.run("--filter", "type:calm")
        tap.check(status == 0 and out.startswith("Nothing stands out") and "WHERE" not in out, "nothing stands out", out)
        status, out, _ = self.run("--filter", "type:exit", "--json", "--limit", "1")
        tap.equal((status, json.loads(out)["rows"][0]["values"]), (0, ["edge2", 64500]), "--json")
        status, out, _ = self.run("--filter", "type:exit", "--csv")
        tap.check(status == 0 and out.startswith("dim,value,name,") and out.count("\n") == 2, "--csv", out)
        tap.equal([self.run(*wrong)[0] for wrong in (["--filter", "x"], ["--limit", "0"], ["--by", "via"], ["more"])], [2, 2, 2, 2], "wrong usage")


def check(tap, folder, **config):
    """All of it, on any store."""
    with Collector(os.path.join(folder, "suspects"), **write(folder), **config) as collector:
        begin = (int(time.time()) - STEPS * STEP_S) // STEP_S * STEP_S
        collector.send(records(begin))
        suspects = Suspects(tap, collector, begin)
        for kind, fault in FAULTS.items():
            if fault[2]:
                suspects.check_fault(kind)
        suspects.check_details()
        suspects.check_nobody()
        suspects.check_two()
        suspects.check_csv()
        suspects.check_command()


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="whereto-test.") as folder:
        check(tap, folder)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
