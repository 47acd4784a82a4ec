// SPDX-License-Identifier: BSD-2-Clause

// The first thing on the Overview: a sentence that says where it is lost, and so whom to call (suspects.ts); beside it the rate there
// and elsewhere over time. When nothing stands out it says that. What it asks has no filter of its own, so that the store has sums
// of it; but for the rate over time, which comes last.

import {RATE, type Answer, type Dimension, type Row} from "./api";
import {h, svg, type Child} from "./dom";
import {plus, term} from "./filter";
import {askTraffic, card, waiting} from "./page";
import {FEW, rateClass} from "./scale";
import {filterOf, url, zone, type State} from "./state";
import {excess, isHigh, members, minus, NOTHING, stretch, sum, suspects, type Group, type PathSums, type Stretch, type Sums, type Suspect} from "./suspects";
import {count, data, dateTime, parts, percent} from "./units";
import * as words from "./words";

const PATHS = 500;        // with the most that was sent again
const SINCE_MAX_S = 8 * 86400; // a week on whole hours; over longer ranges it isn't asked for: an answer that no other question shares

export interface Lost {
    whole: Sums & {bytes_sent: number};
    suspects: Suspect[];
    paths: PathSums[];
    bytes: number;            // of the first suspect
    over: OverTime | null;
}

interface OverTime {
    times: number[];          // ms
    there: Sums[];            // by bucket
    elsewhere: Sums[];
    stretch: Stretch | null;
}

// By whatever somebody may be called about: the same question as that of the worst networks.
export function askWorst(s: State, by: Dimension, fields: string, signal: AbortSignal): Promise<Answer> {
    return askTraffic<Answer>(s, "top", {by, limit: 200, sort: "packets_retransmitted", fields}, signal);
}

export async function loadLost(s: State, whole: Lost["whole"], vias: Promise<Answer>, countries: Promise<Answer>, signal: AbortSignal): Promise<Lost> {
    const [by, country, router, path] = await Promise.all([vias, countries,
        askTraffic<Answer>(s, "top", {by: "router", limit: 200, sort: "packets_retransmitted", fields: `bytes_sent,${RATE}`}, signal),
        askTraffic<Answer>(s, "top", {by: "path", limit: PATHS, sort: "packets_retransmitted", fields: "packets_sent,packets_retransmitted"}, signal),
    ]);
    words.learn(by.rows);
    const groups = (dim: Dimension, rows: Row[]): Group<Row>[] => rows.filter((r) => words.value(dim, r) !== null).map((r) => ({dim, value: words.value(dim, r)!, sums: r}));
    const all = [...groups("via", by.rows), ...groups("country", country.rows), ...groups("router", router.rows)];
    const paths = path.rows.filter((r) => r.path !== null).map((r) => ({members: members(r.path), packets_sent: r.packets_sent, packets_retransmitted: r.packets_retransmitted}));
    const found = suspects(whole, all, paths);
    return {whole, suspects: found, paths, bytes: all.find((g) => g.dim === found[0]?.dim && g.value === found[0].value)?.sums.bytes_sent ?? 0, over: null};
}

// Of the first suspect; all: all traffic over time.
export async function loadSince(s: State, lost: Lost, all: Answer, points: number, signal: AbortSignal): Promise<Lost> {
    const first = lost.suspects[0];
    if (!first || Date.parse(all.to) - Date.parse(all.from) > SINCE_MAX_S * 1000)
        return lost;
    const answer = await askTraffic<Answer>(s, "series", {by: "", points, fields: RATE, filter: `${filterOf(s)} ${term(first.dim, first.value)}`.trim()}, signal);
    const own = new Map(answer.rows.map((r) => [r.time, r]));
    if (answer.step !== all.step || !own.size)
        return lost;
    const step = (all.step ?? 60) * 1000, now = Date.now();
    const rows = all.rows.filter((r) => Date.parse(r.time!) + step <= now); // the bucket that is still filling would look like an end
    const there = rows.map((r): Sums => own.get(r.time) ?? NOTHING);
    return {...lost, over: {times: rows.map((r) => Date.parse(r.time!)), there, elsewhere: rows.map((r, i) => minus(r, there[i])), stretch: stretch(there)}};
}

// ---- the sentence ----

const strong = (...child: Child[]): HTMLElement => h("strong", null, child);

function name(s: State, dim: Dimension, value: string | number): HTMLElement {
    return h("a", {class: "suspect", href: url(s, {filter: plus(filterOf(s), dim, value), by: null}, "networks")}, words.text(dim, value));
}

function does(x: Suspect): Child {
    const share = [strong(percent(x.share)), " of all retransmits"];
    if (x.dim === "country")
        return [" is where ", share, " go"];
    if (x.dim === "router")
        return [" is the router of ", share];
    if (x.twins.length)
        return [", always on the same paths, have ", share, " on them"];
    return x.role === "origin" ? [" is where ", share, " go"] : x.role === "neighbour" ? [" is the neighbour by which ", share, " leave"] : [" is on the path of ", share];
}

function since(s: State, x: Suspect, over: OverTime | null): Child {
    if (!over?.times.length)
        return null;
    const today = parts(new Date(), zone(s)).date, at = over.stretch;
    const when = (i: number) => {
        const time = new Date(over.times[i]), p = parts(time, zone(s));
        return h("time", {datetime: time.toISOString(), title: dateTime(time, zone(s))}, strong(p.date === today ? p.hm : `${p.date.slice(5)} ${p.hm}`));
    };
    if (!at)
        return isHigh(sum(over.there.slice(0, Math.ceil(over.there.length / 10))), x.elsewhere) ? [", since before ", when(0)] : null;
    return [", ", at.from !== null && at.to !== null ? ["from ", when(at.from), " to ", when(at.to)] : at.from !== null ? ["since ", when(at.from)] : ["until ", when(at.to!)]];
}

