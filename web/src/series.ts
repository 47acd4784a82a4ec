// SPDX-License-Identifier: BSD-2-Clause

// Figures over time: sums stacked (what isn't among the largest groups is "other", so the top edge is the total), rates and
// round-trip times as lines. Of retransmit rates the groups with the largest excess are drawn (excess.ts), be they ever so small. The bucket that
// is still filling is scaled by the time it covers, and left out while that is too little; a bucket without traffic is 0 for sums and a gap for rates.
//
// The whole in the period before is a dashed line, moved by the length of the period. Its buckets need not begin where those of this period
// do, so each point has the one that is nearest, half a bucket off at most.

import type {Answer, Bill, Dimension, Figures, Row} from "./api";
import {chart, color, FONT, seriesColors, tooltip, tooltipOption, type Option} from "./charts";
import {covered} from "./covered";
import {h} from "./dom";
import {excess, sum} from "./excess";
import {MEASURES, type Measure, type MeasureInfo} from "./measures";
import {choice, type State} from "./state";
import {asTable, table, type Column} from "./table";
import {data, dateTime, timeLabel, timeRange, zoneName, type Zone} from "./units";
import * as words from "./words";

export type {Measure} from "./measures";
export {MEASURES} from "./measures";

// So many are drawn. Among twice as many with the most that was lost are those with the largest excess.
export const GROUPS = 7;
export const asked = (measure: Measure): number => measure === "retransmit_rate" ? 2 * GROUPS : GROUPS;

export interface Bucket {
    time: number;     // ms
    seconds: number;  // of it that are covered
}

export function buckets(answer: Answer): Bucket[] {
    const step = (answer.step ?? 60) * 1000;
    const {from, to} = covered(answer);
    const found: Bucket[] = [];
    const first = answer.rows.length ? Math.floor(from / step) * step : to;
    for (let time = first; time < to; time += step) {
        const covered = Math.min(time + step, to) - Math.max(time, from);
        if (covered >= 0.5 * step || time + step < to)
            found.push({time, seconds: Math.max(covered, 1) / 1000});
    }
    return found;
}

export interface Group {
    name: string;
    value: string | number | null | undefined; // of the dimension; undefined: all, or other
    color: string;
    values: (number | null)[];
    mean: number | null;                       // of all the time; of a share over all that it is of
    bill?: Bill;                               // of the throughput
}

// The whole in the period before, as far as the store has it.
export interface Before {
    from: number;              // ms
    to: number;
    values: (number | null)[]; // for the times of this period
    mean: number | null;
}

export interface Drawn {
    times: Bucket[];
    groups: Group[];
    measure: Measure;
    before: Before | null;
    from: number;     // ms: where the axis begins, also where there is no traffic yet
}

function line(times: Bucket[], rows: Row[], measure: MeasureInfo): (number | null)[] {
    const at = new Map(rows.map((row) => [Date.parse(row.time!), row]));
    return times.map(({time, seconds}) => {
        const row = at.get(time);
        return row ? measure.of(row, seconds) : measure.stacked ? 0 : null;
    });
}

function mean(times: Bucket[], values: (number | null)[], rows: Row[], {part}: MeasureInfo): number | null {
    if (part) {
        const [some, all] = rows.map(part).reduce((a, b) => [a[0] + b[0], a[1] + b[1]], [0, 0]);
        return all ? some / all : null;
    }
    const known = values.map((v, i) => ({v, s: times[i].seconds})).filter((x): x is {v: number; s: number} => x.v !== null);
    const time = known.reduce((n, x) => n + x.s, 0);
    return time ? known.reduce((n, x) => n + x.v * x.s, 0) / time : null;
}

// A group keeps its colour while the page is open, whatever its rank becomes.
const given = new Map<string, number>();

function colorsOf(dim: Dimension, keys: (string | number | null)[], colors: string[]): string[] {
    const names = keys.map((key) => `${dim} ${key}`);
    const taken = new Set(names.map((name) => given.get(name)).filter((i) => i !== undefined));
    return names.map((name) => {
        let i = given.get(name);
        if (i === undefined) {
            i = colors.findIndex((_, k) => !taken.has(k));
            i = i < 0 ? given.size % colors.length : i;
            given.set(name, i);
            taken.add(i);
        }
        return colors[i];
    });
}

type Keyed = [string | number | null, Row[]];

// The order of their sums over the whole range: rows come by time first.
function ranked(rows: Keyed[], whole: Figures, measure: Measure): Keyed[] {
    const field = MEASURES[measure].sort as keyof Figures;
    const size = ([, list]: Keyed) => measure === "retransmit_rate" ? excess(sum(list), whole) : list.reduce((n, row) => n + Number(row[field]), 0);
    return rows.map((row): [number, Keyed] => [size(row), row]).sort((a, b) => b[0] - a[0]).map(([, row]) => row);
}

