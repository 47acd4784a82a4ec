#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A collector whose store is a PostgreSQL server that is not there yet, goes away and comes back, by a clean stop and by
kill -9: everything acknowledged is in the database once, what waits can be seen, and the collector ends while the server
is away. `whereto store`: a schema that is not whole, and roles that may not do what a collector does."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from away import RECORDS, check_away, check_late  # noqa: E402
from collector import Collector  # noqa: E402
from postgres import Server, unavailable  # noqa: E402
from tap import Tap, skip_all  # noqa: E402

def store(action, url):
    done = subprocess.run([os.environ["WHERETO"], "store", action, url], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def refused(folder, url):
    """What a collector says that does not start with this store."""
    with Collector(folder, start=False, store={"url": url}) as collector:
        collector.launch()
        status = collector.process.wait(30)
        return collector.log() if status else None


def check_refused(tap, folder, server):
    """What would not get better by itself ends the start."""
    text = refused(os.path.join(folder, "nobody"), server.url.replace("wt@", "nobody@"))
    tap.check(text and "nobody" in text, "a role that is not there ends the start", text)


def owners_statement():
    """That of docs/schema.md."""
    with open(os.path.join(HERE, "..", "..", "docs", "schema.md"), encoding="utf-8") as file:
        return re.search(r"^DO \$\$.*?^END \$\$;$", file.read(), re.M | re.S).group(0)


def check_roles(tap, folder, server):
    """Rights are looked at when the store is opened for writing: a GRANT does not make partitions."""
    server.ask("CREATE ROLE reader LOGIN; CREATE ROLE whereto LOGIN; GRANT USAGE ON SCHEMA whereto TO reader, whereto;"
               " GRANT SELECT ON ALL TABLES IN SCHEMA whereto TO reader; GRANT ALL ON ALL TABLES IN SCHEMA whereto TO whereto;"
               " GRANT ALL ON SCHEMA whereto TO whereto")
    reader, other = (server.url.replace("wt@", role + "@") for role in ("reader", "whereto"))
    status, text = store("check", reader)
    tap.check(status == 0 and "may only read" in text, "a role that may only read can check, which says so", text)
    done = subprocess.run([os.environ["WHERETO"], "store", "copy", "--from", reader, "--to", f"sqlite:{folder}/copy.db"], capture_output=True,
                          text=True)
    tap.check(done.returncode == 0, "and copy from there", done.stdout + done.stderr)
    status, text = store("check", other)
    tap.check(status == 1 and "belongs to wt" in text and "ALTER TABLE whereto." in text, "check: tables of another role", text)
    for what, url in (("one that may only read", reader), ("one with every right to another's tables", other)):
        for action in ("migrate", "vacuum"):
            status, text = store(action, url)
            tap.check(status == 1 and "has to belong to the collector's role" in text, f"{action}: {what}", text)
        text = refused(os.path.join(folder, "role"), url)
        tap.check(text and "has to belong to the collector's role" in text and "psql -d 'postgres'" in text, f"the start: {what}", text)
        os.unlink(os.path.join(folder, "role", "collector.log"))
    server.ask(owners_statement())
    for action in ("check", "migrate", "vacuum"):
        status, text = store(action, other)
        tap.check(status == 0, f"{action}: what docs/schema.md says mends that", text)
    server.ask("ALTER SCHEMA whereto OWNER TO wt; REVOKE ALL ON SCHEMA whereto FROM whereto; GRANT USAGE ON SCHEMA whereto TO whereto")
    status, text = store("check", other)
    tap.check(status == 1 and "ALTER SCHEMA whereto OWNER TO" in text, "check: a schema of another role", text)
    server.ask("CREATE ROLE member LOGIN IN ROLE whereto; ALTER SCHEMA whereto OWNER TO whereto")
    tap.equal(store("check", server.url.replace("wt@", "member@"))[0], 0, "a member of the tables' role will do")


def check_missing(tap, server):
    """What holds nothing is made again; rows are not."""
    for kind, name, said in (("VIEW", "v_flow_hour", "view v_flow_hour"), ("VIEW", "v_path_change", "view v_path_change"),
                             ("INDEX", "prefixes_covering", "index prefixes gist (prefix)"),
                             ("INDEX", "flow_day_merged_prefix_ts_idx", "index flow_day_merged btree (prefix, ts)"),
                             ("TABLE", "country_ranges", "table country_ranges, index country_ranges gist (range)"),
                             ("TABLE", "pieces", "table pieces")):
        server.ask(f"DROP {kind} whereto.{name}")
        status, text = store("check", server.url)
        tap.check(status == 1 and f"missing: {said};" in text, f"store check: {said} is missing", text)
        status, text = store("migrate", server.url)
        tap.check(status == 0 and f"made again: {said}\n" in text, "store migrate makes it again", text)
        status, text = store("check", server.url)
        tap.check(status == 0, "and it is there", text)
    server.ask("DROP VIEW whereto.total_day CASCADE")
    tap.check("made again: view total_day, view v_total_day\n" in store("migrate", server.url)[1], "a view, and one on it")
    server.ask("ALTER TABLE whereto.path_change RENAME TO elsewhere")
    for action, word in (("check", "missing: table path_change"), ("migrate", "restore it from a backup")):
        status, text = store(action, server.url)
        tap.check(status == 1 and word in text, f"store {action}: rows are gone with a table", text)
    server.ask("ALTER TABLE whereto.elsewhere RENAME TO path_change")
    tap.equal(store("check", server.url)[0], 0, "which is back")


def check_store(tap, folder, server):
    status, text = store("check", server.url)
    tap.check(status == 1 and "store migrate" in text, "store check: nothing there yet", text)
    tap.equal(server.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'whereto'"), "0", "and it makes nothing")
    status, text = store("migrate", server.url)
    tap.check(status == 0 and "was 0" in text, "store migrate", text)
    status, text = store("migrate", server.url)
    tap.check(status == 0 and "up to date" in text, "once more", text)
    server.ask("INSERT INTO whereto.batches VALUES('gone', 9, 0, 0, 0, 0), ('gone', 8, 0, 0, 0, 0)")
    status, text = store("check", server.url.replace("wt@", "wt:secret@"))
    tap.check(status == 0 and "gone: last batch 9\n" in text and "flow_minute: empty" in text, "store check", text)
    tap.check("secret" not in text, "without the password", text)
    server.ask("ALTER DATABASE postgres SET default_transaction_read_only = on")
    status, text = store("check", server.url)
    tap.check(status == 0, "store check changes nothing: it may be read-only", text)
    server.ask("BEGIN READ WRITE; ALTER DATABASE postgres RESET default_transaction_read_only; COMMIT")
    server.ask("ALTER TABLE whereto.flow_hour_merged RENAME COLUMN rtt_h7 TO gone")
    status, text = store("check", server.url)
    tap.check(status == 1 and "rtt_h7" in text, "store check: a column is missing", text)
    server.ask("ALTER TABLE whereto.flow_hour_merged RENAME COLUMN gone TO rtt_h7")
    check_missing(tap, server)
    tap.equal(store("vacuum", server.url)[0], 0, "store vacuum")
    check_roles(tap, folder, server)
    server.ask("UPDATE whereto.meta SET value = '99'")
    for action in ("check", "migrate", "vacuum"):
        status, text = store(action, server.url)
        tap.check(status == 1 and "newer whereto" in text, f"store {action}: a newer schema", text)
    server.ask("DROP SCHEMA whereto CASCADE")
    status, text = store("check", "postgresql://wt:secret@127.0.0.1:1/none")
    tap.check(status == 1 and "secret" not in text, "store check: no server", text)


def check_housekeeping(tap, folder, server):
    """That it fails can be seen, while batches are taken as ever."""
    days = [time.strftime("%Y%m%d", time.gmtime(time.time() + 86400 * ahead)) for ahead in (1, 2)]
    with Collector(folder, store={"url": server.url}, name="keeper") as collector:
        collector.wait(lambda: collector.metrics()["whereto_store_up"] == 1, "a store that is up")
        backlog = collector.api("senders")["backlog"]
        tap.equal((backlog["housekeeping_failed_since"], backlog["housekeeping_error"]), (None, None), "housekeeping works")
        collector.stop()
        for day in days:   # where a partition is to be made
            server.ask(f"DROP TABLE IF EXISTS whereto.flow_minute_{day}; CREATE TABLE whereto.flow_minute_{day}(theirs int)")
        collector.start()
        error = collector.wait(lambda: collector.api("senders")["backlog"]["housekeeping_error"], "housekeeping that fails")
        tap.check("already exists" in error, "housekeeping that fails: the API says why", error)
        numbers = collector.metrics()
        tap.check(numbers["whereto_store_housekeeping_failed_seconds"] > 0 and numbers["whereto_store_up"] == 1, "so does a metric", numbers)
        shown = subprocess.run([os.environ["WHERETO"], "senders", "--api", f"http://{collector.ready['http']}"],
                               capture_output=True, text=True).stdout
        tap.check("housekeeping has failed for " in shown and "already exists" in shown, "and whereto senders", shown)
        collector.stop()
        for day in days:
            server.ask(f"DROP TABLE whereto.flow_minute_{day}")


def main():
    tap = Tap()
    reason = unavailable()
    if reason:
        return skip_all(reason)
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Server(start=False)) as server:
        server.start()
        check_store(tap, folder, server)
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
        check_housekeeping(tap, os.path.join(folder, "keeper"), server)
        check_refused(tap, os.path.join(folder, "refused"), server)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
