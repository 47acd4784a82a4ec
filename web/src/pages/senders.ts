// SPDX-License-Identifier: BSD-2-Clause

// The ledger, live: for every sender, sent = stored + rejected + lost + earlier + in flight; what waits for the store; what
// came from nobody in particular.

import {ask} from "../api";
import {h, type Child} from "../dom";
import {card, empty, type PageModule} from "../page";
import {zone, type State} from "../state";
import {table, type Column} from "../table";
import {age, bytes, count, data, moment} from "../units";
import * as words from "../words";

interface Sender {
    sender: string;
    sessions: number;
    sent: number;
    stored: number;
    rejected: {past: number; future: number; invalid: number};
    dropped: number;
    lost: number;
    earlier: number;
    in_flight: number;
    datagrams: number;
    duplicates: number;
    replayed: number;
    reordered: number;
    first_seen: string;
    last_seen: string;
}

interface Data {
    rows: Sender[];
    refused: Record<string, number>;
    backlog: {
        batches: number;
        bytes: number;
        since: string | null;
        store_away_since: string | null;
        store_error: string | null;
        housekeeping_failed_since: string | null;
        housekeeping_error: string | null;
        journal_error: string | null;
    };
    at: number;
    rates: Map<string, number>;
}

const QUIET_S = 60;
const REASONS: Record<string, string> = {
    unknown_key: "unknown key", bad_tag: "wrong seal", malformed: "malformed", too_old: "too old", ahead: "from the future",
    sessions_full: "too many sessions",
};

let last: Data | null = null;

async function load(_: State, signal: AbortSignal): Promise<Data> {
    const answer = await ask<Omit<Data, "at" | "rates">>("senders", {}, signal);
    const at = performance.now();
    const rates = new Map<string, number>();
    for (const row of answer.rows) {
        const before = last?.rows.find((r) => r.sender === row.sender);
        if (before && last && at > last.at)
            rates.set(row.sender, Math.max(0, row.stored - before.stored) * 1000 / (at - last.at));
    }
    last = {...answer, at, rates};
    return last;
}

const rejected = (r: Sender) => r.rejected.past + r.rejected.future + r.rejected.invalid;
const rejections = (r: Sender) => `too old ${r.rejected.past}, too far ahead ${r.rejected.future}, impossible ${r.rejected.invalid}`;
const oddities = (r: Sender) => `${r.duplicates} twice, ${r.replayed} again after their acknowledgement, ${r.reordered} out of order`;
const EQUATION = "sent = stored + rejected + lost + earlier + in flight";
const balance = (r: Sender) => r.sent - r.stored - rejected(r) - r.lost - r.earlier - r.in_flight;
// What should be nothing, and is told apart when it is not.
const bad = (v: number, title: string) => h("span", {class: v ? "bad" : "none"}, data(v, count, title));

function columns(s: State, d: Data): Column<Sender>[] {
    const quiet = (r: Sender) => (Date.now() - Date.parse(r.last_seen)) / 1000 > QUIET_S;
    const rate = (r: Sender) => d.rates.get(r.sender);
    return [
        {name: "Sender", class: "short", cell: (r) => words.whole(r.sender)},
        {name: "State", cell: (r) => h("span", {class: `state ${quiet(r) ? "stale" : "up"}`}, quiet(r) ? "silent" : "alive")},
        {name: "Heard", number: true, cell: (r) => age(r.last_seen, zone(s))},
        {name: "Records/s", number: true, cell: (r) => rate(r) === undefined ? "" : count(rate(r))},
        {name: "Sent", number: true, cell: (r) => data(r.sent, count)},
        {name: "Stored", number: true, cell: (r) => data(r.stored, count)},
        {name: "In flight", number: true, cell: (r) => data(r.in_flight, count)},
        {name: "Rejected", number: true, title: "Records of a time too long ago or too far ahead, or with figures that cannot be.", cell: (r) => bad(rejected(r), rejections(r))},
        {name: "Lost", number: true, title: "Sent in sessions that ended without delivering them.", cell: (r) => bad(r.lost, String(r.lost))},
        {name: "Earlier", number: true, title: "Acknowledged before this journal knew the session.", cell: (r) => data(r.earlier, count)},
        {name: "Dropped", number: true, title: "By the sender itself, for want of room; not in sent.", cell: (r) => bad(r.dropped, String(r.dropped))},
        {name: "Datagrams", number: true, cell: (r) => data(r.datagrams, count, oddities(r))},
        {name: "Sessions", number: true, title: "Runs of the sender: each begins to count anew.", cell: (r) => data(r.sessions, count)},
        {name: "Ledger", title: `Closes when ${EQUATION}.`, cell: (r) => balance(r) ? h("span", {class: "bad"}, `off by ${balance(r)}`) : h("span", {class: "good"}, "closes")},
    ];
}

function sums(rows: Sender[]): Child {
    const sum = (of: (r: Sender) => number) => h("td", {class: "n"}, data(rows.reduce((n, r) => n + of(r), 0), count));
    return h("tfoot", null, h("tr", {class: "total"}, h("th", {scope: "row"}, "All"), h("td"), h("td"), h("td"),
        sum((r) => r.sent), sum((r) => r.stored), sum((r) => r.in_flight), sum(rejected), sum((r) => r.lost), sum((r) => r.earlier), sum((r) => r.dropped),
        sum((r) => r.datagrams), sum((r) => r.sessions), h("td")));
}

function facts(list: [string, Child][]): HTMLElement {
    return h("dl", {class: "facts"}, list.map(([name, v]) => h("div", null, h("dt", null, name), h("dd", null, v))));
}

function backlog(s: State, d: Data): HTMLElement {
    const b = d.backlog;
    return card("Waiting for the store", [
        b.journal_error ? h("p", {class: "bad"}, `The journal cannot be written, so nothing is acknowledged: ${b.journal_error}`) : null,
        b.store_away_since ? h("p", {class: "bad"}, "The store takes nothing since ", moment(b.store_away_since, zone(s)), `: ${b.store_error ?? ""}`) : null,
        b.housekeeping_failed_since ? h("p", {class: "bad"}, "The store's housekeeping fails since ", moment(b.housekeeping_failed_since, zone(s)),
            `, so nothing is merged or dropped: ${b.housekeeping_error ?? ""}`) : null,
        facts([["Batches", data(b.batches, count)], ["In the journal", data(b.bytes, bytes)], ["Oldest", b.since ? age(b.since, zone(s)) : "none"]])]);
}

function ledger(s: State, d: Data): HTMLElement {
    return card(`${d.rows.length} ${d.rows.length === 1 ? "sender" : "senders"}`,
        table("Senders", columns(s, d), d.rows, {foot: d.rows.length > 1 ? sums(d.rows) : null}), {note: EQUATION});
}

function nobody(): HTMLElement {
    return empty("No sender has been heard yet.", h("p", null, "Point one at this collector: ", h("code", null, "whereto_collector HOST:5775"), " in nginx, or ",
        h("code", null, "whereto send --to HOST:5775"), "."));
}

export const senders: PageModule<Data> = {
    title: "Senders", lead: "Is every record accounted for?", bar: false, every: () => 2, load,
    draw(s, d) {
        const refused = Object.entries(d.refused).map(([reason, n]): [string, Child] => [REASONS[reason] ?? reason.replaceAll("_", " "), bad(n, String(n))]);
        return [d.rows.length ? ledger(s, d) : nobody(),
            h("div", {class: "columns"}, backlog(s, d), card("Datagrams refused", facts(refused), {note: "from nobody in particular"}))];
    },
};
