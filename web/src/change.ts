// SPDX-License-Identifier: BSD-2-Clause

import {h} from "./dom";

// How much more or less than before; less is better where good < 0, nothing is where it is 0. short: for a table.
export function change(now: number | null, then: number | null, good: number, points: boolean, short = false): HTMLElement {
    if (now === null || then === null || (!points && then === 0))
        return h("span", {class: "change none", title: "nothing to compare with"}, short ? "–" : "no figure before");
    const difference = points ? now - then : now / then - 1;
    const small = points ? Math.abs(difference) < 0.0002 : Math.abs(difference) < 0.005;
    const sign = small ? "±" : difference > 0 ? "+" : "−";
    const amount = Math.abs(difference) * 100;
    const text = points ? `${amount.toFixed(2)}${short ? "" : " points"}` : `${amount >= 1000 ? ">\u00a0999" : amount.toFixed(amount < 10 ? 1 : 0)} %`;
    const verdict = small || !good ? "same" : difference * good > 0 ? "better" : "worse";
    const arrow = small ? "" : difference > 0 ? "▲ " : "▼ ";
    return h("span", {class: `change ${verdict}`, "data-change": String(difference)}, short ? null : h("span", {"aria-hidden": "true"}, arrow), `${sign}${text}`,
        verdict === "same" ? null : h("span", {class: "sr"}, `, ${verdict}`));
}
