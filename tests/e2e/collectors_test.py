#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Two collectors, one PostgreSQL. `whereto send` and nginx have both in their lists and are under load while one is
killed (-9) and comes back, while the second dies when the first is away, and while nginx is reloaded: the database
has every record once."""

import contextlib
import functools
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import nginx as webserver  # noqa: E402
import postgres  # noqa: E402
from collector import Collector  # noqa: E402
from collectors import PACE_S, WAIT_S, Load, check_ledgers, check_send, check_sums, deaths  # noqa: E402
from processes import free_port  # noqa: E402
from tap import Tap, skip_all  # noqa: E402

CLIENTS = 3          # of nginx

HTTP = """
    whereto_collector {collectors};
    whereto_key {key};
    whereto_name web1;
    whereto_type web;
    whereto on;
    keepalive_requests 50;
    server {{ listen 127.0.0.1:{port}; }}
"""


def stored(server, kind):
    """(requests, bytes) of this traffic type in the database."""
    sums = server.ask("SELECT coalesce(sum(requests), 0), coalesce(sum(bytes_sent), 0) FROM whereto.total_minute"
                      f" WHERE type = (SELECT id FROM whereto.names WHERE name = '{kind}')")
    return tuple(int(number) for number in sums.split("|"))


def check_given_up(tap, collectors):
    """A collector lost for good is somebody's decision, with the number that may be there or not."""
    first, second = collectors
    first.kill()
    lines = "".join(json.dumps({"client": "203.0.113.1", "server": "192.0.2.10", "requests": 1}) + "\n" for _ in range(7))
    send = subprocess.run([os.environ["WHERETO"], "send", "--to", first.telemetry, "--to", second.telemetry, "--key",
                           first.key_file, "--name", "lost", "--give-up", "2"], input=lines, capture_output=True,
                          text=True)
    tap.equal((send.returncode, send.stderr), (1, "whereto send: 7 records taken, 0 acknowledged, 0 lines refused\n"
              f"whereto send: given up: 7 records in 1 datagrams were sent to {first.telemetry}, which has not"
              " acknowledged them: it may have them or not\n"), "send: giving up says how much")
    first.start()


def send_some(collector, kind, count=50):
    collector.send([{"client": "203.0.113.1", "server": "192.0.2.10", "type": kind, "requests": 1}] * count, timeout_s=WAIT_S)
    return count


def check_same_name(tap, folder, server, second):
    """Two collectors of one name: at least one of them notices, nothing is lost, and another name makes it well."""
    count = 0
    with Collector(os.path.join(folder, "three"), name="two", store={"url": server.url},
                   telemetry={"listen": ["127.0.0.1:0"], "keys": second.config["telemetry"]["keys"]}) as third:
        tap.check("is not of this journal: it is a new one" in third.log(), "one name: the second of it is warned")

        def complaints():
            return [collector for collector in (second, third)
                    if "same name" in (collector.api("senders")["backlog"]["store_error"] or "")]

        while not complaints():
            for collector in (second, third):
                count += send_some(collector, "names")
                collector.top()
        found = complaints()[0]
        tap.equal(found.http("/healthz")[0], 503, "one name: it is noticed")
        tap.check(stored(server, "names")[0] < count, "one name: nothing more is written")
        count += send_some(found, "names")
        third.stop()
        third.config["name"] = "three"
        third.start()
        second.stop()
        second.start()
        for collector in (second, third):
            collector.wait(lambda: not collector.api("senders")["backlog"]["batches"], "an empty journal")
            collector.top()
        tap.equal(stored(server, "names")[0], count, "one name: with another name everything is stored, once")


def fetch(port):
    """Requests; a worker that ends may close a kept-alive connection as one is sent (it is in the log or not)."""
    def work(stopping):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        while not stopping.wait(PACE_S):
            for _ in range(5):
                try:
                    connection.request("GET", "/small")
                    connection.getresponse().read()
                except (http.client.HTTPException, ConnectionError):
                    connection.close()
        connection.close()
    return work


def check_nginx(tap, folder, server, collectors):
    port = free_port()
    web = webserver.Nginx(os.path.join(folder, "nginx"), http=HTTP.format(
        collectors=" ".join(collector.telemetry for collector in collectors), key=collectors[0].key_file, port=port),
        start=False)
    web.write_file("small", 100)
    with web:
        web.start()
        load = Load(fetch(port), CLIENTS)
        old = web.workers()

        def reload():
            web.reload(wait=False)
            web.wait(lambda: web.workers() - old, "new workers")

        try:
            deaths(*collectors, "web1", reload)
        finally:
            load.stop()
        web.wait_replaced(old)
        tap.check(f"collector {collectors[0].telemetry} doesn't answer: " in web.log(), "nginx: the log says who is owed")
        tap.check(re.search(rf"\[error\] .*collector {collectors[0].telemetry} answers again", web.log()),
                  "nginx: and who answers again, where Debian's log shows it")
        tap.equal(web.stop(timeout_s=WAIT_S), 0, "nginx ends")
        accesses = web.accesses()
        tap.check("given up" not in web.log(), "nginx: nothing is given up", web.log())
    expected = (len(accesses), sum(access["bytes_sent"] for access in accesses))
    check_sums(tap, functools.partial(stored, server), collectors, "web", expected, "nginx")
    check_ledgers(tap, collectors, "web1", len(accesses), "nginx")


def check_nginx_quits(tap, folder, collectors):
    """No collector is there: a worker that ends says what it gives up, at once when it is told so."""
    port = free_port()
    web = webserver.Nginx(os.path.join(folder, "quits"), workers=1, http=HTTP.format(
        collectors=" ".join(collector.telemetry for collector in collectors), key=collectors[0].key_file, port=port))
    with web:
        for collector in collectors:
            collector.kill()
        old = web.workers()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        for _ in range(3):
            connection.request("GET", "/none")
            connection.getresponse().read()
        connection.close()
        web.reload(wait=False)
        web.wait(lambda: "doesn't answer" in web.log(), "an old worker that waits")
        tap.check(old & web.workers(), "nginx: after a reload an old worker waits for what it is owed")
        web.stop(signal.SIGTERM)
        tap.check("given up: 3 records in 1 datagrams were sent to collector " + collectors[0].telemetry in web.log(),
                  "nginx: told to stop, it says how much it gives up", web.log())


def main():
    tap = Tap()
    reason = postgres.unavailable()
    if reason:
        return skip_all(reason)
    with tempfile.TemporaryDirectory(prefix="whereto-two-") as folder, contextlib.ExitStack() as stack:
        server = stack.enter_context(contextlib.closing(postgres.Server()))
        first = stack.enter_context(Collector(os.path.join(folder, "one"), name="one", store={"url": server.url}))
        keys = first.config["telemetry"]["keys"]
        second = stack.enter_context(Collector(os.path.join(folder, "two"), name="two", store={"url": server.url},
                                               telemetry={"listen": ["127.0.0.1:0"], "keys": keys}))
        check_send(tap, functools.partial(stored, server), [first, second])
        check_given_up(tap, [first, second])
        check_same_name(tap, folder, server, second)
        if webserver.unavailable():
            tap.skip("nginx", webserver.unavailable())
        else:
            check_nginx(tap, folder, server, [first, second])
            check_nginx_quits(tap, folder, [first, second])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
