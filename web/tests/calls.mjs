// SPDX-License-Identifier: BSD-2-Clause

// What the dashboard asks: each page in each range is opened in Chromium, and a line of JSON says which requests it made of the API,
// when its parts were there (ms after the start) and what came over the wire. For bench/pages.py.
//
// usage: calls.mjs '{"url", "chromium", "pages": {NAME: ADDRESS}, "ranges": {NAME: {"from", "to"}}, "loads"}'

import {charted, launch, open, setting} from "./lib.mjs";

const address = (path, range) => path + (path.includes("?") ? "&" : "?") + new URLSearchParams(range);

// When: the controls could be used, the figures stood there, the charts were drawn.
async function visit(browser, path) {
    const asked = [];
    const page = await open(browser, path, {}, setting.url, (p) => p.on("request", (r) => {
        const at = new URL(r.url());
        if (at.pathname.startsWith("/api/v1/"))
            asked.push(at.pathname + at.search);
    }));
    const charts = await charted(page);
    const marks = await page.evaluate(() => ["usable", "drawn"].map((name) => Math.round(performance.getEntriesByName(name)[0].startTime)));
    const files = await page.evaluate(() => performance.getEntriesByType("resource").filter((e) => !e.name.includes("/api/"))
        .concat(performance.getEntriesByType("navigation")).map((e) => e.encodedBodySize));
    await page.context().close();
    return {calls: [...new Set(asked)], usable: marks[0], drawn: marks[1], charts, bytes: files.reduce((n, size) => n + size, 0)};
}

const browser = await launch();
try {
    for (const [range, parameters] of Object.entries(setting.ranges))
        for (const [name, path] of Object.entries(setting.pages))
            console.log(JSON.stringify({page: name, range, ...await visit(browser, address(path, parameters))}));
    for (let i = 0; i < setting.loads; i++)
        console.log(JSON.stringify({load: i, ...await visit(browser, address("/", Object.values(setting.ranges)[0]))}));
} finally {
    await browser.close();
}
process.exit(0);
