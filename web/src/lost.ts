// SPDX-License-Identifier: BSD-2-Clause

// The first thing on the Overview: a sentence that says where it is lost, and so whom to call, as the collector found it from all paths;
// beside it the rate there and elsewhere over time. When nothing stands out it says that. The rate over time comes last.

import {RATE, type Answer, type Dimension, type Suspect, type Suspects} from "./api";
import {h, svg, type Child} from "./dom";
import {excess, minus, NOTHING, type Sums} from "./excess";
import {askTraffic, card, waiting} from "./page";
import {FEW, rateClass} from "./scale";
import {filterOf, url, zone, type State} from "./state";
import {count, data, dateTime, parts, percent} from "./units";
import * as words from "./words";

const OVER_MAX_S = 8 * 86400; // a week on whole hours; over longer ranges it isn't asked for: an answer that no other question shares

export interface Lost {
    answer: Suspects;
    over: OverTime | null; // of the first
}

interface OverTime {
    times: number[];       // ms
    there: Sums[];         // by bucket
    elsewhere: Sums[];
}

// By whatever somebody may be called about: the same question as that of the worst networks.
export function askWorst(s: State, by: Dimension, fields: string, signal: AbortSignal): Promise<Answer> {
    return askTraffic<Answer>(s, "top", {by, limit: 200, sort: "packets_retransmitted", fields}, signal);
}

const dimensions = (x: Suspect): Dimension[] => x.dim === "pair" ? ["via", "via"] : x.dim.split(",") as Dimension[];

function learn(x: Suspect): void {
    x.values.forEach((v, i) => typeof v === "number" && words.learnName(v, x.names[i]));
    for (const hop of [...x.twins, ...x.before, ...x.behind])
        words.learnName(hop.as, hop.name);
}

export async function loadLost(s: State, signal: AbortSignal): Promise<Lost> {
    const answer = await askTraffic<Suspects>(s, "suspects", {}, signal);
    answer.rows.forEach(learn);
    return {answer, over: null};
}

// What passes the page's filter and is the suspect's.
const filterTo = (s: State, x: Suspect): string => `${filterOf(s)} ${x.filter ?? ""}`.trim();

// Of the first suspect; all: all traffic over time.
export async function loadOver(s: State, lost: Lost, all: Answer, points: number, signal: AbortSignal): Promise<Lost> {
    const first = lost.answer.rows[0];
    if (!first?.filter || Date.parse(all.to) - Date.parse(all.from) > OVER_MAX_S * 1000)
        return lost;
    const answer = await askTraffic<Answer>(s, "series", {by: "", points, fields: RATE, filter: filterTo(s, first)}, signal);
    const own = new Map(answer.rows.map((r) => [r.time, r]));
    if (answer.step !== all.step || !own.size)
        return lost;
    const step = (all.step ?? 60) * 1000, now = Date.now();
    const rows = all.rows.filter((r) => Date.parse(r.time!) + step <= now); // the bucket that is still filling would look like an end
    const there = rows.map((r): Sums => own.get(r.time) ?? NOTHING);
    return {...lost, over: {times: rows.map((r) => Date.parse(r.time!)), there, elsewhere: rows.map((r, i) => minus(r, there[i]))}};
}

// ---- the sentence ----

const strong = (...child: Child[]): HTMLElement => h("strong", null, child);

const name = (s: State, x: Suspect, i: number, value = x.values[i]): HTMLElement =>
    h("a", {class: "suspect", href: url(s, {filter: filterTo(s, x), by: null}, "networks")}, words.text(dimensions(x)[i], value));

function names(s: State, x: Suspect): Child {
    const twins = x.twins.slice(0, 2);
    if (x.values.length === 2)
        return ["The way from ", name(s, x, 0), x.dim === "pair" ? " to " : " to its neighbour ", name(s, x, 1)];
    return [name(s, x, 0), twins.map((t, i) => [i + 1 < twins.length ? ", " : " and ", name(s, x, 0, t.as)])];
}

function does(x: Suspect): Child {
    const share = [strong(percent(x.retransmit_share)), " of all retransmits"];
    if (x.dim === "country" || x.role === "origin" && !x.twins.length)
        return [" is where ", share, " go"];
    if (x.values.length === 2)
        return [" is that of ", share];
    if (x.dim === "router")
        return [" is the router of ", share];
    if (x.twins.length)
        return [", always on the same paths, have ", share, " on them"];
    return x.role === "neighbour" ? [" is the neighbour by which ", share, " leave"] : [" is on the path of ", share];
}

