// SPDX-License-Identifier: BSD-2-Clause

// Whom to call about what is sent again: which AS, country or router most of it has in common.
//
// A group's excess is what was sent again of it beyond what its packets would have at the rate of everybody else. It stands
// out when that is a tenth of all that was sent again, its rate twice the others', and the intervals of the two rates are apart;
// few packets never do. Groups of like excess are mostly one within the other: a transit that loses, the neighbour
// before it, a network behind it. Of those with half of the largest excess the one is named that parts lossy from clean best (the
// likelihood of two rates against one, as in Kulldorff's scan statistic): what is wider has clean traffic besides, what is narrower
// leaves lossy traffic out.
// A country or a router is named only when it explains clearly more than any AS, because an AS can be called.
//
// Whether another one stands out by itself is asked of what is left without the paths of the first. Those are known of the paths
// with the most retransmits; where some are not, the other one's rate is taken too low rather than too high. Two that share
// nearly all of their packets cannot be told apart: both are said.

import type {Dimension} from "./api";
import {FEW, wilson} from "./scale";

export interface Sums {
    packets_sent: number;
    packets_retransmitted: number;
}

export interface PathSums extends Sums {
    members: number[]; // ASes in the order of the path, each once
}

export interface Group<T = Sums> {
    dim: Dimension;
    value: string | number;
    sums: T & Sums;
}

export type Role = "neighbour" | "transit" | "origin";

export interface Suspect extends Group {
    rate: number;
    elsewhere: number;
    share: number;    // of all that was sent again
    excess: number;   // packets
    twins: number[];  // ASes that cannot be told apart from it
    role: Role;       // of an AS, on nearly all its paths; transit: something else
    before: (Sums & {as: number})[]; // who hands it the packets, the largest first; of an AS
}

const SHARE = 0.1, TIMES = 2, LOST = 50; // what stands out: excess of all retransmits, rate against the others', packets sent again
const NEAR = 0.5;     // of the largest excess: those below explain too little to be asked how well they part lossy from clean
const CLEARLY = 1.25; // a country or a router explains so much more than an AS
const SAME = 0.98;    // packets that two ASes share, of those of either: not to be told apart
const MOST = 0.95;
const NAMED = 3;

export const minus = (a: Sums, b: Sums): Sums =>
    ({packets_sent: Math.max(0, a.packets_sent - b.packets_sent), packets_retransmitted: Math.max(0, a.packets_retransmitted - b.packets_retransmitted)});
const add = (a: Sums, b: Sums): Sums =>
    ({packets_sent: a.packets_sent + b.packets_sent, packets_retransmitted: a.packets_retransmitted + b.packets_retransmitted});
export const NOTHING: Sums = {packets_sent: 0, packets_retransmitted: 0};
export const sum = (list: Sums[]): Sums => list.reduce(add, NOTHING);
const rateOf = (s: Sums): number => s.packets_sent ? s.packets_retransmitted / s.packets_sent : 0;
const upper = (s: Sums): number => 1 - wilson(s.packets_sent - s.packets_retransmitted, s.packets_sent);

// Packets sent again beyond what there would be at the rate of the rest; 0 when there is no rest to speak of.
export function excess(part: Sums, whole: Sums): number {
    const rest = minus(whole, part);
    return rest.packets_sent < FEW ? 0 : part.packets_retransmitted - part.packets_sent * rateOf(rest);
}

export function standsOut(part: Sums, whole: Sums, all: Sums = whole): boolean {
    const rest = minus(whole, part);
    return part.packets_sent >= FEW && rest.packets_sent >= FEW && part.packets_retransmitted >= LOST &&
        excess(part, whole) >= SHARE * all.packets_retransmitted && rateOf(part) >= TIMES * rateOf(rest) && wilson(part.packets_retransmitted, part.packets_sent) > upper(rest);
}

// How much likelier two rates are than one (its logarithm); 0 where the part's is not the higher.
export function likelihood(part: Sums, whole: Sums): number {
    const rest = minus(whole, part), all = rateOf(whole);
    if (rateOf(part) <= rateOf(rest))
        return 0;
    const of = (s: Sums) => s.packets_retransmitted ? s.packets_retransmitted * Math.log(rateOf(s) / all) : 0;
    return of(part) + of(rest);
}

export function members(path: string | null | undefined): number[] {
    return [...new Set((path ?? "").match(/\d+/g)?.map(Number) ?? [])];
}

interface Candidate {
    group: Group;
    own: Sums; // of it, without what those named before explain
}

// The one that explains most.
function pick(candidates: Candidate[], whole: Sums): Candidate | null {
    const most = Math.max(0, ...candidates.map((c) => excess(c.own, whole)));
    const near = candidates.filter((c) => excess(c.own, whole) >= NEAR * most);
    return near.reduce<Candidate | null>((best, c) => best && likelihood(best.own, whole) >= likelihood(c.own, whole) ? best : c, null);
}

const has = (as: string | number) => (p: PathSums) => p.members.includes(Number(as));

function roleOf(as: number, own: PathSums[]): Role {
    const all = sum(own).packets_sent;
    const at = (index: number) => sum(own.filter((p) => p.members.at(index) === as)).packets_sent >= MOST * all;
    return !all ? "transit" : at(0) ? "neighbour" : at(-1) ? "origin" : "transit";
}

