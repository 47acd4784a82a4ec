// SPDX-License-Identifier: BSD-2-Clause

// Routers, and the state of the sources their tables come from, in order of preference.

import {ask} from "../api";
import {h, type Child} from "../dom";
import {plus} from "../filter";
import {card, empty, type PageModule} from "../page";
import {url, zone, type State} from "../state";
import {table, type Column} from "../table";
import {age, count, data} from "../units";

interface Source {
    kind: string;
    from: string | null;
    vrf: string | null;
    file: string | null;
    peer: string | null;
    state: string;
    session: string | null;
    since: string | null;
    prefixes: number;
    routes: number;
    peers: number;
    peers_lost: number;
    last_change: string | null;
    updates: number;
    updates_per_s: number;
    counters: Record<string, number>;
    error: string | null;
}

interface Router {
    name: string;
    serves: string[];
    prefixes: number;
    sources: Source[];
}

const STATES: Record<string, string> = {absent: "never there, or gone", up: "connected", stale: "lost, its routes are kept for a while", loaded: "read",
    error: "could not be read"};

const where = (source: Source): Child => [source.from ?? source.file?.split("/").pop() ?? "", source.vrf ? ` VRF ${source.vrf}` : "", source.peer ? ` peer ${source.peer}` : ""];

function columns(s: State): Column<Source>[] {
    return [
        {name: "", class: "rank", cell: (_, i) => `${i + 1}.`},
        {name: "Source", cell: (r) => h("span", {class: "name"}, r.kind.toUpperCase())},
        {name: "From", class: "short", cell: (r) => h("span", {class: "mono", title: r.file ?? r.from}, where(r))},
        {name: "State", cell: (r) => h("span", {class: `state ${r.state}`, title: STATES[r.state] ?? r.state}, r.state, r.session ? ` (${r.session})` : "")},
        {name: "Since", number: true, cell: (r) => age(r.since, zone(s))},
        {name: "Prefixes", number: true, cell: (r) => data(r.prefixes, count)},
        {name: "Routes", number: true, cell: (r) => data(r.routes, count)},
        {name: "Peers", number: true, cell: (r) => [data(r.peers, count), r.peers_lost ? [", ", h("span", {class: "bad"}, `${r.peers_lost} lost`)] : null]},
        {name: "Updates/s", number: true, cell: (r) => data(r.updates_per_s, count)},
        {name: "Last change", number: true, cell: (r) => age(r.last_change, zone(s))},
        {name: "Oddities", cell: oddities},
        {name: "Last failure", class: "wrap", cell: (r) => r.error ? h("span", {class: "bad"}, r.error) : ""},
    ];
}

// Counters that should be 0 and are not.
function oddities(source: Source): Child {
    const names = ["malformed", "treated_as_withdrawn", "attributes_discarded", "refused", "guessed"];
    const found = names.filter((name) => source.counters[name]);
    return found.length ? h("span", {class: "bad"}, found.map((name) => `${name.replaceAll("_", " ")}: ${count(source.counters[name])}`).join(", ")) : h("span", {class: "none"}, "none");
}

function routerCard(s: State, r: Router): HTMLElement {
    const live = r.sources.some((x) => x.state === "up" || x.state === "loaded");
    const worst = !r.sources.length ? "absent" : live ? r.sources[0].state === "up" || r.sources[0].state === "loaded" ? "up" : "stale" : "error";
    const words: Record<string, string> = {up: "first source answers", stale: "another source answers", error: "no source answers", absent: "no source"};
    return card([r.name, " ", h("span", {class: `state ${worst}`}, words[worst])],
        r.sources.length ? table(`Sources of ${r.name}`, columns(s), r.sources, {class: "sources"}) : empty("It has no source of routes: its traffic has no prefix and no path."), {
            note: [`serves ${r.serves.join(", ")} · `, data(r.prefixes, count), " prefixes"],
            tools: [h("a", {class: "more", href: url(s, {router: r.name}, "routes")}, "Routes"),
                h("a", {class: "more", href: url(s, {filter: plus("", "router", r.name)}, "networks")}, "Traffic")],
        });
}

export const routers: PageModule<{rows: Router[]}> = {
    title: "Routers", lead: "Whose tables are known, and are they fresh?", bar: false, every: () => 5,
    load: (_, signal) => ask("routers", {}, signal),
    draw(s, d) {
        if (!d.rows.length)
            return empty("No router is configured.", h("p", null, "Traffic is counted all the same, but without prefixes, paths and ASes. The section ",
                h("code", null, "routers"), " of whereto.yaml names routers and the sources of their tables."));
        return d.rows.map((r) => routerCard(s, r));
    },
};
