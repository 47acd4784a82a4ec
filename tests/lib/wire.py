# SPDX-License-Identifier: BSD-2-Clause
"""The datagram a second time, written from docs/wire.md alone: what this module sends, any collector that
keeps to that page accepts.

    sender = Sender(secret, name="web1")
    socket.send(sender.seal(Body(sender.name, records=[Record("203.0.113.9", "192.0.2.10", bytes_sent=7)])))
    ack = sender.open_ack(socket.recv(9000))
    ack.accepted(0)                             # is datagram 0 on the collector's disk?

Values are plain: addresses and names are text, times are milliseconds. Bodies and headers can be given
as they must not be, too: nothing here checks what it writes. What it reads it checks as the page says,
and raises Malformed or BadTag."""

import base64
import dataclasses
import ipaddress
import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

RECORDS, ACK = 1, 2
WINDOW = 8192
DATAGRAM_MAX = 9000
TAG_BYTES = 16
PROMPT = 1

APPROXIMATE, CLIENT_V6, RTT, FIRST_FIGURE = 0, 1, 2, 3
FIGURES = ("bytes_sent", "bytes_received", "packets_sent", "packets_retransmitted", "bytes_retransmitted",
           "packets_spurious", "connections", "connections_with_retransmit", "requests", "duration_ms",
           "goodput_tested", "goodput_met")
FIGURE_MAX = 1 << 50


class Malformed(Exception):
    """Not of this protocol."""


class BadTag(Exception):
    """The seal does not verify."""


# Numbers.

def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def zigzag(n):
    return varint((n << 1 ^ n >> 63) & (1 << 64) - 1)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if self.at + n > len(self.data):
            raise Malformed(f"{n} bytes wanted at {self.at} of {len(self.data)}")
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def varint(self):
        n = 0
        for shift in range(0, 70, 7):
            byte = self.number(1)
            n |= (byte & 0x7F) << shift
            if byte < 0x80:
                if n >> 64:
                    raise Malformed("a varint of more than 64 bits")
                return n
        raise Malformed("a varint of more than ten bytes")

    def zigzag(self):
        n = self.varint()
        return n >> 1 ^ -(n & 1)

    def address(self, v6):
        return str(ipaddress.ip_address(self.take(16 if v6 else 4)))


def pack_address(text):
    return ipaddress.ip_address(text).packed


# The body of records.

class Record:
    """time None: the body's. figures by their names; unknown: {bit: value} of later versions."""

    def __init__(self, client, server, kind=None, time=None, approximate=False, rtt=(), unknown=None, **figures):
        self.client, self.server, self.kind, self.time = client, server, kind, time
        self.approximate, self.rtt, self.unknown, self.figures = approximate, tuple(rtt), unknown or {}, figures

    def __eq__(self, other):
        return vars(self) == vars(other)

    def __repr__(self):
        return f"Record({vars(self)})"

    def pack(self, base, servers, types):
        client = pack_address(self.client)
        mask = self.approximate << APPROXIMATE | (len(client) == 16) << CLIENT_V6 | bool(self.rtt) << RTT
        values = {FIRST_FIGURE + FIGURES.index(name): value for name, value in self.figures.items()}
        values.update(self.unknown)
        for bit in values:
            mask |= 1 << bit
        out = [varint(mask), zigzag((base if self.time is None else self.time) - base), client,
               varint(servers.index(self.server)), varint(types.index(self.kind) + 1 if self.kind else 0)]
        if self.rtt:
            out += [bytes([len(self.rtt)]), *map(varint, self.rtt)]
        return b"".join(out + [varint(values[bit]) for bit in sorted(values)])


def read_record(reader, base, servers, types):
    mask = reader.varint()
    time = base + reader.zigzag()
    client = reader.address(mask >> CLIENT_V6 & 1)
    server, kind = reader.varint(), reader.varint()
    if server >= len(servers) or kind > len(types):
        raise Malformed("a server or type that isn't in its table")
    rtt = [reader.varint() for _ in range(reader.number(1))] if mask >> RTT & 1 else []
    figures, unknown = {}, {}
    for bit in range(FIRST_FIGURE, mask.bit_length()):
        if mask >> bit & 1:
            known = bit - FIRST_FIGURE < len(FIGURES)
            (figures if known else unknown)[FIGURES[bit - FIRST_FIGURE] if known else bit] = reader.varint()
    return Record(client, servers[server], types[kind - 1] if kind else None, time, bool(mask & 1), rtt, unknown,
                  **figures)


@dataclasses.dataclass
class Body:
    name: str
    time: int = 0
    records: list = dataclasses.field(default_factory=list)
    flags: int = 0
    records_before: int = 0
    dropped: int = 0
    oldest: int = 0
    acknowledged: int = 0

    def pack(self, count=None):
        """count: how many records it shall claim to have."""
        servers = list(dict.fromkeys(record.server for record in self.records))
        types = list(dict.fromkeys(record.kind for record in self.records if record.kind))
        name = self.name.encode()
        out = [struct.pack(">BQQQQQB", self.flags, self.time, self.records_before, self.dropped, self.oldest,
                           self.acknowledged, len(name)), name]
        out.append(varint(len(servers)))
        for server in map(pack_address, servers):
            out += [bytes([6 if len(server) == 16 else 4]), server]
        out.append(varint(len(types)))
        for kind in types:
            out += [varint(len(kind.encode())), kind.encode()]
        out.append(varint(len(self.records) if count is None else count))
        out += [record.pack(self.time, servers, types) for record in self.records]
        return b"".join(out)


