// SPDX-License-Identifier: BSD-2-Clause

// The same network by several routers, or neighbours: by which one it is reached better, and how much traffic goes by the worse. The
// collector judges (src/query/compare.c); here its verdicts are shown, with each side's figure and interval on one scale a network.

import {ask, type ComparedFigure, type Comparison, type Dimension, type Network, type Peering, type Side, type SideFigure} from "../api";
import {longer, segmented, selector} from "../bar";
import {h, type Child} from "../dom";
import {plus} from "../filter";
import {askTraffic, card, empty, noTraffic, trafficEvery, type PageModule} from "../page";
import {loadPeering, peeringCard} from "../peering";
import {rate} from "../scale";
import {choice, filterOf, question, url, type State} from "../state";
import {table, type Column} from "../table";
import {bytes, count, data, ms, percent} from "../units";
import {topOf, whisker} from "../whisker";
import * as words from "../words";

type By = "prefix" | "origin" | "country";
type Between = "router" | "neighbour";
const BY: [By, string][] = [["origin", "Origin AS"], ["prefix", "Prefix"], ["country", "Country"]];
const BETWEEN: [Between, string][] = [["router", "Routers"], ["neighbour", "Neighbours"]];
const LIMITS: [string, string][] = [["15", "15 networks"], ["50", "50 networks"], ["200", "200 networks"]];

interface Data {
    by: By;
    between: Between;
    compared: Comparison;
    peering: Peering;
    senders: number | null; // when there is no traffic
    routers: number | null; // when there is nothing to compare
}

async function load(s: State, signal: AbortSignal): Promise<Data> {
    const by = choice(s, "by", BY.map(([v]) => v), "origin"), between = choice(s, "between", BETWEEN.map(([v]) => v), "router");
    const limit = choice(s, "limit", LIMITS.map(([v]) => v), "15");
    const [compared, peering] = await Promise.all([
        askTraffic<Comparison>(s, "compare", {by, between, limit}, signal),
        loadPeering(s, signal),
    ]);
    for (const row of compared.rows)
        words.learn([row, ...row.sides]);
    const rows = async (name: string) => (await ask<{rows: unknown[]}>(name, {}, signal)).rows.length;
    const senders = compared.total.bytes_sent ? null : await rows("senders");
    const routers = senders === null && !compared.rows.length ? await rows("routers") : null;
    return {by, between, compared, peering, senders, routers};
}

// ---- a side ----

interface Line {
    network: Network;
    side: Side;
    first: boolean;
}

const SIGNS: Record<SideFigure["verdict"], string> = {better: "▲", worse: "▼", same: "=", "not enough data": "·"};
const CLASSES: Record<SideFigure["verdict"], string> = {better: "good", worse: "bad", same: "", "not enough data": "none"};
const FORMATS: Record<ComparedFigure, (v: number | null) => string> = {retransmits: percent, rtt: ms};
const WHAT: Record<ComparedFigure, string> = {retransmits: "of its connections had a retransmit", rtt: "is the mean of its smallest round-trip times"};

function describe(name: ComparedFigure, f: SideFigure): string {
    const format = FORMATS[name];
    return f.value === null ? "not known" : `${format(f.value)} ${WHAT[name]}; 95 % interval: ${format(f.low)} to ${format(f.high)}`;
}

function verdict(name: ComparedFigure, f: SideFigure): HTMLElement {
    const format = FORMATS[name];
    const more = f.difference === null ? "" : `${format(f.difference)} more than the best; 95 % interval: ${format(f.difference_low)} to ${format(f.difference_high)}`;
    return h("span", {class: `verdict ${CLASSES[f.verdict]}`, "data-verdict": f.verdict, title: [f.why, more].filter(Boolean).join("; ") || null},
        h("span", {class: "sign", "aria-hidden": "true"}, SIGNS[f.verdict]), f.verdict);
}

function figureColumns(name: ComparedFigure, title: string, hint: string): Column<Line>[] {
    return [
        {name: title, class: "whisker-cell", title: hint, cell: ({network, side}) =>
            whisker(side[name], topOf(network.sides.map((other) => other[name])), CLASSES[side[name].verdict], describe(name, side[name]))},
        {name: "", cell: ({side}) => verdict(name, side[name])},
    ];
}

function networkCell(s: State, by: Dimension, line: Line): Child {
    if (!line.first)
        return null;
    const value = words.value(by, line.network), filter = plus(filterOf(s), by, value);
    return h("a", {href: url(s, {filter, by: null}, "networks"), title: words.text(by, value)}, words.label(by, value));
}

function sideCell(s: State, by: Dimension, between: Dimension, {network, side}: Line): Child {
    const value = words.value(between, side);
    const filter = plus(plus(filterOf(s), by, words.value(by, network)), between, value);
    return h("a", {href: url(s, {filter, by: null}, "networks"), title: words.text(between, value)}, words.label(between, value));
}

