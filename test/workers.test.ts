import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataError, FormatError, type Model, open, pack, type QuernFile, verify } from "../src/index.ts";
import { nodeWorkers, type Workers } from "../src/node.ts";
import { contentOf, counting, DTYPES, floatsAs, modelOf, noise, packed, tensorOf } from "./files.ts";
import { bytesOf, expectSame, weights } from "./helpers.ts";

// Threads give what one thread gives: bytes, tensors, errors and their order.

const FILE = new URL("./worker/source.mjs", import.meta.url);
const DYING = new URL("./worker/dying.mjs", import.meta.url);
const PLANS = [
  "int8 channel > auto",
  "int4 group 32 asymmetric > huffman",
  "prune 0.5 > int8 channel > zrl",
  "prune 0.3 > lossless",
  "int8 tensor > auto",
  "int8 snr 20dB > smallest",
  "int8 rmse 0.0003",
  "lossless",
];

/** Chunks of many sizes: several to a tensor, rows longer than a chunk, small tensors, empty ones. */
function mixed(): Model {
  return modelOf([
    tensorOf("wide", "F32", [2, 400_000], weights(800_000, 1)),
    tensorOf("half", "F16", [600, 901], floatsAs("F16", weights(600 * 901, 2))),
    tensorOf("odd", "BF16", [3, 211, 501], floatsAs("BF16", weights(3 * 211 * 501, 3))),
    noise("none", "U8", [0, 4]),
    ...DTYPES.map((dtype, i) => noise(`small ${dtype}`, dtype, [9, i], i)),
    tensorOf("last", "F32", [40, 50], weights(2000, 4)),
  ]);
}

let pools: Workers[] = [];
beforeAll(async () => {
  pools = await Promise.all([1, 2, 3].map((size) => nodeWorkers(size, { file: FILE })));
});
afterAll(() => Promise.all(pools.map((workers) => workers.close())));

// Arrays as hashes: comparing them element by element takes minutes.
async function tensorsOf(file: QuernFile) {
  const hash = (data: ArrayBufferView) => createHash("sha256").update(bytesOf(data)).digest("hex");
  const found = [];
  for await (const tensor of file.stream()) found.push({ ...tensor, data: hash(tensor.data) });
  for await (const { bytes, quantization, ...rest } of file.stream({ as: "stored" })) {
    const zeros = quantization?.zeroPoints && hash(quantization.zeroPoints);
    const scales = quantization && { ...quantization, scales: hash(quantization.scales), zeroPoints: zeros };
    found.push({ ...rest, bytes: hash(bytes), quantization: scales });
  }
  return found;
}

async function errorOf(run: Promise<unknown>): Promise<Error> {
  return run.then(
    () => expect.unreachable("no error"),
    (error: Error) => error,
  );
}

