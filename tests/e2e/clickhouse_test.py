#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A collector whose store is a real ClickHouse: its answers are those of SQLite for the same records; the server is not
there yet, goes away, is killed between the inserts of a batch, is slow, has a full disk, and everything acknowledged is there
once; passwords, rights and certificates that are wrong are told apart; `whereto store` and retention do what they say."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import chdb  # noqa: E402
import clickhouse  # noqa: E402
from away import RECORDS, check_away, check_late, stored  # noqa: E402
from collector import Collector, program  # noqa: E402
from disk import fill, remove_disk, small_disk  # noqa: E402
from mrtgen import write_paths  # noqa: E402
from tap import Tap, skip_all  # noqa: E402

DIMENSIONS = ("router", "type", "prefix", "origin", "neighbour", "via", "path", "country", "match")
CUBES = ("total", "origin", "country", "neighbour", "origin_by", "flow")
LEVELS = ("minute", "hour", "day")
MINUTE, HOUR, DAY = 60, 3600, 86400
TYPES = ("video", "api", None, "it's", "back\\slash", 'quo"te', "größe")
ROUTES = {   # of each router
    "edge1": [("203.0.113.0/24", [64500, 64510]), ("203.0.112.0/20", [64500, 174, 64520]), ("2001:db8::/32", [64501, 64510]),
              ("198.18.0.0/15", [64501, {64530, 64531}]), ("100.64.0.0/10", [])],
    "edge2": [("203.0.113.0/24", [64502, 4200000000]), ("0.0.0.0/0", [64502, 64540])],
}
CLIENTS = ("203.0.113.9", "203.0.114.1", "2001:db8::1", "198.18.1.1", "100.64.0.1", "192.88.99.1", "2001:db9::1")
SERVERS = ("192.0.2.10", "198.51.100.1", "10.0.0.1")   # of edge1, edge2, no router
COUNTRIES = """2|ripencc|20200101|3|19830101|20200101|+0000
ripencc|NL|ipv4|203.0.112.0|1024|20200101|allocated
ripencc|DE|ipv4|198.18.0.0|65536|20200101|allocated
ripencc|FR|ipv6|2001:db8::|32|20200101|allocated
"""


