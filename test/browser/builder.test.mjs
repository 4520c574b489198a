// npm run test:browser: the tab of `npm run page` that measures latencies, in a real Chromium with the real runtime. Needs `npm run build`, and
// onnxruntime-web in test/accuracy.
import assert from "node:assert/strict";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  addEnvironment,
  addRow,
  detectEnvironment,
  latencies,
  newTable,
  parseLines,
  printLines,
  rowsOf,
} from "../../dist/latency.js";
import { DESKTOP, fitAndAccessible, launched, PHONE, startPages } from "./served.mjs";

const ORT = fileURLToPath(new URL("../accuracy/node_modules/onnxruntime-web/", import.meta.url));

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

/** Records of this Node under a CPU's name: as many as are asked for. */
async function linesOf(cpu, count) {
  const table = newTable();
  const environment = await detectEnvironment({ runtime: "onnxruntime-web 1.30.0", cpu });
  addEnvironment(table, environment);
  const unit = { environment: environment.id, type: "dense", form: "MatMul", precision: "f32", batch: 1 };
  const by = { count: 9, spread: 0.01, date: "2026-01-02T03:04:05Z", tool: "0.1.0", runtime: "1.30.0" };
  for (let inputs = 1; inputs <= count; inputs++)
    addRow(table, { ...unit, ...by, attributes: { inputs }, median: inputs });
  return printLines(table);
}

const focused = () => page.evaluate(() => document.activeElement.id);

/** What would be shown of a run that does not go on. */
const idle = () =>
  page.evaluate(() => {
    const [left, unit] = ["left", "unit"].map((id) => document.getElementById(id).textContent);
    return { left, unit, bar: document.getElementById("progress").value };
  });

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
    await page.evaluate(() => {
      globalThis.said = [];
      const status = document.querySelector("#status");
      new MutationObserver(() => globalThis.said.push(status.textContent)).observe(status, { childList: true });
    });
    await begin(0.08);
    await page.waitForFunction(() => /^\d+ s left$/.test(document.querySelector("#left").textContent));
    const last = await ended();
    assert.match(last, /^Measured \d+ records?\. The machine took [\d.]+ to [\d.]+ of its first time\.$/);
    // Screen readers are not told of each unit.
    assert.deepEqual(await page.evaluate(() => globalThis.said), ["Starting the runtime.", "Measuring.", last]);
    assert.deepEqual(await idle(), { left: "", unit: "", bar: 1 });
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
    assert.deepEqual(await idle(), { left: "", unit: "", bar: 0 });
    const leave = page.evaluate(() => setTimeout(() => location.reload()));
    const [asked] = await Promise.all([page.waitForEvent("dialog"), leave]);
    assert.equal(asked.type(), "beforeunload");
    await asked.dismiss();
    const lines = await downloaded();
    page.on("dialog", () => trouble.push("it asks for records that are in a file"));
    await page.reload();
    const rows = rowsOf(parseLines(lines));
    assert.ok(rows.length >= 3);
    await page.context().close();
    await opened();
    await upload("earlier.jsonl", lines);
    await statusSays(`${rows.length} records, ${rows.length} of this environment.`);
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
    const lines = await downloaded();
    const table = parseLines(lines);
    const [environment] = table.environments.values();
    assert.equal(environment.cpu.model, "A CPU of mine");
    assert.match(await text("#facts"), new RegExp(environment.id));
    // Who has forgotten the name is told it.
    await page.context().close();
    await opened();
    await upload("named.jsonl", lines);
    const { length } = rowsOf(table);
    const records = `${length} record${length === 1 ? "" : "s"}`;
    await statusSays(`${records}, 0 of this environment. Under the CPU's name “A CPU of mine”: ${length}.`);
    await page.fill("#cpu", "A CPU of mine");
    await page.press("#cpu", "Tab");
    await statusSays(`${records}, ${length} of this environment.`);
    assert.match(await text("#facts"), new RegExp(environment.id));
  });

  test("by keys alone stays where it is", async () => {
    await page.focus("#cpu");
    await page.keyboard.press("Enter");
    await page.waitForSelector("body.busy");
    assert.equal(await focused(), "cancel");
    await page.keyboard.press("Enter");
    assert.equal(await focused(), "cancel");
    assert.match(await ended(), /^Cancelled/);
    assert.equal(await focused(), "start");
  });

  test("that fails shows nothing of a run that would go on", async () => {
    await page.evaluate(() => {
      const progress = { done: 1, total: 2, rows: 0, unit: "a unit" };
      globalThis.Worker = class {
        async postMessage() {
          this.onmessage({ data: { kind: "progress", progress } });
          globalThis.half = document.getElementById("progress").value;
          this.onmessage({ data: { kind: "failed", message: "out of memory", cancelled: false } });
        }
        terminate() {}
      };
    });
    await page.click("#start");
    await statusSays("out of memory");
    assert.equal(await page.evaluate(() => globalThis.half), 0.5);
    assert.deepEqual(await idle(), { left: "", unit: "", bar: 0 });
    assert.ok(await page.isEnabled("#start"));
  });
});

