// SPDX-License-Identifier: BSD-2-Clause

// Changes of paths to networks with traffic, as a table.

import type {Change} from "./api";
import {h} from "./dom";
import {plus} from "./filter";
import {card, empty} from "./page";
import {filterOf, url, zone, type State} from "./state";
import {table, type Column} from "./table";
import {moment} from "./units";
import * as words from "./words";

export function changesCard(s: State, rows: Change[], note: string | null): HTMLElement {
    const columns: Column<Change>[] = [
        {name: "When", cell: (c) => moment(c.time, zone(s))},
        {name: "Router", cell: (c) => c.router},
        {name: "Prefix", cell: (c) => h("a", {class: "mono", href: url(s, {filter: plus(filterOf(s), "prefix", c.prefix), by: null}, "networks")}, c.prefix)},
        {name: "Before", cell: (c) => words.path(c.before)},
        {name: "After", cell: (c) => words.path(c.after)},
    ];
    return card("Path changes", rows.length ? table("Path changes", columns, rows) : empty("No path to a network with traffic changed in this range."),
        {note: rows.length ? note : null});
}
