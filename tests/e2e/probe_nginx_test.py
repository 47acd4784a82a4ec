#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The nginx module and the probe together, on a path that loses every 30th data segment: the module names the traffic
types and counts requests, the probe counts the rest, and nothing is counted twice, also while the probe goes and comes.

Two virtual hosts take turns on one kept-alive connection; their bytes and retransmissions must be split as the wire
was at each turn. Then the probe is stopped, killed and started below connections that stay open."""

import collections
import contextlib
import http.client
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import lab
import nginx
import probe
import tap
from collector import Collector, CollectorError
from mrtgen import write_paths
from servers import wait_quiet

SERVER = "192.0.2.10"
CLIENTS = [f"203.0.113.{number}" for number in range(1, 10)]
SPLIT, SHORT, PLAIN, LATE, STREAMS, AWAY, KILLED, UNPINNED, DIAG = CLIENTS
NETWORKS = {address: f"{address}/32" for address in CLIENTS}
SIZES = {"small": 100, "10k": 10_000, "100k": 100_000, "1m": 1_000_000}
FIGURES = {"bytes_sent": "payload", "packets_sent": "data_segments", "packets_retransmitted": "retransmissions",
           "bytes_retransmitted": "payload_again"}

HTTP = """
    whereto_collector {telemetry};
    whereto_key {key};
    whereto_name web1;
    whereto on;
    keepalive_timeout 300s;
    server {{ listen 80; server_name video.test; whereto_type video; }}
    server {{
        listen 80;
        server_name api.test;
        whereto_type api;
        location = /moved {{ return 301 /small; }}
        location = /dropped {{ return 444; }}
    }}
    server {{ listen 80; server_name off.test; whereto off; }}
    map $status $outcome {{ 200 video; 404 api; }}
    server {{ listen 80; server_name late.test; whereto_type $outcome; }}
    server {{
        listen 443 ssl http2;
        ssl_certificate {folder}/tls.crt;
        ssl_certificate_key {folder}/tls.key;
        location /video/ {{ whereto_type video; alias html/; }}
        location /api/ {{ whereto_type api; alias html/; }}
    }}
"""


class Connection:
    """A kept-alive connection, the only one at its time, and what the server sent on it, by virtual host: all that
    passes between two requests is the first one's."""

    def __init__(self, path, client):
        self.path = path
        self.sent = collections.defaultdict(collections.Counter)
        self.host = None
        self.before = path.wire(80)
        self.http = http.client.HTTPConnection(SERVER, 80, source_address=(client, 0), timeout=20)
        with path.client():
            self.http.connect()

    def get(self, host, *uris):
        for uri in uris:
            self.settle()
            self.host = host
            self.http.request("GET", uri, headers={"Host": f"{host}.test"})
            self.http.getresponse().read()

    def close(self):
        self.http.close()

    def settle(self):
        """What has passed is put down to the last request, which is over."""
        wait_quiet(80)
        now = self.path.wire(80)
        if self.host:
            self.sent[self.host].update({figure: now[name] - self.before[name] for figure, name in FIGURES.items()})
        self.before = now

    def all_sent(self):
        self.settle()
        return sum(self.sent.values(), collections.Counter())


class World:
    def __init__(self, t, path, collector, web, prober):
        self.t, self.path, self.collector, self.web, self.probe = t, path, collector, web, prober

    def rows(self, client):
        return {row["type"]: row for row in self.collector.top(by="type", filter=f"prefix:{NETWORKS[client]}")["rows"]}

    def total(self, client):
        return self.collector.top(filter=f"prefix:{NETWORKS[client]}")["total"]

    def wait(self, client, **least):
        """Until the client's figures in the store are at least these; returns all."""
        def there():
            total = self.total(client)
            return all(total[name] >= value for name, value in least.items()) and total
        return self.collector.wait(there, f"{least} of {client}", timeout_s=15)

    def logged(self, client):
        """What nginx says it has sent to the client, request by request."""
        return [a["bytes_sent"] for a in self.web.accesses() if a["remote_addr"] == client]


def figures(row):
    return {figure: row[figure] for figure in FIGURES}


