#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What happened when: a real collector with a day of traffic in which one transit loses packets since six hours ago, one network
answered slowly in the morning, and a path is moved away from the transit now. What is told of it, its figures against those of other
questions, and what the command line makes of it.

Of each network one record an hour: rates are the same for all but what is planted, so nothing here is by chance. When an hour ends
meanwhile all of it is done again, with another collector."""

import csv
import io
import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import mrtgen  # noqa: E402
from collector import Collector, program  # noqa: E402
from tap import in_one_hour  # noqa: E402

HOUR = 3600
HOURS = 24
SERVER = "192.0.2.10"
NAMES = {64510: "Sample Carrier", 64605: "Sample Network"}
PATHS = {
    "203.0.113.0/28": "64500 64510 64601",
    "203.0.113.16/28": "64501 64510 64602",
    "203.0.113.32/28": "64500 64603",
    "203.0.113.48/28": "64501 64605",
    "203.0.113.64/28": "64500 64606",
    "203.0.113.80/28": "64501 64607",
}
MOVED, AWAY = "203.0.113.0/28", "64501 64601"
LOSSY_FROM, SLOW = 18, range(6, 10)
PACKETS, CONNECTIONS = 20000, 200
CLEAN, LOSSY = 0.003, 0.04
FAST_US, SLOW_US = 18000, 95000


def hour_of(now):
    return int(now) // HOUR * HOUR


def record(network, path, hour, at):
    lossy = "64510" in path and hour >= LOSSY_FROM
    slow = "64605" in path and hour in SLOW
    return {"time": at, "client": network.replace(".0/28", ".1/28").split("/")[0], "server": SERVER, "type": "web", "bytes_sent": PACKETS * 1400,
            "packets_sent": PACKETS, "packets_retransmitted": int(PACKETS * (LOSSY if lossy else CLEAN)), "connections": CONNECTIONS,
            "connections_with_retransmit": 150 if lossy else 25, "rtt_us": [SLOW_US if slow else FAST_US] * 16}


def records(end):
    for hour in range(HOURS):
        for network, path in PATHS.items():
            for _ in range(25):   # a record has few round trips, and a thousand are wanted
                yield record(network, path, hour, end - (HOURS - hour) * HOUR)


def write(folder, paths):
    mrtgen.write_table(os.path.join(folder, "edge1.mrt"), [mrtgen.Peer("198.51.100.1", 64496)], [[(network, path, {}) for network, path in paths.items()]])
    with open(os.path.join(folder, "asnames.txt"), "w", encoding="ascii") as file:
        file.writelines(f"{number} {name}\n" for number, name in NAMES.items())
    return {"routers": [{"name": "edge1", "serves": ["192.0.2.0/24"], "sources": [{"mrt": {"file": os.path.join(folder, "edge1.mrt")}}]}],
            "asnames": {"file": os.path.join(folder, "asnames.txt")}}


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class Incidents:
    def __init__(self, tap, collector, end):
        self.tap, self.collector, self.end, self.begin = tap, collector, end, end - HOURS * HOUR
        self.range = {"from_": self.begin, "to": end + HOUR}

    def ask(self, **more):
        return self.collector.api("incidents", **{**self.range, **more})

    def check_rows(self):
        tap, answer = self.tap, self.ask()
        rows = answer["rows"]
        tap.equal((answer["step"], answer["changes"], answer["more"]), (HOUR, "all", 0), "buckets are hours, all changes are looked at")
        tap.equal([(row["kind"], row["dim"], row["value"], row["name"]) for row in rows],
                  [("path", "router", "edge1", None), ("loss", "via", 64510, "Sample Carrier"), ("rtt", "via", 64605, "Sample Network")],
                  "what happened, the latest first")
        if len(rows) != 3:
            return
        path, loss, rtt = rows
        tap.equal((loss["begin"], loss["end"]), (stamp(self.begin + LOSSY_FROM * HOUR), None), "the loss goes on")
        tap.equal((rtt["begin"], rtt["end"]), (stamp(self.begin + SLOW[0] * HOUR), stamp(self.begin + (SLOW[-1] + 1) * HOUR)), "what was slow has an end")
        tap.equal([row["with"] for row in rows], [[1], [0], []], "the move is beside the loss")
        tap.equal({(also["dim"], also["value"]) for also in loss["also"]} >= {("via", 64601), ("via", 64602)}, True, "those behind the transit show it as well")
        tap.equal([path[key] for key in ("hop", "before_as", "after_as", "after_name", "changes", "networks", "prefix", "before", "after")],
                  [None, 64500, 64501, None, 1, 1, MOVED, PATHS[MOVED], AWAY], "the move")
        self.check_figures(loss, rtt)
        tap.check(re.fullmatch(r"64510 Sample Carrier was on the path of \d\d % of all retransmits since .*UTC: 4\.0 %, against 0\.30 % at other times",
                               loss["verdict"]), "the sentence of a loss", loss["verdict"])
        tap.check(re.fullmatch(r"64605 Sample Network: half of the round trips by it took \d+ ms or more from .*UTC to .*UTC, against \d+ ms at other times",
                               rtt["verdict"]), "of what was slow", rtt["verdict"])
        tap.check(re.fullmatch(r"edge1: 203\.0\.113\.0/28 moved from 64500 to 64501 at \d\d:\d\d UTC", path["verdict"]), "of a move", path["verdict"])

    def check_figures(self, loss, rtt):
        def total(begin, end, **more):
            return self.collector.api("top", by="", from_=begin, to=end, **more)["total"]
        begin = self.begin + LOSSY_FROM * HOUR
        own, all_ = total(begin, self.end, filter=loss["filter"]), total(begin, self.end)
        before = total(self.begin, begin, filter=loss["filter"])
        names = ("bytes_sent", "packets_sent", "packets_retransmitted", "connections", "connections_with_retransmit", "retransmit_rate", "rtt_p50_us")
        self.tap.equal(([loss["inside"][name] for name in names], [loss["outside"][name] for name in names]),
                       ([own[name] for name in names], [before[name] for name in names]), "figures inside and outside are those of its filter and range")
        self.tap.check(abs(loss["retransmit_share"] - own["packets_retransmitted"] / all_["packets_retransmitted"]) < 1e-12
                       and abs(loss["excess"] - (own["packets_retransmitted"] - own["packets_sent"] * before["retransmit_rate"])) <= 1, "share and excess", loss)
        slow = total(self.begin + SLOW[0] * HOUR, self.begin + (SLOW[-1] + 1) * HOUR, filter=rtt["filter"])
        self.tap.equal((rtt["inside"]["rtt_p50_us"], rtt["retransmit_share"]), (slow["rtt_p50_us"], None), "figures of what was slow")

    def check_filter(self):
        tap = self.tap
        answer = self.ask(filter="type:web")
        tap.equal((answer["changes"], [row["kind"] for row in answer["rows"]]), ("none", ["loss", "rtt"]), "a filter of traffic: changes have none")
        answer = self.ask(filter="via:64605")
        tap.equal((answer["changes"], [row["kind"] for row in answer["rows"]]), ("all", ["rtt"]), "a filter of routes holds for changes as well")
        tap.equal([self.ask(limit=limit)["more"] for limit in (1, 2)], [2, 1], "limit")
        tap.equal(self.ask(limit=1)["rows"][0]["kind"], "loss", "what weighs most stays")
        answer = self.ask(to=self.begin + 5 * HOUR)
        tap.equal(answer["rows"], [], "nothing had happened by then")
        tap.equal(self.ask(from_=self.begin - 400 * 86400, to=self.begin - 399 * 86400)["rows"], [], "nor before there was anything")

    def check_range(self):
        tap, since = self.tap, stamp(self.begin + LOSSY_FROM * HOUR)
        long_ago = [self.ask(from_=begin) for begin in (0, self.begin - 30 * 86400)]
        tap.equal([(answer["step"], [(row["begin"], row["value"]) for row in answer["rows"] if row["kind"] == "loss"]) for answer in long_ago],
                  [(HOUR, [(since, 64510)])] * 2, "a range that begins long before there was anything is as good")
        tap.equal([answer["total"]["bytes_sent"] for answer in long_ago], [self.ask()["total"]["bytes_sent"]] * 2, "and has the same traffic")
        past = self.ask(to=self.end - HOUR)["rows"]
        tap.equal([(row["value"], row["end"], " UTC on: 4.0 %" in row["verdict"]) for row in past if row["kind"] == "loss"], [(64510, None, True)],
                  "of a range that is over nobody knows whether it goes on")
        _, out = self.run("--to", str(self.end - HOUR))
        tap.check(re.search(r"^\d  \S+ \S+  to the end  loss  64510", out, re.M), "nor does the command say so", out)
        _, out = self.run("--from", "2020-01-01", "--to", "2020-01-02")
        tap.check("no traffic in this time" in out and "nothing happened" not in out, "no traffic is not nothing", out)

    def check_csv(self):
        status, text = self.collector.http(f"/api/v1/incidents?format=csv&from={self.begin}&to={self.end + HOUR}")
        table, rows = list(csv.DictReader(io.StringIO(text, newline=""))), self.ask()["rows"]
        self.tap.equal((status, [(line["kind"], line["value"], line["end"], line["verdict"]) for line in table]),
                       (200, [(row["kind"], str(row["value"]), row["end"] or "", row["verdict"]) for row in rows]), "as CSV")
        self.tap.equal([line["inside.packets_retransmitted"] for line in table],
                       [str(row["inside"]["packets_retransmitted"]) if "inside" in row else "" for row in rows], "with its figures")

    def run(self, *arguments):
        times = [word for key, at in (("--from", self.begin), ("--to", self.end + HOUR)) if key not in arguments for word in (key, str(at))]
        done = subprocess.run([program(), "incidents", "--api", "http://" + self.collector.ready["http"], *times, *arguments],
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    def check_command(self):
        tap = self.tap
        status, out = self.run()
        tap.check(status == 0 and re.search(r"^1  \S+ \S+ +path  edge1: 64500 > 64501, 203\.0\.113\.0/28 +2$", out, re.M), "the command: a move", out)
        tap.check(re.search(r"^2  \S+ \S+  ongoing  loss  64510 Sample Carrier +4\.00 % +0\.30 % +\d\d\.\d % +1$", out, re.M), "a loss that goes on", out)
        tap.check(re.search(r"^3  \S+ \S+ +4 h\S*.* rtt   64605 Sample Network +\d+\.?\d* ms +\d+\.?\d* ms", out, re.M), "what was slow, and how long", out)
        status, out = self.run("--filter", "via:64606")
        tap.check(status == 0 and "nothing happened" in out, "nothing happened", out)
        status, out = self.run("--json", "--limit", "1")
        tap.equal((status, json.loads(out)["rows"][0]["value"]), (0, 64510), "--json")
        status, out = self.run("--csv")
        tap.check(status == 0 and out.startswith("kind,begin,end,") and out.count("\n") == 4, "--csv", out)
        tap.equal([self.run(*wrong)[0] for wrong in (["--filter", "x"], ["--limit", "0"], ["--by", "via"], ["more"])], [2, 2, 2, 2], "wrong usage")


def check_moves(tap, folder, collector, paths):
    """What sentences say of other changes than from one AS to another."""
    def become(**other):
        count = len(collector.api("changes", limit=1000)["rows"])
        write(folder, {network: other.get(f"n{i}", path) for i, (network, path) in enumerate(paths.items()) if other.get(f"n{i}") != ""})
        if not collector.reload():
            raise SystemExit("the reload was refused")
        collector.wait(lambda: len(collector.api("changes", limit=1000)["rows"]) > count, "the change of a path")

    def told():
        return [(re.sub(r"\d\d:\d\d", "T", row["verdict"]), row["changes"], row["networks"]) for row in collector.api("incidents", last="1h")["rows"]]
    become(n2="64500 64500 64603", n4="64500 64606 64606")
    tap.equal(told()[0], ("edge1: 2 paths kept their ASes and changed in prepending at T UTC", 2, 2), "the same ASes")
    become(n2="")
    tap.equal(told()[0][0], "edge1: the route to 203.0.113.32/28 by 64500 was lost at T UTC", "a route that is lost")
    become()
    tap.check("edge1: the route to 203.0.113.32/28 by 64500 was learnt at T UTC" in [text for text, _, _ in told()], "and learnt", told())
    for _ in range(2):
        become(n3="64500 64605")
        become()
    tap.check(("edge1: 203.0.113.48/28 moved from 64501 to 64500, 2 times at T UTC", 2, 1) in told(), "back and forth is one network", told())


def check(tap, folder, **config):
    paths = dict(PATHS)
    with Collector(os.path.join(folder, "incidents"), **write(folder, paths), **config) as collector:
        end = hour_of(time.time())
        collector.send(records(end))
        write(folder, {**paths, MOVED: AWAY})
        if not collector.reload():
            raise SystemExit("the reload was refused")
        collector.wait(lambda: collector.api("changes")["rows"], "the change of a path")
        incidents = Incidents(tap, collector, end)
        incidents.check_rows()
        incidents.check_filter()
        incidents.check_range()
        incidents.check_csv()
        incidents.check_command()
        check_moves(tap, folder, collector, {**paths, MOVED: AWAY})


if __name__ == "__main__":
    sys.exit(in_one_hour(check))
