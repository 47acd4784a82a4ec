// SPDX-License-Identifier: BSD-2-Clause

// The frame: header, navigation, the page that the URL names, loading it again, and what is shown when the collector
// doesn't answer. A page that is loaded again stays on the screen until the new figures are there; one that cannot be loaded
// again stays too, under a banner that says how old it is.

import {ask, ApiError, signIn, type About} from "./api";
import * as bar from "./bar";
import * as charts from "./charts";
import {covered, type Ranged} from "./covered";
import {byId, h, renew, replace, type Child} from "./dom";
import * as hint from "./hint";
import {learnFiltered} from "./names";
import {empty, sinceWhen, type PageModule} from "./page";
import {compare} from "./pages/compare";
import {incidents} from "./pages/incidents";
import {networks} from "./pages/networks";
import {overview} from "./pages/overview";
import {paths} from "./pages/paths";
import {routers} from "./pages/routers";
import {routes} from "./pages/routes";
import {senders} from "./pages/senders";
import {current, filterOf, go, isForever, learnBegin, left, onNavigate, PAGES, span, url, zone, type Page, type State} from "./state";
import {dateTime, duration, timeRange} from "./units";

const pages: Record<Page, PageModule<unknown>> = {overview, networks, paths, compare, incidents, routes, senders, routers} as Record<Page, PageModule<unknown>>;

const RETRY_S = 3;

let shownUrl = "";
let shownPage: Page | null = null;
let shownAt = 0;
let running: AbortController | null = null;
let timer = 0;
let due = Infinity;              // when what is shown is to be loaded again
let wantedY: number | null = null; // where to scroll when the page that was gone to is drawn
let shownFilter = "";
let about: About | null = null;

// ---- the frame ----

type Theme = "auto" | "light" | "dark";
const THEMES: Theme[] = ["auto", "light", "dark"];

function theme(): Theme {
    return (document.documentElement.dataset.choice as Theme | undefined) ?? "auto";
}

function setTheme(next: Theme): void {
    document.documentElement.dataset.choice = next;
    try {
        localStorage.setItem("whereto.theme", next);
    } catch {
        // it holds until the tab is closed
    }
    dispatchEvent(new Event("whereto-theme"));
}

function themeChanged(): void {
    const button = byId("theme");
    const names = {auto: "as the system", light: "light", dark: "dark"};
    if (button) {
        button.textContent = {auto: "◐", light: "☀", dark: "☾"}[theme()];
        button.setAttribute("aria-label", `Theme: ${names[theme()]}`);
        button.title = `Theme: ${names[theme()]}`;
    }
    charts.redrawAll();
    if (shownPage)
        void refresh(false); // what took its colours from the theme
}

function header(): HTMLElement {
    return h("header", {class: "top"},
        h("a", {class: "skip", href: "#main"}, "Skip to the content"),
        h("a", {class: "brand", href: "/", id: "brand"}, h("span", {class: "mark", "aria-hidden": "true"}), "whereto"),
        h("nav", {"aria-label": "Pages"}, h("ul", {id: "nav"})),
        h("div", {class: "top-end"}, h("span", {id: "collector"}),
            h("button", {id: "keys", class: "icon", type: "button", "aria-label": "Keyboard shortcuts", title: "Keyboard shortcuts (?)", onClick: help}, "?"),
            h("button", {id: "theme", class: "icon", type: "button",
                onClick: () => setTheme(THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length])})));
}

function drawNav(s: State): void {
    replace(byId("nav")!, PAGES.map((p) => h("li", null, h("a", {id: `nav-${p}`, href: url(s, {}, p),
        "aria-current": p === s.page ? "page" : null}, pages[p].title))));
    byId("brand")!.setAttribute("href", url(s, {}, "overview"));
    byId(`nav-${s.page}`)?.scrollIntoView({block: "nearest", inline: "center"});
}

function frame(): void {
    replace(byId("app")!, header(), h("div", {id: "notice"}), h("div", {id: "banner", role: "status"}),
        h("div", {id: "bar"}), h("main", {id: "main", tabindex: "-1"},
            h("div", {class: "page-head"}, h("h1", {id: "title"}), h("p", {id: "lead"}), h("p", {id: "updated"})),
            h("div", {id: "content"})),
        h("div", {id: "live", class: "sr", "aria-live": "polite"}));
}

async function drawAbout(): Promise<void> {
    about = await ask<About>("about", {}).catch(() => about);
    if (!about)
        return;
    replace(byId("collector")!, h("span", {title: `whereto ${about.version}`}, about.name));
    replace(byId("notice")!, about.notice ? h("aside", {class: "notice", "aria-label": "Notice"}, about.notice) : null);
}

// ---- keyboard ----

const KEYS: Record<string, Page> = {o: "overview", n: "networks", p: "paths", c: "compare", i: "incidents", l: "routes", s: "senders", r: "routers"};
let pending = false;

