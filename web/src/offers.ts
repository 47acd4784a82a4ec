// SPDX-License-Identifier: BSD-2-Clause

// What may be meant by what is typed into the filter: dimensions by their names, and values that the collector has seen.

import {ApiError, ask, DIMENSIONS, type Dimension, type Offers} from "./api";
import * as filter from "./filter";
import {askedOrNull, iso, range, type State} from "./state";
import {bytes} from "./units";
import * as words from "./words";

export interface Offer {
    from: number;    // what it takes the place of begins there and ends at the cursor
    insert: string;
    label: string;
    typed: string[]; // it may be found by the beginning of the first, or of any word of the others
    hint: string;
}

const HELP: Record<Dimension, string> = {
    country: "DE,AT", origin: "64511", neighbour: "64500", via: "1299", prefix: "203.0.113.0/24", path: '"64500 64511"', router: "edge1",
    type: "video", match: "own",
};

const NAMED_FROM = 2;       // letters: fewer are in too many names
const NAMED_S = 86400;      // values of the last day of the range will do, and are found quickly
const NAMED_OF_EACH = "4";
const NAMED_AGE_S = 60;

// Values of any dimension that begin, or a word of whose name begins, with the words that end at the cursor: with all of them, else
// with the last few that are in a name.
export async function findNamed(text: string, cursor: number, s: State, signal?: AbortSignal): Promise<Offer[]> {
    const to = Math.ceil((askedOrNull(s)?.to ?? s.now) / 3600e3) * 3600e3;
    for (const {from, part} of filter.loose(text, cursor).filter((l) => l.part.length >= NAMED_FROM)) {
        const answer = await ask<Offers>("complete", {from: iso(to - NAMED_S * 1000), to: iso(to), prefix: part, limit: NAMED_OF_EACH}, signal, NAMED_AGE_S);
        const found = answer.rows.flatMap((row): Offer[] => row.term === null ? [] : [{from, insert: row.term + " ", label: row.term,
            typed: [String(row.value), row.name ?? ""],
            hint: [row.name, words.LABELS[row.term.split(":")[0] as Dimension], bytes(row.bytes_sent)].filter(Boolean).join(", ")}]);
        if (found.length)
            return found;
    }
    return [];
}

// What is typed may be no question yet.
function unlessWrong(error: unknown): Offer[] {
    if (error instanceof ApiError && error.status === 400)
        return [];
    throw error;
}

function dimensions({from, part}: filter.Typing): Offer[] {
    const typed = part.toLowerCase();
    return DIMENSIONS.filter((d) => d.startsWith(typed) || words.LABELS[d].toLowerCase().startsWith(typed))
        .map((d) => ({from, insert: d + ":", label: d + ":", typed: [d, words.LABELS[d]], hint: `${words.LABELS[d]}, such as ${HELP[d]}`}));
}

async function valuesOf(dim: Dimension, {from, part}: filter.Typing, s: State, signal: AbortSignal): Promise<Offer[]> {
    const answer = await ask<Offers>("complete", {...range(s), dim, limit: "12", ...part ? {prefix: part} : {}}, signal);
    return answer.rows.flatMap((row) => {
        const insert = row.term?.slice(dim.length + 1);
        return insert ? [{from, insert: insert + " ", label: insert, typed: [String(row.value), row.name ?? ""],
            hint: `${row.name ? row.name + ", " : ""}${bytes(row.bytes_sent)}`}] : [];
    });
}

export async function find(text: string, cursor: number, s: State, signal: AbortSignal): Promise<Offer[]> {
    const t = filter.typing(text, cursor), dim = t.dim as Dimension;
    if (!t.dim)
        return [...dimensions(t), ...await findNamed(text, cursor, s, signal).catch(unlessWrong)];
    return DIMENSIONS.includes(dim) ? valuesOf(dim, t, s, signal).catch(unlessWrong) : [];
}

// Whether what was offered for one text may be meant by another, which was typed since.
export function fits(o: Offer, offeredFor: string, text: string, cursor: number): boolean {
    if (cursor < o.from || text.slice(0, o.from) !== offeredFor.slice(0, o.from))
        return false;
    const part = text.slice(o.from, cursor).replace(/^"/, "").replace(/^as(?=\d)/i, "").toLowerCase();
    const [value, ...names] = o.typed.map((t) => t.toLowerCase());
    return value.startsWith(part) || names.some((name) => filter.wordStarts(name).some((at) => name.startsWith(part, at)));
}
