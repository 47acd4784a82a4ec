// SPDX-License-Identifier: BSD-2-Clause

// The dashboard at its edges: long names, paths with many hops, ranges without end, questions that fail, a page that stays open. For
// tests/e2e/dashboard_edges_test.py, whose world has traffic of three days.

import {api, check, click, done, equal, go, launch, open, ready, setting, values} from "./lib.mjs";

const HOUR = 3600e3;
const clock = (time) => new Date(time).toLocaleString("sv-SE", {timeZone: "Europe/Berlin"}).slice(0, 16); // 2026-11-27 10:26
const focused = (page) => page.evaluate(() => document.activeElement.getAttribute("href"));
const scrolled = (page) => page.evaluate(() => Math.round(scrollY));

async function close(page, name) {
    equal(page.problems, [], `${name}: no complaint on the console`);
    await page.context().close();
}

// All there is, from a choice and from an address.
async function forever(browser) {
    const page = await open(browser, "/?last=forever"), since = Date.parse((await api("since")).since);
    check((await page.textContent("#covers")).startsWith(clock(Math.floor(since / HOUR) * HOUR).slice(0, 10)), "last=forever begins with the store's traffic", await page.textContent("#covers"));
    equal(await page.$eval("#range", (e) => [e.value, e.selectedOptions[0].textContent]), ["forever", "All there is"], "and is called so");
    const {total} = await api("top", {by: "", last: "forever"});
    equal(await values(page, "#tile-bytes .tile-value data"), [total.bytes_sent], "with all traffic");
    await page.click("#as-table");
    await page.waitForSelector(".as-table:has(#as-table) tbody td");
    const points = await page.locator(".as-table:has(#as-table) tbody tr").count();
    check(points >= 36, "which the chart is full of", points);
    await go(page, "/?last=48h");
    check((await page.textContent("#before")).includes(clock(since)), "of the period before it says what there is of it", `${await page.textContent("#before")} ${clock(since)}`);
    await go(page, "/networks?last=30d&filter=country:AQ");
    equal(await page.$$eval(".empty .button", (list) => list.map((e) => e.textContent)), ["Remove the filter", "Look at all there is"], "where nothing is found, only what is longer is offered");
    await go(page, "/networks?last=1h&filter=country:AQ");
    equal(await page.$$eval(".empty .button", (list) => list.map((e) => e.textContent)), ["Remove the filter", "Look at the last 24 hours", "Look at the last 7 days"], "which is little of what there is");
    await close(page, "forever");
}

// When the store's traffic begins is asked for once; no answer is not taken for none.
async function sinceFails(browser) {
    const page = await open(browser, "/senders");
    await page.route("**/api/v1/since", (route) => route.fulfill({status: 503, json: {error: "The store is away."}}));
    await click(page, "#nav-overview");
    check((await page.textContent(".banner")).includes("The store is away.") && !await page.locator(".tile").count(), "without an answer nothing is averaged over time that is not known");
    await page.unroute("**/api/v1/since");
    await page.waitForSelector(".banner", {state: "detached"}); // the first tiles come before all is there
    equal(await page.locator(".tile").count(), 5, "with one it is as ever");
    page.problems.length = 0; // the browser notes the 503
    await close(page, "since");
}

// The collector goes away and comes back while the page is open.
async function away(browser) {
    const asked = [];
    const page = await open(browser, "/", {}, setting.url, (p) => p.on("request", (r) => asked.push(r.url())));
    equal(asked.filter((at) => /top\?.*by=via/.test(at)), [], "Overview asks nothing that it doesn't show");
    await page.route("**/api/v1/**", (route) => route.abort());
    await page.waitForSelector('.banner:has-text("figures are")');
    equal(await page.locator(".tile").count(), 5, "the last figures stay");
    await page.unroute("**/api/v1/**");
    await page.waitForSelector(".banner", {state: "detached"});
    equal(page.problems.filter((text) => !text.includes("ERR_FAILED")), [], "without a complaint of the page's own");
    await page.context().close();
}

