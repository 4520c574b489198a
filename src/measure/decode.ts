import { memorySink } from "../bytes.ts";
import { isRare } from "../container/cost.ts";
import { pack } from "../container/writer.ts";
import type { Kernels } from "../kernels.ts";
import type { UnitAttributes } from "../latency/row.ts";
import type { UnitSpec } from "../latency/spec.ts";
import { open } from "../load/open.ts";
import { random } from "../random.ts";
import { type DType, type LazyTensor, lazyTensor, type Model, narrow } from "../tensor.ts";
import type { OpenUnit, Timed } from "./unit.ts";

// Units of loading: seeded files in memory that are opened, or whose tensors are decoded, as a page does it.

/** What tensors are like, and what is done to them. */
interface Kind {
  readonly form: string;
  readonly dtype: DType;
  readonly plan: string;
  /** Of the codes, in steps. */
  readonly sigma: number;
  /** Beside SIZES. */
  readonly more?: Size;
}

/** What a file holds: `tensors` of `elements` each. */
interface Case extends Kind {
  readonly elements: number;
  readonly tensors: number;
}

const KIB = 1024;
type Size = readonly [elements: number, tensors: number];
/** Elements whose f32 take 16 KiB, 256 KiB and 4 MiB, of the smaller ones several: in the caches of one core, in that of all. */
const SIZES: readonly Size[] = [
  [4 * KIB, 48],
  [64 * KIB, 6],
  [1024 * KIB, 1],
];
/** 16 MiB of f32: beyond caches. */
const LARGEST: Size = [4096 * KIB, 1];
/** Tensors that share a chunk, as biases do: they tell what a tensor takes and what a chunk takes apart. */
const SHARING: Size = [KIB / 2, 128];
const KINDS: readonly Kind[] = [
  { form: "int8", dtype: "F32", plan: "int8 channel > auto", sigma: 30, more: LARGEST },
  { form: "int8", dtype: "F32", plan: "int8 channel > auto", sigma: 4 },
  { form: "int8", dtype: "F32", plan: "prune 0.8 > int8 channel > auto", sigma: 30 },
  { form: "int8", dtype: "F32", plan: "smooth 0.5 > int8 channel > auto", sigma: 30 },
  { form: "int4", dtype: "F32", plan: "int4 group 32 > auto", sigma: 30 },
  { form: "int4", dtype: "F32", plan: "prune 0.8 > int4 group 32 > smallest", sigma: 30 },
  { form: "f32", dtype: "F32", plan: "lossless", sigma: 30, more: SHARING },
  { form: "f16", dtype: "F16", plan: "lossless", sigma: 30 },
];
/** A run does a unit once, and nothing beside. */
const ALONE = { copies: 1, base: null } as const;
/** Tensors of files that are only opened: common ones in memory, those with stages, which are rare, and such as come from an address. */
const OPENED: readonly (readonly [tensors: number, how: "" | "rare" | "asked"])[] = [
  [4, ""],
  [32, ""],
  [256, ""],
  [4, "rare"],
  [32, "rare"],
  [4, "asked"],
  [32, "asked"],
];
const COLUMNS = 512;

/**
 * Units of the type "decode" with the form "open", which read a header, or that of what chunks hold, such as "int8". The same kernels give the same
 * units, whatever the machine. Takes a second or two: every file is packed.
 * @param kernels - some that encode
 */
export async function decodeUnits(kernels: Kernels): Promise<Timed[]> {
  const units: Timed[] = [];
  for (const [tensors, how] of OPENED) {
    const bytes = await fileOf(kernels, { ...(KINDS[0] as Kind), elements: 2 * KIB, tensors }, how === "rare");
    const { totals } = await open(bytes);
    const spec = specOf("open", { header: totals.header, tensors, ...(how && { [how]: 1 }) });
    const run = how === "asked" ? () => openedAsked(bytes) : () => opened(bytes);
    units.push({ spec, open: async () => ({ ...ALONE, run, close() {} }) });
  }
  for (const { more, ...kind } of KINDS) {
    for (const [elements, tensors] of more ? [...SIZES, more] : SIZES) {
      const bytes = await fileOf(kernels, { ...kind, elements, tensors });
      const spec = specOf(kind.form, await attributesOf(kernels, bytes));
      units.push({ spec, open: () => decoding(bytes) });
    }
  }
  return units;
}

