#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Real ClickHouse servers for tests, run as an unprivileged user in folders of their own.

    with contextlib.closing(Cluster(shards=2, replicas=2)) as cluster:
        Collector(folder, store={"url": cluster.url("whereto")})
        cluster.server(2).ask("SELECT count() FROM whereto.flow_minute")
        cluster.server(1, replica=2).end()       # kill -9; start() again finds data and ports

The servers of a cluster have addresses of their own, 127.0.0.1, 127.0.0.2, ..., and one HTTP port, as in production; but not
one native port: every loopback server takes 127.0.0.1 with its own port for itself. Replicas need a ZooKeeper, which
belongs to the cluster.

USER may do everything and has a password, OPEN has none, READER may only read, STRANGER has no right to any database but
one of that name. There is no user `default`, so nothing works by accident.

As a program, for tests in C (wt_clickhouse.h): starts a cluster, says where, and then does what lines on its input say,
until that ends."""

import argparse
import contextlib
import hashlib
import itertools
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import chdb
from processes import free_port, spawn, unprivileged

SERVER, ZOOKEEPER = "clickhouse-server", "/usr/share/java/zookeeper.jar"
NAME = "wt"                          # of the cluster
LOCAL = "_local"                     # what the store adds to the name of a table that has one shard's rows
USER, OPEN, READER, STRANGER = "writer", "open", "reader", "stranger"
PASSWORD = "a <secret> & 100%'s/\\+"
ADMIN = "lab"                        # the tests themselves
PATH = os.environ["PATH"] + ":/usr/sbin"
# A part of a table of forty columns is eighty files: 5 ms in memory, 20 times that on a busy disk. Containers often have
# very little of it.
SHM = "/dev/shm"
MEMORY = SHM if "TMPDIR" not in os.environ and os.access(SHM, os.W_OK) and shutil.disk_usage(SHM).free > 2 << 30 else None

CONFIG = """<yandex>
<logger><level>information</level><console>1</console></logger>
<listen_host>{address}</listen_host> <interserver_http_host>{address}</interserver_http_host>
<http_port>{http}</http_port> <tcp_port>{tcp}</tcp_port> <interserver_http_port>{interserver}</interserver_http_port>
<path>{folder}/data/</path> <tmp_path>{folder}/tmp/</tmp_path>
<user_files_path>{folder}/user_files/</user_files_path> <format_schema_path>{folder}/format_schemas/</format_schema_path>
<users_config>{folder}/users.xml</users_config> <dictionaries_config>{folder}/none_*.xml</dictionaries_config>
<default_profile>default</default_profile> <default_database>default</default_database>
<timezone>UTC</timezone> <mlock_executable>false</mlock_executable>
<uncompressed_cache_size>0</uncompressed_cache_size> <mark_cache_size>67108864</mark_cache_size>
<merge_tree><old_parts_lifetime>5</old_parts_lifetime>
<zookeeper_session_expiration_check_period>1</zookeeper_session_expiration_check_period></merge_tree>
<max_concurrent_queries>50</max_concurrent_queries> <keep_alive_timeout>10</keep_alive_timeout>
{more}
</yandex>
"""
USERS = """<yandex>
<profiles>
<default><max_threads>2</max_threads></default>
<readonly><max_threads>2</max_threads><readonly>2</readonly></readonly>
</profiles>
<quotas><default></default></quotas>
<users>{users}</users>
</yandex>
"""


class ServerError(Exception):
    """A server refused a statement, or did not start; the text holds what it said."""


def unavailable(zookeeper=False):
    """Why there can be none on this machine; None when there can."""
    if not shutil.which(SERVER, path=PATH):
        return "ClickHouse's server is missing (clickhouse-server)"
    if zookeeper and not (os.path.exists(ZOOKEEPER) and shutil.which("java")):
        return "ZooKeeper is missing (zookeeper, default-jre-headless)"
    return None


def user_xml(name, password=None, profile="default", more=""):
    secret = f"<password_sha256_hex>{hashlib.sha256(password.encode()).hexdigest()}</password_sha256_hex>" if password \
        else "<password></password>"
    return (f"<{name}>{secret}<networks><ip>127.0.0.0/8</ip></networks><profile>{profile}</profile>"
            f"<quota>default</quota>{more}</{name}>\n")


class Program:
    """A server in a temporary folder that belongs to the user it runs as."""

    def __init__(self, prefix, folder=None, user=None):
        self.user = user
        self.own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix=f"whereto-{prefix}-", dir=MEMORY)
        self._give(self.folder)
        self.process = None

    def _give(self, path):
        if self.user:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8", opener=lambda *args: os.open(*args, 0o600)) as file:
            file.write(text)
        self._give(self.path(name))

    def launch(self, command):
        with open(self.path("log"), "ab") as log:
            self.process = spawn(command, user=self.user, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 env={**os.environ, "PATH": PATH})

    def wait(self, condition, what, timeout_s=60):
        deadline = time.monotonic() + timeout_s
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ServerError(f"waited for {what}; it ended with {self.process.poll()}\n{self.log()[-4000:]}")
            select.select([], [], [], 0.02)

    def log(self):
        with open(self.path("log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def end(self, number=signal.SIGKILL):
        """kill -9, or another way."""
        if self.process:
            self.process.send_signal(number)
            self.process.wait()
            self.process = None

    def close(self):
        self.end()
        if self.own_folder:
            shutil.rmtree(self.folder)


class ZooKeeper(Program):
    def __init__(self):
        super().__init__("zk", user=unprivileged("clickhouse"))
        self.port = free_port()
        self.write("zoo.cfg", f"tickTime=500\ndataDir={self.path('data')}\nclientPort={self.port}\n"
                              "clientPortAddress=127.0.0.1\nadmin.enableServer=false\nmaxClientCnxns=100\n")
        self.start()

    def start(self):
        self.launch(["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", ZOOKEEPER,
                     "-Dzookeeper.4lw.commands.whitelist=srvr", "-Dzookeeper.admin.enableServer=false",
                     "org.apache.zookeeper.server.quorum.QuorumPeerMain", self.path("zoo.cfg")])
        self.wait(self.answers, "ZooKeeper")

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"srvr")   # "ruok" is answered too early
                return connection.recv(100).startswith(b"Zookeeper version")
        except OSError:
            return False

    def xml(self):
        return (f"<zookeeper><node><host>127.0.0.1</host><port>{self.port}</port></node>"
                "<session_timeout_ms>4000</session_timeout_ms></zookeeper>")


class Authority:
    """A certificate authority of its own; `certificate` is what its clients trust."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.certificate = os.path.join(folder, "ca.crt")
        self._openssl("req", "-x509", *self._new("ca.key"), "-out", "ca.crt", "-days", "2", "-subj", "/CN=lab")

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, stderr=subprocess.DEVNULL)

    @staticmethod
    def _new(key):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key]

    def issue(self, names):
        """A server's (certificate, key), as text. names: "IP:127.0.0.1", as in a certificate."""
        with open(os.path.join(self.folder, "names"), "w", encoding="ascii") as file:
            file.write(f"subjectAltName={names}\n")
        self._openssl("req", *self._new("server.key"), "-out", "server.csr", "-subj", "/CN=server")
        self._openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out",
                      "server.crt", "-days", "2", "-extfile", "names")
        texts = []
        for name in ("server.crt", "server.key"):
            with open(os.path.join(self.folder, name), encoding="ascii") as file:
                texts.append(file.read())
        return texts


