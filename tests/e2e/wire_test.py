#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a collector does with datagrams, good and bad, seen by a sender that is not ours (tests/lib/wire.py):
each is counted under its own reason and nothing else changes; acknowledgements tell what is on disk; a
session is accepted once, whatever is sent again and whoever is killed."""

import dataclasses
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap

try:
    import wire
except ImportError as missing:
    tap.skip_all(f"needs {missing.name} (python3-cryptography)")
from collector import Collector, program

CLIENT, SERVER = "203.0.113.9", "192.0.2.10"
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
FLOOD = 3000


def now_ms():
    return time.time_ns() // 1_000_000


# The page's vectors, taken from the page: body, datagram, acknowledgement.
PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "wire.md")
with open(PAGE, encoding="utf-8") as page:
    VECTOR_BODY, VECTOR_DATAGRAM, VECTOR_ACK = re.findall(r"```\n([0-9a-f\n]+)```", page.read())
VECTOR_TIME = 1795428000000
VECTOR = wire.Body("web1", VECTOR_TIME, [
    wire.Record(CLIENT, SERVER, "video", VECTOR_TIME - 1000, True, [18250, 300], bytes_sent=1048576,
                packets_sent=725, packets_retransmitted=9, goodput_met=1),
    wire.Record("2001:db8:1::1", "2001:db8::10", None, VECTOR_TIME + 500, requests=1),
    wire.Record("198.51.100.1", SERVER, None, VECTOR_TIME),
], flags=wire.PROMPT, records_before=7, dropped=2, oldest=1, acknowledged=3)


def check_vectors(t):
    secret, session, run = bytes(range(32)), b"\xa5" * 16, b"\x5a" * 16
    body, datagram, ack = map(bytes.fromhex, (VECTOR_BODY, VECTOR_DATAGRAM, VECTOR_ACK))
    t.equal(VECTOR.pack().hex(), body.hex(), "vectors: the body is packed as the page says")
    t.equal(wire.read_body(body), VECTOR, "vectors: the body is read")
    header = wire.Header(wire.RECORDS, 1, session, 3)
    t.equal(wire.seal(secret, header, body).hex(), datagram.hex(), "vectors: the datagram is sealed as the page says")
    t.equal(wire.open_sealed(secret, datagram), (header, body), "vectors: the datagram is opened")
    header = wire.Header(wire.ACK, 1, session, 0, run)
    expected = wire.Ack("ams1", 3, frozenset({4, 13}))
    t.equal(wire.seal(secret, header, expected.pack()).hex(), ack.hex(), "vectors: the acknowledgement is sealed")
    opened, plain = wire.open_sealed(secret, ack)
    t.equal((opened, wire.read_ack(plain)), (header, expected), "vectors: the acknowledgement is opened and read")


# A sender's socket, and what became of what it sent.

class Peer:
    """One session with a socket of its own; keeps everything it sealed, to send it again."""

    def __init__(self, collector, name, secret=None, key_id=1):
        self.sender = wire.Sender(secret or wire.load_key(collector.key_file), name, key_id)
        self.sealed = {}
        self.reconnect(collector)

    def reconnect(self, collector):
        host, port = collector.telemetry.rsplit(":", 1)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((host, int(port)))

    def seal(self, count=1, number=None, time=None, flags=wire.PROMPT, **body):
        """A datagram with records of one byte each."""
        records = [wire.Record(CLIENT, SERVER, bytes_sent=1) for _ in range(count)]
        body = wire.Body(self.sender.name, now_ms() if time is None else time, records, flags, **body)
        datagram = self.sender.seal(body, number)
        self.sealed[wire.read_header(datagram)[0].sequence] = datagram
        return datagram

    def send(self, *datagrams):
        for datagram in datagrams:
            self.socket.send(datagram)
        return len(datagrams)

    def send_at_once(self, collector, *datagrams):
        """They are read together: nothing is acknowledged between two."""
        pid = collector.process.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            os.waitid(os.P_PID, pid, os.WSTOPPED)
            return self.send(*datagrams)
        finally:
            os.kill(pid, signal.SIGCONT)

    def ack(self, condition=lambda ack: True, timeout_s=20):
        """Reads acknowledgements until one is as wanted; None after the time."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            self.socket.settimeout(deadline - time.monotonic() + 0.01)
            try:
                ack = self.sender.open_ack(self.socket.recv(9000))
            except (TimeoutError, ConnectionRefusedError):
                continue
            if condition(ack):
                return ack
        return None

    def has_ack(self):
        """Something is there to be read."""
        self.socket.settimeout(0)
        try:
            return bool(self.socket.recv(9000, socket.MSG_PEEK))
        except BlockingIOError:
            return False


