// SPDX-License-Identifier: BSD-2-Clause

// The map as a chart: countries by retransmit rate, in the classes of scale.ts, or by bytes, in five steps of one hue. A rate
// over few packets is hatched out to the colour of land, as it is in tables. Round-trip times have the steps of the bytes' hue, and the goodput
// the classes of the rates, from all to few that met it.

import type {Row} from "./api";
import {chart, color, FONT, load, rateColors, tooltip, tooltipOption, type Option} from "./charts";
import {h} from "./dom";
import {FEW_PARTS, MEASURES} from "./measures";
import {isFew, legend, rate, rateClass} from "./scale";
import {bytes, ms, percent} from "./units";
import {countryName} from "./words";

export type MapOf = "retransmit_rate" | "goodput" | "rtt_p50_us" | "bytes_sent";

type Module = typeof import("./map");
let loaded: Module | null = null;

export async function loadWorld(): Promise<void> {
    if (!loaded) {
        const [module, {registerMap}] = await Promise.all([import("./map"), load()]); // maps can be registered when geo is there
        module.registerWorld(registerMap as never);
        loaded = module;
    }
}

// Each step a third of the one above: traffic of countries spans orders of magnitude.
export function byteClass(v: number, most: number): number {
    const i = [3, 9, 27, 81].findIndex((n) => v >= most / n);
    return i < 0 ? 0 : 4 - i;
}

const RTT_STEPS_MS = [20, 50, 100, 200];
const MISSED = [0.01, 0.02, 0.05, 0.1, 0.2]; // of the responses that were tested

// Which of the steps a value has passed.
const passed = (steps: number[], v: number): number => steps.filter((step) => v >= step).length;

export function fill(row: Row, of: MapOf, most: number): string {
    if (of === "bytes_sent")
        return color(`--volume-${byteClass(row.bytes_sent, most)}`);
    if (of === "rtt_p50_us")
        return row.rtt_p50_us === null || row.rtt_count < FEW_PARTS ? color("--land-few") : color(`--volume-${passed(RTT_STEPS_MS, row.rtt_p50_us / 1000)}`);
    if (of === "goodput")
        return (row.goodput_tested ?? 0) < FEW_PARTS ? color("--land-few") : rateColors()[passed(MISSED, 1 - MEASURES.goodput.of(row, 1)!)];
    return row.retransmit_rate === null || isFew(row) ? color("--land-few") : rateColors()[rateClass(row.retransmit_rate)];
}

function tip(code: string, row: Row | undefined): HTMLElement {
    if (!row)
        return tooltip(h("div", {class: "tip-title"}, countryName(code)), h("div", {class: "tip-none"}, "no traffic"));
    const line = (name: string, v: Node | string) => h("tr", null, h("td", null, name), h("td", {class: "n"}, v));
    return tooltip(h("div", {class: "tip-title"}, countryName(code)), h("table", null, line("Bytes", bytes(row.bytes_sent)),
        line("Retransmits", rate(row)), line("RTT p50", ms(row.rtt_p50_us)), line("RTT p95", ms(row.rtt_p95_us)),
    row.goodput_tested ? line("Goodput met", percent(MEASURES.goodput.of(row, 1))) : null));
}

// ---- the legend ----

const NAMES: Record<MapOf, string> = {retransmit_rate: "retransmit rate", goodput: "goodput", rtt_p50_us: "round-trip time", bytes_sent: "bytes"};
const LEGENDS: Record<Exclude<MapOf, "retransmit_rate">, {label: string; class: string; steps: string[]}> = {
    goodput: {label: "Colours of the share of responses that met the goodput target", class: "rate", steps: ["≥ 99 %", "98–99", "95–98", "90–95", "80–90", "< 80 %"]},
    rtt_p50_us: {label: "Colours of round-trip times", class: "volume", steps: ["< 20 ms", "20–50", "50–100", "100–200", "≥ 200 ms"]},
    bytes_sent: {label: "Colours from little to much traffic", class: "volume", steps: ["less", "", "", "", "more"]},
};

export function mapLegend(of: MapOf): HTMLElement {
    if (of === "retransmit_rate")
        return legend();
    const {label, steps, class: name} = LEGENDS[of];
    return h("div", {class: "rate-legend", role: "img", "aria-label": `${label}: ${steps.filter(Boolean).join(", ")}`},
        steps.map((step, i) => h("span", {class: `${name}-${i}`}, h("i"), step)));
}

function option(rows: Map<string, Row>, of: MapOf): Option {
    const {DOTS, outlined, projection} = loaded!;
    const most = Math.max(...[...rows.values()].map((r) => r.bytes_sent), 1);
    const dots = Object.keys(DOTS).filter((code) => rows.has(code) && !outlined.has(code));
    const formatter = (p: {name: string}) => tip(p.name, rows.get(p.name));
    const style = {borderColor: color("--surface"), borderWidth: 0.6};
    return {
        animation: false, textStyle: {fontFamily: FONT},
        tooltip: tooltipOption({trigger: "item", formatter}),
        geo: {
            map: "world", projection, left: 4, right: 4, top: 4, bottom: 4, roam: false, selectedMode: false,
            itemStyle: {...style, areaColor: color("--land")}, label: {show: false},
            emphasis: {label: {show: false}, itemStyle: {areaColor: color("--land"), borderColor: color("--ink"), borderWidth: 1.2}},
            regions: [...rows].map(([name, row]) => ({name, itemStyle: {areaColor: fill(row, of, most)},
                emphasis: {itemStyle: {areaColor: fill(row, of, most), borderColor: color("--ink"), borderWidth: 1.2}}})),
            tooltip: {show: true, formatter},
        },
        series: [{type: "scatter", coordinateSystem: "geo", symbolSize: 9,
            data: dots.map((code) => ({name: code, value: DOTS[code], itemStyle: {color: fill(rows.get(code)!, of, most),
                borderColor: color("--ink-2"), borderWidth: 1}}))}],
    };
}

export function world(name: string, list: Row[], of: MapOf, onCountry: (code: string) => void): HTMLElement {
    const rows = new Map(list.filter((r) => r.country).map((r) => [r.country!, r]));
    const first = [...list].slice(0, 5).map((r) => countryName(r.country ?? "")).join(", ");
    return chart(name, `World map of ${rows.size} countries by ${NAMES[of]}; most traffic: ${first}. ` +
        "The same figures are on the page Networks, by country.", () => option(rows, of), (instance) => {
        instance.on("click", (p: unknown) => {
            const code = (p as {name: string}).name;
            if (code)
                onCountry(code);
        });
    }, loadWorld);
}
