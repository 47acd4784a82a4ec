// SPDX-License-Identifier: BSD-2-Clause

// What happened when: a line each, with the time that it took drawn on one axis for all, so that a move of paths is seen to stand where a
// loss ends. The collector finds them (src/query/incidents.h). A line leads to its traffic in its own time.

import type {Episode, Incidents, IncidentLine, Move} from "../api";
import {longer} from "../bar";
import {h, type Child} from "../dom";
import {plus} from "../filter";
import {askTraffic, card, empty, noTraffic, trafficEvery, type PageModule} from "../page";
import {rate, rateClass, rtt} from "../scale";
import {filterOf, isRelative, url, zone, type State} from "../state";
import {table, type Column} from "../table";
import {count, data, duration, moment, ms, parts, percent} from "../units";
import * as words from "../words";

type Event = Episode | Move;

const KINDS: Record<Event["kind"], string> = {loss: "Loss", rtt: "Slow", path: "Path"};
const ALSO = 3; // that are named; the others are counted

const isMove = (e: Event): e is Move => e.kind === "path";

async function load(s: State, signal: AbortSignal): Promise<Incidents> {
    const answer = await askTraffic<Incidents>(s, "incidents", {}, signal);
    for (const e of answer.rows)
        if (isMove(e))
            for (const [as, name] of [[e.hop, e.hop_name], [e.before_as, e.before_name], [e.after_as, e.after_name]] as [number | null, string | null][])
                words.learnName(as ?? 0, name);
        else
            for (const line of [e, ...e.also])
                if (line.dim === "via")
                    words.learnName(Number(line.value), line.name);
    return answer;
}

const isOver = (s: State, a: Incidents): boolean => Date.parse(a.to) + a.step * 1000 <= s.now;

// ---- time ----

interface Axis {
    from: number; // ms
    to: number;
}

const share = (axis: Axis, time: number): number => Math.min(1, Math.max(0, (time - axis.from) / (axis.to - axis.from)));
const place = (axis: Axis, from: number, to: number) => ({left: `${share(axis, from) * 100}%`, width: `${Math.max(0, share(axis, to) - share(axis, from)) * 100}%`});

// An episode as far as it is known, a move from its first change to its last.
function drawn(axis: Axis, e: Event): HTMLElement {
    const from = e.begin === null ? axis.from : Date.parse(e.begin), to = e.end === null ? axis.to : Date.parse(e.end);
    const open = [e.begin === null ? "open-begin" : "", e.end === null ? "open-end" : ""].join(" ");
    const colour = e.kind === "loss" ? `rate-${rateClass(e.inside.retransmit_rate ?? 0)}` : "";
    return h("div", {class: "lane", "aria-hidden": "true"}, h("i", {class: `${e.kind} ${open} ${colour}`, style: place(axis, from, to)}));
}

// Round times of the zone, whose clocks may be changed in between.
function roundTimes(axis: Axis, step: number, offsetAt: (time: number) => number): number[] {
    const times: number[] = [];
    for (let local = Math.ceil((axis.from + offsetAt(axis.from)) / step) * step; ; local += step) {
        const guess = local - offsetAt(axis.from), time = local - offsetAt(guess);
        if (time >= axis.to)
            return times;
        times.push(time);
    }
}

// So many that a label has room.
function ticks(s: State, axis: Axis): HTMLElement {
    const steps = [300, 600, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000].map((step) => step * 1000);
    const step = steps.find((width) => (axis.to - axis.from) / width <= 6) ?? steps[steps.length - 1];
    const times = roundTimes(axis, step, (t) => zone(s) === "utc" ? 0 : -new Date(t).getTimezoneOffset() * 60e3);
    return h("div", {class: "lane ticks", "aria-hidden": "true"}, times.map((t) => {
        const p = parts(new Date(t), zone(s));
        return h("span", {style: {left: `${share(axis, t) * 100}%`}}, step >= 86400e3 ? p.date.slice(5) : p.hm);
    }));
}

// over: the range ended before now, and what went on then may not any more.
function when(s: State, e: Event, over: boolean): Child {
    const begin = e.begin === null ? h("span", {class: "unknown"}, "before") : moment(e.begin, zone(s), false);
    if (isMove(e))
        return begin;
    const length = e.begin !== null && e.end !== null ? duration((Date.parse(e.end) - Date.parse(e.begin)) / 1000) : null;
    return [begin, h("div", {class: "lasted"}, e.end === null ? over ? "to the end of the range" : h("strong", {class: "bad"}, "ongoing") : length ?? ["until ", moment(e.end, zone(s), false)])];
}

// ---- what it is ----

// The traffic of an episode in its time; of one that goes on, up to now.
function itsTraffic(s: State, e: Episode, a: Incidents): string {
    const range = {last: null, from: e.begin ?? a.from, to: e.end ?? (isRelative(s) ? null : a.to)};
    return url(s, {...range, filter: e.dim === null ? filterOf(s) || null : plus(filterOf(s), e.dim, e.value), by: null}, "networks");
}

const nameOf = (line: IncidentLine): Child => line.dim === null ? "All traffic" : words.label(line.dim, line.value);

function episode(s: State, e: Episode, a: Incidents): Child {
    const also = e.also.slice(0, ALSO), more = e.also.length - also.length;
    return [h("a", {href: itsTraffic(s, e, a), title: e.verdict}, nameOf(e)),
        also.length ? h("div", {class: "also"}, "shows as well in ", also.map((line, i) => [i ? ", " : null, line.dim === null ? "all traffic" : words.number(line.dim, line.value)]),
            more ? ` and ${more} more` : null) : null];
}

