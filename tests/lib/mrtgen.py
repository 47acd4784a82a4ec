# SPDX-License-Identifier: BSD-2-Clause
"""Writes MRT files (RFC 6396, RFC 8050) for tests.

    peers = [Peer("192.0.2.1", 64500), Peer("2001:db8::1", 64501)]
    write_table("rib.mrt.gz", peers, [
        [("198.51.100.0/24", "64500 174 {7381,15169}", {"med": 7, "communities": ["174:1", "no-export"]})],
        [("2001:db8:1::/48", "64501 1299", {"next_hop": "2001:db8::1"})],
    ])

One list of routes per peer, each route a prefix, a path text as `whereto` and bgpdump print it, and a
dictionary of attributes; entries are grouped by prefix, prefixes in ascending order. The file's name
decides the compression: .gz, .bz2, .xz, .zst. Attributes (all may be left out):

    next_hop "192.0.2.1" or "2001:db8::1"   origin_code 0, 1, 2 or None (default 0)    med, local_pref
    communities, large_communities ["a:b"], ["a:b:c"]   ext_communities ["16 hexadecimal digits"]
    aggregator (as, "192.0.2.1")    atomic_aggregate True   originator_id   cluster_list ["192.0.2.1"]
    raw [(flags, code, bytes)], appended as they are    path_id (write_table(add_path=True))

Everything that takes bytes apart is in the tests' subject; this module only puts them together."""

import bz2
import gzip
import lzma
import socket
import struct

ORIGINS = {"IGP": 0, "EGP": 1, "INCOMPLETE": 2}
NAMED_COMMUNITIES = {"no-export": 0xFFFFFF01, "no-advertise": 0xFFFFFF02, "local-AS": 0xFFFFFF03}
OPEN = {"{": (1, "}"), "(": (3, ")"), "[": (4, "]")}


class Peer:
    def __init__(self, address, asn, router_id="192.0.2.255", two_byte=False):
        self.address, self.asn, self.router_id, self.two_byte = address, asn, router_id, two_byte


