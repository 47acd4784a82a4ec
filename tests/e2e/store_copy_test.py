#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`whereto store copy` between SQLite, a real PostgreSQL and a real ClickHouse: there and back row by row, killed in the middle, with a server
that dies, from a store that a collector writes meanwhile and that the collector then leaves for the copy; and what is
refused."""

import contextlib
import os
import random
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clickhouse  # noqa: E402
from collector import Collector  # noqa: E402
from postgres import Server, unavailable  # noqa: E402
from tap import Tap  # noqa: E402

DAY = 1767312000
LEVELS = {"minute": 60, "hour": 3600, "day": 86400}
CUBES = {"total": ("router", "type"), "origin": ("origin",), "country": ("router", "type", "country"),
         "neighbour": ("router", "type", "neighbour"), "origin_by": ("router", "type", "origin"),
         "flow": ("origin", "prefix", "path", "router", "type", "neighbour", "country", "match")}
NAMES = ("edge1", "edge2", "video", "ü \"q, '3", "")
LIVE_RECORDS = 500
SAME = "Every sum is the same.\n"


def whereto(*arguments):
    return [os.environ["WHERETO"], "store", *arguments]


def copy(source, target):
    done = subprocess.run(whereto("copy", "--from", source, "--to", target), capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def execute(path, sql, *values):
    with contextlib.closing(sqlite3.connect(path, timeout=60)) as db, db:
        return db.execute(sql, values).fetchall()


# ---- a store with everything in it ----

def make_path(rng):
    """Bytes of a path, its origin and neighbour: a sequence, now and then a set behind it, or nothing."""
    numbers = [rng.randrange(1, 1 << 32) for _ in range(rng.randrange(5))]
    if not numbers:
        return b"", 0, 0
    data = bytes((2, len(numbers))) + struct.pack(f">{len(numbers)}I", *numbers)
    if rng.randrange(4) == 0:
        return data + bytes((1, 2)) + struct.pack(">2I", 7, 9), 0, numbers[0]
    return data, numbers[-1], numbers[0]


def fill_dictionaries(db, rng):
    for i, name in enumerate(NAMES, 1):
        db.execute("INSERT INTO names VALUES(?, ?)", (i, name))
    for i in range(1, 300):
        four = i % 3
        data = bytes((4, 10, i >> 8, i & 255, 0, 24)) if four else bytes((6, 0x20, 1, i >> 8, i & 255)) + bytes(12) + b"\x20"
        text = f"10.{i >> 8}.{i & 255}.0/24" if four else f"2001:{i:x}::/32"
        db.execute("INSERT INTO prefixes VALUES(?, ?, ?)", (i, data, text))
    paths = {}
    while len(paths) < 300:
        data, origin, neighbour = make_path(rng)
        paths.setdefault(data, (len(paths) + 1, origin, neighbour))
    for data, (number, _, _) in paths.items():
        db.execute("INSERT INTO paths VALUES(?, ?, ?)", (number, data, f"text {number}"))
    return [(0, 0, 0), *paths.values()]


def random_row(rng, cube, ts, paths):
    path, origin, neighbour = rng.choice(paths)
    known = {"router": rng.randrange(3), "type": rng.choice((0, 3, 4, 5)), "prefix": rng.randrange(300), "path": path,
             "origin": origin, "neighbour": neighbour, "country": rng.choice((0, ord("D") << 8 | ord("E"))),
             "match": rng.randrange(4)}
    measures = [rng.choice((0, rng.randrange(100), rng.randrange(1 << 40))) for _ in range(27)] + [1]
    return [ts, *(known[dim] for dim in CUBES[cube]), *measures]


def fill(path, rng, rows):
    """Random rows in every table, in buckets of their own kind, some far apart, as retention might have left them."""
    subprocess.run(whereto("migrate", "sqlite:" + path), check=True, stdout=subprocess.DEVNULL)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        paths = fill_dictionaries(db, rng)
        for cube, dims in CUBES.items():
            for level, width in LEVELS.items():
                many = rows if cube == "flow" and level != "minute" else rows // 20
                stamps = [DAY + width * rng.randrange(30) for _ in range(8)] + [DAY - 900 * width]
                db.executemany(f"INSERT OR IGNORE INTO {cube}_{level} VALUES({','.join('?' * (29 + len(dims)))})",
                               (random_row(rng, cube, rng.choice(stamps), paths) for _ in range(many)))
        for number in range(400):
            time_ms = DAY * 1000 + rng.randrange(50) * 7
            db.execute("INSERT INTO path_change VALUES(?, 1, 3, ?, ?, ?, ?, ?)",
                       (time_ms, number, rng.randrange(3), rng.randrange(1, 300), rng.randrange(300), rng.randrange(300)))
        db.execute("INSERT INTO batches(collector, id, flows) VALUES('ams1', 41, 1), ('ams1', 42, 1), ('fra \"1\"', 7, 1)")


def dump(path):
    """All rows, by what their numbers stand for."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        key = {"router": "(SELECT name FROM names WHERE id = t.router)", "type": "(SELECT name FROM names WHERE id = t.type)",
               "prefix": "(SELECT bytes FROM prefixes WHERE id = t.prefix)", "path": "(SELECT bytes FROM paths WHERE id = t.path)"}
        tables = {}
        for cube, dims in CUBES.items():
            for level in LEVELS:
                columns = [row[1] for row in db.execute(f"PRAGMA table_info({cube}_{level})")]
                expressions = ", ".join(key.get(column, column) for column in columns)
                tables[cube, level] = set(db.execute(f"SELECT {expressions} FROM {cube}_{level} t"))
        tables["changes"] = db.execute(f"""SELECT time_ms, {key['router']}, {key['prefix']},
            (SELECT bytes FROM paths WHERE id = path_before), (SELECT bytes FROM paths WHERE id = path_after)
            FROM path_change t ORDER BY time_ms, collector, batch, number""").fetchall()
        return tables


