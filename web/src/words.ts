// SPDX-License-Identifier: BSD-2-Clause

// The words of the field for people: dimensions, their values, AS paths.

import type {Dimension, Row} from "./api";
import {h, type Child} from "./dom";

export const LABELS: Record<Dimension, string> = {
    country: "Country", origin: "Origin AS", neighbour: "Neighbour AS", via: "Any AS on the path", prefix: "Prefix",
    path: "AS path", router: "Router", type: "Traffic type", match: "Route found",
};

// One, and more or none.
const NOUNS: Record<Dimension, [string, string]> = {
    country: ["country", "countries"], origin: ["origin AS", "origin ASes"], neighbour: ["neighbour AS", "neighbour ASes"], via: ["AS on paths", "ASes on paths"],
    prefix: ["prefix", "prefixes"], path: ["AS path", "AS paths"], router: ["router", "routers"], type: ["traffic type", "traffic types"],
    match: ["way routes were found", "ways routes were found"],
};

export const noun = (dim: Dimension, n = 2): string => NOUNS[dim][n === 1 ? 0 : 1];

export const MATCHES: Record<string, string> = {
    own: "router's own route", stale: "route of a lost session", fallback: "second source", none: "no route",
};

const regions = new Intl.DisplayNames(["en"], {type: "region"});

export function countryName(code: string): string {
    try {
        return regions.of(code) ?? code;
    } catch {
        return code;
    }
}

// Names of ASes as answers told them.
const names = new Map<number, string>();

export function learn(rows: Partial<Row>[]): void {
    for (const row of rows)
        for (const dim of ["origin", "neighbour", "via"] as const) {
            const asn = row[dim], name = row[`${dim}_name`];
            if (asn !== null && asn !== undefined && name)
                names.set(asn, name);
        }
}

export function learnName(asn: number, name: string | null): void {
    if (name)
        names.set(asn, name);
}

// "AS64496 Example Transit One"; undefined where the name is not known.
export const asName = (asn: number): string | undefined => names.has(asn) ? `AS${asn} ${names.get(asn)}` : undefined;

const isAs = (dim: Dimension) => dim === "origin" || dim === "neighbour" || dim === "via";

// A value in words, without markup.
export function text(dim: Dimension, value: string | number | null | undefined): string {
    if (value === null || value === undefined)
        return dim === "type" ? "no type" : dim === "country" ? "unknown country" : "no route";
    if (isAs(dim))
        return asName(Number(value)) ?? `AS${value}`;
    if (dim === "country")
        return countryName(String(value));
    if (dim === "match")
        return MATCHES[value] ?? String(value);
    if (dim === "path")
        return value === "" ? "own network" : String(value).replace(/(?<!\S)(\S+)(?: \1(?!\S))+/g, (run, hop: string) => `${hop} ×${run.split(" ").length}`);
    return String(value);
}

// Where there is no room for a name.
export const number = (dim: Dimension, value: string | number | null | undefined): string =>
    isAs(dim) && value !== null && value !== undefined ? `AS${value}` : text(dim, value);

// No more than so many characters, of which the last tell names apart as well as the first do.
export function cut(name: string, most: number): string {
    const last = Math.floor(most / 3);
    return name.length <= most ? name : `${name.slice(0, most - last - 1).trimEnd()}…${name.slice(-last).trimStart()}`;
}

// Where it may be cut: whole for a look.
export const whole = (name: string): HTMLElement => h("span", {class: "name", title: name}, name);

export const value = (dim: Dimension, row: Partial<Row>): string | number | null => row[dim] ?? null;

// An AS for a table or a path: its number, which always has room, and its name.
function as(asn: number, shown = `AS${asn}`): Child {
    const name = names.get(asn);
    return [h("span", {class: "asn"}, shown), name ? [" ", h("span", {class: "name"}, name)] : null];
}

// A value for a table.
export function label(dim: Dimension, v: string | number | null): Child {
    if (v === null)
        return h("span", {class: "unknown"}, text(dim, v));
    if (isAs(dim))
        return as(Number(v));
    if (dim === "country")
        return [h("span", {class: "name"}, countryName(String(v))), " ", h("span", {class: "code"}, String(v))];
    if (dim === "path")
        return path(String(v));
    return h("span", {class: "name"}, text(dim, v));
}

// Each AS with its number and, as far as there is room, its name; the whole name for a look.
export function path(value: string | null): Child {
    if (value === null)
        return h("span", {class: "unknown"}, "no route");
    if (value === "")
        return h("span", {class: "unknown"}, "own network");
    const all = value.split(" ");
    const hops = all.map((hop, i) => {
        if (hop === all[i - 1])
            return null;
        const asn = Number(hop.replace(/\D/g, ""));
        const times = all.findIndex((other, k) => k > i && other !== hop);
        const n = (times < 0 ? all.length : times) - i;
        return [i ? h("span", {class: "hop"}, " › ") : null, h("span", {class: "as-hop", title: asName(asn) ?? `AS${hop}`}, as(asn, hop),
            n > 1 ? h("span", {class: "times", title: `${n} times`}, ` ×${n}`) : null)];
    });
    return h("span", {class: "path"}, hops);
}
