#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""BIRD by BGP: its table is the one that `routes` lists, through all that happens to it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import routes  # noqa: E402
from daemons import Bird  # noqa: E402
from routes_life import connects, life, two_feeders  # noqa: E402


def test(tap, rng):
    life(tap, rng, Bird, "bgp", {"source": "bgp", "match": "own", "peer": routes.ROUTER})
    two_feeders(tap, rng, Bird, "bgp", "two peers")
    two_feeders(tap, rng, Bird, "bgp", "ADD-PATH, two peers", add_path=True)
    connects(tap, rng, Bird, "BGP with a TCP-MD5 password", md5="a-password")
    connects(tap, rng, Bird, "BGP over IPv6", local=routes.ROUTER6)
    connects(tap, rng, Bird, "BGP over IPv6 with a TCP-MD5 password", local=routes.ROUTER6, md5="another")
    connects(tap, rng, Bird, "an external session", asn=64999)


routes.run(test, Bird)
