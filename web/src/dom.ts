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