function before(as: number, own: PathSums[]): (Sums & {as: number})[] {
    const found = new Map<number, Sums>();
    for (const p of own) {
        const from = p.members[p.members.indexOf(as) - 1];
        if (from !== undefined)
            found.set(from, add(found.get(from) ?? NOTHING, p));
    }
    return [...found].map(([from, s]) => ({as: from, ...s})).sort((a, b) => b.packets_sent - a.packets_sent);
}

function twinsOf(first: Group, others: Group[], paths: PathSums[]): number[] {
    const own = sum(paths.filter(has(first.value))).packets_sent;
    return others.filter((c) => {
        const both = paths.filter(has(c.value));
        return c.value !== first.value && sum(both.filter(has(first.value))).packets_sent >= SAME * Math.max(own, sum(both).packets_sent);
    }).map((c) => Number(c.value));
}

function suspect({group, own}: Candidate, rest: Sums, whole: Sums, vias: Group[], paths: PathSums[]): Suspect {
    const isAs = group.dim === "via", as = Number(group.value), through = isAs ? paths.filter(has(as)) : [];
    return {...group, rate: rateOf(own), elsewhere: rateOf(minus(rest, own)), share: whole.packets_retransmitted ? own.packets_retransmitted / whole.packets_retransmitted : 0,
        excess: excess(own, rest), twins: isAs ? twinsOf(group, vias, paths) : [], role: isAs ? roleOf(as, through) : "transit", before: isAs ? before(as, through) : []};
}

// The others on paths without the named ones: what is known of them, over all of their packets that are not on such paths.
function without(group: Group, named: Suspect[], paths: PathSums[]): Sums {
    const own = paths.filter(has(group.value));
    const shared = own.filter((p) => named.some((s) => has(s.value)(p)));
    return {packets_sent: Math.max(0, group.sums.packets_sent - sum(shared).packets_sent), packets_retransmitted: sum(own.filter((p) => !shared.includes(p))).packets_retransmitted};
}

// whole: all traffic; groups: by via, country, router; paths: those with the most that was sent again.
export function suspects(whole: Sums, groups: Group[], paths: PathSums[]): Suspect[] {
    const out = groups.filter((g) => standsOut(g.sums, whole)).map((group) => ({group, own: group.sums}));
    const vias = out.filter((c) => c.group.dim === "via");
    const best = pick(vias, whole), other = pick(out.filter((c) => c.group.dim !== "via"), whole);
    if (other && (!best || excess(other.own, whole) > CLEARLY * excess(best.own, whole)))
        return [suspect(other, whole, whole, [], paths)];
    const named: Suspect[] = [];
    for (let next = best, rest = whole; next && named.length < NAMED;) {
        named.push(suspect(next, rest, whole, vias.map((c) => c.group), paths));
        rest = minus(whole, sum(paths.filter((p) => named.some((s) => has(s.value)(p)))));
        const left = groups.filter((g) => g.dim === "via" && !named.some((s) => s.value === g.value || s.twins.includes(Number(g.value))))
            .map((group) => ({group, own: without(group, named, paths)})).filter((c) => standsOut(c.own, rest, whole));
        next = pick(left, rest);
    }
    return named;
}

// Whether nearly all of an AS's packets come to it by the suspect.
export function isBehind(as: number, through: number, paths: PathSums[]): boolean {
    const own = paths.filter(has(as));
    const behind = own.filter((p) => p.members.includes(through) && p.members.indexOf(through) < p.members.indexOf(as));
    return as !== through && own.length > 0 && sum(behind).packets_sent >= MOST * sum(own).packets_sent;
}

// ---- since when ----

// Twice the rate of elsewhere, over packets enough.
export const isHigh = (s: Sums, elsewhere: number): boolean => s.packets_sent >= FEW && s.packets_retransmitted > 0 && rateOf(s) >= TIMES * elsewhere;

export interface Stretch {
    from: number | null; // index of the first bucket; null: from the beginning
    to: number | null;   // of the first one behind it; null: it goes on
}

// The buckets of a higher rate, when there is one stretch of them in which it is twice that of the rest.
export function stretch(list: Sums[]): Stretch | null {
    const sums = list.reduce<Sums[]>((all, s) => [...all, add(all[all.length - 1], s)], [NOTHING]);
    const whole = sums[list.length];
    let best: {from: number; to: number} | null = null, most = 0;
    for (let from = 0; from < list.length; from++)
        for (let to = from + 1; to <= list.length; to++) {
            const l = likelihood(minus(sums[to], sums[from]), whole);
            if (l > most)
                [best, most] = [{from, to}, l];
        }
    if (!best)
        return null;
    const inside = minus(sums[best.to], sums[best.from]), rest = minus(whole, inside);
    const apart = inside.packets_sent >= FEW && rest.packets_sent >= FEW && inside.packets_retransmitted >= LOST && rateOf(inside) >= TIMES * rateOf(rest) &&
        wilson(inside.packets_retransmitted, inside.packets_sent) > upper(rest);
    return apart && best.to - best.from < list.length ? {from: best.from || null, to: best.to === list.length ? null : best.to} : null;
}
