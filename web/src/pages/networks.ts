// SPDX-License-Identifier: BSD-2-Clause

// One table by any dimension, from countries down to paths: a click on a row keeps to it and goes a step down. Rates and
// round-trip times that are sorted by are those of groups with samples enough; the others stand below, greyed. They are
// found among the AMONG groups with the most samples, which a group without enough of them would not be in.

import {ask, fieldsWith, FIELDS, RATE, RTT, type Answer, type Change, type Dimension, type Figures, type Row, type Sparklines} from "../api";
import {around, type Around} from "../around";
import {segmented, selector} from "../bar";
import {changesCard, loadChanges} from "../changes";
import {asColumn, chooser, chosen, COLUMNS, fieldsOf, type Beside, type FigureColumn, type Rank} from "../columns";
import {against, covered, figureChange, secondsOf, sumChange} from "../covered";
import {h, type Child} from "../dom";
import {parse, plus, quote} from "../filter";
import {learnNames} from "../names";
import {askTraffic, card, noTraffic, toRange, trafficEvery, type PageModule} from "../page";
import {bound, isFew, rate, rtt} from "../scale";
import * as series from "../series";
import {choice, filterOf, question, url, zone, type State} from "../state";
import {sparkline, table, type Column} from "../table";
import {bits, data, ms} from "../units";
import * as words from "../words";

const BY: [Dimension, string][] = [["country", "Country"], ["origin", "Origin AS"], ["prefix", "Prefix"], ["path", "AS path"], ["neighbour", "Neighbour AS"],
    ["via", "Any AS"], ["router", "Router"], ["type", "Type"], ["match", "Route found"]];
const SORTS = COLUMNS.map((c) => c.sort).filter((sort) => sort !== undefined);
const API_SORTS = ["retransmit_rate", "rtt_p50_us", "rtt_p95_us"];
const LIMITS: [string, string][] = [["25", "25 rows"], ["50", "50 rows"], ["100", "100 rows"], ["200", "200 rows"]];
const AMONG = 1000;
const ROUTERS = 8; // whose changes are measured
// From a value of one dimension to the next.
const DOWN: Partial<Record<Dimension, Dimension[]>> = {
    country: ["origin", "prefix", "path"], origin: ["prefix", "path"], prefix: ["path"], path: ["prefix"], neighbour: ["origin", "prefix", "path"],
    via: ["origin", "prefix", "path"], router: ["neighbour", "origin", "prefix", "path"], type: ["country", "origin", "prefix", "path"],
    match: ["router", "origin", "prefix", "path"],
};

interface Data {
    dim: Dimension;
    whole: Answer;           // all that the rows are of
    rows: Row[];
    more: boolean;           // there are more rows than are shown
    lines: Map<string | number | null, Sparklines["rows"][number]> | null; // null: they are still to come
    all: Answer;
    changes: Change[];
    quality: Map<Change, Around>; // before and after a change
    senders: number | null;
}

const filtered = (s: State): Dimension[] => parse(filterOf(s)).filter((t) => !t.negate).map((t) => t.dim as Dimension);

// What a filter leaves to be told apart: the step below its last term.
export function defaultBy(filter: Dimension[]): Dimension {
    const last = filter[filter.length - 1];
    return DOWN[last]?.find((dim) => !filter.includes(dim)) ?? (last ? "prefix" : "origin");
}

const sortOf = (s: State): string => choice(s, "sort", SORTS, "bytes_sent");
const rankOf = (s: State): Rank | undefined => COLUMNS.find((c) => c.sort === sortOf(s))?.rank;

function order(rows: Row[], rank: Rank, descending: boolean): Row[] {
    const sign = descending ? -1 : 1, enough = (row: Row) => Number(Number(row[rank.samples]) >= rank.enough);
    return rows.sort((a, b) => enough(b) - enough(a) || sign * ((rank.of(a) ?? -1) - (rank.of(b) ?? -1)));
}

const ROW = `bytes_sent,connections,rtt_p95_us,${RATE},${RTT}`;

// Rows with the same of the period before. Those by a rate are found among many by what it takes to rank them, and then asked for.
async function find(s: State, dim: Dimension, limit: number, signal: AbortSignal): Promise<Row[]> {
    const rank = rankOf(s), descending = choice(s, "order", ["asc", "desc"], "desc") === "desc";
    const q = {by: dim, limit, compare: "previous", fields: fieldsWith(ROW, fieldsOf(chosen(s)))};
    if (!rank)
        return (await askTraffic<Answer>(s, "top", {...q, sort: sortOf(s), order: descending ? "desc" : "asc"}, signal)).rows;
    const need = fieldsWith(rank.samples, rank.fields);
    if (dim === "via") // a filter for some would bring the others on their paths as well
        return order((await askTraffic<Answer>(s, "top", {...q, sort: rank.samples, limit: AMONG, fields: fieldsWith(q.fields, need)}, signal)).rows, rank, descending).slice(0, limit);
    const among = await askTraffic<Answer>(s, "top", {by: dim, sort: rank.samples, limit: AMONG, fields: need}, signal);
    const ranked = order(among.rows, rank, descending).slice(0, limit);
    if (!ranked.length)
        return [];
    const keys = ranked.map((row) => words.value(dim, row));
    const details = await askTraffic<Answer>(s, "top", {...q, filter: `${filterOf(s)} ${dim}:${keys.map(quote).join(",")}`.trim()}, signal);
    const found = new Map(details.rows.map((row) => [words.value(dim, row), row]));
    return keys.map((key) => found.get(key)).filter((row) => row !== undefined);
}

