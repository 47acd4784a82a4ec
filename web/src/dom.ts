// SPDX-License-Identifier: BSD-2-Clause

// Elements from values. Nothing is ever made from text as HTML, so no name from a routing table can become markup.

export type Child = Node | string | number | null | undefined | false | Child[];
type Value = string | number | boolean | null | undefined | EventListener | Record<string, string>;
type Attributes = Record<string, Value> | null;

// on…: a listener; vars: custom properties, which the style sheet reads (style attributes are not allowed to the page).
function set(element: Element, name: string, value: Value): void {
    if (value === null || value === undefined || value === false)
        return;
    if (typeof value === "function")
        element.addEventListener(name.slice(2).toLowerCase(), value);
    else if (typeof value === "object")
        for (const [property, text] of Object.entries(value))
            (element as HTMLElement).style.setProperty(property, text);
    else
        element.setAttribute(name, value === true ? "" : String(value));
}

function add(element: Element, child: Child): void {
    if (Array.isArray(child))
        child.forEach((c) => add(element, c));
    else if (child instanceof Node)
        element.append(child);
    else if (child !== null && child !== undefined && child !== false)
        element.append(String(child));
}

export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes?: Attributes,
    ...children: Child[]): HTMLElementTagNameMap[K] {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes ?? {}))
        set(element, name, value);
    add(element, children);
    return element;
}

export function svg(tag: string, attributes: Record<string, string | number>, ...children: Child[]): SVGElement {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes))
        element.setAttribute(name, String(value));
    add(element, children);
    return element;
}

export function byId<T extends HTMLElement = HTMLElement>(id: string): T | null {
    return document.getElementById(id) as T | null;
}

// Puts new content in place; what had the focus has it again when it is still there (by its id).
export function replace(root: HTMLElement, ...children: Child[]): void {
    const focused = root.contains(document.activeElement) ? document.activeElement?.id : "";
    const fragment = h("div");
    add(fragment, children);
    root.replaceChildren(...fragment.childNodes);
    if (focused)
        byId(focused)?.focus({preventScroll: true});
}

// What without an id has the focus: a link is found again by where it leads, anything else, and one that is gone, by its place.
function focusOf(root: HTMLElement): () => HTMLElement | undefined {
    const old = document.activeElement, href = old?.getAttribute("href");
    if (!old || old.id || !root.contains(old))
        return () => undefined;
    const alike = (same: boolean) => [...root.querySelectorAll<HTMLElement>(old.tagName)].filter((e) => !same || e.getAttribute("href") === href);
    const among = alike(true).indexOf(old as HTMLElement), place = alike(false).indexOf(old as HTMLElement);
    return () => alike(true)[href ? among : -1] ?? alike(false)[place];
}

// The same with content of the same kind, for who is at it: also the focus without an id, and how far tables are scrolled.
export function renew(root: HTMLElement, ...children: Child[]): void {
    const scrolls = () => [...root.querySelectorAll(".scroll")], focus = focusOf(root);
    const before = scrolls().map((e) => [e.scrollLeft, e.scrollTop]);
    replace(root, ...children);
    scrolls().forEach((e, i) => e.scrollTo(...(before[i] ?? [0, 0]) as [number, number]));
    focus()?.focus({preventScroll: true});
}
