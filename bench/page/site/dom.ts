// Elements of the page. Text is set as text: names come from files.

/** The element that the page has under this id. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}

type Attributes = Readonly<Record<string, string>>;

export function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** The body of a table of the page. */
export function rowsOf(id: string): HTMLTableSectionElement {
  return byId<HTMLTableElement>(id).tBodies[0] as HTMLTableSectionElement;
}

/** Sets text only where it differs: else what is selected would be lost with every frame. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
