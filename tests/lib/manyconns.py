#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Thousands of kept-alive connections with traffic, for tests of a probe.

    with ManyConnections("192.0.2.10", "203.0.113.1", 10_000) as many:
        many.ports                 # the servers' ports, one for each process
        many.open(5000)            # a few bytes go both ways on each
        many.traffic()             # a random number of bytes on a random half of them
        many.start_traffic()       # again and again, until
        many.finish_traffic()
        many.totals()              # what the servers sent so far: {"connections": ..., "bytes_sent": ...}
        many.close()

Several processes, since each may have only so many descriptors; each has both ends of its connections, so it
knows what was sent, and nothing is under way when a call returns. Totals are what the clients received, and the
kernel's own figures (TCP_INFO) of the servers' sockets."""

import contextlib
import os
import random
import resource
import select
import socket
import struct
import subprocess
import sys

CHUNK_MAX = 20_000
FIRST_PORT = 8000  # below those that clients get, in a namespace of the test's own
SPARE = 200  # descriptors a process needs for other things
TCP_INFO_SIZE = 232
SUMS = ("connections", "bytes_sent", "packets_sent", "packets_retransmitted", "bytes_received")


def _limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limit = 1 << 20 if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit


class ManyConnections:
    def __init__(self, server, client, count):
        each = max(1, min(2500, (_limit() - SPARE) // 2))
        number = -(-count // each)
        self.ports = range(FIRST_PORT, FIRST_PORT + number)
        self.processes = [subprocess.Popen([sys.executable, __file__, server, str(port), client], text=True,
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE) for port in self.ports]
        self._answers()  # they listen

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for process in self.processes:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()

    def open(self, count):
        """So many more, spread over the processes."""
        share, rest = divmod(count, len(self.processes))
        for number, process in enumerate(self.processes):
            self._tell(process, f"open {share + (number < rest)}")
        self._answers()

    def traffic(self):
        self._all("traffic")

    def start_traffic(self):
        """More and more of it, until finish_traffic()."""
        for process in self.processes:
            self._tell(process, "flow")

    def finish_traffic(self):
        for process in self.processes:
            self._tell(process, "enough")
        self._answers()

    def close(self):
        self._all("close")

    def totals(self):
        """Since the beginning, of all connections that there ever were."""
        answers = self._all("totals")
        return {name: sum(int(answer.split()[place]) for answer in answers) for place, name in enumerate(SUMS)}

    def _all(self, words):
        for process in self.processes:
            self._tell(process, words)
        return self._answers()

    @staticmethod
    def _tell(process, words):
        process.stdin.write(words + "\n")
        process.stdin.flush()

    def _answers(self):
        answers = [process.stdout.readline().strip() for process in self.processes]
        if not all(answers):
            raise RuntimeError("a process with connections has ended")
        return answers


# ---- in each process ----

class Ends:
    """The connections of one process."""

    def __init__(self, server, port, client):
        self.client = client
        self.listener = socket.create_server((server, int(port)), backlog=1024)
        self.pairs = []
        self.buffer = bytearray(1 << 16)
        self.sums = dict.fromkeys(SUMS, 0)

    def open(self, count):
        for _ in range(count):
            near = socket.create_connection(self.listener.getsockname(), 30, source_address=(self.client, 0))
            far = self.listener.accept()[0]
            far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * CHUNK_MAX)
            self.pairs.append((far, near))
            self._talk(far, near, 10)
        self.sums["connections"] += count

    def traffic(self):
        for far, near in random.sample(self.pairs, len(self.pairs) // 2):
            self._talk(far, near, random.randrange(1, CHUNK_MAX))

    def _talk(self, far, near, size):
        near.sendall(b"?" * random.randrange(1, 200))
        far.sendall(bytes(size))
        self.sums["bytes_sent"] += size
        while size:
            size -= len(near.recv(size))

    def drain(self):
        """The servers read what was asked."""
        for far, _ in self.pairs:
            with contextlib.suppress(BlockingIOError):
                while size := far.recv_into(self.buffer, 0, socket.MSG_DONTWAIT):
                    self.sums["bytes_received"] += size

    def add_info(self, sums):
        for far, _ in self.pairs:
            info = far.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_SIZE)
            sums["packets_retransmitted"] += struct.unpack_from("=I", info, 100)[0]
            sums["packets_sent"] += struct.unpack_from("=I", info, 156)[0]

    def totals(self):
        self.drain()
        sums = dict(self.sums)
        self.add_info(sums)
        return sums

    def close(self):
        """The clients close half of them first, the servers the others."""
        self.drain()
        self.add_info(self.sums)
        for number, (far, near) in enumerate(self.pairs):
            first, second = (near, far) if number % 2 else (far, near)
            first.close()
            second.close()
        self.pairs = []


def read_line():
    """Of standard input, and not a byte more; empty at its end."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line.decode()


def flow(ends):
    while not select.select([0], [], [], 0)[0]:
        ends.traffic()
    read_line()


def main(server, port, client):
    _limit()
    ends = Ends(server, port, client)
    print("listens", flush=True)
    for line in iter(read_line, ""):
        word, *rest = line.split()
        if word == "flow":
            flow(ends)
            print("done", flush=True)
        elif word == "totals":
            print(*ends.totals().values(), flush=True)
        else:
            getattr(ends, word)(*map(int, rest))
            print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
