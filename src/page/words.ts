import { all, element, type Markup } from "./markup.ts";

// Figures as text.

export function bytesText(bytes: number): string {
  return `${bytes.toLocaleString("en")}`;
}

export function bitsText(bits: number): string {
  return bits.toFixed(2);
}

export function snrText(snr: number): string {
  return Number.isFinite(snr) ? snr.toFixed(2) : "exact";
}

export function percentText(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

export function shapeText(shape: readonly number[]): string {
  return shape.length === 0 ? "scalar" : shape.join(" × ");
}

type Heads = readonly (string | Markup)[];
type Rows = readonly (readonly (string | Markup)[])[];

/** A table; cells are text or markup, all but the first column numbers that stand right. */
export function tableOf(caption: string, head: Heads, rows: Rows): Markup {
  return scrolled(caption, narrowTable(caption, head, rows));
}

/** The same, of few columns: it does not scroll. */
export function narrowTable(caption: string, head: Heads, rows: Rows): Markup {
  const headers = head.map((text) => element("th", { scope: "col" }, text));
  const body = rows.map(([first = "", ...cells]) => {
    return element("tr", {}, element("th", { scope: "row" }, first), ...cells.map((cell) => element("td", {}, cell)));
  });
  return element(
    "table",
    {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...headers)),
    element("tbody", {}, ...body),
  );
}

/** What is wider than a phone scrolls in its own box, by keyboard too. */
export function scrolled(label: string, content: Markup): Markup {
  return element("div", { class: "wide", role: "region", "aria-label": label, tabindex: 0 }, content);
}

export function section(id: string, title: string, ...content: readonly (string | Markup | null)[]): Markup {
  return element("section", { "aria-labelledby": id }, element("h2", { id }, title), all(content));
}

/** What marks mean, by class of the style sheet. */
export function legend(entries: readonly (readonly [kind: string, text: string])[]): Markup {
  const items = entries.map(([kind, text]) => {
    const mark = element("circle", { cx: 7, cy: 7, r: 5, class: kind });
    return element("li", {}, element("svg", { viewBox: "0 0 14 14", "aria-hidden": "true", class: "key" }, mark), text);
  });
  return element("ul", { class: "legend" }, ...items);
}
