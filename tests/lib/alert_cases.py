# SPDX-License-Identifier: BSD-2-Clause
"""What each rule of examples/alerts.yml is tried on: CASES[name of the rule].

    Case({series: values, ...}, quiet=[minutes], fires={minute: [(labels, value), ...]})

series are named as Prometheus has them, values are promtool's shorthand, one a `step` (minutes): "0x3 5" is 0 four times, then 5.
At the minutes of `quiet` no alert of this name may fire, at those of `fires` exactly those with these labels. value is the text that
stands where the annotation has {{ $value | ... }}.

The cases stand close to the thresholds on both sides, so that a rule with another one does not pass: alerts_test.py tries that."""

from collections import namedtuple

Case = namedtuple("Case", "series quiet fires step")


def case(series, quiet, fires, step=1):
    return Case(series, quiet, fires, step)


def instances(name, labels="", **values):
    """A series of a name for each instance, with further labels."""
    return {f'{name}{{instance="{instance}"{labels}}}': text for instance, text in values.items()}


def alerts(*names, value=None):
    return [({"instance": name}, value) for name in names]


SOURCE = ',router="edge1",source="bgp",from="192.0.2.1"'


BOUNDS = ("0.5", "1.0", "1.5", "+Inf")


def durations(endpoint, **counts):
    """Of answers, by instance: how many took no longer than each bound, as so many a minute or as promtool's shorthand."""
    series = {}
    for number, le in enumerate(BOUNDS):
        at = {name: counted[number] for name, counted in counts.items()}
        series.update(instances("whereto_http_request_seconds_bucket", f',endpoint="{endpoint}",le="{le}"', **{
            name: text if isinstance(text, str) else f"0+{text}x40" for name, text in at.items()}))
    return series


def slow(*instances_and_values):
    return [({"instance": instance, "endpoint": "/api/v1/top"}, value) for instance, value in instances_and_values]


