#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The probe beside plain servers on loopback: bytes and connections in the store are those that were made, whoever
listens how, by eBPF and without; connections of clients and of other network namespaces are nobody's; types by rules."""

import contextlib
import ctypes
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import probe
import tap
from collector import Collector, program

CLONE_NEWNET = 0x40000000
CAP_BPF = 39
libc = ctypes.CDLL(None, use_errno=True)
REQUEST = b"q" * 77


def new_namespace():
    """Moves the calling thread into a network namespace of its own, with loopback. Returns a descriptor of it."""
    if libc.unshare(CLONE_NEWNET) < 0:
        return None
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def listen(address, *, backlog=16, shared=False, port=0):
    server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    if shared:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    server.listen(backlog)
    return server


def receive(connection, count):
    while count:
        count -= len(connection.recv(min(count, 1 << 16)))


def connect(server, to="127.0.0.1"):
    client = socket.create_connection((to, server.getsockname()[1]))
    return client, server.accept()[0]


def exchange(client, accepted, size):
    """A request and an answer of size bytes, both whole."""
    client.sendall(REQUEST)
    receive(accepted, len(REQUEST))
    answer = threading.Thread(target=accepted.sendall, args=(b"x" * size,))
    answer.start()
    receive(client, size)
    answer.join()


def serve(server, size, to="127.0.0.1", *, client_first=False):
    """One connection, from beginning to end."""
    client, accepted = connect(server, to)
    exchange(client, accepted, size)
    first, second = (client, accepted) if client_first else (accepted, client)
    first.shutdown(socket.SHUT_WR)
    second.recv(1)
    second.close()
    first.recv(1)
    first.close()


def row(collector, kind, names=("connections", "bytes_sent", "bytes_received")):
    for found in collector.top(by="type")["rows"]:
        if found["type"] == kind:
            return tuple(found[name] for name in names)
    return (0,) * len(names)


def expect(t, collector, kind, connections, sent, name, received=None):
    expected = (connections, sent, len(REQUEST) * connections if received is None else received)
    with contextlib.suppress(Exception):
        collector.wait(lambda: row(collector, kind) == expected, name, 10)
    t.equal(row(collector, kind), expected, name)


def rules(**ports):
    return {server.getsockname()[1]: kind for kind, server in ports.items()}


def test_servers(t, folder, collector):
    """Every way to listen, and whoever closes first."""
    v4, v6, none = listen("127.0.0.1"), listen("::"), listen("127.0.0.1", backlog=0)
    old = listen("127.0.0.1", backlog=0)
    before = connect(old)
    with probe.Probe(folder, collector, ports=rules(v4=v4, v6=v6, none=none, old=old), name="servers",
                     ignore=["127.0.0.8/29"]) as prober:
        sizes = [1, 1000, 100_000, 1_500_000]
        for size in sizes:
            serve(v4, size)
            serve(v4, size, client_first=True)
            serve(v6, size, "::1")
            serve(v6, size, client_first=True)
            serve(none, size)
        ignored = socket.create_connection(v4.getsockname(), source_address=("127.0.0.9", 0)), v4.accept()[0]
        exchange(*ignored, 123)
        for end in ignored:
            end.close()
        exchange(*before, 500)
        for end in before:
            end.close()
        old.close()
        kept = [connect(none) for _ in range(3)]
        none.close()
        for client, accepted in kept:
            exchange(client, accepted, 10)
            accepted.close()
            client.close()
        connect(v4)[0].close()  # nothing said: no record
        expect(t, collector, "v4", 8, 2 * sum(sizes), "IPv4, either end closing first")
        expect(t, collector, "v6", 8, 2 * sum(sizes), "[::], with clients of both families")
        expect(t, collector, "none", 7, sum(sizes) + 30, "a backlog of 0, and connections that outlive the listening socket")
        expect(t, collector, "old", 0, 500, "a connection from before the probe is no new one", len(REQUEST))
        t.check(prober.status()["empty"] >= 1, "a connection without a byte is counted as empty")
        t.check(prober.status()["ignored"] == 1, "a client that is to be ignored is")
        rows = collector.top(by="match")["total"]
        t.check(rows["records_approximate"] == 0, "nothing is approximate", rows)
    for server in (v4, v6):
        server.close()