test("records that are none are refused with their place, and take nothing away", async () => {
  const lines = printLines(parseLines('{"quern":"latency","version":1}\n'));
  await upload("none.jsonl", lines);
  await statusSays("0 records, 0 of this environment.");
  await upload("other.jsonl", `${lines}{"environment":{"quern":"environment"}}\n`);
  await statusSays("other.jsonl: line 2: environment");
  assert.ok(await page.locator("#status").evaluate((status) => status.classList.contains("bad")));
  assert.ok(await page.isEnabled("#start"));
});

test("files that are read at once are all kept, and nothing is measured meanwhile", async () => {
  // As from a phone's cloud.
  await page.evaluate(() => {
    const arrived = new Promise((resolve) => {
      globalThis.arrive = resolve;
    });
    File.prototype.arrayBuffer = async function () {
      if (this.name === "slow.jsonl") await arrived;
      return Blob.prototype.arrayBuffer.call(this);
    };
  });
  await upload("slow.jsonl", await linesOf("one", 3));
  await statusSays("Reading 1 file.");
  assert.ok(await page.isDisabled("#start"));
  await upload("fast.jsonl", await linesOf("another", 2));
  await statusSays("2 records, 0 of this environment. More files are being read.");
  assert.ok(await page.isDisabled("#start"));
  await page.evaluate(() => globalThis.arrive());
  await statusSays("5 records, 0 of this environment.");
  assert.ok(await page.isEnabled("#start"));
  assert.equal(rowsOf(parseLines(await downloaded())).length, 5);
});

test("a CPU's name loses what names cannot have, and what else is wrong is told", async () => {
  const before = await text("#facts");
  await page.fill("#cpu", ` A\tCPU\0${"n".repeat(300)}`);
  await page.press("#cpu", "Tab");
  await page.waitForFunction((before) => document.querySelector("#facts").innerText !== before, before);
  assert.match(await page.inputValue("#cpu"), /^A CPU n{190,193}$/);
  await page.evaluate(() => {
    WebAssembly.validate = () => {
      throw new Error("no WebAssembly today");
    };
  });
  await page.fill("#cpu", "Another");
  await page.press("#cpu", "Tab");
  await statusSays("no WebAssembly today");
});

test("a server that does not tell of the runtime is told of", async () => {
  await page.route("**/latency.json", (route) => route.abort());
  await page.reload();
  await statusSays("The server does not answer");
  await page.unroute("**/latency.json");
  await page.route("**/latency.json", (route) => route.fulfill({ status: 500 }));
  await page.reload();
  await statusSays("it answers 500");
  assert.ok(await page.isDisabled("#start"));
  trouble = [];
});

test("a runtime that is damaged is told by its file, and a server that has ended as such", async () => {
  const folder = await mkdtemp(join(tmpdir(), "quern-ort-"));
  await mkdir(join(folder, "dist"));
  for (const name of ["package.json", "dist/ort.wasm.min.mjs", "dist/ort-wasm-simd-threaded.mjs"])
    await cp(join(ORT, name), join(folder, name));
  await writeFile(join(folder, "dist/ort-wasm-simd-threaded.wasm"), "no module");
  const other = await startPages("--ort", folder);
  try {
    await page.context().close();
    await opened({ at: other.url });
    await page.click("#start");
    await statusSays("/ort/ort-wasm-simd-threaded.wasm could not be loaded: ");
    other.server.kill();
    await once(other.server, "exit");
    await page.click("#start");
    await statusSays("The server does not answer");
    trouble = [];
  } finally {
    other.server.kill();
    await rm(folder, { recursive: true });
  }
});

test("without the runtime the tab says why, and shows records all the same", async () => {
  const folder = await mkdtemp(join(tmpdir(), "quern-ort-"));
  const other = await startPages("--ort", folder);
  try {
    await page.context().close();
    await opened({ at: other.url });
    const why = `The folder given as --ort is not onnxruntime-web: there is no ${join(folder, "package.json")}.`;
    assert.equal(await text("#status"), why);
    await upload("records.jsonl", await linesOf("one", 3));
    await statusSays(`${why} 3 records of 1 environment.`);
    assert.equal((await shown()).get("dense MatMul f32").units, "3");
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
    // Nor in the table, where what was measured comes last.
    const [wide, seen] = await page.$eval("#found", ({ parentElement: { scrollWidth, clientWidth } }) => [
      scrollWidth,
      clientWidth,
    ]);
    assert.ok(wide <= seen, `${wide} pixels wide in ${seen}`);
  });
}