def paths_of(path):
    return execute(path, "SELECT bytes FROM paths ORDER BY 1")


# ---- the checks ----

def check_round_trip(tap, folder, source, middle):
    """SQLite → another store → SQLite; then again after more has come, some of it late."""
    back = os.path.join(folder, f"back-{middle.split(':')[0]}.db")
    for what in ("there and back", "and what came since"):
        before = dump(source)
        status, out, err = copy("sqlite:" + source, middle)
        tap.check(status == 0 and out.endswith(SAME) and "path changes: 40" in out, f"copy there: {what}", out + err)
        status, out, err = copy(middle, "sqlite:" + back)
        tap.check(status == 0 and out.endswith(SAME), f"copy back: {what}", out + err)
        tap.check(dump(source) == before, "the source is as it was")
        tap.check(dump(back) == before, f"every row and change, in order: {what}")
        tap.check(set(paths_of(back)) <= set(paths_of(source)), "no path that was not there")
        last = subprocess.run(whereto("check", "sqlite:" + back), capture_output=True, text=True, check=True).stdout
        number = execute(source, "SELECT max(id) FROM batches WHERE collector = 'ams1'")[0][0]
        tap.check(f"ams1: last batch {number}\n" in last and 'fra "1": last batch 7\n' in last, "the collectors' last batches", last)
        rng = random.Random(number)
        paths = [(0, 0, 0)]
        with contextlib.closing(sqlite3.connect(source)) as db, db:
            for ts in (DAY - 86400 * 3, DAY, DAY + 86400 * 31):  # an old bucket, perhaps one that is there, a new one
                db.execute(f"INSERT OR IGNORE INTO flow_day VALUES({','.join('?' * 37)})", random_row(rng, "flow", ts, paths))
            db.execute("UPDATE origin_hour SET requests = requests + 5 WHERE ts = (SELECT min(ts) FROM origin_hour)")
            db.execute("INSERT INTO path_change VALUES(?, 1, ?, 0, 1, 2, 3, 4)", (DAY * 1000 + 14, number + 1))
            db.execute("INSERT INTO batches(collector, id, flows) VALUES('ams1', ?, 1)", (number + 1,))


def check_killed(tap, source, target):
    """kill -9 when so many tables are reported: in the middle of the next one, or between two."""
    for lines in (1, 2, 9, 14, 17):
        with subprocess.Popen(whereto("copy", "--from", "sqlite:" + source, "--to", target), stdout=subprocess.PIPE) as process:
            for _ in range(lines):
                process.stdout.readline()
            process.kill()
    status, out, err = copy("sqlite:" + source, target)
    tap.check(status == 0 and out.endswith(SAME), "killed five times, then finished", out + err)


