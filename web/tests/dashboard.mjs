// SPDX-License-Identifier: BSD-2-Clause

// The dashboard as a person meets it. Figures are compared with the API's over a range that has ended, so that they hold
// still.

import {createRequire} from "node:module";
import {api, check, click, done, equal, go, launch, note, open, ready, setting, tell, values} from "./lib.mjs";

const END = new Date(Math.floor(setting.now / 3600) * 3600e3);
const at = (hours) => new Date(END.getTime() + hours * 3600e3).toISOString().slice(0, 19) + "Z";
const RANGE = {from: at(-6), to: at(0)};
const fixed = (more = {}) => "?" + new URLSearchParams({...RANGE, ...more});
const PAGES = {"/": "Overview", "/networks": "Networks", "/paths": "Paths", "/compare": "Compare", "/incidents": "Incidents", "/routes": "Routes", "/senders": "Senders", "/routers": "Routers"};
// The number in a text like "223 Mbit/s on average".
const perSecond = (text) => {
    const found = /([\d.,]+)\s*([kMGT]?)bit\/s/.exec(text);
    return found ? Number(found[1].replaceAll(",", "")) * {"": 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12}[found[2]] : NaN;
};
const GROUPS = ".legend li:not(.legend-head):not(:has(#before))"; // without the line of the period before
// Retransmits beyond what there would be at the rate of everybody else.
const excessOf = (r, all) => r.packets_retransmitted - r.packets_sent * (all.packets_retransmitted - r.packets_retransmitted) / (all.packets_sent - r.packets_sent);
const cardOf = (title) => `.card:has(h2:text-is("${title}"))`;

async function firstLoad(browser) {
    const page = await open(browser, "/");
    const files = await page.evaluate(() => performance.getEntriesByType("resource").filter((e) => !e.name.includes("/api/"))
        .concat(performance.getEntriesByType("navigation")).map((e) => [e.name, e.encodedBodySize]));
    const foreign = await page.evaluate(() => performance.getEntriesByType("resource").map((e) => e.name).filter((n) => !n.startsWith(location.origin)));
    const sum = files.reduce((n, [, size]) => n + size, 0);
    const drawn = await page.evaluate(() => Math.round(performance.getEntriesByName("drawn")[0].startTime));
    note(`first load: ${files.length} files, ${Math.round(sum / 1000)} kB compressed; all drawn ${drawn} ms after the start`);
    check(sum > 10000 && sum <= 500000, "the first load is at most 500 kB", JSON.stringify(files));
    equal(foreign, [], "nothing comes from elsewhere");
    equal(await page.textContent(".notice"), setting.notice, "the notice is shown");
    equal(page.problems, [], "no complaint on the console");
    await page.context().close();
}

async function overview(browser) {
    const page = await open(browser, "/" + fixed());
    const {total} = await api("top", {...RANGE, by: ""});
    const tiles = {bytes: "bytes_sent", rate: "retransmit_rate", p50: "rtt_p50_us", p95: "rtt_p95_us", connections: "connections"};
    check(total.bytes_sent > 0, "there is traffic");
    for (const [tile, name] of Object.entries(tiles))
        equal(await values(page, `#tile-${tile} .tile-value data`), [total[name]], `Overview shows ${name}`);
    equal(await page.textContent("#tile-rate .tile-value"), `${(total.retransmit_rate * 100).toFixed(2)}\u00a0%`, "in per cent");
    const before = await api("top", {from: at(-12), to: at(-6), by: ""});
    const change = await page.$eval("#tile-bytes .change", (e) => Number(e.dataset.change));
    check(Math.abs(change - (total.bytes_sent / before.total.bytes_sent - 1)) < 1e-9, "its change against the period before", change);
    const mean = total.bytes_sent * 8 / 21600;
    check(Math.abs(perSecond(await page.textContent("#tile-bytes")) / mean - 1) < 0.01, "its average in bits a second", await page.textContent("#tile-bytes"));
    check(total.retransmit_rate > before.total.retransmit_rate && await page.locator("#tile-rate .change.worse").count() === 1 &&
        (await page.textContent("#tile-rate .change")).includes("worse"), "more retransmits are worse, in colour and in words", await page.textContent("#tile-rate"));
    const legend = await page.$$eval(GROUPS, (list) => list.map((e) => e.querySelector(".n").textContent));
    check(Math.abs(legend.map(perSecond).reduce((a, b) => a + b, 0) / mean - 1) < 0.01, "the means in the legend add up to it", legend);
    const largest = await api("top", {...RANGE, by: "origin", limit: 12});
    equal(await values(page, `${cardOf("Largest networks")} tbody td:nth-child(2) data`), largest.rows.map((r) => r.bytes_sent), "the largest networks");
    const worst = await page.$$eval(`${cardOf("Worst networks")} tbody td:first-child .asn`, (list) => list.map((e) => e.textContent));
    const origins = (await api("top", {...RANGE, by: "origin", limit: 200})).rows.filter((r) => r.packets_sent >= 1000 && excessOf(r, total) > 0);
    check(worst.length === Math.min(12, origins.length) && worst.length > 5 && !worst.includes(`AS${setting.few}`), "a rate over a handful of packets is not among the worst", worst);
    for (const [chart, x, y, text] of [["series", 0.5, 0.5, "All"], ["map", 0.53, 0.5, ""]]) {
        await page.waitForSelector(`.chart-overview-${chart}[data-drawn]`);
        await page.locator(`.chart-overview-${chart}`).scrollIntoViewIfNeeded();
        const box = await page.locator(`.chart-overview-${chart}`).boundingBox();
        await page.mouse.move(box.x + box.width * x, box.y + box.height * y, {steps: 3});
        await page.waitForSelector(`.tip:visible .tip-title`);
        check((await page.textContent(".tip:visible")).includes(text) && (await page.textContent(".tip:visible .tip-title")).length > 2,
            `the ${chart} tells figures under the pointer`, await page.textContent(".tip:visible"));
        await page.mouse.move(5, 5);
        await page.waitForFunction(() => ![...document.querySelectorAll(".tip")].some((e) =>
            e.checkVisibility({visibilityProperty: true, opacityProperty: true})));
    }
    await page.click("#as-table");
    await page.waitForSelector(".as-table:has(#as-table) tbody td");
    const byTime = await api("series", {...RANGE, by: "", points: 120});
    equal(await page.locator(".as-table tbody tr").count(), (Date.parse(byTime.to) - Date.parse(byTime.rows[0].time)) / 1000 / byTime.step, "the series are there as a table");
    const drawn = (await values(page, ".as-table:has(#as-table) tbody td:not(:last-child) data")).reduce((a, b) => a + b, 0);
    check(Math.abs(drawn * byTime.step / 8 / total.bytes_sent - 1) < 1e-6, "what is drawn, in bits a second, is all bytes", drawn);
    await page.selectOption("#select-by", "country");
    await ready(page);
    await page.selectOption("#select-by", "none");
    await ready(page);
    equal(await page.locator(GROUPS).count(), 1, "the series can be of everything");
    await page.selectOption("#select-by", "country");
    await ready(page);
    check(page.url().includes("by=country") && (await page.locator(GROUPS).count()) === 8, "the series are split by country: seven and the others", page.url());
    await click(page, `${cardOf("Largest networks")} tbody a`);
    check(new URL(page.url()).pathname === "/networks" && page.url().includes(`origin:${largest.rows[0].origin}`), "a network leads to Networks", page.url());
    await page.goBack();
    await ready(page);
    equal(await page.textContent("h1"), "Overview", "and back");
    const countries = await api("countries", RANGE);
    await page.locator("#map-table").focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector(".as-table:has(#map-table) tbody td");
    equal(await values(page, ".as-table:has(#map-table) tbody td:nth-child(2) data"), countries.rows.map((r) => r.bytes_sent), "the map is there as a table, by keyboard");
    equal(page.problems, [], "Overview: no complaint on the console");
    await page.context().close();
}

