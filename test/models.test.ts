import { existsSync, readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { diffModels, FormatError, type LazyTensor, type Model, open, readSafetensors, verify } from "../src/index.ts";
import { fileSource } from "../src/node.ts";
import { widen } from "../src/tensor.ts";
import { counting, elementBytes, type Packed, packed, SIMD } from "./files.ts";
import { expectSame } from "./helpers.ts";
import { columns, quantizedTwin } from "./twin.ts";

// Real weights, where there are any: shared/data lies beside the repository of those who build it, and in no package.

const FOLDER = new URL("../../shared/data/models/", import.meta.url);
const FILES = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith(".safetensors")) : [];
const CHANNEL = { bits: 8, asymmetric: false } as const;

async function load(name: string): Promise<Model> {
  const source = await fileSource(new URL(name, FOLDER).pathname);
  const bytes = await source.slice(0, source.byteLength);
  await source.close();
  return readSafetensors(counting(bytes));
}

function stored({ report }: Packed): number {
  return report.tensors.reduce((sum, tensor) => sum + tensor.storedBytes, 0);
}

async function same(a: Model, b: Model): Promise<void> {
  expect(b.metadata).toEqual(a.metadata);
  for (const [i, tensor] of a.tensors.entries()) {
    const { name, dtype, shape } = tensor;
    expect(b.tensors[i]).toMatchObject({ name, dtype, shape });
    expectSame(await elementBytes(b.tensors[i]), await elementBytes(tensor), name);
  }
}

if (FILES.length === 0) test.skip(`no models in ${FOLDER.pathname}: nothing real was packed`, () => {});

describe.each(FILES)("%s", (name) => {
  test("raw and lossless come back identical, lossless smaller", async () => {
    const model = await load(name);
    const [raw, lossless] = [await packed(model, "raw"), await packed(model, "lossless")];
    for (const { bytes } of [raw, lossless]) {
      const file = await open(bytes, { kernels: SIMD });
      await same(model, file.model());
      const { total } = await diffModels(model, file.model());
      expect(total).toMatchObject({ identical: true, maxAbs: 0, rmse: 0, snr: Number.POSITIVE_INFINITY });
    }
    expect(lossless.bytes.length).toBeLessThan(raw.bytes.length);
    expect(lossless.bytes.length).toBeLessThanOrEqual(1.001 * raw.bytes.length + 64 * model.tensors.length);
  });

  test("int8 channel dequantizes to what the twin does, and verifies", async () => {
    const model = await load(name);
    const { bytes } = await packed(model, "int8 channel > auto");
    const file = await open(bytes, { kernels: SIMD });
    for (const [i, entry] of file.index.entries()) {
      const { data } = await file.tensor(entry.name);
      expectSame(data, await expectedFloats(model.tensors[i], entry.plan), entry.name);
    }
    expect(await verify(file)).toMatchObject({ bytes: bytes.length, chunks: file.totals.chunks });
    await errorAgrees(model, file.model("f32"));
  });

  // What auto decides by is in auto.test.ts: a little larger is allowed where it is decoded faster.
  test.each(["int8 channel", "int4 group 32", "prune 0.8 > int8 channel"])(
    "auto and pivot are hardly larger than what they replace: %s",
    async (steps) => {
      const model = await load(name);
      const size = async (code: string) => stored(await packed(model, `${steps} > ${code}`));
      const [auto, raw, huffman, pivot, mask] = [
        await size("auto"),
        await size("raw"),
        await size("huffman"),
        await size("pivot"),
        await size("mask"),
      ];
      expect(auto).toBeLessThanOrEqual(1.01 * Math.min(raw, huffman, pivot, mask));
      expect(auto).toBeLessThanOrEqual(1.001 * raw + 64 * model.tensors.length);
      expect(pivot).toBeLessThanOrEqual(1.005 * huffman);
    },
  );
});

async function expectedFloats(tensor: LazyTensor, plan: string): Promise<Float32Array> {
  const values = widen(tensor.dtype, await elementBytes(tensor));
  return plan === "lossless" ? values : quantizedTwin(values, columns(tensor.shape, "channel"), CHANNEL).back;
}

/** The numbers of diffModels once more, over one tensor after the other. */
async function errorAgrees(a: Model, b: Model): Promise<void> {
  const { tensors } = await diffModels(a, b);
  for (const [i, { name, maxAbs, rmse, elements }] of tensors.entries()) {
    const [x, y] = await Promise.all(
      [a, b].map(async ({ tensors }) => widen(tensors[i].dtype, await elementBytes(tensors[i]))),
    );
    const errors = Float64Array.from(x, (value, k) => Math.abs(value - y[k]));
    expect(elements).toBe(x.length);
    expect(maxAbs, name).toBe(errors.reduce((most, e) => Math.max(most, e), 0));
    expect(rmse).toBeCloseTo(Math.sqrt(errors.reduce((sum, e) => sum + e * e, 0) / Math.max(1, x.length)), 12);
  }
}

describe.skipIf(FILES.length === 0)("the smallest file", () => {
  const NAME = "mlperf-tiny-dscnn-kws-float.safetensors";

  test("every single bit of it flipped is refused", async () => {
    const { bytes } = await packed(await load(NAME), "prune 0.95 > int4 group 32 > auto");
    const source = { byteLength: bytes.length, slice: async (a: number, b: number) => bytes.subarray(a, b) };
    const file = await open(source, { kernels: SIMD });
    const chunkAt = chunkFinder(bytes, file.totals.header);
    let refused = 0;
    const start = performance.now();
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const at = bit >> 3;
      bytes[at] ^= 1 << (bit & 7);
      const read = at < file.totals.header ? open(source, { kernels: SIMD }) : file.check(chunkAt(at));
      const error = await read.then(() => null).catch((e: unknown) => e);
      if (error instanceof FormatError) refused++;
      else expect.fail(`bit ${bit}: ${error}`);
      bytes[at] ^= 1 << (bit & 7);
    }
    const seconds = (performance.now() - start) / 1000;
    console.log(`${refused} flipped bits of ${bytes.length} bytes refused in ${seconds.toFixed(1)} s`);
    expect(refused).toBe(8 * bytes.length);
    await verify(file);
  });
});

/** Which chunk a byte of the file belongs to. */
function chunkFinder(bytes: Uint8Array, start: number): (at: number) => number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const count = view.getUint32(28, true);
  const ends: number[] = [];
  let end = start;
  for (let i = 0; i < count; i++) {
    end += view.getUint32(start - 32 * (count - i), true);
    ends.push(end);
  }
  return (at) => ends.findIndex((e) => at < e);
}