def two_hosts(world):
    """One connection, two types by turns: what the wire had at each turn is what its type has in the store."""
    t, connection = world.t, Connection(world.path, SPLIT)
    turns = [("video", "/100k"), ("api", "/1m"), ("video", "/10k"), ("api", "/small"), ("api", "/moved"), ("video", "/1m"),
             ("api", "/nothing-here"), ("video", "/small"), ("video", "/100k")]
    for host, uri in turns:
        connection.get(host, uri)
    connection.close()
    total = world.wait(SPLIT, requests=len(turns), bytes_sent=sum(world.logged(SPLIT)))
    t.equal((total["connections"], total["requests"], total["records_approximate"]), (1, len(turns), 0),
            "two hosts: one connection, all requests, nothing approximate")
    connection.settle()
    rows = world.rows(SPLIT)
    t.equal(sorted(rows), ["api", "video"], "two hosts: their types, and no other")
    for host, expected in connection.sent.items():
        t.check(expected["packets_retransmitted"] >= 10, f"two hosts: {host} lost packets", expected)
        t.equal(figures(rows[host]), dict(expected), f"two hosts: {host} has what was sent for it")
        logged = [a["bytes_sent"] for a in world.web.accesses() if a["host"] == f"{host}.test"]
        t.equal((rows[host]["requests"], rows[host]["bytes_sent"]), (len(logged), sum(logged)),
                f"two hosts: {host} has nginx's own requests and bytes")


def short_ones(world):
    """A connection each, and responses that never see the preaccess phase."""
    sums = collections.Counter()
    uris = ["/small", "/100k", "/moved", "/dropped", "/100k"]
    for uri in uris:
        connection = Connection(world.path, SHORT)
        with contextlib.suppress(http.client.RemoteDisconnected):  # 444
            connection.get("api", uri)
        connection.close()
        sums += connection.all_sent()
    world.wait(SHORT, requests=len(uris), connections=len(uris))
    world.t.equal(sorted(world.rows(SHORT)), ["api"], "short connections: each has its type")
    row = world.rows(SHORT)["api"]
    world.t.equal((row["requests"], row["connections"], figures(row)), (len(uris), len(uris), dict(sums)),
                  "short connections: requests, connections and what was sent")


def off_and_back(world):
    """Requests that aren't to be counted have no type, and those behind them have theirs."""
    connection = Connection(world.path, PLAIN)
    connection.get("api", "/100k")
    connection.get("off", "/100k")
    connection.get("api", "/10k")
    connection.close()
    world.wait(PLAIN, requests=2, bytes_sent=sum(world.logged(PLAIN)))
    connection.settle()
    rows = world.rows(PLAIN)
    world.t.equal({name: figures(row) for name, row in rows.items()},
                  {"api": dict(connection.sent["api"]), None: dict(connection.sent["off"])},
                  "whereto off: no type for what was sent there, and only there")
    world.t.equal(world.total(PLAIN)["requests"], 2, "whereto off: its requests aren't counted")


def known_late(world):
    """The type is known with the response's status: then it is named."""
    connection = Connection(world.path, LATE)
    connection.get("late", "/100k")
    found = connection.all_sent()
    connection.get("late", "/nothing-here")
    connection.close()
    world.wait(LATE, requests=2, bytes_sent=sum(world.logged(LATE)))
    missing = connection.all_sent() - found
    rows = world.rows(LATE)
    world.t.equal({kind: (row["requests"], row["bytes_sent"]) for kind, row in rows.items() if kind},
                  {"video": (1, found["bytes_sent"]), "api": (1, missing["bytes_sent"])},
                  "a type of the response's has the request, and what was sent")


def check_once(world, client, connection, what, requests, approximate=None):
    """When the client's connection is closed: each byte is counted once, by the one or the other."""
    t = world.t
    with contextlib.suppress(CollectorError):
        world.wait(client, requests=requests, bytes_sent=sum(world.logged(client)), connections=1)
    total, wire = world.total(client), connection.all_sent()
    t.equal((total["requests"], total["bytes_sent"], total["connections"]), (requests, sum(world.logged(client)), 1),
            f"{what}: requests, bytes and connections are counted once")
    t.check(wire["packets_retransmitted"] - 1 <= total["packets_retransmitted"] <= wire["packets_retransmitted"],
            f"{what}: so are retransmissions, but for the last packet's", (wire, total))
    if approximate is not None:
        t.equal(total["records_approximate"], approximate, f"{what}: what the module counted itself is approximate")


def streams(world):
    """HTTP/2: one connection, of which streams of two types take their parts at once. The parts are arbitrary, their sum is
    what was sent."""
    count, t = 8, world.t
    nginx.fetch_http2(world.path, STREAMS, SERVER, [f"https://h2.test/{kind}/100k" for kind in ("video", "api") * count])
    wire = {figure: world.path.wire(443)[name] for figure, name in FIGURES.items()}
    total = world.wait(STREAMS, requests=2 * count, bytes_sent=wire["bytes_sent"])
    rows = world.rows(STREAMS)
    t.equal({kind: row["requests"] for kind, row in rows.items()}, {"video": count, "api": count}, "HTTP/2: requests by type")
    t.equal((figures(total), total["connections"], total["records_approximate"]), (wire, 1, 0),
            "HTTP/2: both types have all that was sent")


