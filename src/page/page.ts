import { element, type Markup } from "./markup.ts";
import { STYLE } from "./style.ts";

/** One HTML page, which fetches nothing and runs nothing. @param style - of this page alone */
export function pageOf(title: string, style: string, main: Markup): string {
  const head = element(
    "head",
    {},
    element("meta", { charset: "utf-8" }),
    element("meta", { name: "viewport", content: "width=device-width, initial-scale=1" }),
    element("title", {}, title),
    // Nothing in it is escaped, and nothing in it needs to be.
    element("style", {}, { markup: STYLE + style }),
  );
  return `<!doctype html>\n${element("html", { lang: "en" }, head, element("body", {}, main)).markup}\n`;
}
