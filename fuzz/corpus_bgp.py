#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes the seeds of fuzz_bgp, fuzz_update, fuzz_open and fuzz_bmp into corpus/NAME: small sessions that show each kind of
message, capability and attribute. Run it again when a decoder learns something new; the files are committed."""

import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "lib"))
import mrtgen  # noqa: E402

FULL = {"next_hop": "192.0.2.9", "med": 0, "local_pref": 4294967295, "communities": ["174:1", "65535:65281"],
        "large_communities": ["4200000000:1:2"], "ext_communities": ["0002fde800000064"],
        "aggregator": (23456, "203.0.113.5"), "atomic_aggregate": True, "originator_id": "192.0.2.33",
        "cluster_list": ["192.0.2.34"], "raw": [(0xC0, 99, b"\1\xff")]}
AS4 = {"raw": [(0xC0, 17, mrtgen.pack_path("7 {4200000000,9}")), (0xC0, 18, b"\0\1\0\1\xcb\0\x71\x07")]}
PATH = "(65001) 1 2 7 {5,9}"
KEEPALIVE = b"\xff" * 16 + b"\0\x13\4"


def message(kind, body):
    return b"\xff" * 16 + struct.pack(">HB", 19 + len(body), kind) + body


def capability(code, value=b""):
    return bytes([code, len(value)]) + value


def capabilities(asn):
    return [capability(1, b"\0\1\0\1"), capability(1, b"\0\2\0\1"), capability(2), capability(6), capability(70),
            capability(5, b"\0\1\0\1\0\2"), capability(64, b"\x80\x78\0\1\1\x80\0\2\1\0"),
            capability(65, struct.pack(">I", asn)), capability(69, b"\0\1\1\3\0\2\1\2"),
            capability(71, b"\0\1\1\x80\0\x0e\x10"), capability(73, b"\2fx")]


def open_message(asn, parts, extended=False, hold=90):
    form = ">BH" if extended else ">BB"
    parameters = b"".join(struct.pack(form, 2, len(p)) + p for p in parts)
    head = b"\xff\xff" + struct.pack(">H", len(parameters)) if extended else bytes([len(parameters)])
    return message(1, struct.pack(">BHH4s", 4, min(asn, 23456) if asn > 65535 else asn, hold, b"\x0a\0\0\x09")
                   + head + parameters)


def updates(as_bytes, path_id):
    block = mrtgen.pack_attributes(PATH, FULL if as_bytes == 4 else dict(FULL, raw=AS4["raw"]), as_bytes=as_bytes)
    yield mrtgen.update(block, mrtgen.nlri(["10.0.0.0/8", "0.0.0.0/0"], path_id), mrtgen.nlri(["11.0.0.0/8"], path_id))
    reach = mrtgen.mp_reach_full(mrtgen.pack_address("2001:db8::1") + mrtgen.pack_address("fe80::1"),
                                 mrtgen.nlri(["2001:db8::/32", "::/0"], path_id))
    unreach = {"raw": [(0x80, 15, b"\0\2\1" + mrtgen.nlri(["2001:db8:9::/48"], path_id))]}
    yield mrtgen.update(mrtgen.pack_attributes("1 2", unreach, as_bytes=as_bytes, mp_reach=reach))
    reach = mrtgen.mp_reach_full(mrtgen.pack_address("2001:db8::1"), mrtgen.nlri(["192.0.2.0/24"], path_id), afi=1)
    yield mrtgen.update(mrtgen.pack_attributes("1", {}, as_bytes=as_bytes, mp_reach=reach))
    yield mrtgen.update()
    yield mrtgen.update(mrtgen.attribute(0x80, 15, b"\0\2\1"))


def sessions():
    """Name, how it is read (mode, cut) and the stream."""
    for external in (False, True):
        asn = 64501 if external else 64500
        rest = b"".join(updates(4, 7)) + message(5, b"\0\2\1\1") + message(5, b"\0\2\2\1") + KEEPALIVE
        whole = open_message(asn, [b"".join(capabilities(asn))]) + KEEPALIVE
        name = "external" if external else "internal"
        yield f"session_{name}", 4 | 8 * external, 100, whole + rest + message(3, b"\6\2\4done")
    plain = [c for c in capabilities(64500) if c[0] not in (65, 69, 64)]
    yield "session_two_byte", 2, 60, open_message(64500, plain) + KEEPALIVE + b"".join(updates(2, None))
    yield "session_rfc9072", 0, 30, open_message(64500, capabilities(64500), extended=True) + KEEPALIVE
    yield "session_old", 2, 90, open_message(64500, []) + KEEPALIVE + next(iter(updates(2, None)))
    for mode, as_bytes, path_id in ((0, 4, None), (2, 2, None), (4, 4, 7), (17, 2, 7), (21, 2, None), (40, 4, None)):
        yield f"updates_{mode}", mode, 0, b"".join(updates(as_bytes, path_id))
    yield "hard_reset", 0, 0, message(3, b"\6\x09\6\2\2ok") + message(3, b"\4\0") + message(3, b"\2\1\0\4")
    bad = {"next_hop": "192.0.2.9", "raw": [(0xC0, 8, b"\1\2\3"), (0xC0, 7, b"\1")]}
    yield "malformed", 0, 0, (mrtgen.update(mrtgen.pack_attributes("1", bad), mrtgen.nlri(["10.0.0.0/8"]))
                              + mrtgen.update(b"\x40\2\2\2\0", mrtgen.nlri(["10.0.0.0/8"])))
    yield "long", 32, 0, mrtgen.update(b"", b"", b"\0" * 4200)


def bmp(kind, body, version=3):
    return struct.pack(">BIB", version, 6 + len(body), kind) + body


def peer(kind=0, flags=0, address="192.0.2.33", distinguisher=b"\0" * 8):
    packed = mrtgen.pack_address(address)
    return (bytes([kind, flags]) + distinguisher + packed.rjust(16, b"\0") + struct.pack(">I", 64501)
            + b"\x0a\0\0\x09" + struct.pack(">II", 1700000000, 5))


def tlv(kind, value):
    return struct.pack(">HH", kind, len(value)) + value


def peer_up(head, info=b""):
    opens = b"".join(open_message(asn, [b"".join(capabilities(asn))]) for asn in (64500, 64501))
    return bmp(3, head + b"\0" * 12 + b"\xc0\0\2\x22" + struct.pack(">HH", 179, 40000) + opens + info)


def streams():
    start = bmp(4, tlv(2, b"edge1") + tlv(1, b"FRRouting") + tlv(0, b"hello"))
    routes = list(updates(4, 7))
    yield "post_policy", start + peer_up(peer()) + b"".join(bmp(0, peer(0, 0x40) + u) for u in routes)
    yield "two_byte", b"".join(bmp(0, peer(0, 0x20) + u) for u in updates(2, None))
    yield "guessed", b"".join(bmp(0, peer() + u) for u in updates(2, None))
    yield "vrf_ipv6", peer_up(peer(1, 0x80, "2001:db8::1", b"\0\0\xfb\xf4\0\0\0\1")) + bmp(
        0, peer(1, 0x80, "2001:db8::1", b"\0\0\xfb\xf4\0\0\0\1") + routes[1])
    yield "loc_rib", (peer_up(peer(3, 0, "::"), tlv(3, b"global")) + bmp(0, peer(3, 0x80, "::") + routes[0])
                      + bmp(2, peer(3, 0, "::") + b"\6" + tlv(3, b"global")))
    yield "adj_rib_out", peer_up(peer(0, 0), tlv(4, b"out")) + bmp(0, peer(0, 0x50) + routes[0])
    yield "peer_down", (bmp(2, peer() + b"\1" + message(3, b"\6\2\2hi")) + bmp(2, peer() + b"\2\0\x18")
                        + bmp(2, peer() + b"\3" + message(3, b"\6\4")) + bmp(2, peer() + b"\4") + bmp(2, peer() + b"\5"))
    yield "statistics", bmp(1, peer() + struct.pack(">I", 4) + tlv(0, b"\0\0\0\1") + tlv(7, b"\0" * 7 + b"\5")
                            + tlv(9, b"\0\1\1" + b"\0" * 8) + tlv(99, b"x"))
    yield "broken_end_of_rib", bmp(0, peer() + mrtgen.update(mrtgen.attribute(0x80, 15, b"\0\2\1") + b"\x40"))
    yield "mirroring", bmp(6, peer() + tlv(1, b"\0\1") + tlv(0, routes[0]))
    yield "termination", start + bmp(5, tlv(1, b"\0\3") + tlv(0, b"bye"))
    yield "version4", bmp(0, peer() + routes[0] + b"\0\1\0\1\0\0\0", version=4)


def bodies():
    """Name and input of fuzz_update: whole bodies, and blocks of attributes, one attribute each and all of them."""
    for mode, as_bytes, path_id in ((0, 4, None), (2, 2, None), (4, 4, 7), (8, 4, None)):
        for at, one in enumerate(updates(as_bytes, path_id)):
            yield f"body_{mode}_{at}", bytes([mode]) + one[19:]
    for as_bytes in (4, 2):
        mode = 128 | 64 | (2 if as_bytes == 2 else 0)
        for key, value in FULL.items():
            yield f"only_{key}_{as_bytes}", bytes([mode]) + mrtgen.pack_attributes(PATH, {key: value}, as_bytes=as_bytes)
        block = mrtgen.pack_attributes(PATH, dict(FULL, raw=AS4["raw"]), as_bytes=as_bytes)
        yield f"all_{as_bytes}", bytes([mode]) + block
        yield f"dump_{as_bytes}", bytes([mode | 32]) + block


def opens():
    """The same of fuzz_open: each capability alone, all together, RFC 9072."""
    for at, one in enumerate(capabilities(4200000000)):
        yield f"capability_{at}", open_message(4200000000, [one])[19:]
    yield "all", open_message(64500, [b"".join(capabilities(64500))])[19:]
    yield "apart", open_message(64500, capabilities(64500))[19:]
    yield "extended", open_message(64500, capabilities(64500), extended=True)[19:]
    yield "none", open_message(64500, [])[19:]


def write(folder, name, data):
    path = os.path.join(HERE, "corpus", folder)
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, name), "wb") as f:
        f.write(data)


def main():
    for name, mode, cut, stream in sessions():
        write("bgp", name, bytes([mode, cut]) + stream)
    for name, data in bodies():
        write("update", name, data)
    for name, data in opens():
        write("open", name, data)
    for name, stream in streams():
        write("bmp", name, stream)


if __name__ == "__main__":
    main()