function help(): void {
    const rows: [string, string][] = [["/", "filter"], ...Object.entries(KEYS).map(([key, p]) => [`g ${key}`, pages[p].title] as [string, string]),
        ["t", "theme"], ["z", "local zone or UTC"], ["?", "this list"]];
    const dialog = h("dialog", {class: "dialog", "aria-labelledby": "keys-title"}, h("h2", {id: "keys-title"}, "Keyboard"),
        h("dl", {class: "keys"}, rows.map(([key, what]) => [h("dt", null, key.split(" ").map((k) => h("kbd", null, k))), h("dd", null, what)])),
        h("p", {class: "note"}, "Drag across a chart to zoom into that time. Everything on the screen has its own address: copy it to share."),
        h("p", {class: "note"}, h("a", {href: "/api"}, "The API's list"), " · ", h("a", {href: "/web/licences.txt"}, "Licences of what the dashboard is made of")),
        h("form", {method: "dialog", class: "buttons"}, h("button", {class: "primary", autofocus: true}, "Close")));
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
}

function onKey(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, select, textarea, dialog"))
        return;
    if (pending && KEYS[event.key])
        go(url(current(), {}, KEYS[event.key]));
    else if (event.key === "/" && byId("filter")) {
        byId<HTMLInputElement>("filter")!.focus();
        byId<HTMLInputElement>("filter")!.select();
        event.preventDefault();
    } else if (event.key === "?")
        help();
    else if (event.key === "t")
        byId("theme")!.click();
    else if (event.key === "z")
        go(url(current(), {tz: zone(current()) === "utc" ? null : "utc"}));
    pending = event.key === "g";
}

// Links within the dashboard change the page in place.
function onClick(event: MouseEvent): void {
    const link = (event.target as Element).closest?.("a");
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey)
        return;
    const to = new URL(link.href, location.href);
    if (to.origin !== location.origin || /^\/(api|web)\b/.test(to.pathname) || link.target || link.download || to.hash)
        return;
    event.preventDefault();
    go(to.pathname + to.search);
}

// ---- loading and drawing ----

function banner(...content: Child[]): void {
    replace(byId("banner")!, content.length ? h("div", {class: "banner"}, content) : null);
}

async function takeToken(input: HTMLInputElement): Promise<void> {
    const right = await signIn(input.value.trim()).catch((error: unknown) => error instanceof ApiError ? error.message : "The collector does not answer.");
    if (right === true) {
        void drawAbout();
        void refresh(true);
        return;
    }
    input.value = "";
    input.focus();
    byId("token-wrong")!.textContent = right || "The collector refused this token.";
}

function askToken(): void {
    const input = h("input", {type: "password", id: "token", autocomplete: "current-password", required: true});
    replace(byId("content")!, h("form", {class: "empty token", onSubmit: (e: Event) => {
        e.preventDefault();
        void takeToken(input);
    }}, h("p", {class: "empty-title"}, "This collector asks for a token."),
    h("p", null, "It is the one line in the file that ", h("code", null, "http.token_file"), " names in the collector's configuration."),
    h("p", {class: "token-row"}, h("label", {for: "token"}, "Token"), input, h("button", {class: "primary", type: "submit"}, "Go on")),
    h("p", {id: "token-wrong", class: "wrong", role: "alert"})));
    input.focus();
}

function failed(error: unknown, s: State): void {
    const fresh = shownUrl !== location.pathname + location.search;
    if (!(error instanceof ApiError)) {
        console.error(error);
        replace(byId("content")!, empty("Something in this page went wrong.", h("p", null, String(error)), retryButton()));
        return;
    }
    if (error.status === 401) {
        askToken();
        return;
    }
    if (error.status === 400) {
        replace(byId("content")!, empty("This question is not understood.", h("p", {role: "alert"}, error.message),
            error.excerpt ? h("pre", {class: "excerpt"}, error.excerpt) : null,
            h("p", null, error.parameter === "filter" || /filter/.test(error.message)
                ? h("a", {class: "button", href: url(s, {filter: null})}, "Remove the filter")
                : h("a", {class: "button", href: url(s, {last: null, from: null, to: null})}, "Look at the last 6 hours"))));
        return;
    }
    const what = error.status ? error.message : "The collector does not answer.";
    banner(h("strong", null, what), " ", shownAt && !fresh
        ? `These figures are ${duration((Date.now() - shownAt) / 1000)} old. ` : "", `Asking again every ${RETRY_S} s. `, retryButton());
    if (fresh)
        replace(byId("content")!, empty(what, h("p", null, error.status ? "" : "Is it running, and is the way to it open? It is asked again by itself.")));
    timer = window.setTimeout(() => void refresh(false), RETRY_S * 1000);
}

function retryButton(): HTMLElement {
    return h("button", {type: "button", id: "retry", onClick: () => void refresh(true)}, "Ask now");
}

// What the figures are of, which is neither exactly what was asked for nor, in a young store, all of it.
function coverage(range: Ranged, s: State): Child {
    const {from, to} = covered(range, shownAt), text = timeRange(new Date(from), new Date(to), zone(s));
    const young = from > Date.parse(range.from);
    return h("span", {id: "covers", title: "what the figures of this page are of"}, to > from ? text : "", young ? " (no earlier data)" : "");
}