def read_body(data):
    reader = Reader(data)
    flags, time, before, dropped, oldest, acknowledged, length = struct.unpack(">BQQQQQB", reader.take(42))
    if not 1 <= length <= 64:
        raise Malformed(f"a name of {length} bytes")
    name = reader.take(length).decode()
    servers, types = [], []
    for _ in range(at_most(reader.varint(), 64)):
        family = reader.number(1)
        if family not in (4, 6):
            raise Malformed(f"address family {family}")
        servers.append(reader.address(family == 6))
    for _ in range(at_most(reader.varint(), 64)):
        types.append(reader.take(at_most(reader.varint(), 64)).decode())
    records = [read_record(reader, time, servers, types) for _ in range(reader.varint())]
    return Body(name, time, records, flags, before, dropped, oldest, acknowledged)


def at_most(n, limit):
    if n > limit:
        raise Malformed(f"{n}, where {limit} is the most")
    return n


# The body of an acknowledgement.

@dataclasses.dataclass
class Ack:
    collector: str
    base: int
    beyond: frozenset = frozenset()   # numbers above base that are on disk too

    def accepted(self, number):
        return number < self.base or number in self.beyond

    def pack(self):
        name = self.collector.encode()
        bitmap = bytearray((max(self.beyond, default=self.base) - self.base + 7) // 8)
        for number in self.beyond:
            at = number - self.base - 1
            bitmap[at // 8] |= 1 << at % 8
        return bytes([len(name)]) + name + struct.pack(">QH", self.base, len(bitmap)) + bytes(bitmap)


def read_ack(data):
    reader = Reader(data)
    name = reader.take(at_most(reader.number(1), 64)).decode()
    base = reader.number(8)
    bitmap = reader.take(at_most(reader.number(2), 1024))
    return Ack(name, base, frozenset(base + 1 + at for at in range(8 * len(bitmap)) if bitmap[at // 8] >> at % 8 & 1))


# Headers and seals.

@dataclasses.dataclass
class Header:
    kind: int
    key_id: int
    session: bytes
    sequence: int
    run: bytes = b""
    magic: bytes = b"WT"
    version: int = 1

    def pack(self):
        return self.magic + struct.pack(">BBI", self.version, self.kind, self.key_id) + self.session \
            + struct.pack(">Q", self.sequence) + self.run


def read_header(datagram):
    """(header, clear bytes, sealed bytes)"""
    if len(datagram) > DATAGRAM_MAX:
        raise Malformed(f"{len(datagram)} bytes")
    reader = Reader(datagram)
    magic = reader.take(2)
    version, kind, key_id = struct.unpack(">BBI", reader.take(6))
    if magic != b"WT" or version != 1 or kind not in (RECORDS, ACK):
        raise Malformed(f"{magic!r} version {version} kind {kind}")
    session, sequence = reader.take(16), reader.number(8)
    run = reader.take(16) if kind == ACK else b""
    clear, sealed = datagram[:reader.at], datagram[reader.at:]
    if len(sealed) < TAG_BYTES:
        raise Malformed("too short for a tag")
    return Header(kind, key_id, session, sequence, run), clear, sealed


def cipher(secret, header):
    info = b"whereto 1 records" if header.kind == RECORDS else b"whereto 1 acks"
    salt = header.session + header.run
    return AESGCM(HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=info).derive(secret))


def nonce(header):
    return bytes(4) + struct.pack(">Q", header.sequence)


def seal(secret, header, body):
    clear = header.pack()
    return clear + cipher(secret, header).encrypt(nonce(header), body, clear)


def open_sealed(secret, datagram):
    """(header, body's bytes)"""
    header, clear, sealed = read_header(datagram)
    try:
        return header, cipher(secret, header).decrypt(nonce(header), sealed, clear)
    except InvalidTag:
        raise BadTag(f"datagram {header.sequence} of key {header.key_id}") from None


def load_key(path):
    with open(path, encoding="ascii") as file:
        return base64.b64decode(file.readline(), validate=False)


class Sender:
    """One session: numbers its datagrams and counts their records."""

    def __init__(self, secret, name="web1", key_id=1, session=None):
        self.secret, self.name, self.key_id = secret, name, key_id
        self.session = session or os.urandom(16)
        self.next = self.sent = 0

    def seal(self, body, number=None):
        """The next datagram, or the one of this number; the count of earlier records is put in."""
        if number is None:
            number = self.next
        self.next = max(self.next, number + 1)
        body.records_before = self.sent
        self.sent += len(body.records)
        return self.seal_bytes(body.pack(), number)

    def seal_bytes(self, body, number):
        return seal(self.secret, Header(RECORDS, self.key_id, self.session, number), body)

    def open_ack(self, datagram):
        header, body = open_sealed(self.secret, datagram)
        if header.kind != ACK or header.session != self.session or header.key_id != self.key_id:
            raise Malformed(f"not an acknowledgement of this session: {header}")
        return read_ack(body)
