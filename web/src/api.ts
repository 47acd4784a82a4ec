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

// Where it is lost: an AS, two next to each other, a router and its neighbour, a router, a country.
export interface Suspect extends Figures {
    dim: "via" | "pair" | "router,neighbour" | "router" | "country";
    values: (string | number)[];
    names: (string | null)[];
    filter: string | null;
    role: "transit" | "neighbour" | "origin" | null;
    elsewhere_rate: number;
    retransmit_share: number;
    excess: number;
    twins: Hop[];
    before: (Hop & Pick<Figures, "packets_sent" | "packets_retransmitted" | "retransmit_rate">)[];
    behind: Hop[];
    since: string | null;
    until: string | null;
    since_before: string | null;
}

export interface Suspects {
    from: string;
    to: string;
    verdict: string;
    compared: boolean;
    rows: Suspect[];
    total: Figures;
}

// Some of the traffic; dim null: all of it.
export interface IncidentLine {
    dim: "via" | "router" | null;
    value: string | number | null;
    name: string | null;
}

// A time in which it lost more, or was slower, than at others. begin null: from the first traffic on; end null: it goes on.
export interface Episode extends IncidentLine {
    kind: "loss" | "rtt";
    begin: string | null;
    end: string | null;
    filter: string | null;
    inside: Figures;
    outside: Figures;
    retransmit_share: number | null;
    excess: number;
    also: IncidentLine[];
    verdict: string;
    with: number[]; // rows
}

// Networks of a router that went from one way to another.
export interface Move {
    kind: "path";
    begin: string;
    end: string;
    value: string | null; // the router
    hop: number | null;
    hop_name: string | null;
    before_as: number | null;
    before_name: string | null;
    after_as: number | null;
    after_name: string | null;
    changes: number;
    networks: number;
    prefix: string | null;
    before: string | null;
    after: string | null;
    verdict: string;
    with: number[];
}

export interface Incidents {
    from: string;
    to: string;
    since?: number | null;
    step: number;
    changes: "all" | "newest" | "none";
    more: number;
    rows: (Episode | Move)[];
    total: {bytes_sent: number};
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

// A share of connections, or microseconds, with the interval of 95 in 100; and what comes of it beside the side that looks best.
export interface SideFigure {
    value: number | null;
    low: number | null;
    high: number | null;
    verdict: "better" | "worse" | "same" | "not enough data";
    why: string | null;
    difference: number | null;
    difference_low: number | null;
    difference_high: number | null;
}

export type ComparedFigure = "retransmits" | "rtt";

export type Side = Row & Record<ComparedFigure, SideFigure>;

export interface Network {
    prefix?: string;
    origin?: number;
    origin_name?: string;
    country?: string;
    bytes_sent: number;
    at_stake_bytes: number;
    sides: Side[];
    sides_left_out: number;
}

export interface Comparison {
    from: string;
    to: string;
    since?: number | null;
    rows: (Network & Record<ComparedFigure, {verdict: string; best: string | number | null; why: string | null}>)[];
    networks: {compared: number; bytes_sent: number; at_stake_bytes: number} & Record<ComparedFigure, Record<string, number>>;
    total: {bytes_sent: number};
}

export interface Candidate extends Figures {
    origin: number;
    origin_name?: string;
    routers: (string | null)[];
    transit: (Figures & {neighbour: number; neighbour_name?: string})[];
    transit_left_out: number;
    direct: (Figures & {routers: (string | null)[]; routers_left_out: number}) | null;
}

export interface Peering {
    from: string;
    to: string;
    since?: number | null;
    origins: number;
    rows: Candidate[];
    transit: Figures;
    total: Figures;
}

export interface About {
    name: string;
    version: string;
    notice: string | null;
}
