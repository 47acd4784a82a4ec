# SPDX-License-Identifier: BSD-2-Clause
"""A database server that a collector has to do without for a while: what is the same for each of them. A server has start(),
end(SIGNAL), and STOP, the signal for a clean end."""

import os
import signal
import subprocess

from collector import CollectorError

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


def check_away(tap, server, collector):
    server.end(server.STOP)
    tap.check(send(collector, 2 * RECORDS) == 0, "records are acknowledged while the server is away")
    server.start()
    stored(collector, 3 * RECORDS)
    server.end(signal.SIGKILL)
    tap.check(send(collector, 3 * RECORDS) == 0, "and while it has crashed")
    tap.check(collector.stop(60) == 0, "the collector ends without it")
    server.start()
    collector.start()
    stored(collector, 4 * RECORDS)
