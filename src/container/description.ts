import { asciiBytes, asciiText } from "../bytes.ts";
import { type Layout, layoutOf } from "../codec/layout.ts";
import { argument, demand, FormatError, PlanError, printed } from "../errors.ts";
import { parseSteps, printSteps, type Step } from "../plan.ts";
import { isDType, type TensorInfo } from "../tensor.ts";

// The JSON part of the header: tensors, what was done to them, metadata.

const MAX_DIMENSIONS = 16;
/** Where the JSON part begins: right behind the prelude. */
export const PRELUDE_BYTES = 88;

/** A tensor of the file: what it is, what was done to it, where its chunks stand in the table. */
export interface Entry {
  readonly tensor: TensorInfo;
  readonly steps: readonly Step[];
  readonly layout: Layout;
  readonly firstChunk: number;
}

/** What the JSON part says. */
export interface Description {
  readonly plan: string;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly entries: readonly Entry[];
}

/** The JSON part as it lies in the file. @throws RangeError for what the format cannot hold */
export function encodeDescription(...description: Parameters<typeof spell>): Uint8Array {
  return asciiBytes(spell(...description));
}

// The one spelling of a description: ASCII, padded with spaces.
function spell(
  plan: string,
  metadata: Description["metadata"],
  entries: readonly { tensor: TensorInfo; layout: Layout; steps: readonly Step[] }[],
): string {
  const texts = metadata === null || Object.values(Object(metadata ?? 0)).every((item) => typeof item === "string");
  argument(metadata !== undefined && texts, "metadata", "null, or text by key", metadata);
  for (const { name, shape } of entries.map(({ tensor }) => tensor)) {
    argument(shape.length <= MAX_DIMENSIONS, `shape of "${name}"`, `at most ${MAX_DIMENSIONS} dimensions`, shape);
  }
  const tensors = entries.map(({ tensor, layout, steps }) => ({
    name: tensor.name,
    dtype: tensor.dtype,
    shape: tensor.shape,
    plan: printSteps(steps),
    chunk: layout.chunkElements,
  }));
  const text = JSON.stringify({ plan, metadata, tensors }).replace(/[^\x20-\x7e]/g, escapeCharacter);
  return text.padEnd(Math.ceil(text.length / 8) * 8);
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Reads the JSON part. @throws FormatError */
export function parseDescription(bytes: Uint8Array): Description {
  const text = asciiText(bytes);
  const value = parseJson(text);
  const entries: Entry[] = [];
  const names = new Set<string>();
  let firstChunk = 0;
  for (const item of value.tensors) {
    const entry = parseEntry(item, firstChunk);
    const { name } = entry.tensor;
    demand(!names.has(name), "duplicate", PRELUDE_BYTES, "tensor names", "each only once", JSON.stringify(name));
    names.add(name);
    firstChunk += entry.layout.chunks;
    entries.push(entry);
  }
  // What the writer would write is the one spelling that is taken, so duplicate or unknown keys cannot hide anything.
  const canonical = spell(value.plan, value.metadata, entries) === text;
  demand(canonical, "json", PRELUDE_BYTES, "JSON", "the canonical spelling", "another spelling or unknown keys");
  return { plan: value.plan, metadata: value.metadata, entries };
}

interface RawDescription {
  plan: string;
  metadata: Record<string, string> | null;
  tensors: unknown[];
}

function parseJson(text: string): RawDescription {
  const bad = (actual: string): FormatError =>
    new FormatError({
      code: "json",
      offset: PRELUDE_BYTES,
      field: "JSON",
      expected: "plan, metadata, tensors",
      actual,
    });
  let value: Partial<RawDescription> | null;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw bad((error as Error).message);
  }
  if (typeof value !== "object" || value === null) throw bad(typeof value);
  const { plan, metadata, tensors } = value;
  if (typeof plan !== "string") throw bad("no plan");
  if (!Array.isArray(tensors)) throw bad("no tensors");
  if (metadata === undefined || typeof metadata !== "object" || Array.isArray(metadata)) throw bad("no metadata");
  const texts = Object.values(metadata ?? {}).every((item) => typeof item === "string");
  if (!texts) throw bad("metadata that is not text");
  return { plan, metadata, tensors };
}

function parseEntry(item: unknown, firstChunk: number): Entry {
  const { name, dtype, shape, plan, chunk } = (item ?? {}) as Record<string, unknown>;
  const field = (what: string) => `${what} of tensor ${printed(name)}`;
  const check = (ok: boolean, what: string, expected: string, actual: unknown): void =>
    demand(ok, "json", PRELUDE_BYTES, field(what), expected, printed(actual));
  check(typeof name === "string", "name", "a string", name);
  check(isDType(dtype), "dtype", "a known dtype", dtype);
  const extents =
    Array.isArray(shape) && shape.length <= MAX_DIMENSIONS && shape.every((n) => Number.isSafeInteger(n) && n >= 0);
  check(extents, "shape", `at most ${MAX_DIMENSIONS} whole numbers`, shape);
  check(typeof plan === "string", "plan", "a string", plan);
  check(Number.isSafeInteger(chunk) && (chunk as number) >= 1, "chunk", "a whole number >= 1", chunk);
  const tensor = { name, dtype, shape } as TensorInfo;
  try {
    const steps = parseSteps(plan as string);
    return { tensor, steps, layout: layoutOf(tensor, steps, chunk as number), firstChunk };
  } catch (error) {
    if (!(error instanceof PlanError || error instanceof RangeError)) throw error;
    throw new FormatError({
      code: "json",
      offset: PRELUDE_BYTES,
      field: field("plan"),
      expected: "a valid tensor",
      actual: error.message,
    });
  }
}
