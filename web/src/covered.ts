// SPDX-License-Identifier: BSD-2-Clause

// What of a range an answer's figures really are of: not what is still to come, nor what was before the store had any traffic. Averages
// are over that, and sums of two ranges are compared by their rates over what is covered of each.

import type {Answer} from "./api";
import {change} from "./change";

export interface Covered {
    from: number; // ms
    to: number;
}

// since: the store's first traffic, in ms.
export interface Ranged {
    from: string;
    to: string;
    since?: number | null;
}

export function covered(a: Ranged, now: number = Date.now()): Covered {
    const to = Math.min(Date.parse(a.to), now);
    return {from: Math.min(Math.max(Date.parse(a.from), a.since ?? 0), to), to};
}

export const secondsOf = (c: Covered): number => Math.max(1, (c.to - c.from) / 1000);

// What part of the period before must be covered for its figures to stand for it.
const ENOUGH = 0.5;

// Seconds that are covered of both ranges; then is null where too little of the period before is.
export interface Against {
    now: number;
    then: number | null;
}

export function against(a: Answer, now: number = Date.now()): Against {
    if (!a.previous)
        return {now: secondsOf(covered(a, now)), then: null};
    const then = covered({...a.previous, since: a.since}, now);
    const whole = Date.parse(a.previous.to) - Date.parse(a.previous.from);
    return {now: secondsOf(covered(a, now)), then: then.to - then.from >= ENOUGH * whole && whole > 0 ? secondsOf(then) : null};
}

// Of a sum: by the rates. short: for a table.
export function sumChange(now: number, then: number | undefined, a: Against, short = false): HTMLElement {
    return a.then === null ? change(now, undefined, 0, false, short) : change(now / a.now, then === undefined ? null : then / a.then, 0, false, short);
}

// Of a share or a round-trip time, which is what it is over any time.
export function figureChange(now: number | null, then: number | null | undefined, a: Against, points: boolean, short = false): HTMLElement {
    return change(now, a.then === null ? undefined : then ?? null, -1, points, short);
}
