// SPDX-License-Identifier: BSD-2-Clause

// What needs no browser: figures as text, the filter language as far as the page knows it, ranking, and the types of all of it.
// Prints TAP; without web/node_modules it is skipped.

import {spawnSync} from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {fileURLToPath} from "node:url";

const web = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");
if (!fs.existsSync(path.join(web, "node_modules", "esbuild"))) {
    console.log("1..0 # SKIP needs web/node_modules, which building the dashboard makes");
    process.exit(0);
}
const {build} = await import("esbuild");
const {check, done, equal} = await import("./lib.mjs");

async function source(name) {
    const {outputFiles} = await build({entryPoints: [path.join(web, "src", name)], bundle: true, format: "esm", write: false, logLevel: "error"});
    return import("data:text/javascript;base64," + Buffer.from(outputFiles[0].contents).toString("base64"));
}

const plain = (text) => text.replaceAll("\u00a0", " ");

const units = await source("units.ts");
for (const [format, value, text] of [
    ["bytes", 0, "0 B"], ["bytes", 999, "999 B"], ["bytes", 1000, "1.00 kB"], ["bytes", 999499, "999 kB"], ["bytes", 999500, "1.00 MB"],
    ["bytes", 12.34e9, "12.3 GB"], ["bytes", 9.2e18, "9.20 EB"], ["bytes", null, "–"], ["bits", 506e6, "506 Mbit/s"], ["bits", 0.4, "0.4 bit/s"], ["bits", 0.0712, "0.07 bit/s"], ["number", 12.34, "12.3"], ["number", 2, "2"],
    ["count", 99999, "99,999"], ["count", 1234567, "1.23 M"], ["percent", 0, "0 %"], ["percent", 0.00001, "< 0.01 %"], ["percent", 0.0042, "0.42 %"],
    ["percent", 0.1234, "12.3 %"], ["percent", 1, "100.0 %"], ["percent", null, "–"], ["ms", 18250, "18.3 ms"], ["ms", 4, "4.00 µs"], ["ms", 250000, "250 ms"],
    ["duration", 0, "0 s"], ["duration", 90, "1 min 30 s"], ["duration", 86400 * 12, "12 d"], ["duration", 7260, "2 h 1 min"],
])
    equal(plain(units[format](value)), text, `${format} of ${value}`);
equal(units.dateTime(new Date("2026-01-02T03:04:05Z"), "utc", true), "2026-01-02 03:04:05", "a time in UTC");

process.env.TZ = "Europe/Berlin";
const winter = new Date("2026-01-02T00:00:00Z"), summer = new Date("2026-07-02T00:00:00Z");
equal([units.zoneName("local", winter), units.zoneName("local", summer), units.zoneName("local", winter, summer), units.zoneName("utc", summer)],
    ["UTC+01:00", "UTC+02:00", "UTC+01:00, later +02:00", "UTC"], "a zone's name at a time, not of today");
equal([units.timeRange(winter, new Date("2026-01-02T03:30:00Z"), "local"), units.timeRange(winter, summer, "utc")],
    ["2026-01-02 01:00 – 04:30", "2026-01-02 00:00 – 2026-07-02 00:00"], "from one time to another");

equal([[400, winter], [3, summer], [3, winter], [1, summer], [1, winter]].map(([days, time]) => units.timeLabel("utc", days * 86400e3)(time.getTime() + (time === summer ? 3600e3 : 0))),
    ["2026-01", "07-02 01:00", "01-02", "01:00", "01-02"], "beside an axis: of years with the year");
equal([0.8, 4, 90].map((s) => plain(units.lasting(s))), ["0.80 s", "4.00 s", "1 min 30 s"], "how long something lasted, to a part of a second");

const filter = await source("filter.ts");
equal(filter.loose("country:DE sample  carrier asia", 31).map((l) => [l.from, l.part]), [[11, "sample  carrier asia"], [19, "carrier asia"], [27, "asia"]], "words that may be a name");
equal([filter.loose("-asia", 5), filter.loose("country:DE", 10), filter.loose("asia ", 5), filter.loose("asia country:D", 14), filter.loose("", 0)].map((l) => l.length),
    [1, 0, 0, 0, 0], "and what is none");
const offers = await source("offers.ts");
const germany = {from: 8, typed: ["DE", "Federal Germany"]};
equal(["country:", "country:d", "country:DE", "country:germ", "country:federal g", "country:ermany", "country:DEU", "country:ny", "-country:de"].map((text) => offers.fits(germany, "country:", text, text.length)),
    [true, true, true, true, true, false, false, false, false], "what still fits when more is typed");