def health():
    return {
        "WheretoDown": case({**instances("up", ',job="whereto"', a="1 1 0x20", b="1x20"), **instances("up", ',job="node"', c="0x20")},
                            quiet=[3], fires={4: [({"instance": "a", "job": "whereto"}, None)]}),
        "WheretoJournalFull": case(instances("whereto_journal_up", a="1 1 0x20", b="1x20"), quiet=[2], fires={3: alerts("a")}),
        "WheretoStoreAway": case(instances("whereto_store_away_seconds", a="0+60x20", b="0x20"), quiet=[5],
                                 fires={6: alerts("a", value="6m 0s")}),
        "WheretoBacklog": case(instances("whereto_journal_backlog_age_seconds", a="0+300x20", b="0x20"), quiet=[3],
                               fires={4: alerts("a", value="20m 0s")}),
        # a: the kernel's; b: a sender's; c: long ago.
        "WheretoRecordsLost": case({**instances("whereto_kernel_drops_total", a="5x3 6x30", b="5x33", c="5x33"),
                                    **instances("whereto_ledger_dropped", a="2x33", b="2x3 3x30", c="2x33")},
                                   quiet=[3, 14], fires={5: alerts("a", "b"), 12: alerts("a", "b")}),
        # a, b: all the time, for each of the reasons; c: for another; d: once; e: now and then.
        "WheretoUnknownKey": case({**instances("whereto_datagrams_refused_total", ',reason="unknown_key"', a="0+1x50", d="0x2 50x50",
                                               e="0x7 1x7 2x7 3x7 4x20"),
                                   **instances("whereto_datagrams_refused_total", ',reason="bad_tag"', b="0+1x50"),
                                   **instances("whereto_datagrams_refused_total", ',reason="malformed"', c="0+1x50")},
                                  quiet=[10], fires={13: alerts("a", "b"), 30: alerts("a", "b", "e")}),
        # b: up; c: comes and goes.
        "WheretoSourceDown": case(instances("whereto_source_up", SOURCE, a="1 0x20", b="1x20", c="1 0x3 1 0x3 1 0x3 1x10"),
                                  quiet=[5], fires={6: [({"instance": "a", "router": "edge1", "source": "bgp", "from": "192.0.2.1"}, None)]}),
        # Of 100 a minute, a: 6; b: 4; c: 1000 of 1000 once; d: the same each twelve minutes.
        "WheretoWithoutRoute": case({**instances("whereto_records_total", a="0+100x60", b="0+100x60", c="0+100x20 3000+100x60",
                                                 d="0x11 1000x11 2000x11 3000x11 4000x11"),
                                     **instances("whereto_records_without_route_total", a="0+6x60", b="0+4x60", c="0x20 1000x60",
                                                 d="0x11 1000x11 2000x11 3000x11 4000x11")},
                                    quiet=[15], fires={16: alerts("a"), 40: alerts("a", "d")}),
        # a: longer than ever; b: less than that; c: long ago.
        "WheretoHeldUp": case(instances("whereto_longest_hold_seconds", a="0.1x3 0.6x30", b="0.1x3 0.45x30", c="0.9x34"),
                              quiet=[3, 14], fires={4: alerts("a", value="600ms"), 13: alerts("a", value="600ms")}),
        # Of 0.05 a second, a: 0.067; b: 0.042; c: none; d: much once; e: much each eight minutes.
        "WheretoApiFails": case({**instances("whereto_http_requests_total", ',status="503",endpoint="top"', a="0+4x40", d="0x2 100x40",
                                             e="0x7 60x7 120x7 180x7 240x20"),
                                 **instances("whereto_http_requests_total", ',status="500",endpoint="top"',
                                             b="0 2 5 7 10 12 15 17 20 22 25 27 30 32 35 37 40 42 45 47 50 52 55 57 60 62 65 67 70 72 75"),
                                 **instances("whereto_http_requests_total", ',status="404",endpoint="top"', c="0+100x40")},
                                quiet=[10, 14], fires={minute: alerts("a", value="0.07") + alerts("e", value="0.10") for minute in (20, 22)}),
        # Of a second, a: 1.125; b: 0.92; c: no answer of the API; d: slow once; e: slow each eight minutes.
        "WheretoApiSlow": case({**durations("/api/v1/top", a=(500, 940, 980, 1000), b=(900, 960, 1000, 1000),
                                            d=("0x42", "0x42", "0x2 100x40", "0x2 100x40"),
                                            e=("0x42", "0x42", "0x7 60x7 120x7 180x7 240x20", "0x7 60x7 120x7 180x7 240x20")),
                                **durations("/metrics", c=(0, 0, 1000, 1000))},
                               quiet=[10], fires={14: slow(("a", "1.125s")), 22: slow(("a", "1.125s"), ("e", "1.475s"))}),
        "WheretoHousekeepingFails": case(instances("whereto_store_housekeeping_failed_seconds", a="0+600x20", b="0x20"), quiet=[5, 6],
                                         fires={7: alerts("a", value="1h 10m 0s")}),
        # Of 300, a: 350, b: 350; c: 250; d: none.
        "WheretoTokenGuessed": case({**instances("whereto_http_requests_total", ',status="401",endpoint="top"', a="0x3 350x30", c="0x3 250x30"),
                                     **instances("whereto_http_requests_total", ',status="429",endpoint="top"', b="0x3 350x30"),
                                     **instances("whereto_http_requests_total", ',status="200",endpoint="top"', d="0+900x33")},
                                    quiet=[3, 14], fires={11: alerts("a", "b", value="350"), 13: alerts("a", "b", value="350")}),
        "WheretoCertificateEnds": case(instances("whereto_http_certificate_end_timestamp_seconds", a="1209780x20", b="9999999x20"),
                                       quiet=[3], fires={6: alerts("a", value="13d 23h 57m 0s")}),
    }


# ---- traffic ----

STEP = 5                    # minutes
CHANGE = 27 * 60 // STEP    # steps before what the rules are about begins
STEPS = CHANGE + 6


def values(rate_at):
    """Of a counter that grows by rate_at(step) in each step, as promtool's runs of equal growth."""
    runs, total = [], 0
    for step in range(STEPS):
        rate = rate_at(step)
        if runs and runs[-1][1] == rate:
            runs[-1][2] += 1
        else:
            runs.append([total + rate, rate, 0])
        total += rate
    return " ".join(f"{start}+{rate}x{count}" for start, rate, count in runs)


def since(before, after):
    return lambda step: after if step >= CHANGE else before


def hours_ago(first, last, then, otherwise):
    """`then` between so many hours before the change."""
    return lambda step: then if CHANGE - first * 60 // STEP <= step < CHANGE - last * 60 // STEP else otherwise(step)


def yesterday(factor, otherwise):
    """What is to come, a day before: so much of what is usual."""
    return lambda step: (int(otherwise(0) * factor) if CHANGE - 288 <= step < CHANGE - 276 else otherwise(step))


