#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The API against a naive computation of the same traffic: groups with an earlier range beside them, series with everything
else by bucket, small charts, paths and the flow over them, completion, names, errors that point at the character.

WT_SEED sets the seed."""

import calendar
import csv
import io
import json
import os
import random
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import apitraffic  # noqa: E402
from apitraffic import COUNTRIES, NAMES, Sums, World, figures  # noqa: E402
from collector import Collector  # noqa: E402
from tap import Tap  # noqa: E402

HOUR, DAY = 3600, 86400
FIELDS = ",".join(apitraffic.MEASURES)


def seconds(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def covered(answer):
    return {"since": seconds(answer["from"]), "until": seconds(answer["to"])}


def keyed(rows, by):
    """{key: figures} of an answer's rows."""
    return {tuple(seconds(row[name]) if name == "time" else row[name] for name in by): figures(row) for row in rows}


def expected(sums):
    return {key: value.figures() for key, value in sums.items()}


def added(*parts):
    return tuple(map(sum, zip(*parts))) if parts else Sums().figures()


class Api:
    """One world and its collector, with the parts of the test."""

    def __init__(self, tap, world, collector):
        self.tap, self.world, self.collector = tap, world, collector
        self.ask = collector.api

    def check_all(self):
        self.check_groups()
        self.check_compare()
        self.check_series_compare()
        self.check_throughput()
        self.check_series()
        self.check_sparklines()
        self.check_paths()
        self.check_sides()
        self.check_complete()
        self.check_names()
        self.check_csv()
        self.check_errors()
        self.check_since()
        self.check_no_such_page()
        self.check_kept()

    def check_groups(self):
        for by in ("type", "country"):
            answer = self.ask({"type": "types", "country": "countries"}[by], last="30h")
            self.tap.equal(keyed(answer["rows"], (by,)), expected(self.world.sums((by,), **covered(answer))),
                           f"{by}: each that there is, with its sums")
        names = {row["country"]: row.get("country_name") for row in answer["rows"]}
        self.tap.equal(names, {code: COUNTRIES.get(code) for code in names}, "countries have their names, the unknown has none")
        some = self.ask("countries", last="30h", filter="router:edge1 -type:video")
        self.tap.equal(keyed(some["rows"], ("country",)), expected(self.world.sums(
            ("country",), **covered(some), where=lambda row: row["router"] == "edge1" and row["type"] != "video")),
            "and only those of the filter")
        few = self.ask("top", by="origin", fields="bytes_sent,retransmit_rate", limit=3)
        self.tap.equal([set(row) - {"origin", "origin_name"} for row in few["rows"]], [{"bytes_sent", "retransmit_rate"}] * 3,
                       "fields: nothing but these")
        whole = self.ask("top", by="origin", limit=3, to=few["to"], from_=few["from"])
        self.tap.equal([row["retransmit_rate"] for row in few["rows"]], [row["retransmit_rate"] for row in whole["rows"]],
                       "and with the same values")

    def check_compare(self):
        for by, back in (("", None), ("origin", None), ("country,type", "2h"), ("router", "1d")):
            names = tuple(by.split(",")) if by else ()
            question = {"by": by, "limit": 4, "last": "3h", "compare": back or "previous"}
            answer = self.ask("top", **question)
            now, before = covered(answer), covered(answer["previous"])
            length = before["until"] - before["since"]
            shift = {None: now["since"] - before["since"], "2h": 2 * HOUR, "1d": DAY}[back]
            passed = min(now["until"], time.time() + 60) - now["since"]
            self.tap.check(-60 <= passed - length <= 60 and now["since"] - before["since"] == shift
                           and (back or before["until"] == now["since"]),
                           f"compare by {by or 'nothing'}: the earlier range is as long, and where it should be", (now, before))
            sums = expected(self.world.sums(names, **before))
            self.tap.equal([figures(row["previous"]) for row in answer["rows"]],
                           [sums.get(tuple(row[name] for name in names), Sums().figures()) for row in answer["rows"]],
                           "the same groups in the earlier range")
            self.tap.equal(figures(answer["total"]["previous"]), self.world.total(**before).figures(), "its total")
            self.tap.equal(added(figures(answer["other"]["previous"]), *(figures(row["previous"]) for row in answer["rows"])),
                           figures(answer["total"]["previous"]), "rows + other = total there, too")

    def check_series(self):
        for by, last, extra in (("origin", "6h", {}), ("router,type", "30h", {"step": "1h"}), ("country", "30h", {"points": 12}),
                                ("path", "2h", {"filter": "router:edge2"})):
            names = ("time", *by.split(","))
            answer = self.ask("series", by=by, last=last, limit=3, **extra)
            where = {"where": lambda row: row["router"] == "edge2"} if "filter" in extra else {}
            sums = expected(self.world.sums(names, step=answer["step"], **covered(answer), **where))
            rows = keyed(answer["rows"], names)
            groups = {key[1:] for key in rows}
            self.tap.equal(rows, {key: value for key, value in sums.items() if key[1:] in groups},
                           f"series by {by}: every bucket of its groups")
            others = {}
            for key, value in sums.items():
                if key[1:] not in groups:
                    others[key[:1]] = added(others.get(key[:1], Sums().figures()), value)
            got = {key: value for key, value in keyed(answer["other_rows"], ("time",)).items() if any(value)}
            self.tap.equal(got, others, "and everything else, bucket by bucket")
            self.tap.equal(added(*rows.values(), *got.values()), figures(answer["total"]), "which make up the total")
            if "points" in extra:
                self.tap.check(len({key[0] for key in rows}) <= extra["points"], "points: no more buckets than that", rows)

    def check_series_compare(self):
        for by, back, extra in (("", None, {"last": "3h"}), ("router", "1d", {"last": "5h", "points": 20}), ("via", "2h", {"last": "2h", "step": "5m"})):
            answer = self.ask("series", by=by, compare=back or "previous", fields=FIELDS, **extra)
            now, before = covered(answer), covered(answer["previous"])
            shift = {None: min(now["until"], (time.time() // 60 + 1) * 60) - now["since"], "1d": DAY, "2h": 2 * HOUR}[back]
            self.tap.check(abs(now["since"] - before["since"] - shift) <= 60, f"series by {by or 'nothing'}: the earlier range is where top has it", (now, before))
            self.tap.equal(answer["previous"]["step"], answer["step"], "in the same steps")
            self.tap.equal(keyed(answer["previous_rows"], ("time",)), expected(self.world.sums(("time",), step=answer["step"], **before)),
                           "everything in it, bucket by bucket")
            self.tap.equal(figures(answer["total"]["previous"]), self.world.total(**before).figures(), "its total")
        answer = self.ask("series", last="3h", compare="46h", step="1m", fields=FIELDS)
        self.tap.check(answer["step"] == 60 and answer["previous"]["step"] == HOUR, "where minutes are gone, it is in hours", answer["previous"])

    def bill(self, values, step, percentile):
        """Mean, percentile and highest of samples, in bits a second, as they are reckoned by hand."""
        kept = sorted(values)[:len(values) - len(values) * (100 - percentile) // 100]
        return tuple(8 * v / step for v in (sum(values) / len(values), kept[-1], max(values)))

    def check_throughput(self):
        name = lambda row: (row["mean_bps"], row["percentile_bps"], row["max_bps"])  # noqa: E731
        near = lambda a, b: all(abs(x - y) <= 1e-9 * max(x, y) for x, y in zip(a, b))  # noqa: E731
        first = min(row["minute"] for row in self.world.rows)
        for by, percentile, extra in (("", 95, {"last": "6h"}), ("origin", 95, {"last": "30h"}), ("router,type", 90, {"last": "3h"}), ("via", 95, {"last": "20h"}),
                                      ("country", 50, {"last": "7h", "filter": "router:edge2"}), ("neighbour", 95, {"last": "90h"}), ("", 99, {"last": "6d"})):
            answer = self.ask("series", by=by, limit=3, percentile=percentile, **extra)
            t, step = answer["throughput"], answer["throughput"]["step"]
            since, until = seconds(t["from"]), seconds(t["to"])
            range_ = covered(answer)
            starts = range(-(-max(range_["since"], first) // step) * step, until, step)
            self.tap.check(t["samples"] == (until - since) // step == len(starts) > 0 and since == starts[0] and until <= time.time() < until + step + 30,
                           f"throughput by {by or 'nothing'}, {extra['last']}: whole samples, over, and since there is traffic", (t["samples"], len(starts), step))
            where = {"where": lambda row: row["router"] == "edge2"} if "filter" in extra else {}
            names = tuple(by.split(",")) if by else ()
            if "via" not in names:
                sums = self.world.sums(("time", *names), step=step, since=since, until=until, **where)
                line = lambda key: [sums[(at, *key)].values["bytes_sent"] if (at, *key) in sums else 0 for at in starts]  # noqa: E731,B023
                keys = {key[1:] for key in sums}
                rows = [tuple(row[n] for n in names) for row in t["rows"]]
                self.tap.check(all(near(name(row), self.bill(line(key), step, percentile)) for row, key in zip(t["rows"], rows)), "mean, percentile and highest of each group",
                               t["rows"])
                others = [sum(values) for values in zip(*map(line, keys - set(rows)))] if names and keys - set(rows) else [0] * len(starts)
                self.tap.check(not names or near(name(t["other"]), self.bill(others, step, percentile)), "of the others", t["other"])
            else:
                top = {row["via"]: row["bytes_sent"] for row in self.ask("top", by=by, from_=t["from"], to=t["to"])["rows"]}
                self.tap.check(t["other"] is None and len(t["rows"]) == 3 and
                               all(abs(row["mean_bps"] * (until - since) / 8 / top[row["via"]] - 1) < 1e-9 for row in t["rows"]), "with via there are no others", t)
            whole = self.world.sums(("time",), step=step, since=since, until=until, **where)
            self.tap.check(near(name(t["total"]), self.bill([whole[(at,)].values["bytes_sent"] if (at,) in whole else 0 for at in starts], step, percentile)),
                           f"of everything, {percentile} per cent of {t['samples']} samples", t["total"])
        self.tap.equal(self.ask("series", last="20h", percentile=95)["throughput"]["step"], 300, "samples of five minutes")
        self.tap.equal(self.ask("series", last="6d", percentile=95)["throughput"]["step"], HOUR, "where minutes are gone, of hours, and it says so")
        minute = int(time.time()) // 60 * 60
        short = self.ask("series", from_=str(minute - 120), to=str(minute - 60), percentile=95)["throughput"]
        self.tap.equal((short["samples"], short["total"]), (0, {"mean_bps": None, "percentile_bps": None, "max_bps": None}), "no sample, no figure")

    def check_sparklines(self):
        top = self.ask("top", by="country", last="30h", limit=4)
        keys = ["null" if row["country"] is None else row["country"] for row in top["rows"]] + ["AQ"]
        answer = self.ask("sparklines", by="country", keys=",".join(keys), last="30h", fields=FIELDS + ",retransmit_rate")
        self.tap.equal([row["key"] for row in answer["rows"]], [None if key == "null" else key for key in keys],
                       "sparklines: the values asked for, in this order")
        self.tap.check(answer["points"] <= 60 and all(len(row[name]) == answer["points"] for row in answer["rows"]
                                                      for name in apitraffic.MEASURES), "each with a place a bucket")
        sums = expected(self.world.sums(("country", "time"), step=answer["step"], **covered(answer)))
        start = seconds(answer["start"])
        got = {(row["key"], start + i * answer["step"]): tuple(row[name][i] for name in apitraffic.MEASURES)
               for row in answer["rows"] for i in range(answer["points"])}
        self.tap.equal({key: value for key, value in got.items() if any(value)},
                       {key: value for key, value in sums.items() if key[0] in [row["key"] for row in answer["rows"]]},
                       "and the sums of it")
        self.tap.check(all((row["retransmit_rate"][i] is None) == (row["packets_sent"][i] == 0) for row in answer["rows"]
                           for i in range(answer["points"])), "a rate of nothing is null")
        first = self.ask("sparklines", by="origin", last="30h", limit=2)
        whole = self.ask("top", by="origin", from_=first["from"], to=first["to"], limit=2)
        self.tap.equal([(row["key"], sum(row["bytes_sent"])) for row in first["rows"]],
                       [(row["origin"], row["bytes_sent"]) for row in whole["rows"]], "without keys: those of top")

    def check_paths(self):
        for question in ({"limit": 3, "nodes": 2}, {"limit": 100, "nodes": 50}, {"filter": "router:edge1 country:DE,US", "nodes": 3}):
            answer = self.ask("paths", last="30h", fields=FIELDS, **question)
            where = {"where": lambda row: row["router"] == "edge1" and row["country"] in ("DE", "US")} if "filter" in question else {}
            choice = {**covered(answer), **where}
            sums = expected(self.world.sums(("router", "path"), **choice))
            self.tap.check(all(figures(row) == sums[row["router"], row["path"]] for row in answer["rows"]),
                           f"paths {question}: sums of each path", answer["rows"])
            self.tap.check(all((row["neighbour"], row["origin"], row["transit"]) == (apitraffic.neighbour(row["path"]),
                               apitraffic.origin(row["path"]), apitraffic.transit(row["path"])) for row in answer["rows"]),
                           "where each leads", answer["rows"])
            self.tap.check(all(row["hops"] is None if row["path"] is None else
                               [(hop["as"], hop["name"]) for hop in row["hops"]] ==
                               [(number, NAMES.get(number)) for number in apitraffic.members(row["path"])]
                               for row in answer["rows"]), "its ASes with their names", answer["rows"])
            total = self.world.total(**choice).figures()
            self.tap.equal(figures(answer["total"]), total, "the total")
            self.tap.equal(added(figures(answer["other"]), *map(figures, answer["rows"])), total, "rows + other = total")
            self.check_flow(answer, total, choice, question["nodes"])

    def check_flow(self, answer, total, choice, most):
        nodes = {node["id"]: node for node in answer["nodes"]}
        for stage in ("router", "neighbour", "origin"):
            of_stage = [node for node in answer["nodes"] if node["stage"] == stage]
            self.tap.equal(added(*map(figures, of_stage)), total, f"all of it passes the stage {stage}")
            self.tap.check(len(of_stage) <= most + 1, f"no more nodes than {most} and the others", of_stage)
            own = [node for node in of_stage if not node["other"]]
            largest = sorted((m.values["bytes_sent"] for m in self.world.sums((stage,), **choice).values()), reverse=True)
            self.tap.equal([node["bytes_sent"] for node in own], largest[:most], f"the largest of the stage {stage} have nodes, the largest first")
        sums = expected(self.world.sums(("transit",), **choice))
        sums.pop((None,), None)
        transits = [node for node in answer["nodes"] if node["stage"] == "transit"]
        self.tap.check(all(node["other"] or figures(node) == sums[node["value"],] for node in transits), "transit ASes", transits)
        into = {node: Sums().figures() for node in nodes}
        out = dict(into)
        for link in answer["links"]:
            out[link["source"]] = added(out[link["source"]], figures(link))
            into[link["target"]] = added(into[link["target"]], figures(link))
        self.tap.equal([node for node in nodes if nodes[node]["stage"] != "origin" and out[node] != figures(nodes[node])], [],
                       "what is at a node leaves it")
        self.tap.equal([node for node in nodes if nodes[node]["stage"] != "router" and into[node] != figures(nodes[node])], [],
                       "what is at a node came to it")

    def check_sides(self):
        """Networks with two routers, and origins behind another network (the verdicts are compare_test's)."""
        answer = self.ask("compare", last="30h", limit=1000)
        sides = defaultdict(dict)
        for (prefix, router), sums in self.world.sums(("prefix", "router"), **covered(answer)).items():
            if prefix:
                sides[prefix][router] = sums.values["bytes_sent"]
        self.tap.equal({row["prefix"]: {side["router"]: side["bytes_sent"] for side in row["sides"]} for row in answer["rows"]},
                       {prefix: found for prefix, found in sides.items() if len(found) == 2}, "compare: each network that two routers serve, by both")
        answer = self.ask("peering", last="30h", limit=1000)
        ways = defaultdict(dict)
        for (asn, first), sums in self.world.sums(("origin", "neighbour"), **covered(answer)).items():
            if asn and first:
                ways[asn][first] = sums.values["bytes_sent"]
        self.tap.equal({row["origin"]: {way["neighbour"]: way["bytes_sent"] for way in row["transit"]} for row in answer["rows"]},
                       {asn: {first: sent for first, sent in found.items() if first != asn} for asn, found in ways.items() if set(found) != {asn}},
                       "peering: each origin that is reached by another network, by which")
        self.tap.equal({row["origin"]: row["direct"]["bytes_sent"] for row in answer["rows"] if row["direct"]},
                       {asn: found[asn] for asn, found in ways.items() if asn in found and len(found) > 1}, "and what goes there without")

    def check_complete(self):
        def complete(**question):
            return [(row["value"], row["name"]) for row in self.ask("complete", last="30h", **question)["rows"]]
        tap = self.tap
        tap.equal(sorted(complete(dim="router")), [("edge1", None), ("edge2", None)], "complete: routers")
        tap.equal(complete(dim="type", prefix="FI"), [("file, large", None)], "types, in any case")
        tap.equal(complete(dim="country", prefix="ger"), [("DE", "Germany")], "countries by name")
        tap.equal(complete(dim="country", prefix="de"), [("DE", "Germany")], "countries by code")
        tap.equal(complete(dim="neighbour", prefix="carr"), [(64602, NAMES[64602])], "ASes by a word of the name")
        tap.equal(complete(dim="origin", prefix="AS6470", limit=1), complete(dim="origin", prefix="6470", limit=1), "ASes with and without AS")
        tap.equal({number for number, _ in complete(dim="origin", prefix="647", limit=50)},
                  {row["origin"] for row in self.world.rows if row["origin"]}, "ASes by number")
        tap.equal({number for number, _ in complete(dim="via", prefix="6465", limit=50)}, {64650, 64651, 64652}, "ASes on the path")
        tap.equal(complete(dim="origin", prefix="64703")[0][0], 64703, "what was typed whole comes first")
        prefixes = complete(dim="prefix", prefix="203.10", limit=100)
        tap.equal({prefix for prefix, _ in prefixes}, {row["prefix"] for row in self.world.rows if row["prefix"] and
                                                       row["prefix"].startswith("203.10")}, "prefixes")
        answer = self.ask("complete", dim="prefix", prefix="203.1", last="30h", limit=5)
        tap.check(answer["more"] and len(answer["rows"]) == 5, "no more than the limit, and it says so", answer)
        tap.equal([row["bytes_sent"] for row in answer["rows"]], sorted((row["bytes_sent"] for row in answer["rows"]), reverse=True),
                  "those with the most first")
        tap.equal(complete(dim="origin", prefix="nobody"), [], "nothing fits")
        found = {row["term"]: row["name"] for row in self.ask("complete", prefix="carr", last="30h", limit=9)["rows"]}
        tap.check(found.get("via:64602") == NAMES[64602] == found.get("neighbour:64602"), "without a dimension: a name is found in all that have some", found)
        tap.equal([row["term"] for row in self.ask("complete", prefix="germany", last="30h")["rows"]], ["country:DE"], "and only where it is")
        both = self.ask("complete", prefix="e", last="30h", limit=2)
        tap.check("router:edge1" in [row["term"] for row in both["rows"]] and both["dim"] is None, "routers too", both)
        numbers = self.ask("complete", prefix="6", last="30h", limit=2)
        tap.check(numbers["more"] and max(sum(row["term"].startswith(dim + ":") for row in numbers["rows"]) for dim in ("origin", "neighbour", "via")) == 2,
                  "the limit is of each", numbers)
        for dim in ("type", "path", "country", "origin", "prefix", "router", "match"):
            answer = self.ask("complete", dim=dim, last="30h", limit=3)
            for row in answer["rows"]:
                top = self.ask("top", by=dim, from_=answer["from"], to=answer["to"], filter=row["term"], limit=2)
                if not tap.equal([(found[dim], found["bytes_sent"]) for found in top["rows"]], [(row["value"], row["bytes_sent"])],
                                 f"the term {row['term']} is a filter for it"):
                    return

    def check_kept(self):
        """A long list of values is kept for the next letter. The last check: the traffic is more than the world's then."""
        def found(text, **question):
            return [row["value"] for row in self.ask("complete", dim="type", prefix=text, limit=100, **question)["rows"]]
        now = int(time.time())
        self.collector.send({"time": now, "client": "198.18.0.1", "server": "192.0.2.1", "type": f"kept {i:05}", "bytes_sent": 1} for i in range(6000))
        first = found("KEPT 0123", last="30h")
        self.tap.equal(sorted(first), [f"kept {i:05}" for i in range(1230, 1240)], "complete: ten of thousands of values")
        self.collector.send([{"time": now, "client": "198.18.0.1", "server": "192.0.2.1", "type": "kept new", "bytes_sent": 1}])
        self.tap.equal((found("kept 05999", last="30h"), found("kept new", last="30h")), (["kept 05999"], []), "the next letter is told from the list that was made")
        self.tap.equal(found("kept new", last="31h"), ["kept new"], "for another range there is another list")

    def check_names(self):
        network = next(network for network in self.world.networks if self.world.paths["edge1"].get(network) and network in self.world.countries)
        answer = self.ask("lookup", address=network.split("/")[0], router="edge1")
        path = self.world.paths["edge1"][network]
        self.tap.equal([answer["country_name"], answer["rows"][0]["hops"], answer["rows"][0].get("neighbour_name")],
                       [COUNTRIES[self.world.countries[network]], [{"as": number, "name": NAMES.get(number)} for number in apitraffic.members(path)],
                        NAMES.get(apitraffic.neighbour(path))], "lookup: names of the country and of the path's ASes")
        rows = self.ask("routes", prefix=network)["rows"]
        self.tap.equal([row.get("origin_name") for row in rows], [NAMES.get(row["origin"]) for row in rows], "routes: names of origins")

    def check_csv(self):
        for path, by in (("top?by=country,origin", 2), ("types", 1), ("countries?compare=previous", 1), ("series?by=type", 2),
                         ("sparklines?by=router", 2), ("paths?limit=5", 5), ("complete?dim=origin", 4), ("senders", 17),
                         ("routers", 17), ("lookup?address=203.100.1.1", 19), ("routes?limit=5", 19)):
            status, text = self.collector.http(f"/api/v1/{path}{'&' if '?' in path else '?'}format=csv")
            table = list(csv.reader(io.StringIO(text, newline="")))
            self.tap.check(status == 200 and len(table) > 1 and len(table[0]) >= by and {len(row) for row in table} == {len(table[0])},
                           f"{path} as CSV: as many cells in each row as columns", text[:300])

    def check_errors(self):
        for path, parameter, position in (
                ("top?filter=router:edge1 contry:DE", "filter", 14), ("top?filter=country:DE,D1", "filter", 12),
                ("series?filter=-type:\"é\" origin:x", "filter", 18), ("routes?filter=origin:64500 via:y", "filter", 18),
                ("sparklines?by=origin&keys=64500,x", "keys", 7), ("complete?dim=origin&filter=type:", "filter", 6),
                ("top?filter=" + "origin:1 " * 31 + "bad", "filter", 280)):
            status, body = self.collector.http("/api/v1/" + urllib.parse.quote(path, safe="?&=/"))
            error = json.loads(body)
            lines = error.get("excerpt", "\n").split("\n")
            text = urllib.parse.unquote(path.split(parameter + "=")[1])
            self.tap.check((status, error.get("parameter"), error.get("position")) == (400, parameter, position) and
                           lines[0] in text and lines[1].endswith("^") and
                           lines[0][len(lines[1]) - 1:][:1] == text[position - 1:position],
                           f"{path[:50]}: the error is at character {position}", body)
        for path, says in (("top?compare=yesterday", "compare"), ("top?by=time&compare=previous", "compare"), ("top?fields=byte", "byte"),
                           ("series?points=3", "10"), ("series?points=60&step=1m", "exclude"), ("top?points=60", "time"),
                           ("complete?dim=time", "there are router, type"),
                           ("complete?dim=rooter", "'rooter' is no dimension; there are router, type"), ("top?by=orgin", "there are time, router"),
                           ("top?sort=size", "retransmit_rate, rtt_p50_us"), ("top?fields=size", "spurious_rate, share, approximate"),
                           ("top?filter=x", "parameter 'filter': character 1:"), ("top?from=2026-11-27T10:00", "is no time"), ("sparklines?by=", "by"),
                           ("sparklines?by=origin,country", "one"), ("paths?nodes=0", "nodes"), ("types?by=router", "by"),
                           ("sparklines?by=type&keys=a b", "quotes")):
            status, body = self.collector.http("/api/v1/" + urllib.parse.quote(path, safe="?&=/"))
            self.tap.check(status == 400 and says in json.loads(body)["error"], f"{path} is refused", body)


        status, body = self.collector.http("/api/v1/top?last=1h&from=-1h")
        self.tap.equal((status, json.loads(body).get("parameter")), (400, "last"), "from and last: which parameter it is about")
        for text in ("2026-11-27", "2026-11-27T10:00Z", "2026-11-27T11:00:00+01:00"):
            answer = self.collector.http(f"/api/v1/top?from={text}&to=2026-11-28")
            self.tap.check(answer[0] == 200 and json.loads(answer[1])["from"] in ("2026-11-27T00:00:00Z", "2026-11-27T10:00:00Z"),
                           f"{text} is a time, as it is written", answer)

    def check_since(self):
        """Before any retention: the minute of the first record."""
        first = min(row["minute"] for row in self.world.rows)
        self.tap.equal(seconds(self.ask("since")["since"]), first, "since when there is traffic: the first minute that has any")

    def check_no_such_page(self):
        for accept, kind, says in (("text/html,*/*", "text/html", '<a href="/">'), ("application/json", "application/json", '"error"')):
            request = urllib.request.Request(f"http://{self.collector.ready['http']}/nope", headers={"Accept": accept})
            try:
                urllib.request.urlopen(request, timeout=20).close()
                self.tap.check(False, "there is no such page")
            except urllib.error.HTTPError as error:
                body = error.read().decode()
                self.tap.check(error.code == 404 and error.headers.get_content_type() == kind and says in body, f"no such page, as {kind}", body)

    def check_snapshots(self):
        """A question that is refused midway leaves none of what it saw to those after it."""
        for number in range(3):
            status, body = self.collector.http("/api/v1/series?by=origin&step=1m&last=70d")
            self.tap.check(status == 400 and "buckets" in body, "too many buckets are refused", body)
            kind = f"later{number}"
            self.collector.send([{"client": "198.18.0.1", "server": "192.0.2.1", "type": kind, "bytes_sent": 77}])
            seen = {self.collector.api("top", by="type", filter="type:" + kind)["total"]["bytes_sent"] for _ in range(8)}
            self.tap.equal(seen, {77}, "and what comes then is seen by every reader")


def main():
    seed = int(os.environ.get("WT_SEED", time.time_ns() % 1000000))
    print(f"# WT_SEED={seed}")
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        world = World(random.Random(seed), folder)
        with Collector(os.path.join(folder, "collector"), **world.config()) as collector:
            collector.send(world.records)
            api = Api(tap, world, collector)
            api.check_all()
            api.check_snapshots()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
