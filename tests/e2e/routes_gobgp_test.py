#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""GoBGP by BMP, all its kinds, and by BGP: its table is the one that `routes` lists, through all that happens to it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import routes  # noqa: E402
from daemons import FEEDER, Gobgp  # noqa: E402
from routes_life import connects, life, two_feeders  # noqa: E402


def test(tap, rng):
    life(tap, rng, Gobgp, "bmp:all", {"source": "bmp", "match": "own"})
    life(tap, rng, Gobgp, "bgp", {"source": "bgp", "match": "own", "peer": routes.ROUTER}, short=True)
    two_feeders(tap, rng, Gobgp, "bmp:local-rib", "BMP of its Loc-RIB, two peers")
    two_feeders(tap, rng, Gobgp, "bmp:post", "BMP after policy, two peers")
    two_feeders(tap, rng, Gobgp, "bmp:pre", "BMP before policy, two peers")
    two_feeders(tap, rng, Gobgp, "bgp", "ADD-PATH, two peers", add_path=True)
    connects(tap, rng, Gobgp, "BGP over IPv6", local=routes.ROUTER6)


routes.run(test, Gobgp)
