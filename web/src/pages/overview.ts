// SPDX-License-Identifier: BSD-2-Clause

// Where it goes, where it is lost, whom to call about it: figures against the period before, the same over time, the world,
// and networks, the largest and the worst.

import {ask, FIELDS, RATE, RTT, type Answer, type Change, type Compared, type Dimension, type Row} from "../api";
import {segmented, selector} from "../bar";
import {h, type Child} from "../dom";
import {plus} from "../filter";
import {askTraffic, card, empty, noTraffic, toRange, trafficEvery, waiting, type PageModule} from "../page";
import {against, covered, figureChange, secondsOf, sumChange} from "../covered";
import {changesCard} from "../changes";
import {bound, isFew, legend, rate, rtt, wilson, worstFirst} from "../scale";
import * as series from "../series";
import {choice, current, filterOf, go, range, url, zone, type State} from "../state";
import {asTable, sparkline, table, type Column} from "../table";
import {bits, bytes, count, data, ms, percent, type Format} from "../units";
import * as words from "../words";
import {loadWorld, world, type MapOf} from "../world";

const SPLITS: [Dimension | "", string][] = [["", "Nothing"], ["router", "Router"], ["neighbour", "Neighbour AS"], ["origin", "Origin AS"],
    ["country", "Country"], ["type", "Traffic type"], ["prefix", "Prefix"], ["path", "AS path"], ["match", "Route found"]];
const MEASURES: [series.Measure, string][] = [["throughput", "Throughput"], ["retransmit_rate", "Retransmits"], ["rtt_p50_us", "RTT p50"],
    ["rtt_p95_us", "RTT p95"], ["connections", "Connections"]];
const MAPS: [MapOf, string][] = [["retransmit_rate", "Retransmit rate"], ["bytes_sent", "Bytes"]];
const NETWORKS: [Dimension, string][] = [["origin", "Origin AS"], ["neighbour", "Neighbour AS"], ["via", "Any AS"], ["country", "Country"], ["prefix", "Prefix"]];
const GROUPS = 7;
const LISTED = 8;
const POINTS = 120;

interface Data {
    total: Compared;
    whole: Answer;         // whose total it is
    all: Answer;
    split: Answer | null;
    lists: Lists | null;   // null: they are still to come
    changes: Change[];
    senders: number | null;
}

interface Lists {
    countries: Row[];
    largest: Row[];
    worst: Row[];
}

const splitOf = (s: State) => choice(s, "by", SPLITS.map(([v]) => v), "neighbour");
const measureOf = (s: State) => choice(s, "measure", MEASURES.map(([v]) => v), "throughput");
const networksOf = (s: State) => choice(s, "networks", NETWORKS.map(([v]) => v), "origin");

const LIST = `bytes_sent,share,${RATE},${RTT}`;

async function loadLists(s: State, signal: AbortSignal): Promise<Lists> {
    const by = networksOf(s);
    const [countries, largest, worst] = await Promise.all([
        askTraffic<Answer>(s, "countries", {fields: `bytes_sent,rtt_p95_us,${RATE},${RTT}`}, signal),
        askTraffic<Answer>(s, "top", {by, limit: LISTED, fields: LIST}, signal),
        askTraffic<Answer>(s, "top", {by, limit: 200, sort: "packets_retransmitted", fields: `bytes_sent,${RATE},${RTT}`}, signal),
    ]);
    for (const answer of [largest, worst])
        words.learn(answer.rows);
    return {countries: countries.rows, largest: largest.rows,
        worst: worst.rows.filter((r) => !isFew(r) && wilson(r.packets_retransmitted, r.packets_sent) > 0).sort(worstFirst).slice(0, LISTED)};
}

// The series that are split show one measure, in the order of another.
function loadSplit(s: State, split: Dimension, signal: AbortSignal): Promise<Answer> {
    const {field, sort} = series.MEASURES[measureOf(s)];
    return askTraffic<Answer>(s, "series", {by: split, limit: GROUPS, sort, points: POINTS, fields: field === sort ? field : `${field},${sort}`}, signal);
}

