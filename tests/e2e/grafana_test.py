#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every question of the dashboards in examples/ is put to a real PostgreSQL and real ClickHouses that a collector writes to, with
Grafana's macros and variables replaced as Grafana does: each has an answer, and the sums are those that were sent."""

import contextlib
import json
import os
import re
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import chdb  # noqa: E402
import clickhouse  # noqa: E402
import postgres  # noqa: E402
from collector import Collector  # noqa: E402
from mrtgen import write_paths  # noqa: E402
from tap import Tap  # noqa: E402

EXAMPLES = os.path.join(HERE, "..", "..", "examples")
RECORDS = 400
BYTES = 1500


class Postgres:
    """What Grafana's PostgreSQL source makes of a panel's text: pkg/tsdb of its macros, and ${name:format} of variables."""

    name, dashboard = "PostgreSQL", "grafana-postgresql.json"

    def __init__(self):
        self.server = postgres.Server()
        self.close = self.server.close

    @staticmethod
    def unavailable():
        return postgres.unavailable()

    def url(self):
        return self.server.url

    def ask(self, sql, values):
        sql = re.sub(r"\$__unixEpochFilter\(([^)]*)\)", rf"\1 >= {values['from']} AND \1 <= {values['to']}",
                     variables(sql, values, "sqlstring"))
        sql = re.sub(r"\$__unixEpochGroup\(([^,]*), (\d+)\)", r"floor((\1)/\2)*\2", sql)
        return sql, json.loads(self.server.ask(f"SELECT coalesce(json_agg(q), '[]') FROM ({sql}) q"))

    @staticmethod
    def variable(sql):
        return sql


class Clickhouse:
    """The same of ClickHouse's source: pkg/macros."""

    name, dashboard = "ClickHouse", "grafana-clickhouse.json"

    def __init__(self):
        self.server = clickhouse.Server()
        self.close = self.server.close

    @staticmethod
    def unavailable():
        return clickhouse.unavailable()

    def url(self):
        return self.server.url("results")

    def ask(self, sql, values):
        sql = variables(sql, values, "singlequote")
        for macro, word in (("$__fromTime", "from"), ("$__toTime", "to")):
            sql = sql.replace(macro, f"toDateTime({values[word]})")
        return sql, json.loads(self.server.ask(sql + " FORMAT JSON", output_format_json_quote_64bit_integers="0"))["data"]

    @staticmethod
    def variable(sql):
        return sql.replace("${database}", "results")


class ClickhouseCluster(Clickhouse):
    name = "ClickHouse cluster"

    def __init__(self):   # pylint: disable=super-init-not-called
        self.cluster = clickhouse.Cluster()
        self.server = self.cluster.server(2)
        self.close = self.cluster.close

    def url(self):
        return self.cluster.url("results")


class CurrentClickhouse(Clickhouse):
    name = "current ClickHouse"

    def __init__(self):   # pylint: disable=super-init-not-called
        self.server = clickhouse.Engine()
        self.close = self.server.close

    @staticmethod
    def unavailable():
        try:
            chdb.library()
        except chdb.Unavailable as reason:
            return reason
        return None


def variables(sql, values, quoted):
    sql = sql.replace("${router:%s}" % quoted, ",".join(f"'{name}'" for name in values["router"]))
    return re.sub(r"\$\{(\w+)\}", lambda m: values[m[1]], sql)


def send(collector):
    collector.send({"client": f"203.0.{113 + i % 2}.{i % 250}", "server": "192.0.2.10", "type": "video", "bytes_sent": BYTES,
                    "packets_sent": 10, "packets_retransmitted": i % 2, "connections": 1, "rtt_us": [20000]}
                   for i in range(RECORDS))


def change_path(collector, table):
    """So that there is a path change, of a network with traffic."""
    write_paths(table, [("203.0.113.0/24", [64500, 64505, 64510]), ("203.0.114.0/24", [64501, 64520])])
    collector.reload()
    collector.wait(lambda: collector.api("changes")["rows"], "a path change", 60)


def check_panels(tap, source, dashboard, level):
    now = int(time.time())
    values = {"router": ["edge1"], "level": level, "step": "300", "packets": "100", "database": "results", "from": now - 86400,
              "to": now + 60}
    found = {}
    what = f"{source.name}: {level}"
    for panel in dashboard["panels"]:
        title = panel["title"]
        sql, found[title] = source.ask(panel["targets"][0]["rawSql"], values)
        tap.check("$" not in sql, f"{what}: {title}: nothing is left of its variables", sql)
        # Countries: none are configured here.
        tap.check(found[title] or title == "Largest countries", f"{what}: {title} has an answer", sql)
    tap.equal(found["Sent"][0]["bytes"], RECORDS * BYTES, f"{what}: the bytes that were sent")
    tap.equal(found["Retransmit rate"][0]["rate"], 0.05, f"{what}: the retransmit rate")
    tap.equal({row["origin"]: row["bytes"] for row in found["Largest origins"]},
              {64510: RECORDS // 2 * BYTES, 64520: RECORDS // 2 * BYTES}, f"{what}: each origin's share")
    for title in ("Traffic by type", "Traffic by neighbour"):
        tap.equal(sum(row["value"] * 300 / 8 for row in found[title]), RECORDS * BYTES, f"{what}: {title}: the sum is the total")


def check_dashboard(tap, folder, source):
    with open(os.path.join(EXAMPLES, source.dashboard), encoding="utf-8") as file:
        dashboard = json.load(file)
    table = os.path.join(folder, "edge1.mrt")
    write_paths(table, [("203.0.113.0/24", [64500, 64510]), ("203.0.114.0/24", [64501, 64520])])
    routers = [{"name": "edge1", "serves": ["192.0.2.0/24"], "sources": [{"mrt": {"file": table}}]}]
    with Collector(os.path.join(folder, "collector"), store={"url": source.url()}, routers=routers) as collector:
        send(collector)
        collector.wait(lambda: collector.top()["total"]["records"] == RECORDS, "the records")
        change_path(collector, table)
        [router] = [variable for variable in dashboard["templating"]["list"] if variable["name"] == "router"]
        tap.equal(source.server.ask(source.variable(router["query"])), "edge1", f"{source.name}: the variable lists the routers")
        for level in ("minute", "hour"):
            check_panels(tap, source, dashboard, level)


def main():
    tap = Tap()
    for kind in (Postgres, Clickhouse, ClickhouseCluster, CurrentClickhouse):
        reason = kind.unavailable()
        if reason:
            tap.skip(kind.name, reason)
            continue
        source = kind()
        with tempfile.TemporaryDirectory() as folder, contextlib.closing(source):
            check_dashboard(tap, folder, source)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
