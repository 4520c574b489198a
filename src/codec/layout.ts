import { PlanError } from "../errors.ts";
import { type CodeStep, checkSteps, type FormatStep, printSteps, type QuantizeStep, type Step } from "../plan.ts";
import { BLOCK_ELEMENTS, dtypeWidth, elementCount, isBlocks, type TensorInfo } from "../tensor.ts";
import { type Coding, codingOf, formatOf } from "./coding.ts";
import { type Grid, gridOf, scaleSpan } from "./grid.ts";
import { keptInfo, removedChannels } from "./removed.ts";
import { factorCount, type InputAxis, inputAxis } from "./smooth.ts";

// How a tensor is cut into chunks, and what lies in each.

/** How a tensor lies in chunks; all of it follows from its shape and steps. */
export interface Layout {
  /** As the chunks hold it: without removed channels. */
  readonly tensor: TensorInfo;
  readonly elements: number;
  /** Elements in every chunk but the last. */
  readonly chunkElements: number;
  readonly chunks: number;
  /** The axis of the factors that the elements are divided by, or null. */
  readonly smooth: InputAxis | null;
  /** The step that makes codes of numbers, if there is one. */
  readonly quantize: QuantizeStep | FormatStep | null;
  readonly code: CodeStep;
  /** What codes in the chunks mean, or null if they hold elements. */
  readonly coding: Coding | null;
  /** Whether the codes are those of the tensor's own blocks. */
  readonly blocks: boolean;
  /** Which elements share a scale. */
  readonly grid: Grid;
  /** Values of one convolution kernel. */
  readonly kernel: number;
  /** Lengths of rows whose tables of codes may differ: of the first dimension's entries, of the last, of convolution kernels. */
  readonly widths: readonly number[];
}

/** What a chunk holds once decoded. */
export interface ChunkShape {
  /** First element of the chunk in the tensor, and count. */
  readonly start: number;
  readonly count: number;
  /** Scales in the chunk, and the first of them in the tensor. */
  readonly rows: number;
  readonly firstRow: number;
  /** Bytes of factors, scales, zero points or minima, and codes (or elements). */
  readonly factorBytes: number;
  readonly scaleBytes: number;
  readonly zeroBytes: number;
  readonly codeBytes: number;
  readonly decodedBytes: number;
  /** What a region of the arena must hold: the decoded bytes, or int4 codes one to a byte. */
  readonly room: number;
}

/** The layout of a tensor under its steps, channels of which are removed by index. @param chunkElements - as a file says; cutLayout: as the writer cuts */
export function layoutOf(whole: TensorInfo, steps: readonly Step[], chunkElements: number): Layout {
  checkSteps(steps, whole);
  const asked = steps.find((step) => step.op === "prune" && step.by === "channels");
  if (asked)
    throw new PlanError(`tensor "${whole.name}": "${printSteps(steps)}" does not say which: resolveSteps does`);
  const tensor = keptInfo(whole, removedChannels(steps));
  const elements = elementCount(tensor.shape);
  const made = steps.find((step) => step.op === "quantize" || step.op === "format") ?? null;
  const code = steps.find((step) => step.op === "code");
  if (!code) throw new PlanError(`tensor "${tensor.name}": steps without a code`);
  const prune = steps.some((step) => step.op === "prune");
  const own = isBlocks(tensor.dtype) ? formatOf(tensor.dtype) : null;
  // Blocks stay as they are unless another format is asked for.
  const blocks = own !== null && !prune && (!made || (made.op === "format" && made.format === own.format));
  if (own) checkBlocks(tensor, elements);
  const quantize = blocks ? null : made;
  const coding = blocks ? codingOf(own, true) : made ? codingOf(made) : null;
  const grid = gridOf(tensor, blocks ? own : made);
  const kernel = kernelSize(tensor.shape);
  const smooth = steps[0]?.op === "smooth" ? inputAxis(tensor.shape, steps[0].axis) : null;
  if (blocks && chunkElements % BLOCK_ELEMENTS > 0) {
    throw new PlanError(`tensor "${tensor.name}": chunks of ${chunkElements} elements cut blocks of ${BLOCK_ELEMENTS}`);
  }
  const chunks = Math.ceil(elements / chunkElements);
  const widths = widthsOf(tensor.shape, elements);
  return {
    tensor,
    elements,
    chunkElements,
    chunks,
    smooth,
    quantize,
    code,
    coding,
    blocks,
    grid,
    kernel,
    widths,
  };
}

function widthsOf(shape: readonly number[], elements: number): number[] {
  const first = elements / (shape[0] ?? 1);
  const widths = [first, shape[shape.length - 1] ?? 1, kernelSize(shape)];
  return [...new Set(widths)].filter((width) => width > 1 && width < 2 ** 24);
}

function checkBlocks({ name, dtype, shape }: TensorInfo, elements: number): void {
  const last = shape[shape.length - 1] ?? 1;
  if (last % BLOCK_ELEMENTS === 0 || elements === 0) return;
  throw new PlanError(
    `tensor "${name}" is ${dtype}: its last dimension is ${last}, not a multiple of ${BLOCK_ELEMENTS}`,
  );
}

/** Values of one convolution kernel: the dimensions behind the first two, or else the last dimension. */
function kernelSize(shape: readonly number[]): number {
  const inner = shape.length > 2 ? shape.slice(2) : shape.slice(-1);
  return Math.max(elementCount(inner), 1);
}

/** The shape of the index-th chunk. */
export function chunkShape(layout: Layout, index: number): ChunkShape {
  const { tensor, elements, chunkElements, smooth, coding, grid } = layout;
  const start = index * chunkElements;
  const count = Math.min(chunkElements, elements - start);
  const { first, rows } = coding ? scaleSpan(grid, start, count) : { first: 0, rows: 0 };
  const factorBytes = smooth ? 4 * factorCount(smooth, start, count) : 0;
  const scaleBytes = coding ? coding.scales.width * rows : 0;
  const zeroBytes = coding?.offsets ? coding.offsets.width * rows : 0;
  const codeBytes = coding ? Math.ceil((count * coding.bits) / 8) : count * dtypeWidth(tensor.dtype);
  const decodedBytes = factorBytes + scaleBytes + zeroBytes + codeBytes;
  const room = Math.max(decodedBytes, count);
  return { start, count, rows, firstRow: first, factorBytes, scaleBytes, zeroBytes, codeBytes, decodedBytes, room };
}
