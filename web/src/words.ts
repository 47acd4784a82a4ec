// SPDX-License-Identifier: BSD-2-Clause

// The words of the field for people: dimensions, their values, AS paths.

import type {Dimension, Row} from "./api";
import {h, type Child} from "./dom";

export const LABELS: Record<Dimension, string> = {
    country: "Country", origin: "Origin AS", neighbour: "Neighbour AS", via: "Any AS on the path", prefix: "Prefix",
    path: "AS path", router: "Router", type: "Traffic type", match: "Route found",
};

export const PLURALS: Record<Dimension, string> = {
    country: "countries", origin: "origin ASes", neighbour: "neighbour ASes", via: "ASes on paths", prefix: "prefixes",
    path: "AS paths", router: "routers", type: "traffic types", match: "ways routes were found",
};

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

export function learn(rows: Row[]): void {
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

export const asName = (asn: number): string | undefined => names.get(asn);

const isAs = (dim: Dimension) => dim === "origin" || dim === "neighbour" || dim === "via";

// A value in words, without markup.
export function text(dim: Dimension, value: string | number | null | undefined): string {
    if (value === null || value === undefined)
        return dim === "type" ? "no type" : dim === "country" ? "unknown country" : "no route";
    if (isAs(dim)) {
        const name = names.get(Number(value));
        return name ? `${name} (AS${value})` : `AS${value}`;
    }
    if (dim === "country")
        return countryName(String(value));
    if (dim === "match")
        return MATCHES[value] ?? String(value);
    if (dim === "path" && value === "")
        return "own network";
    return String(value);
}

// Without the number of an AS that has a name.
export function short(dim: Dimension, value: string | number | null | undefined): string {
    return isAs(dim) && value !== null && value !== undefined ? names.get(Number(value)) ?? `AS${value}` : text(dim, value);
}

export const value = (dim: Dimension, row: Row): string | number | null => row[dim] ?? null;

// A value for a table: the name, and its number beside it, quieter.
export function label(dim: Dimension, v: string | number | null): Child {
    if (v === null)
        return h("span", {class: "unknown"}, text(dim, v));
    if (isAs(dim)) {
        const name = names.get(Number(v));
        return name ? [h("span", {class: "name"}, name), " ", h("span", {class: "code"}, `AS${v}`)]
            : h("span", {class: "name"}, `AS${v}`);
    }
    if (dim === "country")
        return [h("span", {class: "name"}, countryName(String(v))), " ", h("span", {class: "code"}, String(v))];
    if (dim === "path")
        return path(String(v));
    return h("span", {class: "name"}, text(dim, v));
}

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
        return [i ? h("span", {class: "hop"}, " › ") : null, h("span", {class: "asn", title: names.get(asn) ?? `AS${hop}`}, hop),
            n > 1 ? h("span", {class: "hop", title: `${n} times`}, ` ×${n}`) : null];
    });
    return h("span", {class: "path"}, hops);
}
