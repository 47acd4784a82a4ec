#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""From a real nginx through a lossy path to the store: what the collector tells must be what nginx's access
log says, to the byte, and what the path did to the packets.

The server's namespace holds nginx with the module and the collector; the clients' addresses are in the
other. Every 50th data segment towards the clients is lost. Two routers with different tables serve the
servers' addresses, two virtual hosts have two traffic types."""

import collections
import contextlib
import functools
import http.client
import os
import re
import ssl
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import lab
from mrtgen import write_paths
import tap
from collector import Collector
from nginx import Nginx, fetch_http2, make_certificate, unavailable

SERVER_1, SERVER_1_V6, SERVER_2 = "192.0.2.10", "2001:db8:1::10", "198.51.100.10"
CLIENT_A, CLIENT_B, CLIENT_C, CLIENT_V6 = "203.0.113.1", "203.0.113.70", "203.0.113.130", "2001:db8:ffff::1"
DELAY_MS = 10

ROUTER_OF = {SERVER_1: "edge1", SERVER_1_V6: "edge1", SERVER_2: "edge2"}
TABLES = {
    "edge1": [("203.0.113.0/24", [64500, 64496]), ("203.0.113.0/26", [64500, 64497]),
              ("2001:db8:ffff::/48", [64500, 64499, 64498])],
    "edge2": [("203.0.112.0/22", [64501, 64496]), ("203.0.113.128/25", [64501, 64502, 64496])],
}
PREFIX_OF = {
    ("edge1", CLIENT_A): "203.0.113.0/26", ("edge1", CLIENT_B): "203.0.113.0/24",
    ("edge1", CLIENT_C): "203.0.113.0/24", ("edge1", CLIENT_V6): "2001:db8:ffff::/48",
    ("edge2", CLIENT_A): "203.0.112.0/22", ("edge2", CLIENT_B): "203.0.112.0/22",
    ("edge2", CLIENT_C): "203.0.113.128/25",
}
TYPE_OF = {"video.test": "video", "api.test": "api"}

HTTP = """
    whereto_collector {telemetry};
    whereto_key {key};
    whereto_name web1;
    whereto on;
    ssl_certificate {folder}/tls.crt;
    ssl_certificate_key {folder}/tls.key;
    map $host $kind {{ api.test api; }}
    server {{
        {listen}
        server_name video.test;
        whereto_type video;
        location /slow/ {{ limit_rate 400k; alias html/; }}
    }}
    server {{
        {listen}
        server_name api.test;
        whereto_type $kind;
        location /quiet/ {{ whereto off; alias html/; }}
    }}
"""
LISTEN = "".join(f"listen {address}:80; listen {address}:443 ssl http2; "
                 for address in (SERVER_1, f"[{SERVER_1_V6}]", SERVER_2))


class Client:
    """Connections from an address of the client's namespace, kept alive until closed."""

    def __init__(self, path, source, server, tls=False):
        make = functools.partial(http.client.HTTPConnection, port=80)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            make = functools.partial(http.client.HTTPSConnection, port=443, context=context)
        self.connection = make(server, source_address=(source, 0), timeout=20)
        with path.client():
            self.connection.connect()

    def start(self, host, uri, **headers):
        self.connection.request("GET", uri, headers=dict(headers, Host=host))
        return self.connection.getresponse()

    def get(self, host, *uris, **headers):
        for uri in uris:
            self.start(host, uri, **headers).read()

    def close(self):
        self.connection.close()


def fetch(path, source, server, host, *uris):
    """A connection for each."""
    for uri in uris:
        client = Client(path, source, server)
        client.get(host, uri, Connection="close")
        client.close()


def expected_rows(accesses):
    """{(router, type, prefix): (bytes sent, bytes received, requests)} of the access log."""
    rows = collections.defaultdict(lambda: (0, 0, 0))
    for a in accesses:
        router = ROUTER_OF[a["server_addr"]]
        key = (router, TYPE_OF[a["host"]], PREFIX_OF[router, a["remote_addr"]])
        sent, received, requests = rows[key]
        rows[key] = (sent + a["bytes_sent"], received + a["request_length"], requests + 1)
    return dict(rows)


