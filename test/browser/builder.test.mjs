// npm run test:browser: the tab of `npm run page` that measures latencies, in a real Chromium with the real runtime. Needs `npm run build`, and
// onnxruntime-web in test/accuracy.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { latencies, parseLines, printLines, rowsOf } from "../../dist/latency.js";
import { DESKTOP, fitAndAccessible, launched, PHONE, startPages } from "./served.mjs";

let server;
let browser;
let url;
let page;
let trouble;

before(async () => {
  ({ server, url } = await startPages());
  browser = await launched();
});

after(async () => {
  await browser?.close();
  if (server?.exitCode === null) server.kill();
});

/** A new page, of whose errors and of whose requests to others `trouble` hears. */
async function opened({ at = url, ...options } = {}) {
  trouble = [];
  const context = await browser.newContext({ viewport: DESKTOP, ...options });
  page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && trouble.push(message.text()));
  page.on("pageerror", (error) => trouble.push(`${error}`));
  const own = (address) => address.startsWith(at) || address.startsWith(`blob:${at}`);
  context.on("request", (request) => own(request.url()) || trouble.push(`request of ${request.url()}`));
  await page.goto(`${at}latency`);
  await page.waitForSelector("body[data-ready]");
}

beforeEach(() => opened());
afterEach(async () => {
  assert.deepEqual(trouble, []);
  await page.context().close();
});

const text = (selector) => page.locator(selector).innerText();

async function begin(minutes) {
  await page.fill("#minutes", `${minutes}`);
  await page.click("#start");
  await page.waitForSelector("body.busy");
}

/** What the page says at the end. */
async function ended() {
  await page.waitForSelector("body:not(.busy)", { timeout: 120_000 });
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  return text("#status");
}

async function downloaded() {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
  assert.match(download.suggestedFilename(), /\.jsonl$/);
  return readFile(await download.path(), "utf8");
}

function upload(name, lines) {
  return page.setInputFiles("#records", { name, mimeType: "", buffer: Buffer.from(lines) });
}

const statusSays = (words) =>
  page.waitForFunction((words) => document.querySelector("#status").textContent.includes(words), words);

/** Kinds of units that the page shows: how many there are of each. */
async function shown() {
  const rows = await page.$$eval("#found tbody tr", (rows) =>
    rows.map((row) => [...row.cells].map((cell) => cell.textContent)),
  );
  return new Map(
    rows.map(([type, form, precision, units, range]) => [`${type} ${form} ${precision}`, { units, range }]),
  );
}

describe("measuring", () => {
  test("shows what it does and finds, and gives lines that are read elsewhere", async () => {
    assert.equal(await page.evaluate(() => globalThis.crossOriginIsolated), true);
    assert.ok(await page.isDisabled("#download"));
    await begin(0.08);
    await page.waitForFunction(() => /^\d+ s left$/.test(document.querySelector("#left").textContent));
    assert.match(await ended(), /^Measured \d+ records?\. The machine took [\d.]+ to [\d.]+ of its first time\.$/);
    assert.equal(await page.locator("#progress").evaluate((bar) => bar.value), 1);
    const table = parseLines(await downloaded());
    const [environment, ...others] = table.environments.values();
    assert.deepEqual(others, []);
    assert.deepEqual(
      [environment.runtime.name, environment.host.name, environment.runtime.threads],
      ["onnxruntime-web", "chromium", 1],
    );
    const rows = rowsOf(table);
    assert.ok(rows.every(({ count, tool }) => count >= 9 && /^\d+\.\d+\.\d+/.test(tool)));
    assert.match(await text("#facts"), new RegExp(`records\\s+${rows.length}\\b`));
    const kinds = await shown();
    assert.equal(
      [...kinds.values()].reduce((sum, { units }) => sum + Number(units), 0),
      rows.length,
    );
    const reference = rows.find(({ type }) => type === "reference");
    assert.equal(Number(kinds.get(`reference ${reference.form} f32`).range), Number(reference.median.toPrecision(3)));
  });

  test("that is cancelled keeps what was found, and goes on with it where it is given back", async () => {
    await begin(1);
    await page.waitForSelector("#found tbody tr:nth-child(3)", { timeout: 60_000 });
    // What there is can be had meanwhile, too.
    assert.ok(rowsOf(parseLines(await downloaded())).length >= 3);
    await page.click("#cancel");
    assert.match(await ended(), /^Cancelled: \d+ records of this environment are kept\.$/);
    const lines = await downloaded();
    const rows = rowsOf(parseLines(lines));
    assert.ok(rows.length >= 3);
    await page.context().close();
    await opened();
    await upload("earlier.jsonl", lines);
    await statusSays(`${rows.length} records are known.`);
    await begin(0.1);
    assert.match(await ended(), /^Measured \d+ records?, [1-9]\d* units? known before\./);
    const both = parseLines(await downloaded());
    // Nothing was measured twice, and nothing is lost.
    assert.ok(latencies(both).every(({ pooled }) => pooled === 1));
    const after = new Set(rowsOf(both).map((row) => JSON.stringify(row)));
    assert.ok(rows.every((row) => after.has(JSON.stringify(row))));
    assert.equal(both.environments.size, 1);
  });

  test("under a CPU's name is another environment", async () => {
    const before = await text("#facts");
    await page.fill("#cpu", "A CPU of mine");
    await page.press("#cpu", "Tab");
    await page.waitForFunction((before) => document.querySelector("#facts").innerText !== before, before);
    await begin(0.05);
    await ended();
    const [environment] = parseLines(await downloaded()).environments.values();
    assert.equal(environment.cpu.model, "A CPU of mine");
    assert.match(await text("#facts"), new RegExp(environment.id));
  });
});

test("records that are none are refused with their place, and take nothing away", async () => {
  const lines = printLines(parseLines('{"quern":"latency","version":1}\n'));
  await upload("none.jsonl", lines);
  await statusSays("0 records are known.");
  await upload("other.jsonl", `${lines}{"environment":{"quern":"environment"}}\n`);
  await statusSays("other.jsonl: line 2: environment");
  assert.ok(await page.locator("#status").evaluate((status) => status.classList.contains("bad")));
  assert.ok(await page.isEnabled("#start"));
});

test("without the runtime the tab says what to install", async () => {
  const folder = await mkdtemp(join(tmpdir(), "quern-ort-"));
  const other = await startPages("--ort", folder);
  try {
    await page.context().close();
    await opened({ at: other.url });
    assert.match(await text("#status"), /^onnxruntime-web is not installed\. .*npm ci --prefix test\/accuracy$/);
    assert.ok(await page.isDisabled("#start"));
  } finally {
    other.server.kill();
    await rm(folder, { recursive: true });
  }
});

test("the tabs lead to each other", async () => {
  await page.click('nav a[href="/"]');
  await page.waitForSelector("body[data-ready] #load");
  await page.click('nav a[href="/latency"]');
  await page.waitForSelector("body[data-ready] #start:enabled");
});

for (const [name, options] of Object.entries({
  "a desktop": {},
  "the dark": { colorScheme: "dark" },
  "a phone": { viewport: PHONE, isMobile: true, hasTouch: true },
})) {
  test(`on ${name} all fits and is accessible, before and after`, async () => {
    await page.context().close();
    await opened(options);
    await fitAndAccessible(page);
    await begin(0.05);
    await ended();
    await fitAndAccessible(page);
  });
}
