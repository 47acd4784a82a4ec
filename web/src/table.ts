// SPDX-License-Identifier: BSD-2-Clause

// Tables: figures to the right, headers that sort are links, so that an order has an address as well.

import {h, svg, type Child} from "./dom";

export interface Column<R> {
    name: string;
    head?: Child;             // beside the name
    title?: string;           // what it is, for who points at the header
    number?: boolean;
    class?: string;
    sort?: string;            // what the header sorts by
    when?(rows: R[]): boolean; // left out otherwise
    cell(row: R, index: number): Child;
}

export interface Sorting {
    by: string;
    descending: boolean;
    url(by: string, descending: boolean): string;
}

function header<R>(column: Column<R>, sorting?: Sorting): HTMLElement {
    const attributes: Record<string, string | undefined> = {
        scope: "col", class: [column.number ? "n" : "", column.class ?? ""].join(" ").trim() || undefined,
    };
    if (!sorting || !column.sort)
        return h("th", attributes, column.title ? h("span", {tabindex: "0", "data-hint": column.title}, column.name) : column.name, column.head);
    const active = sorting.by === column.sort;
    attributes["aria-sort"] = active ? sorting.descending ? "descending" : "ascending" : undefined;
    return h("th", attributes, h("a", {href: sorting.url(column.sort, active ? !sorting.descending : true),
        id: `sort-${column.sort}`, "data-hint": column.title}, column.name, active ? h("span", {class: "arrow", "aria-hidden": "true"}, sorting.descending ? "▼" : "▲") : null));
}

export function table<R>(caption: string, all: Column<R>[], rows: R[],
    options: {sorting?: Sorting; class?: string; rowClass?(row: R): string; foot?: Child} = {}): HTMLElement {
    const columns = all.filter((c) => !c.when || c.when(rows));
    return h("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": caption},
        h("table", {class: options.class ?? ""}, h("caption", {class: "sr"}, caption),
            h("thead", null, h("tr", null, columns.map((c) => header(c, options.sorting)))),
            h("tbody", null, rows.map((row, i) => h("tr", {class: options.rowClass?.(row) || null}, columns.map((c) =>
                h("td", {class: [c.number ? "n" : "", c.class ?? ""].join(" ").trim() || null}, c.cell(row, i)))))),
            options.foot ?? null));
}

// A chart's figures as a table, filled when it is opened; which are open is kept while the page is.
const opened = new Set<string>();

export function asTable(id: string, make: () => HTMLElement): HTMLElement {
    const fill = () => details.open && details.childElementCount === 1 && details.append(make());
    const details = h("details", {class: "as-table", open: opened.has(id), onToggle: () => {
        if (details.open)
            opened.add(id);
        else
            opened.delete(id);
        fill();
    }}, h("summary", {id}, "As a table"));
    fill();
    return details;
}

// A line of a few points; gaps where nothing is known.
export function sparkline(values: (number | null)[], description: string): Element {
    const width = 96, height = 22, top = Math.max(...values.map((v) => v ?? 0), Number.MIN_VALUE);
    if (!values.some((v) => v !== null))
        return h("span", {class: "none"}, "–");
    const x = (i: number) => values.length > 1 ? 1 + i * (width - 2) / (values.length - 1) : width / 2;
    const y = (v: number) => height - 2 - v / top * (height - 4);
    let line = "", area = "", start = -1;
    values.forEach((v, i) => {
        if (v === null) {
            start = -1;
            return;
        }
        line += `${start < 0 ? "M" : "L"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`;
        area += start < 0 ? `M${x(i).toFixed(1)} ${height - 1}L${x(i).toFixed(1)} ${y(v).toFixed(1)}` : `L${x(i).toFixed(1)} ${y(v).toFixed(1)}`;
        if (start < 0)
            start = i;
        if (i === values.length - 1 || values[i + 1] === null)
            area += `L${x(i).toFixed(1)} ${height - 1}Z`;
    });
    return svg("svg", {class: "spark", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": description},
        svg("path", {class: "area", d: area}), svg("path", {class: "line", d: line}));
}