// Wilson's lower end, as scale.ts has it.
function wilson(hits, n) {
    const z = 1.96, p = hits / n, w = z * Math.sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    return (p + z * z / (2 * n) - w) / (1 + z * z / n);
}

const percent = (v) => (v * 100).toFixed(v * 100 < 10 ? 2 : 1) + "\u00a0%";

// The sentence that says whom to call, and the networks that are worst.
async function whomToCall(browser) {
    const page = await open(browser, "/" + fixed(), {viewport: {width: 1280, height: 800}});
    const via = await api("top", {...RANGE, by: "via", limit: 200, sort: "packets_retransmitted"});
    const all = (await api("top", {...RANGE, by: ""})).total, lossy = via.rows.find((r) => r.via === setting.lossy);
    const found = await api("suspects", RANGE), first = found.rows[0];
    equal([found.rows.length, first.values[0], first.packets_retransmitted, first.packets_sent], [1, lossy.via, lossy.packets_retransmitted, lossy.packets_sent],
        "the API names the transit that loses, with all its packets");
    const rest = (all.packets_retransmitted - lossy.packets_retransmitted) / (all.packets_sent - lossy.packets_sent);
    const said = await page.textContent(".lost-said");
    equal(await page.textContent(".lost-said .suspect"), `AS${lossy.via} ${lossy.via_name}`, "the first card names the transit that loses, by number and name");
    check([lossy.packets_retransmitted / all.packets_retransmitted, lossy.retransmit_rate, rest].every((v) => said.includes(percent(v))), "with its share, its rate and the others'", said);
    const since = Date.parse(await page.getAttribute(".lost-said time", "datetime")), began = (setting.now - 7200) * 1000;
    check(said.includes("since") && Math.abs(since - began) <= 10 * 60e3, "and since when", `${new Date(since).toISOString()} ${new Date(began).toISOString()}`);
    equal(since, Date.parse(first.since), "as the API says");
    check((await page.textContent(".lost-more")).includes(percent(first.share)), "with the share of the bytes");
    equal(await values(page, ".lost-more data"), [first.excess], "and the excess");
    const excess = (r) => excessOf(r, all);
    const rows = `${cardOf("Worst networks")} tbody tr`;
    const bottom = await page.$$eval(`.lost, ${rows}:nth-child(5)`, (list) => list.map((e) => e.getBoundingClientRect().bottom));
    check(bottom.length === 2 && bottom.every((y) => y <= 800), "the card and five of the worst networks are on the first screen", bottom);
    const legend = await page.$$eval(`${GROUPS} .legend-name`, (list) => list.map((e) => [e.textContent, e.title]));
    check(legend.length > 2 && legend.every(([text, title]) => text === title && (/^AS\d+ \S/.test(text) || text === "Other")), "the legend has numbers and names", JSON.stringify(legend));
    for (const [query, order] of [[{worst: "via"}, excess], [{worst: "via", rank: "rate"}, (r) => wilson(r.packets_retransmitted, r.packets_sent)]]) {
        await go(page, "/" + fixed(query));
        const expected = via.rows.filter((r) => r.packets_sent >= 1000 && order(r) > 0).sort((a, b) => order(b) - order(a)).slice(0, 12).map((r) => `AS${r.via}`);
        equal(await page.$$eval(`${rows} td:first-child .asn`, (list) => list.map((e) => e.textContent)), expected, `any AS, the worst by ${query.rank ?? "excess"}`);
    }
    await go(page, "/" + fixed({measure: "retransmit_rate", by: "via"}));
    check((await page.$$eval(`${GROUPS} .legend-name`, (list) => list.map((e) => e.textContent)))[0].startsWith(`AS${setting.lossy} `), "the chart of rates begins with it, not with the largest");
    equal(await page.textContent(".legend li:nth-child(2) .n"), percent(lossy.retransmit_rate), "and its mean is the rate over all packets");
    await click(page, ".lost-said .suspect");
    check(new URL(page.url()).pathname === "/networks" && new URL(page.url()).searchParams.get("filter") === `via:${setting.lossy}`, "the sentence leads to what is behind it", page.url());
    await go(page, "/?" + new URLSearchParams({from: at(-12), to: at(-6)}));
    check((await page.textContent(".lost-said")).startsWith("Nothing stands out"), "before, nothing stood out", await page.textContent(".lost-said"));
    const asked = [];
    page.on("request", (r) => asked.push(new URL(r.url())));
    await go(page, "/" + fixed({filter: "router:fra1 type:web via:64500"}));
    equal(asked.filter((u) => u.pathname === "/api/v1/changes").map((u) => u.searchParams.get("filter")), ["router:fra1 via:64500"], "path changes follow the filter");
    check((await page.textContent(cardOf("Path changes"))).includes("not by type:web"), "and say what they cannot follow");
    equal(page.problems, [], "whom to call: no complaint on the console");
    await page.context().close();
}

const near = (a, b) => a === b || Math.abs(a / b - 1) < 1e-6;

