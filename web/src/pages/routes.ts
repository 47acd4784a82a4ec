// SPDX-License-Identifier: BSD-2-Clause

// The looking glass: what each router's own table says about an address or a prefix, or all routes that pass a filter.

import {ask, ApiError, type Dimension} from "../api";
import {segmented} from "../bar";
import {h, type Child} from "../dom";
import {plus} from "../filter";
import {learnNames} from "../names";
import {card, empty, type PageModule} from "../page";
import {choice, get, go, url, type State} from "../state";
import {table, type Column} from "../table";
import {duration} from "../units";
import * as words from "../words";

interface Route {
    router: string;
    prefix: string | null;
    path: string | null;
    origin: number | null;
    neighbour: number | null;
    next_hop?: string | null;
    communities?: string | null;
    ext_communities?: string | null;
    large_communities?: string | null;
    med?: number | null;
    local_pref?: number | null;
    origin_code?: string | null;
    aggregator?: string | null;
    source?: string | null;
    peer?: string | null;
    match: string;
    age_s?: number | null;
}

type Kind = "address" | "prefix" | "filter" | "all";
const SELECTS: [string, string][] = [["exact", "This prefix"], ["longer", "It and those below"], ["shorter", "It and those above"]];
const FILTER = /^-?(router|prefix|origin|neighbour|via|path|match):/;
const LIMIT = "200";

interface Data {
    kind: Kind;
    rows: Route[];
    country: string | null;
    next: string | null;
    routers: string[];
    wrong: string | null; // with what was asked for
}

function kindOf(q: string): Kind {
    return !q ? "all" : FILTER.test(q) ? "filter" : q.includes("/") ? "prefix" : "address";
}

type Found = Pick<Data, "rows" | "country" | "next">;

async function find(s: State, q: string, kind: Kind, signal: AbortSignal): Promise<Found> {
    const router = get(s, "router", "");
    const more: Record<string, string> = router ? {router} : {};
    if (kind === "address") {
        const answer = await ask<{country: string | null; rows: Route[]}>("lookup", {address: q, ...more}, signal);
        return {rows: answer.rows, country: answer.country, next: null};
    }
    if (kind === "prefix")
        Object.assign(more, {prefix: q, select: choice(s, "select", SELECTS.map(([v]) => v), "exact")});
    if (kind === "filter")
        more.filter = q;
    const after = get(s, "after", "");
    const answer = await ask<{rows: Route[]; next: string | null}>("routes", {limit: LIMIT, ...more, ...after ? {after} : {}}, signal);
    return {rows: answer.rows, country: null, next: answer.next};
}

// A question that is wrong is answered beside the form, where it can be mended.
async function load(s: State, signal: AbortSignal): Promise<Data> {
    const q = get(s, "q", "").trim(), kind = kindOf(q);
    let wrong: string | null = null;
    await learnNames();
    const [found, routers] = await Promise.all([
        find(s, q, kind, signal).catch((error: unknown): Found => {
            if (!(error instanceof ApiError) || (error.status !== 400 && error.status !== 404))
                throw error;
            wrong = kind === "address" && error.parameter === "address" ? `“${q}” is no address.` : error.message;
            return {rows: [], country: null, next: null};
        }),
        ask<{rows: {name: string}[]}>("routers", {}, signal).then((a) => a.rows.map((r) => r.name)),
    ]);
    return {kind, ...found, routers, wrong};
}

// ---- the question ----

function form(s: State, d: Data): HTMLElement {
    const input = h("input", {id: "q", type: "text", value: get(s, "q", ""), placeholder: "203.0.113.9, 203.0.113.0/24 or origin:64511",
        autocomplete: "off", autocapitalize: "off", spellcheck: "false", "aria-label": "Address, prefix or filter"});
    const router = h("select", {id: "router", "aria-label": "Router"}, h("option", {value: ""}, "All routers"),
        d.routers.map((name) => h("option", {value: name, selected: name === get(s, "router", "")}, name)));
    router.addEventListener("change", () => go(url(s, {router: router.value || null, after: null})));
    return h("form", {class: "glass", role: "search", onSubmit: (e: Event) => {
        e.preventDefault();
        go(url(s, {q: input.value.trim() || null, after: null}));
    }}, input, router, h("button", {type: "submit", class: "primary"}, "Look up"),
    d.kind === "prefix" ? segmented("Which prefixes", s, "select", SELECTS as [never, string][], "exact" as never) : null);
}

