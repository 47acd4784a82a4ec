#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The dashboard of a real collector in a real browser (web/tests/dashboard.mjs, which prints the results). The browser's side
asks for what only this side can do, a line each: kill and start the collector. Skipped, with the reason, without node,
Chromium or web/node_modules."""

import json
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import browser as browsers  # noqa: E402
import sample_world  # noqa: E402
from collector import Collector  # noqa: E402

TOKEN = "dashboard-test-token-0123456789"
NOTICE = "Sample data: networks invented for a test."


def serve(browser, collector):
    """Does what the browser asks for until it ends; the rest of what it prints are the results."""
    for line in browser.stdout:
        if line == "! kill\n":
            collector.kill()
        elif line == "! start\n":
            collector.start()
        else:
            print(line, end="", flush=True)
            continue
        print("done", file=browser.stdin, flush=True)


def guarded(folder):
    """A collector that asks for a token and has heard nobody."""
    os.mkdir(folder)
    file = os.path.join(folder, "token")
    with open(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as out:
        out.write(TOKEN + "\n")
    return Collector(folder, http={"listen": ["127.0.0.1:0"], "token_file": file})


def run(folder, chromium):
    config = sample_world.config(folder)
    sample_world.write(folder)
    with Collector(folder, start=False, **config) as collector, guarded(os.path.join(folder, "guarded")) as other:
        collector.config["http"]["notice"] = NOTICE
        collector.start()
        now = time.time()
        collector.send([*sample_world.records(now, 13), *sample_world.sides(now, 13)])
        setting = {"url": f"http://{collector.ready['http']}", "chromium": chromium, "notice": NOTICE, "now": now,
                   "guarded": f"http://{other.ready['http']}", "token": TOKEN, "few": sample_world.NETWORKS[sample_world.FEW].asn, "lossy": sample_world.LOSSY}
        script = browsers.script("dashboard.mjs")
        browser = subprocess.Popen(["node", script, json.dumps(setting)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            serve(browser, collector)
            return browser.wait()
        finally:
            if browser.poll() is None:
                browser.kill()
                browser.wait()


def main():
    chromium = browsers.needs()
    with tempfile.TemporaryDirectory(prefix="whereto-test.") as folder:
        return run(folder, chromium)


if __name__ == "__main__":
    sys.exit(main())
