#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A current ClickHouse behind HTTP, for tests: the engine as a library (libchdb, from npm), where Debian's server is of 2018.

clickhouse.py's Engine runs this program. It takes requests as a server does (database, settings and query_id in the
URL, a statement followed by its data in the body) and gives each to the engine on a connection, so in a session, of its own:
statements, Native blocks and answers are the ones of the caller, and so are errors. It knows no users. It is in a cluster, of the
one shard that it is itself.

The library is $WHERETO_LIBCHDB, or is installed by npm into $WHERETO_CHDB_DIR, at first use (180 MB; the lock file tells
what it must be). Data lasts as long as the folder given, kill -9 or not."""

import ctypes
import fcntl
import http.server
import os
import platform
import re
import shutil
import subprocess
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.join(HERE, "..", "lab", "chdb")
LIBRARY = os.path.join("node_modules", "@chdb", "lib-linux-x64-gnu", "libchdb.so")
INSTALL_S = 240
NOT_SETTINGS = {"query", "database", "query_id", "user", "password", "default_format",   # of HTTP's parameters
                "wait_end_of_query", "buffer_size",
                "prefer_localhost_replica"}   # there is no other way to itself: it has no port
FORMAT = re.compile(rb"\sFORMAT\s+(\w+)\s*$", re.IGNORECASE)

CONFIG = """<clickhouse>
<remote_servers><{name}><shard><internal_replication>true</internal_replication>
<replica><host>127.0.0.1</host><port>9000</port></replica></shard></{name}></remote_servers>
<tcp_port>9000</tcp_port> <timezone>UTC</timezone>
</clickhouse>
"""


class Unavailable(Exception):
    """There can be none on this machine; the text says why."""


def _install(folder):
    os.makedirs(folder, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(PACKAGE, name), folder)
    try:
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline",
                               "--fetch-retries=1", "--fetch-retry-mintimeout=1000"], cwd=folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=INSTALL_S, check=False)
    except subprocess.TimeoutExpired as late:
        raise Unavailable(f"npm did not install libchdb in {INSTALL_S} s") from late
    if done.returncode:
        errors = [line for line in done.stdout.splitlines() if "npm error" in line or "npm ERR!" in line]
        raise Unavailable(f"npm cannot install libchdb: {' '.join(errors[:2])}")


def library():
    """Its path; it is installed if need be."""
    path = os.environ.get("WHERETO_LIBCHDB")
    if path:
        return path
    folder = os.environ.get("WHERETO_CHDB_DIR")
    if not folder:
        raise Unavailable("neither WHERETO_LIBCHDB (the file) nor WHERETO_CHDB_DIR (where to install it) is set")
    if platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc":
        raise Unavailable("npm's libchdb is for x86_64 and glibc")
    if not shutil.which("npm"):
        raise Unavailable("npm is missing")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w", encoding="ascii") as lock:   # for tests that run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = os.path.join(folder, "installed")
        with open(os.path.join(PACKAGE, "package-lock.json"), encoding="ascii") as file:
            wanted = file.read()
        if not os.path.exists(stamp) or open(stamp, encoding="ascii").read() != wanted:
            _install(folder)
            with open(stamp, "w", encoding="ascii") as file:
                file.write(wanted)
    return os.path.join(folder, LIBRARY)


class Engine:
    """The library with one data folder."""

    FUNCTIONS = {   # result, arguments
        "chdb_connect": (ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)),
        "chdb_close_conn": (None, ctypes.POINTER(ctypes.c_void_p)),
        "chdb_query_n": (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t),
        "chdb_stream_insert_n": (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p,
                                 ctypes.c_size_t),
        "chdb_stream_insert_error": (ctypes.c_char_p, ctypes.c_void_p),
        "chdb_stream_append": (ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t),
        "chdb_stream_done": (ctypes.c_void_p, ctypes.c_void_p),
        "chdb_destroy_insert_stream": (None, ctypes.c_void_p),
        "chdb_result_buffer": (ctypes.c_void_p, ctypes.c_void_p),
        "chdb_result_length": (ctypes.c_size_t, ctypes.c_void_p),
        "chdb_result_error": (ctypes.c_char_p, ctypes.c_void_p),
        "chdb_destroy_query_result": (None, ctypes.c_void_p),
        "chdb_set_signal_handlers_enabled": (None, ctypes.c_int),
    }

    def __init__(self, path, folder, cluster):
        # An INSERT that lacks its data would read them from there.
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        loaded = ctypes.CDLL(path)
        for name, (result, *arguments) in self.FUNCTIONS.items():
            function = getattr(loaded, name)
            function.restype, function.argtypes = result, arguments
        self.library = loaded
        config = os.path.join(folder, "config.xml")
        with open(config, "w", encoding="ascii") as file:
            file.write(CONFIG.format(name=cluster))
        words = [b"chdb", f"--path={folder}/data".encode(), f"--config-file={config}".encode()]
        self.arguments = (ctypes.c_char_p * len(words))(*words)
        loaded.chdb_set_signal_handlers_enabled(0)
        self.first = self._connect()   # the engine lives as long as a connection does

    def _connect(self):
        connection = self.library.chdb_connect(len(self.arguments), self.arguments)
        if not connection:
            raise RuntimeError("the engine does not start")
        return connection

    def _run(self, connection, statement, output):
        return self._answer(self.library.chdb_query_n(connection[0], statement, len(statement), output, len(output)))

    def _insert(self, connection, statement, name, data):
        """Data that are not text must not stand behind a statement: some of their bytes would be taken for a part of it."""
        stream = self.library.chdb_stream_insert_n(connection[0], statement, len(statement), name, len(name))
        try:
            error = self.library.chdb_stream_insert_error(stream)
            if error:
                raise RuntimeError(error.decode(errors="replace"))
            self.library.chdb_stream_append(stream, data, len(data))   # its error is told at the end
            return self._answer(self.library.chdb_stream_done(stream))
        finally:
            self.library.chdb_destroy_insert_stream(stream)

    def _answer(self, result):
        try:
            error = self.library.chdb_result_error(result)
            if error:
                raise RuntimeError(error.decode(errors="replace"))
            length = self.library.chdb_result_length(result)
            return ctypes.string_at(self.library.chdb_result_buffer(result), length) if length else b""
        finally:
            self.library.chdb_destroy_query_result(result)

    def run(self, statement, data, database, settings, output):
        """data: the rest of an INSERT ... FORMAT NAME. In a session of its own. An error of the engine is a RuntimeError."""
        connection = self._connect()
        try:
            if database:
                self._run(connection, f"USE `{database}`".encode(), b"Null")
            for name, value in settings.items():
                quoted = value.replace("\\", "\\\\").replace("'", "\\'")
                self._run(connection, f"SET {name} = '{quoted}'".encode(), b"Null")
            insert = FORMAT.search(statement) if data else None
            if insert:
                return self._insert(connection, statement[:insert.start()], insert[1], data)
            return self._run(connection, statement + b"\n" + data if statement else data, output)
        finally:
            self.library.chdb_close_conn(connection)


class Handler(http.server.BaseHTTPRequestHandler):
    """What a server's HTTP interface does with a request."""

    protocol_version = "HTTP/1.1"
    engine = None

    def do_GET(self):
        self._answer(200, b"Ok.\n") if self.path == "/ping" else self._ask(b"")

    def do_POST(self):
        self._ask(self._body())

    def _body(self):
        """What came of it, if the connection breaks."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b""
        while True:
            size = int(self.rfile.readline().split(b";")[0].strip() or b"0", 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if not size:
                return body

    def _ask(self, body):
        given = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query, keep_blank_values=True))
        settings = {name: value for name, value in given.items() if name not in NOT_SETTINGS}
        try:
            result = self.engine.run(given.get("query", "").encode(), body, given.get("database"), settings,
                                     given.get("default_format", "TabSeparated").encode())
        except RuntimeError as error:
            code = re.match(r"Code: (\d+)", str(error))
            self._answer(500, f"{error}\n".encode(), code[1] if code else "1")
        else:
            self._answer(200, result)

    def _answer(self, status, body, code=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if code:
            self.send_header("X-ClickHouse-Exception-Code", code)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):   # pylint: disable=redefined-builtin
        sys.stderr.write(f"{format % arguments}\n")


class HttpServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def main():
    address, port, folder, cluster = sys.argv[1:]
    Handler.engine = Engine(library(), folder, cluster)
    HttpServer((address, int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
