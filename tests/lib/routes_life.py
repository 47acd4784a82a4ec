# SPDX-License-Identifier: BSD-2-Clause
"""The life of a router as a collector sees it, the same for every daemon and way: its table comes, changes, is lost
and comes back. Each step waits until the collector's table is the one the router has."""

import tempfile

import bgptable
import routes
from bgpspeaker import Speaker, end_of_rib, updates, withdrawals
from daemons import FEEDER, SECOND_FEEDER, Neighbour, Station

CHANGES = 3000


class Fed:
    """A daemon with a Speaker that feeds it."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.speaker = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.rest()

    def feed(self, table, complete=True):
        """Hands over a table, and waits until the daemon has it."""
        if not self.speaker or self.speaker.closed:
            self.speaker = Speaker(self.daemon.bgp, FEEDER)
        self.speaker.send(updates(table))
        if complete:
            self.speaker.send(end_of_rib())

    def wait(self, count):
        self.daemon.wait(lambda: self.daemon.count() == count, f"{count} routes", 180)

    def change(self, announced, withdrawn=()):
        self.speaker.send(withdrawals(withdrawn), updates(announced))

    def rest(self):
        if self.speaker:
            self.speaker.close()
            self.speaker = None


class Told:
    """ExaBGP in the same role."""

    def __init__(self, daemon):
        self.daemon = daemon

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def feed(self, table, complete=True):
        self.daemon.announce(table)

    def wait(self, count):
        pass

    def change(self, announced, withdrawn=()):
        self.daemon.withdraw(withdrawn)
        self.daemon.announce(announced)

    def rest(self):
        pass


def options(c, way, **more):
    if way == "bgp":
        return {"bgp": [Neighbour(routes.COLLECTOR, routes.bgp_port(c), **more)]}
    return {"bmp": Station(routes.ROUTER, routes.bmp_port(c), way[4:] or "post")}


def other_attributes(rng, table, prefixes):
    """Those prefixes with the attributes of others of their family."""
    return {prefix: table[rng.choice(prefixes)]._replace(next_hop=table[prefix].next_hop) for prefix in prefixes}


def changes(tap, c, fed, rng, table, fields):
    """Withdrawn, told again with other attributes, and flapping. Returns the table at the end."""
    gone = routes.sample(rng, table, CHANGES)
    fed.change({}, gone)
    table = {prefix: route for prefix, route in table.items() if prefix not in set(gone)}
    routes.expect(tap, c, "edge", fed.daemon.passed_on(table), "routes are withdrawn", **fields)

    changed = other_attributes(rng, table, routes.sample(rng, table, CHANGES))
    fed.change(changed)
    table.update(changed)
    routes.expect(tap, c, "edge", fed.daemon.passed_on(table), "routes change their attributes",
                  last=list(changed)[::-50], **fields)

    flapping = routes.sample(rng, table, CHANGES // 3)
    for turn in range(4):
        fed.change(other_attributes(rng, table, flapping), flapping if turn % 2 else ())
    fed.change({prefix: table[prefix] for prefix in flapping})
    routes.expect(tap, c, "edge", fed.daemon.passed_on(table), "routes flap, the last word counts",
                  last=flapping[::-50], **fields)
    return table


def like_dump(tap, daemon, listed, table, what):
    """What the collector lists equals what the router itself prints, and that is what it was fed."""
    dump = daemon.dump()
    tap.check(dump == daemon.shown(table), f"{what}: the router has what it was fed",
              bgptable.differences(dump, daemon.shown(table)))
    collected = daemon.shown(bgptable.from_rows(listed))
    tap.check(collected == daemon.passed_on(dump), f"{what}: `routes` lists what the router prints",
              bgptable.differences(collected, daemon.passed_on(dump)))


def lost_and_back(tap, c, fed, table, fields, count):
    """The router dies and is back within `stale`, then dies for longer."""
    daemon, prefix = fed.daemon, next(p for p in table if p.endswith("/24"))
    with routes.Watch(c, "edge", prefix.split("/")[0]) as watch:
        daemon.kill()
        fed.rest()
        c.wait(lambda: routes.source(c, "edge")["state"] == "stale", "the loss", 20)
        routes.expect_all_match(tap, c, "edge", count, "stale", "the router dies: its routes stay, marked stale")
        start_and_feed(c, fed, table)
        routes.expect(tap, c, "edge", daemon.passed_on(table), "it is back, and so is its table", **fields)
    # ExaBGP ends its empty table before it is told anything.
    if daemon.name != "exabgp":
        tap.check("none" not in watch.matches(), "there was no moment without a route", watch.seen)


def start_and_feed(c, fed, table):
    fed.daemon.start()
    fed.feed(table)
    fed.wait(len(table))
    reach(c, fed.daemon)


def reach(c, daemon, number=0):
    """Until the daemon has connected, as the router's source of that number."""
    daemon.monitor()

    def up():
        return routes.source(c, "edge", number)["state"] == "up" or daemon.nudge()
    c.wait(up, f"{daemon.name}'s connection", 40)


