// SPDX-License-Identifier: BSD-2-Clause

// Explanations: what has data-hint shows it under the pointer and on focus, by finger too, and Escape takes it away. One element does
// for all, above everything, so that no table that scrolls cuts it off. Screen readers have it as the description of what has the hint.

import {h} from "./dom";

const tip = h("div", {id: "hint", class: "hint-tip", role: "tooltip", hidden: true});
let shown: HTMLElement | null = null;

function hide(): void {
    (shown?.querySelector("input") ?? shown)?.removeAttribute("aria-describedby");
    shown = null;
    tip.hidden = true;
}

function show(element: HTMLElement): void {
    if (element === shown)
        return;
    hide();
    shown = element;
    tip.textContent = element.dataset.hint ?? "";
    tip.hidden = false;
    (element.querySelector("input") ?? element).setAttribute("aria-describedby", tip.id);
    const box = element.getBoundingClientRect(), size = tip.getBoundingClientRect(), gap = 6;
    const below = box.bottom + gap + size.height <= innerHeight || box.top < size.height + gap;
    tip.style.setProperty("--x", `${Math.max(8, Math.min(box.left, document.documentElement.clientWidth - size.width - 8))}px`);
    tip.style.setProperty("--y", `${below ? box.bottom + gap : box.top - gap - size.height}px`);
}

const hinted = (event: Event): HTMLElement | null => event.target instanceof Element ? event.target.closest<HTMLElement>("[data-hint]") : null;

export function start(): void {
    document.body.append(tip);
    for (const name of ["pointerover", "focusin"])
        document.addEventListener(name, (event) => {
            const element = hinted(event);
            if (element)
                show(element);
            else if (name === "focusin" || !shown?.matches(":focus, :focus-within"))
                hide();
        });
    document.addEventListener("focusout", hide);
    document.addEventListener("scroll", hide, {capture: true, passive: true});
    document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
}

// What a heading or a choice is about, behind a small sign.
export const about = (what: string, text: string): HTMLElement =>
    h("button", {type: "button", class: "about", "data-hint": text, "aria-label": `What is ${what}?`}, "i");
