#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Nothing acknowledged is lost and nothing counts twice, whatever happens to the collector: kill -9 at random
moments (intake, the store's transaction, start and replay, an orderly stop), with a disk that is slow and has
the journal lose what was not synced, a store that is away, a journal that is full.

`whereto send --wait` sends a file of 1,000,000 records, two of it at a time, again and again into one store,
and the collector is killed under each. After each round every row of every table of the store is compared
with a computation made here: its dimensions, its bucket and all its measures.

WT_SEED sets the seed, WT_CRASH_ROUNDS the number of rounds (two times 1,000,000 records each)."""

import contextlib
import operator
import os
import random
import re
import select
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import mrtgen
import tap
from collector import Collector, program

RECORDS = 1_000_000
SMALL = 60_000                     # records, where it is not the number that matters
ROUNDS = int(os.environ.get("WT_CRASH_ROUNDS", "7"))
KILLS = 20                         # at least
SYNC_MS = 60                       # at most, on a slow disk
SENDERS = 2
MINUTE, HOUR, DAY = 60, 3600, 86400

FIGURES = ("bytes_sent", "bytes_received", "packets_sent", "packets_retransmitted", "bytes_retransmitted",
           "packets_spurious", "connections", "connections_with_retransmit", "requests", "duration_ms",
           "goodput_tested", "goodput_met")
RTT_BOUNDS = (1000, 2000, 5000, 10000, 20000, 40000, 70000, 100000, 150000, 250000, 500000, 1 << 32)
MEASURES = FIGURES + ("records", "records_approximate", "rtt_count", "rtt_sum_us") \
    + tuple(f"rtt_h{i}" for i in range(len(RTT_BOUNDS)))
SHOWN = MEASURES[:MEASURES.index("rtt_sum_us")]   # as numbers in the API
NUMBER = {name: at for at, name in enumerate(MEASURES)}

CUBES = {
    "total": ("router", "type"), "origin": ("origin",), "country": ("router", "type", "country"),
    "neighbour": ("router", "type", "neighbour"), "origin_by": ("router", "type", "origin"),
    "flow": ("origin", "prefix", "path", "router", "type", "neighbour", "country", "match"),
}
LEVELS = {"minute": MINUTE, "hour": HOUR, "day": DAY}


# The traffic: a few thousand cells of minute, client's network, server and type; many records in each.

NETWORKS = 24
ROUTERS = {"192.0.2.1": "edge1", "192.0.2.2": "edge1", "198.51.100.1": "edge2", "100.64.0.1": None}
TYPES = (None, "video", "api")


def route(router, network):
    """What the tables written below say: (prefix, path, origin, neighbour), or Nones."""
    prefix = f"10.{network}.0.0/16"
    if router == "edge1" and network % 4:
        return prefix, f"64500 {65000 + network % 5} {64600 + network}", 64600 + network, 64500
    if router == "edge2" and network % 3:
        return prefix, f"64501 {{{64600 + network},65099}}", None, 64501
    return None, None, None, None


def write_tables(folder):
    routers = []
    for router, serves, peer in (("edge1", "192.0.2.0/24", 64500), ("edge2", "198.51.100.0/24", 64501)):
        table = [(prefix, path, {}) for prefix, path, _, _ in (route(router, n) for n in range(NETWORKS)) if prefix]
        file = os.path.join(folder, router + ".mrt")
        mrtgen.write_table(file, [mrtgen.Peer("203.0.113.1", peer)], [table])
        routers.append({"name": router, "serves": [serves], "sources": [{"mrt": {"file": file}}]})
    return routers


def rtt_bucket(us):
    return next(at for at, bound in enumerate(RTT_BOUNDS) if us <= bound)


class Traffic:
    """A file of records, and what they add up to: sums[minute, network, server, type]."""

    def __init__(self, path, rng, count, now):
        self.path, self.count, self.sums = path, count, {}
        first = now // MINUTE * MINUTE - 5 * MINUTE
        minutes = [first + at * MINUTE for at in range(4)] + [first - HOUR, first - 30 * HOUR, first - 40 * DAY]
        cells = [(minute, network, server, kind) for minute in minutes for network in range(NETWORKS)
                 for server in ROUTERS for kind in TYPES]
        weights = (9, 9, 9, 9, 2, 1, 1)
        share = count // sum(weights) // (len(cells) // len(minutes)) + 1
        order = [cell for at, cell in enumerate(cells)
                 for _ in range(share * weights[at // (len(cells) // len(minutes))])][:count]
        order += rng.choices(cells, k=count - len(order))
        rng.shuffle(order)
        with open(path, "w", encoding="ascii") as file:
            file.writelines(self.line(cell, rng.getrandbits(64)) for cell in order)

    def line(self, cell, dice):
        """One record: a quarter of the figures, taken from the dice."""
        minute, network, server, kind = cell
        sums = self.sums.get(cell)
        if sums is None:
            sums = self.sums[cell] = [0] * len(MEASURES)
        low, high = dice & 0xFFFFF, dice >> 44
        shape = dice >> 20 & 3
        more = ""
        sums[NUMBER["records"]] += 1
        if shape == 0:
            values = (("bytes_sent", dice & 0xFFFFFFFFFF), ("packets_sent", low), ("packets_retransmitted", high & 255))
            us = low
            more = f',"rtt_us":[{us}]'
            sums[NUMBER["rtt_count"]] += 1
            sums[NUMBER["rtt_sum_us"]] += us
            sums[NUMBER["rtt_h0"] + rtt_bucket(us)] += 1
        elif shape == 1:
            values = (("bytes_received", low), ("bytes_retransmitted", high), ("packets_spurious", low & 15))
        elif shape == 2:
            values = (("connections", 3), ("connections_with_retransmit", low % 3), ("requests", high & 1023))
            more = ',"approximate":true'
            sums[NUMBER["records_approximate"]] += 1
        else:
            values = (("duration_ms", high), ("goodput_tested", low & 7), ("goodput_met", low & 1))
        for name, value in values:
            sums[NUMBER[name]] += value
            more += f',"{name}":{value}'
        if kind:
            more += f',"type":"{kind}"'
        return (f'{{"time":{minute + low % 60},"client":"10.{network}.{high & 255}.{low & 255}",'
                f'"server":"{server}"{more}}}\n')


class Expected:
    """What a store must hold after some traffic, each given times."""

    def __init__(self):
        self.sums = {}

    def add(self, traffic, times=1):
        for (minute, network, server, kind), sums in traffic.sums.items():
            router = ROUTERS[server]
            prefix, path, origin, neighbour = route(router, network)
            key = (minute, origin, prefix, path, router, kind, neighbour, None, "own" if prefix else "none")
            have = self.sums.get(key, [0] * len(MEASURES))
            self.sums[key] = [a + times * b for a, b in zip(have, sums)]

    def total(self):
        return {name: sum(sums[NUMBER[name]] for sums in self.sums.values()) for name in SHOWN}

    def table(self, cube, level):
        """{(bucket, dimensions): measures}"""
        places = [1 + CUBES["flow"].index(name) for name in CUBES[cube]]
        rows = {}
        for key, sums in self.sums.items():
            at = (key[0] - key[0] % LEVELS[level], *(key[place] for place in places))
            have = rows.get(at)
            rows[at] = sums if have is None else list(map(operator.add, have, sums))
        return rows


def stored_table(database, cube, level):
    dimensions = CUBES[cube]
    columns = ", ".join(("ts",) + dimensions + MEASURES)
    return {row[:1 + len(dimensions)]: list(row[1 + len(dimensions):])
            for row in database.execute(f"SELECT {columns} FROM v_{cube}_{level}")}


# Sending and comparing.

class Sending:
    """A `whereto send --wait` of a whole file."""

    def __init__(self, collector, traffic, name):
        self.traffic = traffic
        with open(traffic.path, "rb") as file:
            self.process = subprocess.Popen(
                [program(), "send", "--to", collector.telemetry, "--key", collector.key_file, "--name", name, "--wait"],
                stdin=file, stderr=subprocess.PIPE, text=True)

    def running(self):
        return self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def end(self, timeout_s=120):
        """'' when everything was acknowledged, else what happened."""
        try:
            _, text = self.process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return f"whereto send did not end in {timeout_s} s"
        count = self.traffic.count
        good = f"{count} records taken, {count} acknowledged, 0 lines refused" in text
        return "" if good and self.process.returncode == 0 else f"exit status {self.process.returncode}: {text}"


def stored(collector):
    total = collector.api("top", by="", from_="2000-01-01T00:00:00Z", to="2100-01-01T00:00:00Z")["total"]
    return {name: total[name] for name in SHOWN}


def settled(collector, expected):
    """Waits until the store has what it must have, or more. Returns what it has."""
    enough = expected.total()["records"]
    collector.wait(lambda: stored(collector)["records"] >= enough, f"{enough} records in the store", timeout_s=60)
    return stored(collector)


def check_tables(t, collector, expected, name):
    """Every row of every table."""
    path = collector.config["store"]["url"].split(":", 1)[1]
    bad = []
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        for cube in CUBES:
            for level in LEVELS:
                got, want = stored_table(database, cube, level), expected.table(cube, level)
                wrong = [(key, got.get(key), want.get(key)) for key in got.keys() | want.keys()
                         if got.get(key) != want.get(key)]
                if wrong:
                    bad.append(f"{cube}_{level}: {len(wrong)} of {len(want)} rows differ, like {wrong[0]}")
    t.check(not bad, f"{name}: every row of all {len(CUBES) * len(LEVELS)} tables", "\n".join(bad))


def check_store(t, collector, expected, name):
    t.equal(settled(collector, expected), expected.total(), f"{name}: the sums of every measure")
    check_tables(t, collector, expected, name)


def pause(seconds):
    select.select([], [], [], seconds)


# Kill -9.

def ask_in_background(collector):
    """A question brings what has come into the store, at once."""
    def ask():
        with contextlib.suppress(OSError, Exception):
            stored(collector)
    thread = threading.Thread(target=ask)
    thread.start()
    return thread


class Killer:
    """Kills at random moments and starts again; counts what it did."""

    def __init__(self, collector, rng):
        self.collector, self.rng = collector, rng
        self.disk, self.older, self.lost = None, set(), 0
        self.kills = dict.fromkeys(("intake", "store", "stop", "start"), 0)
        began = time.monotonic()
        collector.kill()
        collector.start()
        self.start_s = time.monotonic() - began

    def kill(self, moment):
        self.kills[moment] += 1
        self.collector.kill()
        if self.disk:
            self.cut_journal()

    def slow_disk(self):
        """From the next start on a sync takes its time, and a kill is a power cut for the journal."""
        self.disk = os.path.join(self.collector.folder, "synced")
        os.mkdir(self.disk)
        self.older = set(os.listdir(self.collector.config["journal"]["dir"]))
        self.collector.environment = {"LD_PRELOAD": os.environ["WHERETO_SLOW_DISK"], "WHERETO_SYNC_MS": str(SYNC_MS),
                                      "WHERETO_SYNC_DIR": self.disk}

    def cut_journal(self):
        """Takes away what was not synced: all of a segment of which nothing is noted. Those from before the
        slow disk stay."""
        journal = self.collector.config["journal"]["dir"]
        for name in os.listdir(journal):
            path, note, synced = os.path.join(journal, name), os.path.join(self.disk, name), 0
            if name in self.older or not name.endswith(".wj"):
                continue
            if os.path.exists(note):
                with open(note, encoding="ascii") as file:
                    synced = int(file.read() or "0")
            if os.path.getsize(path) > synced:
                self.lost += os.path.getsize(path) - synced
                os.truncate(path, synced)

    def burst(self):
        """One kill of a running collector, then some of starting ones; then it runs again."""
        moment = min(("intake", "store", "stop"), key=lambda name: (self.kills[name], self.rng.random()))
        if moment == "store":
            thread = ask_in_background(self.collector)
            pause(self.rng.uniform(0, 0.2))
            self.kill("store")
            thread.join()
        elif moment == "stop":
            self.collector.process.terminate()
            pause(self.rng.uniform(0, 0.1))
            self.kill("stop")
        else:
            self.kill("intake")
        for _ in range(self.rng.randrange(3)):
            self.collector.launch()
            pause(self.rng.uniform(0, 1.2 * self.start_s))
            self.kill("start")
        self.collector.start(timeout_s=120)


def check_kills(t, collector, traffic, expected, rng):
    killer = Killer(collector, rng)
    number = 0
    while number < ROUNDS or sum(killer.kills.values()) < KILLS and ROUNDS > 1:
        number += 1
        if number == ROUNDS // 2 + 1 and "WHERETO_SLOW_DISK" in os.environ:
            collector.kill()
            killer.slow_disk()
            collector.start()
        sendings = [Sending(collector, traffic, f"sender{at}") for at in range(SENDERS)]
        began = time.monotonic()
        for _ in range(2):
            pause(rng.uniform(0.1, 3))
            killer.burst()
        bad = [text for text in (sending.end() for sending in sendings) if text]
        took = time.monotonic() - began
        expected.add(traffic, SENDERS)
        name = f"round {number}"
        t.check(not bad, f"{name}: {SENDERS} times {traffic.count} records acknowledged", "\n".join(bad))
        check_store(t, collector, expected, name)
        t.note(f"{took:.1f} s, {SENDERS * traffic.count / took:.0f} records/s; kills so far: {killer.kills}")
        if bad:
            break
    t.check(ROUNDS == 1 or sum(killer.kills.values()) >= KILLS and all(killer.kills.values()),
            f"at least {KILLS} kills, and every kind of moment", killer.kills)
    rows = collector.api("senders")["rows"]
    t.equal([(row["stored"], row["in_flight"]) for row in rows], [(number * traffic.count, 0)] * SENDERS,
            "the ledger: everything stored, nothing in flight")
    t.note(f"power cuts took {killer.lost} bytes that were not synced")
    collector.environment = {}
    collector.kill()
    collector.start()
    again = re.findall(r"batch \d+ of the last run, \d+ rows and \d+ path changes, (.*)", collector.log())
    t.note(f"replayed batches: {again.count('stored')} stored, {len(again) - again.count('stored')} were there already")


# Other trouble.

def check_stop(t, collector, traffic, expected, rng):
    """SIGTERM in the middle is no crash: the end is orderly and soon."""
    sending = Sending(collector, traffic, "stop")
    collector.wait(lambda: collector.metrics()["whereto_records_total"] > rng.randrange(traffic.count),
                   "some records")
    t.equal(collector.stop(), 0, "SIGTERM in the middle: ends with status 0")
    path = collector.config["store"]["url"].split(":", 1)[1]
    t.check(not os.path.exists(path + "-wal"), "the store is closed")
    collector.start()
    t.equal(sending.end(), "", "the sender finishes after the restart")
    expected.add(traffic)
    check_store(t, collector, expected, "after SIGTERM")


@contextlib.contextmanager
def locked_store(collector):
    """Nobody else can write to the database."""
    database = sqlite3.connect(collector.config["store"]["url"].split(":", 1)[1], timeout=60, isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        database.rollback()
        database.close()


def health(collector):
    return collector.http("/healthz")


def check_locked(t, collector, traffic, expected):
    """A store that is away costs nothing: what is acknowledged waits in the journal, also over a kill -9."""
    t.equal(health(collector)[0], 200, "all is well")
    with locked_store(collector):
        t.equal(Sending(collector, traffic, "locked").end(), "", "store locked: everything is acknowledged all the same")
        collector.wait(lambda: health(collector)[0] == 503, "/healthz to tell", timeout_s=60)
        t.check("store" in health(collector)[1], "/healthz tells", health(collector))
        t.check(collector.metrics()["whereto_journal_backlog"] > 0, "the batch waits in the journal")
        collector.kill()
        collector.start(timeout_s=60)
        t.equal(Sending(collector, traffic, "locked").end(), "", "store locked at the start: acknowledged too")
    collector.wait(lambda: health(collector)[0] == 200, "the store's return", timeout_s=60)
    expected.add(traffic, 2)
    check_store(t, collector, expected, "after the store was away")
    t.equal(collector.metrics()["whereto_journal_backlog"], 0, "nothing waits any more")


def check_put_back(t, collector, traffic, expected, folder):
    """A crash after the store's transaction and before the journal forgets the batch, made by hand: the batch
    is found again and counts once."""
    journal, copy = collector.config["journal"]["dir"], os.path.join(folder, "copy")
    with locked_store(collector):
        t.equal(Sending(collector, traffic, "again").end(), "", "store locked: acknowledged")
        collector.wait(lambda: collector.metrics()["whereto_journal_backlog"] > 0, "a batch to be cut")
        shutil.copytree(journal, copy)
    expected.add(traffic)
    t.equal(settled(collector, expected), expected.total(), "the batch is stored")
    collector.kill()
    back = [name for name in os.listdir(copy) if not os.path.exists(os.path.join(journal, name))]
    for name in back:
        shutil.copy(os.path.join(copy, name), journal)
    collector.start()
    t.check(back and "was in the store already" in collector.log(), "the journal has it again", collector.log())
    check_store(t, collector, expected, "a batch found again")
    t.equal([name for name in back if os.path.exists(os.path.join(journal, name))], [], "the journal forgets it")


def acknowledged(collector):
    return collector.metrics()["whereto_acks_total"]


def restart_with(collector, **sections):
    collector.kill()
    collector.config.update(sections)
    collector.start(timeout_s=60)


def check_small_journal(t, collector, traffic, expected):
    """A journal that holds far less than what is sent is emptied into the store as it fills."""
    restart_with(collector, journal=dict(collector.config["journal"], max_size="64KiB"))
    t.equal(Sending(collector, traffic, "small").end(), "", "journal of 64 KiB: everything is acknowledged")
    expected.add(traffic)
    check_store(t, collector, expected, "through a small journal")


def check_full(t, collector, traffic, expected, name):
    """Inside: the journal is full, and stays so. The sender waits."""
    collector.wait(lambda: health(collector)[0] == 503 and "journal" in health(collector)[1], "a full journal",
                   timeout_s=60)
    t.check("not" in health(collector)[1], f"{name}: /healthz tells", health(collector))
    before = acknowledged(collector)
    pause(1.5) # more than the second after which the journal tries again
    t.equal(acknowledged(collector), before, f"{name}: nothing is acknowledged")
    t.check(collector.process.poll() is None and collector.api("senders")["rows"], f"{name}: the collector is alive")


def check_full_journal(t, collector, traffic, expected):
    with locked_store(collector):
        sending = Sending(collector, traffic, "full")
        check_full(t, collector, traffic, expected, "journal at max_size")
        t.check(sending.running(), "journal at max_size: the sender waits")
        t.equal(collector.stop(), 0, "journal at max_size: SIGTERM ends the collector")
        collector.start(timeout_s=60)
        check_full(t, collector, traffic, expected, "full at the start")
    t.equal(sending.end(), "", "room again: the sender finishes")
    expected.add(traffic)
    check_store(t, collector, expected, "after a full journal")
    t.equal(health(collector)[0], 200, "all is well again")


@contextlib.contextmanager
def tiny_disk(folder, size):
    """A file system of its own; None when there can't be one."""
    os.makedirs(folder)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "whereto-crash", folder]
    mounted = os.geteuid() == 0 and subprocess.run(command, stderr=subprocess.PIPE, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", folder], check=True)


def check_full_disk(t, collector, traffic, expected, folder):
    disk = os.path.join(folder, "disk")
    with tiny_disk(disk, "4m") as mounted:
        if not mounted:
            t.skip("a full disk under the journal", "needs root, to mount a small tmpfs")
            return
        filler = os.path.join(disk, "filler")
        restart_with(collector, journal={"dir": os.path.join(disk, "journal")})
        with open(filler, "wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                while file.write(bytes(4096)):
                    pass
        sending = Sending(collector, traffic, "disk")
        check_full(t, collector, traffic, expected, "disk full")
        t.check(sending.running(), "disk full: the sender waits")
        os.unlink(filler)
        t.equal(sending.end(), "", "room again: the sender finishes")
        expected.add(traffic)
        check_store(t, collector, expected, "after a full disk")
        collector.kill()


def main():
    t = tap.Tap()
    seed = int(os.environ.get("WT_SEED") or random.SystemRandom().getrandbits(32))
    t.note(f"WT_SEED={seed}")
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="whereto-crash-") as folder:
        now = int(time.time())
        traffic = Traffic(os.path.join(folder, "records.jsonl"), rng, RECORDS, now)
        small = Traffic(os.path.join(folder, "few.jsonl"), rng, SMALL, now)
        config = {"routers": write_tables(folder)}
        store = {"url": "sqlite:" + os.path.join(folder, "collector", "whereto.db"),
                 "retention": {"minute": "300d", "hour": "300d", "day": "300d"}}
        with Collector(os.path.join(folder, "collector"), store=store, **config) as collector:
            expected = Expected()
            check_kills(t, collector, traffic, expected, rng)
            check_stop(t, collector, traffic, expected, rng)
            check_locked(t, collector, small, expected)
            check_put_back(t, collector, small, expected, folder)
            check_small_journal(t, collector, small, expected)
            check_full_journal(t, collector, small, expected)
            check_full_disk(t, collector, small, expected, folder)
    return t.done()


if __name__ == "__main__":
    sys.exit(main())
