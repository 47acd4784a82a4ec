// SPDX-License-Identifier: BSD-2-Clause

// Pictures of every page: wide and light, wide and dark, and as on a phone. usage: screenshots.mjs '{"url", "chromium", "folder"}'

import path from "node:path";
import {charted, launch, open, setting} from "./lib.mjs";

const PAGES = {
    overview: "/", networks: "/networks?by=country", paths: "/paths", compare: "/compare", incidents: "/incidents",
    routes: "/routes?q=127.24.0.0/16&select=longer", senders: "/senders", routers: "/routers",
};
const FORMS = {
    light: {viewport: {width: 1280, height: 960}},
    dark: {viewport: {width: 1280, height: 960}, colorScheme: "dark"},
    phone: {viewport: {width: 390, height: 844}, isMobile: true, hasTouch: true},
};

const browser = await launch();
for (const [form, options] of Object.entries(FORMS))
    for (const [name, address] of Object.entries(PAGES)) {
        const page = await open(browser, address, options);
        await charted(page);
        if (name === "senders") // their pace is known from the second answer on
            await page.waitForFunction(() => document.querySelector("tbody td:nth-child(4)")?.textContent);
        await page.screenshot({path: path.join(setting.folder, `${name}-${form}.png`)});
        await page.context().close();
    }
await browser.close();
process.exit(0);
