// HTML and SVG as text that is also well-formed XML. What is not markup yet is escaped wherever it is put in.

/** Text that is markup already. */
export interface Markup {
  readonly markup: string;
}

type Child = string | number | Markup | null;
type Attributes = Readonly<Record<string, string | number | undefined>>;

/** Elements without content. */
const VOID = new Set(["circle", "line", "meta", "path", "rect"]);
// What HTML or XML cannot hold: control characters, halves of surrogate pairs, and two that are none.
const UNFIT = /[\p{Cc}\p{Cs}\ufffe\uffff]/gu;
const ESCAPES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

export function escapeText(text: string): string {
  return text.replace(UNFIT, "\ufffd").replace(/[&<>"']/g, (character) => ESCAPES[character] as string);
}

/** An element. Strings among the children are text. Numbers in attributes get two decimals at most. */
export function element(name: string, attributes: Attributes = {}, ...children: readonly Child[]): Markup {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${typeof value === "number" ? short(value) : escapeText(`${value}`)}"`);
  const open = `<${name}${written.join("")}`;
  if (VOID.has(name)) return { markup: `${open}/>` };
  return { markup: `${open}>${all(children).markup}</${name}>` };
}

/** Children side by side. */
export function all(children: readonly Child[]): Markup {
  const texts = children.map((child) => {
    if (child === null) return "";
    return typeof child === "object" ? child.markup : escapeText(`${child}`);
  });
  return { markup: texts.join("") };
}

/** A name from a model: its own direction of writing must not turn what stands around it. */
export function nameOf(name: string): Markup {
  return element("bdi", {}, name);
}

function short(value: number): string {
  return `${Number(value.toFixed(2))}`;
}
