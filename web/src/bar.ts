// SPDX-License-Identifier: BSD-2-Clause

// The bar under the header: the filter with completion, and the range of time.

import {ApiError, ask, DIMENSIONS, type Dimension, type Offers} from "./api";
import {byId, h, replace} from "./dom";
import * as filter from "./filter";
import {askedOrNull, choice, filterOf, get, go, iso, isRelative, range, seconds, url, zone, DEFAULT_LAST, type State} from "./state";
import {bytes, dateTime, zoneName, type Zone} from "./units";
import * as words from "./words";

// ---- completion ----

interface Offer {
    from?: number; // what it takes the place of begins there; else what is being typed
    insert: string;
    label: string;
    hint: string;
}

let offers: Offer[] = [];
let chosen = -1;
let asking: AbortController | null = null; // the present question, if any
let quiet = false; // the input gets the focus back, which nobody asked for

const HELP: Record<Dimension, string> = {
    country: "DE,AT", origin: "64511", neighbour: "64500", via: "1299", prefix: "203.0.113.0/24", path: '"64500 64511"', router: "edge1",
    type: "video", match: "own",
};

const NAMED_FROM = 2;       // letters: fewer are in too many names
const NAMED_S = 86400;      // values of the last day of the range will do, and are found quickly
const NAMED_OF_EACH = "4";
const NAMED_AGE_S = 60;
const TYPING_MS = 120;      // from a letter to the question, if no other comes

// Values of any dimension that begin, or a word of whose name begins, with the words that end at the cursor: with all of them, else
// with the last few that are in a name.
async function findNamed(text: string, cursor: number, s: State, signal?: AbortSignal): Promise<Offer[]> {
    const to = Math.ceil((askedOrNull(s)?.to ?? s.now) / 3600e3) * 3600e3;
    for (const {from, part} of filter.loose(text, cursor).filter((l) => l.part.length >= NAMED_FROM)) {
        const answer = await ask<Offers>("complete", {from: iso(to - NAMED_S * 1000), to: iso(to), prefix: part, limit: NAMED_OF_EACH}, signal, NAMED_AGE_S);
        const found = answer.rows.flatMap((row): Offer[] => row.term === null ? [] : [{from, insert: row.term + " ", label: row.term,
            hint: [row.name, words.LABELS[row.term.split(":")[0] as Dimension], bytes(row.bytes_sent)].filter(Boolean).join(", ")}]);
        if (found.length)
            return found;
    }
    return [];
}

// What is typed may be no question yet.
function unlessWrong(error: unknown): Offer[] {
    if (error instanceof ApiError && error.status === 400)
        return [];
    throw error;
}

async function find(text: string, cursor: number, s: State, signal: AbortSignal): Promise<Offer[]> {
    const t = filter.typing(text, cursor);
    if (!t.dim) {
        const dims = DIMENSIONS.filter((d) => d.startsWith(t.part) || words.LABELS[d].toLowerCase().startsWith(t.part.toLowerCase()))
            .map((d) => ({insert: d + ":", label: d + ":", hint: `${words.LABELS[d]}, such as ${HELP[d]}`}));
        return [...dims, ...await findNamed(text, cursor, s, signal).catch(unlessWrong)];
    }
    const dim = t.dim as Dimension;
    if (!DIMENSIONS.includes(dim))
        return [];
    const answer = await ask<Offers>("complete", {...range(s), dim, limit: "12", ...t.part ? {prefix: t.part} : {}}, signal);
    return answer.rows.flatMap((row) => {
        const insert = row.term?.slice(dim.length + 1);
        return insert ? [{insert: insert + " ", label: insert, hint: `${row.name ? row.name + ", " : ""}${bytes(row.bytes_sent)}`}] : [];
    });
}

