// What loading takes in a page beside the weights: of two pages that hold the same memory, one loads a file into it, the other fetches the
// file and lets its bytes go.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { memorySink, pack } from "../../dist/index.js";
import { site } from "./site.mjs";

const MIB = 2 ** 20;
const [ROWS, COLUMNS, TENSORS] = [1024, 4096, 16];
// What is promised is 4 MiB. Chromium has up to 10 MiB of a body on their way when a page pauses, and pages' processes differ without a reason.
const [MOST_IN_USE, MOST_BEYOND, MOST_RESIDENT] = [20 * MIB, 10 * MIB, 64 * MIB];

let bytes;
let browser;

before(async () => {
  const sink = memorySink();
  await pack(seeded(), "int8 channel > auto", sink);
  bytes = sink.bytes();
  browser = await site({ "/model.quern": answer });
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

function answer(request, response) {
  const [, start, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [null, 0, bytes.length - 1];
  const end = Math.min(Number(last) + 1, bytes.length);
  response.writeHead(request.headers.range ? 206 : 200, {
    "content-type": "application/octet-stream",
    "content-length": end - start,
    "content-range": `bytes ${start}-${end - 1}/${bytes.length}`,
    etag: '"1"',
  });
  response.end(bytes.subarray(Number(start), end));
}

async function load({ elements, tensors }) {
  const { open } = await import("/read.js");
  const memory = new Float32Array(elements * tensors).fill(1);
  await globalThis.measure();
  const file = await open("/model.quern");
  const into = ({ name }) => memory.subarray(elements * name, elements * name + elements);
  for await (const { data } of file.stream({ into })) {
    if (data.buffer !== memory.buffer) throw new Error("not in the caller's memory");
    await globalThis.measure();
  }
  file.close();
  return { declared: file.totals.peak, held: memory.length };
}

async function discard({ elements, tensors }) {
  const memory = new Float32Array(elements * tensors).fill(1);
  await globalThis.measure();
  const { body } = await fetch("/model.quern");
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
async function measured(host, use) {
  const page = await browser.page(`http://${host}:${browser.port}`);
  const devtools = await browser.session(page);
  const all = [];
  await page.exposeFunction("measure", async () => {
    await devtools.send("HeapProfiler.collectGarbage");
    // backingStorageSize: array buffers, and the memory of WebAssembly.
    const { usedSize, embedderHeapUsedSize = 0, backingStorageSize = 0 } = await devtools.send("Runtime.getHeapUsage");
    all.push(usedSize + embedderHeapUsedSize + backingStorageSize);
  });
  const result = await page.evaluate(`(${use})({ elements: ${ROWS * COLUMNS}, tensors: ${TENSORS} })`);
  const resident = await mostResident();
  await page.close();
  return { ...result, inUse: Math.max(...all.slice(1)) - all[0], samples: all.length, resident };
}

/** The most resident memory of a page's process, the largest of those that are there, in bytes; 0 where there is no /proc. */
async function mostResident() {
  const devtools = await browser.browserSession();
  const { processInfo } = await devtools.send("SystemInfo.getProcessInfo");
  const pages = processInfo.filter(({ type }) => type === "renderer");
  const texts = await Promise.all(pages.map(({ id }) => readFile(`/proc/${id}/status`, "utf8").catch(() => "")));
  return Math.max(...texts.map((text) => 1024 * Number(/^VmHWM:\s*(\d+)/m.exec(text)?.[1] ?? 0)));
}

test("a page that loads takes a few MiB beside the weights", async () => {
  const plain = await measured("localhost", discard);
  const loaded = await measured("127.0.0.1", load);
  assert.equal(plain.got, bytes.length);
  assert.equal(loaded.held, ROWS * COLUMNS * TENSORS);
  const text = (count) => (count / MIB).toFixed(2);
  const inUse = loaded.inUse - plain.inUse;
  console.log(
    `memory beside ${text(4 * loaded.held)} MiB, in MiB: in use ${text(loaded.inUse)} - ${text(plain.inUse)} = ${text(inUse)} ` +
      `(${loaded.samples} samples), declared ${text(loaded.declared)}; peak of the process ${text(loaded.resident)} - ${text(plain.resident)}`,
  );
  assert.ok(loaded.samples === TENSORS + 1 && plain.samples > 3);
  assert.ok(loaded.inUse > MIB && loaded.inUse <= MOST_IN_USE, `${loaded.inUse} bytes in use`);
  assert.ok(inUse <= MOST_BEYOND, `${inUse} bytes more in use`);
  assert.ok(loaded.resident - plain.resident <= MOST_RESIDENT);
});
