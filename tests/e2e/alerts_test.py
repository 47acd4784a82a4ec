#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Each rule of examples/alerts.yml fires when it should and is quiet when it should, on cases made up in tests/lib/alert_cases.py;
those cases are of metrics and labels that real collectors have; and each rule with one thing in it changed (a metric's name, a threshold, a
comparison, a label, a window) fails on them. So a rule cannot be broken, nor one be added that nobody tries, without this test's notice."""

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import alert_rules  # noqa: E402
from alert_cases import CASES  # noqa: E402
from collector import Collector  # noqa: E402
from mrtgen import write_paths  # noqa: E402
from nginx import make_certificate  # noqa: E402
from tap import Tap, skip_all  # noqa: E402

ALERTS = os.path.join(HERE, "..", "..", "examples", "alerts.yml")
SERIES = re.compile(r"(\w+)(?:\{(.*)\})?$")
OF_PROMETHEUS = {"instance", "job"}   # labels, and a metric, that are its own
ONLY_WITH_TLS = {"whereto_http_certificate_end_timestamp_seconds"}


def split(series):
    """A metric's name and the names of its labels."""
    name, labels = SERIES.match(series).groups()
    return name, frozenset(re.findall(r'(\w+)="', labels or ""))


def promtool_test(rule, rules_file):
    """What promtool is told: the rule's cases."""
    found = CASES[rule.name]
    checks = [{"eval_time": f"{minute}m", "alertname": rule.name, "exp_alerts": []} for minute in found.quiet]
    checks += [{"eval_time": f"{minute}m", "alertname": rule.name,
                "exp_alerts": [{"exp_labels": {"severity": rule.severity, **labels}, "exp_annotations": rule.said(labels, value)}
                               for labels, value in alerts]} for minute, alerts in found.fires.items()]
    return {"rule_files": [rules_file], "evaluation_interval": f"{found.step}m", "tests": [{
        "interval": f"{found.step}m", "alert_rule_test": checks,
        "input_series": [{"series": name, "values": values} for name, values in found.series.items()]}]}


class Promtool:
    """Tries rules, many at a time: one process for all."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)
        return name

    def passed(self, tried):
        """Of [(rule, its text)]: whether the rule's cases are as they should be, one by one, and all that promtool says."""
        tests = []
        for number, (rule, text) in enumerate(tried):
            rules = self.write(f"rules{number}.yml", alert_rules.file_of([text]))
            tests.append(self.write(f"tests{number}.json", json.dumps(promtool_test(rule, rules))))
        told = [part for part in re.split(r"(?=Unit Testing: )", self.run(*tests)) if part.strip()]
        return ["SUCCESS" in part and "FAILED" not in part for part in told], told

    def run(self, *tests):
        """All that it says, in order."""
        return subprocess.run(["promtool", "test", "rules", *tests], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False).stdout


def check_cases(tap, promtool, rules):
    tap.equal(sorted(CASES), sorted(rule.name for rule in rules), "every rule has a case, and every case is a rule's")
    for rule in rules:
        tap.check(CASES[rule.name].quiet and all(CASES[rule.name].fires.values()), f"{rule.name} is tried quiet and firing")
    passed, told = promtool.passed([(rule, rule.text) for rule in rules])
    tap.equal(len(told), len(rules), "promtool tried them all")
    for rule, good, text in zip(rules, passed, told):
        tap.check(good, f"{rule.name} fires when it should and not before", text)


def check_alike(tap, rules):
    """The rules of one kind ask the same of neighbours, origins and countries. Returns the rules without those that are so alike another."""
    first = {rule.name.replace("Neighbour", ""): rule for rule in rules if "Neighbour" in rule.name}
    alike = {rule.name: (rule, first[re.sub("Origin|Country", "", rule.name)]) for rule in rules
             if "Neighbour" not in rule.name and re.sub("Origin|Country", "", rule.name) in first}
    for name, (rule, other) in alike.items():
        by = re.match("Whereto(Origin|Country|)", name)[1].lower()
        wanted = other.body().replace("neighbour", by) if by else re.sub(r"\{neighbour[^}]*\}|, neighbour", "", other.body())
        tap.equal(rule.body(), wanted, f"{name} asks what {other.name} asks")
    return [rule for rule in rules if rule.name not in alike]


