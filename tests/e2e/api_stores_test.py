#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What api_test.py and suspects_test.py ask of a collector on SQLite, on PostgreSQL and on ClickHouse, which has no snapshots.

WT_SEED sets the seed."""

import contextlib
import os
import random
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clickhouse  # noqa: E402
import postgres  # noqa: E402
import suspects_test  # noqa: E402
from api_test import Api  # noqa: E402
from apitraffic import World  # noqa: E402
from collector import Collector  # noqa: E402
from tap import Tap  # noqa: E402


def check(tap, seed, url):
    with tempfile.TemporaryDirectory() as folder:
        world = World(random.Random(seed), folder)
        with Collector(os.path.join(folder, "collector"), store={"url": url}, **world.config()) as collector:
            collector.send(world.records)
            Api(tap, world, collector).check_all()
        suspects_test.check(tap, folder, name="suspects", store={"url": url})


def main():
    seed = int(os.environ.get("WT_SEED", time.time_ns() % 1000000))
    print(f"# WT_SEED={seed}")
    tap = Tap()
    for name, module, url in (("PostgreSQL", postgres, lambda server: server.url), ("ClickHouse", clickhouse, lambda server: server.url("api"))):
        why = module.unavailable()
        if why:
            tap.skip(name, why)
            continue
        tap.note(name)
        with contextlib.closing(module.Server()) as server:
            check(tap, seed, url(server))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