function sentence(s: State, x: Suspect, over: OverTime | null): Child {
    const names = [x.value, ...x.twins.slice(0, 2)].map((v, i) => [i ? " and " : null, name(s, x.dim, v)]);
    return [names, does(x), ": ", strong(h("span", {class: `rate rate-${rateClass(x.rate)}`}, h("i", {"aria-hidden": "true"}), percent(x.rate))),
        ", against ", strong(percent(x.elsewhere)), " elsewhere", since(s, x, over), "."];
}

// What else is worth knowing before the call: how much it is, and by whom it is reached.
function details(lost: Lost, x: Suspect): Child {
    const share = lost.whole.bytes_sent ? lost.bytes / lost.whole.bytes_sent : null;
    const by = x.before.filter((b) => b.packets_sent >= 0.05 * x.sums.packets_sent && b.packets_sent >= FEW).slice(0, 4);
    return h("p", {class: "lost-more"}, "With ", percent(share), " of the bytes it has ", data(Math.round(x.excess), count), " retransmits more than it would at everybody else's rate.",
    by.length ? [" Reached by ", by.map((b, i) => [i ? i === by.length - 1 ? " and " : ", " : null, h("span", {class: "lost-by"}, words.text("via", b.as), " ",
        h("span", {class: `rate rate-${rateClass(b.packets_retransmitted / b.packets_sent)}`}, h("i", {"aria-hidden": "true"}), percent(b.packets_retransmitted / b.packets_sent)))]), "."] : null);
}

function others(s: State, list: Suspect[]): Child {
    return list.length ? h("p", {class: "lost-more"}, "On other paths as well: ", list.map((x, i) => [i ? "; " : null,
        [x.value, ...x.twins.slice(0, 1)].map((v, k) => [k ? " and " : null, name(s, x.dim, v)]), ", ", strong(percent(x.share)), " of all retransmits, ",
        percent(x.rate), " against ", percent(x.elsewhere)]), ".") : null;
}

function links(s: State, x: Suspect): HTMLElement {
    const filter = plus(filterOf(s), x.dim, x.value);
    const by = x.dim === "country" || x.dim === "router" ? x.dim : "via";
    return h("p", {class: "lost-links"}, h("a", {href: url(s, {filter, by: null}, "networks")}, by === "via" ? "Networks behind it" : "Look into it"), h("a", {href: url(s, {filter}, "paths")}, "Its paths"),
        h("a", {href: url(s, {measure: "retransmit_rate", by})}, "Beside others over time"));
}

// ---- the rate there and elsewhere ----

const WIDTH = 300, HEIGHT = 64;

function lines(x: Suspect, over: OverTime): Element {
    const rates = (list: Sums[]) => list.map((v) => v.packets_sent ? v.packets_retransmitted / v.packets_sent : null);
    const there = rates(over.there), elsewhere = rates(over.elsewhere);
    const top = Math.max(...[...there, ...elsewhere].map((v) => v ?? 0), Number.MIN_VALUE);
    const [first, last] = [over.times[0], over.times[over.times.length - 1]];
    const at = (i: number) => ((over.times[i] - first) / Math.max(1, last - first) * WIDTH).toFixed(1);
    const line = (list: (number | null)[]) => list.map((v, i) => v === null ? "" :
        `${i && list[i - 1] !== null ? "L" : "M"}${at(i)} ${(HEIGHT - 1 - v / top * (HEIGHT - 3)).toFixed(1)}`).join("");
    const from = over.stretch?.from ?? null;
    return h("figure", {class: "lost-chart"}, svg("svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
        "aria-label": `Retransmit rate over time: there up to ${percent(Math.max(...there.map((v) => v ?? 0)))}, elsewhere up to ${percent(Math.max(...elsewhere.map((v) => v ?? 0)))}`},
    from === null ? null : svg("path", {class: "lost-since", d: `M${at(from)} 0V${HEIGHT}`}),
    svg("path", {class: "lost-elsewhere", d: line(elsewhere)}), svg("path", {class: "lost-there", d: line(there)})),
    h("figcaption", null, h("span", {class: "lost-key there"}, words.number(x.dim, x.value)), h("span", {class: "lost-key"}, "elsewhere"), h("span", {class: "lost-top"}, `up to ${percent(top)}`)));
}

function calm(lost: Lost): Child {
    const {packets_sent, packets_retransmitted} = lost.whole;
    if (packets_sent < FEW)
        return h("p", {class: "lost-said"}, "Too few packets to say.");
    return [h("p", {class: "lost-said"}, "Nothing stands out: ", strong(percent(packets_retransmitted / packets_sent)), " of the packets were sent again, and no AS, country or router has clearly more than its share."),
        h("p", {class: "lost-more"}, "One is named when a tenth of all retransmits would not be there at everybody else's rate, and its own is twice that.")];
}

// null: it is still to come.
export function lostCard(s: State, lost: Lost | null): HTMLElement {
    const first = lost?.suspects[0];
    if (!lost || !first)
        return card("Where it is lost", lost ? calm(lost) : waiting(), {class: lost ? "lost" : "lost coming"});
    return card("Where it is lost", h("div", {class: "lost-body"}, h("div", null, h("p", {class: "lost-said"}, sentence(s, first, lost.over)), details(lost, first), others(s, lost.suspects.slice(1)), links(s, first)),
        lost.over ? lines(first, lost.over) : null), {class: `lost found rate-${rateClass(first.rate)}`});
}

export const excessOf = (row: Sums, whole: Sums): number => Math.max(0, excess(row, whole));