equal([["asia AS645", 10], ["asia AS645", 2], ["asia 64", 7], ["asia AS", 7]].map(([text, cursor]) => offers.fits({from: 5, typed: ["64501", ""]}, "asia ", text, cursor)),
    [true, false, true, false], "an AS with and without its letters, and a cursor that moved away");
equal(filter.loose("-asia", 5)[0].from, 1, "behind a minus");
equal(filter.parse('router:edge1 -country:DE,AT path:"64500 64511"').map(({dim, negate, values}) => [dim, negate, values]),
    [["router", false, ["edge1"]], ["country", true, ["DE", "AT"]], ["path", false, ["64500 64511"]]], "terms of a filter");
for (const value of ["edge1", "64500 64511", 'say "a"', "a\\b", "", "null", "a,b", 64511, null])
    equal(filter.parse(filter.term("path", value))[0].values, [value === null ? "null" : String(value)], `quoted and read again: ${value}`);
equal(filter.plus("country:DE -type:api", "country", "FR"), "-type:api country:FR", "one more term takes another's place");
equal(filter.minus('a:1 path:"1 2" b:2', 'path:"1 2"'), "a:1 b:2", "one term less");
for (const [text, dim, part, from] of [["", "", "", 0], ["cou", "", "cou", 0], ["a:1 -ori", "", "ori", 5], ["country:DE,F", "country", "F", 11],
    ['path:"64500 6', "path", "64500 6", 5]]) {
    const t = filter.typing(text, text.length);
    equal([t.dim, t.part, t.from], [dim, part, from], `being typed: ${text}`);
}

const scale = await source("scale.ts");
equal([0, 0.001, 0.0049, 0.01, 0.03, 0.9].map(scale.rateClass), [0, 1, 1, 3, 4, 5], "classes of rates");
check(scale.wilson(3, 12) < 0.1 && scale.wilson(250, 1000) > 0.22 && scale.wilson(0, 0) === 0, "few packets count for little");

const state = await source("state.ts");
const NOW = Date.parse("2026-11-27T10:26:13.500Z");
const rangeOf = (search) => {
    const of = {page: "overview", parameters: new URLSearchParams(search), now: NOW};
    try {
        return Object.values(state.range(of)).map((text) => text.slice(8, 16)).join(" ");
    } catch (error) {
        return `${error.status} ${error.parameter}`;
    }
};
for (const [search, text] of [["", "27T04:00 27T11:00"], ["last=4h", "27T06:00 27T11:00"], ["last=3h", "27T07:26 27T10:27"], ["last=15m", "27T10:11 27T10:27"], ["last=7d", "20T10:00 27T11:00"],
    ["last=forever", "27T04:00 27T11:00"], ["from=2026-11-27T08:25:00Z", "27T08:25 27T10:27"], ["from=2026-11-26T08:25Z", "26T08:25 27T11:00"], ["from=-2h&to=now-1h", "27T08:26 27T09:27"],
    ["from=2026-11-26&to=2026-11-27", "26T00:00 27T00:00"], ["from=1795428000&to=2026-11-23T13:00:00%2B01:00", "23T10:00 23T12:00"], ["from=1795428000&to=2026-11-23T13:00:00+01:00", "23T10:00 23T12:00"],
    ["from=foo&to=bar", "400 from"], ["from=-2h&to=bar", "400 to"], ["from=2026-11-27T10:00:00", "400 from"], ["from=-1h&to=-2h", "400 from"], ["last=foo", "400 last"], ["last=0h", "400 last"],
    ["from=99999999999999", "400 from"], ["last=999999999w", "17T05:00 27T11:00"]])
    equal(rangeOf(search), text, `the range of ?${search}`);
state.learnBegin(Date.parse("2026-09-03T07:12:00Z"));
equal(rangeOf("last=forever"), "03T07:00 27T11:00", "forever begins with the store's traffic");
equal([state.askedOrNull({parameters: new URLSearchParams("from=foo"), now: NOW}), state.askedOrNull({parameters: new URLSearchParams("last=1h"), now: NOW})],
    [null, {from: NOW - 3600e3, to: NOW}], "as it was chosen, or nothing");

