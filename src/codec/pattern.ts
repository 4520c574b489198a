import type { Kernels } from "../kernels.ts";
import { type PrunePattern, patternAxis } from "../plan.ts";
import { elementCount } from "../tensor.ts";
import { notFinite, segmentsOf, toFloats } from "./quantize.ts";
import { BLOCK, type Values } from "./values.ts";

// N:M pruning. The groups run along any axis and over the cuts between chunks, so what is pruned together is read together.

/** A tensor as [..., axis, inner], whose groups of `of` neighbours along the axis keep `keep`. */
interface Grid {
  readonly axis: number;
  readonly inner: number;
  readonly keep: number;
  readonly of: number;
}

function gridOf({ keep, of, ...step }: PrunePattern, shape: readonly number[]): Grid {
  const axis = patternAxis({ keep, of, ...step }, shape);
  return { axis: shape[axis] as number, inner: elementCount(shape.slice(axis + 1)), keep, of };
}

/** The values pruned. @throws DataError on NaN or infinity */
export function patternValues(kernels: Kernels, values: Values, step: PrunePattern, shape: readonly number[]): Values {
  const grid = gridOf(step, shape);
  const elements = elementCount(shape);
  const whole = grid.of * grid.inner <= BLOCK;
  return async (start, end) => {
    const out = new Float32Array(end - start);
    for (let at = start; at < end; ) {
      const part = whole
        ? await wholeGroups(kernels, values, grid, elements, at, end)
        : await columns(kernels, values, grid, at, end);
      out.set(part, at - start);
      at += part.length;
    }
    return out;
  };
}

// Where the groups around an element begin, how many rows they have, and so where they end.
function groupsAt({ axis, inner, of }: Grid, at: number): { first: number; rows: number; end: number } {
  const into = Math.floor(at / inner) % axis;
  const row = into - (into % of);
  const first = (Math.floor(at / inner) - (into % of)) * inner;
  const rows = Math.min(of, axis - row);
  return { first, rows, end: first + rows * inner };
}

// Pruned elements from `at` on: of all groups that begin in a block and are needed before `end`.
async function wholeGroups(
  kernels: Kernels,
  values: Values,
  grid: Grid,
  elements: number,
  at: number,
  end: number,
): Promise<Float32Array> {
  const { first } = groupsAt(grid, at);
  const last = groupsAt(grid, Math.min(first + BLOCK, end, elements) - 1).end;
  const block = await values(first, last);
  const { floats, planes } = toFloats(kernels, block);
  const line = grid.axis * grid.inner;
  for (const { rows, cols, at: from } of segmentsOf(first, block.length, line)) {
    const [src, dst] = [floats + 4 * from, planes + 4 * from];
    if (kernels.run.prunePattern(src, rows, cols / grid.inner, grid.inner, grid.keep, grid.of, dst) < 0)
      throw notFinite(kernels, src, rows * cols, first + from);
  }
  return taken(kernels, planes + 4 * (at - first), Math.min(last, end) - at);
}

// Groups too large to read whole: their rows are pruned a few columns at a time, of which one row's is wanted.
async function columns(kernels: Kernels, values: Values, grid: Grid, at: number, end: number): Promise<Float32Array> {
  const { inner, keep, of } = grid;
  const { first, rows } = groupsAt(grid, at);
  const column = at % inner;
  const width = Math.min(Math.floor(BLOCK / of), inner - column, end - at);
  const block = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    const from = first + row * inner + column;
    block.set(await values(from, from + width), row * width);
  }
  const { floats, planes } = toFloats(kernels, block);
  const row = (at - column - first) / inner;
  if (kernels.run.prunePattern(floats, 1, rows, width, keep, of, planes) < 0) {
    const bad = block.findIndex((x) => !Number.isFinite(x));
    const start = first + Math.floor(bad / width) * inner + column + (bad % width);
    throw notFinite(kernels, floats + 4 * bad, 1, start);
  }
  return taken(kernels, planes + 4 * row * width, width);
}

function taken(kernels: Kernels, at: number, count: number): Float32Array {
  return new Float32Array(kernels.bytes().slice(at, at + 4 * count).buffer);
}
