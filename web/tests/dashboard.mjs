// SPDX-License-Identifier: BSD-2-Clause

// The dashboard as a person meets it. Figures are compared with the API's over a range that has ended, so that they hold
// still.

import {api, check, click, done, equal, launch, note, open, setting, values} from "./lib.mjs";

const END = new Date(Math.floor(setting.now / 3600) * 3600e3);
const at = (hours) => new Date(END.getTime() + hours * 3600e3).toISOString().slice(0, 19) + "Z";
const RANGE = {from: at(-6), to: at(0)};
const fixed = (more = {}) => "?" + new URLSearchParams({...RANGE, ...more});

async function firstLoad(browser) {
    const page = await open(browser, "/");
    const files = await page.evaluate(() => performance.getEntriesByType("resource").filter((e) => !e.name.includes("/api/"))
        .concat(performance.getEntriesByType("navigation")).map((e) => [e.name, e.encodedBodySize]));
    const sum = files.reduce((n, [, size]) => n + size, 0);
    const after = await page.evaluate(() => Math.round(performance.now()));
    note(`first load: ${files.length} files, ${Math.round(sum / 1000)} kB compressed; drawn ${after} ms after the start`);
    check(sum > 10000 && sum <= 500000, "the first load is at most 500 kB", JSON.stringify(files));
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
        equal(await values(page, `#tile-${tile} data`), [total[name]], `Overview shows ${name}`);
    const before = await api("top", {from: at(-12), to: at(-6), by: ""});
    const change = await page.$eval("#tile-bytes .change", (e) => Number(e.dataset.change));
    check(Math.abs(change - (total.bytes_sent / before.total.bytes_sent - 1)) < 1e-9, "its change against the period before", change);
    const largest = await api("top", {...RANGE, by: "origin", limit: 8});
    const table = '.card:has(h2:text-is("Largest networks"))';
    equal(await values(page, `${table} tbody td:nth-child(2) data`), largest.rows.map((r) => r.bytes_sent), "the largest networks");
    await click(page, `${table} tbody a`);
    check(new URL(page.url()).pathname === "/networks" && page.url().includes(`origin:${largest.rows[0].origin}`), "a network leads to Networks", page.url());
    await page.goBack();
    await page.waitForSelector("#tile-bytes");
    equal(page.problems, [], "no complaint on the console");
    await page.context().close();
}

const browser = await launch();
try {
    await firstLoad(browser);
    await overview(browser);
} finally {
    await browser.close();
}
process.exit(done());