// The dashed line: what it is, by eye, in the table and without a mouse.
async function periodBefore(browser) {
    const asked = [];
    const page = await open(browser, "/" + fixed({by: "none"}), {}, setting.url, (p) => p.on("request", (r) => asked.push(new URL(r.url()))));
    const questions = () => asked.splice(0).filter((u) => u.pathname === "/api/v1/series" && !u.searchParams.get("filter"));
    const before = await api("series", {from: at(-12), to: at(-6), by: "", points: 120, fields: "bytes_sent"});
    const first = questions();
    equal(first.map((u) => u.searchParams.get("compare")), ["previous"], "the period before comes with the question that is asked already");
    check(near(perSecond((await page.textContent("#before")).replace(/^.*?(?=[\d.]+\s[kMG]?bit)/, "")), perSecond(units(before.total.bytes_sent * 8 / 21600))), "its mean stands in the legend",
        await page.textContent("#before"));
    const clock = (hours) => new Date(Date.parse(at(hours))).toLocaleTimeString("en-GB", {timeZone: "Europe/Berlin", hour: "2-digit", minute: "2-digit"});
    check((await page.textContent("#before")).includes(`${clock(-12)} – `), "with what time that was", await page.textContent("#before"));
    check(/dashed: all in the period before/.test(await page.getAttribute(".chart-overview-series", "aria-label")), "who does not see the chart is told");
    await page.locator("#as-table").focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector(".as-table:has(#as-table) tbody td");
    const drawn = (await values(page, ".as-table:has(#as-table) tbody td:last-child data")).reverse();
    const rows = new Map(before.rows.map((r) => [Date.parse(r.time), r.bytes_sent * 8 / before.step]));
    const starts = Array.from({length: 21600 / before.step}, (_, i) => Date.parse(at(-12)) + i * before.step * 1000);
    check(drawn.length === starts.length && drawn.every((v, i) => near(v, rows.get(starts[i]) ?? 0)), "each point is the API's figure of that time", JSON.stringify(drawn.slice(0, 5)));
    await page.locator("#before").focus();
    await page.keyboard.press("Enter");
    await ready(page);
    equal([new URL(page.url()).searchParams.get("before"), questions().map((u) => u.searchParams.get("compare")), await page.locator("#before .n").count(),
        await page.locator(".as-table:has(#as-table) thead th").count()], ["off", [null], 0, 2], "it can be put away, by keyboard; then nothing is asked about it");
    equal(await page.evaluate(() => document.activeElement.id), "before", "the focus stays");
    await go(page, "/networks" + fixed());
    check((await page.textContent(".before-note")).includes(clock(-12)), "Networks tells it too", await page.textContent(".before-note"));
    await click(page, "#before");
    check(page.url().includes("before=off") && !(await page.textContent(".before-note")).includes(clock(-12)), "and puts it away");
    await go(page, "/?" + new URLSearchParams({from: at(-40), to: at(-30)}));
    equal(page.problems, [], "period before: no complaint on the console");
    await page.context().close();
}

// A rate as the page writes it.
const units = (v) => {
    const i = Math.floor(Math.log10(v) / 3), n = v / 1000 ** i;
    return `${n.toFixed(n >= 100 ? 0 : n >= 10 ? 1 : 2)} ${["", "k", "M", "G"][i]}bit/s`;
};

async function percentile(browser) {
    const page = await open(browser, "/" + fixed());
    const {throughput} = await api("series", {...RANGE, by: "neighbour", limit: 7, percentile: 95, fields: "bytes_sent"});
    equal([throughput.step, throughput.samples], [300, 72], "six hours are 72 samples");
    equal(await values(page, "#p95 data"), [throughput.total.percentile_bps], "the 95th percentile stands beside the average");
    const expected = [...throughput.rows, throughput.other].map((r) => [units(r.percentile_bps), units(r.max_bps)]);
    const shown = await page.$$eval(GROUPS, (list) => list.map((e) => [...e.querySelectorAll(".n")].slice(1).map((n) => n.textContent.replaceAll("\u00a0", " "))));
    equal(shown, expected.slice(0, shown.length), "and those of each group in the legend, with the highest of the same samples");
    await page.locator("#p95").focus();
    check(/72 means over 5.min/.test(await page.textContent("#hint")) && await page.locator("#hint").isVisible(), "on focus it is told what it is of", await page.textContent("#hint"));
    equal(await page.getAttribute("#p95", "aria-describedby"), "hint", "to screen readers as well");
    await page.keyboard.press("Escape");
    check(await page.locator("#hint").isHidden(), "Escape takes it away");
    await go(page, "/?" + new URLSearchParams({from: at(-1), to: at(0)}));
    equal([await page.locator("#p95").count(), await page.locator(".legend-head .n").count()], [0, 2], "of an hour there is none: twelve samples are too few");
    equal(page.problems, [], "percentile: no complaint on the console");
    await page.context().close();
}

// All that is measured, in the chart and in the table.
async function measures(browser) {
    const page = await open(browser, "/" + fixed({by: "router"}));
    const {rows} = await api("top", {...RANGE, by: "router", limit: 7});
    const figures = {rtt_p95_us: null, connections: (r) => r.connections / 21600, requests: (r) => r.requests / 21600, open: (r) => r.duration_ms / 1000 / 21600,
        goodput: (r) => r.goodput_met / r.goodput_tested, spurious: (r) => r.packets_spurious / r.packets_retransmitted,
        again: (r) => r.bytes_retransmitted * 8 / 21600, received: (r) => r.bytes_received * 8 / 21600};
    const number = (text) => parseFloat(text.replace(/,/g, "")) * {k: 1e3, M: 1e6, G: 1e9, "%": 0.01}[/[kMG%]/.exec(text)?.[0]] || parseFloat(text);
    equal(await page.$$eval("#select-measure option", (list) => list.map((e) => e.value)), ["", ...Object.keys(figures)], "the further measures are in a list");
    for (const [name, of] of Object.entries(figures)) {
        await page.selectOption("#select-measure", name);
        await ready(page);
        const got = await page.$$eval(GROUPS, (list) => Object.fromEntries(list.map((e) => [e.querySelector(".legend-name").textContent, e.querySelector(".n").textContent])));
        check(rows.every((r) => r.router in got && (!of || Math.abs(number(got[r.router]) - of(r)) <= 0.02 * of(r) + 0.005)), `the chart of ${name}: each group's mean is the API's`,
            JSON.stringify([got, of && rows.map((r) => [r.router, of(r)])]));
    }
    await page.locator(".about").first().focus();
    check((await page.textContent("#hint")).length > 20, "what is measured is told on focus");
    for (const [map, legend] of [["goodput", "goodput target: ≥ 99 %"], ["rtt_p50_us", "round-trip times"], ["bytes_sent", "little to much"]]) {
        await click(page, `#map-${map}`);
        check((await page.getAttribute(".rate-legend", "aria-label")).includes(legend), `the map by ${map} has its own legend`);
        await page.waitForSelector(".chart-overview-map[data-drawn]");
    }
    equal(page.problems, [], "measures: no complaint on the console");
    await page.context().close();
}

