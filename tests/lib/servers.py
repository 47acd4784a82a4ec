# SPDX-License-Identifier: BSD-2-Clause
"""Ordinary TCP servers, none of which knows of whereto: HAProxy, socat and a plain Python one, all of files in one
folder, on every address (IPv4 and IPv6) of the namespace they are started in.

    with PythonServer(folder, ports=[8003], unix="python.sock"), Haproxy(folder, [8001], "python.sock"), \\
            Socat(folder, 8004, "100k"):
        fetch("192.0.2.10", 8003, "100k")   # bytes received, by HTTP/1.0
        fetch("192.0.2.10", 8004)           # socat sends its file to whoever connects

They are ready when made, and are ended by their own pid."""

import collections
import enum
import fcntl
import os
import select
import shutil
import socket
import struct
import subprocess
import termios
import threading
import time

class State(enum.Enum):
    """TCP's states, as /proc/net/tcp has them."""
    ESTABLISHED = "01"
    CLOSE_WAIT = "08"
    LISTEN = "0A"


Socket = collections.namedtuple("Socket", "state unacknowledged unread")


def sockets(port):
    """Those of a server's port, seen without a connection, which would be counted. State: None for all others."""
    states = {state.value: state for state in State}
    for name in ("tcp", "tcp6"):
        with open(f"/proc/thread-self/net/{name}", encoding="ascii") as file:
            for words in map(str.split, file):
                if words[1].endswith(f":{port:04X}"):
                    sent, received = words[4].split(":")
                    yield Socket(states.get(words[3]), int(sent, 16), int(received, 16))


def is_listening(port):
    return any(each.state is State.LISTEN for each in sockets(port))


def wait_quiet(port):
    """Until the clients have acknowledged everything, so that nothing more is sent by itself."""
    wait_until(lambda: not any(each.unacknowledged for each in sockets(port)), "the clients' acknowledgements")


def wait_until(condition, what, timeout_s=30):
    """Asks until condition() is true; returns its value."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {timeout_s} s for {what}")
        select.select([], [], [], 0.02)
    return value


def unacknowledged(connection):
    """Bytes that the peer has not acknowledged."""
    return struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4)))[0]


def write_file(folder, name, size):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(os.urandom(size))


def fetch(server, port, name=None, source=None):
    """The number of bytes until the server closes, headers and all. With a name it is asked for, by HTTP/1.0."""
    with socket.create_connection((server, port), 30, source_address=(source, 0) if source else None) as connection:
        if name:
            connection.sendall(f"GET /{name} HTTP/1.0\r\nHost: test\r\n\r\n".encode())
        size = 0
        while data := connection.recv(1 << 16):
            size += len(data)
    return size


class PythonServer:
    """HTTP/1.0 by threads; one more listener on a unix socket for a proxy in front of it. It closes when the client has
    everything, so its FINs have no data with them."""

    def __init__(self, folder, ports, unix=None):
        self.folder = folder
        self.listeners = [socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512)
                          for port in ports]
        if unix:
            self.listeners.append(socket.socket(socket.AF_UNIX))
            self.listeners[-1].bind(os.path.join(folder, unix))
            self.listeners[-1].listen(512)
        for listener in self.listeners:
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for listener in self.listeners:
            listener.close()

    def _accept(self, listener):
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            request = b""
            while b"\r\n\r\n" not in request:
                data = connection.recv(4096)
                if not data:
                    return
                request += data
            name = os.path.basename(request.split()[1].decode())
            with open(os.path.join(self.folder, name), "rb") as file:
                body = file.read()
            connection.sendall(f"HTTP/1.0 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            if connection.family != socket.AF_UNIX:
                wait_until(lambda: unacknowledged(connection) == 0, "the client's last acknowledgement")


class Program:
    """A server program, ready when its ports are listened on."""

    def __init__(self, command, ports, log_file):
        with open(log_file, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until(lambda: all(map(is_listening, ports)) or self.process.poll() is not None, f"{command[0]} to listen")
            if self.process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended; see {log_file}")
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.process.kill()
        self.process.wait()


class Haproxy(Program):
    PROGRAM = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")

    def __init__(self, folder, ports, unix):
        file_name = os.path.join(folder, "haproxy.cfg")
        binds = "\n".join(f"    bind :::{port} v4v6" for port in ports)
        with open(file_name, "w", encoding="ascii") as file:
            file.write(f"""
global
    maxconn 2000
defaults
    mode http
    timeout connect 30s
    timeout client 30s
    timeout server 30s
frontend front
{binds}
    default_backend back
backend back
    server one unix@{os.path.join(folder, unix)}
""")
        super().__init__([self.PROGRAM, "-db", "-f", file_name], ports, os.path.join(folder, "haproxy.log"))


class Socat(Program):
    PROGRAM = shutil.which("socat")

    def __init__(self, folder, port, name):
        super().__init__([self.PROGRAM, "-U", f"TCP6-LISTEN:{port},ipv6only=0,reuseaddr,fork,backlog=512",
                          f"OPEN:{os.path.join(folder, name)},rdonly"], [port], os.path.join(folder, "socat.log"))

    def close(self):
        """Its children are children of ours no more when it is gone: they end with their connections."""
        super().close()
