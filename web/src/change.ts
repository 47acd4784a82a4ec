// SPDX-License-Identifier: BSD-2-Clause

import {h} from "./dom";
import {count} from "./units";

const TIMES_FROM = 10; // what is so many times as much is said so: nobody reads +1,234 %

function amount(now: number, then: number): string {
    const ratio = now / then, percent = Math.abs(ratio - 1) * 100;
    if (ratio >= TIMES_FROM)
        return `×${count(ratio)}`;
    return `${ratio > 1 ? "+" : "−"}${percent.toFixed(percent < 10 ? 1 : 0)} %`;
}

// How much more or less than before; less is better where good < 0, nothing is where it is 0. then: null where there was no figure,
// undefined where nothing is known of the time before. short: for a table.
export function change(now: number | null, then: number | null | undefined, good: number, points: boolean, short = false): HTMLElement {
    const nothing = (text: string, title: string) => h("span", {class: "change none", title}, short ? "–" : text);
    if (then === undefined)
        return nothing("no earlier data", "too little of the period before is in the store");
    if (now === null || then === null || (!points && then === 0))
        return nothing("none before", "nothing to compare with");
    const difference = points ? now - then : now / then - 1;
    const small = points ? Math.abs(difference) < 0.0002 : Math.abs(difference) < 0.005;
    const sign = small ? "±" : difference > 0 ? "+" : "−";
    const text = points ? `${sign}${(Math.abs(difference) * 100).toFixed(2)}${short ? "" : " points"}` : small ? `±${(Math.abs(difference) * 100).toFixed(1)} %` : amount(now, then);
    const verdict = small || !good ? "same" : difference * good > 0 ? "better" : "worse";
    const arrow = small ? "" : difference > 0 ? "▲ " : "▼ ";
    return h("span", {class: `change ${verdict}`, "data-change": String(difference)}, short ? null : h("span", {"aria-hidden": "true"}, arrow), text,
        verdict === "same" ? null : h("span", {class: "sr"}, `, ${verdict}`));
}
