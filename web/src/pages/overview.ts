// SPDX-License-Identifier: BSD-2-Clause

// Where it is lost and whom to call about it, where it goes: figures against the period before, the same over time beside the worst
// networks, the largest, and the world.

import {ApiError, ask, FIELDS, RATE, RTT, type Answer, type Change, type Compared, type Dimension, type Row} from "../api";
import {segmented, selector} from "../bar";
import {h, type Child} from "../dom";
import {plus} from "../filter";
import {askTraffic, card, empty, noTraffic, toRange, trafficEvery, waiting, type PageModule} from "../page";
import {against, covered, figureChange, secondsOf, sumChange} from "../covered";
import {changesCard, loadChanges} from "../changes";
import {askWorst, excessOf, loadLost, loadOver, lostCard, type Lost} from "../lost";
import {bound, isFew, legend, rate, rtt, wilson, worstFirst} from "../scale";
import * as series from "../series";
import {choice, current, filterOf, go, url, zone, type State} from "../state";
import {asTable, sparkline, table, type Column} from "../table";
import {bits, bytes, count, data, ms, percent, type Format} from "../units";
import * as words from "../words";
import {loadWorld, world, type MapOf} from "../world";

const SPLITS: [Dimension | "", string][] = [["", "Nothing"], ["router", "Router"], ["neighbour", "Neighbour AS"], ["origin", "Origin AS"],
    ["via", "Any AS"], ["country", "Country"], ["type", "Traffic type"], ["prefix", "Prefix"], ["path", "AS path"], ["match", "Route found"]];
const MEASURES: [series.Measure, string][] = [["throughput", "Throughput"], ["retransmit_rate", "Retransmits"], ["rtt_p50_us", "RTT p50"],
    ["rtt_p95_us", "RTT p95"], ["connections", "Connections"]];
const MAPS: [MapOf, string][] = [["retransmit_rate", "Retransmit rate"], ["bytes_sent", "Bytes"]];
const NETWORKS: [Dimension, string][] = [["origin", "Origin AS"], ["neighbour", "Neighbour AS"], ["via", "Any AS"], ["country", "Country"], ["prefix", "Prefix"]];
const RANKS: [Rank, string][] = [["excess", "Excess"], ["rate", "Rate"]];
const LISTED = 8;
const POINTS = 120;

type Rank = "excess" | "rate";

