// SPDX-License-Identifier: BSD-2-Clause

// A figure with its interval as a dot on a line, beside others on the same scale.

import {h, svg} from "./dom";

const WIDTH = 120, HEIGHT = 16, EDGE = 4;

export interface Within {
    value: number | null;
    low: number | null;
    high: number | null;
}

// What whiskers that stand below each other end at: the largest of them.
export const topOf = (all: Within[]): number => Math.max(...all.map((w) => w.high ?? 0), Number.MIN_VALUE);

export function whisker(w: Within, top: number, kind: string, description: string): Element {
    if (w.value === null || w.low === null || w.high === null)
        return h("span", {class: "none"}, "–");
    const x = (v: number) => (EDGE + Math.min(v / top, 1) * (WIDTH - 2 * EDGE)).toFixed(1), middle = HEIGHT / 2;
    return svg("svg", {class: `whisker ${kind}`, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, role: "img", "aria-label": description},
        svg("title", {}, description),
        svg("path", {class: "axis", d: `M${EDGE} ${middle}H${WIDTH - EDGE}`}),
        svg("path", {class: "within", d: `M${x(w.low)} ${middle}H${x(w.high)}M${x(w.low)} ${middle - 3}v6M${x(w.high)} ${middle - 3}v6`}),
        svg("circle", {cx: x(w.value), cy: middle, r: 3.5}));
}