function since(s: State, x: Suspect): Child {
    const today = parts(new Date(), zone(s)).date;
    const when = (text: string) => {
        const time = new Date(text), p = parts(time, zone(s));
        return h("time", {datetime: time.toISOString(), title: dateTime(time, zone(s))}, strong(p.date === today ? p.hm : `${p.date.slice(5)} ${p.hm}`));
    };
    if (x.since_before)
        return [", since before ", when(x.since_before)];
    if (x.since)
        return x.until ? [", from ", when(x.since), " to ", when(x.until)] : [", since ", when(x.since)];
    return x.until ? [", until ", when(x.until)] : null;
}

function rateOf(rate: number | null): Child {
    return rate === null ? null : h("span", {class: `rate rate-${rateClass(rate)}`}, h("i", {"aria-hidden": "true"}), percent(rate));
}

const sentence = (s: State, x: Suspect): Child =>
    [names(s, x), does(x), ": ", strong(rateOf(x.retransmit_rate)), ", against ", strong(percent(x.elsewhere_rate)), " elsewhere", since(s, x), "."];

// What else is worth knowing before the call: how much it is, and by whom it is reached.
function details(x: Suspect): Child {
    const by = x.before.filter((b) => b.packets_sent >= 0.05 * x.packets_sent && b.packets_sent >= FEW).slice(0, 4);
    return h("p", {class: "lost-more"}, "With ", percent(x.share), " of the bytes it has ", data(x.excess, count), " retransmits more than it would at everybody else's rate.",
        by.length ? [" Reached by ", by.map((b, i) => [i ? i === by.length - 1 ? " and " : ", " : null, h("span", {class: "lost-by"}, words.text("via", b.as), " ",
            rateOf(b.retransmit_rate))]), "."] : null);
}

function others(s: State, list: Suspect[]): Child {
    return list.length ? h("p", {class: "lost-more"}, "On other paths as well: ", list.map((x, i) => [i ? "; " : null,
        names(s, x), ", ", strong(percent(x.retransmit_share)), " of all retransmits, ", percent(x.retransmit_rate), " against ", percent(x.elsewhere_rate)]), ".") : null;
}

function links(s: State, x: Suspect): HTMLElement {
    const filter = filterTo(s, x), by = dimensions(x)[0];
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
    const from = x.since ? (Date.parse(x.since) - first) / Math.max(1, last - first) * WIDTH : null;
    return h("figure", {class: "lost-chart"}, svg("svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
        "aria-label": `Retransmit rate over time: there up to ${percent(Math.max(...there.map((v) => v ?? 0)))}, elsewhere up to ${percent(Math.max(...elsewhere.map((v) => v ?? 0)))}`},
    from === null ? null : svg("path", {class: "lost-since", d: `M${from.toFixed(1)} 0V${HEIGHT}`}),
    svg("path", {class: "lost-elsewhere", d: line(elsewhere)}), svg("path", {class: "lost-there", d: line(there)})),
    h("figcaption", null, h("span", {class: "lost-key there"}, x.values.map((v, i) => words.number(dimensions(x)[i], v)).join(" – ")), h("span", {class: "lost-key"}, "elsewhere"), h("span", {class: "lost-top"}, `up to ${percent(top)}`)));
}

function calm(a: Suspects): Child {
    return [h("p", {class: "lost-said"}, a.verdict, "."), a.total.packets_sent >= FEW && a.compared ?
        h("p", {class: "lost-more"}, "One is named when a tenth of all retransmits would not be there at everybody else's rate, and its own is twice that.") : null];
}

// null: it is still to come.
export function lostCard(s: State, lost: Lost | null): HTMLElement {
    const first = lost?.answer.rows[0];
    if (!lost || !first)
        return card("Where it is lost", lost ? calm(lost.answer) : waiting(), {class: lost ? "lost" : "lost coming"});
    return card("Where it is lost", h("div", {class: "lost-body"}, h("div", null, h("p", {class: "lost-said"}, sentence(s, first)), details(first), others(s, lost.answer.rows.slice(1)), links(s, first)),
        lost.over ? lines(first, lost.over) : null), {class: `lost found rate-${rateClass(first.retransmit_rate ?? 0)}`});
}

export const excessOf = (row: Sums, whole: Sums): number => Math.max(0, excess(row, whole));
