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
            print("MB in the database:", server.ask("SELECT pg_database_size(current_database()) / 1000000"))
    print("\nClickHouse", clickhouse.unavailable() or "", flush=True)
    if not clickhouse.unavailable():
        with contextlib.closing(clickhouse.Server()) as server:
            failed |= run("--url", server.url("bench"), *arguments)
            print("MB in the database:", server.ask("SELECT toString(intDiv(sum(bytes_on_disk), 1000000)) FROM system.parts WHERE active"
                                                    " AND database = 'bench'"))
    return failed


if __name__ == "__main__":
    sys.exit(main())
