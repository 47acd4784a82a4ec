#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The API under abuse: random parameters and injections change nothing and break nothing; a thousand clients that keep their
connections, others that send a byte at a time, and every place taken do not hold up intake: the ledger closes.

WT_SEED sets the seed."""

import asyncio
import http.client
import json
import os
import random
import resource
import socket
import sqlite3
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from apitraffic import World  # noqa: E402
from collector import Collector  # noqa: E402
from tap import Tap, skip_all  # noqa: E402

QUESTIONS = 1500
CLIENTS, ROUNDS = 1000, 3
DRIBBLERS = 150
PLACES = 2048        # of a listener (src/http/server.c)
SLOWEST_S = 10       # for an answer, on a busy machine under a sanitizer
FILES_NEEDED = 2 * PLACES + 500

DIMENSIONS = ("time", "router", "type", "prefix", "origin", "neighbour", "via", "path", "country", "match")
INJECTIONS = ("' OR '1'='1", "'; DROP TABLE names; --", '" OR 1=1 --', "x' UNION SELECT * FROM names --", "\\'; DELETE FROM batches; --",
              "%27%20OR%201=1", "1); DROP TABLE total_minute; --", "$1", ":name", "?1", "{0}", "%s%n%x", "../../etc/passwd", "<script>")
# What is right, and what is not or is on the edge.
GOOD = {
    "by": ("origin", "type", "router,country", "path", "via", "time", "time,prefix", "", "prefix,path,type,router"),
    "sort": ("bytes_sent", "retransmit_rate", "rtt_p95_us", "goodput_rate", "requests"),
    "order": ("asc", "desc"),
    "last": ("1h", "30h", "90d", "1m"),
    "from": ("-2h", "0", "2026-11-23T10:00:00Z", "-40h"),
    "to": ("now", "4102444800"),
    "limit": ("1", "100000", "10"),
    "step": ("1m", "1h", "1d", "7m"),
    "points": ("10", "5000", "60"),
    "compare": ("previous", "1d", "1w", "1m"),
    "fields": ("bytes_sent", "retransmit_rate,rtt_p50_us", "share", "bytes_sent,bytes_sent", "approximate"),
    "format": ("json", "csv"),
    "keys": ("64700", "DE,null", "null", "video", '"a,b"', "1,1,1"),
    "dim": DIMENSIONS[1:],
    "prefix": ("203.100.0.0/16", "6", "as64", "video", "::/0"),
    "within": ("0.0.0.0/0", "203.100.0.0/16"),
    "nodes": ("1", "100"),
    "address": ("203.100.0.1", "::1"),
    "router": ("edge1",),
    "select": ("exact", "longer", "shorter"),
    "after": ("203.100.0.0/16", "255.255.255.255/32"),
    "filter": ("router:edge1", "country:DE,US -type:video", "via:64650 origin:64700", 'type:"file, large"', "path:null", "-path:\"64703\"",
               "prefix:203.100.0.0/16", "match:own", "origin:AS64700", "origin:" + ",".join(map(str, range(1, 3000)))),
}
BAD = {
    "by": ("size", "origin,origin", ",", "origin,type,router,prefix,path"), "sort": ("share", "-1", "31"), "order": ("up",),
    "last": ("forever", "0s", "-1h", "99999999999999w", "1"), "from": ("now", "9999-12-31T23:59:59Z", "1e9", "-forever", "9" * 30),
    "to": ("-9000d", "2026-13-01T00:00:00Z"), "limit": ("0", "100001", "-1", "1.5"), "step": ("90s", "400w", "0s"), "points": ("9", "5001"),
    "compare": ("90s", "10000w"), "fields": (",", "size"), "format": ("xml",), "keys": ("x,,y", ",".join(map(str, range(1, 300)))),
    "dim": ("time", "size"), "prefix": ("203.100.0.1/16", "\xe9"), "within": ("x",), "nodes": ("0", "101"), "address": ("1", "999.1.1.1", "fe80::1%lo"),
    "router": ("edge9", ""), "select": ("x",), "after": ("x",),
    "filter": ("x", "type:", "a:b:c", '"', "origin:4294967296", "-", "type:null " * 40),
}


def parameters_of(collector):
    """{path: [names]}, as the page at /api/v1 tells them by refusing one."""
    found = {}
    for path in ("top", "series", "sparklines", "paths", "suspects", "incidents", "compare", "peering", "types", "countries", "complete", "changes", "lookup", "routes", "senders", "routers"):
        says = json.loads(collector.http(f"/api/v1/{path}?zzz=1")[1])["error"]
        found["/api/v1/" + path] = says.split(" takes ", 1)[1].split()
    return found


def random_text(rng):
    kind = rng.randrange(6)
    if kind == 0:
        return rng.choice(INJECTIONS)
    if kind == 1:
        return "".join(chr(rng.choice((rng.randrange(1, 128), rng.randrange(128, 0x2FFF)))) for _ in range(rng.randrange(40)))
    if kind == 2:
        return rng.choice("a1'\"\\%,:- ") * rng.choice((1, 10, 1000, 8000))
    if kind == 3:
        return str(rng.choice((0, -1, 2**31, 2**32, 2**63, 2**64, 10**40)))
    if kind == 4:
        return f"{rng.choice(DIMENSIONS)}:{rng.choice(INJECTIONS)}"
    return f'{rng.choice(DIMENSIONS)}:"{rng.choice(INJECTIONS)}"'


def random_value(rng, name):
    value = rng.choice(GOOD.get(name, ("x",)))
    dice = rng.random()
    if dice < 0.08:
        return rng.choice(BAD.get(name, ("x",)))
    if dice < 0.16:
        return random_text(rng)
    if dice < 0.2 and value:
        at = rng.randrange(len(value))
        return value[:at] + chr(rng.randrange(1, 256)) + value[at + 1:]
    return value


def random_path(rng, parameters):
    path = rng.choice(list(parameters))
    needed = {"/api/v1/lookup": "address"}.get(path)
    names = [name for name in parameters[path] if rng.random() < 0.25 or name == needed]
    if rng.random() < 0.05:
        names.append(random_text(rng) or "x")
    return path + ("?" + urllib.parse.urlencode([(name, random_value(rng, name)) for name in names], errors="surrogatepass") if names else "")


def ask(connection, path):
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read()


def check_random(tap, rng, collector):
    host, port = collector.ready["http"].rsplit(":", 1)
    parameters = parameters_of(collector)
    bad, slowest, statuses = [], (0, ""), {}
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    for _ in range(QUESTIONS):
        path = random_path(rng, parameters)
        start = time.monotonic()
        try:
            status, body = ask(connection, path)
        except (http.client.HTTPException, OSError) as error:
            bad.append((path[:300], repr(error)))
            connection.close()
            continue
        slowest = max(slowest, (time.monotonic() - start, path[:200]))
        statuses[status] = statuses.get(status, 0) + 1
        good = status in (200, 400, 404, 414, 431) or (status == 503 and b"time" in body)
        if status == 400 and body[:1] == b"{":
            good = "error" in json.loads(body)
        if status == 200 and "format=csv" not in path:
            json.loads(body)
        if not good:
            bad.append((path[:300], status, body[:200]))
    connection.close()
    tap.equal(bad, [], f"{QUESTIONS} random questions: an answer or a sentence, and nothing else")
    tap.check(statuses.get(200, 0) > QUESTIONS // 4 and statuses.get(400, 0) > QUESTIONS // 4, "of both there were enough", statuses)
    tap.check(slowest[0] < SLOWEST_S, "none took long", slowest)
    tap.equal(collector.http("/healthz")[0], 200, "and the collector is well")


def check_injections(tap, collector, folder):
    """Names that are SQL are names: they are found, and nothing else is."""
    now = int(time.time())
    collector.send([{"time": now, "client": "198.18.0.1", "server": "192.0.2.1", "type": text[:32], "bytes_sent": 1000 + i}
                    for i, text in enumerate(INJECTIONS)])
    for i, text in enumerate(INJECTIONS):
        quoted = text[:32].replace("\\", "\\\\").replace('"', '\\"')
        rows = collector.api("top", by="type", filter=f'type:"{quoted}"')["rows"]
        tap.equal([(row["type"], row["bytes_sent"]) for row in rows], [(text[:32], 1000 + i)], f"{text}: one type, and only that")
        found = collector.api("complete", dim="type", prefix=text[:32])["rows"]
        tap.check(any(row["value"] == text[:32] for row in found), "it is completed", found)
        tap.equal(collector.api("sparklines", by="type", keys=f'"{quoted}"')["rows"][0]["key"], text[:32], "and drawn")
    tap.equal(collector.api("top", by="type", filter='type:"nobody\' OR \'1\'=\'1"')["total"]["bytes_sent"], 0, "what is not there is not found")
    with sqlite3.connect("file:" + os.path.join(folder, "whereto.db") + "?mode=ro", uri=True) as store:
        tap.equal(store.execute("PRAGMA integrity_check").fetchone()[0], "ok", "the store is whole")


# ---- many and slow clients ----

async def keeps_asking(host, port, number, results):
    """A client that keeps its connection. Answers have a length, so bodies can be read."""
    paths = ("/healthz", "/api/v1/top?by=type&fields=bytes_sent", "/api/v1/senders", "/api/v1/series?last=1h&fields=bytes_sent")
    reader, writer = await asyncio.open_connection(host, port)
    try:
        for i in range(ROUNDS):
            writer.write(f"GET {paths[(number + i) % len(paths)]} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)).decode("latin-1")
            length = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length:"))
            await asyncio.wait_for(reader.readexactly(length), 60)
            results.append(int(head.split()[1]))
    finally:
        writer.close()


async def crowd(host, port, results):
    outcome = await asyncio.gather(*(keeps_asking(host, port, i, results) for i in range(CLIENTS)), return_exceptions=True)
    return [repr(each) for each in outcome if each]


def send_steadily(collector, done, sent, name):
    """Records, again and again, each time acknowledged, until it is told to stop."""
    while True:
        records = [{"client": f"198.18.{len(sent) % 250}.{i % 250}", "server": "192.0.2.1", "bytes_sent": 10} for i in range(500)]
        collector.send(records, name=name, timeout_s=60)
        sent.append(len(records))
        if done.is_set():
            return


class Dribblers:
    """Connections that send one byte of a head now and then and never end it."""

    def __init__(self, host, port, count):
        self.sockets = [socket.create_connection((host, port), timeout=20) for _ in range(count)]
        self.at = 0

    def dribble(self):
        text = b"GET /api/v1/top HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 1000
        for each in self.sockets:
            try:
                each.send(text[self.at:self.at + 1])
            except OSError:
                pass
        self.at += 1

    def close(self):
        for each in self.sockets:
            each.close()


def check_crowd(tap, collector):
    host, port = collector.ready["http"].rsplit(":", 1)
    done, sent, results, slow = threading.Event(), [], [], Dribblers(host, int(port), DRIBBLERS)
    sender = threading.Thread(target=send_steadily, args=(collector, done, sent, "beside"))
    sender.start()
    dribbling = threading.Event()

    def dribble():
        while not dribbling.wait(0.05):
            slow.dribble()
    dribbler = threading.Thread(target=dribble)
    dribbler.start()
    try:
        failed = asyncio.run(crowd(host, int(port), results))
    finally:
        done.set()
        sender.join()
        dribbling.set()
        dribbler.join()
        slow.close()
    tap.equal((failed[:3], len(results), set(results)), ([], CLIENTS * ROUNDS, {200}),
              f"{CLIENTS} clients that keep their connections, and {DRIBBLERS} that send a byte at a time: all are answered")
    ledger = collector.wait(lambda: [row for row in collector.api("senders")["rows"] if row["sender"] == "beside" and not row["in_flight"]],
                            "a ledger that closes")[0]
    tap.equal((ledger["sent"], ledger["stored"], ledger["lost"], sum(ledger["rejected"].values()), ledger["dropped"]), (sum(sent), sum(sent), 0, 0, 0),
              f"beside them {sum(sent)} records came in, and the ledger closes")


def check_full(tap, collector):
    """Every place is taken by somebody who says nothing: soon there is room for who asks."""
    host, port = collector.ready["http"].rsplit(":", 1)
    idle = [socket.create_connection((host, int(port)), timeout=20) for _ in range(PLACES + 50)]
    try:
        start = time.monotonic()
        status = collector.http("/healthz")[0]
        took = time.monotonic() - start
        tap.check(status == 200 and took < 20, f"with {len(idle)} connections that say nothing, another is served", (status, took))
        tap.check(collector.metrics()["whereto_http_connections_cut_total"] > 0, "because those that waited longest were cut off")
    finally:
        for each in idle:
            each.close()


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES_NEEDED:
        skip_all(f"{FILES_NEEDED} open files are needed, {hard} allowed")
    # The collector raises its own limit: it is started with the one there was.
    seed = int(os.environ.get("WT_SEED", time.time_ns() % 1000000))
    print(f"# WT_SEED={seed}")
    tap, rng = Tap(), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        world = World(rng, folder, records=1500)
        with Collector(os.path.join(folder, "collector"), **world.config()) as collector:
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES_NEEDED), hard))
            collector.send(world.records)
            before = collector.api("top", by="", last="40h")["total"]
            check_random(tap, rng, collector)
            after = collector.api("top", by="", last="40h")["total"]
            tap.equal(after, before, "after all the questions the sums are what they were")
            check_injections(tap, collector, collector.folder)
            check_crowd(tap, collector)
            check_full(tap, collector)
            tap.equal(collector.stop(), 0, "an orderly end")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
