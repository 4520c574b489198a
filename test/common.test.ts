import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { bytesSource } from "../src/bytes.ts";
import { readSpan } from "../src/container/chunks.ts";
import { commonTask } from "../src/container/common.ts";
import { parseHeader, parsePrelude } from "../src/container/format.ts";
import { commonHeader, commonPrelude } from "../src/container/header.ts";
import { type Header, PRELUDE_BYTES } from "../src/container/prelude.ts";
import { type DecodeKind, decodeTask, type Task } from "../src/container/tasks.ts";
import { type LazyTensor, open } from "../src/index.ts";
import type { Kernels } from "../src/kernels/arena.ts";
import { coreKernels, isCore } from "../src/kernels/core.ts";
import { DTYPES, FLOATS, floatsAs, modelOf, noise, packed, SIMD, tensorOf } from "./files.ts";
import { bytesOf, random } from "./helpers.ts";

// The small reader of common files against the whole one: it gives the same, or nothing. test/malformed*.test.ts go through both.

const CORE = await coreKernels();

function weights(name: string, shape: readonly number[], sparsity = 0): LazyTensor {
  const count = shape.reduce((a, b) => a * b, 1);
  const next = random(count + name.length);
  const values = Float32Array.from({ length: count }, () => (next() < sparsity ? 0 : next() + next() + next() - 1.5));
  return tensorOf(name, "F32", shape, values);
}

const TENSORS = [
  weights("conv.weight", [32, 16, 3, 3]),
  weights("conv.bias", [32]),
  weights("large", [300, 1200]),
  weights("sparse", [99, 333], 0.9),
  weights("odd", [13, 7, 11]),
  weights("empty", [0, 4]),
  tensorOf(
    "half",
    "F16",
    [70, 31],
    bytesOf(
      floatsAs(
        "F16",
        Float32Array.from({ length: 2170 }, (_, i) => Math.sin(i)),
      ),
    ),
  ),
  tensorOf(
    "brain",
    "BF16",
    [70, 31],
    bytesOf(
      floatsAs(
        "BF16",
        Float32Array.from({ length: 2170 }, (_, i) => Math.cos(i)),
      ),
    ),
  ),
  tensorOf("count", "I64", [], BigInt64Array.of(123n)),
];

/** What both readers make of a header, without what only an encoder needs. */
async function headers(bytes: Uint8Array): Promise<[common: Header | null, whole: Header]> {
  const head = bytes.subarray(0, PRELUDE_BYTES);
  const prelude = parsePrelude(head, bytes.length);
  expect(await commonPrelude(head, bytes.length)).toEqual(prelude.recordBytes > 0 ? null : prelude);
  const { jsonBytes, recordBytes, chunks } = prelude;
  const rest = bytes.subarray(PRELUDE_BYTES, PRELUDE_BYTES + jsonBytes + recordBytes + 32 * chunks);
  return [await commonHeader(prelude, head, rest), parseHeader(SIMD, prelude, head, rest)];
}

function comparable({ sections, entries, ...header }: Header) {
  const plain = sections.map(({ layout, ...section }) => ({
    ...section,
    layout: { ...layout, kernel: 0, widths: [] },
  }));
  const chunks = Array.from({ length: header.prelude.chunks }, (_, i) => header.chunk(i));
  const places = entries.map(({ section, ...entry }) => ({ ...entry, section: sections.indexOf(section) }));
  return { ...header, chunk: null, sections: plain, chunks, places };
}

const COMMON = [
  "int8 channel > auto",
  "int8 tensor > pivot",
  "int8 group 32 > auto",
  "int4 group 16 > auto",
  "int4 channel asymmetric > raw",
  "int8 group 48 asymmetric > auto",
  "prune 0.7 > int8 channel > auto",
  "prune 0.5 global > mask",
  "lossless",
  "raw",
  "pivot",
];

test.each(COMMON)("%s: headers and chunks are read alike, by core kernels too", async (plan) => {
  const { bytes } = await packed(modelOf(TENSORS), plan);
  const [common, whole] = await headers(bytes);
  expect(common && comparable(common)).toEqual(comparable(whole));
  expect(CORE && isCore(CORE)).toBe(true);
  const reader = {
    kernels: SIMD,
    source: bytesSource(bytes),
    header: whole,
    kept: new Map(),
    cache: null,
    pinned: false,
    window: 1,
    decode: <K extends DecodeKind>(task: Task<K>) => commonTask(SIMD, task),
    learn: () => expect.fail(),
    whole: () => expect.fail(),
    extras: () => expect.fail(),
  };
  for (const section of whole.sections) {
    const { layout, shared } = section;
    for (let index = 0; index < layout.chunks; index++) {
      const span = await readSpan(reader, section, index, 1);
      const task = shared
        ? ({ kind: "elements", span, dtype: layout.tensor.dtype } as const)
        : ({ kind: "floats", span, into: null, copied: 0 } as const);
      const expected = bytesOf(await decodeTask(SIMD, task));
      for (const kernels of [CORE, SIMD]) {
        const found = kernels && commonTask(kernels, task);
        expect(Buffer.compare(bytesOf(found as Float32Array), expected)).toBe(0);
      }
      const damaged = { ...span, bytes: span.bytes.map((byte, i) => (i === span.bytes.length - 1 ? byte ^ 1 : byte)) };
      expect(commonTask(SIMD, { ...task, span: damaged })).toBeNull();
    }
  }
});

