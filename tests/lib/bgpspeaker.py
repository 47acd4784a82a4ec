# SPDX-License-Identifier: BSD-2-Clause
"""A BGP neighbour for tests: sends a table to a daemon or to the collector, packed, and whatever else it is given.

    with Speaker(("127.0.1.1", 179), address="127.0.2.1", asn=64500) as speaker:
        speaker.send(updates(table), end_of_rib())       # 50,000 routes: half a second
        speaker.send(withdrawals(["198.51.100.0/24"]))
        speaker.notification                             # (code, subcode) received, or None

Speaker connects, exchanges OPENs and then has a thread that answers with KEEPALIVEs and keeps what comes; send()
may be called from the test's own. Its OPEN is made of capabilities(), which a test may change: without add_path
for the session's form of NLRI and without four-byte AS numbers the tests pass the same to updates().

Messages are put together from tests/lib/mrtgen.py's parts. Nothing here checks that they make sense."""

import re
import socket
import struct
import threading
import time

import mrtgen
from bgptable import ext_community_raw

OPEN, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE_REFRESH = 1, 2, 3, 4, 5
AS_TRANS = 23456
MARKER = b"\xff" * 16
FAMILIES = (4, 6)
AFI = {4: 1, 6: 2}
RECEIVE, SEND, BOTH = 1, 2, 3  # ADD-PATH
ORIGINS = {"igp": 0, "egp": 1, "incomplete": 2}
TCP_MD5SIG = 14


class SpeakerError(Exception):
    """The session did not come up or broke where the test relies on it."""


# Messages.

def message(kind, body=b""):
    return MARKER + struct.pack(">HB", 19 + len(body), kind) + body


def afi_safi(family):
    return struct.pack(">HBB", AFI[family], 0, 1)


def capabilities(asn, families=FAMILIES, add_path=0, restart_s=None, restarted=False, preserved=()):
    """[(code, value)]. restart_s: offer graceful restart; preserved: families whose forwarding state was kept."""
    out = [(1, afi_safi(family)) for family in families] + [(2, b""), (70, b""), (65, struct.pack(">I", asn))]
    if add_path:
        out.append((69, b"".join(struct.pack(">HBB", AFI[family], 1, add_path) for family in families)))
    if restart_s is not None:
        out.append((64, struct.pack(">H", restarted << 15 | restart_s) + b"".join(
            struct.pack(">HBB", AFI[family], 1, 0x80 * (family in preserved)) for family in families)))
    return out


def open_message(asn, router_id, hold_s, capability_list):
    packed = b"".join(struct.pack(">BB", code, len(value)) + value for code, value in capability_list)
    parameters = struct.pack(">BB", 2, len(packed)) + packed if packed else b""
    return message(OPEN, struct.pack(">BHH", 4, asn if asn < 65536 else AS_TRANS, hold_s)
                   + socket.inet_aton(router_id) + bytes([len(parameters)]) + parameters)


def notification(code, subcode, data=b""):
    return message(NOTIFICATION, bytes([code, subcode]) + data)


def route_refresh(family, kind=0):
    """kind 1: BoRR, 2: EoRR (RFC 7313)."""
    return message(ROUTE_REFRESH, struct.pack(">HBB", AFI[family], kind, 1))


def end_of_rib(families=FAMILIES):
    no_ipv6 = mrtgen.attribute(0x80, 15, struct.pack(">HB", 2, 1))
    return b"".join(mrtgen.update() if family == 4 else mrtgen.update(no_ipv6) for family in families)


def _two_byte(attrs, path):
    """Path and attributes as a speaker with two-byte AS numbers sends them on (RFC 6793)."""
    short = re.sub(r"\d+", lambda word: word[0] if int(word[0]) < 65536 else str(AS_TRANS), path)
    if short != path:
        attrs["raw"].append((0xC0, 17, mrtgen.pack_path(path)))
    asn, address = attrs.get("aggregator", (0, ""))
    if asn > 65535:
        attrs["raw"].append((0xC0, 18, struct.pack(">I", asn) + mrtgen.pack_address(address)))
        attrs["aggregator"] = (AS_TRANS, address)
    return short


def wire_attributes(route):
    """bgptable.Attributes in mrtgen's words, without path and next hop."""
    attrs = {"origin_code": ORIGINS[route.origin_code]}
    for name in ("med", "local_pref"):
        if getattr(route, name) is not None:
            attrs[name] = getattr(route, name)
    for name in ("communities", "large_communities"):
        if getattr(route, name):
            attrs[name] = getattr(route, name).split()
    if route.ext_communities:
        attrs["ext_communities"] = [f"{ext_community_raw(text):016x}" for text in route.ext_communities.split()]
    if route.aggregator:
        asn, address = route.aggregator.split()
        attrs["aggregator"] = (int(asn), address)
    if route.atomic_aggregate:
        attrs["atomic_aggregate"] = True
    return attrs


