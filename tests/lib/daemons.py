# SPDX-License-Identifier: BSD-2-Clause
"""Real routers: FRR, GoBGP, BIRD, OpenBGPD and ExaBGP, each a process in a folder of its own, fed by a Speaker.

    with Bird(folder, "127.0.1.1", bgp=[Neighbour("127.0.0.1", port)]) as router:
        with Speaker(router.bgp, FEEDER) as feeder:
            feeder.send(updates(table), end_of_rib())
            router.wait(lambda: router.count() == len(table), "its table")
            router.dump() == router.shown(table)

A router has one address, in the 127/8 of a network namespace that the test program made for itself (lab.alone),
so ports cannot be taken. It connects to its neighbours by BGP and to a station by BMP, and takes routes from FEEDER
(and SECOND_FEEDER), internal peers whose routes it passes on unchanged. dump() is its own table, as its own command
line tells it; shown() is what it can tell of a table: nothing in it but what the program's output lacks.
kill() is kill -9; start() again finds the same configuration. Every process is ended with the test."""

import collections
import json
import os
import re
import select
import shutil
import signal
import subprocess
import time

from bgptable import NAMED, Attributes, ext_community, ext_community_raw, sort_communities, sort_sets
from processes import spawn

ASN = 64500
FEEDER, SECOND_FEEDER = "127.0.2.1", "127.0.2.2"
ORIGINS = ("igp", "egp", "incomplete")

# The collector seen from a router. local: our address towards it, when it is not the router's.
Neighbour = collections.namedtuple("Neighbour", "host port asn local md5 add_path",
                                   defaults=(ASN, None, None, False))
Station = collections.namedtuple("Station", "host port policy", defaults=("post",))


class DaemonError(Exception):
    """A router did not do what the tests rely on; the text holds what it logged."""


class Daemon:
    name = ""
    programs = ()

    @classmethod
    def missing(cls):
        """Why it can't run here; None when it can."""
        path = os.environ["PATH"] + ":/usr/sbin:/sbin"
        absent = [program for program in cls.programs if not shutil.which(program, path=path)]
        return f"{cls.name}: {' '.join(absent)} isn't installed" if absent else None

    def __init__(self, folder, address, asn=ASN, bgp=(), bmp=None, start=True):
        self.folder = os.path.join(os.path.abspath(folder), self.name)
        self.address, self.asn, self.neighbours, self.station = address, asn, list(bgp), bmp
        self.bgp = (address, 179)
        self.process = None
        self.nudged = 0   # when
        os.makedirs(self.folder, exist_ok=True)
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.kill()

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8", opener=lambda *args: os.open(*args, 0o600)) as file:
            file.write(text)

    def start(self):
        """Returns when its command line answers."""
        self.write("config", self.config())
        self.nudged = time.monotonic()
        with open(self.path("output"), "ab") as output:
            self.process = spawn(self.command(), cwd=self.folder, stdout=output, stderr=output,
                                 stdin=subprocess.DEVNULL, start_new_session=True,
                                 env={**os.environ, **self.environment()})
        self.wait(self.answers, "its command line")

    def kill(self):
        if self.process:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)  # the leader's children with it
            except ProcessLookupError:
                pass
            self.process.wait()
            self.process = None

    def environment(self):
        return {}

    def answers(self):
        return self.cli_status(*self.hello)[0] == 0

    def cli_status(self, *arguments):
        done = subprocess.run(self.cli_command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              cwd=self.folder, text=True, check=False)
        return done.returncode, done.stdout

    def cli(self, *arguments):
        status, output = self.cli_status(*arguments)
        if status:
            raise DaemonError(f"{self.name} {arguments}: {output}")
        return output

    def log(self):
        with open(self.path("output"), encoding="utf-8", errors="replace") as file:
            return file.read()[-4000:]

    def wait(self, condition, what, timeout_s=30):
        deadline = time.monotonic() + timeout_s
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise DaemonError(f"{self.name}: waited for {what}; it ended with {self.process.poll()}\n{self.log()}")
            select.select([], [], [], 0.05)

    def nudge(self):
        """To be called while a connection is waited for: makes it try again, where it would wait long for that."""

    def is_time(self):
        """For nudge(): not too often, as each attempt takes a while."""
        if time.monotonic() < self.nudged + 8:
            return False
        self.nudged = time.monotonic()
        return True

    def monitor(self):
        """Makes it connect to its station, where that is not a matter of its configuration."""

    def shown(self, table):
        return table

    def passed_on(self, table):
        """What its neighbours get of a table. External ones get neither local preference nor a MED that came from
        elsewhere, and paths with the router's own AS in front."""
        if all(neighbour.asn == self.asn for neighbour in self.neighbours):
            return table
        return {prefix: route._replace(path=f"{self.asn} {route.path}".rstrip(), local_pref=None, med=None)
                for prefix, route in table.items() if NAMED["no-export"] not in (route.communities or "").split()}