function showOffers(input: HTMLInputElement): void {
    const list = byId("offers")!;
    list.hidden = !offers.length;
    input.setAttribute("aria-expanded", String(offers.length > 0));
    if (chosen >= 0)
        input.setAttribute("aria-activedescendant", `offer-${chosen}`);
    else
        input.removeAttribute("aria-activedescendant");
    replace(list, offers.map((o, i) => h("div", {role: "option", id: `offer-${i}`, "aria-selected": String(i === chosen),
        onMousedown: (e: Event) => {
            e.preventDefault();
            take(input, i);
        }}, h("span", {class: "offer-value"}, o.label), h("span", {class: "offer-hint"}, o.hint))));
    list.children[chosen]?.scrollIntoView({block: "nearest"});
}

function show(input: HTMLInputElement, found: Offer[], trouble: string): void {
    offers = found;
    chosen = -1;
    showOffers(input);
    byId("offers-trouble")!.textContent = trouble;
}

function close(input: HTMLInputElement): void {
    asking?.abort();
    asking = null;
    show(input, [], "");
}

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

// Whoever types on has the question before given up, or not asked at all.
async function complete(input: HTMLInputElement, s: State, wait_ms = 0): Promise<void> {
    asking?.abort();
    const mine = asking = new AbortController();
    const isOver = () => mine !== asking || document.activeElement !== input;
    if (wait_ms)
        await pause(wait_ms);
    if (isOver())
        return;
    try {
        const found = await find(input.value, input.selectionStart ?? 0, s, mine.signal).catch(unlessWrong);
        if (!isOver())
            show(input, found, "");
    } catch (error) {
        if (!isOver())
            show(input, [], `Values cannot be offered: ${error instanceof Error ? error.message : error}`);
    }
}

let currentState: State;

function take(input: HTMLInputElement, i: number): void {
    const from = offers[i].from ?? filter.typing(input.value, input.selectionStart ?? 0).from;
    const before = input.value.slice(0, from) + offers[i].insert;
    input.value = before + input.value.slice(input.selectionStart ?? 0).trimStart();
    input.setSelectionRange(before.length, before.length);
    if (offers[i].insert.endsWith(":"))
        void complete(input, currentState);
    else
        close(input);
}

function onKey(event: KeyboardEvent, input: HTMLInputElement): void {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step && offers.length) {
        chosen = (chosen + step + offers.length + (chosen < 0 && step < 0 ? 1 : 0)) % offers.length;
        showOffers(input);
        event.preventDefault();
    } else if ((event.key === "Enter" && chosen >= 0) || (event.key === "Tab" && offers.length && !event.shiftKey)) {
        take(input, Math.max(chosen, 0));
        event.preventDefault();
    } else if (event.key === "Escape") {
        if (offers.length)
            close(input);
        else
            input.blur();
    }
}

// What ends the filter is a word and no term: it is taken for the first of what it may mean, if there is anything.
async function submit(input: HTMLInputElement): Promise<void> {
    const text = input.value.trim(), state = currentState;
    const named = filter.loose(text, text.length).length ? await findNamed(text, text.length, state).catch(() => []) : [];
    if (named.length && currentState === state)
        input.value = text.slice(0, named[0].from) + named[0].insert;
    close(input);
    go(url(currentState, {filter: input.value.trim()}));
}

function filterForm(s: State): HTMLElement {
    const input = h("input", {id: "filter", type: "text", value: filterOf(s), placeholder: "country:DE origin:64511 -type:api",
        role: "combobox", "aria-label": "Filter", "aria-autocomplete": "list", "aria-controls": "offers", "aria-expanded": "false",
        autocomplete: "off", autocapitalize: "off", spellcheck: "false", enterkeyhint: "go",
        onInput: () => void complete(input, currentState, TYPING_MS),
        onFocus: () => quiet || void complete(input, currentState),
        onBlur: () => close(input),
        onKeydown: (e: Event) => onKey(e as KeyboardEvent, input)});
    return h("form", {class: "filter", role: "search", onSubmit: (e: Event) => {
        e.preventDefault();
        close(input);
        void submit(input);
    }},
        h("span", {class: "filter-icon", "aria-hidden": "true"}, "⌕"), input,
        h("kbd", {"aria-hidden": "true", title: "press / to filter"}, "/"),
        h("div", {id: "offers", class: "offers", role: "listbox", "aria-label": "Completions", hidden: true}),
        h("p", {id: "offers-trouble", class: "offers-trouble", role: "status"}));
}

