// SPDX-License-Identifier: BSD-2-Clause

// Changes of paths to networks with traffic, as a table. They follow the terms of the filter that they have something of: routers,
// prefixes, and what is on the path before or after. Of the others, which are of traffic only, the card says so.

import {ask, DIMENSIONS, type Change} from "./api";
import type {Around} from "./around";
import {change} from "./change";
import {h} from "./dom";
import {parse, plus} from "./filter";
import {card, empty} from "./page";
import {isFew, rate} from "./scale";
import {filterOf, range, url, zone, type State} from "./state";
import {table, type Column} from "./table";
import {moment} from "./units";
import * as words from "./words";

const FOLLOWED = ["router", "prefix", "origin", "neighbour", "via", "path"];

// What is not known as a term goes there too: the collector judges.
const follows = (dim: string) => FOLLOWED.includes(dim) || !DIMENSIONS.some((d) => d === dim);

// within: a prefix, instead of those of the filter, and all inside it.
export async function loadChanges(s: State, limit: number, signal: AbortSignal, within = ""): Promise<Change[]> {
    const filter = parse(filterOf(s)).filter((t) => follows(t.dim) && !(within && t.dim === "prefix")).map((t) => t.text).join(" ");
    const answer = await ask<{rows: Change[]}>("changes", {...range(s), ...within ? {within} : {}, ...filter ? {filter} : {}, limit: String(limit)}, signal);
    for (const hop of answer.rows.flatMap((c) => [...c.before_hops ?? [], ...c.after_hops ?? []]))
        words.learnName(hop.as, hop.name);
    return answer.rows;
}

// quality: the retransmit rate before and after each, where it is known.
export function changesCard(s: State, rows: Change[], note: string | null, quality: Map<Change, Around> = new Map()): HTMLElement {
    const at = (of: "before" | "after"): Column<Change> => ({name: of === "before" ? "Rate before" : "Rate after", number: true, when: () => quality.size > 0,
        title: `retransmit rate of this router's traffic to this prefix in the hour ${of}, or to the next change`,
        cell: (c) => quality.has(c) ? rate(quality.get(c)![of]) : h("span", {class: "none"}, "–")});
    const points = (c: Change) => {
        const q = quality.get(c);
        return !q || isFew(q.before) || isFew(q.after) ? h("span", {class: "none", title: "too few packets"}, "–")
            : change(q.after.retransmit_rate, q.before.retransmit_rate, -1, true, true);
    };
    const columns: Column<Change>[] = [
        {name: "When", cell: (c) => moment(c.time, zone(s))},
        {name: "Router", class: "short", cell: (c) => words.whole(c.router)},
        {name: "Prefix", cell: (c) => h("a", {class: "mono", href: url(s, {filter: plus(filterOf(s), "prefix", c.prefix), by: null}, "networks")}, c.prefix)},
        {name: "From one path to another", class: "turn", cell: (c) => [h("div", {class: "was"}, words.path(c.before)),
            h("div", null, h("span", {class: "to", "aria-hidden": "true"}, "→ "), words.path(c.after))]},
        at("before"), at("after"), {name: "Points", number: true, when: () => quality.size > 0, cell: points},
    ];
    const left = parse(filterOf(s)).filter((t) => !follows(t.dim)).map((t) => t.text);
    const said = [rows.length ? note : null, left.length ? `whatever the traffic is: not by ${left.join(" ")}` : null].filter(Boolean).join("; ");
    return card("Path changes", rows.length ? table("Path changes", columns, rows) : empty(filterOf(s) ? "No path that passes the filter changed in this range." : "No path to a network with traffic changed in this range."),
        {note: said || null});
}
