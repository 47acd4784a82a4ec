#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A collector whose store is a PostgreSQL server that is not there yet, goes away and comes back, by a clean stop and by
kill -9: everything acknowledged is in the database once, what waits can be seen, and the collector ends while the server
is away."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from collector import Collector, CollectorError  # noqa: E402
from postgres import Server, unavailable  # noqa: E402
from tap import Tap, skip_all  # noqa: E402

RECORDS = 3000


def send(collector, start):
    return collector.send(({"client": f"203.0.{i >> 8 & 255}.{i & 255}", "server": "192.0.2.10", "type": f"t{i % 7}",
                            "requests": 1} for i in range(start, start + RECORDS)), check=False)


def stored(collector, count):
    """The API says so; while the server is away it says that instead."""
    def asked():
        try:
            return collector.top()["total"].get("requests") == count
        except (OSError, KeyError, TypeError, CollectorError):
            return False
    collector.wait(asked, f"{count} requests")


def check_late(tap, server, collector):
    """The server is started after the collector, which was killed once while it waited."""
    tap.check("what arrives meanwhile waits in the journal" in collector.log(), "a server that is not there is a warning")
    tap.check(send(collector, 0) == 0, "records are acknowledged before the server is there")
    collector.kill()
    collector.start()
    tap.check(send(collector, RECORDS) == 0, "and after a crash")
    backlog = collector.api("senders")["backlog"]
    numbers = collector.metrics()
    tap.check(backlog["batches"] >= 1 and backlog["bytes"] > 0 and backlog["since"] and backlog["store_away_since"]
              and "connecting" in backlog["store_error"] and backlog["journal_error"] is None, "the API tells what waits",
              backlog)
    tap.check(numbers["whereto_store_up"] == 0 and numbers["whereto_journal_up"] == 1
              and numbers["whereto_journal_backlog"] == backlog["batches"]
              and numbers["whereto_journal_backlog_bytes"] > 0 and numbers["whereto_journal_backlog_age_seconds"] > 0
              and numbers["whereto_store_away_seconds"] > 0, "so do the metrics", numbers)
    shown = subprocess.run([os.environ["WHERETO"], "senders", "--api", f"http://{collector.ready['http']}"],
                           capture_output=True, text=True).stdout
    tap.check("not yet in the store: " in shown and "the store has been away for " in shown, "so does whereto senders", shown)
    tap.check(collector.http("/healthz")[0] == 503 and collector.http("/api/v1/top")[0] == 503, "questions are refused")
    server.start()
    stored(collector, 2 * RECORDS)
    collector.wait(lambda: collector.metrics()["whereto_store_up"] == 1, "a store that is up")
    backlog = collector.api("senders")["backlog"]
    tap.equal((backlog["store_away_since"], backlog["store_error"]), (None, None), "it is there")


def check_refused(tap, folder, server):
    """What would not get better by itself ends the start."""
    with Collector(folder, start=False, store={"url": server.url.replace("wt@", "nobody@")}) as collector:
        collector.launch()
        tap.check(collector.process.wait(30) != 0 and "nobody" in collector.log(), "a role that is not there ends the start",
                  collector.log())


def check_away(tap, server, collector):
    server.end()
    tap.check(send(collector, 2 * RECORDS) == 0, "records are acknowledged while the server is away")
    server.start()
    stored(collector, 3 * RECORDS)
    server.end(signal.SIGKILL)
    tap.check(send(collector, 3 * RECORDS) == 0, "and while it has crashed")
    tap.check(collector.stop(60) == 0, "the collector ends without it")
    server.start()
    collector.start()
    stored(collector, 4 * RECORDS)


def check_store(tap, server):
    def store(action, url=server.url):
        done = subprocess.run([os.environ["WHERETO"], "store", action, url], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    status, text = store("check")
    tap.check(status == 1 and "store migrate" in text, "store check: nothing there yet", text)
    tap.equal(server.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'whereto'"), "0", "and it makes nothing")
    status, text = store("migrate")
    tap.check(status == 0 and "was 0" in text, "store migrate", text)
    status, text = store("migrate")
    tap.check(status == 0 and "up to date" in text, "once more", text)
    server.ask("INSERT INTO whereto.batches VALUES('gone', 9, 0, 0, 0), ('gone', 8, 0, 0, 0)")
    status, text = store("check", server.url.replace("wt@", "wt:secret@"))
    tap.check(status == 0 and "gone: last batch 9\n" in text and "flow_minute: empty" in text, "store check", text)
    tap.check("secret" not in text, "without the password", text)
    tap.equal(store("vacuum")[0], 0, "store vacuum")
    server.ask("UPDATE whereto.meta SET value = '99'")
    for action in ("check", "migrate", "vacuum"):
        status, text = store(action)
        tap.check(status == 1 and "newer whereto" in text, f"store {action}: a newer schema", text)
    server.ask("DROP SCHEMA whereto CASCADE")
    status, text = store("check", "postgresql://wt:secret@127.0.0.1:1/none")
    tap.check(status == 1 and "secret" not in text, "store check: no server", text)


def main():
    tap = Tap()
    reason = unavailable()
    if reason:
        return skip_all(reason)
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Server(start=False)) as server:
        server.start()
        check_store(tap, server)
        server.end()
        with Collector(folder, store={"url": server.url}) as collector:
            check_late(tap, server, collector)
            check_away(tap, server, collector)
            tap.check(collector.stop() == 0, "the collector ends")
        done = subprocess.run([os.environ["WHERETO"], "store", "check", server.url], capture_output=True, text=True)
        tap.check("total_day: 20" in done.stdout, "store check shows the tables' ranges", done.stdout + done.stderr)
        for table in ("total_minute", "country_hour", "flow_day"):
            tap.equal(server.ask(f"SELECT sum(requests) FROM whereto.{table}"), str(4 * RECORDS),
                      f"{table} has every record once")
        check_refused(tap, os.path.join(folder, "refused"), server)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
