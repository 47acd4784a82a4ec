#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What docs/schema.md promises to those who write their own SQL: every question in it is asked of stores that real collectors
filled, `whereto schema` prints what makes a store, the views under the old names have our sums, and the table of country
ranges answers and follows its files."""

import contextlib
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import chdb  # noqa: E402
import clickhouse  # noqa: E402
from collector import Collector, program  # noqa: E402
from mrtgen import write_paths  # noqa: E402
from postgres import Server, unavailable  # noqa: E402
from tap import Tap  # noqa: E402

RECORDS = 200
OLD = 20      # records, of two days ago
RIR = "2|ripencc|1763852399|3|19830705|20261122|+0100\n"


def whereto(*arguments):
    done = subprocess.run([program(), *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def documented(dialect):
    with open(os.path.join(HERE, "..", "..", "docs", "schema.md"), encoding="utf-8") as file:
        blocks = re.findall(r"^```sql ([a-z ]+)\n(.*?)^```$", file.read(), re.M | re.S)
    return [statement.strip() for dialects, text in blocks if dialect in dialects.split()
            for statement in text.split(";") if statement.strip()]


CUBES = r"(v_)?(total|origin|origin_by|country|neighbour|flow)_(minute|hour|day|new)(_merged)?"   # the document says CUBE_LEVEL


def check_named(tap):
    """Each table, view and column is in the document."""
    with open(os.path.join(HERE, "..", "..", "docs", "schema.md"), encoding="utf-8") as file:
        words = set(re.findall(r"\w+", file.read()))
    for dialect in ("sqlite", "postgresql", "clickhouse"):
        names = set()
        for kind, name, rest in re.findall(r"^CREATE (TABLE|VIEW) (?:IF NOT EXISTS )?(?:whereto\.)?(\w+)(.*?;)$",
                                           whereto("schema", "--store", dialect)[1], re.M | re.S):
            if not re.fullmatch(CUBES, name):
                names.add(name)
            if kind == "TABLE":   # "(ts bigint NOT NULL, origin ...": the words behind the bracket and the commas
                names.update(re.findall(r"[(,]\s*([a-z]\w+) (?:[a-zA-Z]+)", rest.split(" ENGINE ")[0]))
        tap.check(len(names) > 40, f"{dialect}: columns are found", sorted(names))
        tap.equal(sorted(names - words), [], f"{dialect}: every table and column is in docs/schema.md")


class Site:
    """Files for a collector: one router whose table changes once, one country."""

    def __init__(self, folder):
        self.table = os.path.join(folder, "edge1.mrt")
        self.rir = os.path.join(folder, "delegated")
        self.countries("DE")
        self.path(64496)

    def countries(self, code):
        with open(self.rir, "w", encoding="utf-8") as file:
            file.write(RIR + f"ripencc|{code}|ipv4|192.0.2.0|200|20200101|allocated\n"
                       "ripencc|FR|ipv6|2001:db8::|32|20200101|allocated\n")

    def path(self, neighbour):
        write_paths(self.table, [("192.0.2.0/24", [neighbour, 64500]), ("198.51.100.0/24", [64497, 64501])])

    def config(self, url):
        return {"store": {"url": url}, "countries": [{"rir": {"files": [self.rir]}}],
                "routers": [{"name": "edge1", "serves": ["203.0.113.0/24"], "sources": [{"mrt": {"file": self.table}}]}]}


def fill(collector, site):
    """Returns the day."""
    day = time.time() // 86400
    collector.send({"client": f"{'192.0.2' if i % 2 else '198.51.100'}.{i % 100}", "server": "203.0.113.10", "type": "video",
                    "bytes_sent": 1000 + i, "packets_sent": 100, "packets_retransmitted": i % 3, "connections": 1, "requests": 2,
                    "rtt_us": [15000]} for i in range(RECORDS))
    collector.wait(lambda: collector.top()["total"]["records"] == RECORDS, "the records")
    site.path(64499)
    collector.reload()
    collector.wait(lambda: collector.api("changes")["rows"], "a path change", 60)
    return day


def fill_old(collector):
    """Traffic of an earlier day, so that questions about this one have something to leave out."""
    then = int(time.time()) - 2 * 86400
    collector.send({"time": then, "client": f"192.0.2.{i}", "server": "203.0.113.10", "type": "video", "bytes_sent": 10 ** 9,
                    "packets_sent": 1000, "connections": 1} for i in range(OLD))
    collector.wait(lambda: collector.api("top", from_=then - 3600, to=then + 3600)["total"]["records"] == OLD, "the old records")


def check_questions(tap, dialect, ask, day):
    """day: that of the traffic."""
    statements = documented(dialect)
    tap.check(len(statements) >= 10, f"{dialect}: questions are found", len(statements))
    for statement in statements:
        rows = ask(statement)
        if "v_origin_day" in statement and time.time() // 86400 != day:
            tap.skip(f"{dialect}: this day's origins", "another day has begun")
            continue
        tap.check(rows, f"{dialect}: {' '.join(statement.split())[:100]}", statement)
        if "v_origin_day" in statement:
            tap.equal({str(row[0]): int(row[1]) for row in rows}, {"64500": sum(1000 + i for i in range(1, RECORDS, 2)),
                                                                   "64501": sum(1000 + i for i in range(0, RECORDS, 2))},
                      f"{dialect}: this day's origins, of this day's bytes")
        if "p95_ms" in statement:
            tap.equal(str(rows[0][0]), "20", f"{dialect}: the percentile is the bound of its bucket")
        if "192.0.2.77" in statement and "v_flow" in statement or "covering" in statement:
            tap.equal({row[2] for row in rows}, {"192.0.2.0/24"}, f"{dialect}: what covers the address")


def check_sqlite(tap, folder):
    site = Site(folder)
    path = os.path.join(folder, "results.db")
    with Collector(os.path.join(folder, "collector"), **site.config("sqlite:" + path)) as collector:
        day = fill(collector, site)
        fill_old(collector)
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        check_questions(tap, "sqlite", lambda sql: db.execute(sql).fetchall(), day)
        db.close()
    other = os.path.join(folder, "other.db")
    db = sqlite3.connect(other)
    db.executescript(whereto("schema")[1])
    db.close()
    status, out, err = whereto("store", "check", "sqlite:" + other)
    tap.check(status == 0 and "flow_day: empty" in out, "sqlite: what `whereto schema` prints makes a store", out + err)
    status, _, err = whereto("store", "countries", "-c", collector.config_file)
    tap.check(status == 1 and "no table of country ranges" in err, "sqlite keeps no country ranges, and says so", err)


class Database:
    """psql, in one database of the server."""

    def __init__(self, server, name):
        self.server = server
        self.url = server.url.replace("/postgres", "/" + name)
        if name != "postgres":
            server.ask(f"CREATE DATABASE {name}")

    def run(self, sql):
        done = subprocess.run([os.path.join(self.server.programs, "psql"), self.url, "-AtqX", "-F", "\t", "-v", "ON_ERROR_STOP=1"],
                              input=sql, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{sql}\n{done.stderr}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def ours(self, sql):
        return self.run("SET search_path = whereto, public;\n" + sql)


def check_reader(tap, database):
    database.run(";\n".join(documented("reader")) + ";")
    asked = database.ours("SET ROLE grafana; SELECT (SELECT count(*) FROM v_flow_hour), (SELECT count(*) FROM pieces)")
    tap.check(int(asked[0][0]) > 0, "a role that may read reads", asked)
    try:
        database.ours("SET ROLE grafana; DELETE FROM batches")
        tap.check(False, "and may do no more")
    except RuntimeError as error:
        tap.check("permission denied" in str(error), "and may do no more", error)


def check_legacy(tap, database):
    database.run(whereto("schema", "--legacy-views")[1])
    database.run(whereto("schema", "--legacy-views")[1])
    tap.equal(database.run("SELECT name FROM router"), [["edge1"]], "legacy: router")
    tap.equal(database.run("SELECT name FROM traffic"), [["video"]], "legacy: traffic")
    tap.equal(database.run("SELECT DISTINCT cn FROM cntry ORDER BY 1"), [["DE"], ["FR"]], "legacy: cntry")
    tap.equal(database.run("SELECT r.name, p.pfx, p.aspath, p.asn FROM pfxtmp p JOIN router r ON r.id = p.router ORDER BY 2"),
              [["edge1", "192.0.2.0/24", "64496 64500", "64500"], ["edge1", "198.51.100.0/24", "64497 64501", "64501"]],
              "legacy: pfxtmp")
    sums = "sum(bytes), sum(packets), sum(retrans), sum(conns), sum(requests), sum(rtt_sum_us), sum(rtt_count)"
    ours = database.ours("SELECT sum(bytes_sent), sum(packets_sent), sum(packets_retransmitted), sum(connections), sum(requests),"
                         " sum(rtt_sum_us), sum(rtt_count) FROM total_day")
    tap.equal(database.run(f"SELECT {sums} FROM (SELECT * FROM iptraf UNION ALL SELECT * FROM iptraf_arch) t"), ours,
              "legacy: iptraf and iptraf_arch together have our sums")
    for view in ("iptraf_cn", "iptraf_dt"):
        tap.equal(database.run(f"SELECT {sums} FROM {view}"), ours, f"legacy: {view} has our sums")
    tap.equal(database.run("SELECT pfx, asn, count(*) FROM iptraf_dt GROUP BY 1, 2 ORDER BY 1"),
              [["192.0.2.0/24", "64500", "1"], ["198.51.100.0/24", "64501", "1"]], "legacy: one row a prefix and day")
    tap.equal(database.run("SELECT coalesce(cn, '-'), sum(conns) FROM iptraf_cn GROUP BY 1 ORDER BY 1"),
              [["-", str(RECORDS // 2)], ["DE", str(RECORDS // 2)]], "legacy: countries")


def check_hours(tap, database):
    """The hour that is not over is in the one view, those before in the other, whatever the session takes for an hour: in one of these
    zones its hours begin a minute after ours."""
    setting, over = "SET search_path = public, whereto", "extract(epoch FROM time) + 3600 <= extract(epoch FROM now())"
    columns = ", ".join(row[0] for row in database.run(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'whereto.flow_hour'::regclass AND attnum > 1"))
    for zone in ("UTC", "Asia/Kathmandu", "XXX-0:59", "XXX-0:01"):
        rows = database.run(f"BEGIN; {setting}; SET LOCAL timezone = '{zone}';"
                            f"INSERT INTO whereto.flow_new(levels, ts, {columns}) SELECT 2, ts - 7200, {columns} FROM whereto.flow_hour;"
                            f"SELECT 'iptraf', count(*) > 0, count(*) FILTER (WHERE {over}) FROM iptraf;"
                            f"SELECT 'iptraf_arch', count(*) > 0, count(*) FILTER (WHERE NOT {over}) FROM iptraf_arch; ROLLBACK;")
        tap.equal(rows, [["iptraf", "t", "0"], ["iptraf_arch", "t", "0"]], f"legacy: hours in the time zone {zone}")


def check_countries(tap, site, config_file, database):
    def country(address):
        return database.ours(f"SELECT country FROM country_ranges WHERE range >>= '{address}'")

    status, out, err = whereto("store", "countries", "-c", config_file)
    tap.check(status == 0, "store countries", out + err)
    tap.equal([country(address) for address in ("192.0.2.0", "192.0.2.199", "192.0.2.200", "2001:db8:1::")],
              [[["DE"]], [["DE"]], [], [["FR"]]], "ranges that are no CIDR blocks answer")
    before = database.ours("SELECT ctid, range FROM country_ranges WHERE country = 'FR'")
    site.countries("IT")
    for _ in range(2):
        tap.equal(whereto("store", "countries", "-c", config_file)[0], 0, "a changed file")
        tap.equal((country("192.0.2.9"), database.ours("SELECT count(*) FROM country_ranges")), ([["IT"]], [["2"]]), "is followed")
    tap.equal(database.ours("SELECT ctid, range FROM country_ranges WHERE country = 'FR'"), before, "what stays is not touched")
    plan = database.ours("SET enable_seqscan = off; EXPLAIN SELECT country FROM country_ranges WHERE range >>= '192.0.2.9'")
    tap.check(any("country_ranges_covering" in line[0] for line in plan), "the GiST index serves the question", plan)
    status, _, err = whereto("store", "countries", database.url)
    tap.check(status == 1 and "-c FILE" in err, "a URL alone names no files", err)
    site.countries("DE")
    whereto("store", "countries", "-c", config_file)


def check_postgres(tap, folder, server):
    site = Site(folder)
    database = Database(server, "postgres")
    with Collector(os.path.join(folder, "collector"), **site.config(database.url)) as collector:
        day = fill(collector, site)
        check_countries(tap, site, collector.config_file, database)
        check_legacy(tap, database)
        check_hours(tap, database)
        fill_old(collector)
        check_questions(tap, "postgresql", database.ours, day)
        check_reader(tap, database)
    other = Database(server, "other")
    other.run("CREATE EXTENSION ip4r;\n" + whereto("schema", "--store", "postgresql")[1])
    status, out, err = whereto("store", "check", other.url)
    tap.check(status == 0 and "flow_day: empty" in out, "postgresql: what `whereto schema` prints makes a store", out + err)
    status, out, err = whereto("store", "migrate", other.url)
    tap.check("up to date" in out, "which is the present one", out + err)
    status, _, err = whereto("store", "copy", "--from", database.url, "--to", other.url)
    tap.check(status == 0, "and takes rows", err)


def check_clickhouse(tap, folder, server):
    site = Site(folder)
    with Collector(os.path.join(folder, "collector"), **site.config(server.url("questions"))) as collector:
        day = fill(collector, site)
        fill_old(collector)
        tap.note(f"ClickHouse {server.ask('SELECT version()')}")
        check_questions(tap, "clickhouse", lambda sql: [line.split("\t") for line in server.ask(sql, database="questions").splitlines()], day)


def check_clickhouse_by_hand(tap, server):
    """A database made by hand is the one that `store migrate` makes."""
    for statement in whereto("schema", "--store", server.url("byhand"))[1].split(";\n"):
        if statement and not statement.startswith("USE "):
            server.ask(statement, database="default" if "CREATE DATABASE" in statement else "byhand")
    status, out, err = whereto("store", "check", server.url("byhand"))
    tap.check(status == 0 and "flow_day: empty" in out, "clickhouse: what `whereto schema` prints makes a store", out + err)
    whereto("store", "migrate", server.url("made"))
    tables = [server.ask(f"SELECT name FROM system.tables WHERE database = '{database}' ORDER BY name") for database in ("byhand", "made")]
    tap.equal(tables[0], tables[1], "of the same tables and views")
    texts = [[server.ask(f"SHOW CREATE TABLE {database}.{table}").replace(database + ".", "") for table in tables[0].split("\n")]
             for database in ("byhand", "made")]
    tap.equal(texts[0], texts[1], "which are defined alike")


def check_clickhouse_current(tap):
    try:
        server = clickhouse.Engine()
    except chdb.Unavailable as reason:
        tap.skip("a current ClickHouse", reason)
        return
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(server):
        check_clickhouse(tap, folder, server)


def check_clickhouse_cluster(tap):
    text = whereto("schema", "--store", "clickhouse://db1,db2/traffic?cluster=main")[1]
    for word in ("CREATE TABLE IF NOT EXISTS flow_day_local(", "CREATE TABLE IF NOT EXISTS flow_day AS flow_day_local ENGINE = "
                 "Distributed('main', 'traffic', 'flow_day_local')", "CREATE VIEW IF NOT EXISTS v_flow_day "):
        tap.check(word in text, f"clickhouse: of a cluster: {word}", text[:2000])


def check_usage(tap):
    for arguments in (("--store",), ("--views",), ("x",)):
        tap.equal(whereto("schema", *arguments)[0], 2, f"usage: {arguments}")
    tap.equal(whereto("schema", "--store", "oracle")[0], 1, "a store that nobody knows")
    for store in ("sqlite", "clickhouse"):
        tap.equal(whereto("schema", "--store", store, "--legacy-views")[0], 1, f"views that {store} does not have")
    tap.equal(whereto("schema", "--store", "clickhouse://u@h:x/d")[0], 1, "a URL that is none")


def main():
    tap = Tap()
    check_usage(tap)
    check_named(tap)
    with tempfile.TemporaryDirectory() as folder:
        check_sqlite(tap, os.path.join(folder))
    check_clickhouse_cluster(tap)
    if clickhouse.unavailable():
        tap.skip("ClickHouse", clickhouse.unavailable())
    else:
        with tempfile.TemporaryDirectory() as folder, contextlib.closing(clickhouse.Server()) as server:
            check_clickhouse(tap, folder, server)
            check_clickhouse_by_hand(tap, server)
    check_clickhouse_current(tap)
    if unavailable():
        tap.skip("PostgreSQL", unavailable())
        return tap.done()
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Server()) as server:
        check_postgres(tap, folder, server)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