def pack_address(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def pack_prefix(text):
    """Length and as many bytes as it takes: (1 + n bytes, is IPv6). Host bits stay as written."""
    address, _, length = text.partition("/")
    packed = pack_address(address)
    bits = int(length)
    return bytes([bits]) + packed[:(bits + 7) // 8], len(packed) == 16


def prefix_key(text):
    address, _, length = text.partition("/")
    packed = pack_address(address)
    return len(packed), packed, int(length)


def pack_path(text, as_bytes=4):
    """A path's text as segments, split where they hold more than 255."""
    form = ">%d" + ("I" if as_bytes == 4 else "H")
    out = []

    def segment(kind, members):
        for at in range(0, len(members), 255):
            part = members[at:at + 255]
            out.append(bytes([kind, len(part)]) + struct.pack(form % len(part), *part))

    sequence = []
    at = 0
    while at < len(text):
        if text[at] in OPEN:
            segment(2, sequence)
            sequence = []
            kind, close = OPEN[text[at]]
            end = text.index(close, at)
            segment(kind, [int(n) for n in text[at + 1:end].replace(",", " ").split()])
            at = end + 1
        elif text[at] == " ":
            at += 1
        else:
            end = at
            while end < len(text) and text[end].isdigit():
                end += 1
            sequence.append(int(text[at:end]))
            at = end
    segment(2, sequence)
    return b"".join(out)


def pack_community(text):
    if text in NAMED_COMMUNITIES:
        return struct.pack(">I", NAMED_COMMUNITIES[text])
    high, low = text.split(":")
    return struct.pack(">HH", int(high), int(low))


def attribute(flags, code, value):
    if len(value) > 255:
        return struct.pack(">BBH", flags | 0x10, code, len(value)) + value
    return struct.pack(">BBB", flags, code, len(value)) + value


def mp_reach_full(next_hop, prefixes, afi=2, safi=1):
    """The value of a whole MP_REACH_NLRI (RFC 4760); next_hop and prefixes are packed."""
    return struct.pack(">HBB", afi, safi, len(next_hop)) + next_hop + b"\0" + prefixes


def pack_attributes(path, attrs, ipv6=False, as_bytes=4, mp_reach=None):
    """A block of path attributes. mp_reach: the value to use for MP_REACH_NLRI; without, a next hop for an
    IPv6 prefix is written in the abbreviated form of table dumps."""
    out = []
    add = out.append
    if attrs.get("origin_code", 0) is not None:
        add(attribute(0x40, 1, bytes([attrs.get("origin_code", 0)])))
    if path is not None:
        add(attribute(0x40, 2, pack_path(path, as_bytes)))
    next_hop = attrs.get("next_hop")
    packed = pack_address(next_hop) if next_hop else b""
    if len(packed) == 4:
        add(attribute(0x40, 3, packed))
    if "med" in attrs:
        add(attribute(0x80, 4, struct.pack(">I", attrs["med"])))
    if "local_pref" in attrs:
        add(attribute(0x40, 5, struct.pack(">I", attrs["local_pref"])))
    if attrs.get("atomic_aggregate"):
        add(attribute(0x40, 6, b""))
    if "aggregator" in attrs:
        asn, address = attrs["aggregator"]
        add(attribute(0xC0, 7, struct.pack(">I" if as_bytes == 4 else ">H", asn) + pack_address(address)))
    if "communities" in attrs:
        add(attribute(0xC0, 8, b"".join(pack_community(c) for c in attrs["communities"])))
    if "originator_id" in attrs:
        add(attribute(0x80, 9, pack_address(attrs["originator_id"])))
    if "cluster_list" in attrs:
        add(attribute(0x80, 10, b"".join(pack_address(c) for c in attrs["cluster_list"])))
    if mp_reach is not None:
        add(attribute(0x80, 14, mp_reach))
    elif len(packed) == 16:
        local = pack_address(attrs["link_local"]) if "link_local" in attrs else b""
        add(attribute(0x80, 14, bytes([len(packed + local)]) + packed + local))
    if "ext_communities" in attrs:
        add(attribute(0xC0, 16, b"".join(bytes.fromhex(c) for c in attrs["ext_communities"])))
    if "large_communities" in attrs:
        add(attribute(0xC0, 32, b"".join(struct.pack(">III", *map(int, c.split(":")))
                                         for c in attrs["large_communities"])))
    for flags, code, value in attrs.get("raw", ()):
        add(attribute(flags, code, value))
    return b"".join(out)


def record(time, kind, subtype, body):
    return struct.pack(">IHHI", time, kind, subtype, len(body)) + body


def peer_index_table(peers, time=1700000000, view_name=b"", collector_id="192.0.2.255"):
    body = [pack_address(collector_id), struct.pack(">H", len(view_name)), view_name, struct.pack(">H", len(peers))]
    for peer in peers:
        address = pack_address(peer.address)
        kind = (1 if len(address) == 16 else 0) | (0 if peer.two_byte else 2)
        body.append(bytes([kind]) + pack_address(peer.router_id) + address)
        body.append(struct.pack(">H" if peer.two_byte else ">I", peer.asn))
    return record(time, 13, 1, b"".join(body))


def pack_entries(entries, ids):
    out = [struct.pack(">H", len(entries))]
    for peer, originated, path_id, block in entries:
        if ids:
            out.append(struct.pack(">HIIH", peer, originated, path_id, len(block)))
        else:
            out.append(struct.pack(">HIH", peer, originated, len(block)))
        out.append(block)
    return b"".join(out)


def rib_record(sequence, prefix, entries, time=1700000000, add_path=False, multicast=False):
    """entries: (peer index, originated, path id, packed attributes)."""
    packed, ipv6 = pack_prefix(prefix)
    subtype = (4 if ipv6 else 2) + (6 if add_path else 0) + (1 if multicast else 0)
    return record(time, 13, subtype, struct.pack(">I", sequence) + packed + pack_entries(entries, add_path))


def generic_record(sequence, afi, safi, nlri_bytes, entries, time=1700000000, add_path=False, path_id=None):
    """RIB_GENERIC. With ADD-PATH as GoBGP and OpenBGPD write it, or, given path_id, as RFC 8050 has it."""
    body = struct.pack(">IHB", sequence, afi, safi) + (b"" if path_id is None else struct.pack(">I", path_id))
    body += nlri_bytes + pack_entries(entries, add_path and path_id is None)
    return record(time, 13, 12 if add_path else 6, body)


def table_records(peers, routes, time=1700000000, add_path=False, full_mp_reach=False):
    """The records of write_table one by one. full_mp_reach: IPv6 next hops in the form of an UPDATE, as
    FRR and GoBGP write them."""
    yield peer_index_table(peers, time)
    by_prefix = {}
    for peer, own in enumerate(routes):
        for prefix, path, attrs in own:
            by_prefix.setdefault(prefix, []).append((peer, path, attrs))
    cache = {}
    for sequence, prefix in enumerate(sorted(by_prefix, key=prefix_key)):
        entries = []
        for peer, path, attrs in by_prefix[prefix]:
            key = (path, id(attrs))
            block = cache.get(key)
            if block is None:
                ipv6 = ":" in prefix
                full = None
                if full_mp_reach and ipv6 and ":" in attrs.get("next_hop", ""):
                    full = mp_reach_full(pack_address(attrs["next_hop"]), pack_prefix(prefix)[0])
                block = pack_attributes(path, attrs, ipv6, mp_reach=full)
                if full is None:
                    cache[key] = block
            entries.append((peer, time - 60, attrs.get("path_id", 0), block))
        yield rib_record(sequence, prefix, entries, time, add_path)


def table_dump_record(sequence, prefix, peer, path, attrs, time=1700000000, as_bytes=2):
    """TABLE_DUMP (RFC 6396 section 4.2): one prefix of one peer."""
    address, _, length = prefix.partition("/")
    packed = pack_address(address)
    block = pack_attributes(path, attrs, len(packed) == 16, as_bytes)
    body = struct.pack(">HH", 0, sequence & 0xFFFF) + packed + struct.pack(">BBI", int(length), 1, time - 60)
    body += pack_address(peer.address) + struct.pack(">I" if as_bytes == 4 else ">H", peer.asn)
    subtype = (2 if len(packed) == 16 else 1) + (2 if as_bytes == 4 else 0)
    return record(time, 12, subtype, body + struct.pack(">H", len(block)) + block)


def update(block=b"", nlri=b"", withdrawn=b""):
    """A whole BGP UPDATE message of packed parts."""
    body = struct.pack(">H", len(withdrawn)) + withdrawn + struct.pack(">H", len(block)) + block + nlri
    return b"\xff" * 16 + struct.pack(">HB", 19 + len(body), 2) + body


def nlri(prefixes, path_id=None):
    return b"".join((b"" if path_id is None else struct.pack(">I", path_id)) + pack_prefix(p)[0] for p in prefixes)


def session_head(peer, local, as_bytes):
    address = pack_address(peer.address)
    return (struct.pack(">II" if as_bytes == 4 else ">HH", peer.asn, local.asn)
            + struct.pack(">HH", 0, 2 if len(address) == 16 else 1) + address + pack_address(local.address))


def message_record(message, peer, local, as_bytes=4, time=1700000000, microseconds=None, sent=False,
                   add_path=False):
    """BGP4MP, or BGP4MP_ET with microseconds."""
    subtype = {(2, False): 1, (4, False): 4, (2, True): 6, (4, True): 7}[as_bytes, sent]
    if add_path:
        subtype = {1: 8, 4: 9, 6: 10, 7: 11}[subtype]
    body = session_head(peer, local, as_bytes) + message
    if microseconds is None:
        return record(time, 16, subtype, body)
    return record(time, 17, subtype, struct.pack(">I", microseconds) + body)


def old_message_record(message, peer, local, time=1700000000):
    """An UPDATE under the deprecated type 5, which has no message header."""
    body = struct.pack(">H", peer.asn) + pack_address(peer.address)
    body += struct.pack(">H", local.asn) + pack_address(local.address) + message[19:]
    return record(time, 5, 1, body)


def old_state_record(old, new, peer, time=1700000000):
    return record(time, 5, 3, struct.pack(">H", peer.asn) + pack_address(peer.address) + struct.pack(">HH", old, new))


def state_record(old, new, peer, local, as_bytes=4, time=1700000000):
    return record(time, 16, 5 if as_bytes == 4 else 0,
                  session_head(peer, local, as_bytes) + struct.pack(">HH", old, new))


def zstd_stored(data):
    """A zstd frame (RFC 8878) of raw blocks: valid for every reader, without a compressor."""
    out = [b"\x28\xb5\x2f\xfd\xa0", struct.pack("<I", len(data))]
    starts = range(0, len(data), 1 << 17) if data else [0]
    for at in starts:
        part = data[at:at + (1 << 17)]
        last = at + (1 << 17) >= len(data)
        out.append(struct.pack("<I", len(part) << 3 | last)[:3] + part)
    return b"".join(out)


def compress(data, name):
    """As the ending of the name says."""
    if name.endswith(".gz"):
        return gzip.compress(data, 6, mtime=0)
    if name.endswith(".bz2"):
        return bz2.compress(data)
    if name.endswith(".xz"):
        return lzma.compress(data)
    if name.endswith(".zst"):
        return zstd_stored(data)
    return data


def write(path, records):
    data = compress(b"".join(records), str(path))
    with open(path, "wb") as file:
        file.write(data)


def write_table(path, peers, routes, **options):
    write(path, table_records(peers, routes, **options))


def write_paths(path, routes, peer="198.51.100.1"):
    """A small table of one peer: [("203.0.113.0/24", [64500, 64496])]."""
    asn = routes[0][1][0] if routes and routes[0][1] else 64500
    write_table(path, [Peer(peer, asn)], [[(prefix, " ".join(map(str, asns)), {}) for prefix, asns in routes]])
