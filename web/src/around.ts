// SPDX-License-Identifier: BSD-2-Clause

// Quality before and after a path changed, from the figures by time of the router whose path it was: up to SPAN_MS on either side, no
// further than to the change before or behind. The bucket in which it changed is of both paths and counts for neither.

import type {Answer, Change, Figures} from "./api";

export const SPAN_MS = 3600e3;

export type Quality = Pick<Figures, "packets_sent" | "packets_retransmitted" | "retransmit_rate" | "approximate">;

export interface Around {
    before: Quality;
    after: Quality;
}

function sum(answer: Answer, from: number, to: number): Quality {
    const step = (answer.step ?? 60) * 1000;
    const rows = answer.rows.filter((row) => Date.parse(row.time!) >= from && Date.parse(row.time!) + step <= to);
    const add = (of: (row: Quality) => number) => rows.reduce((n, row) => n + of(row), 0);
    const packets_sent = add((row) => row.packets_sent), packets_retransmitted = add((row) => row.packets_retransmitted);
    return {packets_sent, packets_retransmitted, retransmit_rate: packets_sent ? packets_retransmitted / packets_sent : null,
        approximate: rows.some((row) => row.approximate)};
}

// all: that router's changes of that prefix.
export function around(answer: Answer, change: Change, all: Change[]): Around {
    const step = (answer.step ?? 60) * 1000, at = Date.parse(change.time);
    const times = all.map((c) => Date.parse(c.time));
    // A bucket that is wider than the hour must fit in.
    const span = Math.max(SPAN_MS, 2 * step);
    const low = Math.max(at - span, ...times.filter((t) => t < at)), high = Math.min(at + span, ...times.filter((t) => t > at));
    return {before: sum(answer, low, at), after: sum(answer, at, high)};
}
