#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the nginx module counts, and as what, on loopback: whose address, which type, what not at all; and that
what it has to drop is told to the collector."""

import collections
import contextlib
import os
import signal
import socket
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from mrtgen import write_paths
import tap
from collector import Collector
from nginx import Nginx, unavailable
from processes import free_port

TABLE = [("127.0.1.0/24", [64500, 64496]), ("127.0.2.0/24", [64500, 64497]), ("203.0.113.0/24", [64500, 64498]),
         ("::1/128", [64500, 64499])]

HTTP = """
    whereto_collector {telemetry};
    whereto_key {key};
    whereto_name {name};
    whereto_buffer 64k;
    whereto on;
    keepalive_requests 1000000;
    log_subrequest on;
    set_real_ip_from 127.0.0.0/8;
    set_real_ip_from unix:;
    real_ip_header X-Real-IP;
    log_format outcome "$outcome $content";
    map $uri $clip {{ ~(mp)4$ video; ~\.webm$ film; }}
    map $status $outcome {{ 200 fine; 404 missing; default unknown; }}
    map $sent_http_content_type $content {{ ~^text text; default unknown; }}
    server {{
        listen 127.0.0.1:{port};
        listen [::]:{port6} ipv6only=off;
        listen unix:{folder}/http.sock;
        whereto_type $arg_type;
        location /fixed {{ whereto_type "fixed \u00e9"; alias html/small; }}
        location /off/ {{ whereto off; alias html/; }}
        location ~ ^/clip/(.*)\.[a-z0-9]*$ {{ whereto_type $clip; alias html/$1; }}
        location ~ ^/captured/(.*)/(.*)$ {{ whereto_type $1; alias html/$2; }}
        location ~ ^/both/(.*)/(.*)$ {{ whereto_type $clip-$1; alias html/small; }}
        location /outcome/ {{ whereto_type $outcome; access_log outcome.log outcome; alias html/; }}
        location /content/ {{ whereto_type $content; access_log outcome.log outcome; alias html/; }}
        location /composed {{ ssi on; ssi_types *; alias html/composed; }}
    }}
"""


class Client:
    """One connection; get() sends every request before it reads the first answer, as browsers may."""

    def __init__(self, address, source=None):
        kind = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else kind)
        self.socket.settimeout(20)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect(address)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.file.close()
        self.socket.close()

    def get(self, *uris, headers=""):
        request = "".join(f"GET {uri} HTTP/1.1\r\nHost: test\r\n{headers}\r\n" for uri in uris)
        self.socket.sendall(request.encode("latin-1"))
        return [self._read() for _ in uris]

    def _read(self):
        """The body's length."""
        length = None
        while (line := self.file.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            if name.lower() == b"transfer-encoding":
                length = -1
        if length == -1:
            return self._read_chunks()
        return len(self.file.read(length))

    def _read_chunks(self):
        total = 0
        while size := int(self.file.readline(), 16):
            total += len(self.file.read(size))
            self.file.readline()
        self.file.readline()
        return total


class World:
    """A collector and an nginx with one worker for each test, so that figures are easily told apart."""

    def __init__(self, stack, name):
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="whereto-nginx-"))
        write_paths(os.path.join(folder, "edge.mrt"), TABLE)
        self.collector = stack.enter_context(Collector(os.path.join(folder, "collector"), routers=[
            {"name": "edge", "serves": ["127.0.0.0/8", "::1/128"],
             "sources": [{"mrt": {"file": os.path.join(folder, "edge.mrt")}}]}]))
        self.v4 = ("127.0.0.1", free_port())
        self.v6 = ("::1", free_port("::1"))
        self.unix = os.path.join(folder, "http.sock")
        self.nginx = stack.enter_context(Nginx(os.path.join(folder, "nginx"), workers=1, start=False, http=HTTP.format(
            telemetry=self.collector.telemetry, key=self.collector.key_file, name=name, folder=folder,
            port=self.v4[1], port6=self.v6[1])))
        self.nginx.write_file("small", 100)
        self.nginx.write_file("large", 3_000_000)
        with open(os.path.join(folder, "nginx", "html", "composed"), "w", encoding="ascii") as file:
            file.write('<!--#include virtual="/small" --><!--#include virtual="/small" -->')
        self.nginx.start()

    def settle(self):
        """nginx ends in peace and everything it has told is in the store. Returns the total."""
        self.nginx.stop()
        return self.collector.top()["total"]

    def figures(self, by, measure="requests"):
        return {row[by]: row[measure] for row in self.collector.top(by=by)["rows"]}