interface Data {
    total: Compared;
    whole: Answer;         // whose total it is
    all: Answer;
    split: Answer | null;
    lists: Lists | null;   // null: they are still to come
    lost: Lost | null;
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

const worstOf = (s: State) => choice(s, "worst", NETWORKS.map(([v]) => v), "origin");
const rankOf = (s: State) => choice(s, "rank", RANKS.map(([v]) => v), "excess");

const LIST = `bytes_sent,share,${RATE},${RTT}`;

// The worst among those with the most that was lost: by the excess over everybody else's rate, or by the rate as far as it is certain.
function worst(s: State, rows: Row[], total: Compared): Row[] {
    const enough = rows.filter((r) => !isFew(r));
    return (rankOf(s) === "rate" ? enough.filter((r) => wilson(r.packets_retransmitted, r.packets_sent) > 0).sort(worstFirst)
        : enough.filter((r) => excessOf(r, total) > 0).sort((a, b) => excessOf(b, total) - excessOf(a, total))).slice(0, LISTED);
}

const WORST = `bytes_sent,${RATE},${RTT}`;

async function loadLists(s: State, total: Promise<Compared>, countries: Promise<Answer>, vias: Promise<Answer>, signal: AbortSignal): Promise<Lists> {
    const by = worstOf(s);
    const [country, largest, lost, whole] = await Promise.all([countries,
        askTraffic<Answer>(s, "top", {by: networksOf(s), limit: LISTED, fields: LIST}, signal),
        by === "via" ? vias : askWorst(s, by, WORST, signal), total]);
    for (const answer of [largest, lost])
        words.learn(answer.rows);
    return {countries: country.rows, largest: largest.rows, worst: worst(s, lost.rows, whole)};
}

// The series that are split show one measure, in the order of another.
function loadSplit(s: State, split: Dimension, signal: AbortSignal): Promise<Answer> {
    const {field, sort} = series.MEASURES[measureOf(s)];
    return askTraffic<Answer>(s, "series", {by: split, limit: series.asked(measureOf(s)), sort, points: POINTS,
        fields: field.split(",").includes(sort) ? field : `${field},${sort}`}, signal);
}

// What the rest of the page can be shown without: it is asked for again with it.
function inTime<T>(answer: Promise<T>, otherwise: T): Promise<T> {
    return answer.catch((error: unknown) => {
        if (error instanceof ApiError && error.status === 503)
            return otherwise;
        throw error;
    });
}

// In three steps, each of which is drawn when a page is shown anew: the whole, the lists and where it is lost, that over time.
async function load(s: State, signal: AbortSignal, early: (data: Data) => void): Promise<Data> {
    const split = splitOf(s);
    const whole = askTraffic<Answer>(s, "top", {by: "", compare: "previous", fields: FIELDS}, signal);
    const first = Promise.all([whole,
        askTraffic<Answer>(s, "series", {by: "", points: POINTS, fields: `bytes_sent,connections,retransmit_rate,rtt_p50_us,rtt_p95_us,packets_sent,packets_retransmitted`}, signal),
        split ? loadSplit(s, split, signal) : null,
        loadChanges(s, LISTED, signal),
    ]);
    const countries = askTraffic<Answer>(s, "countries", {fields: `bytes_sent,rtt_p95_us,${RATE},${RTT}`}, signal);
    const vias = askWorst(s, "via", WORST, signal);
    const total = whole.then((a) => a.total);
    const rest = Promise.all([loadLists(s, total, countries, vias, signal), inTime(loadLost(s, signal), null)]);
    rest.catch(() => null); // it is awaited below, unless the first fails
    void loadWorld().catch(() => null);
    const [now, all, part, changes] = await first;
    words.learn(part?.rows ?? []);
    const some = now.total.connections || now.total.packets_sent || now.total.bytes_sent;
    const senders = some ? null : (await ask<{rows: unknown[]}>("senders", {}, signal)).rows.length;
    const data: Data = {total: now.total, whole: now, all, split: part, lists: null, lost: null, changes, senders};
    early(data);
    const [lists, lost] = await rest;
    early({...data, lists, lost});
    return {...data, lists, lost: lost && await inTime(loadOver(s, lost, all, POINTS, signal), lost)};
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
    const most = (g: series.Group) => g.values.some((v) => v !== null) ? Math.max(...g.values.map((v) => v ?? 0)) : null;
    return h("ul", {class: "legend", "aria-label": "Groups, with their means and highest points"},
        h("li", {class: "legend-row legend-head"}, h("span", {class: "n"}, "mean"), h("span", {class: "n most"}, "highest")), drawn.groups.map((g) => {
        const content = [h("i", {class: "swatch", vars: {"--c": g.color}}), h("span", {class: "legend-name", title: g.name}, g.name),
            h("span", {class: "n"}, info.format(g.mean)), h("span", {class: "n most"}, info.format(most(g)))];
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
    {tools: [segmented("Measure", s, "measure", MEASURES, "throughput"), selector("by", s, "by", SPLITS, "neighbour")]});
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

const all = (s: State, by: Dimension, sort: string | null) => h("a", {class: "more", href: url(s, {by, sort}, "networks")}, "All →");

function largestCard(s: State, d: Lists): HTMLElement {
    const dim = networksOf(s);
    return card("Largest networks", table("Largest networks", columns(s, dim, Math.max(...d.largest.map((r) => r.share ?? 0))), d.largest),
        {tools: [selector("by", s, "networks", NETWORKS, "origin"), all(s, dim, null)]});
}

// Many that are bad are often behind one: that is said of all, or of each.
function worstCard(s: State, d: Data, lists: Lists): HTMLElement {
    const dim = worstOf(s), suspect = d.lost?.answer.rows[0];
    const through = suspect?.dim === "via" && (dim === "origin" || dim === "via") ? Number(suspect.values[0]) : null;
    const reached = new Set(through === null ? [] : suspect!.behind.map((hop) => hop.as));
    const behind = new Set(lists.worst.filter((row) => reached.has(Number(words.value(dim, row)))));
    const whole = behind.size === lists.worst.length;
    const [what, , , rates] = columns(s, dim, 0);
    const list: Column<Row>[] = [{...what, cell: (row) => h("span", {class: "behind"}, what.cell(row, 0), behind.has(row) && !whole
        ? h("span", {class: "tag", title: `Reached by ${words.text("via", through)}`}, `via ${through}`) : null)}, rates,
    {name: "Sent again", class: "again", title: "packets", number: true, cell: (row) => data(row.packets_retransmitted, count)},
    {name: "Excess", title: "packets sent again beyond what there would be at the rate of everybody else", number: true,
        cell: (row) => data(Math.round(excessOf(row, d.total)), count)}];
    return card("Worst networks", lists.worst.length ? [table("Worst networks", list, lists.worst), behind.size && whole
        ? h("p", {class: "all-behind"}, `All of them are reached by ${words.text("via", through)}.`) : null]
        : empty("Nothing was sent again, as far as there are packets enough to say."),
    {tools: [segmented("Rank by", s, "rank", RANKS, "excess"), selector("by", s, "worst", NETWORKS, "origin"), all(s, dim, rankOf(s) === "rate" ? "retransmit_rate" : "packets_retransmitted")]});
}

export const overview: PageModule<Data> = {
    title: "Overview", lead: "Where does the traffic go, and how well does it arrive?", bar: true, every: trafficEvery, load,
    covers: (d) => d.whole,
    draw(s, d) {
        if (d.senders !== null)
            return noTraffic(s, d.senders);
        const changes = changesCard(s, d.changes, "dashed lines above");
        const soon = (title: string) => card(title, waiting());
        return [lostCard(s, d.lost), tiles(d),
            h("div", {class: "columns story"}, overTime(s, d), d.lists ? worstCard(s, d, d.lists) : soon("Worst networks")),
            h("div", {class: "columns"}, d.lists ? [largestCard(s, d.lists), whereTo(s, d.lists.countries)] : [soon("Largest networks"), soon("Countries")]),
            changes];
    },
};
