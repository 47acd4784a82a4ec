// SPDX-License-Identifier: BSD-2-Clause

// Questions to the collector. A token that it asks for is kept for the browser tab.

export class ApiError extends Error {
    // status 0: the collector could not be reached
    constructor(readonly status: number, message: string, readonly parameter = "", readonly excerpt = "") {
        super(message);
    }
}

const TOKEN = "whereto.token";

export function setToken(token: string): void {
    sessionStorage.setItem(TOKEN, token);
}

export const hasToken = (): boolean => sessionStorage.getItem(TOKEN) !== null;

export async function ask<T>(name: string, parameters: Record<string, string>, signal?: AbortSignal): Promise<T> {
    const query = new URLSearchParams(parameters).toString();
    const token = sessionStorage.getItem(TOKEN);
    let answer: Response;
    try {
        answer = await fetch(`/api/v1/${name}${query ? "?" + query : ""}`,
            {signal, headers: token ? {Authorization: `Bearer ${token}`} : {}});
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
    bytes_received: number;
    packets_sent: number;
    packets_retransmitted: number;
    connections: number;
    requests: number;
    rtt_count: number;
    goodput_tested: number;
    goodput_met: number;
    retransmit_rate: number | null;
    rtt_p50_us: number | null;
    rtt_p95_us: number | null;
    share: number | null;
    approximate: boolean;
}

export interface Row extends Figures {
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
    step?: number;
    rows: Row[];
    total: Figures;
    other: Figures | null;
}

export interface Change {
    time: string;
    router: string;
    prefix: string;
    before: string | null;
    after: string | null;
}

export interface About {
    name: string;
    version: string;
    notice: string | null;
}
