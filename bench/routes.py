#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Full tables into the collector and into what else takes them, side by side:

    routes.py [--prefixes FILE] [--small] [--steps STEP,...] [RECEIVER ...]

1,000,000 IPv4 and 220,000 IPv6 prefixes (bench/full_table.c), from one feeder (bench/feeder.c), as fast as they are
taken: by BGP to the collector, BIRD, GoBGP, FRR and pmbgpd, by BMP to the collector and pmbmpd, packed and with one prefix a
message. Each receiver is fed by a first router, by a second with the same routes, by one with other paths to
the same prefixes, and by eight more at once; the slow ones by the first few only. What isn't installed is left out.

Time and CPU are a step's own, from when its feeders are started until the process is idle; that it has everything
by then is checked by its own count where it has one. Memory is the process's, in MiB, when it is idle: all that is
resident, and what of it is its own and not a page of a library; "more a router" is what the step added to its own,
over its routers. For the collector also the memory of the route table and the longest time its data plane was
held up so far (/metrics), by the clock on the wall: other processes' turns on a busy machine count. The last part:
ten tables at once while a sender waits for acknowledgements.

FILE ($WHERETO_PREFIXES) holds real prefixes, one a line; without it they are made up. --small: a tenth of all.
Asserts nothing."""

import argparse
import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import time

import wire
from collector import Collector
from daemons import Bird, Daemon, Frr, Gobgp
from processes import free_port, spawn

ASN = 64500
HZ = os.sysconf("SC_CLK_TCK")
LIMIT_S = 240  # for one step
HEAD = ("receiver", "feed", "routers", "seconds", "CPU s", "RSS MiB", "own", "more a router", "table", "held ms")
LINE = "{:<9} {:<11} {:<19} {:>8} {:>7} {:>8} {:>6} {:>14} {:>7} {:>8}"


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / HZ


def memory_mib(pid):
    """(resident, of it its own: without the pages of programs and libraries, which all processes share)"""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        text = file.read()
    return [int(re.search(name + r":\s+(\d+)", text)[1]) / 1024 for name in ("VmRSS", "RssAnon")]


def address_of(router):
    return f"127.1.0.{router}"


class Feeders:
    """Feeder processes, each a router; ended with the object."""

    def __init__(self):
        self.processes = []

    def add(self, router, target, file):
        self.processes.append(spawn([os.environ["WHERETO_FEEDER"], address_of(router), target, file],
                                    stdout=subprocess.PIPE))

    def wait_sent(self, deadline):
        """False when not all was taken in time."""
        for process in self.processes:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([process.stdout], [], [], left)[0] or not process.stdout.readline():
                return False
            process.stdout.close()
            process.stdout = open(os.devnull, "rb")
        return True

    def close(self):
        for process in self.processes:
            process.stdout.close()
            process.kill()
            process.wait()
        self.processes = []


# Receivers: start(), target, pid, count() (None: it doesn't tell), close().

class Whereto:
    name, quiet_s, steps = "whereto", 1.0, ("first", "second", "other", "eight")

    def __init__(self, folder, kind, routers=11):
        self.feed, self.kind = {"bgp": "BGP", "bmp": "BMP", "single.bmp": "BMP single"}[kind], kind
        protocol = "bgp" if kind == "bgp" else "bmp"
        section = {"listen": ["127.0.0.1:0"]}
        if protocol == "bgp":
            section.update({"as": ASN, "router_id": "192.0.2.9"})
        self.collector = Collector(os.path.join(folder, "whereto-" + kind), **{protocol: section}, routers=[
            {"name": f"edge{n}", "serves": [f"192.0.{n}.0/24"], "sources": [
                {protocol: {"from": address_of(n), "as": ASN} if protocol == "bgp" else {"from": address_of(n)}}]}
            for n in range(1, routers + 1)])
        self.pid, self.target = self.collector.process.pid, self.collector.ready[protocol]

    def count(self):
        return sum(value for name, value in self.collector.metrics().items()
                   if name.startswith("whereto_source_routes{"))

    def extra(self):
        metrics = self.collector.metrics()
        return metrics["whereto_route_memory_bytes"] / 2 ** 20, metrics["whereto_longest_hold_seconds"] * 1000

    def close(self):
        self.collector.kill()


class Foreign:
    """A receiver that is a Daemon of tests/lib/daemons.py with an own configuration."""

    feed, kind, quiet_s, steps = "BGP", "bgp", 1.5, ("first", "second", "other", "eight")

    def ready(self, port):
        self.port, self.target = port, f"{self.address}:{port}"

    @property
    def pid(self):
        return self.process.pid

    @staticmethod
    def extra():
        return None, None

    def close(self):
        self.kill()


class BirdReceiver(Foreign, Bird):
    def __init__(self, folder, _kind):
        self.ready_port = free_port()
        super().__init__(folder, "127.0.0.1")
        self.ready(self.ready_port)

    def config(self):
        return f"""
            log stderr {{ error, fatal, bug, auth }};
            router id 192.0.2.9;
            protocol device {{}}
            ipv4 table hops4; ipv6 table hops6;
            protocol static {{ ipv4 {{ table hops4; }}; route 10.255.0.0/16 via "lo"; }}
            protocol static {{ ipv6 {{ table hops6; }}; route 2001:db8:ffff::/48 via "lo"; }}
            protocol bgp routers {{
                local {self.address} port {self.ready_port} as {ASN}; passive; multihop;
                neighbor range 127.1.0.0/24 as {ASN};
                ipv4 {{ igp table hops4; import all; export none; }};
                ipv6 {{ igp table hops6; import all; export none; }};
            }}
            """


class GobgpReceiver(Foreign, Gobgp):
    quiet_s, steps = 6, ("first", "second")

    def __init__(self, folder, _kind):
        self.ready_port, self.api_port = free_port(), free_port()
        super().__init__(folder, "127.0.0.1")
        self.ready(self.ready_port)

    def command(self):
        return ["gobgpd", "-t", "toml", "-f", "config", "--api-hosts", f"{self.address}:{self.api_port}",
                "--pprof-disable", "-l", "error"]

    def cli_command(self, *arguments):
        return ["gobgp", "-u", self.address, "-p", str(self.api_port), *arguments]

    def config(self):
        text = f"""
            [global.config]
            as = {ASN}
            router-id = "192.0.2.9"
            port = {self.ready_port}
            local-address-list = ["{self.address}"]
            """
        for router in range(1, 12):
            text += f"""
            [[neighbors]]
            [neighbors.config]
            neighbor-address = "{address_of(router)}"
            peer-as = {ASN}
            [neighbors.transport.config]
            local-address = "{self.address}"
            passive-mode = true
            """ + "".join(f"""
            [[neighbors.afi-safis]]
            [neighbors.afi-safis.config]
            afi-safi-name = "{family}-unicast"
            """ for family in ("ipv4", "ipv6"))
        return text


class FrrReceiver(Foreign, Frr):
    steps = ("first",)

    def __init__(self, folder, _kind):
        self.ready_port = free_port()
        super().__init__(folder, "127.0.0.1")
        self.ready(self.ready_port)

    def command(self):
        return ["/usr/lib/frr/bgpd", "-Z", "-n", "-S", "-f", self.path("config"), "-i", self.path("pid"),
                "--vty_socket", self.folder, "-P", "0", "-p", str(self.ready_port), "-l", self.address, "-z",
                self.path("zserv")]

    def config(self):
        families = "".join(f" address-family {family} unicast\n  neighbor R activate\n  neighbor R route-map NONE out\n"
                           " exit-address-family\n" for family in ("ipv4", "ipv6"))
        return f"frr defaults traditional\nlog file {self.path('log')} emergencies\nroute-map NONE deny 10\n" \
               f"router bgp {ASN}\n bgp router-id 192.0.2.9\n no bgp default ipv4-unicast\n" \
               f" neighbor R peer-group\n neighbor R remote-as {ASN}\n neighbor R passive\n" \
               f" bgp listen range 127.1.0.0/24 peer-group R\n" + families


class Pmacct(Foreign, Daemon):
    """Without dumps configured it keeps nothing; they are set for a time that is not reached."""

    quiet_s, steps = 3, ("first", "second", "other")

    def __init__(self, folder, kind):
        self.kind = kind
        self.feed = {"bgp": "BGP", "bmp": "BMP", "single.bmp": "BMP single"}[kind]
        self.ready_port = free_port()
        super().__init__(folder, "127.0.0.1")
        self.ready(self.ready_port)

    def command(self):
        return [self.programs[0], "-f", "config"]

    def config(self):
        d, b = ("bgp_daemon", "bgp_table_dump") if self.kind == "bgp" else ("bmp_daemon", "bmp_dump")
        return f"daemonize: false\n{d}_ip: {self.address}\n{d}_port: {self.ready_port}\n{d}_max_peers: 16\n" \
               f"{b}_file: {self.path('dump')}-$peer_src_ip.json\n{b}_output: json\n{b}_refresh_time: 86400\n"

    def answers(self):
        """It listens: asked of the kernel, as a connection would count as a router."""
        with open("/proc/net/tcp", encoding="ascii") as file:
            return f":{self.ready_port:04X} 00000000:0000 0A" in file.read()

    @staticmethod
    def count():
        return None


class Pmbgpd(Pmacct):
    name, programs = "pmbgpd", ("pmbgpd",)


class Pmbmpd(Pmacct):
    name, programs = "pmbmpd", ("pmbmpd",)

    def __init__(self, folder, kind):
        super().__init__(folder, kind)
        if kind == "single.bmp":
            self.steps = ("first",)


RECEIVERS = {"whereto": [(Whereto, "bgp"), (Whereto, "bmp"), (Whereto, "single.bmp")], "bird": [(BirdReceiver, "bgp")],
             "pmbgpd": [(Pmbgpd, "bgp")], "pmbmpd": [(Pmbmpd, "bmp"), (Pmbmpd, "single.bmp")],
             "frr": [(FrrReceiver, "bgp")], "gobgp": [(GobgpReceiver, "bgp")]}
# What each step says, whose table is sent, by which routers.
STEPS = {"first": ("1", "a", [1]), "second": ("2nd, same routes", "a", [2]), "other": ("3rd, other paths", "b", [3]),
         "eight": ("4th to 11th, same", "a", range(4, 12)), "ten": ("10 at once", "a", range(1, 11))}


def wait_idle(receiver, begin, deadline):
    """When it last did something, seconds from begin: until it does nothing for its time of quiet. It may be idle at
    first, too: what is sent waits in the kernel."""
    last, used = time.monotonic(), cpu_s(receiver.pid)
    window = [(last, used)]
    while time.monotonic() < deadline and time.monotonic() - last < receiver.quiet_s:
        select.select([], [], [], 0.02)
        now, used = time.monotonic(), cpu_s(receiver.pid)
        window = [sample for sample in window if sample[0] > now - 0.25] + [(now, used)]
        if used - window[0][1] >= 0.02:
            last = now
    return last - begin


def run_step(receiver, step, files, expected):
    what, variant, routers = STEPS[step]
    begin, used, own = time.monotonic(), cpu_s(receiver.pid), memory_mib(receiver.pid)[1]
    deadline = begin + LIMIT_S
    feeders = Feeders()
    receiver.feeders.append(feeders)
    for router in routers:
        feeders.add(router, receiver.target, os.path.join(files, f"{variant}.{receiver.kind}"))
    sent = feeders.wait_sent(deadline)
    seconds = wait_idle(receiver, begin, deadline)
    used = cpu_s(receiver.pid) - used
    rss, after = memory_mib(receiver.pid)
    count = receiver.count()
    if not sent or (count is not None and count < expected * 0.999):  # some leave out what is not unicast
        what += f" ({count or 'not all'} taken)"
    table, held = receiver.extra()
    show(receiver.name, receiver.feed, what, f"{seconds:.2f}", f"{used:.2f}", f"{rss:.0f}", f"{after:.0f}",
         f"{(after - own) / len(routers):.1f}", "" if table is None else f"{table:.1f}",
         "" if held is None else f"{held:.1f}")
    return sent


def show(*cells):
    print(LINE.format(*cells).rstrip(), flush=True)


def run(make, kind, folder, prefixes, steps):
    receiver = make(folder, kind)
    receiver.feeders = []
    try:
        expected = 0
        left_out = [STEPS[step][0] for step in steps if step not in receiver.steps and step != "ten"]
        for step in [step for step in receiver.steps if step in steps]:
            expected += prefixes * len(STEPS[step][2])
            if not run_step(receiver, step, folder, expected):
                break
        if left_out:
            print(f"    {receiver.name} {receiver.feed}: left out, as they take long: {'; '.join(left_out)}",
                  flush=True)
    finally:
        for feeders in receiver.feeders:
            feeders.close()
        receiver.close()


def probe(receiver, until):
    """Sends a record every 20 ms and waits for its acknowledgement; returns the times that took, in ms."""
    sender = wire.Sender(wire.load_key(receiver.collector.key_file), name="web1")
    host, port = receiver.collector.telemetry.split(":")
    times = []
    with socket.socket(type=socket.SOCK_DGRAM) as connection:
        connection.connect((host, int(port)))
        connection.settimeout(2)
        while not until():
            record = wire.Record("198.51.100.7", "192.0.1.10", bytes_sent=1000, packets_sent=2, connections=1)
            body = wire.Body("web1", time=int(time.time() * 1000), records=[record], flags=wire.PROMPT)
            number, begin = sender.next, time.monotonic()
            connection.send(sender.seal(body))
            try:
                while not sender.open_ack(connection.recv(9000)).accepted(number):
                    pass
                times.append((time.monotonic() - begin) * 1000)
            except socket.timeout:
                times.append(float("inf"))
            select.select([], [], [], 0.02)
    return sorted(times)


def run_ten(kind, folder, prefixes):
    receiver = Whereto(folder, kind)
    receiver.feeders = []
    feeders = Feeders()
    try:
        begin = time.monotonic()
        quiet = probe(receiver, lambda: time.monotonic() > begin + 1)
        begin, used = time.monotonic(), cpu_s(receiver.pid)
        for router in range(1, 11):
            feeders.add(router, receiver.target, os.path.join(folder, f"a.{kind}"))
        busy = probe(receiver, lambda: time.monotonic() > begin + 0.5 and (
            receiver.count() >= 10 * prefixes or time.monotonic() > begin + 60))
        seconds, used = time.monotonic() - begin, cpu_s(receiver.pid) - used
        table, held = receiver.extra()
        show(receiver.name, receiver.feed, "10 at once", f"{seconds:.2f}", f"{used:.2f}",
             *(f"{mib:.0f}" for mib in memory_mib(receiver.pid)), "", f"{table:.1f}", f"{held:.1f}")
        for name, times in (("idle", quiet), ("ten tables arriving", busy)):
            if times:
                print(f"    record to acknowledgement, {name}: {len(times)} records, median "
                      f"{times[len(times) // 2]:.1f} ms, longest {times[-1]:.1f} ms", flush=True)
    finally:
        feeders.close()
        receiver.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("receivers", nargs="*", metavar="RECEIVER", help=" ".join(RECEIVERS))
    parser.add_argument("--prefixes", default=os.environ.get("WHERETO_PREFIXES"), help="real prefixes, one a line")
    parser.add_argument("--small", action="store_true", help="a tenth of a full table")
    parser.add_argument("--steps", default=",".join(STEPS), help="which of: " + " ".join(STEPS))
    arguments = parser.parse_args()
    steps = arguments.steps.split(",")
    counts = (100000, 22000) if arguments.small else (1000000, 220000)
    with tempfile.TemporaryDirectory(prefix="whereto-bench-") as folder:
        made = subprocess.run([os.environ["WHERETO_FULL_TABLE"], folder, arguments.prefixes or "-", *map(str, counts)],
                              stdout=subprocess.PIPE, text=True, check=True)
        print(made.stdout)
        show(*HEAD)
        for name in arguments.receivers or RECEIVERS:
            for make, kind in RECEIVERS[name]:
                missing = make.missing() if hasattr(make, "missing") else None
                if missing:
                    print(f"{name} is left out: {missing}")
                    break
                try:
                    run(make, kind, folder, sum(counts), steps)
                except Exception as error:  # a bench goes on with the next
                    print(f"{name} {kind}: {error}", file=sys.stderr)
        if "ten" in steps and (not arguments.receivers or "whereto" in arguments.receivers):
            for kind in ("bgp", "bmp", "single.bmp"):
                run_ten(kind, folder, sum(counts))


if __name__ == "__main__":
    main()
