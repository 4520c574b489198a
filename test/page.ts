import { expect } from "vitest";

// Pages as tests read them.

/** An element of a page. */
export interface Node {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: (Node | string)[];
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };

function decode(text: string): string {
  return text.replace(/&([^;]*);?/g, (whole, name) => {
    if (!whole.endsWith(";") || !Object.hasOwn(ENTITIES, name)) throw new Error(`a lone & in ${text.slice(0, 80)}`);
    return ENTITIES[name] as string;
  });
}

/** A strict parser of what the page may hold: elements, quoted attributes, five entities, text. */
export function parse(html: string): Node {
  const doctype = "<!doctype html>\n";
  expect(html.startsWith(doctype)).toBe(true);
  const root: Node = { name: "", attributes: new Map(), children: [] };
  const open = [root];
  const tokens = html
    .slice(doctype.length)
    .matchAll(/<(\/?)([a-z0-9]+)((?: [a-zA-Z0-9-]+="[^"<]*")*)(\/?)>|([^<]+)|(.)/gsu);
  for (const [whole, closing, name = "", attributes = "", empty, text, wrong] of tokens) {
    const top = open.at(-1) as Node;
    if (wrong) throw new Error(`a lone ${wrong}`);
    if (text !== undefined) top.children.push(decode(text));
    else if (closing) {
      if (open.pop()?.name !== name) throw new Error(`${whole} closes ${top.name}`);
    } else {
      const pairs = [...attributes.matchAll(/ ([a-zA-Z0-9-]+)="([^"]*)"/g)].map(
        ([, key = "", value = ""]) => [key, decode(value)] as const,
      );
      const node: Node = { name, attributes: new Map(pairs), children: [] };
      if (node.attributes.size < pairs.length) throw new Error(`an attribute stands twice in ${whole}`);
      top.children.push(node);
      if (!empty) open.push(node);
    }
  }
  expect(open).toEqual([root]);
  return root.children[0] as Node;
}

export function* nodesOf(node: Node): Generator<Node> {
  yield node;
  for (const child of node.children) if (typeof child !== "string") yield* nodesOf(child);
}

export function textOf(node: Node): string {
  return node.children.map((child) => (typeof child === "string" ? child : textOf(child))).join("");
}

export function all(node: Node, name: string): Node[] {
  return [...nodesOf(node)].filter((candidate) => candidate.name === name);
}

export function classed(root: Node, name: string): Node[] {
  return [...nodesOf(root)].filter(({ attributes }) => attributes.get("class")?.split(" ").includes(name));
}

/** That every number of a drawing is one, and within it. */
export function expectSound(root: Node): void {
  const places = ["x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height"];
  for (const { name, attributes } of nodesOf(root)) {
    for (const key of places) {
      const value = attributes.get(key);
      if (value === undefined) continue;
      expect(value, `${key} of ${name}`).toMatch(/^\d+(\.\d+)?%?$/);
      expect(Number.parseFloat(value)).toBeLessThanOrEqual(value.endsWith("%") ? 100 : 1000);
    }
    for (const key of ["d", "transform", "viewBox"])
      expect(attributes.get(key) ?? "").not.toMatch(/NaN|Infinity|undefined|\de/);
  }
  expect(textOf(root)).not.toMatch(/NaN|Infinity|undefined|null/);
}
