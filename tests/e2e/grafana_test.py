#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every question of examples/grafana-postgresql.json is put to a real PostgreSQL that a collector writes to, with Grafana's
macros and variables replaced as Grafana does: each has an answer, and the sums are those that were sent."""

import contextlib
import json
import os
import re
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from collector import Collector  # noqa: E402
from mrtgen import write_paths  # noqa: E402
from postgres import Server, unavailable  # noqa: E402
from tap import Tap, skip_all  # noqa: E402

DASHBOARD = os.path.join(HERE, "..", "..", "examples", "grafana-postgresql.json")
RECORDS = 400
BYTES = 1500


def expand(sql, values):
    """What Grafana's PostgreSQL source makes of a panel's text: pkg/tsdb of its macros, and ${name:format} of variables."""
    now = int(time.time())
    sql = re.sub(r"\$\{router:sqlstring\}", ",".join(f"'{name}'" for name in values["router"]), sql)
    sql = re.sub(r"\$\{(\w+)\}", lambda m: values[m[1]], sql)
    sql = re.sub(r"\$__unixEpochFilter\(([^)]*)\)", rf"\1 >= {now - 86400} AND \1 <= {now + 60}", sql)
    return re.sub(r"\$__unixEpochGroup\(([^,]*), (\d+)\)", r"floor((\1)/\2)*\2", sql)


def send(collector):
    collector.send({"client": f"203.0.{113 + i % 2}.{i % 250}", "server": "192.0.2.10", "type": "video", "bytes_sent": BYTES,
                    "packets_sent": 10, "packets_retransmitted": i % 2, "connections": 1, "rtt_us": [20000]}
                   for i in range(RECORDS))


def change_path(collector, table):
    """So that there is a path change, of a network with traffic."""
    write_paths(table, [("203.0.113.0/24", [64500, 64505, 64510]), ("203.0.114.0/24", [64501, 64520])])
    collector.reload()
    collector.wait(lambda: collector.api("changes")["rows"], "a path change", 60)


def answers(server, sql):
    text = server.ask(f"SELECT coalesce(json_agg(q), '[]') FROM ({sql}) q")
    return json.loads(text)


def check_panels(tap, server, dashboard, level):
    values = {"router": ["edge1"], "level": level, "step": "300", "packets": "100"}
    found = {}
    for panel in dashboard["panels"]:
        sql = expand(panel["targets"][0]["rawSql"], values)
        tap.check("$" not in sql, f"{level}: {panel['title']}: nothing is left of its variables", sql)
        found[panel["title"]] = answers(server, sql)
        # Countries: none are configured here.
        tap.check(found[panel["title"]] or panel["title"] == "Largest countries", f"{level}: {panel['title']} has an answer", sql)
    tap.equal(found["Sent"][0]["bytes"], RECORDS * BYTES, f"{level}: the bytes that were sent")
    tap.equal(found["Retransmit rate"][0]["rate"], 0.05, f"{level}: the retransmit rate")
    tap.equal({row["origin"]: row["bytes"] for row in found["Largest origins"]},
              {64510: RECORDS // 2 * BYTES, 64520: RECORDS // 2 * BYTES}, f"{level}: each origin's share")
    tap.equal(sum(row["value"] * 300 / 8 for row in found["Traffic by type"]), RECORDS * BYTES,
              f"{level}: the series' sum is the total")


def main():
    reason = unavailable()
    if reason:
        skip_all(reason)
    tap = Tap()
    with open(DASHBOARD, encoding="utf-8") as file:
        dashboard = json.load(file)
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Server()) as server:
        table = os.path.join(folder, "edge1.mrt")
        write_paths(table, [("203.0.113.0/24", [64500, 64510]), ("203.0.114.0/24", [64501, 64520])])
        routers = [{"name": "edge1", "serves": ["192.0.2.0/24"], "sources": [{"mrt": {"file": table}}]}]
        with Collector(os.path.join(folder, "collector"), store={"url": server.url}, routers=routers) as collector:
            send(collector)
            collector.wait(lambda: collector.top()["total"]["records"] == RECORDS, "the records")
            change_path(collector, table)
            router = dashboard["templating"]["list"][1]
            tap.equal(server.ask(router["query"]), "edge1", "the variable `router` lists the routers")
            for level in ("minute", "hour"):
                check_panels(tap, server, dashboard, level)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
