// SPDX-License-Identifier: BSD-2-Clause

// The list under the filter. What it offers always fits what is typed: of an older answer only that stays which still does,
// and what was chosen stays chosen when the newer one has it too.

import {byId, h, replace} from "./dom";
import {find, fits, type Offer} from "./offers";
import type {State} from "./state";

const TYPING_MS = 120; // from a letter to the question, if no other comes

let offers: Offer[] = [];
let offeredFor = "";                       // the text that they were found for
let chosen = -1;
let begun = false;                         // something has been typed, of what may be completed
let asking: AbortController | null = null; // the present question, if any

function draw(input: HTMLInputElement): void {
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

function show(input: HTMLInputElement, found: Offer[], trouble = ""): void {
    const before = offers[chosen]?.label;
    offers = found;
    chosen = before === undefined ? -1 : found.findIndex((o) => o.label === before);
    draw(input);
    byId("offers-trouble")!.textContent = trouble;
}

function narrow(input: HTMLInputElement): void {
    const fitting = offers.filter((o) => fits(o, offeredFor, input.value, input.selectionStart ?? 0));
    if (fitting.length !== offers.length)
        show(input, fitting);
}

// The input is another one.
export function forget(): void {
    asking?.abort();
    asking = null;
    offers = [];
    chosen = -1;
}

export function close(input: HTMLInputElement): void {
    forget();
    show(input, []);
}

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

// Whoever types on has the question before given up, or not asked at all.
async function ask(input: HTMLInputElement, s: State, wait_ms: number): Promise<void> {
    asking?.abort();
    const mine = asking = new AbortController();
    const isOver = () => mine !== asking || document.activeElement !== input;
    await pause(wait_ms); // at least until the cursor is where a click or a key has put it
    if (isOver())
        return;
    const text = input.value;
    try {
        const found = await find(text, input.selectionStart ?? 0, s, mine.signal);
        if (isOver())
            return;
        offeredFor = text;
        show(input, found);
    } catch (error) {
        if (!isOver())
            show(input, [], `Values cannot be offered: ${error instanceof Error ? error.message : error}`);
    }
}

let state: State;

export function focused(input: HTMLInputElement, s: State): void {
    state = s;
    begun = false;
    void ask(input, s, 0);
}

export function typed(input: HTMLInputElement, s: State): void {
    state = s;
    begun = true;
    narrow(input);
    void ask(input, s, TYPING_MS);
}

function take(input: HTMLInputElement, i: number): void {
    if (!fits(offers[i], offeredFor, input.value, input.selectionStart ?? 0)) {
        void ask(input, state, 0);
        return;
    }
    const {from, insert} = offers[i];
    const before = input.value.slice(0, from) + insert;
    input.value = before + input.value.slice(input.selectionEnd ?? 0).trimStart();
    input.setSelectionRange(before.length, before.length);
    close(input);
    begun = false;
    if (insert.endsWith(":"))
        void ask(input, state, 0);
}

// Tab takes what is chosen, or the first of what is being typed; whoever only passes by goes on with it.
export function onKey(event: KeyboardEvent, input: HTMLInputElement): void {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    narrow(input); // the cursor may have moved
    if (step && offers.length) {
        chosen = (chosen + step + offers.length + (chosen < 0 && step < 0 ? 1 : 0)) % offers.length;
        draw(input);
        event.preventDefault();
    } else if ((event.key === "Enter" && chosen >= 0) || (event.key === "Tab" && !event.shiftKey && offers.length && (begun || chosen >= 0))) {
        take(input, Math.max(chosen, 0));
        event.preventDefault();
    } else if (event.key === "Escape") {
        if (offers.length)
            close(input);
        else
            input.blur();
    }
}
