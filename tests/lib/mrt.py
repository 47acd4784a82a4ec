# SPDX-License-Identifier: BSD-2-Clause
"""Small routing tables as MRT files (RFC 6396, TABLE_DUMP_V2), written without the code under test.

    mrt.write("edge1.mrt", [("203.0.113.0/24", [64500, 64496]), ("2001:db8::/32", [64500])])"""

import ipaddress
import struct

TABLE_DUMP_V2 = 13
PEER_INDEX_TABLE, RIB_IPV4_UNICAST, RIB_IPV6_UNICAST = 1, 2, 4
TIME = 1767225600  # 2026-01-01


def _record(subtype, body):
    return struct.pack("!IHHI", TIME, TABLE_DUMP_V2, subtype, len(body)) + body


def _peer_index(peer, asn):
    """One peer with an IPv4 address and a four-byte AS number, without a view name."""
    entry = b"\x02" + peer.packed + peer.packed + struct.pack("!I", asn)
    return _record(PEER_INDEX_TABLE, peer.packed + struct.pack("!HH", 0, 1) + entry)


def _attribute(flags, kind, value):
    return struct.pack("!BBB", flags, kind, len(value)) + value


def _attributes(network, path, peer):
    as_path = struct.pack("!BB", 2, len(path)) + b"".join(struct.pack("!I", asn) for asn in path)
    attributes = _attribute(0x40, 1, b"\x00") + _attribute(0x40, 2, as_path if path else b"")
    if network.version == 4:
        return attributes + _attribute(0x40, 3, peer.packed)
    next_hop = ipaddress.ip_address("2001:db8::1").packed
    return attributes + _attribute(0x80, 14, struct.pack("!B", 16) + next_hop)


def _route(number, network, path, peer):
    attributes = _attributes(network, path, peer)
    prefix = struct.pack("!B", network.prefixlen) + network.network_address.packed[:(network.prefixlen + 7) // 8]
    entry = struct.pack("!HIH", 0, TIME, len(attributes)) + attributes
    subtype = RIB_IPV4_UNICAST if network.version == 4 else RIB_IPV6_UNICAST
    return _record(subtype, struct.pack("!I", number) + prefix + struct.pack("!H", 1) + entry)


def table(routes, peer="198.51.100.1"):
    """The file's bytes; routes: (prefix, AS path), the peer being the first AS of the first path."""
    peer = ipaddress.ip_address(peer)
    asn = routes[0][1][0] if routes and routes[0][1] else 64500
    return _peer_index(peer, asn) + b"".join(
        _route(number, ipaddress.ip_network(prefix), path, peer) for number, (prefix, path) in enumerate(routes))


def write(file, routes, peer="198.51.100.1"):
    with open(file, "wb") as out:
        out.write(table(routes, peer))