class Answering(Program):
    """What is asked over HTTP."""

    STOP = signal.SIGTERM
    https_port = None

    def __init__(self, address, http_port, folder=None, user=None):
        super().__init__("ch", folder, user)
        self.address, self.http_port = address, http_port
        self.password_file = self.path("password")
        with open(self.password_file, "w", encoding="utf-8", opener=lambda *args: os.open(*args, 0o600)) as file:
            file.write(PASSWORD + "\n")

    def launch_server(self):
        """Does not wait until it answers."""
        raise NotImplementedError

    def wait_ready(self):
        self.wait(self.answers, "ClickHouse")

    def start(self):
        self.launch_server()
        self.wait_ready()

    def start_or_close(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def answers(self):
        try:
            with urllib.request.urlopen(f"http://{self.address}:{self.http_port}/ping", timeout=5) as answer:
                return answer.read() == b"Ok.\n"
        except OSError:
            return False

    def url(self, database, user=USER, **parameters):
        """Of the store. parameters: more of the URL's; password_file is there by itself for users that have one. tls="yes": at
        the port for that."""
        if user != OPEN:
            parameters.setdefault("password_file", self.password_file)
        port = self.https_port if parameters.get("tls") == "yes" else self.http_port
        query = "&".join(f"{key}={urllib.parse.quote(value)}" for key, value in parameters.items() if value is not None)
        return f"clickhouse://{user}@{self.address}:{port}/{database}" + (f"?{query}" if query else "")

    def ask(self, sql, **settings):
        """What the server answers, tabs between columns; as ADMIN, unless there is another `user`."""
        query = urllib.parse.urlencode({"user": ADMIN, **settings})
        request = urllib.request.Request(f"http://{self.address}:{self.http_port}/?{query}", data=sql.encode())
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read().decode().rstrip("\n")
        except urllib.error.HTTPError as error:
            raise ServerError(f"{sql}: {error.read().decode()}") from error

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)