// The whole in the period before, at the times of this one.
function beforeOf(all: Answer, times: Bucket[], info: MeasureInfo): Before | null {
    const {previous, previous_rows: rows} = all;
    if (!previous || !rows)
        return null;
    const step = (previous.step ?? 60) * 1000, from = Date.parse(previous.from), shift = Date.parse(all.from) - from;
    const own = buckets({...all, ...previous, rows}), values = line(own, rows, info);
    return {...covered({...previous, since: all.since}), mean: mean(own, values, rows, info),
        values: times.map(({time}) => values[Math.floor((time - shift + step / 2 - own[0]?.time) / step)] ?? null)};
}

// all: the whole by time; split: the same by a dimension.
export function build(all: Answer, split: Answer | null, dim: Dimension | "", measure: Measure): Drawn {
    const info = MEASURES[measure], times = buckets(all), colors = seriesColors();
    const from = Math.min(Date.parse(all.from), times[0]?.time ?? Infinity);
    const bills = measure === "throughput" ? (split ?? all).throughput : undefined;
    const drawn = (name: string, value: Group["value"], color: string, rows: Row[], bill?: Bill | null): Group => {
        const values = line(times, rows, info);
        return {name, value, color, values, mean: mean(times, values, rows, info), bill: bill ?? undefined};
    };
    const before = beforeOf(all, times, info);
    if (!split || !dim)
        return {times, measure, before, from, groups: [drawn("All traffic", undefined, colors[0], all.rows, bills?.total)]};
    const rows = new Map<string | number | null, Row[]>();
    for (const row of split.rows) {
        const key = words.value(dim, row);
        rows.set(key, [...rows.get(key) ?? [], row]);
    }
    const order = ranked([...rows], split.total, measure).slice(0, GROUPS);
    const own = colorsOf(dim, order.map(([key]) => key), colors);
    const groups: Group[] = order.map(([key, list], i) =>
        drawn(words.text(dim, key), key, own[i], list, bills?.rows.find((row) => words.value(dim, row) === key)));
    if (info.stacked) {
        const rest = drawn("Other", undefined, color("--series-other"), split.other_rows ?? [], bills?.other);
        if (rest.values.some((v) => v))
            groups.push(rest);
    }
    return {times, measure, before, from, groups};
}

// Whether the period before is wanted, and how it is asked for.
export const wantsBefore = (s: State): boolean => choice(s, "before", ["on", "off"], "on") === "on";
export const asksBefore = (s: State): Record<string, string> => wantsBefore(s) ? {compare: "previous"} : {};

// Whether there is anything of the period before to be drawn.
export const hasBefore = (d: Drawn): boolean => d.before?.values.some((v) => v !== null) ?? false;

export const beforeName = (b: Before, zone: Zone): string => `Period before, ${timeRange(new Date(b.from), new Date(b.to), zone)}`;

// The axis: a round step that gives three to five lines.
function axisMax({groups, before}: Drawn, stacked: boolean): number {
    const count = groups[0]?.values.length ?? 0;
    let top = Math.max(0, ...(before?.values ?? []).map((v) => v ?? 0));
    for (let i = 0; i < count; i++) {
        const values = groups.map((g) => g.values[i] ?? 0);
        top = Math.max(top, stacked ? values.reduce((a, b) => a + b, 0) : Math.max(...values));
    }
    return top;
}

// Steps of an axis are round: no zeros behind the point.
const round = (text: string): string => text.replace(/(\.\d*?)0+(?!\d)/, "$1").replace(/\.(?!\d)/, "");

function tip(d: Drawn, index: number, zone: Zone): HTMLElement {
    const info = MEASURES[d.measure];
    const sum = d.groups.reduce((n, g) => n + (g.values[index] ?? 0), 0);
    return tooltip(h("div", {class: "tip-title"}, dateTime(new Date(d.times[index].time), zone)),
        h("table", null, d.groups.map((g) => h("tr", null, h("td", null, h("i", {class: "swatch", vars: {"--c": g.color}}), words.cut(g.name, 44)),
            h("td", {class: "n"}, info.format(g.values[index])))),
        info.stacked && d.groups.length > 1 ? h("tr", {class: "sum"}, h("td", null, "All"), h("td", {class: "n"}, info.format(sum))) : null,
        hasBefore(d) ? h("tr", null, h("td", null, h("i", {class: "swatch dashed"}), "The period before"),
            h("td", {class: "n"}, info.format(d.before!.values[index]))) : null));
}

export interface Marker {
    time: number;
    label: string;
}

// A line that lies over the others and that no pointer meets.
function beforeLine(d: Drawn): Option[] {
    return hasBefore(d) ? [{type: "line", name: "before", symbol: "none", silent: true, z: 4, connectNulls: false,
        lineStyle: {width: 1.5, type: [4, 3], color: color("--before")}, itemStyle: {color: color("--before")},
        data: d.before!.values.map((v, k) => [d.times[k].time, v])}] : [];
}