describe("the same as in-process", () => {
  test.each(PLANS)("%s: bytes of the file, report, tensors, model, verification", async (plan) => {
    const { bytes, report } = await packed(mixed(), plan);
    const alone = await open(bytes);
    const expected = await tensorsOf(alone);
    const models = await Promise.all([contentOf(alone.model()), contentOf(alone.model("f32"))]);
    for (const workers of pools) {
      const other = await packed(mixed(), plan, { workers });
      expectSame(other.bytes, bytes, `${workers.size} workers`);
      expect(other.report).toEqual(report);
      const file = await open(bytes, { workers });
      expect([file.threads, alone.threads]).toEqual([workers.size, 0]);
      expect(await tensorsOf(file)).toEqual(expected);
      const into = new Float32Array(800_002).subarray(1, 800_001);
      expectSame((await file.tensor("wide", { into })).data, (await alone.tensor("wide")).data);
      expect((await file.tensor("wide", { into })).data).toBe(into);
      expect(await Promise.all([contentOf(file.model()), contentOf(file.model("f32"))])).toEqual(models);
      expect(await verify(file)).toEqual(await verify(alone));
    }
    // What the caller holds was copied, not handed over.
    expect(bytes.length).toBe(report.fileBytes);
  });

  test("a row of many chunks, tensors larger than a task, progress", async () => {
    const model = modelOf([tensorOf("long", "F32", [1, 4_500_000], weights(4_500_000, 5)), noise("z", "U8", [5])]);
    const steps: object[][] = [[], []];
    const { bytes } = await packed(model, "int8 channel > huffman", { onProgress: (step) => steps[0].push(step) });
    const workers = pools[1];
    const other = await packed(model, "int8 channel > huffman", { workers, onProgress: (step) => steps[1].push(step) });
    expectSame(other.bytes, bytes);
    expect(steps[1]).toEqual(steps[0]);
    const [one, two] = [await open(bytes), await open(bytes, { workers })];
    expectSame((await two.stream().next()).value.data, (await one.tensor("long")).data);
  });

  test("errors of a damaged file: class, fields, and the first in the file's order", async () => {
    const { bytes } = await packed(mixed(), "int8 channel > huffman");
    const { index, totals } = await open(bytes);
    const damaged = bytes.slice();
    const second = totals.header + index[0].storedBytes;
    for (const at of [totals.header + 100_000, totals.header + 400_000, second + 300_000]) damaged[at] ^= 4;
    const uses: ((file: QuernFile) => Promise<unknown>)[] = [
      (file) => file.tensor("wide"),
      (file) => file.tensor("half", { as: "stored" }),
      (file) => tensorsOf(file),
      (file) => contentOf(file.model()),
      (file) => file.check(1),
      (file) => verify(file),
    ];
    for (const use of uses) {
      const expected = await errorOf(use(await open(damaged)));
      expect(expected).toBeInstanceOf(FormatError);
      for (const workers of pools) {
        const error = await errorOf(use(await open(damaged, { workers })));
        expect(error).toBeInstanceOf(FormatError);
        expect({ ...error }).toEqual({ ...expected });
        expect([error.name, error.message]).toEqual([expected.name, expected.message]);
      }
    }
    const names: string[] = [];
    const read = async () => {
      for await (const { name } of (await open(damaged, { workers: pools[2] })).stream({ names: ["last", "half"] })) {
        names.push(name);
      }
    };
    await expect(read()).rejects.toThrow(FormatError);
    expect(names).toEqual([]);
  });

  test.each(["int8 channel", "prune 0.5 > int8 channel", "int8 tensor"])("errors of data: %s", async (plan) => {
    const values = weights(1_200_000, 6);
    values[1_100_000] = Number.NaN;
    values[700_000] = Number.POSITIVE_INFINITY;
    const model = modelOf([noise("a", "U8", [10]), tensorOf("w", "F32", [12, 100_000], values)]);
    const expected = await errorOf(packed(model, plan));
    expect(expected).toBeInstanceOf(DataError);
    expect(expected.message).toMatch(/tensor "w".*700000/);
    for (const workers of pools) {
      const error = await errorOf(packed(model, plan, { workers }));
      expect(error).toBeInstanceOf(DataError);
      expect(error.message).toBe(expected.message);
    }
  });

  test("an error of the source comes after what was read before it", async () => {
    const { bytes } = await packed(mixed(), "raw");
    const { totals, index } = await open(bytes);
    const source = counting(bytes);
    const limit = totals.header + index[0].storedBytes + 1;
    const slice = (start: number, end: number) =>
      end > limit ? Promise.reject(new Error("offline")) : source.slice(start, end);
    for (const workers of [undefined, ...pools]) {
      const file = await open({ byteLength: bytes.length, slice }, { workers });
      const stream = file.stream();
      expect((await stream.next()).value?.name).toBe("wide");
      await expect(stream.next(), `${workers?.size}`).rejects.toThrow("offline");
    }
  });
});

describe("memory, abort, close", () => {
  const model = modelOf(
    Array.from({ length: 40 }, (_, i) => tensorOf(`t${i}`, "F32", [1000, 300], weights(300_000, i))),
  );

  test("no more is read ahead than the threads need", async () => {
    const { bytes } = await packed(model, "raw");
    for (const workers of pools) {
      const source = counting(bytes);
      const file = await open(source, { workers });
      source.ranges.length = 0;
      const stream = file.stream();
      await stream.next();
      expect(source.ranges.length).toBeGreaterThan(1);
      expect(source.ranges.length).toBeLessThanOrEqual(2 * workers.size + 3);
      await stream.return(undefined);
      const read = source.ranges.length;
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(source.ranges.length).toBe(read);
    }
  });

  test("abort rejects with the signal's reason, and the workers go on with other work", async () => {
    const { bytes } = await packed(model, "int8 channel > huffman");
    for (const workers of pools) {
      const file = await open(bytes, { workers });
      for (const at of [0, 1, 7]) {
        const controller = new AbortController();
        const { signal } = controller;
        const reason = new Error("enough");
        let count = 0;
        const step = () => {
          if (++count === at) controller.abort(reason);
        };
        if (at === 0) controller.abort(reason);
        const read = async () => {
          for await (const _ of file.stream({ signal })) step();
        };
        expect(await errorOf(read())).toBe(reason);
        count = 0;
        const packing = new AbortController();
        const onProgress = () => {
          if (++count > at) packing.abort(reason);
        };
        expect(await errorOf(packed(model, "int8 tensor", { workers, signal: packing.signal, onProgress }))).toBe(
          reason,
        );
        const verifying = new AbortController();
        setTimeout(() => verifying.abort(reason), 2 * at);
        expect(await errorOf(verify(file, { signal: verifying.signal }))).toBe(reason);
      }
      expect((await verify(file)).bytes).toBe(bytes.length);
    }
  });

  test("close ends what is under way, can be called twice, and nothing runs after it", async () => {
    const { bytes } = await packed(model, "raw");
    const workers = await nodeWorkers(2, { file: FILE, onWorkerLost: () => expect.unreachable("lost") });
    const file = await open(bytes, { workers });
    const stream = file.stream();
    await stream.next();
    const pending = errorOf(file.tensor("t30"));
    const closing = [workers.close(), workers.close()];
    expect((await pending).message).toBe("the workers were closed");
    await Promise.all(closing);
    await expect(file.tensor("t1")).rejects.toThrow("the workers were closed");
    await expect(pack(model, "raw", { write: async () => {}, close: async () => {} }, { workers })).rejects.toThrow(
      "closed",
    );
  });

  test("sizes that make no sense are refused", async () => {
    for (const size of [0, -1, 1.5, Number.NaN]) await expect(nodeWorkers(size)).rejects.toThrow(/"size" expected/);
  });
});

