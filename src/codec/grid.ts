import { PlanError } from "../errors.ts";
import type { FormatStep, QuantizeStep } from "../plan.ts";
import { elementCount, type TensorInfo } from "../tensor.ts";
import { type Segment, segmentsOf } from "./quantize.ts";

// Which elements share a scale, and the order of the scales.

/**
 * Elements lie in lines of `line`, cut into rows of `cols` (the last of a line may be shorter) with a scale each. Of every `cycle` lines,
 * `share` after another have the same scales.
 */
export interface Grid {
  readonly line: number;
  readonly cols: number;
  readonly cycle: number;
  readonly share: number;
}

/** The grid of a step, or of elements without scales. @throws PlanError if the tensor has no such axis */
export function gridOf(tensor: TensorInfo, step: QuantizeStep | FormatStep | null): Grid {
  const elements = Math.max(elementCount(tensor.shape), 1);
  if (!step) return flat(elements, 1);
  if (step.op === "format") return formatGrid(tensor, step, elements);
  if (step.axis !== undefined) return axisGrid(tensor, step, step.axis, elements);
  const { per, group } = step;
  return flat(elements, per === "group" ? group : per === "channel" ? channelSize(tensor, elements) : elements);
}

// Groups run on over the ends of rows: where a row's length is a multiple of the group, as foreign formats have it, this is the same.
function flat(elements: number, cols: number): Grid {
  return { line: elements, cols: Math.max(cols, 1), cycle: 1, share: 1 };
}

function channelSize({ shape }: TensorInfo, elements: number): number {
  return elements / (shape[0] || 1);
}

// MatMulNBits has its blocks within a row of K, whatever its length: of weights [N, K] or [N, ...], a row is what belongs to one output.
function formatGrid(tensor: TensorInfo, { format, group }: FormatStep, elements: number): Grid {
  const line = format === "nbits4" && tensor.shape.length > 1 ? channelSize(tensor, elements) : elements;
  return inLines(elements, line, group);
}

function inLines(elements: number, line: number, cols: number): Grid {
  return line % cols === 0 ? flat(elements, cols) : { line, cols, cycle: 1, share: 1 };
}

function axisGrid({ name, shape }: TensorInfo, { per, group }: QuantizeStep, asked: number, elements: number): Grid {
  const axis = asked < 0 ? shape.length + asked : asked;
  const extent = shape[axis];
  if (extent === undefined)
    throw new PlanError(`tensor "${name}" has ${shape.length} dimensions: there is no axis ${asked}`);
  const inner = Math.max(elementCount(shape.slice(axis + 1)), 1);
  const length = Math.max(extent, 1);
  const outer = elements / (length * inner);
  if (per === "channel")
    return outer === 1 ? flat(elements, inner) : { line: length * inner, cols: inner, cycle: outer, share: outer };
  if (inner === 1) return inLines(elements, length, group);
  return { line: inner, cols: 1, cycle: length, share: Math.min(group, length) };
}

/** Count of scales. */
export function scaleCount(grid: Grid, elements: number): number {
  return elements === 0 ? 0 : firstScale(grid, Math.floor(elements / grid.line) - 1) + rowsPerLine(grid);
}

function rowsPerLine({ line, cols }: Grid): number {
  return Math.ceil(line / cols);
}

function firstScale(grid: Grid, line: number): number {
  const { cycle, share } = grid;
  const blocks = Math.floor(line / cycle) * Math.ceil(cycle / share) + Math.floor((line % cycle) / share);
  return blocks * rowsPerLine(grid);
}

/** The scales that elements [start, start + count) need: one run of them. */
export function scaleSpan(grid: Grid, start: number, count: number): { first: number; rows: number } {
  if (count === 0) return { first: 0, rows: 0 };
  const { line, cols, share } = grid;
  const end = start + count - 1;
  const [a, b] = [Math.floor(start / line), Math.floor(end / line)];
  // Lines that share scales need all of them, however little of each there is.
  const exact = a === b || share === 1;
  const first = firstScale(grid, a) + (exact ? Math.floor((start % line) / cols) : 0);
  const last = firstScale(grid, b) + (exact ? Math.floor((end % line) / cols) : rowsPerLine(grid) - 1);
  return { first, rows: last - first + 1 };
}

/** Cuts elements [start, start + count) into runs for the row kernels. `row` counts from the scale `firstRow` of the tensor on. */
export function* gridSegments(grid: Grid, start: number, count: number, firstRow: number): Generator<Segment> {
  const { line, cols } = grid;
  for (let at = 0; at < count; ) {
    const index = Math.floor((start + at) / line);
    const within = (start + at) % line;
    const size = Math.min(line - within, count - at);
    const row = firstScale(grid, index) + Math.floor(within / cols) - firstRow;
    for (const segment of segmentsOf(within, size, cols)) {
      yield { ...segment, row: row + segment.row, at: at + segment.at };
    }
    at += size;
  }
}

/** Elements after which no scale is shared with those before: chunks of a multiple of it hold whole rows. */
export function gridUnit({ line, cols, cycle, share }: Grid, elements: number): number {
  if (line === elements) return cols;
  return line * (cycle % share === 0 ? share : cycle);
}

/** How many elements fit `room` bytes, at `width` bytes each and `bytes` for each scale that they need; 0 if none do. */
export function fittingElements(grid: Grid, elements: number, width: number, bytes: number, room: number): number {
  const { line, cols, cycle, share } = grid;
  const rows = rowsPerLine(grid);
  // A row that is cut adds one more scale than its share.
  const apart = Math.floor((room - 16) / (width + bytes * (line === elements || share > 1 ? 1 / cols : rows / line)));
  if (share === 1) return apart;
  // Chunks that reach over the end of a line hold all scales of its block, and of the next.
  const blocks = share < cycle ? 2 : 1;
  const perElement = share < cycle ? (bytes * rows) / (line * share) : 0;
  const shared = Math.floor((room - 16 - blocks * bytes * rows) / (width + perElement));
  return shared >= apart ? shared : Math.max(shared, largestDivisor(line, apart));
}

/** Smaller chunks than this are not worth what each takes. */
const LEAST_CUT = 1024;

// The largest divisor of n up to `most`: chunks of it end where lines end.
function largestDivisor(n: number, most: number): number {
  for (let parts = Math.ceil(n / most); n / parts >= LEAST_CUT; parts++) if (n % parts === 0) return n / parts;
  return 0;
}
