// SPDX-License-Identifier: BSD-2-Clause

// Figures as people read them: decimal prefixes (kB, Mbit/s), three significant digits, a no-break space before the
// unit, "–" for what is not known. The exact value stands in the <data> element around them.

import {h} from "./dom";

const NONE = "–";
const SPACE = "\u00a0";
const PREFIXES = ["", "k", "M", "G", "T", "P", "E"];

function digits(value: number): string {
    const abs = Math.abs(value);
    const places = abs >= 100 || abs === 0 ? 0 : abs >= 10 ? 1 : 2;
    return value.toLocaleString("en", {minimumFractionDigits: places, maximumFractionDigits: places});
}

function scaled(value: number, unit: string): string {
    let i = 0, v = value;
    // 999.6 would be shown as 1000
    while (Math.abs(v) >= 999.5 && i < PREFIXES.length - 1) {
        v /= 1000;
        i++;
    }
    const text = i ? digits(v) : v.toLocaleString("en", {maximumFractionDigits: Math.abs(v) < 10 ? 2 : 1});
    const suffix = PREFIXES[i] + unit;
    return suffix ? text + SPACE + suffix : text;
}

type Maybe = number | null | undefined;
const known = (value: Maybe): value is number => value !== null && value !== undefined && Number.isFinite(value);

export const bytes = (v: Maybe): string => known(v) ? scaled(v, "B") : NONE;
export const bits = (v: Maybe): string => known(v) ? scaled(v, "bit/s") : NONE;
export const count = (v: Maybe): string =>
    known(v) ? Math.abs(v) < 100000 ? Math.round(v).toLocaleString("en") : scaled(v, "") : NONE;
export const scaledPerSecond = (v: Maybe): string => known(v) ? scaled(v, "") + SPACE + "/s" : NONE;
export const number = (v: Maybe): string => known(v) ? scaled(v, "") : NONE;
export const exact = (v: Maybe): string => known(v) ? v.toLocaleString("en") : NONE;

// A share: 0.00421 is 0.42 %.
export function percent(v: Maybe): string {
    if (!known(v))
        return NONE;
    const p = v * 100;
    if (p > 0 && p < 0.005)
        return "<" + SPACE + "0.01" + SPACE + "%";
    return p.toLocaleString("en", {minimumFractionDigits: p && p < 10 ? 2 : p ? 1 : 0, maximumFractionDigits: p < 10 ? 2 : 1}) +
        SPACE + "%";
}

// Microseconds as milliseconds, but for those that would be nothing.
export function ms(v: Maybe): string {
    return !known(v) ? NONE : v && v < 100 ? digits(v) + SPACE + "µs" : digits(v / 1000) + SPACE + "ms";
}

export function duration(seconds: Maybe): string {
    if (!known(seconds))
        return NONE;
    const steps: [number, string][] = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
    const at = steps.findIndex(([size]) => seconds >= size);
    if (at < 0)
        return "0" + SPACE + "s";
    const [size, unit] = steps[at];
    const whole = Math.floor(seconds / size);
    const next = steps[at + 1];
    const rest = next && whole < 10 ? Math.floor((seconds - whole * size) / next[0]) : 0;
    return `${whole}${SPACE}${unit}${rest ? ` ${rest}${SPACE}${next[1]}` : ""}`;
}

// The same where fractions of a second matter.
export const lasting = (seconds: Maybe): string => known(seconds) && seconds < 10 ? digits(seconds) + SPACE + "s" : duration(seconds);

export type Format = (v: Maybe) => string;

// The text with its exact value, for machines and for a look.
export function data(value: Maybe, format: Format, title?: string): HTMLElement {
    if (!known(value))
        return h("span", {class: "none", title: title ?? "not known"}, NONE);
    return h("data", {value: String(value), title: title ?? exact(value)}, format(value));
}

// ---- time ----

export type Zone = "local" | "utc";

const two = (n: number) => String(n).padStart(2, "0");

export function parts(time: Date, zone: Zone): {date: string; hm: string; s: string} {
    const u = zone === "utc";
    const date = `${u ? time.getUTCFullYear() : time.getFullYear()}-` +
        `${two((u ? time.getUTCMonth() : time.getMonth()) + 1)}-${two(u ? time.getUTCDate() : time.getDate())}`;
    const hm = `${two(u ? time.getUTCHours() : time.getHours())}:${two(u ? time.getUTCMinutes() : time.getMinutes())}`;
    return {date, hm, s: two(u ? time.getUTCSeconds() : time.getSeconds())};
}

function offsetOf(time: Date): string {
    const offset = -time.getTimezoneOffset();
    const abs = Math.abs(offset);
    return `${offset < 0 ? "−" : "+"}${two(Math.floor(abs / 60))}:${two(abs % 60)}`;
}

// Of a moment, or of a time in which the clocks may have been changed.
export function zoneName(zone: Zone, from: Date, to: Date = from): string {
    if (zone === "utc")
        return "UTC";
    const first = offsetOf(from), last = offsetOf(to);
    return first === last ? `UTC${first}` : `UTC${first}, later ${last}`;
}

// From one moment to another; the date once, and not at all when it is today.
export function timeRange(from: Date, to: Date, zone: Zone): string {
    const a = parts(from, zone), b = parts(to, zone), today = parts(new Date(), zone).date;
    return a.date !== b.date ? `${a.date} ${a.hm} – ${b.date} ${b.hm}` : `${a.date === today ? "" : a.date + " "}${a.hm} – ${b.hm}`;
}

const DAY_MS = 86400e3;

// Beside an axis over so many milliseconds.
export function timeLabel(zone: Zone, span: number): (time: number) => string {
    return (time) => {
        const p = parts(new Date(time), zone), day = p.date.slice(5);
        return span > 366 * DAY_MS ? p.date.slice(0, 7) : p.hm === "00:00" ? day : span > 2 * DAY_MS ? `${day} ${p.hm}` : p.hm;
    };
}

export function dateTime(time: Date, zone: Zone, seconds = false): string {
    const p = parts(time, zone);
    return `${p.date} ${p.hm}${seconds ? ":" + p.s : ""}`;
}

// A moment: short in the text, both zones for a look.
export function moment(text: string | null, zone: Zone, seconds = true): HTMLElement {
    if (!text)
        return h("span", {class: "none"}, NONE);
    const time = new Date(text);
    const other = zone === "utc" ? "local" : "utc";
    const today = parts(time, zone).date === parts(new Date(), zone).date;
    const p = parts(time, zone);
    const shown = today ? `${p.hm}${seconds ? ":" + p.s : ""}` : `${p.date} ${p.hm}`;
    return h("time", {datetime: text, title: `${dateTime(time, zone, true)} ${zoneName(zone, time)}\n` +
        `${dateTime(time, other, true)} ${zoneName(other, time)}`}, shown);
}

export function age(text: string | null, zone: Zone): HTMLElement {
    if (!text)
        return h("span", {class: "none"}, "never");
    const element = moment(text, zone);
    element.textContent = duration(Math.max(0, (Date.now() - Date.parse(text)) / 1000)) + " ago";
    return element;
}
