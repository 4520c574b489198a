import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Browser, chromium, type Page } from "playwright-core";
import { type Decoded, ENGINES } from "./engines.ts";

// Pages of one Chromium, each with nothing of the others.

/** The strictest policy under which WebAssembly compiles, and the strictest of all. */
export const STRICT = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'";
export const STRICTEST = "default-src 'none'; script-src 'self'; connect-src 'self'";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

export function startChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: ENGINES.chromium, headless: true, args: FLAGS });
}

/** What a page prints, as JSON. @param act - what the user does there */
export async function printedBy<T>(browser: Browser, url: string, act: (page: Page) => Promise<void> = async () => {}) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    // What a policy refuses is reported on the console too, but as an error.
    const printed = page.waitForEvent("console", { predicate: (message) => message.type() === "log", timeout: 60_000 });
    const failed = new Promise<never>((_, reject) => page.on("pageerror", reject));
    await page.goto(url);
    await act(page);
    return JSON.parse((await Promise.race([printed, failed])).text()) as T;
  } finally {
    await context.close();
  }
}

export interface PageRun extends Decoded {
  readonly version: string;
  /** Modules that the page fetched. */
  readonly fetched: readonly string[];
}

/** Opens a page of the modules under a content security policy. */
export async function runPage(modules: ReadonlyMap<string, string>, policy: string): Promise<PageRun> {
  const fetched: string[] = [];
  const server = createServer((request, response) => {
    const name = (request.url ?? "").slice(1);
    const module = modules.get(name);
    if (module) fetched.push(name);
    response.setHeader("content-type", module ? "text/javascript" : "text/html");
    if (policy) response.setHeader("content-security-policy", policy);
    response.end(module ?? (name ? "" : '<!doctype html><script type="module" src="console.js"></script>'));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const browser = await startChromium();
  try {
    const decoded = await printedBy<Decoded>(browser, `http://127.0.0.1:${port}/`);
    return { ...decoded, version: browser.version(), fetched };
  } finally {
    await browser.close();
    await new Promise((resolve) => server.close(resolve));
  }
}