def check_changed(tap, promtool, rules):
    changed = [(rule, what, text) for rule in rules for what, text in rule.changed()]
    passed, _ = promtool.passed([(rule, text) for rule, _, text in changed])
    unseen = [f"{rule.name}: {what}" for (rule, what, _), good in zip(changed, passed) if good]
    tap.equal((unseen, len(passed)), ([], len(changed)), f"each of {len(changed)} changes to a rule is noticed")


def real_series(folder, **http):
    """What a collector has in its metrics that has a router, had a record and was asked something."""
    os.makedirs(folder)
    write_paths(os.path.join(folder, "edge1.mrt"), [("203.0.113.0/24", [64500, 64496])])
    routers = [{"name": "edge1", "serves": ["192.0.2.0/24"], "sources": [{"mrt": {"file": os.path.join(folder, "edge1.mrt")}}]}]
    trusting = ssl._create_unverified_context()  # pylint: disable=protected-access
    with Collector(os.path.join(folder, "collector"), routers=routers, http={"listen": ["127.0.0.1:0"], **http}) as collector:
        collector.send([{"client": "203.0.113.1", "server": "192.0.2.10", "bytes_sent": 1000}])

        def lines():
            scheme = "https" if "tls" in http else "http"
            with urllib.request.urlopen(f"{scheme}://{collector.ready['http']}/metrics", timeout=20, context=trusting) as answer:
                return [line for line in answer.read().decode().splitlines() if line and not line.startswith("#")]
        collector.wait(lambda: any(line.startswith("whereto_http_requests_total{") for line in lines()), "a request counted")
        return {split(line.rsplit(" ", 1)[0]) for line in lines()}


def check_real(tap, plain, secure, rules):
    """plain, secure: what a collector without and with TLS has."""
    for rule in rules:
        tried = {(name, labels - OF_PROMETHEUS) for name, labels in map(split, CASES[rule.name].series)}
        tap.equal(rule.metrics(), {name for name, _ in tried}, f"{rule.name} is tried on the metrics that it asks for")
        real = (secure if rule.metrics() & ONLY_WITH_TLS else plain) | {("up", frozenset())}
        tap.equal(tried - real, set(), f"{rule.name}: a real collector has these metrics, with these labels")
    tap.check(not {name for name, _ in plain} & ONLY_WITH_TLS, "what is there with TLS only is not there without")


def check_names(tap, promtool, rules):
    """An AS's name stands behind its number."""
    rule = next(rule for rule in rules if rule.name == "WheretoNeighbourTrafficFell")
    told = promtool_test(rule, promtool.write("named.yml", alert_rules.file_of([rule.text])))
    told["tests"][0]["input_series"].append({"series": 'whereto_as_info{as="1",name="Transit One",instance="a",job="whereto"}',
                                             "values": "1x700"})
    named = [alert["exp_annotations"] for check in told["tests"][0]["alert_rule_test"] for alert in check["exp_alerts"]
             if alert["exp_labels"]["neighbour"] == "1"]
    for annotations in named:
        annotations["summary"] = annotations["summary"].replace("AS 1 ", "AS 1 (Transit One) ")
    said = promtool.run(promtool.write("named.json", json.dumps(told)))
    tap.check(named and "SUCCESS" in said, "an AS has its name in the alert, where it has one", said)


def main():
    missing = [tool for tool in ("promtool", "openssl") if not shutil.which(tool)]
    if missing:
        skip_all(f"needs {missing[0]} (Debian: prometheus, openssl)")
    tap = Tap()
    rules = alert_rules.read(ALERTS)
    with tempfile.TemporaryDirectory() as folder:
        promtool = Promtool(folder)
        check_cases(tap, promtool, rules)
        check_names(tap, promtool, rules)
        check_changed(tap, promtool, check_alike(tap, rules))
        make_certificate(folder)
        tls = {"certificate": os.path.join(folder, "tls.crt"), "key": os.path.join(folder, "tls.key")}
        check_real(tap, real_series(os.path.join(folder, "plain")), real_series(os.path.join(folder, "secure"), tls=tls), rules)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
