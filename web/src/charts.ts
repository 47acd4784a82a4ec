// SPDX-License-Identifier: BSD-2-Clause

// Charts that live as long as the page: a chart has a name, and drawing it again changes the one that is there, so
// nothing flickers when figures come every few seconds. ECharts is asked for no markup: its tooltips are elements made
// here, because the page's policy forbids inline styles.

import type {EChartsType} from "echarts/core";
import {h, type Child} from "./dom";

type Library = typeof import("./chart_lib");
// The library's own type of options is a maze of unions; what is given to it here is checked by eye and by the tests.
export type Option = Record<string, unknown>;

interface Chart {
    element: HTMLElement;
    instance: EChartsType | null;
    make: (() => Option) | null;
    wire: ((instance: EChartsType) => void) | null;
    needs: (() => Promise<unknown>) | undefined;
    showing: boolean; // its parts are awaited
}

const charts = new Map<string, Chart>();
let library: Promise<Library> | null = null;

export function load(): Promise<Library> {
    return library ??= import("./chart_lib").catch((error) => {
        library = null; // to be tried again
        throw error;
    });
}

const observer = new ResizeObserver((entries) => {
    for (const entry of entries)
        for (const chart of charts.values())
            if (chart.element === entry.target && entry.contentRect.width)
                chart.instance?.resize();
});

export function color(name: string): string {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export const rateColors = (): string[] => [0, 1, 2, 3, 4, 5].map((i) => color(`--rate-${i}`));
export const seriesColors = (): string[] => [0, 1, 2, 3, 4, 5, 6].map((i) => color(`--series-${i}`));

async function show(name: string, chart: Chart): Promise<void> {
    if (chart.showing)
        return; // what is then drawn is what is asked for last
    let parts: [Library, unknown];
    chart.showing = true;
    try {
        parts = await Promise.all([load(), chart.needs?.()]);
    } catch {
        // Not there, or another version since the page was loaded.
        chart.element.textContent = "The chart could not be loaded. Loading the page again may help.";
        return;
    } finally {
        chart.showing = false;
    }
    // It may have gone while its parts came.
    if (charts.get(name) !== chart || !chart.element.isConnected)
        return;
    if (!chart.instance) {
        chart.element.textContent = "";
        const {init} = parts[0];
        chart.instance = init(chart.element);
        observer.observe(chart.element);
        chart.wire?.(chart.instance);
    }
    if (chart.make)
        chart.instance.setOption(chart.make(), {notMerge: true});
    chart.element.dataset.drawn = "true";
}

// The chart's element, which is drawn when the library, and what it needs besides, is there. make is called again when the
// theme changes; wire once, to listen to events.
export function chart(name: string, description: string, make: () => Option, wire?: (instance: EChartsType) => void,
    needs?: () => Promise<unknown>): HTMLElement {
    let c = charts.get(name);
    if (!c) {
        c = {element: h("div", {class: `chart chart-${name}`, role: "img"}), instance: null, make, wire: wire ?? null, needs, showing: false};
        charts.set(name, c);
    }
    c.element.setAttribute("aria-label", description);
    c.make = make;
    void show(name, c);
    return c.element;
}

export function redrawAll(): void {
    for (const [name, c] of charts)
        if (c.instance && c.element.isConnected)
            void show(name, c);
}

// Those of another page make room.
export function dispose(keep: (name: string) => boolean): void {
    for (const [name, c] of charts)
        if (!keep(name)) {
            observer.unobserve(c.element);
            c.instance?.dispose();
            charts.delete(name);
        }
}

export function tooltip(...children: Child[]): HTMLElement {
    return h("div", {class: "tip"}, ...children);
}

export function tooltipOption(more: Option): Option {
    return {
        renderMode: "html", confine: true, transitionDuration: 0, enterable: false, appendTo: "body",
        backgroundColor: color("--surface"), borderColor: color("--line-strong"), borderWidth: 1, padding: 0,
        textStyle: {color: color("--ink"), fontSize: 12}, ...more,
    };
}

export const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif";
