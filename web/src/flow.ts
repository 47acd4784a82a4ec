// SPDX-License-Identifier: BSD-2-Clause

// Router, neighbour, transit, origin as a sankey: width is bytes, colour is the retransmit rate in the classes of scale.ts.

import type {FlowLink, FlowNode, Paths} from "./api";
import {chart, color, FONT, rateColors, tooltip, tooltipOption, type Option} from "./charts";
import {h} from "./dom";
import {isFew, rate, rateClass} from "./scale";
import {asTable, table, type Column} from "./table";
import {bytes, data, percent} from "./units";
import * as words from "./words";

const STAGES = ["router", "neighbour", "transit", "origin"] as const;
const NONE: Record<string, string> = {router: "no router", neighbour: "no route", transit: "no transit", origin: "no route"};

export function nodeName(n: FlowNode): string {
    if (n.other)
        return "others";
    if (n.value === null)
        return NONE[n.stage];
    if (n.stage === "router")
        return String(n.value);
    return `AS${n.value}${n.name ? ` ${n.name}` : ""}`;
}

// Between two nodes, of whatever size: a line of text, so that names of the smallest don't lie on each other.
const GAP = 15;

function nodeTip(n: FlowNode): HTMLElement {
    const line = (name: string, v: Node | string) => h("tr", null, h("td", null, name), h("td", {class: "n"}, v));
    return tooltip(h("div", {class: "tip-title"}, nodeName(n)), h("table", null, line("As", n.stage), line("Bytes", bytes(n.bytes_sent)),
        line("Share", percent(n.share)), line("Retransmits", rate(n))));
}

function linkTip(l: FlowLink, names: Map<string, FlowNode>): HTMLElement {
    const line = (name: string, v: Node | string) => h("tr", null, h("td", null, name), h("td", {class: "n"}, v));
    return tooltip(h("div", {class: "tip-title"}, `${nodeName(names.get(l.source)!)} → ${nodeName(names.get(l.target)!)}`),
        h("table", null, line("Bytes", bytes(l.bytes_sent)), line("Share", percent(l.share)), line("Retransmits", rate(l))));
}

function option(d: Paths, narrow: boolean): Option {
    const names = new Map(d.nodes.map((n) => [n.id, n]));
    const rates = rateColors();
    const tint = (f: FlowLink) => f.retransmit_rate === null || isFew(f) ? color("--land-few") : rates[rateClass(f.retransmit_rate)];
    return {
        animation: false, textStyle: {fontFamily: FONT},
        tooltip: tooltipOption({trigger: "item", triggerOn: "mousemove",
            formatter: (p: {dataType: string; data: {id?: string; source: string; target: string}}) => p.dataType === "edge"
                ? linkTip(d.links.find((l) => l.source === p.data.source && l.target === p.data.target)!, names) : nodeTip(names.get(p.data.id!)!)}),
        series: [{
            type: "sankey", left: 8, right: narrow ? 90 : 220, top: 8, bottom: 8, nodeWidth: narrow ? 8 : 12, nodeGap: GAP, draggable: false,
            layoutIterations: 64, nodeAlign: "left", emphasis: {focus: "adjacency", lineStyle: {opacity: 0.95}}, blur: {lineStyle: {opacity: 0.15}},
            // name is what links refer to; what is shown is the label
            data: d.nodes.map((n) => ({id: n.id, name: n.id, depth: STAGES.indexOf(n.stage), itemStyle: {color: n.other || n.value === null ? color("--ink-3") : color("--node"),
                borderWidth: 0}, label: {color: color("--ink"), fontSize: 12, width: narrow ? 84 : 200, overflow: "truncate", formatter: nodeName(n),
                textBorderColor: color("--surface"), textBorderWidth: 3}})),
            links: d.links.map((l) => ({source: l.source, target: l.target, value: l.bytes_sent, lineStyle: {color: tint(l), opacity: 0.78, curveness: 0.5}})),
        }],
    };
}

// The same as a table, in which a name keeps to it as a click on its node does.
export function flowTable(d: Paths, link: (n: FlowNode) => string): HTMLElement {
    const nodes = new Map(d.nodes.map((n) => [n.id, n]));
    const name = (id: string) => {
        const n = nodes.get(id)!;
        return n.other ? nodeName(n) : h("a", {href: link(n)}, nodeName(n));
    };
    const order = (l: FlowLink) => STAGES.indexOf(nodes.get(l.source)!.stage);
    const columns: Column<FlowLink>[] = [{name: "From", cell: (l) => name(l.source)}, {name: "To", cell: (l) => name(l.target)},
        {name: "As", cell: (l) => `${nodes.get(l.source)!.stage} to ${nodes.get(l.target)!.stage}`},
        {name: "Bytes", number: true, cell: (l) => data(l.bytes_sent, bytes)}, {name: "Share", number: true, cell: (l) => data(l.share, percent)},
        {name: "Retransmits", number: true, cell: (l) => rate(l)}];
    return asTable("flow-table", () => table("From routers to origins", columns, [...d.links].sort((a, b) => order(a) - order(b) || b.bytes_sent - a.bytes_sent)));
}

export function flowChart(d: Paths, onNode: (n: FlowNode) => void): HTMLElement {
    const height = Math.max(...STAGES.map((stage) => d.nodes.filter((n) => n.stage === stage).length));
    for (const n of d.nodes)
        if (n.stage !== "router" && n.value !== null)
            words.learnName(Number(n.value), n.name);
    current = d;
    clicked = onNode;
    const element = chart("paths-flow", `Flow of traffic from ${d.nodes.filter((n) => n.stage === "router").length} routers by neighbours and transit to origins, ` +
        "width by bytes, colour by retransmit rate; the table below has the same", () => option(current!, innerWidth <= 640), (instance) =>
        instance.on("click", (p: unknown) => {
            const event = p as {dataType: string; data: {id?: string}};
            const node = event.dataType === "node" ? current!.nodes.find((n) => n.id === event.data.id) : undefined;
            if (node && !node.other)
                clicked(node);
        }));
    element.classList.toggle("tall", height > 9 && height <= 16);
    element.classList.toggle("taller", height > 16);
    return element;
}

let current: Paths | null = null;
let clicked: (n: FlowNode) => void = () => {};
