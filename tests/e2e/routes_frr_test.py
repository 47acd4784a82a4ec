#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""FRR by BMP, after and before policy, and by BGP: its table is the one that `routes` lists, through all that happens
to it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import routes  # noqa: E402
from daemons import FEEDER, Frr  # noqa: E402
from routes_life import connects, life, two_feeders  # noqa: E402


def test(tap, rng):
    life(tap, rng, Frr, "bmp:post", {"source": "bmp", "match": "own", "peer": FEEDER})
    life(tap, rng, Frr, "bgp", {"source": "bgp", "match": "own", "peer": routes.ROUTER}, short=True)
    two_feeders(tap, rng, Frr, "bmp:both", "BMP before and after policy, two peers")
    two_feeders(tap, rng, Frr, "bmp:pre", "BMP before policy, two peers")
    two_feeders(tap, rng, Frr, "bgp", "ADD-PATH, two peers", add_path=True)
    connects(tap, rng, Frr, "BGP with a TCP-MD5 password", md5="a-password")
    connects(tap, rng, Frr, "BGP over IPv6", local=routes.ROUTER6)
    connects(tap, rng, Frr, "BGP over IPv6 with a TCP-MD5 password", local=routes.ROUTER6, md5="another")
    connects(tap, rng, Frr, "an external session", asn=64999)


routes.run(test, Frr)
