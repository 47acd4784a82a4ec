#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Collectors whose store is a ClickHouse cluster: two shards, then two shards of two replicas with a ZooKeeper. Two collectors
write to it under load while one and the other die and come back; a shard is killed and comes back; a replica is dead, and
reading and writing go on; ZooKeeper is away. Everything is there once, and an origin's rows are on one shard. `whereto store` mends a server that lost some of its tables."""

import contextlib
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clickhouse  # noqa: E402
from collector import Collector, program  # noqa: E402
from collectors import check_send  # noqa: E402
from mrtgen import write_paths  # noqa: E402
from tap import Tap, skip_all  # noqa: E402

ORIGINS = range(64600, 64640)
RECORDS = 2000
TABLES = [f"{cube}_{level}" for cube in ("total", "origin", "country", "neighbour", "origin_by", "flow")
          for level in ("minute", "hour", "day")]
ORIGIN_TABLES = [table for table in TABLES if table.startswith(("origin", "flow"))]


def waiting(collector):
    return collector.api("senders")["backlog"]["batches"]


class Lab:
    """A cluster, and two collectors that write to it, by way of its servers in other orders."""

    def __init__(self, folder, stack, shards, replicas):
        self.name = f"{shards} shards of {replicas}"
        self.cluster = stack.enter_context(contextlib.closing(clickhouse.Cluster(shards, replicas)))
        os.makedirs(folder)
        table = os.path.join(folder, "edge1.mrt")
        write_paths(table, [(f"10.{origin - ORIGINS[0]}.0.0/16", [64500, origin]) for origin in ORIGINS])
        routers = [{"name": "edge1", "serves": ["192.0.2.0/24"], "sources": [{"mrt": {"file": table}}]}]
        ways = list(self.cluster.servers)
        self.collectors = []
        for name, at in (("one", ways), ("two", ways[::-1])):
            keys = self.collectors[0].config["telemetry"]["keys"] if self.collectors else None
            telemetry = {"telemetry": {"listen": ["127.0.0.1:0"], "keys": keys}} if keys else {}
            self.collectors.append(stack.enter_context(Collector(
                os.path.join(folder, name), name=name, routers=routers, store={"url": self.cluster.url("whereto", at)},
                **telemetry)))
        self.sent = 0

    def send(self, tap, what):
        """To both, of every origin and of none."""
        for collector in self.collectors:
            start, self.sent = self.sent, self.sent + RECORDS
            status = collector.send(({"client": f"10.{i % (len(ORIGINS) + 5)}.0.1", "server": "192.0.2.10", "type": "plain",
                                      "requests": 1, "bytes_sent": i} for i in range(start, start + RECORDS)),
                                    check=False, timeout_s=60)
            tap.equal(status, 0, f"{self.name}: {what}: acknowledged")

    def alive(self):
        return next(server for server in self.cluster.servers.values() if server.process)

    def in_database(self, kind):
        """(requests, bytes) of a traffic type, as the cluster says."""
        return tuple(map(int, self.alive().ask(
            f"SELECT sum(requests), sum(bytes_sent) FROM whereto.total_minute WHERE type = '{kind}'").split("\t")))

    def check_stored(self, tap, what):
        for collector in self.collectors:
            stored_of(collector, self.sent)
            collector.wait(lambda: not waiting(collector), "the rest of a batch")
        # A replica may be late.
        self.collectors[0].wait(lambda: len(self.sums()) == 1, "tables that agree")
        tap.equal(self.in_database("plain"), (self.sent, self.sent * (self.sent - 1) // 2), f"{self.name}: {what}: all of it once")

    def sums(self):
        """What the tables add up to: one number."""
        return {self.alive().ask(f"SELECT sum(bytes_sent) FROM whereto.{table}") for table in TABLES}


def stored_of(collector, count):
    """Until the API has all of the traffic type `plain`."""
    def requests():
        rows = [row for row in collector.top(by="type")["rows"] if row["type"] == "plain"]
        return rows and rows[0]["requests"] == count
    collector.wait(requests, f"{count} requests", 60)


def origins_at(server, table):
    answer = server.ask(f"SELECT DISTINCT origin FROM whereto.{table}{clickhouse.LOCAL} WHERE marker = 0")
    return set(answer.split("\n")) - {""}


def check_places(tap, lab):
    """Each origin has its rows at one shard, of every table that has origins, and both shards have some."""
    shards = sorted({shard for shard, _ in lab.cluster.servers})
    for table in ORIGIN_TABLES:
        here, there = (origins_at(lab.cluster.server(shard), table) for shard in shards)
        tap.check(here and there and not here & there and len(here | there) >= len(ORIGINS),
                  f"{lab.name}: {table}: an origin is at one shard", (here, there))


def check_shard_away(tap, lab, servers):
    """While a shard is away everything waits, and questions have no half answers."""
    for server in servers:
        server.end()
    lab.send(tap, "a shard away")
    for collector in lab.collectors:
        status, text = collector.http("/api/v1/top?by=type")
        tap.check(status == 503, f"{lab.name}: a shard away: no half answers", text)
        collector.wait(lambda: waiting(collector), "a batch that waits", 60)
    for server in servers:
        server.launch_server()
    for server in servers:
        server.wait_ready()
    lab.check_stored(tap, "a shard that came back")


def restart(server):
    server.end()
    server.start()


def whereto_store(*arguments):
    done = subprocess.run([program(), "store", *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def check_missing(tap, server, url, statement, made):
    """Of one server's tables and views."""
    server.ask(statement)
    made = f"{made} at {server.address}:{server.http_port}"
    status, text = whereto_store("check", url)
    tap.check(status == 1 and f"missing: {made};" in text, f"store check: {made} is missing", text)
    status, text = whereto_store("migrate", url)
    tap.check(status == 0 and f"made again: {made}\n" in text, "store migrate makes it again", text)
    status, text = whereto_store("migrate", url)
    tap.check(status == 0 and "up to date" in text, "once", text)
    status, text = whereto_store("check", url)
    tap.check(status == 0 and text.endswith("ok\n"), "and all is there", text)


def check_commands(tap, folder, cluster):
    """`whereto store` with a cluster, of which one server loses tables."""
    url, copy = cluster.url("commands"), cluster.url("copy")
    status, text = whereto_store("check", url)
    tap.check(status == 1 and "store migrate" in text, "store check: nothing there yet", text)
    status, text = whereto_store("migrate", url)
    tap.check(status == 0 and "was 0" in text, "store migrate", text)
    with Collector(folder, store={"url": url}) as collector:
        collector.send({"client": f"203.0.113.{i}", "server": "192.0.2.1", "type": "plain", "requests": 1, "connections": 1} for i in range(200))
        stored_of(collector, 200)
        status, text = whereto_store("copy", "--from", url, "--to", copy)
        tap.check(status == 0, "store copy", text)
        tap.equal(cluster.server().ask("SELECT sum(requests) FROM copy.flow_day"), "200", "has every record")
        cluster.server(2).ask("DROP TABLE commands.total_minute_local")
        text = collector.http("/api/v1/top?by=router")[1]
        tap.check("total_minute_local" in text and "\n" not in text.strip(), "a lost table: the error names it in one line", text)
        collector.stop()
        status, text = whereto_store("migrate", url)
        tap.check(status == 0 and "made again: table total_minute_local at" in text, "store migrate makes it again", text)
    other = cluster.server(2)
    for statement, made in (("DROP TABLE commands.flow_hour_local", "table flow_hour_local"), ("DROP TABLE commands.v_flow_hour", "view v_flow_hour"),
                            ("DROP TABLE commands.flow_hour", "table flow_hour"), ("DROP TABLE commands.batches_local", "table batches_local")):
        check_missing(tap, other, url, statement, made)
    check_missing(tap, cluster.server(), url, "DROP TABLE commands.v_path_change", "view v_path_change")
    tap.equal(whereto_store("vacuum", url)[0], 0, "store vacuum")


def check_shards(tap, folder):
    with contextlib.ExitStack() as stack:
        lab = Lab(folder, stack, 2, 1)
        lab.send(tap, "two collectors")
        lab.check_stored(tap, "two collectors")
        check_send(tap, lab.in_database, lab.collectors, lambda: restart(lab.cluster.server(2)))
        check_shard_away(tap, lab, [lab.cluster.server(2)])
        check_shard_away(tap, lab, [lab.cluster.server(1)])
        check_places(tap, lab)
        check_commands(tap, os.path.join(folder, "commands"), lab.cluster)


def replicas_agree(lab):
    """Each replica of a shard has the same rows."""
    for table in TABLES:
        for shard in {shard for shard, _ in lab.cluster.servers}:
            sums = {server.ask(f"SELECT sum(records), sum(bytes_sent) FROM whereto.{table}{clickhouse.LOCAL}")
                    for place, server in lab.cluster.servers.items() if place[0] == shard}
            if len(sums) > 1:
                return False
    return True


def check_replica_away(tap, lab, place):
    """Neither writing nor reading minds."""
    lab.cluster.servers[place].end()
    lab.send(tap, f"replica {place} away")
    lab.check_stored(tap, f"replica {place} away")
    lab.collectors[0].kill()
    lab.collectors[0].start()
    lab.send(tap, f"replica {place} away, a new collector")
    lab.check_stored(tap, f"replica {place} away, a new collector")
    lab.cluster.servers[place].start()
    lab.collectors[0].wait(lambda: replicas_agree(lab), "replicas that agree", 60)
    tap.check(True, f"{lab.name}: replica {place} has caught up")


def check_zookeeper_away(tap, lab):
    """Questions are answered; what is to be written waits."""
    lab.cluster.zookeeper.end()
    before = lab.collectors[0].top(by="type")["total"]["requests"]
    tap.check(before, f"{lab.name}: ZooKeeper away: questions are answered")
    lab.send(tap, "ZooKeeper away")
    lab.collectors[0].wait(lambda: waiting(lab.collectors[0]), "a batch that waits", 60)
    lab.cluster.zookeeper.start()
    lab.check_stored(tap, "ZooKeeper is back")


def check_replicas(tap, folder):
    with contextlib.ExitStack() as stack:
        lab = Lab(folder, stack, 2, 2)
        lab.send(tap, "two collectors")
        lab.check_stored(tap, "two collectors")
        check_replica_away(tap, lab, (1, 1))
        check_shard_away(tap, lab, [lab.cluster.servers[2, replica] for replica in (1, 2)])
        check_zookeeper_away(tap, lab)
        check_send(tap, lab.in_database, lab.collectors, lambda: restart(lab.cluster.server(2, 2)))
        lab.collectors[0].wait(lambda: replicas_agree(lab), "replicas that agree", 60)
        tap.check(True, f"{lab.name}: replicas agree in the end")
        check_places(tap, lab)


def main():
    tap = Tap()
    reason = clickhouse.unavailable()
    if reason:
        return skip_all(reason)
    with tempfile.TemporaryDirectory(prefix="whereto-cluster-") as folder:
        check_shards(tap, os.path.join(folder, "shards"))
        reason = clickhouse.unavailable(zookeeper=True)
        if reason:
            tap.skip("replicas", reason)
        else:
            check_replicas(tap, os.path.join(folder, "replicas"))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