function option(d: Drawn, zone: Zone, markers: Marker[], compact: boolean): Option {
    const info = MEASURES[d.measure];
    const span = d.times.length ? d.times[d.times.length - 1].time - d.from : 0;
    const top = axisMax(d, info.stacked);
    return {
        useUTC: zone === "utc", animation: false, textStyle: {fontFamily: FONT},
        grid: {left: 4, right: 12, top: 12, bottom: 4, containLabel: true},
        brush: {xAxisIndex: 0, brushType: "lineX", brushMode: "single", transformable: false,
            brushStyle: {color: color("--brush"), borderColor: color("--accent"), borderWidth: 1}, toolbox: [], outOfBrush: {colorAlpha: 1}},
        tooltip: tooltipOption({trigger: "axis", axisPointer: {type: "line", lineStyle: {color: color("--ink-3"), width: 1, type: "solid"}},
            formatter: (list: {dataIndex: number}[]) => tip(d, list[0].dataIndex, zone)}),
        xAxis: {type: "time", axisLine: {lineStyle: {color: color("--line-strong")}}, axisTick: {show: false}, splitNumber: compact ? 3 : 7,
            axisLabel: {color: color("--ink-2"), fontSize: 12, hideOverlap: true, formatter: timeLabel(zone, span)}, splitLine: {show: false},
            min: d.from, max: d.times[d.times.length - 1]?.time},
        yAxis: {type: "value", ...info.whole ? {min: ({min}: {min: number}) => Math.floor(min * 10) / 10, max: 1} : {min: 0, max: top ? undefined : 1}, splitNumber: 3,
            axisLabel: {color: color("--ink-2"), fontSize: 12, formatter: (v: number) => v ? round(info.format(v)) : "0"},
            splitLine: {lineStyle: {color: color("--line")}}},
        series: [...d.groups.map((g, i) => ({
            type: "line", name: g.name, stack: info.stacked ? "all" : undefined, symbol: "circle", symbolSize: 5,
            showSymbol: d.times.length < 3, lineStyle: {width: info.stacked ? 1 : 2, color: g.color}, itemStyle: {color: g.color},
            areaStyle: info.stacked ? {color: g.color, opacity: 0.82} : undefined,
            emphasis: {focus: "series"}, connectNulls: false,
            data: g.values.map((v, k) => [d.times[k].time, v]),
            markLine: i === 0 && markers.length ? {silent: true, symbol: "none", animation: false,
                lineStyle: {color: color("--ink-2"), type: "dashed", width: 1}, label: {show: false},
                data: markers.map((m) => ({xAxis: m.time}))} : undefined,
        })), ...beforeLine(d)],
    };
}

// The one to look at: the highest, or the lowest where all should be at 100 %.
export const extremeName = (info: MeasureInfo): string => info.whole ? "lowest" : "highest";

export function extreme(values: (number | null)[], info: MeasureInfo): number | null {
    const known = values.filter((v): v is number => v !== null);
    return !known.length ? null : info.whole ? Math.min(...known) : Math.max(...known);
}

// What the chart says in words, for who does not see it.
function describe(d: Drawn): string {
    const info = MEASURES[d.measure];
    const values = d.groups.flatMap((g) => g.values);
    return `${info.label} over time, ${d.groups.length > 1 ? `${d.groups.length} groups: ${d.groups.map((g) => g.name).join(", ")}` : d.groups[0]?.name ?? "no data"}; ` +
        `${d.times.length} points, the ${extremeName(info)} ${info.format(extreme(values, info))}` +
        (hasBefore(d) ? `; dashed: all in the period before, mean ${info.format(d.before!.mean)}` : "");
}

export function seriesTable(d: Drawn, zone: Zone): HTMLElement {
    const info = MEASURES[d.measure];
    const columns: Column<number>[] = [{name: `Time (${zoneName(zone, new Date(d.from), new Date(d.times[d.times.length - 1]?.time ?? d.from))})`, cell: (i) => dateTime(new Date(d.times[i].time), zone)},
        ...d.groups.map((g): Column<number> => ({name: g.name, number: true, cell: (i) => data(g.values[i], info.format)})),
        ...hasBefore(d) ? [{name: beforeName(d.before!, zone), number: true, cell: (i: number) => data(d.before!.values[i], info.format)}] : []];
    return asTable("as-table", () => table(`${info.label} over time`, columns, d.times.map((_, i) => i).reverse()));
}

export function seriesChart(name: string, d: Drawn, zone: Zone, onRange: (from: number, to: number) => void,
    markers: Marker[] = []): HTMLElement {
    return chart(name, describe(d), () => option(d, zone, markers, innerWidth < 600), (instance) => {
        const pick = () => instance.dispatchAction({type: "takeGlobalCursor", key: "brush", brushOption: {brushType: "lineX", brushMode: "single"}});
        instance.on("rendered", pick as never);
        instance.on("brushEnd", (event: unknown) => {
            const area = (event as {areas: {coordRange: [number, number]}[]}).areas[0];
            instance.dispatchAction({type: "brush", areas: []});
            if (area && area.coordRange[1] - area.coordRange[0] >= 60e3)
                onRange(...area.coordRange);
        });
    });
}
