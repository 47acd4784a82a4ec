// SPDX-License-Identifier: BSD-2-Clause

// What a page is, and what pages have in common.

import {ask} from "./api";
import {longer} from "./bar";
import type {Ranged} from "./covered";
import {h, type Child} from "./dom";
import {current, filterOf, get, go, iso, isRelative, question, seconds, url, DEFAULT_LAST, type State} from "./state";

export interface PageModule<D> {
    title: string;
    lead: string;                   // what the page answers, in a sentence
    bar: boolean;                   // filter and range
    every(s: State): number;        // seconds until it is loaded again; 0: never
    // early: to draw what is there of a page that is shown anew, before the rest comes
    load(s: State, signal: AbortSignal, early: (data: D) => void): Promise<D>;
    draw(s: State, data: D): Child;
    covers?(data: D): Ranged; // what the figures are of
}

// Figures of a range that ends now come again; the longer it is the less they change.
export function trafficEvery(s: State): number {
    if (!isRelative(s))
        return 0;
    return (seconds(get(s, "last", DEFAULT_LAST)) ?? Infinity) <= 86400 ? 10 : 60; // also of "forever"
}

// How old an answer may be: half of the time after which it is asked for again. What is past may still get late records.
export function maxAge(s: State): number {
    return isRelative(s) ? trafficEvery(s) / 2 : 30;
}

const SINCE_MS = 60e3;
const SINCE_NONE_MS = 5e3; // until there is any
let since: {at: number; answer: Promise<number | null>} | null = null;
let known: number | null = null;

async function askSince(): Promise<number | null> {
    const {since: text} = await ask<{since: string | null}>("since", {}, undefined, SINCE_NONE_MS / 1000);
    return known = text === null ? null : Date.parse(text);
}

// When the store's traffic begins, in ms; null: there is none. It hardly changes: where there is no answer the one before will do; without
// any the question fails, as averages would be over time of which nothing is known.
export function sinceWhen(): Promise<number | null> {
    if (since && Date.now() < since.at)
        return since.answer;
    const mine = since = {at: Date.now() + SINCE_MS, answer: askSince().catch((error: unknown) => {
        mine.at = 0;
        if (known === null)
            throw error;
        return known;
    })};
    void mine.answer.then((found) => {
        if (found === null)
            mine.at = Date.now() + SINCE_NONE_MS;
    }, () => null);
    return mine.answer;
}

// A question about the range and filter. The answer also tells since when there is traffic at all.
export async function askTraffic<T extends object>(s: State, name: string, more: Record<string, string | number>, signal: AbortSignal): Promise<T> {
    const [answer, begin] = await Promise.all([ask<T>(name, question(s, more), signal, maxAge(s)), sinceWhen()]);
    return {...answer, since: begin};
}

// Where figures are about to come.
export const waiting = (): HTMLElement => h("div", {class: "waiting", "aria-hidden": "true"});

export function card(title: Child, body: Child, options: {class?: string; tools?: Child; note?: Child} = {}): HTMLElement {
    return h("section", {class: `card ${options.class ?? ""}`},
        h("div", {class: "card-head"}, h("h2", null, title), options.note ? h("p", {class: "note"}, options.note) : null,
            options.tools ? h("div", {class: "tools"}, options.tools) : null), body);
}

export function empty(title: string, ...more: Child[]): HTMLElement {
    return h("div", {class: "empty"}, h("p", {class: "empty-title"}, title), more);
}

// No traffic: why that may be, and what to do.
export function noTraffic(s: State, senders: number | null): HTMLElement {
    if (filterOf(s))
        return empty("No traffic passes this filter in this range.",
            h("p", null, h("a", {class: "button", href: url(s, {filter: null})}, "Remove the filter"), " ", longer(s)));
    if (senders === 0)
        return empty("No sender has been heard yet.",
            h("p", null, "Point one at this collector and figures appear within seconds:"),
            h("dl", {class: "hints"},
                h("dt", null, "nginx"), h("dd", null, h("code", null, "whereto_collector HOST:5775; whereto_key FILE; whereto on;")),
                h("dt", null, "one record by hand"), h("dd", null, h("code", null, "whereto send --to HOST:5775 --key FILE < records.json"))),
            h("p", null, "Datagrams under unknown keys are counted on the ", h("a", {href: url(s, {}, "senders")}, "Senders"), " page."));
    return empty("No traffic in this range.",
        h("p", null, longer(s)),
        h("p", null, "Whether senders are alive is told on the ", h("a", {href: url(s, {}, "senders")}, "Senders"), " page."));
}

// A chart outlives what it was first drawn for, so what it leads to is asked for when it happens.
export function toRange(from: number, to: number): void {
    const minute = (t: number) => iso(Math.round(t / 60e3) * 60e3);
    go(url(current(), {last: null, from: minute(from), to: minute(to)}));
}