def stop_and_start(world, client, what):
    """The probe goes and comes below a connection, between two responses."""
    connection = Connection(world.path, client)
    connection.get("video", "/100k")
    world.t.equal(world.probe.stop(), 0, f"{what}: it ends well")
    connection.get("video", "/1m")
    connection.get("api", "/small")
    with contextlib.suppress(CollectorError):
        world.wait(client, requests=3, bytes_sent=sum(world.logged(client)))
    total = world.total(client)
    world.t.equal((total["records_approximate"], total["bytes_sent"]), (2, sum(world.logged(client))),
                  f"{what}: the module counts on from there")
    world.probe.start()
    connection.get("video", "/1m")
    connection.get("api", "/100k")
    connection.close()
    check_once(world, client, connection, f"{what}, and back", 5, approximate=2)


def probe_away(world):
    stop_and_start(world, AWAY, "probe stopped")


def probe_without_pins(world):
    """Nothing of the probe outlives it."""
    world.probe.stop()
    pin, world.probe.config["pin"] = world.probe.config["pin"], "/proc/whereto"
    world.probe.start()
    stop_and_start(world, UNPINNED, "probe without pins stopped")
    world.probe.config["pin"] = pin


def probe_killed(world):
    """kill -9: for a moment the kernel's part goes on as if nothing was, and tells the next probe."""
    connection = Connection(world.path, KILLED)
    connection.get("video", "/100k")
    world.probe.kill()
    connection.get("video", "/100k", "/small")
    world.probe.start()
    connection.get("api", "/100k")
    connection.close()
    check_once(world, KILLED, connection, "probe killed", 4)


def probe_without_tags(world):
    """sock_diag takes no tags, so nginx has to be told that there is a probe."""
    world.probe.stop()
    world.probe.config["backend"] = "sockdiag"
    world.probe.start()
    world.web.config = world.web.config.replace("whereto on;", "whereto on; whereto_probe always;", 1)
    world.web.write_config()
    world.web.reload()
    connection = Connection(world.path, DIAG)
    connection.get("video", "/100k", "/1m")
    connection.get("api", "/small")
    connection.close()
    check_once(world, DIAG, connection, "probe without tags", 3)
    world.t.equal({kind: row["bytes_sent"] for kind, row in world.rows(DIAG).items() if kind}, {"video": 0, "api": 0},
                  "probe without tags: the module tells requests alone")


def start_collector(folder):
    file = os.path.join(folder, "edge1.mrt")
    write_paths(file, [(prefix, [64500, 64496]) for prefix in NETWORKS.values()])
    return Collector(os.path.join(folder, "collector"), routers=[
        {"name": "edge1", "serves": ["192.0.2.0/24"], "sources": [{"mrt": {"file": file}}]}])


def start_nginx(folder, collector):
    nginx.make_certificate(folder)
    web = nginx.Nginx(os.path.join(folder, "nginx"), start=False, workers=1,
                      http=HTTP.format(telemetry=collector.telemetry, key=collector.key_file, folder=folder))
    for name, size in SIZES.items():
        web.write_file(name, size)
    web.start()
    return web


def main():
    reason = lab.unavailable() or nginx.unavailable("curl", "openssl") or probe.unavailable("ebpf", tags=True) or probe.own_mounts()
    if reason:
        tap.skip_all(reason)
    t = tap.Tap()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="whereto-probe-"))
        path = stack.enter_context(lab.Lab(server=[SERVER], client=list(NETWORKS), delay_ms=5, drop_to_client=30))
        collector = stack.enter_context(start_collector(folder))
        web = stack.enter_context(start_nginx(folder, collector))
        prober = stack.enter_context(probe.Probe(folder, collector, backend="ebpf", pin=True, interval="1h", types=["video", "api"]))
        world = World(t, path, collector, web, prober)
        for part in (two_hosts, short_ones, off_and_back, known_late, streams, probe_away, probe_killed, probe_without_pins, probe_without_tags):
            part(world)
        t.check("a probe counts the connections" in web.log(), "nginx's log says that there is a probe", web.log())
    return t.done()


if __name__ == "__main__":
    sys.exit(main())
