// SPDX-License-Identifier: BSD-2-Clause

// What is measured, for the chart, the tables and the map alike: what it is called, what it is made of, how it is written and what
// it means, in a sentence or two for who points at it.

import type {Figures} from "./api";
import {bits, ms, number, percent, scaledPerSecond, type Format} from "./units";

export type Measure = "throughput" | "retransmit_rate" | "rtt_p50_us" | "rtt_p95_us" | "connections" | "received" | "again" | "spurious" | "goodput" |
    "requests" | "open";

export interface MeasureInfo {
    label: string;
    what: string;
    stacked: boolean;   // a sum: parts stand on each other
    format: Format;
    sort: string;       // which groups are asked for: the largest, or of a share those with the most of its whole
    field: string;      // what it is made of
    of(f: Figures, seconds: number): number | null;
    part?: (f: Figures) => [number, number]; // of a share: so many of so many
    whole?: boolean;    // all is well where it is 100 %: what falls short of that is looked at
}

const share = ([some, all]: [number, number]): number | null => all ? some / all : null;

const spurious = (f: Figures): [number, number] => [f.packets_spurious ?? 0, f.packets_retransmitted];
const goodput = (f: Figures): [number, number] => [f.goodput_met ?? 0, f.goodput_tested ?? 0];

export const MEASURES: Record<Measure, MeasureInfo> = {
    throughput: {label: "Throughput", what: "Payload sent, each byte once: without headers and what was sent again.", stacked: true, format: bits,
        sort: "bytes_sent", field: "bytes_sent", of: (f, s) => f.bytes_sent * 8 / s},
    retransmit_rate: {label: "Retransmit rate", what: "Of the data packets sent, those that were sent again: lost on the way, or thought lost.", stacked: false,
        format: percent, sort: "packets_retransmitted", field: "packets_sent,packets_retransmitted,retransmit_rate", of: (f) => f.retransmit_rate,
        part: (f) => [f.packets_retransmitted, f.packets_sent]},
    rtt_p50_us: {label: "RTT p50", what: "Median of the connections' least round-trip times: half of them are nearer.", stacked: false, format: ms,
        sort: "bytes_sent", field: "rtt_p50_us", of: (f) => f.rtt_p50_us},
    rtt_p95_us: {label: "RTT p95", what: "95 % of the connections have a least round-trip time below this.", stacked: false, format: ms,
        sort: "bytes_sent", field: "rtt_p95_us", of: (f) => f.rtt_p95_us},
    connections: {label: "Connections", what: "Connections first seen, a second.", stacked: true, format: scaledPerSecond, sort: "connections",
        field: "connections", of: (f, s) => f.connections / s},
    received: {label: "Received", what: "Payload that clients sent: requests and uploads.", stacked: true, format: bits, sort: "bytes_received",
        field: "bytes_received", of: (f, s) => (f.bytes_received ?? 0) * 8 / s},
    again: {label: "Sent again", what: "Payload that went out once more. A link carries it on top of the throughput.", stacked: true, format: bits,
        sort: "bytes_retransmitted", field: "bytes_retransmitted", of: (f, s) => (f.bytes_retransmitted ?? 0) * 8 / s},
    spurious: {label: "Needless retransmits", what: "Of the packets sent again, those that had arrived the first time, as receivers report by DSACK (RFC 2883): late or " +
        "reordered, not lost.", stacked: false, format: percent, sort: "packets_retransmitted", field: "packets_spurious,packets_retransmitted",
        of: (f) => share(spurious(f)), part: spurious},
    goodput: {label: "Goodput met", what: "Of the responses large enough to tell, those that came as fast as the sender's goodput target (HDratio of Schlinker et al., IMC 2019).",
        stacked: false, format: percent, sort: "goodput_tested", field: "goodput_met,goodput_tested", of: (f) => share(goodput(f)), part: goodput, whole: true},
    requests: {label: "Requests", what: "Requests served, a second.", stacked: true, format: scaledPerSecond, sort: "requests", field: "requests",
        of: (f, s) => (f.requests ?? 0) / s},
    open: {label: "Open connections", what: "Connections that were open at a time, on average.", stacked: true, format: number, sort: "duration_ms",
        field: "duration_ms", of: (f, s) => (f.duration_ms ?? 0) / 1000 / s},
};

// Below so many a share says nothing.
export const FEW_PARTS = 30;
