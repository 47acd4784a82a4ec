// SPDX-License-Identifier: BSD-2-Clause

// What is looked at, all of it in the URL: the page is its path; range, filter and zone are parameters that go from page
// to page; the others belong to one page. A parameter that has its default value is left out.
//
// A range is asked for by its two ends, which are the same in all questions of a page: "the last 6 hours" begin with a whole
// hour and end with the present one, as the API itself widens a long range, so that no question is widened in its own way and
// whole hours are read as such; up to three hours the ends are whole minutes.

import {ApiError} from "./api";
import type {Zone} from "./units";

export const PAGES = ["overview", "networks", "paths", "compare", "incidents", "routes", "senders", "routers"] as const;
export type Page = typeof PAGES[number];

const SHARED = ["last", "from", "to", "filter", "tz"];
export const DEFAULT_LAST = "6h";

export interface State {
    page: Page;
    parameters: URLSearchParams;
    now: number; // ms: what "now" is in all questions about it
}

// All there is, from the store's first traffic on; until that is known, as by default.
export const FOREVER = "forever";
let begin: number | null = null;

export const isForever = (s: State): boolean => isRelative(s) && get(s, "last", DEFAULT_LAST) === FOREVER;

export function learnBegin(since: number | null): void {
    begin = since;
}

export function pageOf(path: string): Page {
    const name = path.replace(/^\/|\/$/g, "");
    return (PAGES as readonly string[]).includes(name) ? name as Page : "overview";
}

export function current(): State {
    return {page: pageOf(location.pathname), parameters: new URLSearchParams(location.search), now: Date.now()};
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

export const isRelative = (s: State): boolean => !s.parameters.get("from");

const UNITS: Record<string, number> = {s: 1, m: 60, h: 3600, d: 86400, w: 604800};

// "36h" in seconds; null: no duration.
export function seconds(text: string): number | null {
    const match = /^(\d+)([smhdw])$/.exec(text);
    return match ? Number(match[1]) * UNITS[match[2]] : null;
}

// ---- the range ----

const MINUTE = 60e3, HOUR = 3600e3;
const MINUTES_UP_TO = 3 * HOUR;
const TIME_END = Date.UTC(10000, 0);

export interface Span {
    from: number; // ms
    to: number;
}

// A moment as the API takes it: RFC 3339, seconds since 1970, now, or back from now. Throws what is shown for another one.
function momentOf(name: string, text: string, now: number): number {
    const back = /^(?:now)?-(\w+)$/.exec(text);
    const time = text === "now" ? now : back ? now - (seconds(back[1]) ?? NaN) * 1000 : /^\d+$/.test(text) ? Number(text) * 1000
        : /^\d{4}-\d\d-\d\d($|[T ].*(Z|[+ -]\d\d:?\d\d)$)/i.test(text) ? Date.parse(text.replace(/ (\d\d:?\d\d)$/, "+$1")) : NaN;
    if (!(time >= 0 && time < TIME_END))
        throw new ApiError(400, `'${text}' is no time: write 2026-11-23T10:00:00Z, 2026-11-23, seconds since 1970, now or -2h.`, name);
    return time;
}

// As it was chosen. Throws what is shown where it is none.
export function asked(s: State): Span {
    const from = s.parameters.get("from"), to = s.parameters.get("to"), last = get(s, "last", DEFAULT_LAST);
    if (from) {
        const span = {from: momentOf("from", from, s.now), to: to ? momentOf("to", to, s.now) : s.now};
        if (span.from >= span.to)
            throw new ApiError(400, "The range ends before it begins.", "from");
        return span;
    }
    const length = last !== FOREVER ? seconds(last) : begin === null ? seconds(DEFAULT_LAST) : Math.max(60, (s.now - begin) / 1000);
    if (!length)
        throw new ApiError(400, `'${last}' is no duration: write 90s, 15m, 36h, 7d or 2w.`, "last");
    return {from: Math.max(s.now / 2 + 48 * HOUR, s.now - length * 1000), to: s.now}; // what it is compared with begins after 1970
}

// The same where it is needed without any fuss; null: it is none.
export function askedOrNull(s: State): Span | null {
    try {
        return asked(s);
    } catch {
        return null;
    }
}

// What is asked for.
export function span(s: State): Span {
    const chosen = asked(s), grain = chosen.to - chosen.from > MINUTES_UP_TO ? HOUR : MINUTE;
    const endsNow = isRelative(s) || !s.parameters.get("to"), from = isRelative(s) ? grain : MINUTE;
    return {from: Math.floor(chosen.from / from) * from, to: endsNow ? Math.floor(chosen.to / grain + 1) * grain : Math.ceil(chosen.to / MINUTE) * MINUTE};
}

// To the second.
export const iso = (time: number): string => new Date(time).toISOString().slice(0, 19) + "Z";

// As the API takes it.
export function range(s: State): Record<string, string> {
    const {from, to} = span(s);
    return {from: iso(from), to: iso(to)};
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

// back: how far it was scrolled when it was left, where somebody comes back to it.
type Listener = (back: number | null) => void;
let listener: Listener = () => {};

export function onNavigate(fn: Listener): void {
    listener = fn;
    addEventListener("popstate", () => listener(left()));
    addEventListener("pagehide", leave);
}

// How far it was scrolled when it was left; null: it is new.
export const left = (): number | null => (history.state as {y?: number} | null)?.y ?? null;

function leave(): void {
    history.replaceState({y: scrollY}, "");
}

export function go(to: string): void {
    if (to === location.pathname + location.search)
        return;
    leave();
    history.pushState(null, "", to);
    listener(null);
}
