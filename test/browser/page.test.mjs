// npm run test:browser: the page of `npm run page` in a real Chromium, on a line that is slow, is cut and damages. Needs `npm run build`.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { bytesSource, memorySink, open, pack, readSafetensors } from "../../dist/index.js";
import { DESKTOP, fitAndAccessible, launched, PHONE, startPages } from "./served.mjs";

const DIGITS = new URL("../../bench/demo/digits-cnn.safetensors", import.meta.url);
// Chromium's own words for what was cut.
const CUT = /net::ERR_(CONTENT_LENGTH_MISMATCH|CONNECTION_RESET|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING)/;

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
async function opened(options = {}) {
  trouble = [];
  const context = await browser.newContext({ viewport: DESKTOP, ...options });
  page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && trouble.push(message.text()));
  page.on("pageerror", (error) => trouble.push(`${error}`));
  context.on("request", (request) => request.url().startsWith(url) || trouble.push(`request of ${request.url()}`));
  await page.goto(url);
  await page.waitForSelector("body[data-ready]");
}

beforeEach(() => opened());
afterEach(() => page.context().close());

const text = (selector) => page.locator(selector).innerText();

async function set(choices) {
  for (const [id, value] of Object.entries(choices)) await page.selectOption(`#${id}`, value);
}

/** Loads what is chosen, and gives what the page says of it at the end. */
async function load() {
  await page.click("#load");
  return loaded();
}

/** What the page says when loading is over. */
async function loaded() {
  await page.waitForSelector("body:not(.busy)", { state: "attached", timeout: 60_000 });
  // What is over is drawn in the next frame.
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  return text("#status");
}

/** The tensors of the list by name, with the hashes of their floats. */
function shownHashes() {
  return page.$$eval("#tensors tbody tr", (rows) =>
    rows.map((row) => [row.cells[0].textContent, row.dataset.sha256 ?? ""]),
  );
}

/** The same as Node finds them in a file. */
async function hashesOf(bytes) {
  const hashes = [];
  for await (const { name, data } of (await open(bytes)).stream())
    hashes.push([name, createHash("sha256").update(data).digest("hex")]);
  return hashes;
}

async function served(id) {
  return new Uint8Array(await (await fetch(`${url}models/${id}.quern`)).arrayBuffer());
}

async function stripSays(words) {
  await page.waitForFunction((words) => document.querySelector("#strip").getAttribute("aria-label") === words, words, {
    timeout: 20_000,
  });
}

function requests() {
  return page.$$eval("#requests tbody tr", (rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent)));
}

function noTrouble(allowed = /^$/) {
  assert.deepEqual(
    trouble.filter((one) => !allowed.test(one)),
    [],
  );
}

describe("loading", () => {
  test("gives the floats that Node gives, and tells of every chunk", async () => {
    await set({ rate: "0" });
    assert.match(await load(), /^Loaded and verified in [\d.]+ m?s\.$/);
    const hashes = await hashesOf(await served("transformer"));
    assert.equal(hashes.length, 98);
    assert.deepEqual(await shownHashes(), hashes);
    await stripSays("77 chunks: 77 decoded");
    assert.equal(await page.locator("#strip .cell.decoded").count(), 77);
    assert.equal(await page.locator("#progress").evaluate((bar) => bar.value), 1);
    assert.match(
      await text("#figures"),
      /to header\n[\d.]+ m?s\nto first tensor\n[\d.]+ m?s\ntotal\n[\d.]+ m?s\nfile\n[\d.]+ MB\/s/,
    );
    noTrouble();
  });

  test("accounts for no more memory than the header declares", async () => {
    await load();
    const cells = await page.$$eval("#memory tbody tr", (rows) => rows.map((row) => row.cells[1].textContent));
    const [declared, accounted, floats] = cells.map((cell) => Number.parseFloat(cell));
    assert.ok(accounted > 1 && accounted <= declared, `${accounted} of ${declared} MB`);
    assert.equal(floats, 24.4);
  });

  test("of the trained model gives the same", async () => {
    await page.check('input[value="digits"]');
    await load();
    assert.deepEqual(await shownHashes(), await hashesOf(await served("digits")));
    await stripSays("5 chunks: 5 decoded");
    noTrouble();
  });

  test("takes as long as the line needs, and is as fast as it once that is faster", async () => {
    await set({ rate: "5" });
    await page.click("#load");
    await page.waitForFunction(() => document.querySelector("#progress").value > 0.02);
    assert.equal(await page.locator("#status").innerText(), "Loading.");
    assert.ok(await page.evaluate(() => document.querySelector("#progress").value < 0.5));
    await set({ rate: "0" });
    assert.match(await loaded(), /^Loaded/);
    noTrouble();
  });

  test("ends when it is aborted, and begins anew", async () => {
    await set({ rate: "5" });
    await page.click("#load");
    await page.waitForFunction(() => document.querySelector("#progress").value > 0.05);
    await page.click("#abort");
    assert.match(await loaded(), /^Aborted after [\d.]+ m?s, with \d+ of 98 tensors ready\.$/);
    assert.match((await requests()).at(-1)[4], /ended/);
    await set({ rate: "0" });
    assert.match(await load(), /^Loaded/);
    noTrouble();
  });
});