async function load(s: State, signal: AbortSignal, early: (data: Data) => void): Promise<Data> {
    const split = splitOf(s);
    const first = Promise.all([
        askTraffic<Answer>(s, "top", {by: "", compare: "previous", fields: FIELDS}, signal),
        askTraffic<Answer>(s, "series", {by: "", points: POINTS, fields: `bytes_sent,connections,retransmit_rate,rtt_p50_us,rtt_p95_us`}, signal),
        split ? loadSplit(s, split, signal) : null,
        ask<{rows: Change[]}>("changes", {...range(s), limit: String(LISTED)}, signal),
    ]);
    const rest = loadLists(s, signal);
    rest.catch(() => null); // it is awaited below, unless the first fails
    void loadWorld().catch(() => null);
    const [now, all, part, changes] = await first;
    words.learn(part?.rows ?? []);
    const some = now.total.connections || now.total.packets_sent || now.total.bytes_sent;
    const senders = some ? null : (await ask<{rows: unknown[]}>("senders", {}, signal)).rows.length;
    const data = {total: now.total, whole: now, all, split: part, lists: null, changes: changes.rows, senders};
    early(data);
    return {...data, lists: await rest};
}

// ---- the figures at the top ----

function tile(id: string, name: string, value: number | null, format: Format, more: Child, changed: HTMLElement, values: (number | null)[]): HTMLElement {
    return h("div", {class: "tile", id: `tile-${id}`}, h("div", {class: "tile-name"}, name), h("div", {class: "tile-value"}, data(value, format)),
        h("div", {class: "tile-more"}, changed, more ? h("span", {class: "tile-extra"}, more) : null),
        sparkline(values, `${name} over time`));
}

function tiles(d: Data): HTMLElement {
    const t = d.total, p = t.previous, a = against(d.whole);
    const lines = (m: series.Measure) => series.build(d.all, null, "", m).groups[0].values;
    return h("section", {class: "tiles", "aria-label": "Figures of the whole range, and their change against the period before"},
        tile("bytes", "Bytes sent", t.bytes_sent, bytes, [bits(t.bytes_sent * 8 / secondsOf(covered(d.whole))), " on average"], sumChange(t.bytes_sent, p?.bytes_sent, a), lines("throughput")),
        tile("rate", "Retransmit rate", t.retransmit_rate, percent, bound(t, "a lower bound"), figureChange(t.retransmit_rate, p?.retransmit_rate, a, true), lines("retransmit_rate")),
        tile("p50", "RTT p50", t.rtt_p50_us, ms, null, figureChange(t.rtt_p50_us, p?.rtt_p50_us, a, false), lines("rtt_p50_us")),
        tile("p95", "RTT p95", t.rtt_p95_us, ms, null, figureChange(t.rtt_p95_us, p?.rtt_p95_us, a, false), lines("rtt_p95_us")),
        tile("connections", "Connections", t.connections, count, null, sumChange(t.connections, p?.connections, a), lines("connections")));
}

// ---- over time ----

function legendOf(s: State, drawn: series.Drawn, dim: Dimension | ""): HTMLElement {
    const info = series.MEASURES[drawn.measure];
    const mean = (g: series.Group) => {
        const known = g.values.map((v, i) => ({v, s: drawn.times[i].seconds})).filter((x): x is {v: number; s: number} => x.v !== null);
        const time = known.reduce((n, x) => n + x.s, 0);
        return time ? known.reduce((n, x) => n + x.v * x.s, 0) / time : null;
    };
    const most = (g: series.Group) => g.values.some((v) => v !== null) ? Math.max(...g.values.map((v) => v ?? 0)) : null;
    return h("ul", {class: "legend", "aria-label": "Groups, with their means and highest points"},
        h("li", {class: "legend-row legend-head"}, h("span", {class: "n"}, "mean"), h("span", {class: "n"}, "highest")), drawn.groups.map((g) => {
        const content = [h("i", {class: "swatch", vars: {"--c": g.color}}), h("span", {class: "legend-name"}, g.name),
            h("span", {class: "n"}, info.format(mean(g))), h("span", {class: "n"}, info.format(most(g)))];
        return h("li", null, dim && g.value !== undefined ? h("a", {href: url(s, {filter: plus(filterOf(s), dim, g.value)}), title: `Only ${g.name}`}, content)
            : h("span", {class: "legend-row"}, content));
    }));
}

