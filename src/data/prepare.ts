import type { Value } from "../engine/engine.ts";
import { argument } from "../errors.ts";
import type { Batch, Dataset } from "./dataset.ts";
import { product } from "./records.ts";

/** What is done to elements, in this order. */
export interface Preparation {
  /** Elements are multiplied with it, such as 1 / 255. */
  readonly scale?: number | undefined;
  /** Subtracted; one for each channel (the last dimension), or one for all. */
  readonly mean?: readonly number[] | undefined;
  /** Divided by. */
  readonly std?: readonly number[] | undefined;
  /** "nchw": samples of height, width and channels get their channels first. Default: as they are */
  readonly layout?: "nhwc" | "nchw" | undefined;
}

/** A data set whose elements are scaled, normalized and laid out when they are read. */
export function prepared(dataset: Dataset, preparation: Preparation): Dataset {
  const { scale = 1, mean = [0], std = [1], layout } = preparation;
  const channels = dataset.shape.at(-1) ?? 1;
  for (const [name, list] of Object.entries({ mean, std })) {
    argument(list.length === 1 || list.length === channels, name, `1 or ${channels} numbers`, list);
    argument(list.every(Number.isFinite), name, "finite numbers", list);
  }
  argument(Number.isFinite(scale), "scale", "a finite number", scale);
  argument(!std.includes(0), "std", "numbers other than 0", std);
  const first = layout === "nchw";
  argument(
    !first || dataset.shape.length === 3,
    "layout",
    "samples of height, width and channels for nchw",
    dataset.shape,
  );
  const same = scale === 1 && mean.every((x) => x === 0) && std.every((x) => x === 1);
  if (same && !first) return dataset;
  const [height = 0, width = 0] = dataset.shape;
  return {
    ...dataset,
    shape: first ? [channels, height, width] : dataset.shape,
    async read(indices): Promise<Batch> {
      const { inputs, labels } = await dataset.read(indices);
      const scaled = same ? inputs : normalized(inputs, channels, { scale, mean, std });
      return { inputs: first ? channelsFirst(scaled) : scaled, labels };
    },
  };
}

function normalized(
  { shape, data }: Value,
  channels: number,
  how: { scale: number; mean: readonly number[]; std: readonly number[] },
): Value {
  const { scale, mean, std } = how;
  const out = new Float32Array(data.length);
  for (let i = 0; i < out.length; i++) {
    const c = i % channels;
    out[i] = ((data[i] as number) * scale - (mean[c] ?? (mean[0] as number))) / (std[c] ?? (std[0] as number));
  }
  return { shape, data: out };
}

function channelsFirst({ shape, data }: Value): Value {
  const [count = 0, height = 0, width = 0, channels = 0] = shape;
  const out = data.slice();
  const pixels = height * width;
  for (let n = 0, from = 0; n < count; n++)
    for (let i = 0; i < pixels; i++)
      for (let c = 0; c < channels; c++) out[(n * channels + c) * pixels + i] = data[from++] as number;
  return { shape: [count, channels, height, width], data: out };
}

/** A data set with a label for each sample. @throws RangeError for another count */
export function labelled(
  dataset: Dataset,
  labels: Int32Array | number,
  classes: readonly string[] | null = dataset.classes,
): Dataset {
  const fits = typeof labels === "number" || labels.length === dataset.count;
  argument(
    fits,
    "labels",
    `${dataset.count} labels, one for each sample`,
    typeof labels === "number" ? 1 : labels.length,
  );
  const at = typeof labels === "number" ? () => labels : (i: number) => labels[i] as number;
  return {
    ...dataset,
    classes,
    labelled: true,
    read: async (indices) => ({ ...(await dataset.read(indices)), labels: Int32Array.from(indices, at) }),
  };
}

/** One data set behind the other. @throws RangeError for samples of different shapes */
export function joinedData(parts: readonly Dataset[]): Dataset {
  const [first] = parts;
  argument(first !== undefined, "parts", "one data set or more", "none");
  if (parts.length === 1) return first;
  for (const { shape } of parts)
    argument(String(shape) === String(first.shape), "parts", `samples of shape ${first.shape}`, shape);
  const starts = parts.map((_, i) => parts.slice(0, i).reduce((sum, { count }) => sum + count, 0));
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const labelled = parts.every((part) => part.labelled);
  return {
    count,
    shape: first.shape,
    classes: first.classes,
    labelled,
    async read(indices): Promise<Batch> {
      const found = indices.map((index) => {
        argument(Number.isInteger(index) && index >= 0 && index < count, "indices", `0 .. ${count - 1}`, index);
        return starts.findLastIndex((start) => start <= index);
      });
      const batches = await Promise.all(
        parts.map((part, p) =>
          part.read(indices.filter((_, i) => found[i] === p).map((index) => index - (starts[p] as number))),
        ),
      );
      return gathered(first, batches, found, labelled);
    },
    async close() {
      for (const part of parts) await part.close?.();
    },
  };
}

function gathered({ shape }: Dataset, batches: readonly Batch[], found: readonly number[], labelled: boolean): Batch {
  const elements = product(shape);
  const integer = batches.every(({ inputs }) => inputs.data instanceof Int32Array);
  const data = integer ? new Int32Array(found.length * elements) : new Float32Array(found.length * elements);
  const labels = labelled ? new Int32Array(found.length) : null;
  const next = batches.map(() => 0);
  found.forEach((p, i) => {
    const [{ inputs, labels: own }, j] = [batches[p] as Batch, next[p] as number];
    data.set(inputs.data.subarray(j * elements, (j + 1) * elements), i * elements);
    if (labels) labels[i] = own?.[j] as number;
    next[p] = j + 1;
  });
  return { inputs: { shape: [found.length, ...shape], data }, labels };
}
