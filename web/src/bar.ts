// SPDX-License-Identifier: BSD-2-Clause

// The bar under the header: the filter with completion, and the range of time.

import {ask, DIMENSIONS, type Dimension, type Offers} from "./api";
import {byId, h, replace} from "./dom";
import * as filter from "./filter";
import {choice, filterOf, get, go, isRelative, range, seconds, url, zone, DEFAULT_LAST, type State} from "./state";
import {bytes, dateTime, zoneName, type Zone} from "./units";
import * as words from "./words";

// ---- completion ----

interface Offer {
    insert: string;
    label: string;
    hint: string;
}

let offers: Offer[] = [];
let chosen = -1;
let asked = 0;

const HELP: Record<Dimension, string> = {
    country: "DE,AT", origin: "64511", neighbour: "64500", via: "1299", prefix: "203.0.113.0/24", path: '"64500 64511"', router: "edge1",
    type: "video", match: "own",
};

async function find(t: filter.Typing, s: State): Promise<Offer[]> {
    if (!t.dim)
        return DIMENSIONS.filter((d) => d.startsWith(t.part) || words.LABELS[d].toLowerCase().startsWith(t.part.toLowerCase()))
            .map((d) => ({insert: d + ":", label: d + ":", hint: `${words.LABELS[d]}, such as ${HELP[d]}`}));
    const dim = t.dim as Dimension;
    if (!DIMENSIONS.includes(dim))
        return [];
    const answer = await ask<Offers>("complete", {...range(s), dim, limit: "12", ...t.part ? {prefix: t.part} : {}});
    return answer.rows.map((row) => {
        const insert = row.term.slice(dim.length + 1);
        return {insert: insert + " ", label: insert, hint: `${row.name ? row.name + ", " : ""}${bytes(row.bytes_sent)}`};
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

function close(input: HTMLInputElement): void {
    offers = [];
    chosen = -1;
    asked++;
    showOffers(input);
}

async function complete(input: HTMLInputElement, s: State): Promise<void> {
    const mine = ++asked;
    const found = await find(filter.typing(input.value, input.selectionStart ?? 0), s).catch(() => []);
    if (mine !== asked || document.activeElement !== input)
        return;
    offers = found;
    chosen = -1;
    showOffers(input);
}

let currentState: State;

function take(input: HTMLInputElement, i: number): void {
    const t = filter.typing(input.value, input.selectionStart ?? 0);
    const before = input.value.slice(0, t.from) + offers[i].insert;
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

function filterForm(s: State): HTMLElement {
    const input = h("input", {id: "filter", type: "text", value: filterOf(s), placeholder: "country:DE origin:64511 -type:api",
        role: "combobox", "aria-label": "Filter", "aria-autocomplete": "list", "aria-controls": "offers", "aria-expanded": "false",
        autocomplete: "off", autocapitalize: "off", spellcheck: "false", enterkeyhint: "go",
        onInput: () => void complete(input, currentState),
        onFocus: () => void complete(input, currentState),
        onBlur: () => close(input),
        onKeydown: (e: Event) => onKey(e as KeyboardEvent, input)});
    return h("form", {class: "filter", role: "search", onSubmit: (e: Event) => {
        e.preventDefault();
        close(input);
        go(url(currentState, {filter: input.value.trim()}));
    }},
        h("span", {class: "filter-icon", "aria-hidden": "true"}, "⌕"), input,
        h("kbd", {"aria-hidden": "true", title: "press / to filter"}, "/"),
        h("div", {id: "offers", class: "offers", role: "listbox", "aria-label": "Completions", hidden: true}));
}

function chips(s: State): HTMLElement {
    const terms = filter.parse(filterOf(s));
    return h("div", {class: "chips"}, terms.map((t) => {
        const dim = t.dim as Dimension;
        const known = DIMENSIONS.includes(dim);
        const names = t.values.map((v) => known ? words.text(dim, v === "null" ? null : v) : v).join(" or ");
        const label = known ? `${t.negate ? "not " : ""}${names}` : t.text;
        return h("a", {class: "chip", href: url(s, {filter: filter.minus(filterOf(s), t.text)}), title: `Remove ${t.text}`,
            "aria-label": `Remove filter ${t.text}`}, known ? h("span", {class: "chip-dim"}, words.LABELS[dim]) : null, label,
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
    const now = new Date();
    const start = s.parameters.get("from"), end = s.parameters.get("to");
    const span = (seconds(get(s, "last", DEFAULT_LAST)) ?? 21600) * 1000;
    const from = h("input", {type: "datetime-local", id: "range-from", required: true,
        value: toField(start && !Number.isNaN(Date.parse(start)) ? new Date(start) : new Date(now.getTime() - span), z)});
    const to = h("input", {type: "datetime-local", id: "range-to",
        value: toField(end && !Number.isNaN(Date.parse(end)) ? new Date(end) : now, z)});
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
            go(url(s, {last: null, from: a.toISOString().slice(0, 19) + "Z", to: b ? b.toISOString().slice(0, 19) + "Z" : null}));
        }},
            h("h2", {id: "range-title"}, "Range of time"),
            h("div", {class: "field"}, h("label", {for: "range-from"}, `From (${zoneName(z)})`), from),
            h("div", {class: "field"}, h("label", {for: "range-to"}, `To (${zoneName(z)}), empty for now`), to),
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
    const span = isRelative(s) ? (seconds(get(s, "last", DEFAULT_LAST)) ?? 21600) * 1000
        : (s.parameters.get("to") ? Date.parse(s.parameters.get("to")!) : Date.now()) - Date.parse(s.parameters.get("from")!);
    const end = s.parameters.get("to") ? Date.parse(s.parameters.get("to")!) : Date.now();
    const to = Math.round((end + direction * span) / 60e3) * 60e3;
    if (direction > 0 && to >= Date.now())
        return url(s, {from: null, to: null, last: get(s, "last", "") || null});
    const iso = (t: number) => new Date(t).toISOString().slice(0, 19) + "Z";
    return url(s, {last: null, from: iso(to - span), to: iso(to)});
}

function absoluteLabel(s: State): string {
    const z = zone(s);
    const shown = (text: string) => Number.isNaN(Date.parse(text)) ? text : dateTime(new Date(text), z);
    const to = s.parameters.get("to");
    return `${shown(s.parameters.get("from")!)} – ${to ? shown(to) : "now"}`;
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
            title: `Times are in ${z === "utc" ? "UTC" : `your local zone, ${zoneName(z)}`}; switch to ${z === "utc" ? "local" : "UTC"}`}, z === "utc" ? "UTC" : "Local"));
}

export function bar(s: State): HTMLElement {
    currentState = s;
    return h("div", {class: "bar"}, h("div", {class: "bar-row"}, filterForm(s), rangeControls(s)), chips(s));
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