const isPrepending = (e: Move): boolean => e.before_as === null && e.after_as === null && e.before !== null && e.after !== null;

function move(s: State, e: Move): Child {
    return [h("a", {href: url(s, {filter: e.prefix === null ? filterOf(s) || null : plus(filterOf(s), "prefix", e.prefix), by: null}, "networks"), title: e.verdict},
        h("span", {class: "name"}, words.text("router", e.value)), ": ", e.networks === 1 ? h("span", {class: "mono"}, e.prefix) : `${count(e.networks)} paths`),
    e.changes <= e.networks ? null : e.networks === 1 ? `, ${count(e.changes)} times` : ` (${count(e.changes)} changes)`,
    h("div", {class: "also"}, isPrepending(e) ? "the same ASes, prepended otherwise" : way(e))];
}

function way(e: Move): Child {
    const end = (as: number | null, otherwise: string): Child => as === null ? h("span", {class: "unknown"}, otherwise) : words.label("via", as);
    return [end(e.before_as, e.before === null ? "no route" : "its own network"), h("span", {class: "to"}, " → "),
        e.after === null ? h("span", {class: "bad"}, "no route") : end(e.after_as, "its own network"), e.hop === null ? null : [" behind ", words.number("via", e.hop)]];
}

function quality(e: Event, of: "inside" | "outside"): Child {
    return isMove(e) ? null : e.kind === "loss" ? rate(e[of]) : rtt(e[of].rtt_p50_us, e[of], ms);
}

function columns(s: State, a: Incidents, axis: Axis): Column<Event>[] {
    return [
        {name: "#", number: true, cell: (_, i) => h("span", {id: `incident-${i + 1}`}, String(i + 1))},
        {name: "What", cell: (e) => h("span", {class: `kind ${e.kind}`}, KINDS[e.kind])},
        {name: "Where", class: "where", cell: (e) => isMove(e) ? move(s, e) : episode(s, e, a)},
        {name: "Began", cell: (e) => when(s, e, isOver(s, a))},
        {name: "", class: "lane-cell", head: ticks(s, axis), cell: (e) => drawn(axis, e)},
        {name: "During", number: true, title: "retransmit rate, or median round trip, in that time", cell: (e) => quality(e, "inside")},
        {name: "Otherwise", number: true, title: "the same at other times of this range", cell: (e) => quality(e, "outside")},
        {name: "Of all loss", number: true, title: "of all packets that were sent again in that time", cell: (e) => e.kind === "loss" ? data(e.retransmit_share, percent) : null},
        {name: "Beside", number: true, title: "what happened at about the same time and place; it need not be the cause", when: (rows) => rows.some((e) => e.with.length),
            cell: (e) => e.with.map((i, k) => [k ? ", " : null, h("a", {href: `#incident-${i + 1}`}, String(i + 1))])},
    ];
}

// ---- the card ----

function said(s: State, a: Incidents): string {
    const episodes = a.rows.filter((e) => !isMove(e)), on = episodes.filter((e) => e.end === null).length, moves = a.rows.length - episodes.length;
    const some = (n: number, one: string, more: string) => `${count(n)} ${n === 1 ? one : more}`;
    const going = !episodes.length || isOver(s, a) ? "" : on ? `, ${count(on)} ongoing` : ", none ongoing";
    return `${some(episodes.length, "incident", "incidents")} of loss or high RTT${going}; ${some(moves, "path move", "path moves")}.` +
        (a.more ? ` ${some(a.more, "other", "others")} of less weight ${a.more === 1 ? "is" : "are"} left out.` : "");
}

const NOTES: Record<Incidents["changes"], string | null> = {
    all: null, newest: "Older changes of paths were not looked at: there are too many.", none: "Changes of paths have nothing of this filter and are left out.",
};

function nothing(s: State): HTMLElement {
    return empty(filterOf(s) ? "No incident of this traffic was found in this range." : "No incident was found in this range.",
        h("p", null, "An AS, a router or all traffic is listed when it lost twice as much as at other times, or its median RTT was a quarter higher, and chance does not explain it; and networks when their path changed. A fault that lasts for the whole range does not stand out in it."),
        h("p", null, "What is bad all the time is named on the ", h("a", {href: url(s, {}, "overview")}, "Overview"), ". ",
            longer(s)));
}

export const incidents: PageModule<Incidents> = {
    title: "Incidents", lead: "What happened when, and did paths move then?", bar: true, every: trafficEvery, load,
    covers: (a) => a,
    draw(s, a) {
        if (!a.rows.length && !a.total.bytes_sent)
            return noTraffic(s, null);
        if (!a.rows.length)
            return card("Timeline", nothing(s), {note: NOTES[a.changes]});
        const axis = {from: Math.max(Date.parse(a.from), a.since ?? 0), to: Math.min(Date.parse(a.to), s.now)};
        return card("Timeline", [h("p", {class: "incidents-said", id: "incidents-said"}, said(s, a)),
            table("Timeline", columns(s, a, axis), a.rows, {class: "incidents"})],
        {note: [`Begin and end are known to ${duration(a.step)}.`, NOTES[a.changes]].filter(Boolean).join(" ")});
    },
};