function overTime(s: State, d: Data): HTMLElement {
    const dim = splitOf(s), measure = measureOf(s);
    const drawn = series.build(d.all, d.split, dim, measure);
    const markers = d.changes.map((c) => ({time: Date.parse(c.time), label: c.prefix}));
    return card(MEASURES.find(([v]) => v === measure)![1], h("div", {class: "with-legend"},
        series.seriesChart("overview-series", drawn, zone(s), toRange, markers), legendOf(s, drawn, dim), series.seriesTable(drawn, zone(s))),
    {class: "wide", tools: [segmented("Measure", s, "measure", MEASURES, "throughput"), selector("by", s, "by", SPLITS, "neighbour")]});
}

// ---- where ----

function volumeLegend(): HTMLElement {
    return h("div", {class: "rate-legend", role: "img", "aria-label": "Colours from little to much traffic"}, h("span", null, "less"),
        [0, 1, 2, 3, 4].map((i) => h("span", {class: `volume-${i}`}, h("i"))), h("span", null, "more"));
}

function whereTo(s: State, countries: Row[]): HTMLElement {
    const list = columns(s, "country", 0).filter((c) => c.name !== "Share");
    const of = choice(s, "map", MAPS.map(([v]) => v), "retransmit_rate");
    return card("Countries", [world("overview-map", countries, of, (code) =>
        go(url(current(), {filter: plus(filterOf(current()), "country", code), by: null}, "networks"))), of === "bytes_sent" ? volumeLegend() : legend(),
        asTable("map-table", () => table("Countries", list, countries))],
    {tools: segmented("Colour", s, "map", MAPS, "retransmit_rate")});
}

// most: the largest share, which is a whole bar.
function columns(s: State, dim: Dimension, most: number): Column<Row>[] {
    const next = (row: Row) => url(s, {filter: plus(filterOf(s), dim, words.value(dim, row)), by: null}, "networks");
    return [
        {name: words.LABELS[dim], class: "what", cell: (row) => h("a", {href: next(row)}, words.label(dim, words.value(dim, row)))},
        {name: "Bytes", number: true, cell: (row) => data(row.bytes_sent, bytes)},
        {name: "Share", number: true, class: "share", cell: (row) => h("span", {class: "share-bar", vars: {"--v": String((row.share ?? 0) / (most || 1))}}, data(row.share, percent))},
        {name: "Retransmits", number: true, cell: (row) => rate(row)},
        {name: "RTT p50", number: true, cell: (row) => rtt(row.rtt_p50_us, row, ms)},
    ];
}

function lists(s: State, d: Lists): [HTMLElement, HTMLElement] {
    const dim = networksOf(s);
    const all = (sort: string | null) => h("a", {class: "more", href: url(s, {by: dim, sort}, "networks")}, "All →");
    const list = columns(s, dim, Math.max(...d.largest.map((r) => r.share ?? 0)));
    const impact: Column<Row> = {name: "Sent again", title: "packets", number: true, cell: (row) => data(row.packets_retransmitted, count)};
    return [
        card("Largest networks", table("Largest networks", list, d.largest), {tools: [selector("by", s, "networks", NETWORKS, "origin"), all(null)]}),
        card("Worst networks", d.worst.length ? table("Worst networks", [list[0], list[3], impact, list[4], list[1]], d.worst)
            : empty("Nothing was sent again, as far as there are packets enough to say."),
        {note: "by retransmit rate; few packets count for little", tools: all("retransmit_rate")}),
    ];
}

export const overview: PageModule<Data> = {
    title: "Overview", lead: "Where does the traffic go, and how well does it arrive?", bar: true, every: trafficEvery, load,
    covers: (d) => d.whole,
    draw(s, d) {
        if (d.senders !== null)
            return noTraffic(s, d.senders);
        const changes = changesCard(s, d.changes, "dashed lines above");
        if (!d.lists)
            return [tiles(d), overTime(s, d), h("div", {class: "columns"}, ["Countries", "Worst networks", "Largest networks"].map((title) => card(title, waiting())), changes)];
        const [largest, worst] = lists(s, d.lists);
        return [tiles(d), overTime(s, d), h("div", {class: "columns"}, whereTo(s, d.lists.countries), worst, largest, changes)];
    },
};
