#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes the seeds of fuzz_mrt into corpus/mrt: one small file for each kind of record and attribute. Run it
again when the decoder learns something new; the files are committed."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "lib"))
import mrtgen  # noqa: E402
from mrtgen import Peer  # noqa: E402

PEERS = [Peer("192.0.2.1", 64500), Peer("2001:db8::1", 4200000001), Peer("198.51.100.7", 174, two_byte=True)]
FULL = {"next_hop": "192.0.2.9", "med": 0, "local_pref": 4294967295, "communities": ["174:1", "65535:65281"],
        "large_communities": ["4200000000:1:2"], "ext_communities": ["0002fde800000064"],
        "aggregator": (23456, "203.0.113.5"), "atomic_aggregate": True, "originator_id": "192.0.2.33",
        "cluster_list": ["192.0.2.34", "192.0.2.35"],
        "raw": [(0xC0, 99, b"\1\xff"), (0xC0, 17, mrtgen.pack_path("7 {4200000000,9}")),
                (0xC0, 18, b"\0\1\0\1\xcb\0\x71\x07"), (0x80, 15, b"\0\2\1\x20\x20\1\x0d\xb8")]}
SIX = {"next_hop": "2001:db8::1", "link_local": "fe80::1"}
PATH = "(65001) 1 2 7 {5,9} [65002,65003]"


def seeds():
    yield "peers", [mrtgen.peer_index_table(PEERS, view_name=b"view")]
    block = mrtgen.pack_attributes(PATH, FULL)
    for add_path in (False, True):
        kind = "_add_path" if add_path else ""
        for prefix in ("198.51.100.0/24", "2001:db8:1::/48", "0.0.0.0/0"):
            name = "rib_" + prefix.replace("/", "_").replace(":", "-") + kind
            yield name, [mrtgen.rib_record(1, prefix, [(0, 5, 6, block), (1, 5, 7, block[:40])], add_path=add_path)]
    yield "rib_abbreviated", mrtgen.table_records(PEERS, [[("2001:db8:1::/48", PATH, SIX)]])
    yield "rib_full", mrtgen.table_records(PEERS, [[("2001:db8:1::/48", PATH, SIX)]], full_mp_reach=True)
    yield "rib_long_path", [mrtgen.rib_record(1, "10.0.0.0/8", [(0, 5, 6, mrtgen.pack_attributes(
        " ".join(str(65000 + i) for i in range(300)), {}))])]
    for as_bytes in (2, 4):
        attrs = dict(FULL, next_hop="192.0.2.9")
        for prefix in ("198.51.100.0/24", "2001:db8:1::/48"):
            peer = PEERS[1] if ":" in prefix else PEERS[2]
            small = Peer(peer.address, 174)
            yield (f"table_dump_{as_bytes}{'_v6' if ':' in prefix else ''}",
                   [mrtgen.table_dump_record(1, prefix, small, "1 2 23456", attrs, as_bytes=as_bytes)])
        for sent in (False, True):
            for add_path in (False, True):
                path_id = 7 if add_path else None
                update = mrtgen.update(mrtgen.pack_attributes("1 2 23456", attrs, as_bytes=as_bytes),
                                       mrtgen.nlri(["10.0.0.0/8", "0.0.0.0/0"], path_id),
                                       mrtgen.nlri(["11.0.0.0/8"], path_id))
                yield (f"message_{as_bytes}{'_sent' if sent else ''}{'_add_path' if add_path else ''}",
                       [mrtgen.message_record(update, Peer("192.0.2.1", 174), Peer("192.0.2.2", 175), as_bytes,
                                              sent=sent, add_path=add_path, microseconds=5 if sent else None)])
        reach = mrtgen.mp_reach_full(mrtgen.pack_address("2001:db8::1"), mrtgen.nlri(["2001:db8::/32"]))
        yield f"message_v6_{as_bytes}", [mrtgen.message_record(
            mrtgen.update(mrtgen.pack_attributes("1", {}, as_bytes=as_bytes, mp_reach=reach)),
            Peer("2001:db8::1", 174), Peer("2001:db8::2", 175), as_bytes)]
        yield f"state_{as_bytes}", [mrtgen.state_record(1, 6, Peer("192.0.2.1", 174), Peer("192.0.2.2", 175), as_bytes)]
    entries = [(0, 5, 6, block), (1, 5, 7, block[:40])]
    for prefix in ("198.51.100.0/24", "2001:db8:1::/48"):
        name, packed = "v6" if ":" in prefix else "v4", mrtgen.pack_prefix(prefix)[0]
        afi = 2 if ":" in prefix else 1
        for add_path in (False, True):
            kind = "_add_path" if add_path else ""
            yield f"multicast_{name}{kind}", [mrtgen.rib_record(1, prefix, entries, add_path=add_path, multicast=True)]
            yield f"generic_{name}{kind}", [mrtgen.generic_record(1, afi, 1, packed, entries, add_path=add_path)]
        yield f"generic_{name}_nlri_id", [mrtgen.generic_record(1, afi, 1, packed, entries, add_path=True, path_id=9)]
    peer, local = Peer("192.0.2.1", 174), Peer("192.0.2.2", 175)
    update = mrtgen.update(mrtgen.pack_attributes("1 2", {"next_hop": "192.0.2.9"}, as_bytes=2),
                           mrtgen.nlri(["10.0.0.0/8"]), mrtgen.nlri(["11.0.0.0/8"]))
    yield "old", [mrtgen.old_message_record(update, peer, local), mrtgen.old_state_record(6, 1, peer)]
    hidden = mrtgen.update(mrtgen.pack_attributes("1 2", {"next_hop": "192.0.2.9"}),
                           mrtgen.nlri(["10.0.0.0/8", "12.0.0.0/8"], 7))
    notification = b"\xff" * 16 + b"\0\x15\3\6\2"
    yield "session", [mrtgen.message_record(hidden, peer, local), mrtgen.message_record(notification, peer, local),
                      mrtgen.message_record(hidden, peer, local), mrtgen.state_record(6, 1, peer, local)]
    yield "other", [mrtgen.record(5, 48, 1, b"ospf"), mrtgen.record(5, 13, 6, b"generic")]


def main():
    folder = os.path.join(HERE, "corpus", "mrt")
    os.makedirs(folder, exist_ok=True)
    for name, records in seeds():
        mrtgen.write(os.path.join(folder, name), records)


if __name__ == "__main__":
    main()
