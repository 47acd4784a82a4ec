// SPDX-License-Identifier: BSD-2-Clause

// What the browser's side of the tests needs: TAP, a page that notes its errors, the collector's answers, and the other side.

import readline from "node:readline";
import {isDeepStrictEqual} from "node:util";
import {chromium} from "playwright-core";

export const setting = JSON.parse(process.argv[2] ?? "{}");

// ---- results ----

let count = 0, failures = 0;

export function check(condition, name, detail = "") {
    count++;
    console.log(`${condition ? "ok" : "not ok"} ${count} - ${name}`);
    if (!condition) {
        failures++;
        for (const line of String(detail).split("\n"))
            console.log(`# ${line}`);
    }
    return condition;
}

export function equal(got, expected, name) {
    return check(isDeepStrictEqual(got, expected), name, `got      ${JSON.stringify(got)}\nexpected ${JSON.stringify(expected)}`);
}

export function note(text) {
    console.log(`# ${text}`);
}

export function done() {
    console.log(`1..${count}`);
    return failures || !count ? 1 : 0;
}

// ---- the other side ----

const answers = readline.createInterface({input: process.stdin})[Symbol.asyncIterator]();

export async function tell(what) {
    console.log(`! ${what}`);
    await answers.next();
}

export async function api(name, parameters = {}) {
    const answer = await fetch(`${setting.url}/api/v1/${name}?${new URLSearchParams(parameters)}`);
    if (!answer.ok)
        throw new Error(`${name}: ${answer.status} ${await answer.text()}`);
    return answer.json();
}

// ---- the browser ----

export function launch() {
    return chromium.launch({executablePath: setting.chromium, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]});
}

export const ready = (page) => page.waitForFunction(
    () => document.body.dataset.ready === location.pathname + location.search);

// When all charts of a page are drawn: ms after its start.
export async function charted(page) {
    const time = await page.waitForFunction(() => [...document.querySelectorAll(".chart")].every((c) => c.dataset.drawn) && performance.now());
    return Math.round(await time.jsonValue());
}

// A tab of its own storage. page.problems: what the console and the page complained about. before: what listens from the start.
export async function open(browser, path, options = {}, url = setting.url, before = () => {}) {
    const context = await browser.newContext({viewport: {width: 1440, height: 900}, colorScheme: "light", timezoneId: "Europe/Berlin", ...options});
    context.setDefaultTimeout(60000); // on a busy machine
    const page = await context.newPage();
    page.problems = [];
    page.on("console", (m) => ["error", "warning"].includes(m.type()) && page.problems.push(m.text()));
    page.on("pageerror", (e) => page.problems.push(e.stack));
    before(page);
    await page.goto(url + path);
    await ready(page);
    return page;
}

export async function go(page, path) {
    await page.goto(setting.url + path);
    await ready(page);
}

export async function click(page, selector) {
    await page.click(selector);
    await ready(page);
}

// The values of <data> elements.
export const values = (page, selector) => page.$$eval(selector, (list) => list.map((e) => Number(e.value)));