def update_messages(table, path_id=None, as_bytes=4, raw=(), most_bytes=4096):
    """The table ({prefix: Attributes}) as a list of UPDATEs, as many prefixes in each as fit. raw: further
    attributes [(flags, code, value)] of all routes; path_id: in ADD-PATH's form."""
    groups = {}
    head = b"" if path_id is None else struct.pack(">I", path_id)
    for prefix, route in table.items():
        groups.setdefault((":" in prefix, route), []).append(head + mrtgen.pack_prefix(prefix)[0])
    out = []
    for (ipv6, route), prefixes in groups.items():
        attrs, path = wire_attributes(route), route.path
        attrs["raw"] = list(raw)
        next_hop = mrtgen.pack_address(route.next_hop)
        in_mp = ipv6 or len(next_hop) == 16
        if not in_mp:
            attrs["next_hop"] = route.next_hop
        if as_bytes == 2:
            path = _two_byte(attrs, path)
        block = mrtgen.pack_attributes(path, attrs, as_bytes=as_bytes)
        room = most_bytes - 23 - len(block) - (4 + 5 + len(next_hop) if in_mp else 0)
        at = 0
        while at < len(prefixes):
            end, size = at, 0
            while end < len(prefixes) and size + len(prefixes[end]) <= room:
                size += len(prefixes[end])
                end += 1
            nlri, at = b"".join(prefixes[at:end]), end
            if in_mp:
                reach = mrtgen.mp_reach_full(next_hop, nlri, AFI[6 if ipv6 else 4])
                out.append(mrtgen.update(mrtgen.attribute(0x80, 14, reach) + block))
            else:
                out.append(mrtgen.update(block, nlri))
    return out


def updates(table, **options):
    return b"".join(update_messages(table, **options))


def withdrawals(prefixes, path_id=None):
    out = []
    for ipv6 in (False, True):
        packed = [mrtgen.nlri([prefix], path_id) for prefix in prefixes if (":" in prefix) == ipv6]
        for at in range(0, len(packed), 150):
            part = b"".join(packed[at:at + 150])
            out.append(mrtgen.update(mrtgen.attribute(0x80, 15, struct.pack(">HB", 2, 1) + part)) if ipv6
                       else mrtgen.update(withdrawn=part))
    return b"".join(out)


# Sessions.

def set_md5(connection, peer, password):
    """TCP-MD5 (RFC 2385) with this peer; before connect() or listen()."""
    family = connection.family
    packed = socket.inet_pton(family, peer)
    address = struct.pack("=HH4s", family, 0, packed) if family == socket.AF_INET \
        else struct.pack("=HHI16sI", family, 0, 0, packed, 0)
    connection.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, struct.pack(
        "=128sBBHi80s", address, 0, 0, len(password), 0, password.encode()))


class Speaker:
    def __init__(self, target, address, asn=64500, router_id=None, hold_s=90, capability_list=None, md5=None,
                 timeout_s=20, establish=True):
        """target: (host, port), tried until it listens. address: ours. establish False: only the OPEN is sent, the
        test does the rest."""
        self.target, self.address, self.asn = target, address, asn
        self.router_id = router_id or (address if "." in address else "192.0.2.6")
        self.hold_s = hold_s
        self.capability_list = capabilities(asn) if capability_list is None else capability_list
        self.received = []          # (type, body), without KEEPALIVEs and UPDATEs
        self.notification = None
        self.closed = False
        self.established = False
        self._lock, self._changed = threading.Lock(), threading.Condition()
        deadline = time.monotonic() + timeout_s
        self._start(deadline, md5)
        while establish and not self.established:
            self.wait(lambda: self.established or self.closed, "the session", deadline - time.monotonic())
            if self.closed and not self.received and time.monotonic() < deadline:
                # Accepted and closed without a word: it is not ready for us, as after the last session's end.
                time.sleep(0.1)
                self.close()
                self.closed = False
                self._start(deadline, md5)
            elif self.closed:
                raise SpeakerError(f"{address}: the session was refused: {self.notification} {self.received}")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def send(self, *parts):
        with self._lock:
            for part in parts:
                self._socket.sendall(part)

    def wait(self, condition, what, timeout_s=20):
        """Until condition() is true; it is asked whenever something has come."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition() or self.closed, max(timeout_s, 0)) or not condition():
                raise SpeakerError(f"{self.address} waited for {what}: {self.notification} {self.received}")

    def close(self, cease=True):
        """cease False: without a NOTIFICATION, as when the router dies."""
        try:
            if cease and not self.closed:
                self.send(notification(6, 2))
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._thread.join()
        self._socket.close()

    def _start(self, deadline, md5):
        self._socket = self._connect(deadline, md5)
        self.send(open_message(self.asn, self.router_id, self.hold_s, self.capability_list))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _connect(self, deadline, md5):
        while True:
            connection = socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET)
            try:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                connection.bind((self.address, 0))
                if md5:
                    set_md5(connection, self.target[0], md5)
                connection.settimeout(max(deadline - time.monotonic(), 0.1))
                connection.connect(self.target)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.settimeout(None)
                return connection
            except OSError as error:
                connection.close()
                if time.monotonic() > deadline:
                    raise SpeakerError(f"{self.target} from {self.address}: {error}") from error
                time.sleep(0.05)

    def _run(self):
        data = b""
        self._socket.settimeout(max(self.hold_s / 3, 1))
        while True:
            try:
                more = self._socket.recv(1 << 16)
            except socket.timeout:
                self._keepalive()
                continue
            except OSError:
                more = b""
            if not more:
                break
            data = self._take(data + more)
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def _take(self, data):
        while len(data) >= 19 and len(data) >= int.from_bytes(data[16:18], "big"):
            length, kind = struct.unpack(">HB", data[16:19])
            body, data = data[19:length], data[length:]
            if kind in (OPEN, KEEPALIVE):
                self._keepalive()
            with self._changed:
                if kind not in (UPDATE, KEEPALIVE):
                    self.received.append((kind, body))
                if kind == NOTIFICATION:
                    self.notification = (body[0], body[1])
                self.established = self.established or kind == KEEPALIVE
                self._changed.notify_all()
        return data

    def _keepalive(self):
        try:
            self.send(message(KEEPALIVE))
        except OSError:
            pass
