// npm run test:browser: the built package in a real page, with Web Workers. Needs `npm run build` and a Chromium.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { site } from "./site.mjs";

let served;
let page;

before(async () => {
  served = await site();
  page = await served.page();
  page.on("pageerror", (error) => assert.fail(error));
});

after(() => served?.close());

/** Runs a function in the page, with the package and a seeded model at hand. */
function inPage(use) {
  return page.evaluate(`(async () => {
    const quern = await import("/index.js");
    const { webWorkers } = await import("/workers.js");
    const values = new Float32Array(1_200_000);
    for (let i = 0, seed = 1; i < values.length; i++) values[i] = (seed = (Math.imul(seed, 48271) >>> 0) % 2147483647) / 2 ** 31 - 0.5;
    const tensor = (name, shape, n) => quern.lazyTensor({ name, dtype: "F32", shape, bytes: new Uint8Array(values.slice(0, n).buffer) });
    const model = { metadata: null, tensors: [tensor("a", [1000, 1200], 1_200_000), tensor("b", [1, 700_000], 700_000), tensor("c", [9], 9)] };
    const packed = async (options, plan = "int8 channel > auto") => {
      const sink = quern.memorySink();
      await quern.pack(model, plan, sink, options);
      return sink.bytes();
    };
    const same = (a, b) => a.length === b.length && a.every((x, i) => x === b[i]);
    return (${use})({ quern, webWorkers, model, packed, same });
  })()`);
}

test("the page is not cross-origin isolated", async () => {
  assert.equal(
    await page.evaluate("globalThis.crossOriginIsolated || typeof SharedArrayBuffer !== 'undefined'"),
    false,
  );
});

test("workers give the same file, tensors and errors as the page's own thread", async () => {
  const found = await inPage(async ({ quern, webWorkers, packed, same }) => {
    const bytes = await packed({});
    const results = [];
    for (const size of [1, 2, 3]) {
      const workers = webWorkers(size, { tier: size === 3 ? "scalar" : undefined });
      const file = await quern.open(bytes, { workers });
      const alone = await quern.open(bytes);
      const tensors = [];
      for await (const { name, data } of file.stream()) tensors.push(same(data, (await alone.tensor(name)).data));
      const damaged = bytes.slice();
      for (const at of [300_000, 900_000]) damaged[at] ^= 1;
      const errors = [];
      for (const options of [{}, { workers }]) {
        const bad = await quern.open(damaged, options);
        errors.push(
          await quern.verify(bad).catch((error) => [error instanceof quern.FormatError, { ...error }, error.message]),
        );
      }
      results.push({
        size: file.threads,
        packed: same(await packed({ workers }), bytes),
        pruned: same(
          await packed({ workers }, "prune 0.5 > int4 group 32"),
          await packed({}, "prune 0.5 > int4 group 32"),
        ),
        tensors,
        verified: (await quern.verify(file)).bytes === bytes.length,
        errors,
      });
      await workers.close();
      await workers.close();
      results.at(-1).closed = await file.tensor("a").catch((error) => error.message);
    }
    return results;
  });
  for (const [i, { errors, ...rest }] of found.entries()) {
    const closed = "the workers were closed";
    assert.deepEqual(rest, {
      size: i + 1,
      packed: true,
      pruned: true,
      tensors: [true, true, true],
      verified: true,
      closed,
    });
    assert.equal(errors[0][0], true);
    assert.deepEqual(errors[1], errors[0]);
  }
});

test("a worker that is terminated is reported, and its chunk tried once more", async () => {
  const found = await inPage(async ({ quern, webWorkers, packed, same }) => {
    const bytes = await packed({});
    const made = [];
    const lost = [];
    const create = () => {
      const worker = new Worker("/worker.js", { type: "module" });
      made.push(worker);
      return worker;
    };
    const workers = webWorkers(2, { create, onWorkerLost: (error) => lost.push(error.message) });
    const file = await quern.open(bytes, { workers });
    // Both hold their locks now.
    await quern.verify(file);
    const packing = packed({ workers });
    setTimeout(() => made[0].terminate(), 5);
    return { same: same(await packing, bytes), lost, made: made.length, closed: await workers.close() };
  });
  assert.deepEqual(found, { same: true, lost: ["the worker ended"], made: 3, closed: undefined });
});

test("a worker whose file is missing is an error that names the chunk", async () => {
  const found = await inPage(async ({ webWorkers, packed }) => {
    const workers = webWorkers(1, { create: () => new Worker("/none.js", { type: "module" }) });
    return packed({ workers }).catch((error) => error.message);
  });
  assert.match(found, /^chunk 0 of tensor "a": two workers died with it: the worker's file could not be loaded$/);
});

test("abort stops what is under way", async () => {
  const found = await inPage(async ({ quern, webWorkers, packed }) => {
    const workers = webWorkers(2);
    const file = await quern.open(await packed({ workers }), { workers });
    const signal = AbortSignal.abort(new Error("enough"));
    const controller = new AbortController();
    const onProgress = () => controller.abort(new Error("midway"));
    const errors = [
      await file.tensor("a", { signal }).catch((error) => error.message),
      await packed({ workers, signal: controller.signal, onProgress }).catch((error) => error.message),
    ];
    const { length } = (await file.tensor("a")).data;
    await workers.close();
    return [...errors, length];
  });
  assert.deepEqual(found, ["enough", "midway", 1_200_000]);
});
