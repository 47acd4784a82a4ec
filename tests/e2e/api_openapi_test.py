#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The OpenAPI description and the server say the same: every path with its methods and parameters, what each parameter takes, and
every member of real answers and errors. A member that is not described fails, and so does one that no answer ever has.

WT_SEED sets the seed."""

import json
import os
import random
import re
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from apitraffic import World  # noqa: E402
from collector import Collector  # noqa: E402
from schema import Checker  # noqa: E402
from tap import Tap  # noqa: E402

SOURCE = os.path.join(HERE, "..", "..", "src", "http", "openapi.json")
METHODS = {"get", "put", "post", "delete", "patch", "trace"}
# Questions that together have every member that is described; all get 200.
QUESTIONS = (
    "top?by=", "top?by=router,type,prefix,origin&last=2h", "top?by=neighbour,path,country,match&compare=previous", "top?by=via&limit=3", "top?by=time&last=3h",
    "top?by=origin&fields=share,approximate&compare=1d&sort=rtt_p50_us&order=asc", "series", "series?by=origin&points=20",
    "series?by=via&last=3h&step=1h&fields=bytes_sent", "series?by=router,neighbour&percentile=95&compare=previous", "series?percentile=90&compare=1h",
    "sparklines?points=10", "sparklines?by=country&keys=DE,null,XX&fields=" + "{figures}",
    "compare", "compare?by=origin&between=neighbour", "compare?by=country&limit=1", "peering", "peering?limit=1",
    "paths", "paths?nodes=1&limit=2&fields={figures}", "suspects?filter=type:lossy&limit=1", "incidents?last=4h",
    "types?compare=1h", "countries?limit=2", "complete?dim=origin&limit=1", "complete?dim=type&prefix=v",
    "complete?dim=path", "complete?prefix=de", "since", "changes", "changes?limit=1", "lookup?address={known}", "lookup?address=198.18.0.1&router=edge2", "routes?limit=3", "routes?filter=origin:64700",
    "senders", "routers", "session", "about", "openapi.json")
# Errors: status, and the question.
ERRORS = ((400, "top?filter=x"), (400, "series?points=1"), (400, "sparklines?keys=,"), (400, "top?zzz=1"), (400, "compare?by=path"), (400, "compare?by="), (404, "lookup?address=::1&router=no"),
          (404, "routes?router=no"))
# Values that show what a parameter without an enumeration takes: good ones, bad ones.
VALUES = {
    "by": (["origin", "", "router,type"], ["size", "origin,origin"]), "filter": (["country:DE"], ["x"]), "last": (["90s", "2w"], ["2y", "0s"]),
    "from": (["-2h", "2026-11-23T10:00:00Z", "2026-11-23T10:00Z", "2026-11-23", "0"], ["yesterday"]), "to": (["now"], ["later"]), "step": (["5m"], ["90s"]),
    "compare": (["previous", "1d"], ["never"]), "percentile": (["1", "99"], ["100", "p95"]), "fields": (["bytes_sent,share"], ["size"]), "keys": (["null"], ["a,,b"]), "prefix": (["203.100.0.0/16"], []),
    "within": (["203.0.0.0/8"], ["x"]), "router": (["edge1"], []), "address": (["::1"], ["x"]), "after": (["203.100.0.0/16"], ["x"]),
}
NEEDED = {"/api/v1/lookup": {"address": "203.100.0.1"}}


def request(collector, path, method="GET", **headers):
    """(status, type, body)"""
    question = urllib.request.Request(f"http://{collector.ready['http']}{path}", method=method, headers=headers)
    try:
        with urllib.request.urlopen(question, timeout=30) as answer:
            return answer.status, answer.headers.get_content_type(), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get_content_type(), error.read().decode()


class Description:
    def __init__(self, tap, collector, world, document):
        self.tap, self.collector, self.document = tap, collector, document
        self.checker = Checker(document)
        self.known = next(network.split("/")[0] for network in world.networks
                          if world.paths["edge1"].get(network) and network in world.countries)

    def operation(self, path, method="get"):
        return self.document["paths"][path][method]

    def parameters(self, path, method="get"):
        return [self.checker.resolve(parameter) for parameter in self.operation(path, method).get("parameters", [])]

    def check_document(self):
        tap, paths = self.tap, self.document["paths"]
        tap.check(self.document["openapi"].startswith("3.1."), "it is OpenAPI 3.1")
        version = json.loads(request(self.collector, "/healthz")[2])["version"]
        tap.equal(self.document["info"]["version"], version, "of this version")
        ids = [operation["operationId"] for item in paths.values() for operation in item.values()]
        tap.equal(len(ids), len(set(ids)), "operations have names of their own")
        text = json.dumps(self.document)
        referred = set(re.findall(r'"\$ref": "(#/[^"]+)"', text))
        for name in sorted(referred):
            self.checker.resolve({"$ref": name})
        parts = {f"#/components/{kind}/{name}" for kind in ("parameters", "responses", "schemas")
                 for name in self.document["components"][kind]}
        tap.equal(parts, referred, "all that is referred to is there, and all that is there is referred to")

    def check_paths(self):
        """The server's own list, and what it says when it is asked what it doesn't take."""
        listed = set()
        for page in ("/", "/api"):
            listed |= set(re.findall(r'<a href="(/[^"]+)"><code>', request(self.collector, page)[2]))
        self.tap.equal(set(self.document["paths"]), listed - {"/", "/api"}, "the paths are those that the server lists")
        for path, item in self.document["paths"].items():
            allowed = {method for method in METHODS if request(self.collector, path, method.upper())[0] != 405}
            self.tap.equal(set(item), allowed, f"{path}: its methods")
            says = json.loads(request(self.collector, path + "?zzz=1")[2])["error"].split(" takes ", 1)[1]
            names = [parameter["name"] for parameter in self.parameters(path)]
            self.tap.equal(sorted(names), [] if says == "none" else sorted(says.split()), f"{path}: its parameters")

    def accepts(self, path, name, value):
        query = {**NEEDED.get(path, {}), name: value}
        if name in ("step", "points") and path == "/api/v1/top":
            query["by"] = "time"
        if name == "select":
            query["prefix"] = "203.100.0.0/16"
        status, _, body = request(self.collector, path + "?" + urllib.parse.urlencode(query))
        return status == 200 or (status, body)

    def check_parameters(self):
        for path in self.document["paths"]:
            for parameter in self.parameters(path):
                name, schema = parameter["name"], parameter["schema"]
                good, bad = VALUES.get(name, ([], []))
                if "enum" in schema:
                    good, bad = schema["enum"], ["zzz"]
                elif schema["type"] == "integer":
                    good, bad = [schema["minimum"], schema["maximum"]], [schema["minimum"] - 1, schema["maximum"] + 1, "x"]
                elif name == "filter" and path in ("/api/v1/routes", "/api/v1/changes"):
                    good, bad = ["origin:64700"], ["country:DE"]
                elif name == "after" and path == "/api/v1/changes":
                    good, bad = ["1763892000000-7-0-ams1"], ["203.100.0.0/16", "1-2-3-", "1-2-x"]
                taken = [(value, self.accepts(path, name, value)) for value in good]
                self.tap.check(good and all(answer is True for _, answer in taken), f"{path}: {name} takes what is described", taken)
                refused = [(value, self.accepts(path, name, value)) for value in bad]
                self.tap.check(all(answer is not True and answer[0] == 400 for _, answer in refused), f"{path}: {name} takes nothing else", refused)
                if "pattern" in schema:
                    self.tap.check(all(re.search(schema["pattern"], value) for value in good), f"{path}: {name} is like its pattern")

    def check_answers(self):
        figures = list(self.document["components"]["schemas"]["Figures"]["properties"])
        for text in QUESTIONS:
            text = text.format(figures=",".join(figures), known=self.known)
            path = "/api/v1/" + text.split("?")[0]
            wide = "" if path.rsplit("/", 1)[1] in ("lookup", "routes", "senders", "routers", "session", "about", "since", "openapi.json") or "last=" in text else \
                ("&" if "?" in text else "?") + "last=30h"
            self.check_answer(path, "/api/v1/" + text + wide)
            if "text/csv" in self.operation(path)["responses"]["200"]["content"]:
                kind = request(self.collector, "/api/v1/" + text, Accept="text/csv")[1]
                self.tap.equal(kind, "text/csv", f"{text[:50]}: also as CSV")
        self.check_answer("/healthz", "/healthz")
        self.check_answer("/api/v1/session", "/api/v1/session", "POST")
        self.check_answer("/api/v1/session", "/api/v1/session", "DELETE")
        for kind in ("text/plain", "application/openmetrics-text"):
            self.tap.equal(request(self.collector, "/metrics", Accept=kind)[1], kind, f"/metrics as {kind}")
        for status, text in ERRORS:
            self.check_answer("/api/v1/" + text.split("?")[0], "/api/v1/" + text, status=status)
        self.check_answer("/api/v1/top", "/api/v1/top", status=421, Host="other.example")
        self.check_answer("/api/v1/top", "/api/v1/top", status=403, **{"Sec-Fetch-Site": "cross-site"})
        self.tap.equal(self.checker.unseen(), [], "all that is described was there in some answer")

    def check_answer(self, path, url, method="GET", status=200, **headers):
        got, kind, body = request(self.collector, url, method, **headers)
        response = self.checker.resolve(self.operation(path, method.lower())["responses"].get(str(status), {}))
        content = response.get("content", {}).get(kind)
        wrong = self.checker.check(content["schema"], json.loads(body)) if content else ["this type is not described"]
        self.tap.check(got == status and not wrong, f"{method} {url[:70]}: {status}, as described", (got, kind, wrong[:5], body[:200]))


def make_changes(world, collector):
    """Every path of a router is another one from now on; that is told for those that have traffic."""
    collector.send(world.records[:500])
    for network, path in world.paths["edge1"].items():
        world.paths["edge1"][network] = path + " 64999"
    world.paths["edge1"] = dict(list(world.paths["edge1"].items())[:-3])
    world.write()
    if not collector.reload():
        raise SystemExit("the reload was refused")
    collector.wait(lambda: collector.api("changes")["rows"], "changes of paths")


def make_loss(world, collector):
    """Traffic of which one neighbour's is lost: of a type of its own now, and of another, also slow, for the last one of three hours."""
    now = int(time.time())

    def record(kind, network, path, age):
        bad = path.startswith("64601 ") and age < 12
        return {"time": now - age * 300, "client": network.replace("0.0/16", "1.1"), "server": "198.51.100.7", "type": kind, "bytes_sent": 7000000,
                "packets_sent": 5000, "packets_retransmitted": 500 if bad else 20, "connections": 100, "connections_with_retransmit": 80 if bad else 12,
                "rtt_us": [90000 if bad else 9000] * 16 if kind == "steady" else []}
    collector.send([record("lossy", network, path, 0) for network, path in world.paths["edge2"].items()])
    collector.send([record("steady", network, path, age) for age in range(36) for network, path in world.paths["edge2"].items()])


def main():
    seed = int(os.environ.get("WT_SEED", time.time_ns() % 1000000))
    print(f"# WT_SEED={seed}")
    tap = Tap()
    with open(SOURCE, encoding="utf-8") as file:
        source = file.read()
    with tempfile.TemporaryDirectory() as folder:
        world = World(random.Random(seed), folder)
        with Collector(os.path.join(folder, "collector"), **world.config()) as collector:
            collector.send(world.records)
            tap.equal(request(collector, "/api/v1/openapi.json")[1:], ("application/json", source), "the server gives the file of the source")
            description = Description(tap, collector, world, json.loads(source))
            description.check_document()
            description.check_paths()
            description.check_parameters()
            make_changes(world, collector)
            make_loss(world, collector)
            description.check_answers()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