test("a page that reads a common file needs nothing but the entry, what it imports, and the core kernels", async () => {
  const outdir = await mkdtemp(join(tmpdir(), "quern-common-"));
  const entryPoints = [fileURLToPath(new URL("../src/read.ts", import.meta.url))];
  await build({ entryPoints, bundle: true, format: "esm", splitting: true, outdir, outExtension: { ".js": ".mjs" } });
  const names = await readdir(outdir);
  const rest = names.filter((name) => !/^(read\.mjs|chunk-.*|core-.*)$/.test(name));
  expect(rest.length).toBeGreaterThan(3);
  for (const name of rest) await rm(join(outdir, name));
  const page: typeof import("../src/read.ts") = await import(pathToFileURL(join(outdir, "read.mjs")).href);
  for (const plan of COMMON) {
    const { bytes } = await packed(modelOf(TENSORS), plan);
    const [file, whole] = [await page.open(bytes), await open(bytes, { kernels: SIMD })];
    expect(file.index).toEqual(whole.index);
    for (const { name } of file.index) expect((await file.tensor(name)).data).toEqual((await whole.tensor(name)).data);
  }
  // What is not there is asked for by all others.
  const { bytes } = await packed(modelOf(TENSORS), "nf4 > auto");
  await expect(page.open(bytes)).rejects.toThrow(/whole-/);
  await rm(outdir, { recursive: true });
});

test.each([
  "smooth 0.5 > int8 channel > auto",
  "prune channels 0.5 > int8 > auto",
  "prune 2:4 > int8 > auto",
  "int8 channel axis 1 > auto",
  "uint8 channel > auto",
  "int8 step 0.01 > auto",
  "q4_1 > auto",
  "zrl 8",
])("%s is left to the whole reader, which opens it", async (plan) => {
  const { bytes } = await packed(modelOf([weights("w", [32, 64])]), plan);
  const [common, whole] = await headers(bytes);
  expect([common, whole.sections.length]).toEqual([null, 1]);
  const [file, direct] = [await open(bytes), await open(bytes, { kernels: SIMD })];
  expect(file.index).toEqual(direct.index);
  expect((await file.tensor("w")).data).toEqual((await direct.tensor("w")).data);
});

test.each(["huffman", "zrl", "int8 channel > huffman", "int4 channel > zrl", "smallest"])(
  "%s: streams of other codes are left to the whole reader",
  async (plan) => {
    const { bytes } = await packed(modelOf([weights("w", [64, 512], 0.5)]), plan);
    const [common, whole] = await headers(bytes);
    expect(common && comparable(common)).toEqual(comparable(whole));
    const [file, direct] = [await open(bytes), await open(bytes, { kernels: SIMD })];
    expect((await file.tensor("w")).data).toEqual((await direct.tensor("w")).data);
    expect(await file.check(0)).toBe(await direct.check(0));
  },
);

test.each(DTYPES)("%s without loss", async (dtype) => {
  const { bytes } = await packed(
    modelOf([noise("small", dtype, [100], 1), noise("large", dtype, [40, 50], 2)]),
    "lossless",
  );
  const [common, whole] = await headers(bytes);
  expect(common && comparable(common)).toEqual(comparable(whole));
});

test.each(FLOATS)("what is quantized of %s", async (dtype) => {
  const tensor = tensorOf(
    "w",
    dtype,
    [40, 50],
    floatsAs(
      dtype,
      Float32Array.from({ length: 2000 }, (_, i) => Math.sin(i)),
    ),
  );
  const { bytes } = await packed(modelOf([tensor]), "int8 channel > auto");
  const [common, whole] = await headers(bytes);
  if (dtype === "F64") expect(common).toBeNull();
  else expect(common && comparable(common)).toEqual(comparable(whole));
});

test("a name with characters beyond ASCII, or escapes, is left to the whole reader", async () => {
  for (const name of ["größe", "a\u2028", "\ud800", "tab\t", "\u007f", 'quote"', "back\\slash"]) {
    const { bytes } = await packed(modelOf([{ ...weights("w", [40, 50]), name }]), "int8 channel > auto");
    const [common, whole] = await headers(bytes);
    if (common) expect(comparable(common)).toEqual(comparable(whole));
    expect((await open(bytes)).index[0].name).toBe(name);
  }
});

/** Kernels that count the chunks whose hash they are asked for. */
function counting(kernels: Kernels) {
  const asked = { chunks: 0 };
  const xxh64: Kernels["run"]["xxh64"] = (...given) => {
    asked.chunks++;
    return kernels.run.xxh64(...given);
  };
  return { asked, kernels: { ...kernels, run: { ...kernels.run, xxh64 } } };
}

const RARE = [weights("w", [64, 512], 0.5), weights("v", [300, 1200]), weights("u", [256, 1024], 0.5)];

test("kernels of the caller's that decode everything are asked once for each chunk", async () => {
  const { bytes } = await packed(modelOf(RARE), "int8 channel > zrl");
  const { asked, kernels } = counting(SIMD);
  const file = await open(bytes, { kernels });
  for await (const { name, data } of file.stream()) expect(data).toEqual((await (await open(bytes)).tensor(name)).data);
  expect(asked.chunks).toBe(file.totals.chunks);
});

test("of rare chunks only the first is tried as a common one", async () => {
  const { bytes } = await packed(modelOf(RARE), "int8 channel > zrl");
  const { asked, kernels } = counting(CORE as Kernels);
  const file = await open(bytes, { kernels });
  expect(file.totals.chunks).toBeGreaterThan(3);
  for await (const { name, data } of file.stream())
    expect(data).toEqual((await (await open(bytes, { kernels: SIMD })).tensor(name)).data);
  // Once at once, once in time: then the rest is loaded.
  expect(asked.chunks).toBe(2);
});
