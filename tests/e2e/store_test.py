#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`whereto store` with SQLite: what each action does to a store that is missing, current, newer, older, foreign, broken."""

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from processes import unprivileged  # noqa: E402
from tap import Tap  # noqa: E402


def store(*arguments):
    done = subprocess.run([os.environ["WHERETO"], "store", *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def change(path, *statements):
    db = sqlite3.connect(path)
    with db:
        for statement in statements:
            db.execute(statement)
    db.close()


def count(path, table):
    db = sqlite3.connect(path)
    number = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    db.close()
    return number


def add_row(path, table, ts):
    db = sqlite3.connect(path)
    columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    with db:
        db.execute(f"INSERT INTO {table} VALUES({','.join('?' * len(columns))})", [ts] + [1] * (len(columns) - 1))
    db.close()


def check_actions(tap, path, url):
    for action in ("check", "vacuum"):
        status, _, err = store(action, url)
        tap.check(status == 1 and "store migrate" in err, f"{action}: a store that is not there", err)
        tap.check(not os.path.exists(path), f"{action} makes no file")
    status, out, err = store("migrate", url)
    tap.check(status == 0 and "version 3, was 0" in out, "migrate makes it", out + err)
    status, out, err = store("migrate", url)
    tap.check(status == 0 and "up to date" in out, "and once more does nothing", out + err)
    change(path, "INSERT INTO batches(collector, id, flows) VALUES('one', 6, 1), ('one', 7, 1), ('two', 3, 1)")
    add_row(path, "total_day", 86400)
    add_row(path, "total_day", int(time.time()) // 86400 * 86400)
    status, out, err = store("check", url)
    tap.check(status == 0 and out.endswith("ok\n"), "check", out + err)
    tap.check("total_day: 1970-01-02T00:00:00Z to 20" in out and "flow_minute: empty" in out, "the tables' ranges", out)
    tap.check("one: last batch 7\n" in out and "two: last batch 3\n" in out, "the collectors' last batches", out)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def check_columns(tap, path, url):
    """`check` changes nothing, and looks at every column."""
    before = digest(path)
    tap.equal(store("check", url)[0], 0, "check of a store that is well")
    tap.equal(digest(path), before, "does not change a byte")
    change(path, "ALTER TABLE country_hour RENAME COLUMN rtt_h7 TO gone")
    status, out, err = store("check", url)
    tap.check(status == 1 and "rtt_h7" in err, "check: a column is missing", out + err)
    change(path, "ALTER TABLE country_hour RENAME COLUMN gone TO rtt_h7", "ALTER TABLE path_change RENAME TO elsewhere")
    status, out, err = store("check", url)
    tap.check(status == 1 and "path_change" in err, "check: a table is missing", out + err)
    change(path, "ALTER TABLE elsewhere RENAME TO path_change")
    tap.equal(store("check", url)[0], 0, "check: all is there again")


def check_missing(tap, path, url):
    """What is not a table's rows is made again."""
    for name, what, made in (("v_flow_hour", "VIEW", "view v_flow_hour"), ("v_path_change", "VIEW", "view v_path_change"),
                             ("path_change_prefix", "INDEX", "index path_change btree (prefix, time_ms)")):
        change(path, f"DROP {what} {name}")
        status, out, err = store("check", url)
        tap.check(status == 1 and f"missing: {made};" in err, f"check: {made} is missing", out + err)
        status, out, err = store("migrate", url)
        tap.check(status == 0 and f"made again: {made}\n" in out, "migrate makes it again", out + err)
        status, out, err = store("check", url)
        tap.check(status == 0, "and it is there", out + err)
    change(path, "ALTER TABLE flow_hour RENAME TO kept")
    for action, word in (("check", "missing: table flow_hour;"), ("migrate", "restore the file")):
        status, out, err = store(action, url)
        tap.check(status == 1 and word in err, f"{action}: rows are gone with a table", out + err)
    change(path, "ALTER TABLE kept RENAME TO flow_hour")
    tap.equal(store("check", url)[0], 0, "which is back")


def check_vacuum(tap, folder, path, url):
    status, out, err = store("vacuum", url)
    tap.check(status == 0 and count(path, "total_day") == 2, "vacuum of a URL keeps everything", out + err)
    file = os.path.join(folder, "whereto.yaml")
    key = os.path.join(folder, "key")
    subprocess.run([os.environ["WHERETO"], "keygen", key], check=True)
    with open(file, "w", encoding="utf-8") as config:
        config.write(f"telemetry:\n  listen: ['127.0.0.1:0']\n  keys: [{{id: 1, file: {key}}}]\njournal:\n  dir: {folder}/journal\n"
                     f"store:\n  url: {url}\n  retention:\n    day: 30d\n")
    status, out, err = store("vacuum", "-c", file)
    tap.check(status == 0 and count(path, "total_day") == 1, "with a configuration, what is too old goes", out + err)
    status, out, err = store("check", "-c", file)
    tap.check(status == 0 and "1970" not in out, "and check -c no longer lists it", out + err)


def check_access(tap, folder):
    """By a user who is not the file's."""
    user = unprivileged()
    if not user:
        tap.skip("another user's file", "this is not root")
        return
    whereto = os.path.join(folder, "whereto")
    shutil.copy(os.environ["WHERETO"], whereto)
    other = os.path.join(folder, "other")
    path, url = os.path.join(other, "store.db"), "sqlite:" + os.path.join(other, "store.db")
    os.mkdir(other)
    os.chmod(folder, 0o755)

    def as_user(action):
        done = subprocess.run([whereto, "store", action, url], capture_output=True, text=True, user=user.pw_uid, group=user.pw_gid,
                              extra_groups=[])
        return done.returncode, done.stdout + done.stderr

    tap.equal(store("migrate", url)[0], 0, "a file of root's")
    os.chmod(other, 0o755)
    for action in ("check", "migrate"):
        status, text = as_user(action)
        tap.check(status == 1 and "its folder (Permission denied)" in text and "as the collector's user" in text,
                  f"{action}: a folder that one may not write to", text)
    os.chmod(other, 0o777)
    status, text = as_user("check")
    tap.check(status == 0 and "may only read" in text and text.endswith("ok\n"), "check: a file that one may only read", text)
    status, text = as_user("vacuum")
    tap.check(status == 1 and "cannot be written to (Permission denied)" in text, "vacuum: a file that one may only read", text)
    os.chmod(path, 0o600)
    status, text = as_user("check")
    tap.check(status == 1 and "unable to open database file (Permission denied)" in text, "check: a file that one may not read", text)


def check_refusals(tap, folder, path, url):
    change(path, "UPDATE meta SET value = 99 WHERE key = 'schema_version'")
    for action in ("check", "migrate", "vacuum"):
        status, _, err = store(action, url)
        tap.check(status == 1 and "newer whereto" in err, f"{action}: a newer schema", err)
    change(path, "UPDATE meta SET value = 1 WHERE key = 'schema_version'")
    status, out, err = store("check", url)
    tap.check(status == 1 and "version 1" in out and "migrate" in err, "check: an older schema", out + err)
    other = os.path.join(folder, "other.db")
    change(other, "CREATE TABLE theirs(x)")
    status, _, err = store("migrate", "sqlite:" + other)
    tap.check(status == 1 and "not made by whereto" in err, "migrate: another program's database", err)
    with open(other, "wb") as file:
        file.write(b"no database at all " * 100)
    tap.check(store("check", "sqlite:" + other)[0] == 1, "check: no database")
    status, out, err = store("check", "mysql://u:secret@host/db")
    tap.check(status == 1 and "secret" not in out + err, "an unknown URL, without its password", err)
    for arguments in ((), ("check",), ("check", "-x"), ("drop", url)):
        tap.equal(store(*arguments)[0], 2, f"usage: {arguments[:1]}")


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "store.db")
        check_actions(tap, path, "sqlite:" + path)
        check_columns(tap, path, "sqlite:" + path)
        check_missing(tap, path, "sqlite:" + path)
        check_vacuum(tap, folder, path, "sqlite:" + path)
        check_access(tap, folder)
        check_refusals(tap, folder, path, "sqlite:" + path)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