def test_addresses(t, world):
    with Client(world.v4, "127.0.1.1") as client:
        client.get("/small", headers="X-Real-IP: 203.0.113.9\r\n")
        client.get("/small")
    with Client(("127.0.0.1", world.v6[1]), "127.0.2.1") as client:
        client.get("/small", headers="X-Real-IP: 203.0.113.9\r\n")
    with Client(world.v6) as client:
        client.get("/small")
    for headers in ("", "X-Real-IP: 203.0.113.9\r\n"):
        with Client(world.unix) as client:
            client.get("/small", headers=headers)
    total = world.settle()
    t.equal(world.figures("prefix"), {"127.0.1.0/24": 2, "127.0.2.0/24": 1, "::1/128": 1},
            "the client is the TCP peer, v4-mapped is IPv4, unix sockets don't count")
    t.equal((total["connections"], len(world.nginx.accesses())), (3, 6), "connections; nginx logged more")


def test_types(t, world):
    with Client(world.v4) as client:
        client.get("/small?type=plain", "/small?type=" + "x" * 100, "/small?type=a%20b", "/small", "/fixed",
                   "/small?type=a\x80b", "/small?type=" + "y" * 63 + "\xc3\xa9")
    world.settle()
    t.equal(world.figures("type"),
            {"plain": 1, "x" * 64: 1, "a%20b": 1, None: 1, "fixed \u00e9": 1, "a?b": 1, "y" * 63: 1},
            "types: cut at 64 bytes and whole characters, made valid, none is null")


def test_types_leave_no_traces(t, world):
    """A type is needed before the response is made. Captures of regular expressions and variables that nginx keeps for
    a request are then still what they'd be without the module."""
    with Client(world.v4) as client:
        t.equal(client.get("/clip/small.mp4", "/clip/large.webm", "/captured/one/small", "/both/mp4/mp4"),
                [100, 3_000_000, 100, 100], "a location's captures survive a type's map, and may be in a type")
        client.get("/outcome/small", "/outcome/nothing-here", "/content/small")
    world.settle()
    t.equal(world.figures("type"), {"video": 1, "film": 1, "one": 1, "video-mp": 1, "fine": 1, "missing": 1, "text": 1},
            "types by status and by a header of the response")
    with open(os.path.join(world.nginx.folder, "outcome.log"), encoding="ascii") as file:
        t.equal(file.read().splitlines(), ["fine text", "missing text", "fine text"], "others see these variables as they are in the end")


def test_not_counted(t, world):
    with Client(world.v4) as client:
        t.equal(client.get("/off/large"), [3_000_000], "off: is served")
        client.get("/off/small") # its reading has the rest of the large one's packets
        t.equal(client.get("/small?type=on", "/composed?type=composed"), [100, 200], "pages are served")
    total = world.settle()
    accesses = world.nginx.accesses()
    t.equal(len(accesses), 6, "nginx logs the subrequests")
    on, composed = [[a for a in accesses if a["request_uri"].endswith("type=" + kind)] for kind in ("on", "composed")]
    t.equal(world.figures("type"), {"on": 1, "composed": 1}, "off and subrequests make no records")
    t.equal(world.figures("type", "bytes_sent"), {"on": on[0]["bytes_sent"], "composed": composed[-1]["bytes_sent"]},
            "bytes are those of the requests that count")
    t.equal(total["connections"], 1, "off: the connection counts with its first request that does")
    t.check(total["packets_sent"] <= 4, "off: its packets are not put on the next request", total)


def test_fast_stop(t, world):
    with Client(world.v4) as client:
        client.get(*["/small"] * 500)
    t.equal(world.nginx.stop(signal.SIGTERM), 0, "SIGTERM: nginx ends well")
    t.equal(world.collector.top()["total"]["requests"], 500, "SIGTERM: what was buffered has been sent")


def test_drops(t, world):
    """64k hold some thousand records; the collector is away for more."""
    count = 20_000
    with Client(world.v4) as client:
        client.get("/small")
        world.collector.wait(lambda: world.collector.top()["total"]["requests"] == 1, "the first record")
        world.collector.kill()
        for _ in range(count // 100):
            client.get(*["/small"] * 100)
        world.collector.start()
        world.collector.wait(lambda: client.get("/small") and ledger(world)["dropped"], "drops in the ledger")
    world.nginx.stop()
    row = ledger(world)
    served = len(world.nginx.accesses())
    t.check(row["dropped"] > 1000, "full buffer: records are dropped", row)
    t.equal(row["sent"] + row["dropped"], served, "full buffer: sent and dropped make all requests")
    t.equal((row["stored"], row["in_flight"]), (row["sent"], 0), "full buffer: what was sent is stored")
    t.equal(world.collector.top()["total"]["requests"], row["stored"], "full buffer: the store agrees")
    t.equal(world.nginx.log().count("records dropped"), 2, "full buffer: a line in the log, and one at the end")


def ledger(world):
    rows = world.collector.api("senders")["rows"]
    return rows[0] if rows else collections.defaultdict(int)


def main():
    reason = unavailable()
    if reason:
        tap.skip_all(reason)
    t = tap.Tap()
    for test in (test_addresses, test_types, test_types_leave_no_traces, test_not_counted, test_fast_stop, test_drops):
        with contextlib.ExitStack() as stack:
            test(t, World(stack, test.__name__))
    return t.done()


if __name__ == "__main__":
    sys.exit(main())
