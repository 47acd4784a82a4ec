// SPDX-License-Identifier: BSD-2-Clause

// Names for where an answer has numbers only, in tables of routers and in AS paths: those of ASes that carry traffic, asked for once.

import {ask, type Answer} from "./api";
import {parse, quote} from "./filter";
import {filterOf, range, type State} from "./state";
import * as words from "./words";

let named: Promise<void> | null = null;

async function learn(): Promise<void> {
    const answer = await ask<Answer>("top", {by: "via", last: "6h", limit: "2000", fields: "bytes_sent"}).catch(() => null);
    words.learn(answer?.rows ?? []);
}

const ON_PATHS = 200;
const sought = new Set<string>();

// Of the ASes in the filter, whose names an address doesn't tell; once, as not all have any.
export async function learnFiltered(s: State, signal: AbortSignal): Promise<void> {
    for (const {dim, values} of parse(filterOf(s)).filter((t) => ["origin", "neighbour", "via"].includes(t.dim))) {
        const unknown = values.filter((v) => /^\d+$/.test(v) && !words.asName(Number(v)) && !sought.has(v));
        if (!unknown.length)
            continue;
        // A filter for some by via brings the others on their paths as well.
        words.learn((await ask<Answer>("top", {...range(s), by: dim, filter: `${dim}:${unknown.map(quote).join(",")}`,
            limit: String(dim === "via" ? ON_PATHS : unknown.length), fields: "bytes_sent"}, signal, 60)).rows);
        unknown.forEach((v) => sought.add(v));
    }
}

export const learnNames = (): Promise<void> => named ??= learn();
