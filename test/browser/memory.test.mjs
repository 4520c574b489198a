// What loading takes in a page beside the weights. Of two pages that hold the same memory, one loads a file into it, the other fetches the file
// and lets its bytes go.
//
// What is in use is asked of the engine whenever a tensor is there, right after a collection, so that garbage which nobody collected yet
// neither adds to it nor hides it. While a page waits for that, chunks come until the window is full, and memory for chunks is kept for the next:
// there is no more at any other time. It has objects, array buffers with the memory of WebAssembly, and what Chromium itself holds for the page. All of it
// counts, and nothing is taken off it but what the page had before it began. Resident memory cannot say so much: it has garbage and code in it.
//
// Of an answer that it may keep, Chromium reads ahead whatever comes while a page is slower than the connection, as here, and holds it until the
// page takes it: tens of MiB, which no reader can hinder, and which a page that only fetches has as well, as much as it is slow. Where the
// answer says no-store it lets a page that pauses pause the server. So all that is held is bounded there; where Chromium reads ahead, all but
// that: it is told apart, as it lies in no heap of JavaScript.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { memorySink, pack } from "../../dist/index.js";
import { site } from "./site.mjs";

const MIB = 2 ** 20;
const [ROWS, COLUMNS, TENSORS] = [1024, 4096, 16];
// The pages' processes differ by code, garbage and what Chromium reads ahead.
const [MOST, MOST_RESIDENT] = [4 * MIB, 64 * MIB];
// Pages of origins, and so of processes, of their own, in turn.
const ROUNDS = 3;

let bytes;
let browser;

before(async () => {
  const sink = memorySink();
  await pack(seeded(), "int8 channel > auto", sink);
  bytes = sink.bytes();
  browser = await site({ "/kept/model.quern": answer("max-age=60"), "/model.quern": answer("no-store") });
});

after(() => browser?.close());

function seeded() {
  const read = async (start, end) => {
    const values = Float32Array.from({ length: end - start }, (_, i) => {
      const x = Math.imul((start + i) ^ 0x5bd1, 0x9e3779b1) >>> 0;
      return ((x & 255) + ((x >>> 8) & 255) + ((x >>> 16) & 255) - 382) / 1000;
    });
    return new Uint8Array(values.buffer);
  };
  const tensor = (_, i) => ({ name: `${i}`, dtype: "F32", shape: [ROWS, COLUMNS], read });
  return { metadata: null, tensors: Array.from({ length: TENSORS }, tensor) };
}

function answer(control) {
  return (request, response) => {
    const [, start, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [null, 0, bytes.length - 1];
    const end = Math.min(Number(last) + 1, bytes.length);
    response.writeHead(request.headers.range ? 206 : 200, {
      "content-type": "application/octet-stream",
      "content-length": end - start,
      "content-range": `bytes ${start}-${end - 1}/${bytes.length}`,
      "cache-control": control,
      etag: '"1"',
    });
    response.end(bytes.subarray(Number(start), end));
  };
}

async function load({ path, elements, tensors }) {
  const { open } = await import("/read.js");
  const memory = new Float32Array(elements * tensors).fill(1);
  await globalThis.measure();
  const file = await open(path);
  const into = ({ name }) => memory.subarray(elements * name, elements * name + elements);
  for await (const { data } of file.stream({ into })) {
    if (data.buffer !== memory.buffer) throw new Error("not in the caller's memory");
    await globalThis.measure();
  }
  file.close();
  return { declared: file.totals.peak, held: memory.length };
}

async function discard({ path, elements, tensors }) {
  const memory = new Float32Array(elements * tensors).fill(1);
  await globalThis.measure();
  const { body } = await fetch(path);
  const reader = body.getReader();
  let got = 0;
  let next = 0;
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    got += piece.value.length;
    if (got < next) continue;
    next += 4e6;
    await globalThis.measure();
  }
  return { got, held: memory.length };
}

/** Runs a function in a page of an origin, and so of a process, of its own; what is in use is measured whenever it asks for that. */
async function measured(host, path, use) {
  const page = await browser.page(`http://${host}:${browser.port}`);
  const devtools = await browser.session(page);
  const all = [];
  await page.exposeFunction("measure", async () => {
    await devtools.send("HeapProfiler.collectGarbage");
    // backingStorageSize: array buffers, and the memory of WebAssembly; embedderHeapUsedSize: what Chromium's own objects hold.
    const { usedSize, backingStorageSize, embedderHeapUsedSize } = await devtools.send("Runtime.getHeapUsage");
    all.push({ own: usedSize + backingStorageSize, whole: usedSize + backingStorageSize + embedderHeapUsedSize });
  });
  const given = JSON.stringify({ path, elements: ROWS * COLUMNS, tensors: TENSORS });
  const result = await page.evaluate(`(${use})(${given})`);
  const resident = await mostResident();
  await page.close();
  const [first, ...others] = all;
  const most = (key) => Math.max(...others.map((sample) => sample[key])) - first[key];
  return { ...result, own: most("own"), whole: most("whole"), samples: others.length, resident };
}

/** The most resident memory of a page's process, the largest of those that are there, in bytes; 0 where there is no /proc. */
async function mostResident() {
  const devtools = await browser.browserSession();
  const { processInfo } = await devtools.send("SystemInfo.getProcessInfo");
  const pages = processInfo.filter(({ type }) => type === "renderer");
  const texts = await Promise.all(pages.map(({ id }) => readFile(`/proc/${id}/status`, "utf8").catch(() => "")));
  return Math.max(...texts.map((text) => 1024 * Number(/^VmHWM:\s*(\d+)/m.exec(text)?.[1] ?? 0)));
}

/** Pages of both kinds in turn, and what is the most of each. */
async function compared(path) {
  const [plain, loaded] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    plain.push(await measured("localhost", path, discard));
    loaded.push(await measured("127.0.0.1", path, load));
  }
  const most = (pages, key) => Math.max(...pages.map((page) => page[key]));
  const text = (key) => `${(most(loaded, key) / MIB).toFixed(2)} (plain ${(most(plain, key) / MIB).toFixed(2)})`;
  const declared = loaded[0].declared;
  console.log(
    `${path}: beside ${(4 * loaded[0].held) / MIB} MiB, in MiB: in use ${text("whole")}, without what Chromium reads ahead ${text("own")}; ` +
      `declared ${(declared / MIB).toFixed(2)}; peak of the process ${text("resident")}`,
  );
  for (const { got, samples } of plain) assert.ok(got === bytes.length && samples > TENSORS / 2);
  for (const { held, samples } of loaded) assert.ok(held === ROWS * COLUMNS * TENSORS && samples === TENSORS);
  const resident = Math.min(...loaded.map((page) => page.resident)) - Math.min(...plain.map((page) => page.resident));
  assert.ok(resident <= MOST_RESIDENT, `${resident} bytes more in the process`);
  // Kernels, module and chunks are in it: less would be a count that misses them.
  assert.ok(Math.min(...loaded.map(({ own }) => own)) > MIB / 2);
  return { own: most(loaded, "own"), whole: most(loaded, "whole"), declared };
}

test("a page that loads takes at most 4 MiB beside the weights, all that Chromium holds for it included", async () => {
  const { whole, declared } = await compared("/model.quern");
  assert.ok(whole <= MOST, `${whole} bytes in use`);
  assert.ok(declared <= MOST && whole <= declared, `${whole} bytes in use, ${declared} declared`);
});

test("so it does where Chromium reads ahead, beside that", async () => {
  const { own } = await compared("/kept/model.quern");
  assert.ok(own <= MOST, `${own} bytes in use`);
});
