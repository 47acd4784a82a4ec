// SPDX-License-Identifier: BSD-2-Clause

// The bar under the header: the filter with completion, and the range of time.

import {DIMENSIONS, type Dimension} from "./api";
import * as completion from "./completion";
import {byId, h, renew, replace, type Child} from "./dom";
import * as filter from "./filter";
import {findNamed} from "./offers";
import {askedOrNull, choice, filterOf, get, go, iso, isForever, isRelative, seconds, url, zone, DEFAULT_LAST, FOREVER, type State} from "./state";
import {dateTime, zoneName, type Zone} from "./units";
import * as words from "./words";

// ---- filter ----

let currentState: State;
let quiet = false; // the input gets the focus back, which nobody asked for

// What ends the filter is a word and no term: it is taken for the first of what it may mean, if there is anything.
async function submit(input: HTMLInputElement): Promise<void> {
    const text = input.value.trim(), state = currentState;
    const named = filter.loose(text, text.length).length ? await findNamed(text, text.length, state).catch(() => []) : [];
    if (currentState !== state || input.value.trim() !== text)
        return; // something else is wanted by now
    if (named.length)
        input.value = text.slice(0, named[0].from) + named[0].insert;
    completion.close(input);
    go(url(currentState, {filter: input.value.trim()}));
}

function filterForm(s: State): HTMLElement {
    const input = h("input", {id: "filter", type: "text", value: filterOf(s), placeholder: "country:DE origin:64511 -type:api",
        role: "combobox", "aria-label": "Filter", "aria-autocomplete": "list", "aria-controls": "offers", "aria-expanded": "false",
        autocomplete: "off", autocapitalize: "off", spellcheck: "false", enterkeyhint: "go",
        onInput: () => completion.typed(input, currentState),
        onFocus: () => quiet || completion.focused(input, currentState),
        onBlur: () => completion.close(input),
        onKeydown: (e: Event) => completion.onKey(e as KeyboardEvent, input)});
    return h("form", {class: "filter", role: "search", onSubmit: (e: Event) => {
        e.preventDefault();
        completion.close(input);
        void submit(input);
    }},
        h("span", {class: "filter-icon", "aria-hidden": "true"}, "⌕"), input,
        h("kbd", {"aria-hidden": "true", title: "press / to filter"}, "/"),
        h("div", {id: "offers", class: "offers", role: "listbox", "aria-label": "Completions", hidden: true}),
        h("p", {id: "offers-trouble", class: "offers-trouble", role: "status"}));
}

function chips(s: State): HTMLElement {
    const terms = filter.parse(filterOf(s));
    return h("div", {class: "chips", id: "chips"}, terms.map((t) => {
        const dim = t.dim as Dimension;
        const known = DIMENSIONS.includes(dim);
        const names = t.values.map((v) => known ? words.text(dim, v === "null" ? null : v) : v).join(" or ");
        const label = known ? `${t.negate ? "not " : ""}${names}` : t.text;
        return h("a", {class: "chip", href: url(s, {filter: filter.minus(filterOf(s), t.text)}), title: `Remove ${t.text}`},
            h("span", {class: "sr"}, "Remove the filter"), known ? h("span", {class: "chip-dim"}, words.LABELS[dim]) : null, label,
            h("span", {class: "chip-x", "aria-hidden": "true"}, "×"));
    }), terms.length > 1 ? h("a", {class: "chip-clear", href: url(s, {filter: null})}, "Clear all") : null);
}

// When names have become known.
export function nameChips(s: State): void {
    const old = byId("chips");
    if (old)
        renew(old, ...chips(s).childNodes);
}

// ---- range ----

const PRESETS: [string, string][] = [["15m", "15 min"], ["1h", "1 hour"], ["6h", "6 hours"], ["24h", "24 hours"], ["7d", "7 days"], ["30d", "30 days"]];
const RANGES: [string, string][] = [...PRESETS.map(([value, label]): [string, string] => [value, `Last ${label}`]), [FOREVER, "All there is"]];

// Buttons to those that are longer than one in which nothing was found: two of them at most.
export function longer(s: State): Child[] {
    const span = askedOrNull(s), length = span ? (span.to - span.from) / 1000 : 0;
    return RANGES.slice(3).filter(([value]) => isForever(s) ? false : (seconds(value) ?? Infinity) > length).slice(0, 2)
        .map(([last, label]) => [h("a", {class: "button", href: url(s, {last, from: null, to: null})}, `Look at ${last === FOREVER ? "all there is" : `the l${label.slice(1)}`}`), " "]);
}

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
    const now = isForever(s) ? null : askedOrNull(s);
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
    const custom = relative && !RANGES.some(([value]) => value === last);
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
        RANGES.map(([value, label]) => h("option", {value, selected: relative && value === last}, label)),
        h("option", {value: "custom"}, "Other…"));
    const z = zone(s);
    return h("div", {class: "range"},
        h("a", {class: "button icon", id: "earlier", href: shifted(s, -1), "aria-label": "Earlier", title: "Earlier"}, "‹"),
        select,
        relative ? h("span", {class: "button icon off", "aria-hidden": "true"}, "›")
            : h("a", {class: "button icon", id: "later", href: shifted(s, 1), "aria-label": "Later", title: "Later"}, "›"),
        h("a", {class: "button zone", id: "zone", href: url(s, {tz: z === "utc" ? null : "utc"}),
            title: `Times are in ${z === "utc" ? "UTC" : `your local zone, ${zoneName(z, new Date())}`}; switch to ${z === "utc" ? "local" : "UTC"}`}, z === "utc" ? "UTC" : "Local"));
}

// s: of a page that has a bar; null: it has none.
export function draw(root: HTMLElement, s: State | null): void {
    if (s)
        currentState = s;
    completion.forget();
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