function chips(s: State): HTMLElement {
    const terms = filter.parse(filterOf(s));
    return h("div", {class: "chips"}, terms.map((t) => {
        const dim = t.dim as Dimension;
        const known = DIMENSIONS.includes(dim);
        const names = t.values.map((v) => known ? words.text(dim, v === "null" ? null : v) : v).join(" or ");
        const label = known ? `${t.negate ? "not " : ""}${names}` : t.text;
        return h("a", {class: "chip", href: url(s, {filter: filter.minus(filterOf(s), t.text)}), title: `Remove ${t.text}`},
            h("span", {class: "sr"}, "Remove the filter"), known ? h("span", {class: "chip-dim"}, words.LABELS[dim]) : null, label,
            h("span", {class: "chip-x", "aria-hidden": "true"}, "×"));
    }), terms.length > 1 ? h("a", {class: "chip-clear", href: url(s, {filter: null})}, "Clear all") : null);
}

// ---- range ----

const PRESETS: [string, string][] = [["15m", "15 min"], ["1h", "1 hour"], ["6h", "6 hours"], ["24h", "24 hours"], ["7d", "7 days"], ["30d", "30 days"]];

// As <input type=datetime-local> has it, in the zone that is shown.
function toField(time: Date, z: Zone): string {
    return dateTime(time, z).replace(" ", "T");
}

function fromField(text: string, z: Zone): Date {
    return new Date(z === "utc" ? text + "Z" : text);
}

function customDialog(s: State): HTMLDialogElement {
    const z = zone(s);
    const span = askedOrNull(s) ?? {from: Date.now() - seconds(DEFAULT_LAST)! * 1000, to: Date.now()};
    const start = new Date(span.from), end = new Date(span.to);
    const from = h("input", {type: "datetime-local", id: "range-from", required: true, value: toField(start, z)});
    const to = h("input", {type: "datetime-local", id: "range-to", value: toField(end, z)});
    const last = h("input", {type: "text", id: "range-last", pattern: "[0-9]+[smhdw]", placeholder: "36h", size: "6", "aria-describedby": "range-help"});
    const wrong = h("p", {class: "wrong", role: "alert"});
    const dialog = h("dialog", {class: "dialog", "aria-labelledby": "range-title"},
        h("form", {method: "dialog", onSubmit: (e: Event) => {
            e.preventDefault();
            if (last.value) {
                dialog.close();
                go(url(s, {last: last.value, from: null, to: null}));
                return;
            }
            const a = fromField(from.value, z), b = to.value ? fromField(to.value, z) : null;
            if (b && a >= b) {
                wrong.textContent = "The range ends before it begins.";
                return;
            }
            dialog.close();
            go(url(s, {last: null, from: iso(a.getTime()), to: b ? iso(b.getTime()) : null}));
        }},
            h("h2", {id: "range-title"}, "Range of time"),
            h("div", {class: "field"}, h("label", {for: "range-from"}, `From (${zoneName(z, start)})`), from),
            h("div", {class: "field"}, h("label", {for: "range-to"}, `To (${zoneName(z, end)}), empty for now`), to),
            h("div", {class: "field"}, h("label", {for: "range-last"}, "Or the last"), last,
                h("small", {id: "range-help"}, "90s, 15m, 36h, 7d, 2w")),
            wrong,
            h("div", {class: "buttons"}, h("button", {type: "button", onClick: () => dialog.close()}, "Cancel"),
                h("button", {type: "submit", class: "primary"}, "Show"))));
    dialog.addEventListener("close", () => dialog.remove());
    return dialog;
}