const {against, covered, secondsOf} = await source("covered.ts");
const day = (n, hour = 0) => new Date(Date.UTC(2026, 10, n, hour)).toISOString();
const whole = {from: day(20), to: day(27), previous: {from: day(13), to: day(20)}};
equal(secondsOf(covered({from: day(20), to: day(27, 11)}, NOW)), (NOW - Date.parse(day(20))) / 1000, "what is to come is not covered");
equal(covered({from: day(20), to: day(27), since: Date.parse(day(26))}, NOW), {from: Date.parse(day(26)), to: Date.parse(day(27))}, "nor what was before there was any traffic");
equal(secondsOf(covered({from: day(20), to: day(21), since: Date.parse(day(26))}, NOW)), 1, "a range before it");
equal([null, Date.parse(day(2)), Date.parse(day(15)), Date.parse(day(19)), Date.parse(day(26))].map((since) => against({...whole, since}, NOW)),
    [[7, 7], [7, 7], [7, 5], [7, null], [1, null]].map(([now, then]) => ({now: now * 86400, then: then && then * 86400})), "compared is what is covered of both, when it is half of the earlier one");

globalThis.ResizeObserver = class {};
const series = await source("series.ts");
const byHour = {from: day(20), to: day(21), step: 7200, since: Date.parse(day(20, 7)), rows: [{time: day(20, 12)}]};
equal(series.buckets(byHour).map((b) => [new Date(b.time).getUTCHours(), b.seconds]), [[6, 3600], ...[8, 10, 12, 14, 16, 18, 20, 22].map((h) => [h, 7200])],
    "points begin with the store's traffic, not with the first row");
equal(series.buckets({...byHour, rows: []}), [], "none without any row");

// The period before, moved to this one: its buckets lie where they may, and may be wider.
globalThis.document = {documentElement: {}};
globalThis.getComputedStyle = () => ({getPropertyValue: () => ""});
const minutes = (from, list, step = 60) => list.map((bytes_sent, i) => ({time: new Date(Date.parse(from) + i * step * 1000).toISOString(), bytes_sent: bytes_sent * step}));
const beforeOf = (previous, rows) => series.build({from: day(20), to: day(20).replace("00:00:00", "00:06:00"), step: 60, rows: minutes(day(20), [8, 8, 8, 8, 8, 8]), previous,
    previous_rows: rows}, null, "", "throughput").before;
const earlier = (from, step) => ({from, to: day(20), step});
equal(beforeOf(undefined, undefined), null, "without a period before there is none");
equal(beforeOf(earlier("2026-11-19T23:54:00.000Z", 60), minutes("2026-11-19T23:54:00Z", [1, 2, 3, 4, 5, 6])).values, [8, 16, 24, 32, 40, 48], "point by point");
equal(series.build({...byHour, previous: earlier(day(19), 7200), previous_rows: [], since: Date.parse(day(19, 7))}, null, "", "throughput").before.from, Date.parse(day(19, 7)), "from where there is any");
equal(beforeOf(earlier("2026-11-19T23:54:00.000Z", 120), minutes("2026-11-19T23:54:00Z", [1, 2, 3], 120)).values, [8, 16, 16, 24, 24, null], "wider buckets: the nearest");
equal(beforeOf(earlier("2026-11-19T23:54:00.000Z", 60), minutes("2026-11-19T23:57:00Z", [4, 5, 6])).values, [0, 0, 0, 32, 40, 48], "nothing was sent in the first three");
equal(beforeOf({...earlier("2026-11-19T23:57:00.000Z", 60)}, minutes("2026-11-19T23:57:00Z", [4, 5, 6])).values, [32, 40, 48, null, null, null], "a shorter one ends before");

// Elements as far as change.ts makes any.
class Node {
    constructor(text = "") { this.text = text; }
    setAttribute() {}
    append(child) { this.text += child.text ?? child; }
}
Object.assign(globalThis, {Node, document: {createElement: () => new Node()}});
const {change} = await source("change.ts");
equal([[1000, undefined], [1000, 0], [null, 3], [1240, 1000], [9990, 1000], [25000, 1000], [1e9, 1], [1002, 1000], [10, 1000]].map(([now, then]) => plain(change(now, then, 0, false).text)),
    ["no earlier data", "none before", "none before", "▲ +24 %", "▲ +899 %", "▲ ×25", "▲ ×1.00 G", "±0.2 %", "▼ −99 %"], "changes");
equal([[0.02, 0.01], [0.01, undefined], [0.01, null]].map(([now, then]) => plain(change(now, then, -1, true).text)), ["▲ +1.00 points, worse", "no earlier data", "none before"], "of rates");