class Server(Answering):
    """One clickhouse-server."""

    def __init__(self, address="127.0.0.1", ports=None, more="", certificate=None, folder=None, start=True):
        """ports: (HTTP, native, between servers). more: of its configuration. certificate: of Authority.issue; it then
        serves HTTPS as well. folder: there instead of in a temporary one; it is left there."""
        http, tcp, interserver = ports or [free_port() for _ in range(3)]
        super().__init__(address, http, folder, unprivileged("clickhouse"))
        self.https_port = free_port() if certificate else None
        if certificate:
            for name, text in zip(("server.crt", "server.key"), certificate):
                self.write(name, text)
            more += (f"<https_port>{self.https_port}</https_port><openSSL><server><certificateFile>{self.path('server.crt')}"
                     f"</certificateFile><privateKeyFile>{self.path('server.key')}</privateKeyFile>"
                     "<verificationMode>none</verificationMode></server></openSSL>")
        self.write("config.xml", CONFIG.format(address=address, http=http, tcp=tcp, folder=self.folder,
                                               interserver=interserver, more=more))
        self._write_users("default")
        if start:
            self.start_or_close()

    def _write_users(self, profile):
        self.write("users.xml", USERS.format(users="".join([
            user_xml(ADMIN), user_xml(USER, PASSWORD, profile), user_xml(OPEN), user_xml(READER, PASSWORD, "readonly"),
            user_xml(STRANGER, PASSWORD, more=f"<allow_databases><database>{STRANGER}</database></allow_databases>")])))

    def set_users(self, profile="default"):
        """Gives USER another profile while the server runs."""
        self._write_users(profile)
        self.ask("SYSTEM RELOAD CONFIG")

    def launch_server(self):
        self.launch([SERVER, "--config-file=" + self.path("config.xml")])


class Engine(Answering):
    """A current ClickHouse, as chdb.py has it; run as the test is, so that it can read its files."""

    def __init__(self, start=True):
        chdb.library()
        super().__init__("127.0.0.1", free_port())
        if start:
            self.start_or_close()

    def launch_server(self):
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "chdb.py")
        self.launch([sys.executable, program, self.address, str(self.http_port), self.folder, NAME])


class Cluster:
    """Shards of one or more replicas each."""

    def __init__(self, shards=2, replicas=1):
        self.name = NAME
        self.zookeeper = None
        self.servers = {}   # (shard, replica), both from 1
        addresses = [f"127.0.0.{number + 1}" for number in range(shards * replicas)]
        http = free_port(*addresses)
        places = {place: (address, free_port(address)) for place, address in
                  zip(itertools.product(range(1, shards + 1), range(1, replicas + 1)), addresses)}
        try:
            self.zookeeper = ZooKeeper() if replicas > 1 else None
            for (shard, replica), (address, port) in places.items():
                more = self._xml(places) + f"<macros><cluster>{NAME}</cluster><shard>{shard:02}</shard>" \
                    f"<replica>{address}</replica></macros>"
                self.servers[shard, replica] = Server(address, (http, port, free_port(address)), more, start=False)
                self.servers[shard, replica].launch_server()
            for server in self.servers.values():
                server.wait_ready()
        except BaseException:
            self.close()
            raise

    def _xml(self, places):
        text = f"<remote_servers><{NAME}>"
        for shard in sorted({shard for shard, _ in places}):
            text += "<shard><internal_replication>true</internal_replication>"
            for place, (address, port) in places.items():
                if place[0] == shard:
                    text += f"<replica><host>{address}</host><port>{port}</port><user>{ADMIN}</user></replica>"
            text += "</shard>"
        text += f"</{NAME}></remote_servers>"
        if self.zookeeper:
            text += self.zookeeper.xml() + "<distributed_ddl><path>/clickhouse/task_queue/ddl</path></distributed_ddl>"
        return text

    def server(self, shard=1, replica=1):
        return self.servers[shard, replica]

    def url(self, database, at=(), **parameters):
        """at: the servers that are ways into it, (shard, replica) of each; all of them."""
        first, *others = (self.servers[place] for place in at or self.servers)
        others = "".join(f",{server.address}:{server.http_port}" for server in others)
        return first.url(database, cluster=NAME, **parameters).replace("/" + database, others + "/" + database, 1)

    def close(self):
        for server in self.servers.values():
            server.close()
        if self.zookeeper:
            self.zookeeper.close()


def make(arguments):
    """(what to close, its servers)"""
    if arguments.current:
        engine = Engine()
        return engine, [engine]
    reason = unavailable(zookeeper=arguments.replicas > 1)
    if reason:
        raise chdb.Unavailable(reason)
    if not arguments.shards:
        server = Server()
        return server, [server]
    cluster = Cluster(arguments.shards, arguments.replicas)
    return cluster, list(cluster.servers.values())


def serve():
    parser = argparse.ArgumentParser(description="ClickHouse servers for as long as standard input is open")
    parser.add_argument("--shards", type=int, default=0, help="0: one server that has no cluster")
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--current", action="store_true", help="a current ClickHouse, which is one shard")
    try:
        lab, servers = make(parser.parse_args())
    except chdb.Unavailable as reason:
        print("skip", reason, flush=True)
        return
    with contextlib.closing(lab):
        print("ready", servers[0].password_file, *(f"{server.address}:{server.http_port}" for server in servers), flush=True)
        for line in sys.stdin:   # "kill 0"
            action, number = line.split()
            server = servers[int(number)]
            {"start": server.start, "kill": server.end, "pause": server.pause, "resume": server.resume,
             "stop": lambda: server.end(server.STOP)}[action]()
            print("done", flush=True)


if __name__ == "__main__":
    serve()
