// SPDX-License-Identifier: BSD-2-Clause

// What is looked at, all of it in the URL: the page is its path; range, filter and zone are parameters that go from page
// to page; the others belong to one page. A parameter that has its default value is left out.

import type {Zone} from "./units";

export const PAGES = ["overview", "networks", "paths", "routes", "senders", "routers"] as const;
export type Page = typeof PAGES[number];

const SHARED = ["last", "from", "to", "filter", "tz"];
export const DEFAULT_LAST = "6h";

export interface State {
    page: Page;
    parameters: URLSearchParams;
}

export function pageOf(path: string): Page {
    const name = path.replace(/^\/|\/$/g, "");
    return (PAGES as readonly string[]).includes(name) ? name as Page : "overview";
}

export function current(): State {
    return {page: pageOf(location.pathname), parameters: new URLSearchParams(location.search)};
}

export function get(s: State, name: string, otherwise: string): string {
    return s.parameters.get(name) ?? otherwise;
}

// The same with changes; null takes a parameter away.
export function url(s: State, changes: Record<string, string | null>, page: Page = s.page): string {
    const p = new URLSearchParams();
    for (const [name, value] of s.parameters)
        if (page === s.page || SHARED.includes(name))
            p.set(name, value);
    for (const [name, value] of Object.entries(changes))
        if (value === null || value === "")
            p.delete(name);
        else
            p.set(name, value);
    // Filters stay readable: these characters need no escape in a query.
    const text = p.toString().replace(/%3A/g, ":").replace(/%2C/g, ",").replace(/%2F/g, "/");
    return (page === "overview" ? "/" : "/" + page) + (text ? "?" + text : "");
}

// Which one of some values, else the default.
export function choice<T extends string>(s: State, name: string, values: readonly T[], otherwise: T): T {
    const value = s.parameters.get(name) as T | null;
    return value && values.includes(value) ? value : otherwise;
}

export function zone(s: State): Zone {
    return choice(s, "tz", ["local", "utc"] as const, "local");
}

export const filterOf = (s: State): string => get(s, "filter", "");

// The range as the API takes it.
export function range(s: State): Record<string, string> {
    const from = s.parameters.get("from"), to = s.parameters.get("to");
    if (from)
        return to ? {from, to} : {from};
    return {last: get(s, "last", DEFAULT_LAST)};
}

export const isRelative = (s: State): boolean => !s.parameters.get("from");

const UNITS: Record<string, number> = {s: 1, m: 60, h: 3600, d: 86400, w: 604800};

// "36h" in seconds; null: no duration.
export function seconds(text: string): number | null {
    const match = /^(\d+)([smhdw])$/.exec(text);
    return match ? Number(match[1]) * UNITS[match[2]] : null;
}

// A question: range and filter, and more.
export function question(s: State, more: Record<string, string | number>): Record<string, string> {
    const q: Record<string, string> = {...range(s)};
    const filter = filterOf(s);
    if (filter)
        q.filter = filter;
    for (const [name, value] of Object.entries(more))
        q[name] = String(value);
    return q;
}

// ---- going there ----

type Listener = () => void;
let listener: Listener = () => {};

export function onNavigate(fn: Listener): void {
    listener = fn;
    addEventListener("popstate", () => listener());
}

export function go(to: string, replaceIt = false): void {
    if (to === location.pathname + location.search)
        return;
    if (replaceIt)
        history.replaceState(null, "", to);
    else
        history.pushState(null, "", to);
    listener();
}