def make(path, next_hop, origin_code, **more):
    """Attributes of what a router printed, in canonical form."""
    values = dict.fromkeys(Attributes._fields)
    values.update(path=sort_sets(path), next_hop=next_hop, origin_code=origin_code, atomic_aggregate=False)
    values.update(more)
    for kind in ("communities", "ext_communities", "large_communities"):
        values[kind] = sort_communities(values[kind])
    return Attributes(**values)


class Bird(Daemon):
    """BIRD 2. BGP's next hops are looked up in tables of their own, so that master has nothing but BGP's routes."""

    name, programs, hello = "bird", ("bird", "birdc"), ("show", "status")

    def command(self):
        return ["/usr/sbin/bird", "-f", "-c", "config", "-s", "control"]

    def cli_command(self, *arguments):
        return ["/usr/sbin/birdc", "-s", "control", " ".join(arguments)]

    def config(self):
        feeders = "".join(f"protocol bgp feeder{n} from feeders {{ neighbor {address} as {self.asn}; }}\n"
                          for n, address in enumerate((FEEDER, SECOND_FEEDER)))
        return f"""
            log stderr {{ warning, error, fatal, bug, auth }};
            router id {self.address};
            protocol device {{}}
            ipv4 table hops4; ipv6 table hops6;
            protocol static {{ ipv4 {{ table hops4; }}; route 10.255.0.0/16 via "lo"; }}
            protocol static {{ ipv6 {{ table hops6; }}; route 2001:db8:ffff::/48 via "lo"; }}
            template bgp feeders {{
                local {self.address} port 179 as {self.asn}; strict bind; passive; multihop; rr client;
                ipv4 {{ igp table hops4; import all; export none; }};
                ipv6 {{ igp table hops6; import all; export none; }};
            }}
            """ + feeders + "".join(map(self.neighbour, range(len(self.neighbours)), self.neighbours))

    def neighbour(self, number, neighbour):
        password = f'password "{neighbour.md5}";' if neighbour.md5 else ""
        export = "import none; export all; next hop keep;" + (" add paths tx;" if neighbour.add_path else "")
        return f"""
            protocol bgp collector{number} {{
                local {neighbour.local or self.address} as {self.asn}; strict bind; multihop; {password}
                neighbor {neighbour.host} port {neighbour.port} as {neighbour.asn};
                {"rr client;" if neighbour.asn == self.asn else ""}
                connect delay time 1; connect retry time 1; error wait time 1, 2;
                ipv4 {{ igp table hops4; {export} }};
                ipv6 {{ igp table hops6; {export} }};
            }}
            """

    def count(self):
        return sum(int(n) for n in re.findall(r"of (\d+) routes for (?:\d+) networks in table master", self.cli(
            "show route count")))

    def dump(self):
        table = {}
        text = self.cli("show route primary all").replace("\n\t\t", " ")
        for block in re.split(r"\n(?=[0-9a-f.:]+/\d+ )", text)[1:]:
            first, *lines = block.split("\n")
            fields = dict(line[5:].split(": ", 1) for line in lines if line.startswith("\tBGP."))
            aggregator = fields.get("aggregator", "").split(" AS")[::-1]
            table[first.split()[0]] = make(
                re.sub(r"\{[^}]*\}", lambda found: found[0].replace(" ", ","), fields["as_path"]),
                fields["next_hop"], fields["origin"].lower(), med=number_or_none(fields.get("med")),
                local_pref=number_or_none(fields.get("local_pref")),
                communities=[f"{a}:{b}" for a, b in tuples(fields.get("community"))],
                large_communities=[":".join(three) for three in tuples(fields.get("large_community"))],
                ext_communities=list(map(self.ext_community, tuples(fields.get("ext_community")))),
                aggregator=" ".join(aggregator) or None, atomic_aggregate="atomic_aggr" in fields)
        return table

    @staticmethod
    def ext_community(words):
        kind, first, second = words
        if kind == "generic":
            return ext_community(int(first, 16) << 32 | int(second, 16))
        return f"{ {'rt': 'rt', 'ro': 'soo'}[kind] }:{first}:{second}"