// Without the buckets at the edges that are covered in part, which would look like a fall.
function whole(lines: Sparklines): Sparklines["rows"] {
    const c = covered(lines), bucket = (time: number) => (time - Date.parse(lines.start)) / 1000 / lines.step;
    const first = Math.ceil(bucket(c.from)), end = Math.min(lines.points, Math.floor(bucket(c.to)));
    return lines.rows.map((l) => ({key: l.key, bytes_sent: l.bytes_sent?.slice(first, end), retransmit_rate: l.retransmit_rate?.slice(first, end)}));
}

async function loadLines(s: State, dim: Dimension, rows: Row[], signal: AbortSignal): Promise<Sparklines["rows"]> {
    const keys = rows.map((row) => quote(words.value(dim, row))).join(",");
    return rows.length ? whole(await askTraffic<Sparklines>(s, "sparklines", {by: dim, keys, points: 48,
        fields: sortOf(s) === "retransmit_rate" ? "retransmit_rate" : "bytes_sent"}, signal)) : [];
}

// The rates around changes of the prefix that is looked at, by the router whose path it was; of a few routers.
async function loadQuality(s: State, prefix: string | undefined, changes: Change[], signal: AbortSignal): Promise<Map<Change, Around>> {
    const own = changes.filter((c) => c.prefix === prefix);
    const routers = [...new Set(own.map((c) => c.router))].slice(0, ROUTERS);
    const answers = await Promise.all(routers.map((router) =>
        askTraffic<Answer>(s, "series", {by: "", points: 240, fields: RATE, filter: `${filterOf(s)} router:${quote(router)}`}, signal)));
    return new Map(routers.flatMap((router, i) => {
        const all = own.filter((c) => c.router === router);
        return all.map((c): [Change, Around] => [c, around(answers[i], c, all)]);
    }));
}

async function load(s: State, signal: AbortSignal, early: (data: Data) => void): Promise<Data> {
    const dim = choice(s, "by", BY.map(([v]) => v), defaultBy(filtered(s)));
    const limit = Number(choice(s, "limit", LIMITS.map(([v]) => v), "50"));
    const prefix = parse(filterOf(s)).find((t) => t.dim === "prefix" && !t.negate && t.values.length === 1)?.values[0];
    const [rows, whole, all, changes] = await Promise.all([
        find(s, dim, limit + 1, signal),
        askTraffic<Answer>(s, "top", {by: "", compare: "previous", fields: fieldsWith(FIELDS, fieldsOf(chosen(s)))}, signal),
        askTraffic<Answer>(s, "series", {by: "", points: 120, fields: "bytes_sent,packets_sent,packets_retransmitted,retransmit_rate,rtt_p50_us", ...series.asksBefore(s)}, signal),
        prefix ? loadChanges(s, 20, signal, prefix) : [],
        dim === "path" ? learnNames() : null,
    ]);
    words.learn(rows);
    const senders = rows.length ? null : (await ask<{rows: unknown[]}>("senders", {}, signal)).rows.length;
    const data = {dim, whole, rows: rows.slice(0, limit), more: rows.length > limit, lines: null, all, changes, quality: new Map(), senders};
    early(data);
    const [lines, quality] = await Promise.all([loadLines(s, dim, data.rows, signal), loadQuality(s, prefix, changes, signal)]);
    return {...data, quality, lines: new Map(lines.map((l) => [l.key, l]))};
}

// ---- the selection over time ----

function overTime(s: State, d: Data): HTMLElement {
    const markers = d.changes.map((c) => ({time: Date.parse(c.time), label: c.after ?? "no route"}));
    const one = (measure: series.Measure, title: string, value: Child) => card(title,
        series.seriesChart(`networks-${measure}`, series.build(d.all, null, "", measure), zone(s), toRange, markers), {class: "small", tools: value});
    const t = d.whole.total, p = t.previous, a = against(d.whole), span = secondsOf(covered(d.whole));
    return h("div", {class: "columns three"},
        one("throughput", "Throughput", [data(t.bytes_sent * 8 / span, bits), sumChange(t.bytes_sent, p?.bytes_sent, a)]),
        one("retransmit_rate", "Retransmit rate", [rate(t), figureChange(t.retransmit_rate, p?.retransmit_rate, a, true)]),
        one("rtt_p50_us", "RTT p50", [rtt(t.rtt_p50_us, t, ms), figureChange(t.rtt_p50_us, p?.rtt_p50_us, a, false)]));
}

