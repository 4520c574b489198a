// The pages of `npm run page`, on the server that users have, for a real Chromium.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import axe from "axe-core";
import { chromium } from "playwright-core";
import { FLAGS } from "./site.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 360, height: 780 };

/** Starts bench/page/serve.ts. @param options - of its command line */
export async function startPages(...options) {
  const args = ["--import", "tsx", "bench/page/serve.ts", "--port", "0", ...options];
  const server = spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(server, "exit").then(([code]) => {
    throw new Error(`the server ended with ${code} before it had begun`);
  });
  const [line] = await Promise.race([once(server.stdout, "data"), ended]);
  ended.catch(() => {});
  return { server, url: /http:\S+/.exec(`${line}`)[0] };
}

export function launched() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}

/** That nothing is wider than the window, and that axe finds nothing. */
export async function fitAndAccessible(page) {
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= window, `${wide} pixels wide in a window of ${window}`);
  await page.evaluate(axe.source);
  const violations = await page.evaluate(async () =>
    (await globalThis.axe.run()).violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
  );
  assert.deepEqual(violations, []);
}