def number_or_none(text):
    return None if text is None else int(text)


def tuples(text):
    """"(1,2) (3, 4)" as lists of words."""
    return [words.replace(" ", "").split(",") for words in re.findall(r"\(([^)]*)\)", text or "")]


class Frr(Daemon):
    """FRR's bgpd alone, with its BMP module. Its dump lacks the value of extended communities it doesn't know. What
    is in its table while a station connects is told; what just comes then may not be (8.4), so that it connects
    only when monitor() says so."""

    name, programs, hello = "frr", ("/usr/lib/frr/bgpd", "vtysh"), ("show version",)

    def command(self):
        return ["/usr/lib/frr/bgpd", "-Z", "-n", "-S", "-f", self.path("config"), "-i", self.path("pid"),
                "--vty_socket", self.folder, "-P", "0", "-p", "179", "-l", self.address, "-z", self.path("zserv"),
                "-M", "bmp"]

    def cli_command(self, *arguments):
        return ["vtysh", "--vty_socket", self.folder, *(word for line in arguments for word in ("-c", line))]

    def config(self):
        head = f"frr defaults traditional\nhostname frr\nlog file {self.path('log')} emergencies\n" \
               f"route-map NONE deny 10\nrouter bgp {self.asn}\n bgp router-id {self.address}\n" \
               " no bgp ebgp-requires-policy\n no bgp default ipv4-unicast\n no bgp network import-check\n" \
               f" bgp cluster-id {self.address}\n"
        activated = []
        for feeder in (FEEDER, SECOND_FEEDER):
            head += f" neighbor {feeder} remote-as {self.asn}\n neighbor {feeder} passive\n" \
                    f" neighbor {feeder} update-source {self.address}\n"
            activated += [f"{feeder} activate", f"{feeder} soft-reconfiguration inbound",
                          f"{feeder} route-reflector-client", f"{feeder} route-map NONE out"]
        for neighbour in self.neighbours:
            who = f" neighbor {neighbour.host}"
            head += f"{who} remote-as {neighbour.asn}\n{who} port {neighbour.port}\n{who} timers connect 1\n" \
                    f"{who} update-source {neighbour.local or self.address}\n{who} advertisement-interval 0\n"
            head += f"{who} password {neighbour.md5}\n" if neighbour.md5 else ""
            head += f"{who} ebgp-multihop\n" if neighbour.asn != self.asn else ""
            activated += [f"{neighbour.host} activate"] + (
                [f"{neighbour.host} route-reflector-client"] if neighbour.asn == self.asn
                else [f"{neighbour.host} attribute-unchanged next-hop"])
            activated += [f"{neighbour.host} addpath-tx-all-paths"] if neighbour.add_path else []
        for family in ("ipv4", "ipv6"):
            head += f" address-family {family} unicast\n" + "".join(f"  neighbor {line}\n" for line in activated) \
                    + " exit-address-family\n"
        return head + (self.bmp_config() if self.station else "")

    def bmp_config(self):
        policies = ("pre", "post") if self.station.policy == "both" else (self.station.policy,)
        return " bmp targets T\n" + "".join(f"  bmp monitor {family} unicast {policy}-policy\n"
                                            for family in ("ipv4", "ipv6") for policy in policies) + " exit\n"

    def monitor(self):
        if self.station:
            self.cli("configure terminal", f"router bgp {self.asn}", "bmp targets T",
                     f"bmp connect {self.station.host} port {self.station.port} min-retry 100 max-retry 500")

    def count(self):
        families = json.loads(self.cli("show bgp summary json"))
        return sum(peer["pfxRcd"] for family in families.values() for peer in family.get("peers", {}).values())

    def dump(self):
        table = {}
        for family in ("ipv4", "ipv6"):
            for prefix, entries in json.loads(self.cli(f"show bgp {family} unicast json detail"))["routes"].items():
                for entry in entries:
                    if entry.get("bestpath", {}).get("overall"):
                        table[prefix] = self.attributes(entry)
        return table

    def attributes(self, entry):
        # "RT:64500:1", "SoO:64500:1"; unknown ones "UNK:3, 0", where the second number isn't the subtype.
        extended = re.sub(r"UNK:\d+, \d+", "UNK", entry.get("extendedCommunity", {}).get("string", "")).split()
        return make(
            entry["aspath"]["string"].replace("Local", ""),
            next(hop["ip"] for hop in entry["nexthops"] if hop.get("used")), entry["origin"].lower(),
            med=entry.get("metric"), local_pref=entry.get("locPrf"),
            communities=entry.get("community", {}).get("string"),
            large_communities=entry.get("largeCommunity", {}).get("string"),
            ext_communities=[re.sub("^(RT|SoO)", lambda found: found[0].lower(), word) for word in extended],
            aggregator=f"{entry['aggregatorAs']} {entry['aggregatorId']}" if "aggregatorAs" in entry else None,
            atomic_aggregate=entry.get("atomicAggregate", False))

    def passed_on(self, table):
        """Internal peers get a MED of 0 where there was none."""
        if any(neighbour.asn != self.asn for neighbour in self.neighbours) or not self.neighbours:
            return super().passed_on(table)
        return {prefix: route._replace(med=route.med or 0) for prefix, route in table.items()}

    def shown(self, table):
        return {prefix: route._replace(ext_communities=sort_communities(
            ["UNK" if word.startswith("0x") else word for word in route.ext_communities.split()]))
                if route.ext_communities else route for prefix, route in table.items()}


