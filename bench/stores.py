#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""bench/store.c on each kind of store that this machine can run, one after the other:

    stores.py [ARGUMENT OF bench_store ...]

SQLite in a temporary folder, a PostgreSQL with ip4r and a ClickHouse that are started for it. $WHERETO_BENCH_STORE is the program.
With --url there is just that one. Asserts nothing."""

import contextlib
import os
import subprocess
import sys
import tempfile

import clickhouse
import postgres


def run(*arguments):
    return subprocess.run([os.environ["WHERETO_BENCH_STORE"], *arguments]).returncode


POSTGRES_SIZE = "SELECT pg_database_size(current_database())::text || ' ' || sum(n_live_tup) FROM pg_stat_user_tables"
CLICKHOUSE_SIZE = "SELECT concat(toString(sum(bytes_on_disk)), ' ', toString(sum(rows))) FROM system.parts WHERE active AND database = 'bench'"


def print_size(answer):
    """Of the bytes and the rows that a server counts."""
    size, rows = map(int, answer.split())
    print(f"{size / 1e6:.0f} MB in the database, {size / max(rows, 1):.1f} bytes a row")


def main():
    arguments = sys.argv[1:]
    if "--url" in arguments:
        return run(*arguments)
    with tempfile.TemporaryDirectory() as folder:
        print("SQLite", flush=True)
        failed = run("--url", f"sqlite:{folder}/bench.db", *arguments)
    print("\nPostgreSQL", postgres.unavailable() or "", flush=True)
    if not postgres.unavailable():
        with contextlib.closing(postgres.Server()) as server:
            failed |= run("--url", server.url, *arguments)
            print_size(server.ask(POSTGRES_SIZE))
    print("\nClickHouse", clickhouse.unavailable() or "", flush=True)
    if not clickhouse.unavailable():
        with contextlib.closing(clickhouse.Server()) as server:
            failed |= run("--url", server.url("bench"), *arguments)
            print_size(server.ask(CLICKHOUSE_SIZE))
    return failed


if __name__ == "__main__":
    sys.exit(main())
