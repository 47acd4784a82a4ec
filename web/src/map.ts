// SPDX-License-Identifier: BSD-2-Clause

// The world, coloured by country. Equal Earth (Šavrič, Patterson, Jenny 2018): areas are true, so a large country does not
// look more important than it is. Countries too small for the outlines have a dot, so that Singapore is not lost.

import codes from "i18n-iso-countries/codes.json";
import {feature} from "topojson-client";
import type {GeometryCollection, Topology} from "topojson-specification";
import atlas from "world-atlas/countries-110m.json";

const A = [1.340264, -0.081106, 0.000893, 0.003796];
const M = Math.sqrt(3) / 2;

function project([longitude, latitude]: number[]): [number, number] {
    const t = Math.asin(M * Math.sin(latitude * Math.PI / 180));
    const t2 = t * t, t6 = t2 * t2 * t2;
    const x = longitude * Math.PI / 180 * Math.cos(t) / (M * (A[0] + 3 * A[1] * t2 + t6 * (7 * A[2] + 9 * A[3] * t2)));
    const y = t * (A[0] + A[1] * t2 + t6 * (A[2] + A[3] * t2));
    return [x * 100, -y * 100];
}

function unproject([x, y]: number[]): [number, number] {
    const wanted = -y / 100;
    let t = wanted;
    for (let i = 0; i < 8; i++) {
        const t2 = t * t, t6 = t2 * t2 * t2;
        const is = t * (A[0] + A[1] * t2 + t6 * (A[2] + A[3] * t2)) - wanted;
        t -= is / (A[0] + 3 * A[1] * t2 + t6 * (7 * A[2] + 9 * A[3] * t2));
    }
    const t2 = t * t, t6 = t2 * t2 * t2;
    return [x / 100 * M * (A[0] + 3 * A[1] * t2 + t6 * (7 * A[2] + 9 * A[3] * t2)) / Math.cos(t) * 180 / Math.PI,
        Math.asin(Math.sin(t) / M) * 180 / Math.PI];
}

export const projection = {project, unproject};

const alpha2 = new Map((codes as [string, string, string][]).map(([two, , number]) => [number, two]));
// The outlines have no number for these.
const UNNUMBERED: Record<string, string> = {Kosovo: "XK", "N. Cyprus": "CY", Somaliland: "SO"};
export const outlined = new Set<string>();

// ---- the antimeridian ----

type Ring = number[][];

// A ring whose longitudes go on beyond 180 instead of jumping.
function unwrap(ring: Ring): Ring {
    let shift = 0;
    return ring.map(([x, y], i) => {
        if (i && Math.abs(x - ring[i - 1][0]) > 180)
            shift += x < ring[i - 1][0] ? 360 : -360;
        return [x + shift, y];
    });
}

// What lies on one side of a meridian (Sutherland and Hodgman).
function half(ring: Ring, meridian: number, east: boolean): Ring {
    const inside = (p: number[]) => east ? p[0] >= meridian : p[0] <= meridian;
    const out: Ring = [];
    ring.forEach((p, i) => {
        const last = ring[(i + ring.length - 1) % ring.length];
        if (inside(p) !== inside(last))
            out.push([meridian, last[1] + (p[1] - last[1]) * (meridian - last[0]) / (p[0] - last[0])]);
        if (inside(p))
            out.push(p);
    });
    return out;
}

// Rings that cross the antimeridian in two (Russia, Fiji); holes do not.
function cut(polygon: Ring[]): Ring[][] {
    const outer = unwrap(polygon[0]);
    const low = Math.min(...outer.map((p) => p[0])), high = Math.max(...outer.map((p) => p[0]));
    if (low >= -180 && high <= 180)
        return [polygon];
    const meridian = high > 180 ? 180 : -180;
    const shift = (ring: Ring, by: number) => ring.map(([x, y]) => [x + by, y]);
    const west = half(outer, meridian, false), east = half(outer, meridian, true);
    return [[meridian > 0 ? west : shift(west, 360)], [meridian > 0 ? shift(east, -360) : east]].filter(([r]) => r.length > 2);
}

export function registerWorld(register: (name: string, world: never) => void): void {
    const topology = atlas as unknown as Topology<{countries: GeometryCollection<{name: string}>}>;
    const world = feature(topology, topology.objects.countries);
    world.features = world.features.filter((f) => f.properties.name !== "Antarctica");
    for (const f of world.features) {
        const code = alpha2.get(String(f.id)) ?? UNNUMBERED[f.properties.name] ?? f.properties.name;
        outlined.add(code);
        f.properties.name = code;
        if (f.geometry.type === "Polygon" || f.geometry.type === "MultiPolygon") {
            const polygons = f.geometry.type === "Polygon" ? [f.geometry.coordinates] : f.geometry.coordinates;
            f.geometry = {type: "MultiPolygon", coordinates: polygons.flatMap(cut)};
        }
    }
    register("world", world as never);
}

// Longitude and latitude of those without an outline.
export const DOTS: Record<string, [number, number]> = {
    AD: [1.6, 42.5], AG: [-61.8, 17.1], AI: [-63.1, 18.2], AS: [-170.7, -14.3], AW: [-70, 12.5], AX: [20, 60.2], BB: [-59.5, 13.2],
    BH: [50.6, 26], BM: [-64.8, 32.3], CK: [-159.8, -21.2], CV: [-23.6, 15.1], CW: [-69, 12.2], DM: [-61.4, 15.4], FM: [158.2, 6.9],
    FO: [-6.9, 62], GD: [-61.7, 12.1], GG: [-2.6, 49.5], GI: [-5.4, 36.1], GP: [-61.6, 16.3], GU: [144.8, 13.4], HK: [114.2, 22.3],
    IM: [-4.5, 54.2], JE: [-2.1, 49.2], KI: [173, 1.4], KM: [43.3, -11.7], KN: [-62.8, 17.3], KY: [-81.3, 19.3], LC: [-61, 13.9],
    LI: [9.6, 47.2], MC: [7.4, 43.7], MH: [171.2, 7.1], MO: [113.5, 22.2], MP: [145.7, 15.2], MQ: [-61, 14.6], MT: [14.4, 35.9],
    MU: [57.6, -20.3], MV: [73.5, 4.2], NR: [166.9, -0.5], PF: [-149.4, -17.7], PW: [134.6, 7.5], RE: [55.5, -21.1], SC: [55.5, -4.7],
    SG: [103.8, 1.35], SM: [12.5, 43.9], ST: [6.6, 0.2], SX: [-63.1, 18], TC: [-71.8, 21.8], TO: [-175.2, -21.2], TV: [179.2, -8.5],
    VA: [12.5, 41.9], VC: [-61.2, 13.2], VG: [-64.6, 18.4], VI: [-64.8, 17.7], WS: [-172.1, -13.8], YT: [45.2, -12.8],
};