function columns(s: State, d: Data): Column<Line>[] {
    return [
        {name: words.LABELS[d.by], class: "what network", cell: (line) => networkCell(s, d.by, line)},
        {name: "At stake", number: true, class: "stake", title: "bytes by sides that are worse in one figure and better in none",
            cell: (line) => line.first && line.network.at_stake_bytes ? data(line.network.at_stake_bytes, bytes) : null},
        {name: words.LABELS[d.between], class: "side short", cell: (line) => sideCell(s, d.by, d.between, line)},
        {name: "Bytes", number: true, cell: ({side}) => data(side.bytes_sent, bytes)},
        {name: "Retransmits", number: true, title: "of packets", cell: ({side}) => rate(side)},
        ...figureColumns("retransmits", "Connections hit", "the share of connections that had a retransmit, with its 95 % interval; one scale a network"),
        {name: "RTT mean", number: true, title: "of connections' smallest round-trip times", cell: ({side}) => data(side.rtt.value, ms, describe("rtt", side.rtt))},
        ...figureColumns("rtt", "Round trip", "the mean of connections' smallest round-trip times, with its 95 % interval; one scale a network"),
    ];
}

// ---- the card ----

function said(d: Data): HTMLElement {
    const n = d.compared.networks, one = d.between === "router" ? "one router" : "one neighbour";
    const better = (name: ComparedFigure) => h("strong", null, data(n[name].better, count));
    return h("p", {class: "compare-said", id: "compare-said"}, data(n.compared, count), ` ${words.noun(d.by, n.compared)} had traffic by two ${words.noun(d.between)} or more. For `,
        better("retransmits"), ` of them ${one} has fewer retransmits, for `, better("rtt"), " a lower RTT. ",
        h("strong", null, data(n.at_stake_bytes, bytes)), " of ", data(n.bytes_sent, bytes), " went by a worse one.");
}

const NOTE = "Better and worse: 99.9 % sure, and enough to matter. Same: a difference that matters is ruled out. Otherwise there is not enough data.";

function nothing(s: State, d: Data): HTMLElement {
    const button = (text: string, changes: Record<string, string | null>) => h("a", {class: "button", href: url(s, changes)}, text);
    const wider = d.by === "prefix" ? button("Compare origin ASes", {by: null}) : null;
    if (d.routers === 0)
        return empty("There is no router.", h("p", null, "Networks and neighbours are known from the tables of routers: list one, with what it serves, in the collector's configuration."));
    if (d.between === "router" && d.routers === 1)
        return empty("There is one router only.", h("p", null, "A network has sides when the servers behind two routers send to it: list another router, with what it serves, in the collector's configuration. Until then, neighbours can be compared."),
            h("p", null, button("Compare neighbours", {between: "neighbour", by: null})));
    if (filterOf(s))
        return empty(`No network that passes this filter had traffic by two ${words.noun(d.between)} in this range.`, h("p", null, button("Remove the filter", {filter: null}), " ", longer(s)));
    return empty(`No network had traffic by two ${words.noun(d.between)} in this range.`,
        h("p", null, d.between === "router" ? "Each network is sent to from behind one router." : "Each network is reached by one neighbour."),
        h("p", null, wider, " ", longer(s), d.between === "router" ? button("Compare neighbours", {between: "neighbour"}) : button("Compare routers", {between: null})));
}

function lines(d: Data): Line[] {
    return d.compared.rows.flatMap((network) => network.sides.map((side, i) => ({network, side, first: i === 0})));
}

function comparison(s: State, d: Data): HTMLElement {
    const title = `The same ${words.noun(d.by, 1)} by several ${words.noun(d.between)}`, tools = [segmented("Networks", s, "by", BY, "origin"), segmented("Compare", s, "between", BETWEEN, "router"),
        selector("Show", s, "limit", LIMITS, "15"),
        h("a", {class: "more", href: "/api/v1/compare?" + new URLSearchParams(question(s, {by: d.by, between: d.between, limit: 100000, format: "csv"})), download: "compare.csv"}, "CSV")];
    if (!d.compared.rows.length)
        return card(title, nothing(s, d), {tools});
    return card(title, [said(d), table(title, columns(s, d), lines(d), {class: "compare", rowClass: (line) => line.first ? "first" : ""}), h("p", {class: "note compare-note"}, NOTE)], {tools});
}

export const compare: PageModule<Data> = {
    title: "Compare", lead: "By which router is a network reached better, and whom to peer with?", bar: true, every: trafficEvery, load,
    covers: (d) => d.compared,
    draw(s, d) {
        if (d.senders !== null)
            return noTraffic(s, d.senders);
        return [comparison(s, d), peeringCard(s, d.peering)];
    },
};