async function columns(browser) {
    const page = await open(browser, "/networks" + fixed({by: "router"}));
    const {rows, total} = await api("top", {...RANGE, by: "router", limit: 50});
    const column = async (name) => (await page.$$eval(".networks thead th", (list) => list.map((e) => e.textContent.replace("▼", "")))).indexOf(name) + 1;
    equal(await column("Goodput met"), 0, "at first there are the figures of every day");
    await page.locator("#columns").focus();
    await page.keyboard.press("Enter");
    for (const [id, name, of] of [["throughput", "Throughput", (r) => r.bytes_sent * 8 / 21600], ["again_bytes", "Bytes again", (r) => r.bytes_retransmitted],
        ["spurious", "Needless", (r) => r.packets_spurious / r.packets_retransmitted], ["goodput", "Goodput met", (r) => r.goodput_met / r.goodput_tested],
        ["hit", "Hit", (r) => r.connections_with_retransmit / r.connections], ["duration", "Open", (r) => r.duration_ms / r.connections / 1000],
        ["requests", "Requests", (r) => r.requests], ["received", "Received", (r) => r.bytes_received], ["packets", "Packets", (r) => r.packets_sent]]) {
        await page.locator(`#column-${id}`).focus();
        check((await page.textContent("#hint")).length > 10 && await page.getAttribute(`#column-${id}`, "aria-describedby") === "hint", `${name} is explained`);
        await page.keyboard.press("Space");
        await ready(page);
        const n = await column(name);
        check(n > 0 && new URL(page.url()).searchParams.get("columns").split(",").includes(id), `${name} is a column, by keyboard, and in the address`, page.url());
        const got = await values(page, `.networks tbody td:nth-child(${n}) data`), all = await values(page, `.networks tfoot .total td:nth-child(${n}) data`);
        check(got.length === rows.length && rows.every((r, i) => near(got[i], of(r))) && near(all[0], of(total)), `${name}: the API's figures, and of all`, JSON.stringify([got, rows.map(of), all]));
        equal(await page.evaluate(() => document.activeElement.id), `column-${id}`, "the list stays open");
    }
    await page.keyboard.press("Escape");
    check(!await page.locator("#column-bytes").isVisible(), "Escape closes it");
    await click(page, "#sort-requests");
    const sorted = await values(page, `.networks tbody td:nth-child(${await column("Requests")}) data`);
    equal(sorted, rows.map((r) => r.requests).sort((a, b) => b - a), "what is chosen can be sorted by");
    await go(page, "/networks" + fixed({by: "router", columns: "none"}));
    equal(await page.locator(".networks thead th").count(), 2, "none at all");
    await page.click("#columns");
    await click(page, "#columns-first");
    check(!page.url().includes("columns") && await column("Share") > 0, "and back to those of every day", page.url());
    equal(page.problems, [], "columns: no complaint on the console");
    await page.context().close();
}

async function networks(browser) {
    const page = await open(browser, "/networks" + fixed({by: "country"}));
    const rows = ".networks tbody tr";
    const countries = await api("top", {...RANGE, by: "country", limit: 50});
    equal(await values(page, `${rows} td:nth-child(3) data`), countries.rows.map((r) => r.bytes_sent), "Networks shows bytes by country");
    equal(await values(page, `${rows} td:nth-child(6) data`), countries.rows.map((r) => r.retransmit_rate), "and retransmit rates");
    equal(await values(page, ".networks tfoot .total td:nth-child(3) data"), [countries.total.bytes_sent], "and their sum");
    equal(await page.locator(`${rows} svg.spark`).count(), countries.rows.length, "and a line each");
    const few = countries.rows.filter((r) => r.packets_sent < 1000).length;
    check(few >= 1 && (await page.locator(`${rows}.little .few`).count()) >= few, "few packets are marked");

    await click(page, "#sort-retransmit_rate");
    const shown = await page.$$eval(rows, (list) => list.map((tr) => [tr.classList.contains("little"), Number(tr.cells[5].querySelector("data").value)]));
    const firstFew = shown.findIndex(([little]) => little);
    check(page.url().includes("sort=retransmit_rate") && firstFew === shown.length - few &&
        shown.slice(0, firstFew).every(([, v], i) => !i || v <= shown[i - 1][1]), "sorted by rate, few packets last", JSON.stringify(shown));
    equal(await page.getAttribute("th:has(#sort-retransmit_rate)", "aria-sort"), "descending", "the header says so");

    // From a country to its path.
    await go(page, "/networks" + fixed({by: "country"}));
    await click(page, `${rows}:first-child a`);
    const code = countries.rows[0].country;
    const origins = await api("top", {...RANGE, by: "origin", filter: `country:${code}`});
    equal(await values(page, `${rows} td:nth-child(3) data`), origins.rows.map((r) => r.bytes_sent), "a country leads to its origin ASes");
    await click(page, `${rows}:first-child a`);
    await click(page, `${rows}:first-child a`);
    const filter = new URL(page.url()).searchParams.get("filter");
    const paths = await api("top", {...RANGE, by: "path", filter});
    check(/^country:\S+ origin:\d+ prefix:\S+$/.test(filter), "then to prefixes and paths", filter);
    equal(await values(page, `${rows} td:nth-child(3) data`), paths.rows.map((r) => r.bytes_sent), "the paths have the API's figures");
    await click(page, ".chip >> nth=1");
    check(!new URL(page.url()).searchParams.get("filter").includes("origin:"), "a term of the filter can be taken away", page.url());
    equal(page.problems, [], "Networks: no complaint on the console");
    await page.context().close();
}

// Letters as fast as can be: no answer comes between two.
const typeAtOnce = (page, text) => page.$eval("#filter", (input, letters) => {
    for (const letter of letters) {
        input.setRangeText(letter, input.selectionStart, input.selectionEnd, "end");
        input.dispatchEvent(new Event("input", {bubbles: true}));
    }
}, text);
const COMPLETE = "**/api/v1/complete?*";
const askedFor = (page, prefix) => page.waitForRequest((r) => r.url().includes("/api/v1/complete") && new URL(r.url()).searchParams.get("prefix") === prefix);

// What is asked while somebody types, what is offered meanwhile, and what is said when there is no answer.
async function completion(page) {
    const asked = [];
    page.on("request", (request) => request.url().includes("/api/v1/complete") && asked.push(new URL(request.url()).searchParams.get("prefix")));
    await page.fill("#filter", "country:");
    await page.waitForSelector('#offers:has-text("Germany"):has-text("France")');
    asked.length = 0;
    let answer;
    const may = new Promise((done) => answer = done);
    await page.route(COMPLETE, (route) => may.then(() => route.continue()));
    const question = askedFor(page, "ger");
    await typeAtOnce(page, "ger");
    equal(await page.locator("#offers [role=option]").count(), 1, "what is offered fits what is typed, before there is an answer");
    await page.keyboard.press("ArrowDown");
    await page.$eval("#offer-0", (e) => e.classList.add("before-the-answer"));
    await question;
    answer();
    await page.waitForSelector("#offer-0:not(.before-the-answer)");
    await page.unroute(COMPLETE);
    equal(asked, ["ger"], "not every letter is a question");
    check((await page.textContent("#offers [aria-selected=true]")).includes("Germany"), "what was chosen stays chosen when there is");
    await page.route(COMPLETE, (route) => route.abort());
    await page.keyboard.type("m");
    await page.waitForSelector('#offers-trouble:has-text("The collector does not answer")');
    check(await page.locator("#offers").isHidden(), "without an answer nothing is offered, and it says why");
    await page.unroute(COMPLETE);
    await page.keyboard.press("Backspace");
    await page.waitForSelector('#offers:has-text("Germany")');
    equal(await page.textContent("#offers-trouble"), "", "with one it is as before");
}