# Of packets in five minutes, how many are sent again; the threshold is twice, and 0.5 %.
RETRANSMITS = {
    # name: (sent, sent again, what it fires with)
    "1": (since(100000, 100000), since(300, 660), "0.66%"),
    "2": (since(100000, 100000), since(300, 540), None),
    "3": (since(100000, 100000), since(100, 450), None),
    "4": (since(100000, 100000), since(100, 550), "0.55%"),
    # About as many packets as it takes, in a quarter of an hour.
    "5": (since(3000, 3000), since(20, 44), None),
    "6": (since(4000, 4000), since(30, 66), "1.65%"),
    # Many more were sent again twenty hours ago.
    "7": (since(100000, 100000), hours_ago(22, 19, 3000, since(300, 800)), None),
    "unknown": (since(100000, 100000), since(300, 3000), None),
    "other": (since(100000, 100000), since(300, 3000), None),
}
# About as many packets as it takes, in the day before: at once, and until the day before holds enough of what is new.
NEW = {
    "8": (since(30, 100000), since(0, 1000), None),
    "9": (since(40, 100000), since(0, 1000), "1%"),
}
MB = 1000000
PACKETS = since(100000, 100000)
MUCH, HALF, MORE = since(900 * MB, 900 * MB), since(900 * MB, 405 * MB), since(900 * MB, 495 * MB)
# Bytes in five minutes; the threshold is half.
FALLS = {
    # name: (bytes, packets, what it fires with)
    "1": (HALF, PACKETS, "1.35M"),
    "2": (yesterday(1.2, MORE), PACKETS, None),
    # About as many packets as it takes, in two hours.
    "3": (HALF, since(7000, 7000), None),
    "4": (HALF, since(9000, 9000), "1.35M"),
    # As low yesterday; not quite; by no means.
    "5": (yesterday(0.45, HALF), PACKETS, None),
    "6": (yesterday(0.8, HALF), PACKETS, None),
    "7": (yesterday(1.1, HALF), PACKETS, "1.35M"),
    # Much more until two and a half hours ago.
    "8": (yesterday(10, hours_ago(3.5, 2.5, 9000 * MB, MUCH)), PACKETS, None),
}
# Much more until one and a half hours ago: that is no news.
LESS = {"9": (yesterday(10, hours_ago(2, 1.5, 9000 * MB, MUCH)), PACKETS, "3M")}
RESTS = {name: (since(900 * MB, 0), PACKETS, None) for name in ("unknown", "other")}


def labelled(by, name, instance="a"):
    return "{" + f'instance="{instance}",' + (f'job="{name}",neighbour="64500"' if by == "job" else f'job="whereto",{by}="{name}"') + "}"


def fired(by, traffic):
    return [({"job": name} if by == "job" else {"job": "whereto", by: name}, value)
            for name, (_, _, value) in sorted(traffic.items()) if value is not None]


def retransmits(by):
    family, series = f"whereto_{by}_packets", {}
    for name, (sent, again, _) in {**RETRANSMITS, **NEW}.items():
        series[f"{family}_sent_total{labelled(by, name)}"] = values(sent)
        series[f"{family}_retransmitted_total{labelled(by, name)}"] = values(again)
    minute = CHANGE * STEP
    return case(series, [minute + 5], {minute + 10: fired(by, NEW), minute + 25: fired(by, RETRANSMITS)}, STEP)


def falls(by):
    """`by` job: everything of a job; its neighbours are one here."""
    family = f"whereto_{'neighbour' if by == 'job' else by}"
    traffic, series = {**FALLS, **LESS, **({} if by == "job" else RESTS)}, {}
    for name, (sent, packets, _) in traffic.items():
        series[f"{family}_bytes_sent_total{labelled(by, name)}"] = values(sent)
        series[f"{family}_packets_sent_total{labelled(by, name)}"] = values(packets)
    # From one collector to another: no less than before.
    for instance, sent in (("a", since(900 * MB, 0)), ("b", since(0, 900 * MB))):
        for measure, rate in (("bytes", sent), ("packets", PACKETS)):
            series[f"{family}_{measure}_sent_total{labelled(by, 'moved', instance)}"] = values(rate)
    # One whose place is taken: its series ends.
    for measure, rate in (("bytes", 900 * MB), ("packets", 100000)):
        series[f"{family}_{measure}_sent_total{labelled(by, 'ended')}"] = f"0+{rate}x{CHANGE} stale"
    minute = CHANGE * STEP
    return case(series, [minute - 180], {minute + 15: fired(by, LESS), minute + 25: fired(by, traffic)}, STEP)


CASES = {**health(), **{f"Whereto{by.capitalize()}Retransmits": retransmits(by) for by in ("neighbour", "origin", "country")},
         **{f"Whereto{by.capitalize()}TrafficFell": falls(by) for by in ("neighbour", "origin", "country")},
         "WheretoTrafficFell": falls("job")}
