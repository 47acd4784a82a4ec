// SPDX-License-Identifier: BSD-2-Clause

// One scale of retransmit rates for the whole dashboard, so that a colour means the same on the map, in tables and in the
// flow of paths. The classes go from a calm blue grey to dark red (light theme) or bright red (dark), with lightness in one
// direction all the way: told apart without seeing hues. The colours stand in style.css as --rate-0 to --rate-5.
//
// A rate over few packets says nothing. Below FEW packets it is shown as such, and networks are ranked by the lower end
// of Wilson's interval, which is near the rate where there are many packets and near nothing where there are few.

import type {Figures} from "./api";
import {h} from "./dom";
import {data, exact, percent, type Format} from "./units";

export const STEPS = [0.001, 0.005, 0.01, 0.02, 0.05];
export const STEP_LABELS = ["< 0.1 %", "0.1–0.5", "0.5–1", "1–2", "2–5", "≥ 5 %"];
export const FEW = 1000;

export function rateClass(rate: number): number {
    const i = STEPS.findIndex((step) => rate < step);
    return i < 0 ? STEPS.length : i;
}

export const isFew = (f: Pick<Figures, "packets_sent">): boolean => f.packets_sent < FEW;

// Lower end of the 95 % interval.
export function wilson(hits: number, n: number): number {
    if (!n)
        return 0;
    const z = 1.96, p = hits / n;
    const middle = p + z * z / (2 * n);
    const width = z * Math.sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    return Math.max(0, (middle - width) / (1 + z * z / n));
}

export const worstFirst = (a: Figures, b: Figures): number =>
    wilson(b.packets_retransmitted, b.packets_sent) - wilson(a.packets_retransmitted, a.packets_sent);

// A rate with its colour; greyed and marked when it is over few packets.
export function rate(f: Pick<Figures, "packets_sent" | "packets_retransmitted" | "retransmit_rate" | "approximate">): HTMLElement {
    if (f.retransmit_rate === null)
        return data(null, percent, "no packets");
    const of = `${exact(f.packets_retransmitted)} of ${exact(f.packets_sent)} packets`;
    if (isFew(f))
        return h("span", {class: "few", title: `${of}: too few to say`}, data(f.retransmit_rate, percent, `${of}: too few to say`),
            h("span", {class: "sr"}, " (few packets)"));
    const lower = f.approximate ? ", a lower bound" : "";
    return h("span", {class: `rate rate-${rateClass(f.retransmit_rate)}`}, h("i", {"aria-hidden": "true"}),
        data(f.retransmit_rate, percent, of + lower));
}

// What to say beside rates that are lower bounds; null when they are exact.
export function bound(f: Figures, what: string): HTMLElement | null {
    return f.approximate ? h("span", {title: "Some connections were read before their end, as the nginx module alone does: what was sent again later is missing."},
        what) : null;
}

export function rtt(us: number | null, f: Figures, format: Format): HTMLElement {
    const samples = `${exact(f.rtt_count)} samples`;
    if (us !== null && f.rtt_count < 30)
        return h("span", {class: "few", title: `${samples}: too few to say`}, data(us, format, samples));
    return data(us, format, us === null ? "no samples" : samples);
}

export function legend(): HTMLElement {
    return h("div", {class: "rate-legend", role: "img", "aria-label": "Colours of retransmit rates: " + STEP_LABELS.join(", ")},
        STEP_LABELS.map((label, i) => h("span", {class: `rate-${i}`}, h("i"), label)));
}