// ---- the table ----

function name(s: State, dim: Dimension, row: Row): Child {
    const v = words.value(dim, row);
    const below = DOWN[dim]?.find((next) => !filtered(s).includes(next));
    const to = url(s, {filter: plus(filterOf(s), dim, v), by: null, sort: s.parameters.get("sort"), order: s.parameters.get("order")});
    return h("a", {href: to, title: below ? `${words.text(dim, v)}: by ${words.LABELS[below]}` : words.text(dim, v)}, words.label(dim, v));
}

function besideOf(d: Data): Beside {
    const total = d.whole.total;
    return {against: against(d.whole), total, most: Math.max(...d.rows.map((row) => row.bytes_sent / (total.bytes_sent || 1)), 0) || 1};
}

function columns(s: State, d: Data): Column<Row>[] {
    const sort = sortOf(s), beside = besideOf(d);
    const line = (row: Row) => {
        if (!d.lines)
            return null;
        const l = d.lines.get(words.value(d.dim, row));
        const what = words.text(d.dim, words.value(d.dim, row));
        return sort === "retransmit_rate" ? sparkline(l?.retransmit_rate ?? [], `Retransmit rate of ${what} over time`)
            : sparkline(l?.bytes_sent ?? [], `Bytes of ${what} over time`);
    };
    return [
        {name: words.LABELS[d.dim], class: d.dim === "path" ? "what long" : "what", cell: (row) => name(s, d.dim, row)},
        {name: sort === "retransmit_rate" ? "Rate over time" : "Bytes over time", class: "spark-cell", cell: line},
        ...chosen(s).map((c) => asColumn(c, beside)),
    ];
}

// The others, and all: each figure that there is of them.
function foot(s: State, d: Data): Child {
    if (d.dim === "via")
        return null;
    const total = d.whole.total, beside = besideOf(d), list = chosen(s);
    const rest = (of: (f: Figures) => number) => Math.max(0, of(total) - d.rows.reduce((n, row) => n + of(row), 0)); // the two were not asked at one moment
    const line = (label: string, kind: string, of: (c: FigureColumn) => Child) => h("tr", {class: kind}, h("th", {scope: "row"}, label), h("td", {class: "spark-cell"}),
        list.map((c) => h("td", {class: `n ${c.class ?? ""}`.trim()}, of(c))));
    return h("tfoot", null, d.more ? line("All others", "rest", (c) => c.rest ? data(rest(c.rest), c.format!) : null) : null,
        line("All", "total", (c) => c.rest ? data(c.rest(total), c.format!) : c.all?.(total, beside)));
}

// What the dashed lines are, and how to have them or not.
function beforeNote(s: State, d: Data): Child {
    const wanted = series.wantsBefore(s), drawn = series.build(d.all, null, "", "throughput");
    return h("p", {class: "before-note"}, !wanted ? null : series.hasBefore(drawn) ? [h("i", {class: "swatch dashed"}), `${series.beforeName(drawn.before!, zone(s))} `]
        : "No data of the period before. ",
        h("a", {id: "before", href: url(s, {before: wanted ? "off" : null})}, wanted ? "Hide" : "Show the period before"));
}

function csv(s: State, d: Data): string {
    return "/api/v1/top?" + new URLSearchParams(question(s, {by: d.dim, sort: API_SORTS.includes(sortOf(s)) ? sortOf(s) : rankOf(s)?.samples ?? sortOf(s), limit: 100000, format: "csv"}));
}

export const networks: PageModule<Data> = {
    title: "Networks", lead: "Who gets the traffic, and how does it arrive there? A row leads a step down.", bar: true, every: trafficEvery, load,
    covers: (d) => d.whole,
    draw(s, d) {
        if (d.senders !== null)
            return noTraffic(s, d.senders);
        const sort = sortOf(s), descending = choice(s, "order", ["asc", "desc"], "desc") === "desc";
        const sorting = {by: sort, descending, url: (by: string, desc: boolean) =>
            url(s, {sort: by === "bytes_sent" && desc ? null : by, order: desc ? null : "asc"})};
        const title = `${d.more ? "The first " : ""}${d.rows.length} ${words.noun(d.dim, d.rows.length)}`;
        const by = segmented("Group by", {...s, parameters: new URLSearchParams([...s.parameters, ["by", d.dim]].filter(([k], i, l) => k !== "by" || i === l.length - 1))},
            "by", BY, "" as Dimension);
        const list = table(title, columns(s, d), d.rows, {sorting, class: "networks", rowClass: (row) => isFew(row) ? "little" : "", foot: foot(s, d)});
        return [overTime(s, d), beforeNote(s, d), d.changes.length ? changesCard(s, d.changes, "upright dashed lines above", d.quality) : null,
            card(title, list, {note: bound(d.whole.total, "retransmits are a lower bound"), tools: [by, selector("Show", s, "limit", LIMITS, "50"), chooser(s),
                h("a", {class: "more", href: csv(s, d), download: `${d.dim}.csv`}, "CSV")]})];
    },
};