def counted(nginx):
    return [a for a in nginx.accesses() if not a["request_uri"].startswith("/quiet/")]


def stored_rows(collector):
    rows = collector.top(by="router,type,prefix")["rows"]
    return {(row["router"], row["type"], row["prefix"]):
            (row["bytes_sent"], row["bytes_received"], row["requests"]) for row in rows}


def wait_stored(collector, nginx):
    """Until the store has as many requests as nginx has logged."""
    count = len(counted(nginx))
    collector.wait(lambda: collector.top()["total"]["requests"] >= count, f"{count} requests in the store")


# ---- what clients do, and what is true at once ----

def keep_alive(t, path, collector, nginx):
    """A connection that is read to its end before its last, small request: when nginx logs that one the kernel
    has done with all before, so the module sees every loss but, perhaps, the last packet's."""
    before = path.wire()
    client = Client(path, CLIENT_A, SERVER_1)
    client.get("video.test", "/1m", "/100k", "/small")
    wait_stored(collector, nginx)
    after = path.wire()
    client.close()
    wire = {name: after[name] - before[name] for name in after}
    row = collector.top()["total"]
    t.check(wire["retransmissions"] >= 10, "the path loses packets", wire)
    t.check(wire["retransmissions"] - 1 <= row["packets_retransmitted"] <= wire["retransmissions"],
            "keep-alive: retransmitted packets are those on the wire", (row, wire))
    t.check(wire["data_segments"] - 1 <= row["packets_sent"] <= wire["data_segments"],
            "keep-alive: packets are those on the wire", (row, wire))
    t.equal(row["connections"], 1, "keep-alive: three requests, one connection")
    t.equal(row["connections_with_retransmit"], 1, "keep-alive: one connection with retransmits")
    t.check(row["rtt_p50_us"] >= 1000 * DELAY_MS, "round-trip times are the path's", row)


def many_ways(t, path):
    """Both servers, both hosts, both protocols, both families."""
    fetch(path, CLIENT_B, SERVER_1, "video.test", "/100k", "/small")
    fetch(path, CLIENT_C, SERVER_2, "api.test", "/100k", "/small", "/nothing-here")
    fetch(path, CLIENT_A, SERVER_2, "video.test", "/small")
    client = Client(path, CLIENT_V6, SERVER_1_V6)
    for host in ("video.test", "api.test", "video.test"):
        client.get(host, "/100k", "/small")
    client.close()
    client = Client(path, CLIENT_B, SERVER_1, tls=True)
    client.get("api.test", "/100k", "/quiet/100k", "/small")
    client.close()
    size = fetch_http2(path, CLIENT_C, SERVER_1, [f"https://{host}{uri}" for host in TYPE_OF for uri in ["/100k"] * 8 + ["/small"] * 8])
    t.equal(size, 2 * 8 * (100_000 + 100), "HTTP/2: everything was received")


def reload_in_the_middle(t, path, nginx):
    old = nginx.workers()
    slow = Client(path, CLIENT_B, SERVER_2)
    response = slow.start("video.test", "/slow/1m")
    head = response.read(50_000)
    nginx.reload(wait=False)
    nginx.wait(lambda: nginx.workers() - old, "new workers")
    fetch(path, CLIENT_A, SERVER_1, "api.test", "/100k")
    t.check(nginx.workers() & old, "reload: an old worker still serves")
    t.equal(len(head + response.read()), 1_000_000, "reload: a response under way is finished")
    slow.close()
    nginx.wait_replaced(old)


def kill_in_the_middle(path, collector, nginx):
    client = Client(path, CLIENT_B, SERVER_1)
    client.get("video.test", "/100k")
    collector.kill()
    client.get("video.test", "/100k", "/small")
    fetch(path, CLIENT_C, SERVER_2, "api.test", "/100k", "/small")
    collector.start()
    client.get("video.test", "/small")
    client.close()
    wait_stored(collector, nginx)