// Shares can be sorted by: those with enough they are of, then the others.
async function sorted(browser) {
    const page = await open(browser, "/networks?by=origin&last=7d&limit=25&columns=bytes,goodput,spurious,hit,duration");
    const {rows} = await api("top", {by: "origin", last: "7d", limit: 100});
    const shares = {spurious: (r) => r.packets_spurious / r.packets_retransmitted, goodput: (r) => r.goodput_met / r.goodput_tested,
        hit: (r) => r.connections_with_retransmit / r.connections, open: (r) => r.duration_ms / r.connections / 1000};
    for (const [n, [name, of]] of Object.entries(shares).entries())
        for (const sign of [-1, 1]) {
            await click(page, `#sort-${name}`);
            const shown = await values(page, `.networks tbody td:nth-child(${4 + n}) data`), all = rows.map(of).sort((a, b) => sign * (a - b));
            check(shown.length === 25 && shown.every((v, i) => Math.abs(v - all[i]) < 1e-9), `sorted by ${name}, ${sign < 0 ? "the largest" : "the smallest"} first`, `${shown.slice(0, 5)} ${all.slice(0, 5)}`);
            const csv = await page.request.get(setting.url + await page.getAttribute("a[download]", "href"));
            equal(csv.status(), 200, "as CSV too");
        }
    check(/^0\.\d\d\ss$/.test(await page.textContent(".networks tbody td:nth-child(7)")), "connections open for less than a second", await page.textContent(".networks tbody td:nth-child(7)"));
    await close(page, "sorted");
}

// What is loaded again stays where it is: the focus, and how far a table is scrolled.
async function again(browser) {
    const page = await open(browser, "/networks?by=origin&last=6h", {viewport: {width: 600, height: 800}});
    const link = page.locator(".networks tbody a").nth(5), href = await link.getAttribute("href");
    await link.focus();
    const right = await page.$eval(".scroll", (e) => {
        e.scrollLeft = 60;
        e.firstChild.dataset.old = "true";
        return e.scrollLeft;
    });
    await page.waitForSelector(".networks:not([data-old])");
    await page.waitForSelector(".networks:not([data-old]) .spark", {state: "attached"});
    equal([await focused(page), await page.$eval(".scroll", (e) => e.scrollLeft), right > 0], [href, right, true], "loaded again, focus and scrolling stay");
    await page.evaluate(() => scrollTo(0, 700));
    const left = await scrolled(page);
    await page.keyboard.press("Enter");
    await page.waitForURL(/filter=/);
    await ready(page);
    equal([await scrolled(page), await page.evaluate(() => document.activeElement.id)], [0, "main"], "a step down begins at its top");
    await page.goBack();
    await ready(page);
    equal([left > 400, await scrolled(page)], [true, left], "back is where it was left");
    await page.reload();
    await ready(page);
    equal(await scrolled(page), left, "loaded anew by its reader, too");
    await click(page, "#sort-connections");
    check(await scrolled(page) > 0 || left < 500, "another order stays where it is");
    await page.locator("#earlier").focus();
    for (const press of ["first", "second"]) {
        await page.keyboard.press("Enter");
        await page.waitForURL(/from=/);
        await ready(page);
        equal(await page.evaluate(() => document.activeElement.id), "earlier", `an earlier range and another, by keyboard: the ${press}`);
    }
    await page.locator(".networks tbody a").first().focus();
    await page.keyboard.press("g");
    await page.keyboard.press("p");
    await page.waitForURL(/paths/);
    await ready(page);
    equal(await page.evaluate(() => document.activeElement.id), "main", "Tab goes on at the content of another page");
    await close(page, "again");
}