// The range before or behind this one.
function shifted(s: State, direction: number): string {
    const now = askedOrNull(s);
    const length = now ? now.to - now.from : 0, to = now ? Math.round((now.to + direction * length) / 60e3) * 60e3 : 0;
    if (!now || to - length < 0 || (direction > 0 && to >= Date.now()))
        return url(s, {from: null, to: null, last: get(s, "last", "") || null});
    return url(s, {last: null, from: iso(to - length), to: iso(to)});
}

function absoluteLabel(s: State): string {
    const z = zone(s);
    const from = s.parameters.get("from"), to = s.parameters.get("to"), span = askedOrNull(s);
    if (!span)
        return `${from} – ${to ?? "now"}`;
    return `${dateTime(new Date(span.from), z)} – ${to ? dateTime(new Date(span.to), z) : "now"}`;
}

function rangeControls(s: State): HTMLElement {
    const last = get(s, "last", DEFAULT_LAST), relative = isRelative(s);
    const custom = relative && !PRESETS.some(([value]) => value === last);
    const select = h("select", {id: "range", "aria-label": "Range of time", onChange: () => {
        if (select.value !== "custom") {
            go(url(s, {last: select.value, from: null, to: null}));
            return;
        }
        select.value = relative ? last : "shown";
        const dialog = customDialog(s);
        document.body.append(dialog);
        dialog.showModal();
    }},
        relative ? null : h("option", {value: "shown", selected: true}, absoluteLabel(s)),
        custom ? h("option", {value: last, selected: true}, `Last ${last}`) : null,
        PRESETS.map(([value, label]) => h("option", {value, selected: relative && value === last}, `Last ${label}`)),
        h("option", {value: "custom"}, "Other…"));
    const z = zone(s);
    return h("div", {class: "range"},
        h("a", {class: "button icon", href: shifted(s, -1), "aria-label": "Earlier", title: "Earlier"}, "‹"),
        select,
        relative ? h("span", {class: "button icon off", "aria-hidden": "true"}, "›")
            : h("a", {class: "button icon", href: shifted(s, 1), "aria-label": "Later", title: "Later"}, "›"),
        h("a", {class: "button zone", href: url(s, {tz: z === "utc" ? null : "utc"}),
            title: `Times are in ${z === "utc" ? "UTC" : `your local zone, ${zoneName(z, new Date())}`}; switch to ${z === "utc" ? "local" : "UTC"}`}, z === "utc" ? "UTC" : "Local"));
}

// s: of a page that has a bar; null: it has none.
export function draw(root: HTMLElement, s: State | null): void {
    if (s)
        currentState = s;
    quiet = true;
    replace(root, s ? h("section", {class: "bar", "aria-label": "Filter and range"},
        h("div", {class: "bar-row"}, filterForm(s), rangeControls(s)), chips(s)) : null);
    quiet = false;
}

// A small choice as a row of links.
export function segmented<T extends string>(label: string, s: State, name: string, values: readonly [T, string][], otherwise: T): HTMLElement {
    const now = choice(s, name, values.map(([v]) => v), otherwise);
    return h("div", {class: "segmented", role: "group", "aria-label": label}, values.map(([value, text]) =>
        h("a", {href: url(s, {[name]: value === otherwise ? null : value}), id: `${name}-${value || "none"}`,
            "aria-current": value === now ? "true" : null}, text)));
}

// The same as a select, where there are many.
export function selector<T extends string>(label: string, s: State, name: string, values: readonly [T, string][], otherwise: T): HTMLElement {
    const now = choice(s, name, values.map(([v]) => v), otherwise);
    const select = h("select", {id: `select-${name}`, onChange: () => go(url(s, {[name]: select.value === otherwise ? null : select.value}))},
        values.map(([value, text]) => h("option", {value, selected: value === now}, text)));
    return h("label", {class: "selector"}, h("span", null, label), select);
}
