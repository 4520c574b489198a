import { argument } from "../errors.ts";
import { shuffled } from "../random.ts";
import type { Batch, Dataset } from "./dataset.ts";

export { shuffled };

/** Batches in order; the last one may be shorter. @param indices - default: all */
export async function* batches(
  dataset: Dataset,
  { size, indices }: { size: number; indices?: readonly number[] | undefined },
): AsyncGenerator<Batch & { readonly indices: readonly number[] }> {
  argument(Number.isInteger(size) && size > 0, "size", "a whole number above 0", size);
  const count = indices?.length ?? dataset.count;
  for (let at = 0; at < count; at += size) {
    const end = Math.min(at + size, count);
    const wanted = indices?.slice(at, end) ?? Array.from({ length: end - at }, (_, i) => at + i);
    yield { ...(await dataset.read(wanted)), indices: wanted };
  }
}

export interface Split {
  readonly train: readonly number[];
  readonly validation: readonly number[];
  readonly test: readonly number[];
}

/**
 * Indices shuffled by the seed, and cut: no sample is in two parts. What is in no part by the fractions is left out.
 * @param fractions - of all samples, from 0 to 1, together at most 1
 */
export function split(
  count: number,
  fractions: { train?: number; validation?: number; test?: number },
  seed: number,
): Split {
  const { train = 0, validation = 0, test = 0 } = fractions;
  const parts = [train, validation, test];
  const fine = parts.every((part) => part >= 0 && part <= 1) && train + validation + test <= 1 + 1e-9;
  argument(fine, "fractions", "numbers from 0 to 1, together at most 1", parts);
  const order = shuffled(count, seed);
  // Cuts are rounded, not lengths, so that fractions that make 1 leave nothing out.
  const [a, b, c] = [train, train + validation, train + validation + test].map((cut) =>
    Math.min(count, Math.round(cut * count)),
  );
  return { train: order.slice(0, a), validation: order.slice(a, b), test: order.slice(b, c) };
}
