// SPDX-License-Identifier: BSD-2-Clause

// Where it is lost and whom to call about it, where it goes: figures against the period before, the same over time beside the worst
// networks, the largest, and the world.

import {ApiError, ask, fieldsWith, FIELDS, RATE, RTT, type Answer, type Change, type Compared, type Dimension, type Row} from "../api";
import {segmented, selector} from "../bar";
import {billed, explained, name as billName, PERCENTILE} from "../billed";
import {h, type Child} from "../dom";
import {plus} from "../filter";
import {about} from "../hint";
import {askTraffic, card, empty, noTraffic, toRange, trafficEvery, waiting, type PageModule} from "../page";
import {against, covered, figureChange, secondsOf, sumChange} from "../covered";
import {changesCard, loadChanges} from "../changes";
import {askWorst, excessOf, loadLost, loadOver, lostCard, type Lost} from "../lost";
import {bound, isFew, rate, rtt, wilson, worstFirst} from "../scale";
import * as series from "../series";
import {choice, current, filterOf, go, url, zone, type State} from "../state";
import {asTable, sparkline, table, type Column} from "../table";
import {bits, bytes, count, data, ms, percent, type Format} from "../units";
import * as words from "../words";
import {loadWorld, mapLegend, world, type MapOf} from "../world";

const SPLITS: [Dimension | "none", string][] = [["none", "Nothing"], ["router", "Router"], ["neighbour", "Neighbour AS"], ["origin", "Origin AS"],
    ["via", "Any AS"], ["country", "Country"], ["type", "Traffic type"], ["prefix", "Prefix"], ["path", "AS path"], ["match", "Route found"]];
// What is looked at every day, and the rest.
const FIRST: [series.Measure, string][] = [["throughput", "Throughput"], ["retransmit_rate", "Retransmits"], ["rtt_p50_us", "RTT p50"]];
const MORE: series.Measure[] = ["rtt_p95_us", "connections", "requests", "open", "goodput", "spurious", "again", "received"];
const MAPS: [MapOf, string][] = [["retransmit_rate", "Retransmits"], ["goodput", "Goodput"], ["rtt_p50_us", "RTT p50"], ["bytes_sent", "Bytes"]];
const NETWORKS: [Dimension, string][] = [["origin", "Origin AS"], ["neighbour", "Neighbour AS"], ["via", "Any AS"], ["country", "Country"], ["prefix", "Prefix"]];
const RANKS: [Rank, string][] = [["excess", "Excess"], ["rate", "Rate"]];
const LISTED = 12;
const CHANGES = 8;
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

function splitOf(s: State): Dimension | "" {
    const by = choice(s, "by", SPLITS.map(([v]) => v), "neighbour");
    return by === "none" ? "" : by;
}

const measureOf = (s: State) => choice(s, "measure", [...FIRST.map(([v]) => v), ...MORE], "throughput");
const mapOf = (s: State) => choice(s, "map", MAPS.map(([v]) => v), "retransmit_rate");
// The whole by time, of which there are lines beside the figures and the chart.
const WHOLE = "bytes_sent,connections,retransmit_rate,rtt_p50_us,rtt_p95_us,packets_sent,packets_retransmitted";
const COUNTRIES = `bytes_sent,rtt_p95_us,${RATE},${RTT}`;
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

async function loadLists(s: State, total: Promise<Compared>, countries: Promise<Answer>, signal: AbortSignal): Promise<Lists> {
    const [country, largest, lost, whole] = await Promise.all([countries,
        askTraffic<Answer>(s, "top", {by: networksOf(s), limit: LISTED, fields: LIST}, signal),
        askWorst(s, worstOf(s), WORST, signal), total]);
    for (const answer of [largest, lost])
        words.learn(answer.rows);
    return {countries: country.rows, largest: largest.rows, worst: worst(s, lost.rows, whole)};
}

// The whole by time, with the period before unless it is not wanted.
function loadWhole(s: State, signal: AbortSignal): Promise<Answer> {
    return askTraffic<Answer>(s, "series", {by: "", points: POINTS, fields: fieldsWith(WHOLE, series.MEASURES[measureOf(s)].field), percentile: PERCENTILE,
        ...series.asksBefore(s)}, signal);
}

// The series that are split show one measure, in the order of another.
function loadSplit(s: State, split: Dimension, signal: AbortSignal): Promise<Answer> {
    const {field, sort} = series.MEASURES[measureOf(s)];
    return askTraffic<Answer>(s, "series", {by: split, limit: series.asked(measureOf(s)), sort, points: POINTS, fields: fieldsWith(field, sort),
        ...measureOf(s) === "throughput" ? {percentile: PERCENTILE} : {}}, signal);
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
        loadWhole(s, signal),
        split ? loadSplit(s, split, signal) : null,
        loadChanges(s, CHANGES, signal),
    ]);
    const countries = askTraffic<Answer>(s, "countries", {fields: mapOf(s) === "goodput" ? fieldsWith(COUNTRIES, series.MEASURES.goodput.field) : COUNTRIES}, signal);
    const total = whole.then((a) => a.total);
    const rest = Promise.all([loadLists(s, total, countries, signal), inTime(loadLost(s, signal), null)]);
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

// As it is billed.
function p95(all: Answer): Child {
    const t = billed(all.throughput);
    return t ? h("span", {id: "p95", tabindex: "0", "data-hint": explained(t)}, `${billName(t)} `, data(t.total.percentile_bps, bits)) : null;
}