function specOf(form: string, attributes: UnitAttributes): UnitSpec {
  return { type: "decode", form, attributes, precision: "f32", batch: 1 };
}

async function attributesOf(kernels: Kernels, bytes: Uint8Array): Promise<UnitAttributes> {
  const { index, totals, explain } = await open(bytes, { kernels });
  let [steps, smooth, rare] = [0, 0, 0];
  for (let i = 0; i < totals.chunks; i++) {
    const streams = await explain(i);
    steps += streams.reduce((sum, stream) => sum + stream.steps, 0);
    const divided = streams[0]?.part === "factors";
    if (divided) smooth += streams.at(-1)?.decoded ?? 0;
    if (divided || streams.some(isRare)) rare++;
  }
  const elements = index.reduce((sum, entry) => sum + entry.elements, 0);
  const { file, header, chunks } = totals;
  const sizes = { stored: file - header, steps: Math.round(steps), elements, chunks, tensors: index.length };
  return { ...sizes, ...(smooth && { smooth }), ...(rare && { rare }) };
}

async function opened(bytes: Uint8Array): Promise<void> {
  (await open(bytes)).close();
}

/** As from an address, by one request, whose answer is there at once: what the loader and the platform's streams take of it. */
async function openedAsked(bytes: Uint8Array): Promise<void> {
  const fetch = async (_: unknown, init?: RequestInit): Promise<Response> => {
    const [, start = "", last = ""] = /^bytes=(\d+)-(\d+)$/.exec(new Headers(init?.headers).get("range") ?? "") ?? [];
    const part = new Uint8Array(bytes.subarray(Number(start), Number(last) + 1));
    const range = `bytes ${start}-${Number(start) + part.length - 1}/${bytes.length}`;
    return new Response(part, { status: 206, headers: { "Content-Range": range, ETag: '"1"' } });
  };
  (await open("http://localhost/", { request: { fetch } })).close();
}

async function decoding(bytes: Uint8Array): Promise<OpenUnit> {
  const file = await open(bytes);
  return {
    ...ALONE,
    async run() {
      let last = 0;
      for await (const { data } of file.stream()) last += data[0] as number;
      if (!Number.isFinite(last)) throw new Error("a tensor that is not finite");
    },
    close: () => file.close(),
  };
}

async function fileOf(kernels: Kernels, of: Case, staged = false): Promise<Uint8Array> {
  const sink = memorySink();
  const stages = staged ? [{ name: "all", tensors: ["*"] }] : undefined;
  await pack(modelOf(of), of.plan, sink, { kernels, stages });
  return sink.bytes();
}

function modelOf({ dtype, elements, tensors, sigma }: Case): Model {
  const made = Array.from({ length: tensors }, (_, i): LazyTensor => {
    const bytes = narrow(dtype, weights(elements, sigma, i));
    return lazyTensor({ name: `layer.${i}.weight`, dtype, shape: [elements / COLUMNS, COLUMNS], bytes });
  });
  return { metadata: null, tensors: made };
}

const DRAWN = 65_536;
let drawn: Float32Array | undefined;

// Sums of uniform numbers, about Gaussian, of a variance of one. Drawn once: nothing that is measured looks so far back as to see them come again.
function gaussian(): Float32Array {
  const next = random(DRAWN);
  return new Float32Array(DRAWN).map(() => Math.sqrt(3) * (next() + next() + next() + next() - 2));
}

// The first of a row is 127 steps, which makes a step 1.
function weights(count: number, sigma: number, tensor: number): Float32Array {
  drawn ??= gaussian();
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const value = sigma * (drawn[(i + 97 * tensor) % DRAWN] as number);
    values[i] = i % COLUMNS === 0 ? 127 : Math.max(-127, Math.min(127, value));
  }
  return values;
}