class Gobgp(Daemon):
    name, programs, hello = "gobgp", ("gobgpd", "gobgp"), ("global",)

    def command(self):
        return ["gobgpd", "-t", "toml", "-f", "config", "--api-hosts", f"{self.address}:50051", "--pprof-disable", "-l",
                "warn"]

    def cli_command(self, *arguments):
        return ["gobgp", "-u", self.address, "-p", "50051", *arguments]

    def config(self):
        text = f"""
            [global.config]
            as = {self.asn}
            router-id = "{self.address}"
            port = 179
            local-address-list = ["{self.address}"]
            """
        for feeder in (FEEDER, SECOND_FEEDER):
            text += self.neighbour(Neighbour(feeder, 0), "passive-mode = true")
        for neighbour in self.neighbours:
            text += self.neighbour(neighbour, f"remote-port = {neighbour.port}")
        if self.station:
            text += f"""
            [[bmp-servers]]
            [bmp-servers.config]
            address = "{self.station.host}"
            port = {self.station.port}
            route-monitoring-policy = "{self.station.policy + '-policy' * (self.station.policy in ('pre', 'post'))}"
            """
        return text

    def nudge(self):
        """A station that was lost is tried again less and less often."""
        if self.station and self.is_time():
            self.cli("bmp", "del", f"{self.station.host}:{self.station.port}")
            self.cli("bmp", "add", f"{self.station.host}:{self.station.port}", self.station.policy)

    def neighbour(self, neighbour, transport):
        password = f'auth-password = "{neighbour.md5}"' if neighbour.md5 else ""
        text = f"""
            [[neighbors]]
            [neighbors.config]
            neighbor-address = "{neighbour.host}"
            peer-as = {neighbour.asn}
            {password}
            [neighbors.transport.config]
            local-address = "{neighbour.local or self.address}"
            {transport}
            [neighbors.timers.config]
            connect-retry = 1
            idle-hold-time-after-reset = 1
            """
        if neighbour.asn == self.asn:
            text += f"""
            [neighbors.route-reflector.config]
            route-reflector-client = true
            route-reflector-cluster-id = "{self.address}"
            """
        for family in ("ipv4", "ipv6"):
            text += f"""
            [[neighbors.afi-safis]]
            [neighbors.afi-safis.config]
            afi-safi-name = "{family}-unicast"
            """ + ("[neighbors.afi-safis.add-paths.config]\nsend-max = 8\n" if neighbour.add_path else "")
        return text

    def count(self):
        return sum(int(re.search(r"Path: (\d+)", self.cli("global", "rib", "summary", "-a", family))[1])
                   for family in ("ipv4", "ipv6"))

    def dump(self):
        table = {}
        for family in ("ipv4", "ipv6"):
            for prefix, paths in json.loads(self.cli("global", "rib", "-a", family, "-j")).items():
                best = [path for path in paths if path.get("best")]
                if best:
                    table[prefix] = self.attributes({attr["type"]: attr for attr in best[0]["attrs"]})
        return table

    def attributes(self, attrs):
        def of(kind, field, default=None):
            return attrs[kind][field] if kind in attrs else default

        path = "".join((" {%s}" if segment["segment_type"] == 1 else " %s") % (
            "," if segment["segment_type"] == 1 else " ").join(map(str, segment["asns"] or ()))
            for segment in of(2, "as_paths", None) or ()).strip()
        return make(
            path, of(3, "nexthop") or of(14, "nexthop"), ORIGINS[of(1, "value")], med=of(4, "metric"),
            local_pref=of(5, "value"), communities=[f"{c >> 16}:{c & 0xFFFF}" for c in of(8, "communities", ())],
            ext_communities=[self.ext_community(c) for c in of(16, "value", ())],
            large_communities=[f"{c['ASN']}:{c['LocalData1']}:{c['LocalData2']}" for c in of(32, "value", ())],
            aggregator=f"{of(7, 'as')} {of(7, 'address')}" if 7 in attrs else None, atomic_aggregate=6 in attrs)

    @staticmethod
    def ext_community(words):
        kind, subtype = words["type"], words["subtype"]
        if "color" in words:
            return ext_community(kind << 56 | subtype << 48 | words["color"])
        first, _, second = words["value"].rpartition(":")
        if kind == 2:  # asdot
            high, low = first.split(".")
            first = str(int(high) << 16 | int(low))
        return f"{ {2: 'rt', 3: 'soo'}[subtype] }:{first}:{second}"