# ---- what must be true in the end ----

def check_store(t, collector, nginx, path):
    accesses = counted(nginx)
    t.equal(stored_rows(collector), expected_rows(accesses),
            "bytes and requests by router, type and prefix are the access log's")
    total = collector.top()["total"]
    t.equal(total["connections"], len({a["connection"] for a in accesses}), "connections are the access log's")
    t.equal(total["records_approximate"], total["records"], "every record is flagged approximate")
    wire = path.wire()
    t.check(0 < total["packets_retransmitted"] <= wire["retransmissions"],
            "no more retransmits than on the wire", (total, wire))
    t.check(total["packets_sent"] <= wire["data_segments"], "no more packets than on the wire", (total, wire))
    by_prefix = {(row["router"], row["prefix"]): row for row in collector.top(by="router,prefix,origin")["rows"]}
    origins = {(router, prefix): path[-1] for router, table in TABLES.items() for prefix, path in table}
    t.equal({key: row["origin"] for key, row in by_prefix.items()}, {key: origins[key] for key in by_prefix},
            "each router's own routes were used")


def check_ledger(t, collector, nginx):
    """Every worker, before and after the reload, was a session of one sender."""
    rows = collector.api("senders")["rows"]
    t.equal([row["sender"] for row in rows], ["web1"], "the sender has its configured name")
    row = rows[0]
    t.equal(row["sent"], len(counted(nginx)), "ledger: a record for each request")
    t.equal(row["sent"], row["stored"] + sum(row["rejected"].values()), "ledger: sent = stored + rejected")
    t.equal((row["in_flight"], row["dropped"], row["sessions"]), (0, 0, 4), "ledger: in flight, dropped, sessions")


def check_errors(t, nginx):
    """Requests for files that aren't there are errors of the clients'."""
    bad = [line for line in nginx.log().splitlines()
           if re.search(r"\[(emerg|alert|crit|error)\]", line) and "open()" not in line]
    t.equal(bad, [], "nginx has nothing to complain about")


def start_collector(folder):
    routers = []
    for name, serves in (("edge1", ["192.0.2.0/24", "2001:db8:1::/48"]), ("edge2", ["198.51.100.0/24"])):
        file = os.path.join(folder, name + ".mrt")
        write_paths(file, TABLES[name])
        routers.append({"name": name, "serves": serves, "sources": [{"mrt": {"file": file}}]})
    return Collector(os.path.join(folder, "collector"), routers=routers)


def start_nginx(folder, collector):
    make_certificate(folder)
    nginx = Nginx(os.path.join(folder, "nginx"), start=False, http=HTTP.format(
        telemetry=collector.telemetry, key=collector.key_file, folder=folder, listen=LISTEN))
    for name, size in (("small", 100), ("100k", 100_000), ("1m", 1_000_000)):
        nginx.write_file(name, size)
    nginx.start()
    return nginx


def main():
    reason = lab.unavailable() or unavailable("curl", "openssl")
    if reason:
        tap.skip_all(reason)
    t = tap.Tap()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="whereto-nginx-"))
        path = stack.enter_context(lab.Lab(
            server=list(ROUTER_OF), client=[CLIENT_A, CLIENT_B, CLIENT_C, CLIENT_V6],
            delay_ms=DELAY_MS, mbit=200, drop_to_client=50))
        collector = stack.enter_context(start_collector(folder))
        nginx = stack.enter_context(start_nginx(folder, collector))
        keep_alive(t, path, collector, nginx)
        many_ways(t, path)
        reload_in_the_middle(t, path, nginx)
        kill_in_the_middle(path, collector, nginx)
        fetch(path, CLIENT_A, SERVER_1, "video.test", "/100k")
        t.equal(nginx.stop(), 0, "nginx ends well")
        wait_stored(collector, nginx)
        check_store(t, collector, nginx, path)
        check_ledger(t, collector, nginx)
        check_errors(t, nginx)
    return t.done()


if __name__ == "__main__":
    sys.exit(main())
