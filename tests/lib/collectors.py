# SPDX-License-Identifier: BSD-2-Clause
"""Two collectors with one store, under load while one and the other die and come back: everything is stored once.

    with contextlib.closing(Sending(collectors)) as sending:
        deaths(*collectors, sending.name)
        ...
        sending.stop()"""

import contextlib
import json
import os
import subprocess
import threading

PACE_S = 0.01
CHUNK = 100          # records, each PACE_S
WAIT_S = 120


class Load:
    """Calls work(stopping) in threads until stop(); their results."""

    def __init__(self, work, threads):
        self.stopping = threading.Event()
        self.results = []
        self.threads = [threading.Thread(target=lambda: self.results.append(work(self.stopping)))
                        for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        return self.results


class Sending:
    """`whereto send --wait`, fed without an end until stop()."""

    def __init__(self, collectors, name="lines"):
        self.name = name
        to = [word for collector in collectors for word in ("--to", collector.telemetry)]
        self.process = subprocess.Popen([os.environ["WHERETO"], "send", *to, "--key",
                                         collectors[0].key_file, "--name", name, "--wait"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.load = Load(self._feed, 1)

    def _feed(self, stopping):
        count = 0
        while not stopping.wait(PACE_S):
            self.process.stdin.write("".join(self._line(i) for i in range(count, count + CHUNK)))
            self.process.stdin.flush()
            count += CHUNK
        self.process.stdin.close()
        return count

    def _line(self, i):
        return json.dumps({"client": f"203.0.113.{i & 255}", "server": "192.0.2.10", "type": self.name, "requests": 1,
                           "bytes_sent": i}) + "\n"

    def stop(self):
        """(records, exit status, what it said)"""
        [count] = self.load.stop()
        said = self.process.stderr.read()
        return count, self.process.wait(), said

    def close(self):
        self.process.kill()
        self.load.stopping.set()
        self.process.wait()


def sent_to(collector, sender):
    return sum(row["sent"] for row in collector.api("senders")["rows"] if row["sender"] == sender)


def wait_more(collector, sender):
    """Until the collector has more records of this sender than now."""
    before = sent_to(collector, sender)
    collector.wait(lambda: sent_to(collector, sender) > before, f"records of {sender}", WAIT_S)


def deaths(first, second, sender, meanwhile=lambda: None):
    """The first one dies and the second takes over; it dies too; the first comes back, then the second."""
    wait_more(first, sender)
    first.kill()
    wait_more(second, sender)
    meanwhile()
    wait_more(second, sender)
    second.kill()
    first.start()
    wait_more(first, sender)
    second.start()
    wait_more(first, sender)
    first.kill()
    wait_more(second, sender)
    first.start()
    wait_more(first, sender)


def check_sums(tap, stored, collectors, kind, expected, what):
    """Both collectors say so after what they know of is stored, and so does the database: stored(kind)."""
    for collector in collectors:
        collector.wait(lambda: not any(row["in_flight"] for row in collector.api("senders")["rows"]), "all of it")
        collector.top()
    rows = [row for row in collectors[0].top(by="type")["rows"] if row["type"] == kind]
    tap.equal([(row["requests"], row["bytes_sent"]) for row in rows], [expected], f"{what}: the store has all of it once")
    tap.equal(stored(kind), expected, f"{what}: so says the database itself")


def check_ledgers(tap, collectors, sender, count, what):
    rows = [row for collector in collectors for row in collector.api("senders")["rows"] if row["sender"] == sender]
    tap.equal(sum(row["sent"] for row in rows), count, f"{what}: the ledgers have all of it")
    tap.equal([(row["sent"] - row["stored"], row["dropped"], row["lost"]) for row in rows], [(0, 0, 0)] * len(rows),
              f"{what}: both ledgers close")


def check_send(tap, stored, collectors, meanwhile=lambda: None):
    """`whereto send` to both, while they die. stored(kind): (requests, bytes) of this traffic type in the database."""
    with contextlib.closing(Sending(collectors)) as sending:
        deaths(*collectors, sending.name, meanwhile)
        count, status, said = sending.stop()
        tap.equal((status, said), (0, f"whereto send: {count} records taken, {count} acknowledged, 0 lines refused\n"),
                  "send: everything is acknowledged")
    check_sums(tap, stored, collectors, sending.name, (count, count * (count - 1) // 2), "send")
    check_ledgers(tap, collectors, sending.name, count, "send")