def test_clients(t, folder, collector):
    """Only connections that were accepted here count, in the namespaces that are watched."""
    here, shared = listen("127.0.0.1"), listen("127.0.0.1", shared=True)
    port = here.getsockname()[1]
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there_fd = new_namespace()
    there, elsewhere = listen("127.0.0.1", port=port), listen("127.0.0.1")
    libc.setns(home, CLONE_NEWNET)
    second = listen("127.0.0.1", shared=True, port=shared.getsockname()[1])
    with probe.Probe(folder, collector, ports=rules(here=here, shared=shared, elsewhere=elsewhere), name="clients",
                     user="nobody", status=os.path.join(folder, "c.sock")):
        serve(here, 1000)
        libc.setns(there_fd, CLONE_NEWNET)
        serve(there, 5000)
        serve(elsewhere, 5000)
        libc.setns(home, CLONE_NEWNET)
        second.close()  # the other one goes on
        serve(shared, 200)
        shared_port = shared.getsockname()[1]
        shared.close()
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        client.bind(("127.0.0.1", shared_port))  # where somebody listened a moment ago
        client.connect(here.getsockname())
        accepted = here.accept()[0]
        exchange(client, accepted, 300)
        client.close()
        accepted.close()
        expect(t, collector, "here", 2, 1300, "the server's end alone counts, of one namespace alone")
        expect(t, collector, "shared", 1, 200, "one of two sockets on a port goes away, and a client on it is no server")
        expect(t, collector, "elsewhere", 0, 0, "another namespace is not watched")
    with named_namespaces(folder, home, there_fd) as files, \
            probe.Probe(folder, collector, ports=rules(both=elsewhere, one=here), interval="200ms", name="both", namespaces=files,
                        pin=True, user="nobody", status=os.path.join(folder, "b.sock")) as prober:
        t.equal(threads_of(prober.pid), {("65534", False, 1 << CAP_BPF)}, "every thread has become the user, and keeps CAP_BPF alone")
        libc.setns(there_fd, CLONE_NEWNET)
        ends = connect(elsewhere)
        exchange(*ends, 700)
        libc.setns(home, CLONE_NEWNET)
        expect(t, collector, "both", 1, 700, "a connection that lives in a namespace that is named")
        prober.stop()
        prober.config["namespaces"] = files[:1]
        prober.start()
        t.equal(prober.ready["resumed"], "yes", "the next probe, of one of them, goes on")
        libc.setns(there_fd, CLONE_NEWNET)
        serve(elsewhere, 20)
        libc.setns(home, CLONE_NEWNET)
        serve(here, 10)
        expect(t, collector, "one", 1, 10, "it counts there")
        expect(t, collector, "both", 1, 700, "and not in the one that is no longer named")
        for end in ends:
            end.close()
    for fd in (home, there_fd):
        os.close(fd)


def threads_of(pid):
    """(user, whether root's group is among its groups, capabilities) of each thread, without repetition."""
    found = set()
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as file:
            lines = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        users, groups = lines["Uid"].split(), lines["Groups"].split()
        found.add((" ".join(sorted(set(users))), "0" in groups, int(lines["CapPrm"], 16)))
    return found


@contextlib.contextmanager
def named_namespaces(folder, *fds):
    """Files for them, as `ip netns add` makes them."""
    files = []
    try:
        for i, fd in enumerate(fds):
            file = os.path.join(folder, f"namespace{i}")
            with open(file, "wb"):
                pass
            subprocess.run(["mount", "--bind", f"/proc/{os.getpid()}/fd/{fd}", file], check=True)
            files.append(file)
        yield files
    finally:
        for file in files:
            subprocess.run(["umount", file], check=False)


