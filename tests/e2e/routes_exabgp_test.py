#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""ExaBGP by BGP: what it was told is what `routes` lists, through all that happens to it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import routes  # noqa: E402
from daemons import Exabgp  # noqa: E402
from routes_life import connects, life  # noqa: E402


def test(tap, rng):
    life(tap, rng, Exabgp, "bgp", {"source": "bgp", "match": "own", "peer": routes.ROUTER})
    connects(tap, rng, Exabgp, "BGP with a TCP-MD5 password", md5="a-password")
    connects(tap, rng, Exabgp, "BGP over IPv6", local=routes.ROUTER6)


routes.run(test, Exabgp)