function updated(s: State, data: unknown): void {
    const page = pages[s.page], range = page.covers?.(data);
    shownAt = Date.now();
    replace(byId("updated")!, range ? coverage(range, s) : null,
        page.every(s) ? `${range ? ", " : ""}as of ${dateTime(new Date(shownAt), zone(s), true).slice(11)}` : "");
}

// same: with more of the same page. Where what had the focus is gone, Tab goes on from there.
function fill(same: boolean, ...children: Child[]): void {
    const content = byId("content")!, had = content.contains(document.activeElement);
    (same ? renew : replace)(content, ...children);
    if (had && !content.contains(document.activeElement))
        byId("main")!.focus({preventScroll: true});
}

function draw(s: State, data: unknown): void {
    const here = location.pathname + location.search;
    const moved = shownUrl !== here;
    fill(shownPage === s.page, pages[s.page].draw(s, data));
    byId("content")!.dataset.page = s.page;
    if (shownPage !== s.page)
        charts.dispose((name) => name.startsWith(s.page));
    if (wantedY !== null)
        window.scrollTo(0, wantedY);
    shownUrl = here;
    shownPage = s.page;
    shownFilter = filterOf(s);
    if (moved)
        byId("live")!.textContent = `${pages[s.page].title} is shown`;
    updated(s, data);
}

async function refresh(loud: boolean): Promise<void> {
    const s = current(), page = pages[s.page];
    clearTimeout(timer);
    due = Infinity;
    running?.abort();
    const mine = running = new AbortController();
    const content = byId("content")!;
    content.setAttribute("aria-busy", "true");
    document.body.classList.toggle("loading", loud);
    try {
        if (page.bar && isForever(s))
            learnBegin(await sinceWhen());
        if (page.bar)
            span(s); // before anything is asked
        const fresh = shownPage !== s.page; // where something is shown already it stays until there is something new
        const data = await page.load(s, mine.signal, (part) => {
            if (mine === running && fresh)
                draw(s, part);
        });
        if (mine !== running)
            return;
        banner();
        if (!about)
            void drawAbout();
        draw(s, data);
        wantedY = null;
        performance.mark("drawn");
        schedule(s);
        if (page.bar)
            void learnFiltered(s, mine.signal).then(() => mine === running && bar.nameChips(s), () => null);
    } catch (error) {
        if (mine === running && !mine.signal.aborted)
            failed(error, s);
    } finally {
        if (mine === running) {
            content.removeAttribute("aria-busy");
            document.body.classList.remove("loading");
            document.body.dataset.ready = location.pathname + location.search;
        }
    }
}

// Times of today are told without their date.
function midnight(s: State): number {
    const time = new Date();
    return zone(s) === "utc" ? time.setUTCHours(24, 0, 0, 0) : time.setHours(24, 0, 0, 0);
}

// Not while somebody chooses something in the page; of a hidden tab when it is seen again. What is past is drawn anew when the day is over.
function schedule(s: State): void {
    const every = pages[s.page].every(s);
    clearTimeout(timer);
    due = every ? Date.now() + every * 1000 : pages[s.page].bar ? midnight(s) : Infinity;
    if (due < Infinity)
        timer = window.setTimeout(() => byId("content")!.querySelector("select:focus, input:focus") ? schedule(s) : document.hidden || void refresh(false),
            due - Date.now());
}

function seen(): void {
    if (!document.hidden && Date.now() >= due)
        void refresh(false);
}

function show(s: State): void {
    document.title = s.page === "overview" ? "whereto" : `${pages[s.page].title} · whereto`;
    byId("title")!.textContent = pages[s.page].title;
    byId("lead")!.textContent = pages[s.page].lead;
    byId("updated")!.textContent = "";
    delete document.body.dataset.ready;
    drawNav(s);
    bar.draw(byId("bar")!, pages[s.page].bar ? s : null);
    if (shownPage !== s.page)
        fill(false, h("div", {class: "skeleton", "aria-hidden": "true"}, h("div"), h("div"), h("div")));
}

// back: where it was scrolled to when it was left.
function navigate(back: number | null): void {
    const s = current();
    wantedY = back ?? (shownPage && (shownPage !== s.page || shownFilter !== filterOf(s)) ? 0 : null);
    try {
        show(s);
    } catch (error) { // whatever stands in an address, there is a way out of it
        failed(error, s);
        document.body.dataset.ready = location.pathname + location.search;
        return;
    }
    void refresh(true);
}

frame();
hint.start();
onNavigate(navigate);
document.addEventListener("click", onClick);
document.addEventListener("keydown", onKey);
for (const kind of ["wheel", "touchmove", "keydown"]) // whoever scrolls decides
    addEventListener(kind, () => wantedY = null, {capture: true, passive: true});
document.addEventListener("visibilitychange", seen);
addEventListener("whereto-theme", themeChanged); // early.ts has heard it before
themeChanged();
navigate(left());
void drawAbout();
performance.mark("usable");
void charts.load().catch(() => null); // the questions go out first: evaluating it holds them up