def test_pins(t, folder, collector):
    """In the folder of pins only what other versions left is taken away, and it isn't used where others may write."""
    with probe.Probe(folder, collector, name="pins", pin=True) as prober:
        pin = prober.config["pin"]
        prober.stop()
        own, older = os.listdir(pin)[0], "0123456789abcdef"
        others = ("somebody", older.upper(), older + "0")
        for name in (older, *others):
            os.mkdir(os.path.join(pin, name), 0o700)
        prober.start()
        t.equal(sorted(os.listdir(pin)), sorted([own, *others]), "what another version left is taken away, what is others' stays")
        t.equal(prober.ready["resumed"], "yes", "and the probe goes on with its own")
        prober.stop()
        os.chmod(pin, 0o770)
        prober.start()
        t.check("can be written by others" in prober.status()["note"], "a folder that others can write isn't used", prober.status()["note"])
        prober.stop()
        os.chmod(pin, 0o700)
        prober.start()
        t.equal(prober.ready["resumed"], "yes", "until they can't")


def test_no_tags(t, folder, collector):
    """Where the kernel refuses the program of tags alone, a restart goes on all the same."""
    server = listen("127.0.0.1")
    with probe.Probe(folder, collector, ports=rules(untagged=server), name="no tags", pin=True,
                     runner=["setpriv", "--bounding-set=-net_admin,-sys_admin"]) as prober:
        t.check("no tags: " in prober.status()["note"], "tags are refused without a right to them", prober.status()["note"])
        living = connect(server)
        exchange(*living, 500)
        prober.stop()
        exchange(*living, 40)
        serve(server, 3)
        prober.start()
        t.equal(prober.ready, {"backend": "ebpf", "tagging": "off", "resumed": "yes"}, "and the next probe goes on")
        for end in living:
            end.close()
        expect(t, collector, "untagged", 2, 543, "nothing is lost or counted twice", 3 * len(REQUEST))
    server.close()


def cgroup2():
    """Where cgroup2 is mounted, or None."""
    with open("/proc/mounts", encoding="utf-8") as mounts:
        return next((line.split()[1] for line in mounts if line.split()[2] == "cgroup2"), None)


@contextlib.contextmanager
def inside_cgroup(path):
    """What is made inside is that cgroup's."""
    def move(to):
        with open(os.path.join(to, "cgroup.procs"), "w", encoding="ascii") as procs:
            procs.write(str(os.getpid()))

    with open("/proc/self/cgroup", encoding="utf-8") as file:
        home = next(line.strip().split("::", 1)[1] for line in file if line.startswith("0::"))
    os.makedirs(path)
    try:
        move(path)
        yield
    finally:
        move(cgroup2() + home)
        os.rmdir(path)
        os.rmdir(os.path.dirname(path))


def test_rules(t, folder, collector):
    """What a socket is, rather than where it listens."""
    marked, group = listen("127.0.0.1"), f"/whereto-test-{os.getpid()}"
    type_rules = [{"type": "marked", "mark": 77}, {"type": "unit", "cgroup": group}]
    with probe.Probe(folder, collector, name="rules", type_rules=type_rules):
        client, accepted = connect(marked)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 77)
        exchange(client, accepted, 4000)
        for end in (client, accepted):
            end.close()
        expect(t, collector, "marked", 1, 4000, "a type by the connection's mark")
        if not cgroup2() or not os.access(cgroup2(), os.W_OK):
            t.skip("a type by the server's cgroup", "no cgroup2 file system that can be written is mounted")
            return
        with inside_cgroup(cgroup2() + group + "/inner"):
            server = listen("127.0.0.1")
            serve(server, 3000)
            expect(t, collector, "unit", 1, 3000, "a type by the server's cgroup, made after the probe was started")


