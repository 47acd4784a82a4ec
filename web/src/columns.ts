// SPDX-License-Identifier: BSD-2-Clause

// The figures that the table of networks can have as columns, each with what it is made of, how it is told of a row and of the sum of
// all, and what it means; and the list in which they are chosen, which stands in the address.

import {fieldsWith, type Figures, type Row} from "./api";
import {figureChange, sumChange, type Against} from "./covered";
import {h, type Child} from "./dom";
import {FEW_PARTS, MEASURES, type Measure} from "./measures";
import {FEW, isFew, rate, rtt} from "./scale";
import {get, go, url, type State} from "./state";
import type {Column} from "./table";
import {bits, bytes, count, data, exact, lasting, ms, percent, type Format} from "./units";

// What the rows are beside.
export interface Beside {
    against: Against;  // the seconds that are covered, and of the period before
    total: Figures;
    most: number;      // the largest share
}

export interface FigureColumn {
    id: string;
    name: string;
    what: string;
    fields: string;
    first: boolean;    // stands there unless columns are chosen
    sort?: string;
    rank?: Rank;       // what is sorted by is no sum
    class?: string;
    rest?: (f: Figures) => number;                         // a sum: also told of the others
    format?: Format;
    cell(row: Row, beside: Beside): Child;
    all?(total: Figures, beside: Beside): Child;           // of all rows; a sum has it anyway
}

// A figure that only those with samples enough are ranked by. They are found among the rows with the most samples.
export interface Rank {
    samples: keyof Figures;
    enough: number;    // so many
    fields: string;    // what it is made of
    of(f: Figures): number | null;
}

const quality = (samples: keyof Figures, enough: number, field: "retransmit_rate" | "rtt_p50_us" | "rtt_p95_us"): Rank => ({samples, enough, fields: field, of: (f) => f[field]});
const ratio = (samples: "connections" | "goodput_tested" | "packets_retransmitted", some: keyof Figures): Rank => ({samples, enough: FEW_PARTS, fields: some,
    of: (f) => f[samples] ? Number(f[some] ?? 0) / f[samples] : null});

type Sum = "bytes_sent" | "bytes_received" | "bytes_retransmitted" | "packets_sent" | "packets_retransmitted" | "connections" | "requests";

const sum = (id: string, name: string, field: Sum, format: Format, first: boolean, what: string): FigureColumn => ({id, name, what, fields: field, first, sort: field,
    format, rest: (f) => f[field] ?? 0, cell: (row) => data(row[field], format)});

// Of a share of so many, greyed when they are too few.
function part(f: Figures, measure: Measure, of: string): Child {
    const [some, all] = MEASURES[measure].part!(f), what = `${exact(some)} of ${exact(all)} ${of}`;
    const value = data(all ? some / all : null, percent, all ? what : `no ${of}`);
    return all && all < FEW_PARTS ? h("span", {class: "few", title: `${what}: too few to say`}, value) : value;
}

const shareOf = (id: string, measure: Measure, name: string, of: string, rank: Rank): FigureColumn => ({id, name, what: MEASURES[measure].what, fields: MEASURES[measure].field,
    first: false, sort: id, rank, cell: (row) => part(row, measure, of), all: (total) => part(total, measure, of)});

const perSecond = (f: Figures, b: Beside) => data(f.bytes_sent * 8 / b.against.now, bits);
const open = (f: Figures) => f.connections && f.duration_ms !== undefined ? data(f.duration_ms / f.connections / 1000, lasting) : data(null, lasting, "no connections");
const hit = (f: Figures) => data(f.connections ? (f.connections_with_retransmit ?? 0) / f.connections : null, percent);
const share = (row: Row, b: Beside) => row.bytes_sent / (b.total.bytes_sent || 1);