async function filters(browser) {
    const page = await open(browser, "/networks" + fixed());
    await page.keyboard.press("/");
    await page.waitForSelector("#offer-0");
    await page.keyboard.press("Tab");
    equal([await page.inputValue("#filter"), await page.evaluate(() => document.activeElement.id !== "filter")], ["", true], "who passes the filter by Tab leaves nothing in it");
    await page.keyboard.press("/");
    await page.keyboard.type("cou");
    await page.waitForSelector("#offer-0");
    await page.keyboard.press("Tab");
    await page.keyboard.type("germ");
    await page.waitForSelector('#offers:has-text("Germany")');
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await ready(page);
    equal(new URL(page.url()).searchParams.get("filter"), "country:DE", "a filter is completed by keyboard, from names too");
    await page.fill("#filter", "country:DE contry:FR");
    await page.press("#filter", "Enter");
    await ready(page);
    check((await page.textContent("#content")).includes("contry") && (await page.textContent(".excerpt")).includes("^"), "a mistake is pointed at");
    equal(await page.evaluate(() => document.activeElement.id), "filter", "where it can be mended");
    check(await page.locator("#offers").isHidden(), "nothing lies over it");
    for (const [typed, how] of [["asia", "ArrowDown"], ["-type:api carrier asia", ""], ["ASIA", ""]]) {
        await page.fill("#filter", typed);
        if (how) {
            await page.waitForSelector('#offers:has-text("Sample Carrier Asia")');
            check((await page.textContent("#offers")).includes("via:64501"), "a name is found in all dimensions", await page.textContent("#offers"));
            await page.keyboard.press(how);
            await page.keyboard.press("Enter");
        }
        await page.keyboard.press("Enter");
        await page.waitForURL(/via/);
        await ready(page);
        equal(new URL(page.url()).searchParams.get("filter"), typed.startsWith("-") ? "-type:api via:64501" : "via:64501", `“${typed}” is the AS of that name`);
        check((await page.locator(".networks tbody tr").count()) > 0 && await page.locator("#offers").isHidden(), "and shows its traffic, the list gone");
        await go(page, "/networks" + fixed());
    }
    page.problems.length = 0; // the browser notes the 400
    await go(page, "/networks" + fixed({filter: "country:AQ"}));
    check((await page.textContent(".empty")).includes("No traffic passes this filter"), "nothing found says what to do");
    await click(page, '.empty a:has-text("Remove the filter")');
    check((await page.locator(".networks tbody tr").count()) > 1, "and doing it helps");
    equal(page.problems, [], "filters: no complaint on the console");
    await completion(page);
    await page.context().close();
}

// All that a page asks about traffic is of one range, which it shows; averages and changes are over what there is of it.
async function coverage(browser) {
    const asked = new Set();
    const page = await open(browser, "/?last=4h", {}, setting.url, (p) => p.on("request", (r) => {
        const at = new URL(r.url());
        if (/^\/api\/v1\/(top|series|sparklines|countries|paths|changes)/.test(at.pathname))
            asked.add(`${at.searchParams.get("from")} ${at.searchParams.get("to")} ${at.searchParams.get("last")}`);
    }));
    await go(page, "/networks?last=4h");
    await go(page, "/paths?last=4h");
    const [from, to, last] = [...asked][0].split(" ");
    const hours = (Date.parse(to) - Date.parse(from)) / 3600e3;
    check(last === "null" && /:00:00Z$/.test(from) && hours === 5 && [...asked].every((range) => Date.parse(range.slice(0, 20)) - Date.parse(from) <= 3600e3),
        "all questions of a page name the same two ends", [...asked].join("\n"));
    if (asked.size > 1) // the hour has changed meanwhile
        note([...asked].join("\n"));
    const before = Date.now();
    await go(page, "/?last=4h");
    const begins = [before, Date.now()].map((now) => new Date(Math.floor(now / 3600e3) * 3600e3 - 4 * 3600e3)
        .toLocaleTimeString("en-GB", {timeZone: "Europe/Berlin", hour: "2-digit", minute: "2-digit"}));
    const covers = await page.textContent("#covers");
    check(begins.some((begin) => covers.includes(`${begin} – `)), "what is covered is shown", `${begins}: ${covers}`);
    await go(page, "/?last=7d");
    const {since} = await api("since");
    const {total} = await api("top", {by: "", last: "7d", fields: "bytes_sent"});
    const average = total.bytes_sent * 8 / (Date.now() - Date.parse(since)) * 1000;
    const shown = await page.$eval("#tile-bytes .tile-extra", (e) => e.textContent.replaceAll("\u00a0", " "));
    const value = parseFloat(shown) * {k: 1e3, M: 1e6, G: 1e9}[/ ([kMG])bit/.exec(shown)[1]];
    check(Math.abs(value / average - 1) < 0.02, "a young store: the average is over what there is", `${shown}, expected ${average}`);
    check((await page.textContent("#covers")).includes("no earlier data"), "which is said", await page.textContent("#covers"));
    equal(await page.$$eval(".tile .change", (list) => [...new Set(list.map((e) => e.textContent))]), ["no earlier data"], "nothing is compared with what is not there");
    await go(page, "/networks?last=24h");
    check(!/>\s*999/.test(await page.textContent("main")), "no change is more than a number");
    equal(page.problems, [], "coverage: no complaint on the console");
    await page.context().close();
}

// Whatever stands in an address, the page lives.
async function badAddress(browser) {
    for (const search of ["from=foo&to=bar", "from=2026-11-27T10:00:00Z&to=bar", "last=foo", "from=99999999999999999", "last=99999999999w", "from=-1h&to=-2h", "last=forever"]) {
        const page = await open(browser, "/?" + search);
        const text = await page.textContent("#content");
        check(/w$|ever$/.test(search) || /is no time|is no duration|before it begins/.test(text), `?${search}: what is wrong with it is said`, text);
        if (/no (time|duration)/.test(text)) {
            await click(page, '#content a:has-text("Look at the last 6 hours")');
            check((await page.locator(".tile").count()) === 5 && !page.url().includes("from"), "and the way out leads to figures", page.url());
        }
        equal(page.problems, [], `?${search}: no complaint on the console`);
        await page.context().close();
    }
}