def test_reload(t, folder, collector):
    """SIGHUP: other types, rules, networks and looks from then on; nothing else, and nothing of what is wrong."""
    server = listen("127.0.0.1")
    port = server.getsockname()[1]
    with probe.Probe(folder, collector, ports={port: "before"}, interval="1h", name="reload") as prober:
        living = connect(server)
        exchange(*living, 1000)
        good = dict(prober.config)
        prober.config.update(type_rules=[{"type": "after", "port": port}], ignore=["127.0.0.8/29"], interval="100ms")
        t.check(prober.reload(), "a good file is taken", prober.log())
        exchange(*living, 300)
        expect(t, collector, "before", 1, 1000, "what a connection did before has the type of before")
        expect(t, collector, "after", 0, 300, "what it does from then on the new one, and is looked at sooner", received=len(REQUEST))
        ignored = socket.create_connection(server.getsockname(), source_address=("127.0.0.9", 0)), server.accept()[0]
        exchange(*ignored, 70)
        for end in ignored + living:
            end.close()
        collector.wait(lambda: prober.status()["ignored"], "a client that is ignored now")
        for what, change in (("spool", {"spool": {"dir": folder + "/spool"}}), ("collectors", {"collectors": ["127.0.0.1:1"]}),
                             ("key", {"key": {"id": 2, "file": collector.key_file}}), ("pin", {"pin": folder}), ("name", {"name": "x"}),
                             ("backend", {"backend": "auto"}), ("tagging", {"tagging": "off"}), ("user", {"user": "nobody"}),
                             ("status", {"status": folder + "/s"}), ("namespaces", {"namespaces": ["/proc/self/ns/net"]})):
            prober.config = {**good, "type_rules": [], **change}
            t.check(not prober.reload() and f"a change of `probe.{what}` needs a restart" in prober.log(), f"{what} needs a restart")
        prober.config = {**good, "type_rules": [{"port": 0}]}
        t.check(not prober.reload() and "probe.yaml:" in prober.log().splitlines()[-1], "a bad file is told, with its line", prober.log())
        serve(server, 40)
        expect(t, collector, "after", 1, 340, "what was taken last goes on", received=2 * len(REQUEST))
        t.equal(prober.stop(), 0, "and it ends well")


def open_to_all(path):
    """Every folder on its way may be entered by everybody."""
    while path != "/":
        if not os.stat(path).st_mode & 0o001:
            return False
        path = os.path.dirname(path)
    return True


def test_sockdiag(t, folder, collector):
    """Without eBPF, and with no right to anything."""
    server, names = listen("127.0.0.1"), ("connections", "bytes_sent")
    with probe.Probe(folder, collector, ports=rules(sockdiag=server), interval="200ms", name="sockdiag", backend="sockdiag"):
        for size in (100, 200_000, 1):
            serve(server, size)
        living = connect(server)
        exchange(*living, 5000)
        collector.wait(lambda: row(collector, "sockdiag", names) == (4, 205_101), "a connection that lives")
        exchange(*living, 60)
        for end in living:
            end.close()
        collector.wait(lambda: row(collector, "sockdiag", names) == (4, 205_161), "its end")
        records = row(collector, "sockdiag", ("records", "records_approximate"))
        t.check(records[0] >= 5 and records[0] == records[1], "sock_diag: each connection once, all approximate", records)
    if not open_to_all(program()):
        t.skip("the probe without a right", "others may not run this build: its folder is closed to them")
        server.close()
        return
    bare = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    with subprocess.Popen([*bare, program(), "probe", "--dry-run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("ready "):
                break
        serve(server, 1234)
        record = json.loads(process.stdout.readline())
        process.kill()
    t.check("no eBPF: " in "".join(said) and "backend=sockdiag" in said[-1], "who may not use eBPF is told why", said)
    t.equal((record["server"], record["bytes_sent"], record["connections"], record["approximate"]),
            ("127.0.0.1", 1234, 1, True), "a record as a JSON line")
    sent = {**record, "type": "again"}
    collector.send([sent])
    expect(t, collector, "again", 1, 1234, "which `whereto send` reads", record["bytes_received"])
    server.close()


def run(*tests):
    """Each test(tap, folder, collector) in turn, all in one network namespace of their own, with one collector. Returns the exit
    status."""
    reason = probe.unavailable("ebpf") or probe.own_mounts()
    if reason:
        tap.skip_all(reason)
    t = tap.Tap()
    if new_namespace() is None:
        tap.skip_all("needs network namespaces")
    with tempfile.TemporaryDirectory(prefix="whereto-probe-") as folder, \
            Collector(os.path.join(folder, "collector")) as collector:
        for test in tests:
            test(t, os.path.join(folder, test.__name__), collector)
    return t.done()


if __name__ == "__main__":
    sys.exit(run(test_servers, test_clients, test_pins, test_no_tags, test_rules, test_reload, test_sockdiag))