def figures(collector):
    """Everything in /metrics that a datagram can change, under short names."""
    names = {}
    for name, value in collector.metrics().items():
        name = name.replace("whereto_ledger_", "").replace("whereto_", "")
        if name.startswith("datagrams_refused_total"):
            names["refused " + name.split('"')[1]] = int(value)
        elif name in LEDGER or name == "sessions":
            names[name] = int(value)
    return names


LEDGER = ("sent", "stored", "rejected_past", "rejected_future", "rejected_invalid", "dropped", "lost", "datagrams",
          "duplicates", "replayed", "reordered", "in_flight")


def received(collector):
    return int(collector.metrics()["whereto_datagrams_total"])


def outcome(collector, send):
    """What send() changes; it returns how many datagrams it sent, all of which are waited for."""
    before, at = figures(collector), received(collector)
    count = send()
    collector.wait(lambda: received(collector) >= at + count, f"{count} datagrams")
    after = figures(collector)
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


def refused(reason, count=1):
    return {"refused " + reason: count}


def altered(datagram, at):
    return datagram[:at] + bytes([datagram[at] ^ 0x10]) + datagram[at + 1:]


# The tests. Each takes the collector as the one before left it.

def check_strangers(t, collector):
    """Nothing that does not verify makes a session, whatever there is of it."""
    stranger = Peer(collector, "stranger", secret=os.urandom(32))
    good = Peer(collector, "web1").seal()

    def try_one(name, reason, *datagrams):
        t.equal(outcome(collector, lambda: stranger.send(*datagrams)), refused(reason, len(datagrams)), name)

    try_one("a wrong key: bad_tag", "bad_tag", stranger.seal())
    try_one("a key id that there isn't: unknown_key", "unknown_key",
            wire.seal(stranger.sender.secret, wire.Header(wire.RECORDS, 77, os.urandom(16), 0), b"x"))
    try_one("a flipped bit in the magic, the version or the kind: malformed", "malformed",
            *(altered(good, at) for at in range(4)))
    try_one("a flipped bit in the key id: unknown_key", "unknown_key", *(altered(good, at) for at in range(4, 8)))
    try_one("a flipped bit in session, sequence, ciphertext or tag: bad_tag", "bad_tag",
            *(altered(good, at) for at in range(8, len(good))))
    shortest = 32 + wire.TAG_BYTES
    try_one("cut short before header and tag are there: malformed", "malformed",
            *(good[:length] for length in range(shortest)))
    try_one("cut short behind them: bad_tag", "bad_tag", *(good[:length] for length in range(shortest, len(good))))
    try_one("a byte more: bad_tag", "bad_tag", good + b"\0")
    try_one("longer than 9000 bytes: malformed", "malformed", good + bytes(9001 - len(good)), bytes(65000))
    own = Peer(collector, "web1")
    try_one("a number that no window can hold: malformed", "malformed",
            *(own.seal(number=number, oldest=number) for number in (2**64 - 8193, 2**64 - 1)))
    ack = wire.Header(wire.ACK, 1, os.urandom(16), 0, os.urandom(16))
    try_one("an acknowledgement sent to a collector: malformed", "malformed",
            wire.seal(wire.load_key(collector.key_file), ack, wire.Ack("x", 0).pack()))

    def flood():
        for _ in range(FLOOD // 100): # no faster than the socket's buffer is emptied
            at = received(collector)
            stranger.send(*(wire.seal(os.urandom(32), wire.Header(wire.RECORDS, 1, os.urandom(16), 0), b"x")
                            for _ in range(100)))
            collector.wait(lambda at=at: received(collector) >= at + 100, "100 datagrams")
        return FLOOD

    t.equal(outcome(collector, flood), refused("bad_tag", FLOOD), f"{FLOOD} sessions that don't verify: no state")
    t.equal((collector.metrics()["whereto_sessions"], collector.api("senders")["rows"]), (0, []), "no session so far")
    t.check(not stranger.has_ack(), "a stranger gets no answer")
    said = [line for line in collector.log().splitlines() if "telemetry: refused from 127.0.0.1:" in line]
    lines = [sum(words in line for line in said) for words in ("wrong key or altered", "under a key this collector does not have")]
    t.check(lines[0] % 10 == 0 and 10 <= lines[0] <= 50 and lines[1] == 5 and sum(lines) == len(said),
            "the log says where from and why, ten lines a minute of each reason at most", said)


def check_session(t, collector):
    """The life of an honest session with every trouble a network makes."""
    peer = Peer(collector, "web1")
    first = peer.seal(count=3)
    t.equal(outcome(collector, lambda: peer.send(first)), {"sessions": 1, "datagrams": 1, "sent": 3, "stored": 3},
            "the first datagram makes a session")
    ack = peer.ack()
    t.equal(ack, wire.Ack("test", 1), "it is acknowledged, by name")
    t.equal(outcome(collector, lambda: peer.send(first)), {"replayed": 1}, "again after its acknowledgement: replayed")
    t.equal(peer.ack(), ack, "and acknowledged again")

    lazy = peer.seal(flags=0)
    t.equal(outcome(collector, lambda: peer.send_at_once(collector, lazy, lazy, lazy)),
            {"datagrams": 1, "sent": 1, "stored": 1, "duplicates": 2}, "three times before it is acknowledged: duplicates")
    t.equal(peer.ack(lambda ack: ack.accepted(1)).base, 2, "without the prompt flag the answer comes too")

    two, three, four = peer.seal(), peer.seal(), peer.seal()
    t.equal(outcome(collector, lambda: peer.send(four)), {"datagrams": 1, "sent": 3, "stored": 1, "in_flight": 2},
            "one from behind a gap")
    t.equal(peer.ack(lambda ack: ack.accepted(4)), wire.Ack("test", 2, frozenset({4})), "the bitmap tells the gap")
    t.equal(outcome(collector, lambda: peer.send(two)),
            {"datagrams": 1, "stored": 1, "reordered": 1, "in_flight": -1}, "the missing ones: reordered")
    t.equal(peer.ack(lambda ack: ack.accepted(2)), wire.Ack("test", 3, frozenset({4})), "the base moves up")
    t.equal(outcome(collector, lambda: peer.send(three)),
            {"datagrams": 1, "stored": 1, "reordered": 1, "in_flight": -1}, "the gap closes")
    t.equal(peer.ack(lambda ack: ack.accepted(3)), wire.Ack("test", 5), "the base jumps over what came before")

    ahead = peer.seal(number=5 + wire.WINDOW)
    peer.sender.sent -= 1
    t.equal(outcome(collector, lambda: peer.send(ahead)), refused("ahead"), "further than a window ahead")
    edge = peer.seal(number=4 + wire.WINDOW)
    t.equal(outcome(collector, lambda: peer.send(edge)), {"datagrams": 1, "sent": 1, "stored": 1},
            "the window's last number is accepted")
    t.equal(peer.ack(lambda ack: ack.accepted(4 + wire.WINDOW)), wire.Ack("test", 5, frozenset({4 + wire.WINDOW})),
            "the bitmap reaches that far")
    t.equal(outcome(collector, lambda: peer.send(peer.seal(count=0, number=5, dropped=9))),
            {"datagrams": 1, "dropped": 9, "reordered": 1}, "a body without records tells the drops")
    return peer


def check_records(t, collector):
    """What is wrong with records, or with bodies, inside of good seals."""
    peer = Peer(collector, "web2")
    now = now_ms()
    lines = [("of now", {"stored": 1}, {}),
             ("399 days old", {"stored": 1}, {"time": now - 399 * DAY_MS}),
             ("401 days old: past", {"rejected_past": 1}, {"time": now - 401 * DAY_MS}),
             ("before 1970: invalid", {"rejected_invalid": 1}, {"time": -1}),
             ("14 minutes ahead", {"stored": 1}, {"time": now + 14 * 60_000}),
             ("16 minutes ahead: future", {"rejected_future": 1}, {"time": now + 16 * 60_000}),
             ("in the year 9999: future", {"rejected_future": 1}, {"time": 253402300799999}),
             ("with a figure of 2^50", {"stored": 1}, {"requests": wire.FIGURE_MAX}),
             ("with a figure of 2^50 + 1: invalid", {"rejected_invalid": 1}, {"requests": wire.FIGURE_MAX + 1}),
             ("with a round trip of 2^32 us: invalid", {"rejected_invalid": 1}, {"rtt": [1 << 32]}),
             ("with 255 round trips", {"stored": 1}, {"rtt": [(1 << 32) - 1] * 255}),
             ("with figures of a later version", {"stored": 1}, {"unknown": {15: 1, 63: (1 << 64) - 1}})]
    new = {"sessions": 1}
    for name, change, record in lines:
        body = wire.Body("web2", now, [wire.Record(CLIENT, SERVER, **record)], wire.PROMPT)
        expected = {"datagrams": 1, "sent": 1, **new, **change}
        t.equal(outcome(collector, lambda body=body: peer.send(peer.sender.seal(body))), expected, f"a record {name}")
        new = {}

    broken = wire.Body("web2", now, [wire.Record(CLIENT, SERVER, bytes_sent=1)] * 3, wire.PROMPT,
                       records_before=peer.sender.sent)
    cut = peer.sender.seal_bytes(broken.pack()[:-2] + b"\x80" * 2, len(lines))
    t.equal(outcome(collector, lambda: peer.send(cut)),
            {"datagrams": 1, "sent": 3, "stored": 2, "rejected_invalid": 1}, "a record that cannot be read: invalid")
    peer.sender.next += 1
    peer.sender.sent += 3
    acked = peer.ack(lambda ack: ack.accepted(len(lines)))
    t.equal(acked, wire.Ack("test", len(lines) + 1), "datagrams with bad records are acknowledged all the same")

    number = len(lines) + 1
    bodies = [b"", broken.pack()[:20], dataclasses.replace(broken, name="").pack(),
              dataclasses.replace(broken, name="n" * 65).pack(), broken.pack(count=1 << 40),
              dataclasses.replace(broken, time=wire.FIGURE_MAX + 1).pack()]
    t.equal(outcome(collector, lambda: peer.send(*(peer.sender.seal_bytes(body, number) for body in bodies))),
            refused("malformed", len(bodies)), "bodies that cannot be read: malformed")
    t.equal(outcome(collector, lambda: peer.send(peer.seal())), {"datagrams": 1, "sent": 1, "stored": 1},
            "they did not use up their number")
    t.check(peer.ack(lambda ack: ack.accepted(number)), "all of it is acknowledged")


def check_old_sessions(t, collector):
    """A session that is not known may be a forgotten one."""
    old = Peer(collector, "late")
    t.equal(outcome(collector, lambda: old.send(old.seal(time=now_ms() - 8 * DAY_MS))), refused("too_old"),
            "an unknown session begun eight days ago: too_old")
    t.check(not old.has_ack(), "it is not answered")
    young = Peer(collector, "late")
    t.equal(outcome(collector, lambda: young.send(young.seal(time=now_ms() - 6 * DAY_MS))),
            {"sessions": 1, "datagrams": 1, "sent": 1, "stored": 1}, "one begun six days ago is taken")
    t.equal(outcome(collector, lambda: young.send(young.seal(time=now_ms() - 30 * DAY_MS))),
            {"datagrams": 1, "sent": 1, "stored": 1}, "and then its older datagrams too")
    t.check(young.ack(lambda ack: ack.accepted(1)), "and both are acknowledged")


def check_ledger(t, collector, expected):
    """The ledger by sender, and the reasons beside it, as people see them."""
    answer = collector.api("senders")
    rows = {row["sender"]: row for row in answer["rows"]}
    t.equal(sorted(rows), sorted(expected), "every sender has its row")
    for name, row in rows.items():
        accounted = row["stored"] + sum(row["rejected"].values()) + row["lost"] + row["in_flight"]
        t.equal(row["sent"], accounted, f"{name}: sent = stored + rejected + lost + in flight")
    reasons = {name.split(" ")[1]: value for name, value in figures(collector).items() if name.startswith("refused")}
    t.equal(answer["refused"], reasons, "the refused are the same in the API as in /metrics")
    t.check(all(value for reason, value in reasons.items() if reason != "sessions_full"), "each reason was met", reasons)
    done = subprocess.run([program(), "senders", "--api", "http://" + collector.ready["http"]], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode == 2:
        t.skip("whereto senders tells the reasons", "there is no such command")
        return
    text = done.stdout.replace("_", " ")
    t.check(done.returncode == 0 and all(reason.replace("_", " ") in text and str(value) in text
                                         for reason, value in reasons.items() if value),
            "whereto senders tells the reasons", done.stdout + done.stderr)


def stored_bytes(collector):
    return collector.api("top", by="", **{"from": "-500d", "to": "+1h".replace("+1h", "2100-01-01T00:00:00Z")})["total"]


def check_kill(t, collector, peer):
    """kill -9 in the middle of a session: what was accepted stays so, what was not is accepted once."""
    before = stored_bytes(collector)
    first = [peer.seal(number=n) for n in range(6, 26)]
    last = [peer.seal(number=n) for n in range(26, 40)]
    peer.send(*first)
    acked = peer.ack(lambda ack: ack.base >= 26)
    t.equal(acked, wire.Ack("test", 26, frozenset({4 + wire.WINDOW})), "twenty more are acknowledged")
    peer.send(*last[:7]) # whether these reach the disk is the kill's secret
    collector.kill()
    collector.start()
    t.equal(collector.metrics()["whereto_sessions"], 3 + 0, "the sessions are there again")

    everything = [peer.sealed[number] for number in sorted(peer.sealed) if number < 5 + wire.WINDOW]
    change = outcome(collector, lambda: peer.send(*everything))
    fresh = change.get("datagrams", 0)
    t.check(7 <= fresh <= 14, "after a kill -9 only what was not durable is new", change)
    t.equal(fresh + change.get("duplicates", 0) + change.get("replayed", 0), len(everything), "the rest was known")
    final = wire.Ack("test", 40, frozenset({4 + wire.WINDOW}))
    t.equal(peer.ack(lambda ack: ack.base >= 40), final, "another run of the collector acknowledges the session")
    change = outcome(collector, lambda: peer.send(*everything))
    t.equal(set(change), {"duplicates", "replayed"}, "sent again: nothing new")
    after = stored_bytes(collector)
    t.equal(after["bytes_sent"] - before["bytes_sent"], 34, "each record is in the store once")
    t.equal(after["records"] - before["records"], 34, "and each is one record")
    collector.kill()
    collector.start()
    t.equal(set(outcome(collector, lambda: peer.send(*everything))), {"duplicates", "replayed"},
            "another kill -9: nothing new")
    t.equal(stored_bytes(collector), after, "and the sums have not changed")


def check_elsewhere(t, collector, peer):
    """A sender whose address changed while it waits for an answer has only old datagrams to send."""
    lazy = peer.seal(number=40)
    peer.send(lazy)
    peer.ack(lambda ack: ack.base >= 41)
    peer.reconnect(collector)
    peer.send(lazy)
    ack = peer.ack()
    t.check(ack and ack.base >= 41, "a datagram sent again from another port is answered there", ack)


def check_rotation(t, collector, folder):
    """A second key beside the first, then instead of it; no record is lost, no sender refused too early."""
    second = os.path.join(folder, "second.key")
    subprocess.run([program(), "keygen", second], check=True, stdout=subprocess.DEVNULL)
    first = collector.config["telemetry"]["keys"]
    old = Peer(collector, "rotating")
    old.send(old.seal())
    old.ack()
    new = Peer(collector, "rotating", wire.load_key(second), key_id=2)
    t.equal(outcome(collector, lambda: new.send(new.seal())), refused("unknown_key"), "a key before it is there")
    collector.config["telemetry"]["keys"] = first + [{"id": 2, "file": second}]
    t.check(collector.reload(), "SIGHUP takes a second key")
    t.equal(outcome(collector, lambda: new.send(new.sealed[0])),
            {"sessions": 1, "datagrams": 1, "sent": 1, "stored": 1}, "then what it sealed is accepted")
    t.equal(new.ack(), wire.Ack("test", 1), "and acknowledged")
    t.equal(outcome(collector, lambda: old.send(old.seal())), {"datagrams": 1, "sent": 1, "stored": 1},
            "the session under the first key goes on")
    t.equal(old.ack(lambda ack: ack.base >= 2), wire.Ack("test", 2), "and is acknowledged")
    mixed = wire.seal(new.sender.secret, wire.Header(wire.RECORDS, 2, old.sender.session, 2), VECTOR.pack())
    t.equal(outcome(collector, lambda: old.send(mixed)), refused("bad_tag"), "a session keeps to its key")
    gone = wire.seal(new.sender.secret, wire.Header(wire.RECORDS, 77, old.sender.session, 2), VECTOR.pack())
    t.equal(outcome(collector, lambda: old.send(gone)), refused("unknown_key"), "a key id that there isn't, again")
    collector.config["telemetry"]["keys"] = [{"id": 2, "file": second}]
    t.check(collector.reload(), "SIGHUP takes the first key away")
    t.equal(outcome(collector, lambda: old.send(old.seal())), refused("unknown_key"), "its session is refused now")
    t.equal(outcome(collector, lambda: new.send(new.seal())), {"datagrams": 1, "sent": 1, "stored": 1},
            "the other one goes on")
    t.equal(new.ack(lambda ack: ack.base >= 2), wire.Ack("test", 2), "and is acknowledged")
    collector.kill()
    collector.start()
    t.equal(outcome(collector, lambda: new.send(*new.sealed.values())), {"replayed": 2}, "also after a kill -9")


def main():
    t = tap.Tap()
    check_vectors(t)
    with tempfile.TemporaryDirectory(prefix="whereto-wire-") as folder:
        with Collector(folder, routers=[{"name": "edge1", "serves": ["192.0.2.0/24"]}]) as collector:
            check_strangers(t, collector)
            peer = check_session(t, collector)
            check_records(t, collector)
            check_old_sessions(t, collector)
            check_ledger(t, collector, ["late", "web1", "web2"])
            check_kill(t, collector, peer)
            check_elsewhere(t, collector, peer)
            check_rotation(t, collector, folder)
    return t.done()


if __name__ == "__main__":
    sys.exit(main())