async function ranges(browser) {
    const page = await open(browser, "/networks");
    await page.selectOption("#range", "1h");
    await ready(page);
    equal(new URL(page.url()).searchParams.get("last"), "1h", "a range is chosen");
    await page.selectOption("#range", "custom");
    await page.fill("#range-from", "2026-01-02T03:00");
    await page.fill("#range-to", "2026-01-02T04:00");
    await page.click("dialog .primary");
    await ready(page);
    equal(new URL(page.url()).search, "?from=2026-01-02T02:00:00Z&to=2026-01-02T03:00:00Z", "a range in local time");
    check((await page.textContent("#range")).includes("2026-01-02 03:00 – 2026-01-02 04:00"), "is shown in local time");
    await click(page, ".zone");
    check((await page.textContent("#range")).includes("2026-01-02 02:00 – 2026-01-02 03:00"), "and in UTC");
    check((await page.textContent(".empty")).includes("No traffic in this range"), "an empty range says so");
    await go(page, "/" + fixed());
    await page.waitForSelector(".chart-overview-series[data-drawn] canvas");
    await page.fill("#filter", "-type:api"); // what is chosen in a chart goes with what was chosen since it was drawn first
    await page.press("#filter", "Enter");
    await ready(page);
    const box = await page.locator(".chart-overview-series canvas").boundingBox();
    await page.mouse.move(box.x + box.width * 0.4, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2, {steps: 5});
    await page.mouse.up();
    await page.waitForFunction((from) => new URLSearchParams(location.search).get("from") !== from, RANGE.from).catch(() => {});
    const chosen = new URL(page.url()).searchParams;
    check(chosen.get("from") > RANGE.from && chosen.get("to") < RANGE.to, "dragging across a chart chooses that time", page.url());
    equal(chosen.get("filter"), "-type:api", "and keeps the filter");
    equal(page.problems, [], "ranges: no complaint on the console");
    await page.context().close();
}

async function pathsPage(browser) {
    const page = await open(browser, "/paths" + fixed());
    const flow = await api("paths", {...RANGE, nodes: 12, limit: 25});
    await page.waitForSelector(".chart-paths-flow[data-drawn] canvas");
    equal(await values(page, `${cardOf("Paths with the most traffic")} td:nth-child(3) data`), flow.rows.map((r) => r.bytes_sent), "Paths shows the paths' bytes");
    check((await page.textContent(cardOf("Paths with the most traffic"))).includes("Example Lossy Transit"), "with names");
    check((await page.getAttribute(".chart-paths-flow", "aria-label")).includes("3 routers"), "the flow has its routers");
    await page.locator("#flow-table").focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector(".as-table tbody td");
    const links = await values(page, ".as-table tbody td:nth-child(4) data");
    equal(links.sort((a, b) => a - b), flow.links.map((l) => l.bytes_sent).sort((a, b) => a - b), "the flow is there as a table");
    await page.locator(".as-table tbody a").first().focus();
    await page.keyboard.press("Enter");
    await ready(page);
    check(/^router:/.test(new URL(page.url()).searchParams.get("filter")), "a node can be kept to by keyboard", page.url());
    equal(page.problems, [], "Paths: no complaint on the console");
    await page.context().close();
}

// Each line against the API: its place on the axis, its figures, and where it leads.
async function incidentsPage(browser) {
    const page = await open(browser, "/incidents" + fixed());
    const {rows, more, step} = await api("incidents", RANGE), episodes = rows.filter((row) => row.kind !== "path");
    check(rows.some((row) => row.kind === "loss"), "there is a loss", JSON.stringify(rows.map((row) => row.verdict)));
    equal([more, step], [0, 300], "all of it, to five minutes");
    equal(await page.$$eval(".incidents .kind", (list) => list.map((e) => e.classList[1])), rows.map((row) => row.kind), "Incidents has a line each");
    equal(await page.$$eval(".incidents td.where > a", (list) => list.map((e) => e.title)), rows.map((row) => row.verdict), "with its sentence");
    const column = (n) => values(page, `.incidents td:nth-child(${n}) data`);
    equal(await column(6), episodes.map((row) => row.kind === "loss" ? row.inside.retransmit_rate : row.inside.rtt_p50_us), "the figure in its time");
    equal(await column(7), episodes.map((row) => row.kind === "loss" ? row.outside.retransmit_rate : row.outside.rtt_p50_us), "and at other times");
    equal(await column(8), rows.filter((row) => row.kind === "loss").map((row) => row.retransmit_share), "its part of all that was sent again");
    const from = Date.parse(RANGE.from), length = Date.parse(RANGE.to) - from, part = (time, otherwise) => 100 * (time ? Date.parse(time) - from : otherwise) / length;
    const drawn = await page.$$eval(".incidents .lane i", (list) => list.map((e) => [parseFloat(e.style.left), parseFloat(e.style.left) + parseFloat(e.style.width)]));
    const wanted = rows.map((row) => [part(row.begin, 0), part(row.end, length)]);
    check(drawn.length === wanted.length && drawn.every((ends, i) => ends.every((x, k) => Math.abs(x - wanted[i][k]) < 0.01)), "drawn from when to when", `${JSON.stringify(drawn)} ${JSON.stringify(wanted)}`);
    const with_ = await page.$$eval(".incidents tbody tr", (list) => list.map((e) => [...e.querySelectorAll("a[href^='#incident']")].map((a) => Number(a.textContent) - 1)));
    equal(with_, rows.map((row) => row.with), "and what is beside it");
    const loss = rows.findIndex((row) => row.kind === "loss");
    await click(page, `.incidents tbody tr:nth-child(${loss + 1}) td.where > a`);
    const {searchParams, pathname} = new URL(page.url());
    equal([pathname, searchParams.get("filter"), searchParams.get("from")], ["/networks", rows[loss].filter, rows[loss].begin ?? RANGE.from], "a line leads to its traffic in its own time");
    for (const [filter, text] of [["router:ams1 origin:65000", "No incident of this traffic was found"], ["type:nosuch", "No traffic passes this filter"]]) {
        await go(page, "/incidents" + fixed({filter}));
        check((await page.textContent("#content")).includes(text), `where nothing happened it says what is looked for, without traffic that there is none: ${filter}`,
            await page.textContent("#content"));
    }
    equal(page.problems, [], "Incidents: no complaint on the console");
    await page.context().close();
}

