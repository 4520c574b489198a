import { type ByteSource, type ClosableSource, readExactly } from "../bytes.ts";
import { argument, demand } from "../errors.ts";
import type { Batch, Dataset } from "./dataset.ts";
import { type ElementType, fitting, printedShape } from "./elements.ts";

// Samples of equal size, one after the other: what .npy, idx and raw files hold.

export interface Records {
  readonly source: ClosableSource;
  /** Where the first begins, in bytes. */
  readonly offset: number;
  readonly count: number;
  /** Of one. */
  readonly shape: readonly number[];
  readonly type: ElementType;
  readonly little: boolean;
}

/** Labels are read whole: 4 bytes for each sample. */
const MAX_LABELS = 2 ** 26;

/** The same elements as samples of another shape. @throws FormatError where they do not come out even */
export function reshaped(records: Records, shape: readonly number[] | undefined): Records {
  if (!shape) return records;
  const all = records.count * product(records.shape);
  const each = product(shape);
  argument(each > 0, "shape", "extents above 0", shape);
  const last = records.offset + Math.floor(all / each) * each * records.type.width;
  demand(all % each === 0, "shape", last, "samples", `a multiple of ${each} elements (${printedShape(shape)})`, all);
  return { ...records, count: all / each, shape };
}

/** A data set of records, whose elements become f32, or i32 where `integer` says so (default: for i32 and i64). */
export function recordData(records: Records, integer = /^i(32|64)$/.test(records.type.name)): Dataset {
  const { count, shape, source } = records;
  const elements = product(shape);
  return {
    count,
    shape,
    classes: null,
    labelled: false,
    async read(indices): Promise<Batch> {
      const data = integer ? new Int32Array(indices.length * elements) : new Float32Array(indices.length * elements);
      for (const { from, first, length } of runs(indices, count)) {
        await readInto(records, first * elements, data.subarray(from * elements, (from + length) * elements));
      }
      return { inputs: { shape: [indices.length, ...shape], data }, labels: null };
    },
    close: async () => {
      await source.close?.();
    },
  };
}

/** All elements of a file of labels. @throws FormatError for other than whole numbers, or more labels than 2^26 */
export async function labelsOf(records: Records): Promise<Int32Array> {
  const { offset, type, source } = records;
  const count = records.count * product(records.shape);
  demand(count <= MAX_LABELS, "labels", offset, "labels", `at most ${MAX_LABELS}`, count);
  const values = new Float64Array(count);
  await readInto(records, 0, values);
  await source.close?.();
  const wrong = values.findIndex((value) => !Number.isInteger(value) || Math.abs(value) >= 2 ** 31);
  const [at, actual] = [offset + Math.max(wrong, 0) * type.width, values[wrong] ?? 0];
  demand(wrong < 0, "labels", at, `label ${wrong}`, "a whole number below 2^31", actual);
  return Int32Array.from(values);
}

/** Neighbours among indices, so that each is one read. @throws RangeError for an index that there is not */
export function runs(indices: readonly number[], count: number): { from: number; first: number; length: number }[] {
  const found: { from: number; first: number; length: number }[] = [];
  indices.forEach((index, i) => {
    argument(Number.isInteger(index) && index >= 0 && index < count, "indices", `0 .. ${count - 1}`, index);
    const last = found.at(-1);
    if (last && last.first + last.length === index) last.length++;
    else found.push({ from: i, first: index, length: 1 });
  });
  return found;
}

/** Elements from `first` on, as many as there is room for. */
async function readInto({ source, offset, type, little }: Records, first: number, into: NumberArray): Promise<void> {
  const start = offset + first * type.width;
  const bytes = await readExactly(source, start, start + into.length * type.width);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < into.length; i++) into[i] = type.get(view, i * type.width, little);
}

type NumberArray = Float32Array | Int32Array | Float64Array;

export function product(shape: readonly number[]): number {
  return shape.reduce((all, extent) => all * extent, 1);
}

/** Elements of samples as they lie in a file without a header. @throws FormatError if the last one is not whole */
export function rawRecords(source: ByteSource, shape: readonly number[], type: ElementType): Records {
  const size = type.width * fitting(shape, type.width, Number.MAX_SAFE_INTEGER, 0, "shape");
  argument(size > 0, "shape", "extents above 0", shape);
  const count = Math.floor(source.byteLength / size);
  const expected = `a multiple of ${size} bytes (${printedShape(shape)} ${type.name})`;
  demand(count * size === source.byteLength, "length", count * size, "file size", expected, source.byteLength);
  return { source, offset: 0, count, shape, type, little: true };
}
