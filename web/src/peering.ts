// SPDX-License-Identifier: BSD-2-Clause

// Whom to peer with: origins to which traffic goes by somebody else's network, and where one is a neighbour already.

import type {Candidate, Peering} from "./api";
import {covered, secondsOf} from "./covered";
import {h, type Child} from "./dom";
import {plus} from "./filter";
import {askTraffic, card, empty} from "./page";
import {bound, rate, rtt} from "./scale";
import {filterOf, question, url, type State} from "./state";
import {table, type Column} from "./table";
import {bits, bytes, count, data, ms, percent} from "./units";
import * as words from "./words";

const LIMIT = 10;
const TRANSITS = 3; // that are named in a row

export async function loadPeering(s: State, signal: AbortSignal): Promise<Peering> {
    const answer = await askTraffic<Peering>(s, "peering", {limit: LIMIT}, signal);
    for (const row of answer.rows) {
        words.learnName(row.origin, row.origin_name ?? null);
        row.transit.forEach((way) => words.learnName(way.neighbour, way.neighbour_name ?? null));
    }
    return answer;
}

function byTransit(s: State, row: Candidate): Child {
    const filter = plus(filterOf(s), "origin", row.origin);
    const more = row.transit.length - TRANSITS + row.transit_left_out;
    const one = (way: Candidate["transit"][number]) => h("span", {class: "nowrap"},
        h("a", {href: url(s, {filter: plus(filter, "neighbour", way.neighbour)}, "networks"), title: words.text("neighbour", way.neighbour)}, h("span", {class: "asn"}, `AS${way.neighbour}`)),
        " ", data(way.share, percent, `${bytes(way.bytes_sent)}, ${percent(way.retransmit_rate)} retransmits`));
    return [row.transit.slice(0, TRANSITS).map((way, i) => [i ? ", " : null, one(way)]), more > 0 ? ` and ${more} more` : null];
}

function direct(row: Candidate): Child {
    if (!row.direct)
        return h("span", {class: "none"}, "nowhere yet");
    const names = row.direct.routers.map((name) => name ?? "no router"), more = row.direct.routers_left_out;
    return [names.join(", "), more ? ` and ${more} more` : "", " ", h("span", {class: "none"}, data(row.direct.bytes_sent, bytes))];
}

export function peeringCard(s: State, d: Peering): HTMLElement {
    const seconds = secondsOf(covered(d));
    const columns: Column<Candidate>[] = [
        {name: "Origin AS", class: "what", cell: (row) => h("a", {href: url(s, {filter: plus(filterOf(s), "origin", row.origin)}, "networks"), title: words.text("origin", row.origin)},
            words.label("origin", row.origin))},
        {name: "By transit", number: true, title: "bytes by a neighbour that is another network", cell: (row) => data(row.bytes_sent, bytes)},
        {name: "On average", number: true, cell: (row) => data(row.bytes_sent * 8 / seconds, bits)},
        {name: "Share", number: true, class: "share", title: "of all bytes", cell: (row) => data(row.share, percent)},
        {name: "By whom", class: "wrap whom", cell: (row) => byTransit(s, row)},
        {name: "Retransmits", number: true, cell: (row) => rate(row)},
        {name: "RTT p50", number: true, cell: (row) => rtt(row.rtt_p50_us, row, ms)},
        {name: "Direct already at", class: "wrap", title: "routers that reach it as a neighbour, by the traffic of this range", cell: direct},
    ];
    const title = "Whom to peer with", said = h("p", {class: "compare-said", id: "peering-said"}, data(d.transit.bytes_sent, bytes), ", ", data(d.transit.share, percent),
        " of all, went to ", data(d.origins, count), ` ${words.noun("origin", d.origins)} by another network.`);
    if (!d.rows.length)
        return card(title, empty("Nothing goes by transit.", h("p", null, "All traffic of this range whose path is known, if there is any, goes to its origin AS as a neighbour.")));
    return card(title, [said, table(title, columns, d.rows, {class: "peering"})], {note: bound(d.transit, "retransmits are a lower bound"),
        tools: h("a", {class: "more", href: "/api/v1/peering?" + new URLSearchParams(question(s, {limit: 100000, format: "csv"})), download: "peering.csv"}, "CSV")});
}
