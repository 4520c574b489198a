import { fixedBatch } from "../engine/batch.ts";
import type { Description, Value, ValueInfo } from "../engine/engine.ts";
import { DataError } from "../errors.ts";
import type { Batch, Dataset } from "./dataset.ts";
import { printedShape } from "./elements.ts";

// How the samples of a data set become what a model takes.

export interface Feed {
  readonly name: string;
  /** How many samples go in at once, where the model says so. */
  readonly batch: number | null;
  readonly value: (inputs: Batch["inputs"]) => Value;
}

/** @throws DataError where the model takes something else, naming both shapes */
export function feedOf({ inputs }: Description, { shape }: Pick<Dataset, "shape">): Feed {
  const [info] = inputs;
  if (!info || inputs.length > 1) {
    const names = inputs.map(({ name }) => name).join(", ");
    throw new DataError(`the model has ${inputs.length} inputs (${names}): data sets go into one`);
  }
  const [, ...wanted] = info.shape;
  const inner = fitted(shape, wanted);
  if (!inner)
    throw new DataError(
      `samples are ${printedShape(shape)}, but the input "${info.name}" takes ${printedShape(wanted)} for each`,
    );
  return {
    name: info.name,
    batch: fixedBatch({ inputs }),
    value: ({ shape: [count = 0], data }) => ({ shape: [count, ...inner], data: typed(data, info) }),
  };
}

/** The shape that samples get: their own, or with other extents of 1 between the rest. */
function fitted(shape: readonly number[], wanted: readonly number[]): readonly number[] | null {
  const alike = (a: readonly number[], b: readonly number[]): boolean =>
    a.length === b.length && b.every((extent, i) => extent === -1 || extent === a[i]);
  if (alike(shape, wanted)) return shape;
  const full = shape.filter((extent) => extent !== 1);
  if (
    !alike(
      full,
      wanted.filter((extent) => extent !== 1),
    )
  )
    return null;
  let next = 0;
  return wanted.map((extent) => (extent === 1 ? 1 : (full[next++] as number)));
}

function typed(data: Value["data"], { integer, name }: ValueInfo): Value["data"] {
  if (!integer) return data instanceof Float32Array ? data : Float32Array.from(data);
  if (data instanceof Int32Array) return data;
  const wrong = data.find((x) => !Number.isInteger(x));
  if (wrong !== undefined) throw new DataError(`the input "${name}" takes whole numbers, but the data have ${wrong}`);
  return Int32Array.from(data);
}

/** Indices of a batch, filled up with the last one where the model takes only so many at once. */
export function filled(indices: readonly number[], batch: number | null): readonly number[] {
  const last = indices.at(-1);
  if (batch === null || last === undefined || indices.length >= batch) return indices;
  return [...indices, ...new Array<number>(batch - indices.length).fill(last)];
}

/** The first samples of a value that has more. */
export function firstSamples(value: Value, count: number): Value {
  const [all = 0, ...inner] = value.shape;
  if (all <= count) return value;
  return { shape: [count, ...inner], data: value.data.subarray(0, (value.data.length / all) * count) };
}
