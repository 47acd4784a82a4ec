// SPDX-License-Identifier: BSD-2-Clause

// The filter language, as far as a page has to know it: the terms of a filter, one more or one less, and what is being
// typed where the cursor is. The collector alone judges a filter; what is no term here goes to it as it is.

import type {Dimension} from "./api";

export interface Term {
    text: string;   // as it stands in the filter
    negate: boolean;
    dim: string;
    values: string[];
}

// Cut at blanks outside quotes.
export function words(filter: string): string[] {
    return filter.match(/(?:"(?:\\.|[^"\\])*"?|[^\s"])+/g) ?? [];
}

function unquote(value: string): string {
    return value.startsWith('"') ? value.replace(/^"|"$/g, "").replace(/\\(.)/g, "$1") : value;
}

export function parse(filter: string): Term[] {
    return words(filter).map((word) => {
        const match = /^(-?)([a-z]+):(.*)$/s.exec(word);
        const values = match?.[3].match(/(?:"(?:\\.|[^"\\])*"?|[^,"])+/g)?.map(unquote) ?? [];
        return {text: word, negate: match?.[1] === "-", dim: match?.[2] ?? "", values};
    });
}

export function quote(value: string | number | null): string {
    if (value === null)
        return "null";
    const text = String(value);
    return text === "" || text === "null" || /[\s,"\\]/.test(text) ? `"${text.replace(/["\\]/g, "\\$&")}"` : text;
}

export const term = (dim: Dimension, value: string | number | null): string => `${dim}:${quote(value)}`;

// With one more term; a positive one of the same dimension gives way to it.
export function plus(filter: string, dim: Dimension, value: string | number | null): string {
    const kept = parse(filter).filter((t) => t.dim !== dim || t.negate).map((t) => t.text);
    return [...kept, term(dim, value)].join(" ");
}

export function minus(filter: string, text: string): string {
    return words(filter).filter((word) => word !== text).join(" ");
}

// What ends at the cursor: a dimension's name, or a value of one.
export interface Typing {
    from: number; // where a completion begins
    dim: string;  // "" while the dimension itself is typed
    part: string;
    negate: boolean;
}

export function typing(filter: string, cursor: number): Typing {
    const before = filter.slice(0, cursor);
    const word = /(?:"(?:\\.|[^"\\])*"?|[^\s"])*$/.exec(before)?.[0] ?? "";
    const match = /^(-?)([a-z]+):(.*)$/s.exec(word);
    if (!match)
        return {from: cursor - word.length + (word.startsWith("-") ? 1 : 0), dim: "", part: word.replace(/^-/, ""),
            negate: word.startsWith("-")};
    const last = /(?:"(?:\\.|[^"\\])*"?|[^,"])*$/.exec(match[3])?.[0] ?? "";
    return {from: cursor - last.length, dim: match[2], part: unquote(last), negate: match[1] === "-"};
}

const LOOSE_MAX = 4;

// The words at the cursor that are no terms, from the longest run of them to the last alone: what may be a name.
export function loose(filter: string, cursor: number): {from: number; part: string}[] {
    const before = filter.slice(0, cursor), run = /(?:^|\s)-?((?:[^\s":-][^\s":]*\s+)*[^\s":-][^\s":]*)$/.exec(before)?.[1];
    if (!run)
        return [];
    const starts = [...run.matchAll(/\S+/g)].map((match) => match.index).slice(-LOOSE_MAX);
    return starts.map((start) => ({from: cursor - run.length + start, part: run.slice(start)}));
}

// Where words begin in a name, as the collector sees them.
export const wordStarts = (name: string): number[] => [...name.matchAll(/(?<![\p{L}\p{N}])[\p{L}\p{N}]/gu)].map((match) => match.index);