def life(tap, rng, cls, way, fields, table=None, short=False):
    """The whole of it. fields: what all rows have besides attributes. short: only that it comes."""
    table = table or bgptable.generate(rng, routes.IPV4, routes.IPV6)
    with tempfile.TemporaryDirectory() as folder:
        entry = routes.router("edge", stale="30s", **{way[:3]: routes.ROUTER})
        with routes.collector(folder, [entry]) as c, cls(folder, routes.ROUTER, **options(c, way)) as daemon, \
                (Told if cls.name == "exabgp" else Fed)(daemon) as fed:
            fed.feed(table)
            fed.wait(len(table))
            reach(c, daemon)
            listed = routes.expect(tap, c, "edge", daemon.passed_on(table),
                                   f"{cls.name} by {way}: {len(table)} routes", timeout_s=60, **fields)
            if not short:
                if cls.name != "exabgp":
                    like_dump(tap, daemon, listed, table, f"{cls.name} by {way}")
                table = changes(tap, c, fed, rng, table, fields)
                lost_and_back(tap, c, fed, table, fields, len(table))
                collector_restarts(tap, c, fed, table, fields)
                gone_for_good(tap, c, fed, table)


def connects(tap, rng, cls, what, fields=None, **how):
    """A small table over a session of another kind: how is Neighbour's."""
    table = bgptable.generate(rng, 1500, 500)
    fields = {"source": "bgp", "match": "own", "peer": how.get("local") or routes.ROUTER, **(fields or {})}
    with tempfile.TemporaryDirectory() as folder:
        if "md5" in how:
            with open(folder + "/md5", "w", encoding="ascii") as file:
                file.write(how["md5"] + "\n")
        entry = routes.router("edge", bgp=how.get("local") or routes.ROUTER,
                              md5_file=folder + "/md5" if "md5" in how else None)
        with routes.collector(folder, [entry], asn=how.get("asn", routes.ASN)) as c:
            host = routes.COLLECTOR6 if "local" in how else routes.COLLECTOR
            neighbour = Neighbour(host, routes.bgp_port(c, "local" in how), **how)
            with cls(folder, routes.ROUTER, bgp=[neighbour]) as daemon, \
                    (Told if cls.name == "exabgp" else Fed)(daemon) as fed:
                fed.feed(table)
                fed.wait(len(table))
                reach(c, daemon)
                routes.expect(tap, c, "edge", daemon.passed_on(table), f"{cls.name}: {what}", **fields)


def chosen(daemon, first, second):
    """Of each prefix the route that the router prints as its best."""
    dump, shown = daemon.dump(), daemon.shown(first)
    return {prefix: first[prefix] if shown[prefix] == dump[prefix] else second[prefix] for prefix in first}


def two_feeders(tap, rng, cls, way, what, **how):
    """Of two paths to each prefix the collector takes the one that the router takes."""
    what = f"{cls.name}: {what}"
    table = bgptable.generate(rng, 1500, 500)
    second = {prefix: route._replace(next_hop=table[prefix].next_hop, local_pref=rng.choice((90, 100, 110)))
              for prefix, route in zip(table, rng.sample(list(table.values()), len(table)))}
    table = {prefix: route._replace(local_pref=100) for prefix, route in table.items()}
    with tempfile.TemporaryDirectory() as folder:
        entry = routes.router("edge", stale="1s", **{way[:3]: routes.ROUTER})
        with routes.collector(folder, [entry]) as c, cls(folder, routes.ROUTER, **options(c, way, **how)) as daemon, \
                Fed(daemon) as fed, Speaker(daemon.bgp, SECOND_FEEDER) as other:
            fed.feed(table)
            other.send(updates(second), end_of_rib())
            fed.wait(2 * len(table))
            reach(c, daemon)
            routes.expect(tap, c, "edge", daemon.passed_on(chosen(daemon, table, second)), what)
            fed.rest()
            fed.wait(len(table))
            routes.expect(tap, c, "edge", daemon.passed_on(second), f"{what}: one peer goes")
            fed.feed(table)
            fed.wait(2 * len(table))
            other.close()
            fed.wait(len(table))
            routes.expect(tap, c, "edge", daemon.passed_on(table), f"{what}: it is back, and the other goes")


def collector_restarts(tap, c, fed, table, fields):
    c.kill()
    c.start()
    reach(c, fed.daemon)
    routes.expect(tap, c, "edge", fed.daemon.passed_on(table), "the collector is killed: the table comes again",
                  timeout_s=60, **fields)


def gone_for_good(tap, c, fed, table):
    c.config["routers"][0]["stale"] = "1s"
    tap.check(c.reload(), "a shorter `stale` by a reload")
    fed.daemon.kill()
    fed.rest()
    routes.expect_all_match(tap, c, "edge", 0, None, "the router dies for longer than `stale`: its routes are gone")
    tap.equal(routes.source(c, "edge")["prefixes"], 0, "and none is counted")
    address = next(iter(table)).split("/")[0]
    tap.equal([row["match"] for row in c.api("lookup", address=address, router="edge")["rows"]], ["none"],
              "a lookup finds none")