const s = {page: "networks", parameters: new URLSearchParams("last=24h&filter=country:DE&by=origin&sort=rtt_p50_us")};
equal(state.url(s, {}, "paths"), "/paths?last=24h&filter=country:DE", "range and filter go from page to page");
equal(state.url(s, {by: null, filter: "prefix:2001:db8::/32"}), "/networks?last=24h&filter=prefix:2001:db8::/32&sort=rtt_p50_us", "addresses stay readable");
equal(["15m", "2w", "5", "x"].map(state.seconds), [900, 1209600, null, null], "durations");

// Where npm fails, the collector is built without a dashboard, and the next build tries again.
const alone = fs.mkdtempSync(path.join(os.tmpdir(), "whereto-web-"));
try {
    for (const name of ["build.mjs", "package.json", "package-lock.json"])
        fs.copyFileSync(path.join(web, name), path.join(alone, name));
    fs.writeFileSync(path.join(alone, "npm"), "#!/bin/sh\nexit 1\n", {mode: 0o755});
    const options = ["--out", path.join(alone, "out"), "--c", path.join(alone, "web.c"), "--depfile", path.join(alone, "web.d"), "--optional"];
    const built = spawnSync(process.execPath, [path.join(alone, "build.mjs"), ...options],
        {encoding: "utf8", env: {...process.env, PATH: `${alone}:${process.env.PATH}`}});
    equal(built.status, 0, "no packages: built all the same");
    check(fs.readFileSync(path.join(alone, "web.c"), "utf8").includes("web_file_count = 0"), "no packages: no files");
    const wants = fs.readFileSync(path.join(alone, "web.d"), "utf8").trim().split(" ");
    check(wants.some((file) => file.startsWith(alone) && !fs.existsSync(file)), "no packages: the next build tries again");
} finally {
    fs.rmSync(alone, {recursive: true, force: true});
}
const {around} = await source("around.ts");
const minute = (i) => new Date(Date.parse("2026-01-02T00:00:00Z") + i * 60e3).toISOString();
// A retransmit in 1000 before minute 90, 50 in 1000 behind it, none from minute 100 on.
const byMinute = {step: 60, rows: Array.from({length: 180}, (_, i) => ({time: minute(i), packets_sent: 1000,
    packets_retransmitted: i < 90 ? 1 : i < 100 ? 50 : 0, approximate: i === 95}))};
const [one, two] = [{time: minute(90.5)}, {time: minute(100)}];
equal([around(byMinute, one, [one, two]).before, around(byMinute, one, [one, two]).after],
    [{packets_sent: 60000 - 1000, packets_retransmitted: 59, retransmit_rate: 0.001, approximate: false},
        {packets_sent: 9000, packets_retransmitted: 450, retransmit_rate: 0.05, approximate: true}], "quality around a change of path, up to the next one");
equal(around(byMinute, two, [one, two]).after.packets_sent, 60000, "for an hour");
equal(around({step: 60, rows: []}, one, [one]).before.retransmit_rate, null, "no packets, no rate");

const {excess, sum} = await source("excess.ts");
equal([excess({packets_sent: 1e5, packets_retransmitted: 4000}, {packets_sent: 1.1e6, packets_retransmitted: 7000}),
    excess({packets_sent: 5000, packets_retransmitted: 9}, {packets_sent: 5500, packets_retransmitted: 9}), sum([]).packets_sent], [4000 - 300, 0, 0],
    "the excess over everybody else's rate; without a rest there is none");

const words = await source("words.ts");
words.learn([{via: 64499, via_name: "Sample Carrier Asia"}]);
equal([words.text("via", 64499), words.number("via", 64499), words.text("origin", 1), words.cut("AS64499 Sample Carrier Asia", 20)],
    ["AS64499 Sample Carrier Asia", "AS64499", "AS1", "AS64499 Sampl…r Asia"], "an AS always has its number, and its name behind it");

equal(["1 11 11 111 1 1 1", "1 2 3", "", "{1,2} {1,2}"].map((path) => words.text("path", path)), ["1 11 ×2 111 1 ×3", "1 2 3", "own network", "{1,2} ×2"], "what a path has several times is told once");
equal([1, 0, 2].map((n) => words.noun("origin", n)), ["origin AS", "origin ASes", "origin ASes"], "one, none, two");

const tsc = spawnSync(process.execPath, [path.join(web, "node_modules", "typescript", "bin", "tsc"), "--noEmit", "-p", web], {encoding: "utf8"});
check(tsc.status === 0, "the types are right", tsc.stdout);
process.exit(done());
