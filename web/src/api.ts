// SPDX-License-Identifier: BSD-2-Clause

// Questions to the collector. For a token that it asks for it gives a cookie which no script can read.

export class ApiError extends Error {
    // status 0: the collector could not be reached
    constructor(readonly status: number, message: string, readonly parameter = "", readonly excerpt = "") {
        super(message);
    }
}

// True when it was the right one.
export async function signIn(token: string): Promise<boolean> {
    const answer = await fetch("/api/v1/session", {method: "POST", headers: {Authorization: `Bearer ${token}`}}).catch(() => null);
    if (!answer)
        throw new ApiError(0, "The collector does not answer.");
    if (answer.status === 429)
        throw new ApiError(429, "Too many wrong tokens came from this address. Try again in a minute.");
    return answer.ok;
}

// age_s: an answer that was made so many seconds ago will do; the collector then computes it once for all who look at the same.
export async function ask<T>(name: string, parameters: Record<string, string>, signal?: AbortSignal, age_s = 0): Promise<T> {
    const query = new URLSearchParams(parameters).toString();
    let answer: Response;
    try {
        answer = await fetch(`/api/v1/${name}${query ? "?" + query : ""}`, {signal, headers: age_s ? {"Cache-Control": `max-age=${age_s}`} : {}});
    } catch (error) {
        if (error instanceof DOMException && error.name === "AbortError")
            throw error;
        throw new ApiError(0, "The collector does not answer.");
    }
    const body = await answer.json().catch(() => null);
    if (answer.ok && body)
        return body as T;
    throw new ApiError(answer.status, body?.error ?? `The collector answered ${answer.status}.`, body?.parameter, body?.excerpt);
}

// ---- what is answered ----

export type Dimension = "router" | "type" | "prefix" | "origin" | "neighbour" | "via" | "path" | "country" | "match";
export const DIMENSIONS: readonly Dimension[] =
    ["country", "origin", "neighbour", "via", "prefix", "path", "router", "type", "match"];

export interface Figures {
    bytes_sent: number;
    packets_sent: number;
    packets_retransmitted: number;
    connections: number;
    rtt_count: number;
    retransmit_rate: number | null;
    rtt_p50_us: number | null;
    rtt_p95_us: number | null;
    share: number | null;
    approximate: boolean;
    // where they are asked for
    bytes_received?: number;
    bytes_retransmitted?: number;
    packets_spurious?: number;
    connections_with_retransmit?: number;
    requests?: number;
    duration_ms?: number;
    goodput_tested?: number;
    goodput_met?: number;
}

// What a rate needs to be shown as what it is (scale.ts), and a round-trip time; all that is asked for anywhere. Fewer are quicker.
export const RATE = "packets_sent,packets_retransmitted,retransmit_rate,approximate";
export const RTT = "rtt_count,rtt_p50_us";
export const FIELDS = `bytes_sent,connections,share,rtt_p95_us,${RATE},${RTT}`;

// Names with commas between, each once.
export const fieldsWith = (...lists: string[]): string => [...new Set(lists.flatMap((list) => list.split(",")).filter(Boolean))].join(",");

export interface Compared extends Figures {
    previous?: Figures;
}

export interface Row extends Compared {
    time?: string;
    router?: string | null;
    type?: string | null;
    prefix?: string | null;
    origin?: number | null;
    origin_name?: string;
    neighbour?: number | null;
    neighbour_name?: string;
    via?: number | null;
    via_name?: string;
    path?: string | null;
    country?: string | null;
    match?: string | null;
}

export interface Answer {
    from: string;
    to: string;
    since?: number | null; // ms: when the store's traffic begins (page.ts)
    step?: number;
    rows: Row[];
    total: Compared;
    other: Compared | null;
    other_rows?: Row[];
    previous?: {from: string; to: string; step?: number};
    previous_rows?: Row[];   // of a series: everything in the period before
    throughput?: Throughput; // of a series: as it is billed
}

export interface Bill {
    mean_bps: number | null;
    percentile_bps: number | null;
    max_bps: number | null;
}

export interface Throughput {
    from: string;
    to: string;
    step: number;
    samples: number;
    percentile: number;
    rows: (Omit<Row, keyof Figures> & Bill)[];
    total: Bill;
    other: Bill | null;
}

export interface Sparklines {
    from: string;
    to: string;
    since?: number | null;
    step: number;
    start: string;
    points: number;
    rows: {key: string | number | null; bytes_sent?: number[]; retransmit_rate?: (number | null)[]}[]; // those that were asked for
}

export interface FlowNode extends Figures {
    id: string;
    stage: "router" | "neighbour" | "transit" | "origin";
    value: string | number | null;
    name: string | null;
    other: boolean;
}

export interface FlowLink extends Figures {
    source: string;
    target: string;
}

export interface Hop {
    as: number;
    name: string | null;
}

export interface PathRow extends Figures {
    router: string | null;
    path: string | null;
    hops: Hop[] | null;
}

export interface Paths {
    from: string;
    to: string;
    since?: number | null;
    rows: PathRow[];
    total: Figures;
    nodes: FlowNode[];
    links: FlowLink[];
}

export interface Offers {
    rows: {value: string | number | null; name: string | null; term: string | null; bytes_sent: number}[];
}

export interface Change {
    time: string;
    router: string;
    prefix: string;
    before: string | null;
    before_hops: Hop[] | null;
    after: string | null;
    after_hops: Hop[] | null;
}

export interface About {
    name: string;
    version: string;
    notice: string | null;
}
