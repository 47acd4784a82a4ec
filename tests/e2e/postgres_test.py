#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A collector whose store is a PostgreSQL server that is not there yet, goes away and comes back, by a clean stop and by
kill -9: everything acknowledged is in the database once, what waits can be seen, and the collector ends while the server
is away."""

import contextlib
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from away import RECORDS, check_away, check_late  # noqa: E402
from collector import Collector  # noqa: E402
from postgres import Server, unavailable  # noqa: E402
from tap import Tap, skip_all  # noqa: E402

def check_refused(tap, folder, server):
    """What would not get better by itself ends the start."""
    with Collector(folder, start=False, store={"url": server.url.replace("wt@", "nobody@")}) as collector:
        collector.launch()
        tap.check(collector.process.wait(30) != 0 and "nobody" in collector.log(), "a role that is not there ends the start",
                  collector.log())


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
    server.ask("INSERT INTO whereto.batches VALUES('gone', 9, 0, 0, 0, 0), ('gone', 8, 0, 0, 0, 0)")
    status, text = store("check", server.url.replace("wt@", "wt:secret@"))
    tap.check(status == 0 and "gone: last batch 9\n" in text and "flow_minute: empty" in text, "store check", text)
    tap.check("secret" not in text, "without the password", text)
    server.ask("ALTER DATABASE postgres SET default_transaction_read_only = on")
    status, text = store("check")
    tap.check(status == 0, "store check changes nothing: it may be read-only", text)
    server.ask("BEGIN READ WRITE; ALTER DATABASE postgres RESET default_transaction_read_only; COMMIT")
    server.ask("ALTER TABLE whereto.flow_hour_merged RENAME COLUMN rtt_h7 TO gone")
    status, text = store("check")
    tap.check(status == 1 and "rtt_h7" in text, "store check: a column is missing", text)
    server.ask("ALTER TABLE whereto.flow_hour_merged RENAME COLUMN gone TO rtt_h7")
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