class Openbgpd(Daemon):
    """OpenBGPD. It wants an empty directory of its user's to change its root to, and gets one that only it can see.
    Its dump does not tell a MED of 0 from none. It would connect at once, with an empty table, and then say that this
    was all: so that its neighbours are down until monitor()."""

    name, programs, hello = "openbgpd", ("/usr/sbin/bgpd", "bgpctl", "unshare", "mount"), ("show", "summary")

    @classmethod
    def missing(cls):
        trial = super().missing() or subprocess.run(["unshare", "--mount", "true"], stderr=subprocess.PIPE, text=True,
                                                    check=False).stderr.strip()
        return trial or None

    def command(self):
        private = "mount -t tmpfs tmpfs /run && mkdir /run/openbgpd && exec /usr/sbin/bgpd -d -f config"
        return ["unshare", "--mount", "sh", "-c", private]

    def cli_command(self, *arguments):
        return ["/usr/sbin/bgpctl", "-s", "control", *arguments]

    def config(self):
        text = f"""
AS {self.asn}
router-id {self.address}
listen on {self.address} port 179
socket "{self.path('control')}"
fib-update no
nexthop qualify via default
allow from any
allow to any
"""
        for feeder in (FEEDER, SECOND_FEEDER):
            text += self.neighbour(Neighbour(feeder, 0), "passive\nexport none")
        for neighbour in self.neighbours:
            text += self.neighbour(neighbour, f"port {neighbour.port}\ndown")
        return text

    def neighbour(self, neighbour, transport):
        return f"""
neighbor {neighbour.host} {{
remote-as {neighbour.asn}
{transport}
local-address {neighbour.local or self.address}
{"route-reflector" if neighbour.asn == self.asn else ""}
{f'tcp md5sig password {neighbour.md5}' if neighbour.md5 else ''}
{"announce add-path send all" if neighbour.add_path else ""}
announce IPv4 unicast
announce IPv6 unicast
}}
"""

    def monitor(self):
        for neighbour in self.neighbours:
            self.cli("neighbor", neighbour.host, "up")

    def nudge(self):
        """It waits two minutes between attempts, and longer after errors; after this, five seconds."""
        for neighbour in self.neighbours if self.is_time() else ():
            state = json.loads(self.cli("-j", "show", "neighbor", neighbour.host))["neighbors"][0]["state"]
            if state in ("Idle", "Connect", "Active"):
                self.cli("neighbor", neighbour.host, "clear")

    def count(self):
        return sum(int(json.loads(self.cli("-j", "show", "neighbor", feeder))["neighbors"][0]["stats"]["prefixes"]
                       ["received"]) for feeder in (FEEDER, SECOND_FEEDER))

    def dump(self):
        return {route["prefix"]: self.attributes(route)
                for route in json.loads(self.cli("-j", "show", "rib", "detail"))["rib"] if route.get("best")}

    def attributes(self, route):
        others = {attr["type"]: attr for attr in route.get("attributes", ())}
        aggregator = others.get("Aggregator")
        named = {"NO_EXPORT": "no-export"}
        return make(
            re.sub(r"\{ ([^}]*) \}", lambda found: "{" + found[1].replace(" ", ",") + "}", route["aspath"]),
            route["exit_nexthop"], route["origin"].lower(), med=route["metric"], local_pref=route["localpref"],
            communities=[named.get(word, word) for word in route.get("communities", ())],
            ext_communities=list(map(self.ext_community, route.get("extended_communities", ()))),
            large_communities=route.get("large_communities"),
            aggregator=f"{aggregator['AS']} {aggregator['router_id']}" if aggregator else None,
            atomic_aggregate="Atomic Aggregate" in others)

    @staticmethod
    def ext_community(text):
        """"rt 64500:1"; the generator's other kind is a color, "[11] 0x10ea"."""
        kind, value = text.split()
        return f"{kind}:{value}" if kind in ("rt", "soo") else ext_community(0x030B << 48 | int(value, 16))

    def shown(self, table):
        return {prefix: route._replace(med=route.med or 0) for prefix, route in table.items()}