// Both tables against the API, from their sentences down to the ends of whiskers.
async function comparePage(browser) {
    const page = await open(browser, "/compare" + fixed({by: "prefix"}));
    const {rows, networks} = await api("compare", {...RANGE, limit: 15}), lines = rows.flatMap((row) => row.sides);
    const cells = (column) => `.compare tbody td:nth-child(${column})`;
    check(rows.some((row) => row.retransmits.verdict === "better") && rows.some((row) => row.rtt.verdict === "same"), "there are verdicts of more than one kind", JSON.stringify(networks));
    equal(await values(page, "#compare-said data"), [networks.compared, networks.retransmits.better, networks.rtt.better, networks.at_stake_bytes, networks.bytes_sent],
        "Compare says how many networks have a better side, and how much goes by the worse");
    equal(await page.$$eval(`.compare tr.first td:first-child`, (list) => list.map((e) => e.textContent)), rows.map((row) => row.prefix), "each network once");
    equal(await values(page, `${cells(2)} data`), rows.map((row) => row.at_stake_bytes).filter(Boolean), "with what is at stake, the most first");
    equal(await page.$$eval(cells(3), (list) => list.map((e) => e.textContent)), lines.map((side) => side.router), "a line each router");
    equal(await values(page, `${cells(4)} data`), lines.map((side) => side.bytes_sent), "with its bytes");
    equal(await values(page, `${cells(5)} data`), lines.map((side) => side.retransmit_rate), "its retransmits");
    equal(await values(page, `${cells(8)} data`), lines.map((side) => side.rtt.value), "its round-trip time");
    for (const [column, name] of [[7, "retransmits"], [10, "rtt"]])
        equal(await page.$$eval(`${cells(column)} .verdict`, (list) => list.map((e) => e.lastChild.textContent)), lines.map((side) => side[name].verdict), `and its verdict in ${name}, in words`);
    const drawn = await page.$$eval(`${cells(6)} .whisker`, (list) => list.map((e) => {
        const [low, high] = e.querySelector(".within").getAttribute("d").match(/[\d.]+/g).map(Number).filter((_, i) => i === 0 || i === 2);
        return [low, Number(e.querySelector("circle").getAttribute("cx")), high];
    }));
    const at = (v, row) => 4 + 112 * v / Math.max(...row.sides.map((side) => side.retransmits.high));
    const ends = rows.flatMap((row) => row.sides.map(({retransmits: r}) => [r.low, r.value, r.high].map((v) => at(v, row))));
    check(drawn.length === lines.length && drawn.every((three, i) => three.every((x, k) => Math.abs(x - ends[i][k]) < 0.06)), "whiskers end where the intervals do", `${drawn[0]} ${ends[0]}`);
    check((await page.getAttribute(".whisker", "aria-label")).includes("95 % interval"), "and say so");
    await peeringTable(page);
    await click(page, "#between-neighbour");
    const other = await api("compare", {...RANGE, limit: 15, between: "neighbour"});
    equal(await values(page, `${cells(4)} data`), other.rows.flatMap((row) => row.sides).map((side) => side.bytes_sent), "neighbours are compared, too");
    await click(page, `${cells(3)} a`);
    check(new URL(page.url()).pathname === "/networks" && /^prefix:\S+ neighbour:\d+$/.test(new URL(page.url()).searchParams.get("filter")), "a side leads to its networks", page.url());
    await go(page, "/compare" + fixed({by: "prefix", filter: "router:ams1"}));
    check((await page.textContent("#content")).includes("No network that passes this filter"), "where there is nothing to compare it says what to do");
    await click(page, `.button:text-is("Remove the filter")`);
    equal(await page.locator(".compare tr.first").count(), rows.length, "and that helps");
    equal(page.problems, [], "Compare: no complaint on the console");
    await page.context().close();
}

async function peeringTable(page) {
    const {rows, transit, origins} = await api("peering", {...RANGE, limit: 10});
    const cells = (column) => `.peering tbody td:nth-child(${column}) > data, .peering tbody td:nth-child(${column}) .rate data`;
    equal(await values(page, "#peering-said data"), [transit.bytes_sent, transit.share, origins], "whom to peer with: the sum");
    equal(await page.$$eval(".peering td:first-child .asn", (list) => list.map((e) => e.textContent)), rows.map((row) => `AS${row.origin}`), "the origins with the most by transit");
    for (const [column, of] of [[2, (row) => row.bytes_sent], [3, (row) => row.bytes_sent * 8 / 21600], [6, (row) => row.retransmit_rate], [7, (row) => row.rtt_p50_us]])
        equal(await values(page, cells(column)), rows.map(of), `and column ${column}`);
    equal(await values(page, ".peering td.whom data"), rows.flatMap((row) => row.transit.slice(0, 3).map((way) => way.share)), "by whom, and which part");
}

async function glass(browser) {
    const page = await open(browser, "/routes");
    await page.fill("#q", "100.64.1.1");
    await page.press("#q", "Enter");
    await ready(page);
    const {rows} = await api("lookup", {address: "100.64.1.1"});
    const shown = await page.$$eval("tbody tr", (list) => list.map((tr) => [tr.cells[0].textContent, tr.cells[1].textContent, [...tr.cells[2].querySelectorAll(".asn")].map((e) => e.textContent).join(" ")]));
    equal(shown, rows.map((r) => [r.router, r.prefix, r.path]), "Routes: an address in every router's table");
    await click(page, "tbody tr:first-child a");
    equal(new URL(page.url()).searchParams.get("q"), "100.64.0.0/20", "a prefix can be asked for");
    equal(await page.locator("tbody tr").count(), 3, "and is in three tables");
    await page.fill("#q", "hello");
    await page.press("#q", "Enter");
    await ready(page);
    equal([await page.inputValue("#q"), await page.locator("#router").count()], ["hello", 1], "what cannot be looked up stays in its form");
    check(/“hello” is no address.*203\.0\.113\.9/.test(await page.textContent(".empty")) && !(await page.textContent("main")).includes("6 hours"), "with a sentence and an example",
        await page.textContent("main"));
    page.problems.length = 0; // the browser notes the 400
    await go(page, "/routes?q=origin:65001&router=fra1");
    equal(await page.locator("tbody tr").count(), 1, "a filter and a router");
    equal(page.problems, [], "Routes: no complaint on the console");
    await page.context().close();
}

async function states(browser) {
    const page = await open(browser, "/senders");
    const {rows} = await api("senders");
    const ledger = {5: "sent", 6: "stored", 7: "in_flight", 9: "lost", 10: "earlier", 11: "dropped", 12: "datagrams", 13: "sessions"};
    for (const [column, name] of Object.entries(ledger))
        equal(await values(page, `tbody td:nth-child(${column}) data`), rows.map((r) => r[name]), `Senders shows ${name}`);
    check((await page.textContent("tbody tr:first-child")).includes("closes"), "which closes");
    await go(page, "/routers");
    equal(await page.locator(".card").count(), 3, "Routers shows three");
    check((await page.textContent("main")).includes("first source answers"), "and their state");
    const sources = (await api("routers")).rows.flatMap((r) => r.sources);
    for (const [column, name] of Object.entries({6: "prefixes", 7: "routes", 8: "peers"}))
        equal(await values(page, `tbody td:nth-child(${column}) data`), sources.map((r) => r[name]), `Routers shows ${name}`);
    equal(await page.$$eval("tbody .state", (list) => list.map((e) => e.className)), sources.map((r) => `state ${r.state}`), "each source in the colour of its state");
    const colours = await page.$$eval("tbody .state, h2 .state", (list) => [...new Set(list.map((e) => getComputedStyle(e, "::before").backgroundColor))]);
    check(colours.length === 1, "what is well has one colour", colours);
    equal(page.problems, [], "Senders, Routers: no complaint on the console");
    await page.context().close();
}