describe("a bad line", () => {
  test("that is cut by hand is gone on with where it was cut", async () => {
    await set({ rate: "0" });
    await load();
    const hashes = await shownHashes();
    await set({ rate: "20" });
    await page.click("#load");
    await page.waitForFunction(() => document.querySelector("#progress").value > 0.2);
    await page.click("#cut");
    await page.waitForFunction(() => document.querySelector("#status").textContent.includes("was cut"));
    assert.match(await loaded(), /; cut 1 time and resumed; the floats are those of the run before\.$/);
    assert.deepEqual(await shownHashes(), hashes);
    // How many requests the header takes is not what this is about.
    const list = await requests();
    const at = list.findIndex(([, , , , fate]) => fate === "cut");
    const [cut, resumed] = list.slice(at);
    assert.equal(resumed[4], `resumes ${at + 1}; whole`);
    assert.ok(Number.parseInt(resumed[1], 10) > Number.parseInt(cut[1], 10));
    assert.ok(trouble.some((one) => CUT.test(one)));
    noTrouble(CUT);
  });

  test("that is cut again and again gives the same floats", async () => {
    await set({ rate: "200", cutEvery: "15" });
    assert.match(await load(), /; cut \d+ times and resumed\.$/);
    assert.deepEqual(await shownHashes(), await hashesOf(await served("transformer")));
    noTrouble(CUT);
  });

  test("that damages a chunk once has it fetched again", async () => {
    await set({ rate: "0", damage: "once" });
    assert.match(await load(), /; 1 damaged chunk fetched again\.$/);
    assert.deepEqual(await shownHashes(), await hashesOf(await served("transformer")));
    await stripSays("77 chunks: 77 decoded, 1 fetched again");
    assert.equal((await requests()).filter(([, , , , fate]) => fate === "again: it was damaged; whole").length, 1);
    noTrouble();
  });

  test("that always damages a chunk is an error that names the place", async () => {
    await set({ rate: "0", damage: "always" });
    assert.match(await load(), /^FormatError, code "checksum": chunk \d+ of tensor "[\w.]+" at byte \d+: expected/);
    await page.waitForSelector("#strip .cell.damaged");
    assert.equal(await page.locator("#strip .cell.damaged").count(), 1);
    assert.match(await page.getAttribute("#strip", "aria-label"), /, 1 damaged/);
    noTrouble();
  });
});

for (const place of ["indexedDb", "opfs", "cacheApi"])
  test(`what is kept in ${place} is not fetched again, until it is evicted`, async () => {
    await set({ rate: "0", place });
    await page.check("#cache");
    await load();
    const hashes = await shownHashes();
    assert.match(await text("#kept"), /^5\.76 MB in 78 entries of one file\.$/);
    await page.reload();
    await page.waitForSelector("body[data-ready]");
    await set({ place });
    await page.check("#cache");
    await load();
    await stripSays("77 chunks: 77 decoded, 77 from the cache");
    assert.deepEqual(await shownHashes(), hashes);
    assert.deepEqual(await requests(), []);
    await page.click("#evict");
    await page.waitForFunction(() => document.querySelector("#kept").textContent === "Nothing is kept.");
    await set({ rate: "0" });
    await load();
    await stripSays("77 chunks: 77 decoded");
    noTrouble();
  });

describe("a file of the user's", () => {
  async function packed(plan) {
    const sink = memorySink();
    await pack(await readSafetensors(bytesSource(await readFile(DIGITS))), plan, sink);
    return sink.bytes();
  }

  test("that is dropped is packed under the plan and loaded", async () => {
    const transfer = await page.evaluateHandle(
      (text) => {
        const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], "digits.safetensors"));
        return transfer;
      },
      (await readFile(DIGITS)).toString("base64"),
    );
    await page.fill("#plan", "int4 group 32 > auto");
    await page.dispatchEvent("main", "drop", { dataTransfer: transfer });
    await page.waitForSelector("body.busy, #tensors tr[data-sha256]", { state: "attached" });
    assert.match(await loaded(), /^Loaded/);
    const bytes = await packed("int4 group 32 > auto");
    assert.match(await text("#stageTitle"), /^digits\.safetensors, 325 kB, packed to [\d.]+ kB$/);
    assert.deepEqual(await shownHashes(), await hashesOf(bytes));
    noTrouble();
  });

  test("that is a .quern file is loaded as it is; another plan, or none, is an answer", async () => {
    const bytes = await packed("lossless");
    await page.setInputFiles("#files", { name: "exact.quern", mimeType: "", buffer: Buffer.from(bytes) });
    assert.match(await loaded(), /^Loaded/);
    assert.equal(await text("#stageTitle"), "exact.quern");
    assert.deepEqual(await shownHashes(), await hashesOf(bytes));
    await page.fill("#plan", "int9");
    await page.setInputFiles("#files", fileURLToPath(DIGITS));
    assert.match(await loaded(), /^PlanError: .*int9/);
    await page.setInputFiles("#files", { name: "none.bin", mimeType: "", buffer: Buffer.from("no model at all") });
    assert.match(await loaded(), /^FormatError: .*expected a \.quern, safetensors/);
    noTrouble();
  });
});

