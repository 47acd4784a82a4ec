# SPDX-License-Identifier: BSD-2-Clause
"""A router that sends BMP (RFC 7854, 8671, 9069), for what no daemon at hand sends.

    with Exporter(("127.0.0.1", port), address="127.0.2.1") as router:
        peer = Peer("192.0.2.1", 64500)
        router.send(initiation(), peer_up(peer), *monitoring(peer, update_messages(table)))

Messages are bytes; a test may damage them."""

import socket
import struct
import time

from bgpspeaker import capabilities, open_message
from mrtgen import pack_address

ROUTE, STATISTICS, PEER_DOWN, PEER_UP, INITIATION, TERMINATION, MIRRORING = range(7)
GLOBAL, DISTINGUISHED, LOCAL, LOC_RIB = range(4)
V6, POST_POLICY, TWO_BYTE, ADJ_RIB_OUT = 0x80, 0x40, 0x20, 0x10


def message(kind, body, version=3):
    return struct.pack(">BIB", version, 6 + len(body), kind) + body


def tlv(kind, value):
    return struct.pack(">HH", kind, len(value)) + value


class Peer:
    """A peer of the exporting router. flags: those of its routes; Peer Up and Down go out with none but V."""

    def __init__(self, address, asn, router_id="192.0.2.99", kind=GLOBAL, distinguisher=0, flags=0,
                 sent=None, received=None):
        self.address, self.asn, self.router_id, self.kind = address, asn, router_id, kind
        self.distinguisher, self.flags = distinguisher, flags
        self.sent = capabilities(asn) if sent is None else sent             # by the router
        self.received = capabilities(asn) if received is None else received   # from the peer

    def header(self, flags=0):
        packed = pack_address(self.address) if self.address else bytes(4)
        flags |= V6 if len(packed) == 16 else 0
        return struct.pack(">BBQ", self.kind, flags, self.distinguisher) + packed.rjust(16, b"\0") \
            + struct.pack(">I", self.asn) + socket.inet_aton(self.router_id) + struct.pack(">II", int(time.time()), 0)


def initiation(name="exporter", description="a test"):
    return message(INITIATION, tlv(1, description.encode()) + tlv(2, name.encode()))


def termination(reason=0):
    return message(TERMINATION, tlv(1, struct.pack(">H", reason)))


def peer_up(peer, local="192.0.2.98", tlvs=b""):
    sent = open_message(peer.asn, "192.0.2.98", 90, peer.sent)
    received = open_message(peer.asn, peer.router_id, 90, peer.received)
    return message(PEER_UP, peer.header() + pack_address(local).rjust(16, b"\0") + struct.pack(">HH", 179, 40000)
                   + sent + received + tlvs)


def peer_down(peer, reason=4, data=b""):
    return message(PEER_DOWN, peer.header() + bytes([reason]) + data)


def monitoring(peer, updates, flags=None):
    """One Route Monitoring for each UPDATE of a list."""
    head = peer.header(peer.flags if flags is None else flags)
    return [message(ROUTE, head + update) for update in updates]


def statistics(peer, counters):
    """counters: {type: value}, 32 bits wide."""
    return message(STATISTICS, peer.header() + struct.pack(">I", len(counters))
                   + b"".join(tlv(kind, struct.pack(">I", value)) for kind, value in counters.items()))


class Exporter:
    def __init__(self, target, address):
        self._socket = socket.create_connection(target, 20, source_address=(address, 0))
        self._socket.settimeout(60)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def send(self, *parts):
        self._socket.sendall(b"".join(parts))

    def closed_by_station(self, timeout_s=10):
        """True when the station closes within the time."""
        self._socket.settimeout(timeout_s)
        try:
            return self._socket.recv(1) == b""
        except ConnectionError:
            return True
        except socket.timeout:
            return False

    def close(self):
        self._socket.close()