const background = (page) => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);

async function themes(browser) {
    const page = await open(browser, "/" + fixed(), {colorScheme: "dark"});
    const dark = await background(page);
    await page.click("#theme");
    const light = await background(page);
    check(dark !== light, "dark as the system, light as chosen", `${dark} ${light}`);
    await page.reload();
    await ready(page);
    equal(await background(page), light, "the choice lasts");
    equal(page.problems, [], "themes: no complaint on the console");
    await page.context().close();
}

async function phone(browser) {
    const page = await open(browser, "/" + fixed(), {viewport: {width: 390, height: 844}, isMobile: true, hasTouch: true});
    for (const [path, title] of Object.entries(PAGES)) {
        await go(page, path + (["/", "/networks", "/paths", "/compare", "/incidents"].includes(path) ? fixed() : ""));
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        check(width <= 390, `${title} fits 390 pixels`, width);
        const cut = await page.$$eval(".segmented", (list) => list.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.ariaLabel));
        equal(cut, [], "no choice is cut");
        const cues = await page.$$eval(".scroll", (list) => list.filter((e) => e.scrollWidth > e.clientWidth && !getComputedStyle(e).backgroundAttachment.includes("scroll")).length);
        equal(cues, 0, "what can be scrolled shows that");
    }
    equal(page.problems, [], "phone: no complaint on the console");
    await page.context().close();
}

async function token(browser) {
    const page = await open(browser, "/", {}, setting.guarded);
    page.problems.length = 0; // the browser notes each 401
    check((await page.textContent("#content")).includes("asks for a token"), "a token is asked for");
    await page.fill("#token", "another");
    await page.press("#token", "Enter");
    await page.waitForSelector('#token-wrong:has-text("refused")');
    await page.fill("#token", setting.token);
    await page.press("#token", "Enter");
    await page.waitForSelector('.empty:has-text("No sender has been heard yet")');
    check(true, "the right one opens, and says that nobody has been heard and what to do");
    equal(await page.evaluate(() => document.cookie), "", "no script can read the cookie");
    await page.reload();
    await ready(page);
    check((await page.textContent("#content")).includes("No sender has been heard yet"), "the browser keeps it");
    await page.context().close();
}

async function keyboard(browser) {
    const page = await open(browser, "/" + fixed());
    await page.keyboard.press("Tab");
    equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content", "the first stop leads to the content");
    await page.keyboard.press("?");
    check((await page.textContent("dialog")).includes("Keyboard"), "? lists the keys");
    await page.keyboard.press("Escape");
    await page.keyboard.press("g");
    await page.keyboard.press("n");
    await ready(page);
    equal(await page.textContent("h1"), "Networks", "g n goes to Networks");
    check(page.url().includes(RANGE.from.slice(0, 10)), "with the range", page.url());
    await page.keyboard.press("z");
    await ready(page);
    check(page.url().includes("tz=utc"), "z changes the zone", page.url());
    equal(page.problems, [], "keyboard: no complaint on the console");
    await page.context().close();
}

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

// Nothing serious by axe-core, and nothing outside landmarks.
async function judge(page, name, only = {}) {
    await page.addScriptTag({path: AXE});
    const {violations} = await page.evaluate((o) => globalThis.axe.run(document, {resultTypes: ["violations"], ...o}), only);
    const found = violations.filter((v) => ["serious", "critical"].includes(v.impact) || v.id === "region")
        .map((v) => `${v.id}: ${v.nodes.slice(0, 4).map((n) => `${n.target} ${n.failureSummary}`).join(" | ")}`);
    equal(found, [], `${name} is accessible`);
}

async function accessible(browser) {
    for (const colorScheme of ["light", "dark"]) {
        const page = await open(browser, "/", {colorScheme, bypassCSP: true});
        for (const [path, title] of Object.entries(PAGES)) {
            await go(page, path + (path === "/routes" ? "?q=100.64.0.0/20" : ""));
            await judge(page, `${title} in ${colorScheme}`, colorScheme === "dark" ? {runOnly: ["color-contrast"]} : {}); // all that a theme changes
        }
        await page.context().close();
    }
}

// Also where a page is not as it is at first.
async function accessibleStates(browser) {
    const page = await open(browser, "/", {bypassCSP: true});
    const cases = {"a filter": "/networks" + fixed({filter: "country:DE,AQ -type:api"}), "no traffic": "/networks" + fixed({filter: "country:AQ"}),
        "a mistake in a filter": "/?filter=contry:DE", "a bad range": "/?from=foo", "a bad address": "/routes?q=hello"};
    for (const [name, path] of Object.entries(cases)) {
        await go(page, path);
        await judge(page, name);
    }
    await go(page, "/" + fixed());
    for (const id of ["as-table", "map-table"]) {
        await page.click(`#${id}`);
        await page.waitForSelector(`.as-table:has(#${id}) tbody td`);
    }
    await judge(page, "an open table");
    await page.locator(".about").first().focus();
    await judge(page, "an explanation");
    await go(page, "/networks" + fixed({columns: "bytes,goodput,spurious,requests"}));
    await page.click("#columns");
    await judge(page, "the list of columns");
    await go(page, "/" + fixed());
    await page.keyboard.press("/");
    await page.waitForSelector("#offer-0");
    await judge(page, "the list of completions");
    await page.context().close();
    const form = await open(browser, "/", {bypassCSP: true}, setting.guarded);
    await judge(form, "the form for the token");
    await form.context().close();
    const small = await open(browser, "/" + fixed({filter: "-type:api"}), {bypassCSP: true, viewport: {width: 390, height: 844}, isMobile: true, hasTouch: true});
    for (const path of ["/", "/networks"]) {
        await go(small, path + fixed({filter: "-type:api"}));
        await judge(small, `${path} on a phone`);
    }
    await small.context().close();
}

async function broken(browser) {
    const page = await open(browser, "/senders");
    await tell("kill");
    await page.waitForSelector('.banner:has-text("does not answer")');
    check((await page.locator("tbody tr").count()) >= 1, "without the collector the last figures stay, under a banner");
    await tell("start");
    await page.waitForSelector(".banner", {state: "detached"});
    check(true, "with the collector the banner goes");
    await page.context().close();
}

const browser = await launch();
try {
    for (const part of [firstLoad, overview, whomToCall, periodBefore, percentile, measures, columns, networks, filters, ranges, coverage, badAddress, pathsPage, comparePage, incidentsPage, glass, states, themes, token, keyboard, phone, accessible, accessibleStates, broken])
        await part(browser);
} finally {
    await browser.close();
}
process.exit(done());