// A hidden tab asks nothing; seen again, it has the figures of then at once. A page about the past is drawn anew at midnight.
async function stays(browser) {
    const asked = [];
    const page = await open(browser, "/senders", {}, setting.url, (p) => p.on("request", (r) => r.url().includes("/api/v1/top") && asked.push(r.url())));
    const noon = (time) => new Date(`${clock(time).slice(0, 10)}T12:00:00${new Date(time).toLocaleString("en", {timeZone: "Europe/Berlin", timeZoneName: "longOffset"}).slice(-6)}`);
    const end = noon(setting.now * 1000 - 24 * HOUR).getTime(), iso = (time) => new Date(time).toISOString().slice(0, 19) + "Z";
    await page.clock.install({time: new Date(end + 11.9 * HOUR)});
    await page.goto(`${setting.url}/networks?from=${iso(end - 6 * HOUR)}&to=${iso(end)}`);
    await ready(page);
    const day = clock(end).slice(0, 10), today = await page.textContent("#covers");
    check(/^\d\d:\d\d – \d\d:\d\d/.test(today), "times of today have no date", today);
    await page.clock.fastForward(15 * 60e3);
    await page.waitForFunction((text) => document.getElementById("covers")?.textContent.startsWith(text), day);
    check(true, "after midnight they have");
    await page.goto(`${setting.url}/networks?last=1h`);
    await ready(page);
    const hide = (hidden) => page.evaluate((v) => {
        Object.defineProperty(document, "hidden", {value: v, configurable: true});
        document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
    await hide(true);
    asked.length = 0;
    await page.clock.fastForward(65e3);
    await page.evaluate(() => fetch("/healthz")); // what was asked before is known by then
    equal(asked, [], "a hidden tab asks nothing");
    const answer = page.waitForResponse((r) => r.url().includes("/api/v1/top"));
    await hide(false);
    await answer;
    check(true, "seen again, it asks at once");
    await close(page, "stays");
}

// An address tells numbers; the page finds their names.
async function names(browser) {
    const page = await open(browser, `/networks?filter=origin:${setting.first}&by=prefix&last=6h`);
    await page.waitForSelector('.chip:has-text("Sample Network 0")');
    check(true, "the name of an AS in the filter is found");
    equal(await page.textContent("h2:has-text('prefix')"), "1 prefix", "one is one");
    await page.hover(".top"); // no explanation lies over anything
    await go(page, "/networks?by=path&last=6h");
    const cut = await page.$$eval(".networks .path", (list) => list.filter((e) => {
        const edge = e.closest("td").getBoundingClientRect().right;
        return [...e.querySelectorAll(".asn")].some((number) => number.getBoundingClientRect().right > edge + 1 || number.scrollWidth > number.clientWidth + 1 && number.clientWidth);
    }).length);
    equal([await page.locator(".networks .path").count() > 10, cut], [true, 0], "all numbers of a path are seen, however long its names are");
    await go(page, `/?by=path&last=6h&filter=origin:${setting.first}`);
    check((await page.textContent(".legend")).includes(`64503 ${setting.first} ×3`), "what a path has several times is told once", await page.textContent(".legend"));
    await close(page, "names");
}

// Nothing lies over anything or is pushed out by a long name.
async function layout(browser) {
    const page = await open(browser, "/compare?last=7d&by=prefix", {viewport: {width: 1024, height: 768}});
    const widths = await page.$$eval(".compare tr.first td:first-child, .compare td.side", (list) => list.map((e) => [e.classList.contains("side"), Math.round(e.getBoundingClientRect().width)]));
    check(widths.length > 10 && widths.every(([side, width]) => side ? width <= 220 : width >= 140), "Compare has room for networks beside routers of long names", JSON.stringify(widths.slice(0, 4)));
    await go(page, "/networks?by=router&last=7d&columns=bytes,throughput,share,change,retransmits,points,again,again_bytes,spurious,rtt_p50,rtt_p95,goodput,connections,hit,duration,requests");
    check((await page.$eval(".networks td.what", (e) => e.getBoundingClientRect().width)) >= 140, "however many columns there are, names have room");
    for (const width of [1440, 1024, 800, 390]) {
        await page.setViewportSize({width, height: 800});
        for (const path of ["/", "/routers"]) {
            await go(page, path);
            await page.waitForSelector("#collector span", {state: "attached"});
            const seen = await page.$eval("nav a[aria-current]", (e) => {
                const box = e.getBoundingClientRect(), nav = e.closest("ul").getBoundingClientRect();
                return box.left >= nav.left - 1 && box.right <= nav.right + 1 && nav.right <= innerWidth + 1;
            });
            check(seen && await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `at ${width} pixels the page's own name is seen in the bar`);
        }
    }
    await page.setViewportSize({width: 1440, height: 900});
    await go(page, "/paths?last=7d");
    await page.waitForSelector(".chart-paths-flow[data-drawn] canvas");
    const chart = await page.locator(".chart-paths-flow").boundingBox();
    const meets = async (stage, x) => {
        for (let y = chart.y + 8; y < chart.y + chart.height; y += 6) {
            await page.mouse.move(x, y);
            if (await page.evaluate((s) => [...document.querySelectorAll(".tip td")].some((e) => e.textContent === s && e.checkVisibility({visibilityProperty: true, opacityProperty: true})), stage))
                return true;
        }
        return false;
    };
    for (const [n, stage] of ["router", "neighbour", "transit", "origin"].entries()) {
        const {x} = await page.locator(".stages span").nth(n).boundingBox();
        equal([await meets(stage, x - 4), await meets(stage, x + 4)], [false, true], `“${stage}” begins where its nodes do`);
    }
    await close(page, "layout");
}

// The axis of Incidents over the night in which clocks are changed.
async function clocksChange(browser) {
    const page = await open(browser, "/senders", {viewport: {width: 1280, height: 300}});
    const sums = {packets_sent: 1e6, packets_retransmitted: 5e4, retransmit_rate: 0.05, rtt_count: 0, rtt_p50_us: null, approximate: false};
    await page.route("**/api/v1/since", (route) => route.fulfill({json: {since: "2026-10-01T00:00:00Z"}}));
    await page.route("**/api/v1/incidents?*", (route) => route.fulfill({json: {from: "2026-10-23T00:00:00Z", to: "2026-10-29T00:00:00Z", step: 86400, changes: "all", more: 0,
        rows: [0, 1, 2].map((n) => ({kind: "loss", dim: "via", value: 64500 + n, name: "Sample", begin: "2026-10-24T00:00:00Z", end: n ? "2026-10-26T00:00:00Z" : null,
            filter: `via:${64500 + n}`, inside: sums, outside: sums, retransmit_share: 0.5, excess: 1, also: [], verdict: "", with: [2 - n]}))}}));
    await go(page, "/incidents?from=2026-10-23T00:00:00Z&to=2026-10-29T00:00:00Z");
    const from = Date.parse("2026-10-23T00:00:00Z"), length = 6 * 24 * HOUR;
    const ticks = await page.$$eval(".ticks span", (list) => list.map((e) => [e.textContent, parseFloat(e.style.left)]));
    equal(ticks.map(([text, left]) => [text, clock(Math.round((from + left / 100 * length) / 60e3) * 60e3).slice(5)]), ticks.map(([text]) => [text, `${text} 00:00`]), "each day begins at midnight");
    equal(ticks.map(([text]) => text), ["10-24", "10-25", "10-26", "10-27", "10-28", "10-29"], "and is there once");
    equal(await page.textContent("#incidents-said"), "3 incidents of loss or high RTT; 0 path moves.", "what there is is said, and of a range that is over not what goes on");
    await page.click("a[href='#incident-3']");
    await page.waitForURL(/#incident-3/);
    await ready(page);
    check(await scrolled(page) > 100, "a line that is beside another is gone to, and stays", await scrolled(page));
    await close(page, "clocks");
}

const browser = await launch();
try {
    for (const part of [forever, sinceFails, away, sorted, again, stays, names, layout, clocksChange])
        await part(browser);
} finally {
    await browser.close();
}
process.exit(done());
