// SPDX-License-Identifier: BSD-2-Clause

// What was sent again of a group beyond what its packets would have at the rate of everybody else: its excess.

import {FEW} from "./scale";

export interface Sums {
    packets_sent: number;
    packets_retransmitted: number;
}

export const NOTHING: Sums = {packets_sent: 0, packets_retransmitted: 0};
export const minus = (a: Sums, b: Sums): Sums =>
    ({packets_sent: Math.max(0, a.packets_sent - b.packets_sent), packets_retransmitted: Math.max(0, a.packets_retransmitted - b.packets_retransmitted)});
const add = (a: Sums, b: Sums): Sums =>
    ({packets_sent: a.packets_sent + b.packets_sent, packets_retransmitted: a.packets_retransmitted + b.packets_retransmitted});
export const sum = (list: Sums[]): Sums => list.reduce(add, NOTHING);
const rateOf = (s: Sums): number => s.packets_sent ? s.packets_retransmitted / s.packets_sent : 0;

// In packets; 0 when there is no rest to speak of.
export function excess(part: Sums, whole: Sums): number {
    const rest = minus(whole, part);
    return rest.packets_sent < FEW ? 0 : part.packets_retransmitted - part.packets_sent * rateOf(rest);
}