describe("a worker that dies", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "quern-workers-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const modelNamed = (name: string) =>
    modelOf([
      tensorOf("before", "F32", [300, 1000], weights(300_000, 1)),
      tensorOf(name, "F32", [900, 1000], weights(900_000, 2)),
    ]);

  test.each(["exit", "crash"])("by %s is reported, and its chunk is tried once more", async (how) => {
    for (const size of [1, 2]) {
      const name = `${how} ${join(folder, `${how}${size}`)}`;
      const { bytes } = await packed(modelNamed(name), "int8 channel > huffman");
      const lost: Error[] = [];
      const workers = await nodeWorkers(size, { file: DYING, onWorkerLost: (error) => lost.push(error) });
      const again = await packed(modelNamed(name), "int8 channel > huffman", { workers });
      expectSame(again.bytes, bytes);
      expect(lost.map((error) => error.message)).toEqual([
        how === "exit" ? "worker exited with code: 3" : "an uncaught error",
      ]);
      await rm(join(folder, `${how}${size}`));
      const { data } = await (await open(bytes, { workers })).tensor(name);
      expectSame(data, (await (await open(bytes)).tensor(name)).data);
      expect(lost).toHaveLength(2);
      await workers.close();
    }
  });

  test.each(["exit", "crash"])("by %s twice fails with an error that names the chunk", async (how) => {
    const { bytes } = await packed(modelNamed(`${how} -`), "int8 channel > huffman");
    const lost: Error[] = [];
    const workers = await nodeWorkers(2, { file: DYING, onWorkerLost: (error) => lost.push(error) });
    const file = await open(bytes, { workers });
    const wanted = `chunk 1 of tensor "${how} -": two workers died with it`;
    await expect(file.tensor(`${how} -`)).rejects.toThrow(wanted);
    expect(lost).toHaveLength(2);
    await expect(packed(modelNamed(`${how} -`), "int8 channel > huffman", { workers })).rejects.toThrow(wanted);
    expect((await file.tensor("before")).data).toHaveLength(300_000);
    await workers.close();
  });

  test("one that hangs can be left by abort and close", async () => {
    const { bytes } = await packed(modelNamed("hang -"), "int8 channel > huffman");
    const workers = await nodeWorkers(1, { file: DYING });
    const file = await open(bytes, { workers });
    const signal = AbortSignal.timeout(300);
    expect((await errorOf(file.tensor("hang -", { signal }))).name).toBe("TimeoutError");
    await workers.close();
  });

  test("a worker's file that is not there", async () => {
    const workers = await nodeWorkers(2, { file: new URL("./worker/none.mjs", import.meta.url) });
    await expect(packed(modelNamed("w"), "raw", { workers })).rejects.toThrow(
      /chunk 0 of tensor "before": two workers died with it: .*none\.mjs/,
    );
    await workers.close();
  });
});

test("the built package: the process ends by itself, with workers closed or not", async () => {
  const root = fileURLToPath(new URL("../dist/", import.meta.url));
  const program = `
    import { lazyTensor, memorySink, open, pack } from "${root}index.js";
    import { nodeWorkers } from "${root}node.js";
    const bytes = new Uint8Array(new Float32Array(600000).map((_, i) => Math.sin(i)).buffer);
    const model = { metadata: null, tensors: [lazyTensor({ name: "w", dtype: "F32", shape: [600, 1000], bytes })] };
    for (const close of [true, false]) {
      const workers = await nodeWorkers(2, { tier: "scalar" });
      const sink = memorySink();
      await pack(model, "int8 channel > auto", sink, { workers });
      for await (const { data } of (await open(sink.bytes(), { workers })).stream()) console.log(data.length);
      if (close) await workers.close();
    }`;
  const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], { timeout: 60_000 });
  expect(await run).toEqual({ stdout: "600000\n600000\n", stderr: "" });
});