// ---- the answer ----

function details(r: Route): Child {
    const list: [string, string | number | null | undefined][] = [["Communities", r.communities], ["Large", r.large_communities], ["Extended", r.ext_communities],
        ["MED", r.med], ["Origin code", r.origin_code === "igp" ? null : r.origin_code], ["Aggregator", r.aggregator], ["Peer", r.peer]];
    const known = list.filter(([, v]) => v !== null && v !== undefined && v !== "");
    return known.length ? h("div", {class: "attributes"}, known.map(([name, v]) =>
        h("div", null, h("span", {class: "attribute"}, name), " ", h("span", {class: "mono"}, String(v))))) : null;
}

function columns(s: State): Column<Route>[] {
    const traffic = (r: Route) => r.prefix ? h("a", {href: url({...s, parameters: new URLSearchParams()}, {filter: plus("", "prefix", r.prefix)}, "networks"),
        title: "Traffic to this prefix", "aria-label": `Traffic to ${r.prefix}`}, "Traffic") : null;
    return [
        {name: "Router", class: "short", cell: (r) => words.whole(r.router)},
        {name: "Prefix", cell: (r) => r.prefix ? h("a", {class: "mono", href: url(s, {q: r.prefix, after: null})}, r.prefix) : h("span", {class: "unknown"}, "no route")},
        {name: "AS path", class: "turn", cell: (r) => r.prefix ? words.path(r.path) : null},
        {name: "Next hop", when: (rows) => rows.some((r) => r.next_hop), cell: (r) => h("span", {class: "mono"}, r.next_hop ?? "")},
        {name: "Local pref", number: true, when: (rows) => rows.some((r) => typeof r.local_pref === "number"), cell: (r) => r.local_pref},
        {name: "Attributes", class: "wrap", when: (rows) => rows.some((r) => details(r)), cell: details},
        {name: "From", cell: (r) => r.source ?? ""},
        {name: "Found", cell: (r) => h("span", {class: `state ${r.match}`, title: words.text("match" as Dimension, r.match)}, r.match)},
        {name: "Age", number: true, cell: (r) => r.age_s === null || r.age_s === undefined ? "" : duration(r.age_s)},
        {name: "", number: true, cell: traffic},
    ];
}

function said(s: State, d: Data): string {
    const q = get(s, "q", "");
    if (d.kind === "address") {
        const paths = new Set(d.rows.map((r) => r.path));
        const where = d.country ? `, ${words.countryName(d.country)}` : "";
        return `${q}${where}: ${d.rows.filter((r) => r.prefix).length} of ${d.rows.length} routers have a route, ${paths.size === 1 ? "all by the same path" : `by ${paths.size} different paths`}`;
    }
    return `${d.rows.length}${d.next ? " routes and more" : d.rows.length === 1 ? " route" : " routes"}`;
}

function nothing(s: State, d: Data): HTMLElement {
    const example = (q: string) => h("a", {class: "mono", href: url(s, {q, router: null, after: null})}, q);
    if (d.wrong)
        return empty(d.wrong, h("p", {role: "alert"}, "Look up an address, a prefix or a filter, such as ", example("203.0.113.9"), ", ", example("203.0.113.0/24"),
            " or ", example("origin:64511"), "."));
    if (!d.routers.length)
        return empty("No router is configured.", h("p", null, "The section ", h("code", null, "routers"), " of whereto.yaml names them and where their tables come from."));
    return empty(d.kind === "all" ? "No router has a route yet." : "No router has such a route.",
        h("p", null, d.kind === "prefix" ? "An address finds the prefix that holds it; “It and those above” finds the ones around." : "The Routers page tells the state of their sources."));
}

export const routes: PageModule<Data> = {
    title: "Routes", lead: "What do the routers' own tables say?", bar: false, every: () => 0, load,
    draw(s, d) {
        const next = d.next ? h("p", {class: "next"}, h("a", {class: "button", href: url(s, {after: d.next})}, "Go on")) : null;
        return [form(s, d), d.rows.length ? card(said(s, d), [table("Routes", columns(s), d.rows), next]) : nothing(s, d)];
    },
};