class Exabgp(Daemon):
    """ExaBGP: has no table but sends what it is told, through a pipe: announce() and withdraw()."""

    name, programs = "exabgp", ("exabgp",)

    def __init__(self, folder, address, **options):
        self.pipe = None
        super().__init__(folder, address, **options)

    def command(self):
        return ["/usr/sbin/exabgp", "config"]

    def environment(self):
        return {"exabgp.daemon.user": "root", "exabgp.daemon.daemonize": "false", "exabgp.api.cli": "false",
                "exabgp.api.ack": "false", "exabgp.log.all": "false", "exabgp.log.level": "WARNING",
                "exabgp.log.destination": "stderr"}

    def config(self):
        if not os.path.exists(self.path("pipe")):
            os.mkfifo(self.path("pipe"))
        return f"process told {{ run /bin/cat {self.path('pipe')}; encoder text; }}\n" + "".join(f"""
            neighbor {neighbour.host} {{
                router-id {self.address}; local-address {neighbour.local or self.address};
                local-as {self.asn}; peer-as {neighbour.asn}; connect {neighbour.port}; hold-time 180;
                capability {{ asn4 enable; graceful-restart 120; }}
                family {{ ipv4 unicast; ipv6 unicast; }}
                api {{ processes [ told ]; }}
                {f'md5-password "{neighbour.md5}";' if neighbour.md5 else ''}
            }}
            """ for neighbour in self.neighbours)

    def start(self):
        super().start()
        self.pipe = open(self.path("pipe"), "w", encoding="ascii")

    def kill(self):
        super().kill()
        if self.pipe:
            try:
                self.pipe.close()
            except BrokenPipeError:
                pass
            self.pipe = None

    def answers(self):
        """When its child reads the pipe."""
        try:
            os.close(os.open(self.path("pipe"), os.O_WRONLY | os.O_NONBLOCK))
            return True
        except OSError:
            return False

    def tell(self, *lines):
        self.pipe.write("".join(line + "\n" for line in lines))
        self.pipe.flush()

    def announce(self, table):
        groups = collections.defaultdict(list)
        for prefix, route in table.items():
            groups[":" in prefix, route].append(prefix)
        self.tell(*(f"announce attributes {self.attributes(route)} nlri {' '.join(prefixes)}"
                    for (_, route), prefixes in groups.items()))

    def withdraw(self, prefixes):
        self.tell(*(f"withdraw route {prefix} next-hop {'::1' if ':' in prefix else '127.0.0.1'}"
                    for prefix in prefixes))

    @staticmethod
    def attributes(route):
        path = route.path.replace("{", "( ").replace("}", " )").replace(",", " ")
        words = [f"next-hop {route.next_hop} origin {route.origin_code} as-path [ {path} ]"]
        if route.med is not None:
            words.append(f"med {route.med}")
        if route.local_pref is not None:
            words.append(f"local-preference {route.local_pref}")
        if route.atomic_aggregate:
            words.append("atomic-aggregate")
        if route.aggregator:
            words.append("aggregator ( {}:{} )".format(*route.aggregator.split()))
        if route.communities:
            words.append(f"community [ {route.communities} ]")
        if route.large_communities:
            words.append(f"large-community [ {route.large_communities} ]")
        if route.ext_communities:
            words.append("extended-community [ " + " ".join(
                f"0x{ext_community_raw(word):016x}" for word in route.ext_communities.split()) + " ]")
        return " ".join(words)


ALL = (Frr, Gobgp, Bird, Openbgpd, Exabgp)
