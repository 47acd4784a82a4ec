#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the probe costs a web server: nginx and wrk on loopback, with and without it.

    overhead.py [--rounds N] [--seconds N] [--modes MODE,...]

Each round runs every mode once for short connections (one request each) and once for kept-alive ones, in random order,
and is compared with its own run of mode `off`; the table has the medians of these ratios over the rounds, and the
middle half of them. CPU is that of nginx's worker and of wrk, by request; `+ probe` adds the probe's own. Both ends of each
connection are on this host, so the kernel's part of the probe runs for both: on a web server it runs for one.

    off           nginx, no probe            ebpf          nginx and the probe
    module        nginx with the module      module+ebpf   both: the module names types and counts requests
    sockdiag      nginx and the probe without eBPF

Root only: everything happens in a network namespace of its own. Asserts nothing."""

import argparse
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile

import lab
import nginx
import probe
from collector import Collector

SERVER = "192.0.2.10"
SHORT, KEPT = "short connections", "kept alive"
CONNECTIONS = 32
PORTS = {"plain": 8001, "module": 8002}
MODES = ("off", "ebpf", "sockdiag", "module", "module+ebpf")
LINE = "{:<18} {:<12} {:>9} {:>7} {:>7} {:>15} {:>8} {:>10}"

WHERETO = """whereto_collector {telemetry}; whereto_key {key}; whereto on; whereto_type web;"""
HTTP = """
    access_log off;
    keepalive_requests 1000000000;
    {whereto}
    server {{ listen {port} backlog=4096 reuseport; }}
"""


def cpu_s(pid):
    """Seconds on a CPU, of all threads, to the nanosecond."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


class Bench:
    def __init__(self, folder, seconds):
        self.folder, self.seconds = folder, seconds
        self.collector = Collector(os.path.join(folder, "collector"))
        self.servers = {}
        for name, port in PORTS.items():
            whereto = WHERETO.format(telemetry=self.collector.telemetry, key=self.collector.key_file) if name == "module" else ""
            server = nginx.Nginx(os.path.join(folder, name), start=False, workers=1, module=name == "module",
                                 http=HTTP.format(whereto=whereto, port=port))
            server.write_file("1k", 1000)
            server.start()
            self.servers[name] = server

    def close(self):
        for server in self.servers.values():
            server.kill()
        self.collector.kill()

    def run(self, mode, kind):
        """(requests a second, CPU seconds a request, with the probe's)"""
        name = "module" if mode.startswith("module") else "plain"
        backend = mode.rpartition("+")[2] if mode not in ("off", "module") else None
        if not backend:
            return self.measure(name, kind, None)
        with probe.Probe(os.path.join(self.folder, "probe"), self.collector, backend=backend, types=["web"],
                         ports={} if name == "module" else {PORTS[name]: "web"}) as prober:
            return self.measure(name, kind, prober)

    def measure(self, name, kind, prober):
        worker = next(iter(self.servers[name].workers()))
        header = ["-H", "Connection: close"] if kind == SHORT else []
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{self.seconds}s", *header, f"http://{SERVER}:{PORTS[name]}/1k"]
        before = cpu_s(worker), cpu_s(prober.pid) if prober else 0, children_s()
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        after = cpu_s(worker), cpu_s(prober.pid) if prober else 0, children_s()
        count = int(re.search(r"(\d+) requests in", out)[1])
        nginx_s, probe_s, wrk_s = (now - then for now, then in zip(after, before))
        return (float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), (nginx_s + wrk_s) / count,
                (nginx_s + wrk_s + probe_s) / count)


def children_s():
    """CPU of the children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def print_line(kind, mode, results):
    """results: of all rounds, with those of `off`."""
    ratios = [[value / base[i] for value, base in ((r[mode][i], r["off"]) for r in results)] for i in range(3)]
    medians = [statistics.median(column) for column in ratios]
    quarters = statistics.quantiles(ratios[1], n=4) if len(results) > 1 else (medians[1],) * 3
    rate, cpu = (statistics.median(r[mode][i] for r in results) for i in (0, 1))
    print(LINE.format(kind, mode, f"{rate:.0f}", f"{medians[0]:.2f}", f"{medians[1]:.3f}",
                      f"{quarters[0]:.3f}-{quarters[2]:.3f}", f"{medians[2]:.3f}", f"{cpu * 1e6:.1f}"), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--modes", default=",".join(MODES))
    options = parser.parse_args()
    modes = options.modes.split(",")
    reason = nginx.unavailable() or probe.unavailable("ebpf", tags=True) or lab.alone([SERVER])
    if reason:
        print(f"left out: {reason}")
        return 0
    with tempfile.TemporaryDirectory(prefix="whereto-bench-") as folder:
        bench = Bench(folder, options.seconds)
        try:
            results = {kind: [] for kind in (SHORT, KEPT)}
            for _ in range(options.rounds):
                for kind, rounds in results.items():
                    order = random.sample(modes, len(modes))
                    rounds.append({mode: bench.run(mode, kind) for mode in order})
        finally:
            bench.close()
    print(f"{options.rounds} rounds of {options.seconds} s, wrk -t1 -c{CONNECTIONS}, responses of 1 kB; ratios to `off`")
    print(LINE.format("", "mode", "req/s", "ratio", "CPU", "(middle half)", "+ probe", "us/request"))
    for kind, rounds in results.items():
        for mode in modes:
            print_line(kind, mode, rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