def check_dying_server(tap, source, server):
    server.ask("DROP SCHEMA whereto CASCADE")
    with subprocess.Popen(whereto("copy", "--from", "sqlite:" + source, "--to", server.url), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        for _ in range(8):
            process.stdout.readline()
        server.end(signal.SIGKILL)
        err = process.communicate()[1]
        tap.check(process.returncode == 1 and "goes on from here" in err, "a server that dies", err)
    server.start()
    status, out, err = copy("sqlite:" + source, server.url)
    tap.check(status == 0 and out.endswith(SAME), "and goes on when it is back", out + err)


def check_refusals(tap, folder, source):
    url = "sqlite:" + source
    target = os.path.join(folder, "copied.db")
    other = os.path.join(folder, "other.db")
    status, _, err = copy(url, url)
    tap.check(status == 1 and "into itself" in err, "into itself", err)
    status, _, err = copy("sqlite:" + other, "sqlite:" + target)
    tap.check(status == 1 and "no tables" in err and not os.path.exists(other) and not os.path.exists(target),
              "from nothing, and nothing is made", err)
    tap.equal(copy(url, "sqlite:" + target)[0], 0, "a copy")
    fill(other, random.Random(3), 100)
    status, _, err = copy("sqlite:" + other, "sqlite:" + target)
    tap.check(status == 1 and "not a copy" in err, "another source into the same target", err)
    status, _, err = copy(url, "sqlite:" + other)
    tap.check(status == 1 and "not a copy" in err, "into a store that has results", err)

    execute(target, "DELETE FROM flow_hour WHERE ts = (SELECT min(ts) FROM flow_hour)")
    tap.check(dump(target) != dump(source), "rows that went missing in the copy")
    status, out, _ = copy(url, "sqlite:" + target)
    tap.check(status == 0 and out.endswith(SAME) and dump(target) == dump(source), "are brought again", out)
    execute(target, "INSERT INTO path_change VALUES(?, 1, 9, 9, 1, 1, 1, 1)", DAY * 1000 + 1)
    status, out, _ = copy(url, "sqlite:" + target)
    tap.check(status == 1 and "The sums differ" in out and "path_change: " in out, "a change too many", out)
    execute(target, "DELETE FROM path_change WHERE batch = 9")
    execute(target, "UPDATE total_hour SET bytes_sent = bytes_sent + 1 WHERE ts = (SELECT min(ts) FROM total_hour)")
    status, _, err = copy(url, "sqlite:" + target)
    tap.check(status == 1 and "has more in total_hour" in err and "goes on" not in err, "a sum too large", err)
    execute(target, "INSERT INTO batches(collector, id, flows) VALUES('ams1', 1000, 1)")
    status, _, err = copy(url, "sqlite:" + target)
    tap.check(status == 1 and "ams1 has written" in err, "a collector goes on in the target", err)

    execute(other, "UPDATE meta SET value = 1 WHERE key = 'schema_version'")
    status, _, err = copy("sqlite:" + other, "sqlite:" + target)
    tap.check(status == 1 and "migrate" in err, "an older schema", err)
    status, out, err = copy(url, "postgresql://wt:secret@127.0.0.1:1/none")
    tap.check(status == 1 and "secret" not in out + err, "a target that is not there, without its password", err)
    for arguments in ((), ("--from", url), ("--from", url, "--to"), ("--from", url, "--from", url), ("-x", url, "--to", url)):
        tap.equal(subprocess.run(whereto("copy", *arguments), capture_output=True).returncode, 2, f"usage: {arguments[::2]}")


def send(collector, start, count):
    collector.send({"client": f"203.0.{i >> 8 & 255}.{i & 255}", "server": "192.0.2.10", "type": f"t{i % 7}", "requests": 1}
                   for i in range(start, start + count))


def check_live(tap, folder, target):
    """A collector writes while its store is copied; killed, it goes on in the copy with what its journal holds."""
    source = "sqlite:" + os.path.join(folder, "live.db")
    sent = 0
    with Collector(folder, store={"url": source}) as collector:
        send(collector, sent, LIVE_RECORDS)
        collector.wait(lambda: collector.top()["total"].get("requests") == LIVE_RECORDS, "the first rows")
        sent += LIVE_RECORDS
        for _ in range(4):
            sender = threading.Thread(target=send, args=(collector, sent, LIVE_RECORDS))
            sender.start()
            status, out, err = copy(source, target)
            sender.join()
            sent += LIVE_RECORDS
            tap.check(status == 0 and out.endswith(SAME), "a copy while batches come", out + err)
        send(collector, sent, LIVE_RECORDS)
        sent += LIVE_RECORDS
        collector.kill()
        status, out, err = copy(source, target)
        tap.check(status == 0, "once more when the collector has gone", out + err)
        collector.config["store"] = {"url": target}
        collector.start()
        tap.equal(collector.top()["total"]["requests"], sent, "in the copy it has everything once")
        send(collector, sent, LIVE_RECORDS)
        sent += LIVE_RECORDS
        tap.equal(collector.top()["total"]["requests"], sent, "and goes on")
        tap.equal(collector.top(by="origin")["total"]["requests"], sent, "in every cube")
        tap.check("another" not in collector.log(), "without a doubt about its batches", collector.log())
    status, _, err = copy(source, target)
    tap.check(status == 1 and "has written to" in err, "now it cannot be copied into any more", err)


def main():
    tap = Tap()
    seed = int(os.environ.get("WT_SEED", random.randrange(1 << 32)))
    tap.note(f"WT_SEED={seed}")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        source = os.path.join(folder, "source.db")
        fill(source, random.Random(seed), 12000)
        killed = os.path.join(folder, "killed.db")
        check_killed(tap, source, "sqlite:" + killed)
        tap.check(dump(killed) == dump(source), "every row once")
        check_refusals(tap, folder, source)
        if unavailable():
            tap.skip("PostgreSQL", unavailable())
            check_round_trip(tap, folder, source, f"sqlite:{folder}/middle.db")
            check_live(tap, os.path.join(folder, "live"), f"sqlite:{folder}/taken.db")
            return tap.done()
        if clickhouse.unavailable():
            tap.skip("ClickHouse", clickhouse.unavailable())
        else:
            with contextlib.closing(clickhouse.Server()) as server:
                check_round_trip(tap, folder, source, server.url("copied"))
        server = stack.enter_context(contextlib.closing(Server()))
        check_round_trip(tap, folder, source, server.url)
        check_dying_server(tap, source, server)
        server.ask("DROP SCHEMA whereto CASCADE")
        check_killed(tap, source, server.url)
        server.ask("DROP SCHEMA whereto CASCADE")
        check_live(tap, os.path.join(folder, "live"), server.url)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
