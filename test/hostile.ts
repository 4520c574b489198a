import fc from "fast-check";
import { expect } from "vitest";
import { FormatError } from "../src/index.ts";
import { concat } from "./reference/huffman.ts";

// What readers of foreign formats are put to, whatever the format.

/** The FormatError that a reader refuses with; it must say all that it should. */
export async function refused(reading: Promise<unknown>, what = ""): Promise<FormatError> {
  const error = await reading.then(
    () => new Error("it was taken"),
    (e: unknown) => e,
  );
  expect(error, `${what}: ${error}`).toBeInstanceOf(FormatError);
  const problem = error as FormatError;
  for (const part of [problem.code, problem.field, problem.expected, problem.actual]) expect(part, what).not.toBe("");
  expect(problem.offset, what).toBeGreaterThanOrEqual(0);
  return problem;
}

type Survives = (bytes: Uint8Array) => Promise<void>;

/** Every one of the first `count` bytes of a file, xored with each of the masks. */
export async function everyByteChanged(
  file: Uint8Array,
  count: number,
  masks: readonly number[],
  survives: Survives,
): Promise<void> {
  for (let at = 0; at < count; at++) {
    for (const by of masks) {
      const bytes = file.slice();
      bytes[at] ^= by;
      await survives(bytes);
    }
  }
}

/** Up to four edits among the first `count` bytes of a file: up to `most` bytes put in, changed or taken out. */
export function editedAtRandom(
  file: Uint8Array,
  count: number,
  most: number,
  numRuns: number,
  survives: Survives,
): Promise<void> {
  const edit = fc.tuple(fc.nat(count - 1), fc.integer({ min: -most, max: most }), fc.uint8Array({ maxLength: most }));
  const edited = fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
    let bytes = file;
    for (const [at, cut, put] of edits) {
      bytes = concat(bytes.slice(0, at), put, bytes.slice(Math.max(0, at + (cut > 0 ? cut : put.length))));
    }
    await survives(bytes);
  });
  return fc.assert(edited, { numRuns });
}
