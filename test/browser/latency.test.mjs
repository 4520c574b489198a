// npm run test:browser: environments and tables of latencies in a real browser. Needs `npm run build`.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import * as here from "../../dist/latency.js";
import { addToLatencyFile, openLatencyFile } from "../../dist/node.js";
import { site } from "./site.mjs";

let served;
let folder;
let table;
const BYTES = 2e6;
const WORKER = `import { detectEnvironment } from "/latency.js";
postMessage((await detectEnvironment({ runtime: "tfjs 4.22.0 wasm" })).id);`;

/** In ten pieces: what comes at once tells nothing of a line. */
async function slowly(_, response) {
  for (let i = 0; i < 10; i++) {
    response.write(Buffer.alloc(BYTES / 10));
    await setTimeout(20);
  }
  response.end();
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "quern-latency-"));
  const environment = await here.detectEnvironment({ runtime: "onnxruntime-web 1.30.0" });
  table = here.newTable();
  here.addEnvironment(table, environment);
  const row = {
    environment: environment.id,
    type: "dense",
    form: "MatMul",
    precision: "f32",
    batch: 1,
    count: 9,
    spread: 0.01,
  };
  const by = { date: "2026-01-02T03:04:05Z", tool: "0.1.0", runtime: "1.30.0" };
  for (let inputs = 1; inputs <= 100; inputs++)
    here.addRow(table, { ...row, ...by, attributes: { inputs, outputs: [3, 3] }, median: inputs / 7 });
  served = await site({
    "/rows.jsonl": (_, response) => response.end(here.printLines(table)),
    "/worker-env.js": WORKER,
    "/file": slowly,
  });
});
after(async () => {
  await served?.close();
  await rm(folder, { recursive: true, force: true });
});

test("a page tells of itself", async () => {
  const page = await served.page();
  const [found, again, line] = await page.evaluate(async () => {
    const { detectEnvironment, measureLine, parseEnvironment, printEnvironment } = await import("/latency.js");
    const one = await detectEnvironment({ runtime: "onnxruntime-web 1.30.0" });
    const two = await detectEnvironment({ runtime: "onnxruntime-web 1.30.0", cpu: "A CPU" });
    return [parseEnvironment(printEnvironment(one)), two, await measureLine("/file", { tries: 1 })];
  });
  assert.equal(found.host.name, "chromium");
  assert.match(found.host.version, /^\d+\./);
  assert.equal(found.os.name, "linux");
  assert.equal(found.os.arch, process.arch);
  assert.equal(found.cpu.model, null);
  assert.ok(found.cpu.cores >= 1 && found.memory > 0);
  assert.equal(found.storage.kind, "origin");
  assert.ok(found.storage.free > 0);
  // The page is not cross-origin isolated.
  assert.deepEqual(found.wasm, { simd: true, relaxedSimd: true, threads: false });
  assert.notEqual(again.id, found.id);
  assert.equal(line.bytes, BYTES);
  assert.ok(line.bandwidth > 0 && line.roundTrip > 0);
  // What the page saves is an environment elsewhere.
  assert.deepEqual(here.parseEnvironment(JSON.stringify(found)), found);
  await page.close();
});

test("a worker tells the same", async () => {
  const page = await served.page();
  const [outside, inside] = await page.evaluate(async () => {
    const { detectEnvironment } = await import("/latency.js");
    const told = new Promise((resolve, reject) => {
      const worker = new Worker("/worker-env.js", { type: "module" });
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = reject;
    });
    return [(await detectEnvironment({ runtime: "tfjs 4.22.0 wasm" })).id, await told];
  });
  assert.match(outside, /^tfjs-wasm-[0-9a-f]{16}$/);
  assert.equal(inside, outside);
  await page.close();
});

test("a page reads lines, adds what it has measured, and gives the same bytes as Node", async () => {
  const page = await served.page();
  const [lines, merged, median] = await page.evaluate(async () => {
    const q = await import("/latency.js");
    const bytes = new Uint8Array(await (await fetch("/rows.jsonl")).arrayBuffer());
    const table = q.parseLines(bytes);
    const [first] = q.rowsOf(table);
    const own = q.newTable();
    const environment = await q.detectEnvironment({ runtime: "onnxruntime-web 1.30.0" });
    q.addEnvironment(own, environment);
    q.addRow(own, { ...first, environment: environment.id, median: 3 });
    const both = q.mergeTables(table, own);
    const { type, form, attributes, precision, batch } = first;
    const key = { environment: environment.id, type, form, attributes, precision, batch };
    return [q.printLines(table), q.printLines(both), q.lookup(both, key).median];
  });
  assert.equal(lines, here.printLines(table));
  const path = join(folder, "merged.sqlite");
  await addToLatencyFile(path, here.parseLines(merged));
  const file = await openLatencyFile(path);
  assert.equal(here.printLines(file.table()), merged);
  assert.equal(file.environments().length, 2);
  await file.close();
  assert.equal(median, 3);
  await page.close();
});