function tiles(d: Data): HTMLElement {
    const t = d.total, p = t.previous, a = against(d.whole), bill = p95(d.all);
    const lines = (m: series.Measure) => series.build(d.all, null, "", m).groups[0].values;
    return h("section", {class: "tiles", "aria-label": "Figures of the whole range, and their change against the period before"},
        tile("bytes", "Bytes sent", t.bytes_sent, bytes, [h("span", null, bits(t.bytes_sent * 8 / secondsOf(covered(d.whole))), ` on average${bill ? "," : ""}`), " ", bill], sumChange(t.bytes_sent, p?.bytes_sent, a), lines("throughput")),
        tile("rate", "Retransmit rate", t.retransmit_rate, percent, bound(t, "a lower bound"), figureChange(t.retransmit_rate, p?.retransmit_rate, a, true), lines("retransmit_rate")),
        tile("p50", "RTT p50", t.rtt_p50_us, ms, null, figureChange(t.rtt_p50_us, p?.rtt_p50_us, a, false), lines("rtt_p50_us")),
        tile("p95", "RTT p95", t.rtt_p95_us, ms, null, figureChange(t.rtt_p95_us, p?.rtt_p95_us, a, false), lines("rtt_p95_us")),
        tile("connections", "Connections", t.connections, count, null, sumChange(t.connections, p?.connections, a), lines("connections")));
}

// ---- over time ----

// A line for each group: its mean, where it is billed its percentile, its extreme.
function legendOf(s: State, d: Data, drawn: series.Drawn, dim: Dimension | ""): HTMLElement {
    const info = series.MEASURES[drawn.measure], bills = drawn.measure === "throughput" ? billed((d.split ?? d.all).throughput) : null;
    const figures = (...list: (number | null | undefined)[]) => list.map((v, i) => h("span", {class: i === list.length - 1 ? "n most" : "n"}, info.format(v)));
    const row = (g: series.Group) => {
        const content = [h("i", {class: "swatch", vars: {"--c": g.color}}), h("span", {class: "legend-name", title: g.name}, g.name),
            bills ? figures(g.mean, g.bill?.percentile_bps, g.bill?.max_bps) : figures(g.mean, series.extreme(g.values, info))];
        return h("li", null, dim && g.value !== undefined ? h("a", {href: url(s, {filter: plus(filterOf(s), dim, g.value)}), title: `Only ${g.name}`}, content)
            : h("span", {class: "legend-row"}, content));
    };
    const percentile = bills ? h("span", {class: "n", tabindex: "0", "data-hint": explained(bills)}, billName(bills)) : null;
    return h("ul", {class: "legend", "aria-label": `Groups, with their means${bills ? ", 95th percentiles" : ""} and ${series.extremeName(info)} points`},
        h("li", {class: "legend-row legend-head"}, h("span", {class: "n"}, "mean"), percentile, h("span", {class: "n most"}, series.extremeName(info))), drawn.groups.map(row),
        beforeRow(s, drawn, bills !== null));
}

// What the dashed line is, and how to have it or not.
function beforeRow(s: State, drawn: series.Drawn, bills: boolean): HTMLElement {
    const info = series.MEASURES[drawn.measure], shown = series.wantsBefore(s), there = series.hasBefore(drawn);
    const name = !shown ? "Show the period before" : there ? series.beforeName(drawn.before!, zone(s)) : "No data of the period before";
    return h("li", null, h("a", {id: "before", href: url(s, {before: shown ? "off" : null}), title: shown ? "The whole in the period before. Click to hide it." : name},
        h("i", {class: "swatch dashed"}), h("span", {class: "legend-name"}, name),
        there ? [h("span", {class: "n"}, info.format(drawn.before!.mean)), bills ? h("span", {class: "n"}) : null,
            h("span", {class: "n most"}, info.format(series.extreme(drawn.before!.values, info)))] : null));
}

// The measures of every day side by side, the others in a list.
function measures(s: State): Child {
    const now = measureOf(s), further = MORE.includes(now);
    const select: HTMLSelectElement = h("select", {id: "select-measure", class: further ? "chosen" : "", "aria-label": "More measures",
        onChange: () => go(url(s, {measure: select.value || null}))},
    h("option", {value: "", selected: !further}, "More"), MORE.map((m) => h("option", {value: m, selected: m === now}, series.MEASURES[m].label)));
    return [segmented<series.Measure | "">("Measure", s, "measure", FIRST, further ? "" : "throughput"), select];
}

function overTime(s: State, d: Data): HTMLElement {
    const dim = splitOf(s), measure = measureOf(s), {label, what} = series.MEASURES[measure];
    const drawn = series.build(d.all, d.split, dim, measure);
    const markers = d.changes.map((c) => ({time: Date.parse(c.time), label: c.prefix}));
    return card([label, about(label, what)], h("div", {class: "with-legend"},
        series.seriesChart("overview-series", drawn, zone(s), toRange, markers), legendOf(s, d, drawn, dim), series.seriesTable(drawn, zone(s))),
    {tools: [measures(s), selector("by", s, "by", SPLITS, "neighbour")]});
}

// ---- where ----

function whereTo(s: State, countries: Row[]): HTMLElement {
    const list = columns(s, "country", 0).filter((c) => c.name !== "Share");
    const of = mapOf(s);
    return card("Countries", [world("overview-map", countries, of, (code) =>
        go(url(current(), {filter: plus(filterOf(current()), "country", code), by: null}, "networks"))), mapLegend(of),
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
        const changes = changesCard(s, d.changes, "upright dashed lines above");
        const soon = (title: string) => card(title, waiting());
        return [lostCard(s, d.lost), tiles(d),
            h("div", {class: "columns story"}, overTime(s, d), d.lists ? worstCard(s, d, d.lists) : soon("Worst networks")),
            h("div", {class: "columns"}, d.lists ? [largestCard(s, d.lists), whereTo(s, d.lists.countries)] : [soon("Largest networks"), soon("Countries")]),
            changes];
    },
};
