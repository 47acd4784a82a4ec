// SPDX-License-Identifier: BSD-2-Clause

// By whom traffic leaves and gets there: the flow from routers to origins, the paths that carry the most, and those that
// changed.

import {ask, type Change, type Dimension, type FlowNode, type PathRow, type Paths} from "../api";
import {segmented} from "../bar";
import {changesCard, loadChanges} from "../changes";
import {h} from "../dom";
import {plus} from "../filter";
import {flowChart, flowTable} from "../flow";
import {askTraffic, card, noTraffic, trafficEvery, type PageModule} from "../page";
import {legend, rate} from "../scale";
import {choice, filterOf, go, url, type State} from "../state";
import {table, type Column} from "../table";
import {bytes, count, data, percent} from "../units";
import * as words from "../words";

const NODES: [string, string][] = [["6", "Few"], ["12", "Some"], ["25", "Many"]];
const DIM_OF: Record<string, Dimension> = {router: "router", neighbour: "neighbour", transit: "via", origin: "origin"};

interface Data {
    paths: Paths;
    changes: Change[];
    senders: number | null;
}

async function load(s: State, signal: AbortSignal): Promise<Data> {
    const nodes = choice(s, "nodes", NODES.map(([v]) => v), "12");
    const [paths, changes] = await Promise.all([
        askTraffic<Paths>(s, "paths", {nodes, limit: 25}, signal),
        loadChanges(s, 15, signal),
    ]);
    for (const row of paths.rows)
        for (const hop of row.hops ?? [])
            words.learnName(hop.as, hop.name);
    const senders = paths.rows.length ? null : (await ask<{rows: unknown[]}>("senders", {}, signal)).rows.length;
    return {paths, changes, senders};
}

function list(s: State, d: Data): HTMLElement {
    const columns: Column<PathRow>[] = [
        {name: "Router", class: "short", cell: (row) => row.router ? words.whole(row.router) : h("span", {class: "unknown"}, "no router")},
        {name: "Path", class: "what long", cell: (row) => h("a", {title: row.path, href: url(s, {filter: plus(plus(filterOf(s), "router", row.router), "path", row.path), by: null}, "networks")}, words.path(row.path))},
        {name: "Bytes", number: true, cell: (row) => data(row.bytes_sent, bytes)},
        {name: "Share", number: true, class: "share", cell: (row) => data(row.share, percent)},
        {name: "Retransmits", number: true, cell: (row) => rate(row)},
        {name: "Connections", number: true, cell: (row) => data(row.connections, count)},
    ];
    return card("Paths with the most traffic", table("Paths with the most traffic", columns, d.paths.rows));
}

export const paths: PageModule<Data> = {
    title: "Paths", lead: "By whom does traffic leave, and where on the way is it lost?", bar: true, every: trafficEvery, load,
    covers: (d) => d.paths,
    draw(s, d) {
        if (d.senders !== null)
            return noTraffic(s, d.senders);
        const stages = h("div", {class: "stages", "aria-hidden": "true"}, ["Router", "Neighbour", "Transit", "Origin"].map((name) => h("span", null, name)));
        const only = (n: FlowNode) => url(s, {filter: plus(filterOf(s), DIM_OF[n.stage], n.value)});
        return [card("From routers to origins", [stages, flowChart(d.paths, (n) => go(only(n))), legend(), flowTable(d.paths, only)],
        {note: "width: bytes; colour: retransmit rate; a click keeps to one", tools: segmented("Nodes", s, "nodes", NODES, "12")}), list(s, d), changesCard(s, d.changes, null)];
    },
};