export const COLUMNS: FigureColumn[] = [
    sum("bytes", "Bytes", "bytes_sent", bytes, true, "Payload sent, each byte once."),
    {id: "throughput", name: "Throughput", what: "The bytes as a mean rate over the range.", fields: "bytes_sent", first: false, cell: perSecond, all: perSecond},
    {id: "share", name: "Share", what: "Of the bytes of all rows and the rest.", fields: "bytes_sent", first: true, class: "share",
        cell: (row, b) => h("span", {class: "share-bar", vars: {"--v": String(share(row, b) / b.most)}}, data(share(row, b), percent))},
    {id: "change", name: "Change", what: "Of the bytes, against the period before.", fields: "bytes_sent", first: true, class: "change-cell",
        cell: (row, b) => sumChange(row.bytes_sent, row.previous?.bytes_sent, b.against, true)},
    {id: "retransmits", name: "Retransmits", what: MEASURES.retransmit_rate.what, fields: "packets_sent,packets_retransmitted,retransmit_rate,approximate", first: true,
        sort: "retransmit_rate", rank: quality("packets_sent", FEW, "retransmit_rate"), cell: (row) => rate(row), all: (total) => rate(total)},
    {id: "points", name: "Points", what: "Change of the retransmit rate, in percentage points, against the period before.", fields: "retransmit_rate", first: true,
        class: "change-cell", cell: (row, b) => isFew(row) || !row.previous || isFew(row.previous) ? h("span", {class: "none", title: "too few packets"}, "–")
            : figureChange(row.retransmit_rate, row.previous.retransmit_rate, b.against, true, true)},
    sum("again", "Sent again", "packets_retransmitted", count, true, "Packets that were sent again."),
    sum("again_bytes", "Bytes again", "bytes_retransmitted", bytes, false, "Payload that went out once more; a link carries it on top of the bytes."),
    shareOf("spurious", "spurious", "Needless", "packets sent again", ratio("packets_retransmitted", "packets_spurious")),
    {id: "rtt_p50", name: "RTT p50", what: MEASURES.rtt_p50_us.what, fields: "rtt_count,rtt_p50_us", first: true, sort: "rtt_p50_us", rank: quality("rtt_count", FEW_PARTS, "rtt_p50_us"),
        cell: (row) => rtt(row.rtt_p50_us, row, ms), all: (total) => rtt(total.rtt_p50_us, total, ms)},
    {id: "rtt_p95", name: "RTT p95", what: MEASURES.rtt_p95_us.what, fields: "rtt_count,rtt_p95_us", first: true, sort: "rtt_p95_us", rank: quality("rtt_count", FEW_PARTS, "rtt_p95_us"),
        cell: (row) => rtt(row.rtt_p95_us, row, ms), all: (total) => rtt(total.rtt_p95_us, total, ms)},
    shareOf("goodput", "goodput", "Goodput met", "responses", ratio("goodput_tested", "goodput_met")),
    sum("connections", "Connections", "connections", count, true, "Connections first seen."),
    {id: "hit", name: "Hit", what: "Connections in which anything was sent again, of all of them.", fields: "connections,connections_with_retransmit", first: false,
        sort: "hit", rank: ratio("connections", "connections_with_retransmit"), cell: hit, all: hit},
    {id: "duration", name: "Open", what: "How long a connection was open, on average.", fields: "connections,duration_ms", first: false, sort: "open",
        rank: ratio("connections", "duration_ms"), cell: open, all: open},
    sum("requests", "Requests", "requests", count, false, "Requests served."),
    sum("received", "Received", "bytes_received", bytes, false, MEASURES.received.what),
    sum("packets", "Packets", "packets_sent", count, false, "Data packets sent, those that were sent again too."),
];

const PARAMETER = "columns";
const NONE = "none";
const FIRST = COLUMNS.filter((c) => c.first).map((c) => c.id);

export function chosen(s: State): FigureColumn[] {
    const names = get(s, PARAMETER, FIRST.join(",")).split(",");
    return COLUMNS.filter((c) => names.includes(c.id));
}

export const fieldsOf = (columns: FigureColumn[]): string => fieldsWith(...columns.map((c) => c.fields));

export const asColumn = (c: FigureColumn, beside: Beside): Column<Row> => ({name: c.name, title: c.what, number: true, sort: c.sort, class: c.class, cell: (row) => c.cell(row, beside)});

// ---- choosing ----

let opened = false;

function close(): void {
    opened = false;
    document.querySelector("details.chooser")?.removeAttribute("open");
}

document.addEventListener("pointerdown", (event) => {
    if (opened && !(event.target as Element).closest(".chooser"))
        close();
});

export function chooser(s: State): HTMLElement {
    const now = chosen(s).map((c) => c.id);
    const to = (id: string, on: boolean) => {
        const names = COLUMNS.map((c) => c.id).filter((name) => name === id ? on : now.includes(name)).join(",");
        return url(s, {[PARAMETER]: names === FIRST.join(",") ? null : names || NONE});
    };
    const box = (c: FigureColumn): HTMLElement => {
        const input: HTMLInputElement = h("input", {type: "checkbox", id: `column-${c.id}`, checked: now.includes(c.id), onChange: () => go(to(c.id, input.checked))});
        return h("label", {"data-hint": c.what}, input, c.name);
    };
    const details: HTMLDetailsElement = h("details", {class: "chooser", open: opened, onToggle: () => opened = details.open,
        onKeydown: (event) => (event as KeyboardEvent).key === "Escape" && close()},
    h("summary", {id: "columns", class: "button"}, "Columns"), h("div", {role: "group", "aria-label": "Columns"}, COLUMNS.map(box),
        h("a", {id: "columns-first", href: url(s, {[PARAMETER]: null})}, "As at first")));
    return details;
}
