import { type ByteSource, readExactly } from "../../bytes.ts";
import { demand, FormatError, printed } from "../../errors.ts";
import { type DType, dtypeWidth, elementCount, type PlainDType } from "../../tensor.ts";
import { siblingName } from "../folder.ts";
import { parseObject } from "../json.ts";

// The weightsManifest of a model.json, of layers models and graph models alike, as TensorFlow.js reads it
// (tensorflow/tfjs, tfjs-core/src/io/types.ts and io_utils.ts).

/** A model.json is parsed whole. The largest known topologies take a few MB. */
const MAX_JSON = 100_000_000;
/** What a .quern file takes; TensorFlow.js takes 6. */
const MAX_DIMENSIONS = 16;
const DTYPES = { float32: "F32", int32: "I32", bool: "BOOL", uint8: "U8", float16: "F16" } as const;

/** How a weight lies in its shards where it is not as its dtype says. */
export type Quantization =
  | { readonly dtype: "float16" }
  | { readonly dtype: "uint8" | "uint16"; readonly scale: number; readonly min: number };

export interface Weight {
  readonly name: string;
  readonly shape: readonly number[];
  /** What it is when read. */
  readonly dtype: PlainDType;
  readonly quantization: Quantization | null;
  /** Bytes in the shards. */
  readonly bytes: number;
  /** The entry as it stands in the file. */
  readonly entry: Readonly<Record<string, unknown>>;
}

export interface Group {
  readonly paths: readonly string[];
  readonly weights: readonly Weight[];
}

export interface ModelJson {
  readonly text: string;
  readonly value: Readonly<Record<string, unknown>>;
  readonly groups: readonly Group[];
}

export function bad(field: string, expected: string, actual: string): FormatError {
  return new FormatError({ code: "tfjs", offset: 0, field, expected, actual });
}

/** Reads a model.json. @throws FormatError */
export async function readModelJson(source: ByteSource): Promise<ModelJson> {
  demand(source.byteLength <= MAX_JSON, "limit", 0, "model.json", `at most ${MAX_JSON} bytes`, source.byteLength);
  const bytes = await readExactly(source, 0, source.byteLength);
  const { value, text } = parseObject(bytes, bad, (depth) =>
    depth === 1 ? "keys of model.json" : "keys in model.json",
  );
  const { weightsManifest: manifest } = value;
  if (!Array.isArray(manifest)) throw bad("weightsManifest", "a list", printed(manifest));
  const groups = manifest.map(groupOf);
  demandUnique(
    "paths in weightsManifest",
    groups.flatMap(({ paths }) => paths),
  );
  demandUnique(
    "weight names",
    groups.flatMap(({ weights }) => weights.map(({ name }) => name)),
  );
  return { text, value, groups };
}

function demandUnique(field: string, names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    demand(!seen.has(name), "duplicate", 0, field, "each only once", printed(name));
    seen.add(name);
  }
}

function groupOf(value: unknown): Group {
  const { paths, weights } = Object(value ?? {}) as Record<string, unknown>;
  if (!Array.isArray(paths)) throw bad("paths in weightsManifest", "a list", printed(paths));
  if (!Array.isArray(weights)) throw bad("weights in weightsManifest", "a list", printed(weights));
  return {
    paths: paths.map((path) => siblingName(path, 0, "path in weightsManifest")),
    weights: weights.map(weightOf),
  };
}

function weightOf(value: unknown): Weight {
  const entry = Object(value ?? {}) as Record<string, unknown>;
  const { name, shape, dtype: word } = entry;
  if (typeof name !== "string" || name === "") throw bad("name of a weight", "text", printed(name));
  const field = (what: string): string => `${what} of weight ${printed(name)}`;
  const counts = Array.isArray(shape) && shape.every((n) => Number.isSafeInteger(n) && n >= 0);
  if (!counts || shape.length > MAX_DIMENSIONS) {
    throw bad(field("shape"), `at most ${MAX_DIMENSIONS} whole numbers`, printed(shape));
  }
  const known = typeof word === "string" && Object.hasOwn(DTYPES, word);
  if (!known) throw bad(field("dtype"), Object.keys(DTYPES).join(" "), printed(word));
  const quantization = quantizationOf(entry.quantization, word as string, field("quantization"));
  const elements = shape.reduce((product, extent) => product * Math.max(extent, 1), 1);
  if (elements * 8 > Number.MAX_SAFE_INTEGER) throw bad(field("shape"), "a countable number of bytes", printed(shape));
  const half = quantization?.dtype === "float16";
  const dtype = half ? "F16" : DTYPES[word as keyof typeof DTYPES];
  const bytes = elementCount(shape) * storedWidth(dtype, quantization);
  return { name, shape, dtype, quantization, bytes, entry };
}

function quantizationOf(value: unknown, dtype: string, field: string): Quantization | null {
  if (value === undefined || value === null) return null;
  const { dtype: stored, scale, min } = Object(value) as Record<string, unknown>;
  if (stored === "float16" && dtype === "float32") return { dtype: stored };
  if ((stored !== "uint8" && stored !== "uint16") || (dtype !== "float32" && dtype !== "int32")) {
    throw bad(field, "uint8 or uint16 of float32 or int32, or float16 of float32", printed(value));
  }
  if (!Number.isFinite(scale) || !Number.isFinite(min)) throw bad(field, "a scale and a min", printed(value));
  return { dtype: stored, scale: scale as number, min: min as number };
}

function storedWidth(dtype: DType, quantization: Quantization | null): number {
  if (quantization?.dtype === "uint8") return 1;
  return quantization ? 2 : dtypeWidth(dtype);
}
