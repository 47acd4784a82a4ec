// SPDX-License-Identifier: BSD-2-Clause

// Changes of paths to networks with traffic, as a table.

import type {Change} from "./api";
import type {Around} from "./around";
import {change} from "./change";
import {h} from "./dom";
import {plus} from "./filter";
import {card, empty} from "./page";
import {isFew, rate} from "./scale";
import {filterOf, url, zone, type State} from "./state";
import {table, type Column} from "./table";
import {moment} from "./units";
import * as words from "./words";

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
        {name: "Router", cell: (c) => c.router},
        {name: "Prefix", cell: (c) => h("a", {class: "mono", href: url(s, {filter: plus(filterOf(s), "prefix", c.prefix), by: null}, "networks")}, c.prefix)},
        {name: "Before", cell: (c) => words.path(c.before)},
        {name: "After", cell: (c) => words.path(c.after)},
        at("before"), at("after"), {name: "Points", number: true, when: () => quality.size > 0, cell: points},
    ];
    return card("Path changes", rows.length ? table("Path changes", columns, rows) : empty("No path to a network with traffic changed in this range."),
        {note: rows.length ? note : null});
}