test("a model of several files is packed with its shards, and one that lacks a shard says which", async () => {
  const values = Float32Array.from({ length: 4096 }, (_, i) => Math.sin(i));
  const weights = [{ name: "dense/kernel", shape: [64, 64], dtype: "float32" }];
  const manifest = [{ paths: ["group1-shard1of2.bin", "group1-shard2of2.bin"], weights }];
  const json = JSON.stringify({ format: "layers-model", modelTopology: {}, weightsManifest: manifest });
  const whole = Buffer.from(values.buffer);
  // What stands first begins like a model.json.
  whole.write("{", 0);
  const file = (name, buffer) => ({ name, mimeType: "", buffer });
  const shards = manifest[0].paths.map((name, i) => file(name, whole.subarray(8192 * i, 8192 * (i + 1))));
  const files = [...shards, file("model.json", Buffer.from(json))];
  await page.fill("#plan", "raw");
  await page.setInputFiles("#files", files);
  assert.match(await loaded(), /^Loaded/);
  const hash = createHash("sha256").update(whole).digest("hex");
  assert.deepEqual(await shownHashes(), [["dense/kernel", hash]]);
  await page.setInputFiles("#files", files.slice(1));
  assert.match(await loaded(), /^DataError: .*"group1-shard1of2\.bin": give that file too$/);
  noTrouble();
});

async function race() {
  await page.click("#race");
  await page.waitForSelector("#race:enabled", { timeout: 60_000 });
  const rows = await page.$$eval("#bars tbody tr", (rows) =>
    rows.map((row) => [...row.cells].map((cell) => cell.textContent)),
  );
  return rows.map(([name, ...numbers]) => [name, ...numbers.map(Number)]);
}

test("the race of codecs has three bars, of numbers that can be", async () => {
  const rows = await race();
  assert.deepEqual(
    rows.map(([name]) => name.split(/[ ,]/)[0]),
    ["quern", "zstd", "gzip"],
  );
  for (const [name, speed, stored, bits] of rows) {
    assert.ok(speed > 0 && speed < 20, `${name}: ${speed} GB/s`);
    // Codes of sigma 10 have 5.37 bits of entropy.
    assert.ok(stored > 1390 && stored < 1500, `${name}: ${stored} kB`);
    assert.ok(bits > 5.3 && bits < 5.8, `${name}: ${bits} bits`);
  }
  assert.equal(await page.locator("#bars .bar:visible").count(), 6);
  assert.match(await text("#raceStatus"), /^All gave the same codes\./);
  noTrouble();
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
    await set({ rate: "0", damage: "once" });
    await load();
    await race();
    await fitAndAccessible(page);
    await set({ damage: "always" });
    await load();
    await fitAndAccessible(page);
    noTrouble();
  });
}

test("all can be done with keys alone", async () => {
  await page.focus('input[value="transformer"]');
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  assert.match(await loaded(), /^Loaded/);
  assert.equal(await text("#stageTitle"), "Digits CNN, trained");
  await page.focus("#race");
  await page.keyboard.press("Space");
  await page.waitForSelector("#bars:visible", { timeout: 60_000 });
  noTrouble();
});

test("the server answers what it does not know, and ends when it is told to", async () => {
  assert.equal((await fetch(`${url}../package.json`)).status, 404);
  assert.equal((await fetch(`${url}lines/x`, { method: "POST", body: "no JSON" })).status, 400);
  const answer = await fetch(`${url}models/digits.quern`, { headers: { range: "bytes=8-15" } });
  assert.deepEqual(
    [answer.status, answer.headers.get("content-range"), (await answer.arrayBuffer()).byteLength],
    [206, "bytes 8-15/78995", 8],
  );
  assert.match(answer.headers.get("content-security-policy"), /script-src 'self' 'wasm-unsafe-eval';/);
  server.kill("SIGINT");
  assert.deepEqual(await once(server, "exit"), [0, null]);
});