def whereto_store(action, url, *more):
    done = subprocess.run([program(), "store", action, url, *more], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


# ---- the same answers ----

def write_world(folder):
    """Routers' tables and countries; the sections of a configuration."""
    os.makedirs(folder, exist_ok=True)
    for router, routes in ROUTES.items():
        write_paths(os.path.join(folder, router + ".mrt"), routes)
    rir = os.path.join(folder, "delegated-test")
    with open(rir, "w", encoding="ascii") as file:
        file.write(COUNTRIES)
    return {"countries": [{"rir": {"files": [rir]}}], "routers": [
        {"name": router, "serves": [serves], "sources": [{"mrt": {"file": os.path.join(folder, router + ".mrt")}}]}
        for router, serves in (("edge1", "192.0.2.0/24"), ("edge2", "198.51.100.0/24"))]}


def records(rng, now, count=4000):
    first = now // MINUTE * MINUTE - 10 * MINUTE
    times = [first + at * MINUTE for at in range(5)] + [first - 3 * HOUR, first - 30 * HOUR, first - 40 * DAY]
    for _ in range(count):
        sent = rng.randrange(1, 1 << 34)
        packets = sent // 1400 + 1
        record = {"time": rng.choice(times) + rng.randrange(MINUTE), "client": rng.choice(CLIENTS), "bytes_sent": sent,
                  "server": rng.choice(SERVERS), "packets_sent": packets, "packets_retransmitted": rng.randrange(packets),
                  "bytes_received": rng.randrange(1 << 20), "connections": 1, "requests": rng.randrange(5),
                  "duration_ms": rng.randrange(1 << 16), "rtt_us": [rng.randrange(1000, 600000)],
                  "goodput_tested": 2, "goodput_met": rng.randrange(3), "connections_with_retransmit": rng.randrange(2)}
        kind = rng.choice(TYPES)
        if kind:
            record["type"] = kind
        yield record


def questions(now):
    ranges = [{"from_": now - 20 * MINUTE, "to": now}, {"from_": now - 2 * DAY, "to": now}, {"from_": now - 60 * DAY, "to": now}]
    for span in ranges:
        for by in ("", *DIMENSIONS, "router,type", "origin,country", "prefix,path,match", "type,country,neighbour,router"):
            yield "top", {"by": by, "limit": 1000, **span}
        for by in ("", "router", "type", "origin", "path"):
            yield "series", {"by": by, "limit": 5, **span}
    span = ranges[1]
    for words in ("router:edge1", "-router:edge1", "type:null", "-type:video,null", "type:\"it's\"", 'type:"back\\\\slash"',
                  'type:"quo\\"te"', "type:größe", "country:NL,FR", "country:null", "via:174", "-via:64500", "via:null",
                  "prefix:2001:db8::/32", "prefix:203.0.113.0/24,0.0.0.0/0", "prefix:null", 'path:"64500 64510"', 'path:""',
                  "path:null", "origin:4200000000", "origin:null", "match:own", "match:none", "neighbour:64500,64501 type:video",
                  'path:"64501 {64530,64531}"'):
        yield "top", {"by": "type,prefix", "filter": words, "limit": 1000, **span}
        yield "series", {"by": "origin", "filter": words, **span}
    for sort in ("packets_retransmitted", "requests", "rtt_p95_us", "goodput_rate", "spurious_rate", "retransmit_rate", "duration_ms"):
        yield "top", {"by": "origin,router", "sort": sort, "limit": 4, **span}
    yield "top", {"by": "time,type", "step": "1h", "limit": 1000, **span}
    for more in ({}, {"router": "edge1"}, {"prefix": "203.0.113.0/24"}, {"within": "203.0.112.0/20"}, {"within": "::/0"},
                 {"limit": 1}):
        yield "changes", {**span, "to": now + HOUR, "limit": 100, **more}


def plain(name, answer):
    """Without the order of rows that are equal, and the moments and places of changes, which no two collectors share."""
    answer = json.loads(json.dumps(answer))
    if name == "changes":
        answer["next"] = answer["next"] is not None
    for row in answer["rows"]:
        if name == "changes":
            del row["time"]
    answer["rows"].sort(key=lambda row: json.dumps(row, sort_keys=True))
    return answer


def check_same(tap, folder, server, seed, share=1):
    """share: of the questions, every so many."""
    world = write_world(folder)
    now = int(time.time())
    with Collector(os.path.join(folder, "sqlite"), **world) as one, \
            Collector(os.path.join(folder, "clickhouse"), store={"url": server.url("same")}, **world) as other:
        for collector in (one, other):
            collector.send(records(random.Random(seed), now))
            collector.top()
        changed = [("203.0.113.0/24", [64500, 3356, 64510]), *ROUTES["edge1"][2:]]
        write_paths(os.path.join(folder, "edge1.mrt"), changed)
        for collector in (one, other):
            collector.reload()
            collector.wait(lambda: len(collector.api("changes")["rows"]) >= 2, "path changes")
        wrong, rows = [], 0
        for name, parameters in list(questions(now))[::share]:
            got, expected = (plain(name, collector.api(name, **parameters)) for collector in (other, one))
            rows += len(expected["rows"])
            if got != expected:
                wrong.append(f"{name} {parameters}: {json.dumps(got)[:600]}\nexpected {json.dumps(expected)[:600]}")
        tap.equal(len(wrong), 0, f"answers are those of SQLite ({rows} rows)")
        tap.note("\n".join(wrong[:5]))
        tap.check(rows > 1000 // share, "which are many", rows)
        check_exact(tap, one, other, now)


def check_exact(tap, one, other, now):
    """By number, so that two stores that are wrong alike are not enough."""
    total = other.api("top", by="", from_=now - 60 * DAY, to=now)["total"]
    tap.equal((total["records"], total["connections"]), (4000, 4000), "and have every record")
    tap.equal(total, one.api("top", by="", from_=now - 60 * DAY, to=now)["total"], "and every figure")


# ---- killed, slow, full ----

def burst(start, count=20000):
    """Records of as many flows."""
    return ({"client": f"203.0.{113 + i % 2}.{i & 255}", "server": SERVERS[i % 3], "type": f"t{i}", "requests": 1,
             "bytes_sent": i} for i in range(start, start + count))


def expected_sums(count):
    return count, count * (count - 1) // 2


def table_sums(server, database):
    """{table: (requests, bytes)} of every table."""
    return {f"{cube}_{level}": tuple(map(int, server.ask(
        f"SELECT sum(requests), sum(bytes_sent) FROM {database}.{cube}_{level}").split("\t"))) for cube in CUBES for level in LEVELS}


def settled(collector, count):
    """Until all tables have it, too: a reader may see a part of a batch."""
    stored(collector, count)
    collector.wait(lambda: not collector.api("senders")["backlog"]["batches"], "the rest of a batch")


def inserts(server):
    return int(server.ask("SELECT sum(value) FROM system.events WHERE event = 'InsertQuery'"))


def kill_after(server, more):
    """Kills the server when it has begun so many more inserts."""
    before = inserts(server)
    while inserts(server) < before + more:
        pass
    server.end(signal.SIGKILL)


def check_killed(tap, folder, server, rng, rounds):
    """The server is killed when it has some of a batch's tables."""
    count = 0
    with Collector(os.path.join(folder, "killed"), store={"url": server.url("killed")}, **write_world(folder)) as collector:
        for _ in range(rounds):
            sent = []
            sender = threading.Thread(target=lambda: sent.append(collector.send(burst(count), check=False)))
            killer = rng.randrange(1, 18)
            sender.start()
            asker = threading.Thread(target=lambda: collector.http("/api/v1/top"))   # brings what has come into the store
            sender.join()
            asker.start()
            kill_after(server, killer)
            asker.join()
            tap.equal(sent, [0], f"killed at insert {killer}: everything was acknowledged")
            count += 20000
            server.start()
            settled(collector, count)
        tap.equal(set(table_sums(server, "killed").values()), {expected_sums(count)}, "killed: every table has all of it once")
        tap.check("rewind" not in collector.log(), "killed: what is logged is the server's end", collector.log())


def check_slow(tap, folder, server):
    """It neither answers nor refuses."""
    with Collector(os.path.join(folder, "slow"), store={"url": server.url("slow")}) as collector:
        collector.send(burst(0, 100))
        collector.top()
        server.pause()
        try:
            tap.equal(collector.send(burst(100, 1000), check=False, timeout_s=30), 0, "a server that hangs: acknowledged")
            collector.wait(lambda: collector.api("senders")["backlog"]["batches"], "a batch that waits", 90)
        finally:
            server.resume()
        settled(collector, 1100)
        tap.equal(set(table_sums(server, "slow").values()), {expected_sums(1100)}, "and stored once when it goes on")


def check_full_disk(tap, folder):
    disk = tempfile.mkdtemp(prefix="whereto-disk-")   # the server's user cannot enter the folder of this test
    reason = small_disk(disk, "96m")
    if reason:
        tap.skip("a full disk", reason)
        os.rmdir(disk)
        return
    try:
        with contextlib.closing(clickhouse.Server(folder=disk)) as server, \
                Collector(os.path.join(folder, "full"), store={"url": server.url("full")}) as collector:
            collector.send(burst(0, 100))
            collector.top()
            filler = fill(disk)
            tap.equal(collector.send(burst(100), check=False, timeout_s=60), 0, "full disk: acknowledged, the journal has room")
            collector.wait(lambda: collector.metrics()["whereto_store_up"] == 0, "a store that fails", 60)
            error = collector.api("senders")["backlog"]["store_error"]
            tap.check(error and "space" in error.lower(), "full disk: the error says so", error)
            os.unlink(filler)
            settled(collector, 20100)
            tap.equal(set(table_sums(server, "full").values()), {expected_sums(20100)}, "full disk: with room again all is stored once")
    finally:
        remove_disk(disk)
        os.rmdir(disk)


# ---- whereto store, rights, certificates ----

def check_commands(tap, server):
    url = server.url("commands")
    status, text = whereto_store("check", url)
    tap.check(status == 1 and "store migrate" in text, "store check: nothing there yet", text)
    tap.equal(server.ask("SELECT count() FROM system.databases WHERE name = 'commands'"), "0", "and it makes nothing")
    status, text = whereto_store("migrate", url)
    tap.check(status == 0 and "was 0" in text, "store migrate", text)
    status, text = whereto_store("migrate", url)
    tap.check(status == 0 and "up to date" in text, "once more", text)
    status, text = whereto_store("check", url)
    tap.check(status == 0 and "flow_minute: empty" in text, "store check", text)
    tap.check(clickhouse.PASSWORD not in text, "without the password", text)
    for statement, made in (("DROP TABLE commands.v_flow_hour", "view v_flow_hour"), ("DROP TABLE commands.batches", "table batches")):
        server.ask(statement)
        status, text = whereto_store("check", url)
        tap.check(status == 1 and f"missing: {made};" in text, f"store check: {made} is missing", text)
        status, text = whereto_store("migrate", url)
        tap.check(status == 0 and f"made again: {made}\n" in text, "store migrate makes it again", text)
        tap.equal(whereto_store("check", url)[0], 0, "and it is there")
    tap.equal(whereto_store("vacuum", url)[0], 0, "store vacuum")
    status, text = whereto_store("check", "clickhouse://wt@127.0.0.1:1/none")
    tap.check(status == 1 and "127.0.0.1:1" in text, "store check: no server", text)


def refused(folder, url):
    """What a collector says that does not start with this store; None when it does."""
    with Collector(folder, start=False, store={"url": url}) as collector:
        collector.launch()
        try:
            return collector.log() if collector.process.wait(30) else None
        except subprocess.TimeoutExpired:
            return None


def check_rights(tap, folder, server):
    wrong = os.path.join(folder, "wrong")
    with open(wrong, "w", encoding="ascii", opener=lambda *args: os.open(*args, 0o600)) as file:
        file.write("wrong\n")
    for what, url, word in (
            ("a wrong password", server.url("x", password_file=wrong), "password"),
            ("a user that is not there", server.url("x", user="nobody"), "nobody"),
            ("a password file that is not there", server.url("x", password_file="/nowhere"), "/nowhere"),
            ("a user without rights", server.url("x", user=clickhouse.STRANGER), "stranger"),
            ("a user that may only read", server.url("x", user=clickhouse.READER), "read")):
        text = refused(os.path.join(folder, "refused"), url)
        tap.check(text and word in text.lower(), f"{what} ends the start, saying so", text)
        tap.check(text and clickhouse.PASSWORD not in text, f"{what}: the password stays secret", text)
        os.unlink(os.path.join(folder, "refused", "collector.log"))
    tap.equal(server.ask("SELECT count() FROM system.databases WHERE name = 'x'"), "0", "and nothing was made")
    status, text = whereto_store("check", server.url("same", user=clickhouse.READER))
    tap.check(status == 0 and "may only read" in text, "one that may only read can check, which says so", text)
    status, text = whereto_store("migrate", server.url("open", user=clickhouse.OPEN))
    tap.check(status == 0, "a user without a password", text)
    check_rights_lost(tap, os.path.join(folder, "lost"), server)


def check_rights_lost(tap, folder, server):
    """Of a user that could make the tables once: it is said, and nothing is lost."""
    with Collector(folder, store={"url": server.url("rights")}) as collector:
        collector.send(burst(0, 10))
        collector.top()
        text = refused(folder + "-reader", server.url("rights", user=clickhouse.READER))
        tap.check(text and "may only read" in text, "a user that may only read ends the start where there are tables, too", text)
        server.set_users("readonly")
        tap.equal(collector.send(burst(10, 10), check=False), 0, "rights lost: acknowledged")
        collector.wait(lambda: collector.metrics()["whereto_store_up"] == 0, "a store that fails")
        error = collector.api("senders")["backlog"]["store_error"]
        tap.check(error and "readonly" in error, "rights lost: the error says so", error)
        server.set_users()
        settled(collector, 20)
        tap.equal(set(table_sums(server, "rights").values()), {expected_sums(20)}, "rights regained: all is stored once")


def check_certificates(tap, folder, server, authority):
    other = clickhouse.Authority(os.path.join(folder, "other"))
    url = server.url("tls", tls="yes", ca_file=authority.certificate)
    status, text = whereto_store("migrate", url)
    tap.check(status == 0, "TLS", text)
    status, text = whereto_store("check", url)
    tap.check(status == 0, "TLS: store check", text)
    reader = server.url("tls", user=clickhouse.READER, tls="yes", ca_file=authority.certificate)
    done = subprocess.run([program(), "store", "copy", "--from", reader, "--to", f"sqlite:{folder}/copy.db"], capture_output=True, text=True)
    tap.check(done.returncode == 0, "who may only read can copy from there", done.stdout + done.stderr)
    status, text = whereto_store("check", url.replace(str(server.https_port), str(server.http_port)))
    tap.check(status == 1 and "port of HTTPS?" in text, "TLS: the port of HTTP", text)
    for what, bad in (("another authority", server.url("tls", tls="yes", ca_file=other.certificate)),
                      ("the system's authorities", server.url("tls", tls="yes")),
                      ("a name that is not in the certificate", url.replace("127.0.0.1", "localhost"))):
        status, text = whereto_store("check", bad)
        tap.check(status == 1 and ("certificate" in text.lower() or "ssl" in text.lower()), f"TLS: {what} is refused", text)
    status, text = whereto_store("check", server.url("tls", tls="yes", ca_file="/nowhere"))
    tap.check(status == 1 and "/nowhere" in text, "TLS: a file of authorities that is not there", text)
    text = refused(os.path.join(folder, "untrusted"), server.url("tls", tls="yes", ca_file=other.certificate))
    tap.check(text and "certificate" in text.lower(), "TLS: a collector does not start with a server it cannot trust", text)


def check_first(tap, folder, server):
    with Collector(os.path.join(folder, "late"), start=False, store={"url": server.url("late")}) as collector:
        server.end()
        collector.start()
        check_late(tap, server, collector)
        check_away(tap, server, collector)
        tap.equal(collector.stop(), 0, "the collector ends")
    status, text = whereto_store("check", server.url("late"))
    tap.check(status == 0 and "total_day: 20" in text, "store check shows the tables' ranges", text)
    tap.equal({requests for requests, _ in table_sums(server, "late").values()}, {4 * RECORDS}, "every table has every record once")


def check_retention(tap, folder, server):
    """What is too old goes, from each level at its own time."""
    now = int(time.time())
    ages = (0, 3 * DAY, 40 * DAY)
    url = server.url("old")
    forever = dict.fromkeys(LEVELS, "forever")
    with Collector(os.path.join(folder, "old"), store={"url": url, "retention": forever}) as collector:
        collector.send({"time": now - age, "client": "203.0.113.1", "server": "192.0.2.1", "requests": 1} for age in ages)
        collector.top()
        collector.stop()
        config = {**collector.config, "store": {"url": url, "retention": {"minute": "1d", "hour": "10d", "day": "forever"}}}
    sums = table_sums(server, "old")
    tap.equal({requests for requests, _ in sums.values()}, {3}, "retention: three records")
    file = os.path.join(folder, "old", "short.yaml")
    with open(file, "w", encoding="utf-8") as out:
        json.dump(config, out)
    status, text = whereto_store("vacuum", "-c", file)
    sums = table_sums(server, "old")
    tap.check(status == 0, "store vacuum with a configuration", text)
    tap.equal({level: {sums[f"{cube}_{level}"][0] for cube in CUBES} for level in LEVELS}, {"minute": {1}, "hour": {2}, "day": {3}},
              "retention: what is too old is gone")


def check_current(tap, folder, seed, rng):
    try:
        server = clickhouse.Engine()
    except chdb.Unavailable as reason:
        tap.skip("a current ClickHouse", reason)
        return
    with contextlib.closing(server):
        tap.note(f"ClickHouse {server.ask('SELECT version()')}")
        check_same(tap, os.path.join(folder, "same"), server, seed, share=4)   # the contract suite asks it many more
        check_killed(tap, folder, server, rng, 1)


def main():
    tap = Tap()
    reason = clickhouse.unavailable()
    if reason:
        return skip_all(reason)
    seed = int(os.environ.get("WT_SEED", time.time_ns() & 0xFFFFFFFF))
    tap.note(f"WT_SEED={seed}")
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="whereto-clickhouse-") as folder:
        authority = clickhouse.Authority(os.path.join(folder, "ca"))
        with contextlib.closing(clickhouse.Server(certificate=authority.issue("IP:127.0.0.1"))) as server:
            check_same(tap, os.path.join(folder, "same"), server, seed)
            check_commands(tap, server)
            check_rights(tap, folder, server)
            check_certificates(tap, folder, server, authority)
            check_retention(tap, folder, server)
            check_killed(tap, folder, server, rng, 4)
            check_slow(tap, folder, server)
            check_first(tap, folder, server)
        check_full_disk(tap, folder)
        check_current(tap, os.path.join(folder, "current"), seed, rng)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
