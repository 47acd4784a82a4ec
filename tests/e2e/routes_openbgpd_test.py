#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""OpenBGPD by BGP: its table is the one that `routes` lists, through all that happens to it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import routes  # noqa: E402
from daemons import Openbgpd  # noqa: E402
from routes_life import connects, life, two_feeders  # noqa: E402


def test(tap, rng):
    life(tap, rng, Openbgpd, "bgp", {"source": "bgp", "match": "own", "peer": routes.ROUTER})
    two_feeders(tap, rng, Openbgpd, "bgp", "ADD-PATH, two peers", add_path=True)
    connects(tap, rng, Openbgpd, "BGP over IPv6", local=routes.ROUTER6)


routes.run(test, Openbgpd)
