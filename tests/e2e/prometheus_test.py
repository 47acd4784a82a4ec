#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A real Prometheus scrapes a real collector: it has the ledger as the collector has it, in both text formats; promtool finds
no fault with the metrics page, and examples/alerts.yml is loaded and fires when the store goes away."""

import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from apitraffic import NAMES, World  # noqa: E402
from collector import Collector, program  # noqa: E402
from tap import Tap, skip_all  # noqa: E402

ALERTS = os.path.join(HERE, "..", "..", "examples", "alerts.yml")
RECORDS = 500


def send(collector):
    collector.send({"client": f"203.0.113.{i % 250}", "server": "192.0.2.10", "bytes_sent": 1000} for i in range(RECORDS))


def promtool(*args, **options):
    return subprocess.run(["promtool", *args], capture_output=True, text=True, **options)


def check_rules(tap):
    """alerts_test.py tries each of them."""
    found = promtool("check", "rules", ALERTS)
    tap.check(found.returncode == 0, "promtool takes the alert rules", found.stdout + found.stderr)


class Prometheus:
    """Scrapes the target each 200 ms; its port is the kernel's choice, which its log tells."""

    def __init__(self, folder, target):
        self.log_file = os.path.join(folder, "prometheus.log")
        config = {"global": {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"},
                  "rule_files": [os.path.abspath(ALERTS)],
                  "scrape_configs": [{"job_name": "whereto", "static_configs": [{"targets": [target]}]}]}
        config_file = os.path.join(folder, "prometheus.yml")
        with open(config_file, "w", encoding="utf-8") as file:
            json.dump(config, file)
        with open(self.log_file, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                ["prometheus", "--config.file=" + config_file, "--web.listen-address=127.0.0.1:0",
                 "--storage.tsdb.path=" + os.path.join(folder, "tsdb"), "--log.format=json"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def port(self):
        """Of its listening socket; None before it has one."""
        found = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
        for line in found.splitlines():
            if f"pid={self.process.pid}," in line:
                return line.split()[3].rsplit(":", 1)[1]
        return None

    def get(self, path, **parameters):
        port = self.port()
        if not port:
            return None
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}?" + urllib.parse.urlencode(parameters),
                                        timeout=10) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    def value(self, name):
        data = self.get("query", query=name)
        return float(data["result"][0]["value"][1]) if data and data["result"] else None


def check_scrape(tap, collector, prometheus):
    collector.wait(lambda: prometheus.value("up") == 1, "a scrape", 60)
    tap.check(True, "Prometheus finds the collector up")
    collector.wait(lambda: prometheus.value("whereto_ledger_stored") == RECORDS, "the ledger in Prometheus", 60)
    row = collector.api("senders")["rows"][0]
    tap.equal(row["stored"], RECORDS, "the ledger in Prometheus is the API's")
    kind = prometheus.get("metadata", metric="whereto_records")
    tap.equal([entry["type"] for entry in (kind or {}).get("whereto_records", [])], ["counter"],
              "a counter is one to Prometheus, under its family's name")
    rules = prometheus.get("rules")["groups"][0]["rules"]
    tap.check(len(rules) > 5, "the alert rules are loaded")
    collector.wait(lambda: all(rule["health"] == "ok" for rule in prometheus.get("rules")["groups"][0]["rules"]),
                   "each rule's evaluation", 60)
    tap.check(True, "and all of them are evaluated")


def check_store_away(tap, folder, collector, prometheus):
    lock = sqlite3.connect(os.path.join(folder, "whereto.db"), isolation_level=None)
    try:
        lock.execute("BEGIN IMMEDIATE")
        send(collector)
        # One scrape's samples need not be seen at one time.
        collector.wait(lambda: [prometheus.value(f"whereto_{part}_up") for part in ("store", "journal")] == [0, 1], "a store that is away, the journal going on", 60)
        tap.check(True, "a store that is away is seen, the journal going on")
        lock.execute("ROLLBACK")
    finally:
        lock.close()
    collector.wait(lambda: prometheus.value("whereto_store_up") == 1, "the store's return", 60)
    tap.check(True, "and its return")


def check_page(tap, page):
    """HELP texts are sentences, the version is told, and the times to answer are a histogram of a fixed size."""
    helps = re.findall(r"^# HELP (\S+) (.*)$", page, re.M)
    tap.equal([name for name, text in helps if not re.fullmatch(r"[A-Z0-9].*[^.]\.", text)], [], "each HELP is a sentence")
    version = subprocess.run([program(), "version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    tap.check(f'\nwhereto_build_info{{version="{version}"}} 1\n' in page, "whereto_build_info has the version", page[:500])
    found = re.findall(r'^whereto_http_request_seconds_bucket\{endpoint="/api/v1/top",le="(.*)"\} (\d+)$', page, re.M)
    counts = [int(count) for _, count in found]
    total = re.search(r'^whereto_http_request_seconds_count\{endpoint="/api/v1/top"\} (\d+)$', page, re.M)
    tap.check([le for le, _ in found] == ["0.005", "0.02", "0.05", "0.1", "0.25", "1.0", "5.0", "30.0", "+Inf"] and counts == sorted(counts)
              and total and 0 < counts[-1] == int(total.group(1)), "the times to answer are a histogram", found)


def documented():
    """The questions to Prometheus that docs/api.md shows; each ends with a comment or goes on in the next line."""
    with open(os.path.join(HERE, "..", "..", "docs", "api.md"), encoding="utf-8") as file:
        blocks = [begin + block.split("```", 1)[0] for text in [file.read()] for begin in ("histogram_quantile(", "topk(")
                  for block in text.split("```\n" + begin, 1)[1:]]
    text = "".join(line.split("  #", 1)[0] + ("\0" if "  #" in line else " ") for block in blocks for line in block.splitlines())
    return [expression.strip() for expression in text.split("\0") if expression.strip()]


def check_traffic(tap, folder):
    """Figures of traffic: those of the largest with labels of their own, and the rest, are everything, exactly."""
    world = World(random.Random(7), folder, records=1500, hours=2)
    http = {"listen": ["127.0.0.1:0"], "metrics_top": 3}
    with Collector(os.path.join(folder, "traffic"), http=http, **world.config()) as collector, \
            Prometheus(folder, collector.ready["http"]) as prometheus:
        collector.send(world.records)
        total = collector.wait(lambda: [row for row in [collector.api("top", by="", last="4h")["rows"][0]] if row["records"] == 1500],
                               "the records")[0]
        for by in ("origin", "neighbour", "country"):
            for measure in ("bytes_sent", "packets_sent", "packets_retransmitted", "connections"):
                name = f"whereto_{by}_{measure}_total"
                found = {sample.split('"')[1]: value for sample, value in collector.metrics().items() if sample.startswith(name + "{")}
                rows = {str(row[by]): row[measure] for row in collector.api("top", by=by, last="4h", limit=1000)["rows"]}
                own = [label for label in found if label not in ("unknown", "other")]
                tap.check(sum(found.values()) == total[measure] and len(own) == 3 and all(found[label] == rows[label] for label in own) and
                          found["unknown"] == rows["None"], f"{name}: three of their own and the rest, which are everything", (found, rows))
        collector.wait(lambda: prometheus.value("sum(whereto_origin_bytes_sent_total)") == total["bytes_sent"], "the sum in Prometheus", 60)
        tap.check(True, "Prometheus has the same sum")
        names = prometheus.get("query", query="whereto_as_info")["result"]
        tap.check(all(NAMES[int(found["metric"]["as"])] == found["metric"]["name"] for found in names) and names, "and the names of ASes", names)
        for expression in documented():
            collector.wait(lambda text=expression: (prometheus.get("query", query=text) or {}).get("result"), expression, 60)
            tap.check(True, f"docs/api.md: {expression[:60]} has an answer")
        found = promtool("check", "metrics", input=collector.http("/metrics")[1])
        tap.check(found.returncode == 0, "promtool finds no fault with them", found.stdout + found.stderr)


def main():
    if not shutil.which("prometheus") or not shutil.which("promtool"):
        skip_all("no prometheus here (Debian: prometheus)")
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder, Collector(os.path.join(folder, "collector")) as collector:
        send(collector)
        collector.wait(lambda: collector.top()["total"]["records"] == RECORDS, "the records")
        status, page = collector.http("/metrics")
        found = promtool("check", "metrics", input=page)
        tap.check(status == 200 and found.returncode == 0, "promtool finds no fault with the metrics page",
                  found.stdout + found.stderr)
        check_page(tap, page)
        check_rules(tap)
        with Prometheus(folder, collector.ready["http"]) as prometheus:
            check_scrape(tap, collector, prometheus)
            check_store_away(tap, collector.folder, collector, prometheus)
    with tempfile.TemporaryDirectory() as folder:
        check_traffic(tap, folder)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
