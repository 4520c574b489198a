import { PlanError } from "../errors.ts";
import { CHUNK_BYTES } from "../kernels.ts";
import { type CodeStep, checkSteps, printSteps, type QuantizeStep, type Step } from "../plan.ts";
import { dtypeWidth, elementCount, type TensorInfo } from "../tensor.ts";
import { rowCount } from "./quantize.ts";
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
  readonly quantize: QuantizeStep | null;
  readonly code: CodeStep;
  /** Elements that share a scale; 1 if not quantized. */
  readonly cols: number;
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
  /** Scales in the chunk. */
  readonly rows: number;
  /** Bytes of factors, scales, zero points and codes (or elements). */
  readonly factorBytes: number;
  readonly scaleBytes: number;
  readonly zeroBytes: number;
  readonly codeBytes: number;
  readonly decodedBytes: number;
  /** What a region of the arena must hold: the decoded bytes, or int4 codes one to a byte. */
  readonly room: number;
}

/** The layout of a tensor under its steps, channels of which are removed by index. @param chunkElements - as a file says; default: as the writer cuts */
export function layoutOf(whole: TensorInfo, steps: readonly Step[], chunkElements?: number): Layout {
  checkSteps(steps, whole);
  const asked = steps.find((step) => step.op === "prune" && step.by === "channels");
  if (asked)
    throw new PlanError(`tensor "${whole.name}": "${printSteps(steps)}" does not say which: resolveSteps does`);
  const tensor = keptInfo(whole, removedChannels(steps));
  const elements = elementCount(tensor.shape);
  const quantize = steps.find((step) => step.op === "quantize") ?? null;
  const code = steps.find((step) => step.op === "code");
  if (!code) throw new PlanError(`tensor "${tensor.name}": steps without a code`);
  const cols = quantize ? columnsOf(tensor, quantize, elements) : 1;
  const kernel = kernelSize(tensor.shape);
  const smooth = steps[0]?.op === "smooth" ? inputAxis(tensor.shape) : null;
  const chunk = chunkElements ?? cutChunks(tensor, smooth, quantize, code, cols, kernel);
  return {
    tensor,
    elements,
    chunkElements: chunk,
    chunks: Math.ceil(elements / chunk),
    smooth,
    quantize,
    code,
    cols,
    kernel,
    widths: widthsOf(tensor.shape, elements),
  };
}

function widthsOf(shape: readonly number[], elements: number): number[] {
  const first = elements / (shape[0] ?? 1);
  const widths = [first, shape.at(-1) ?? 1, kernelSize(shape)];
  return [...new Set(widths)].filter((width) => width > 1 && width < 2 ** 24);
}

/** Elements that share a scale. */
export function columnsOf({ shape }: TensorInfo, { per, group }: QuantizeStep, elements: number): number {
  const cols = per === "group" ? group : per === "channel" ? elements / (shape[0] ?? 1) : elements;
  return Math.max(cols || 1, 1);
}

/** Values of one convolution kernel: the dimensions behind the first two, or else the last dimension. */
function kernelSize(shape: readonly number[]): number {
  const inner = shape.length > 2 ? shape.slice(2) : shape.slice(-1);
  return Math.max(elementCount(inner), 1);
}

// As many elements as fit the chunk size, cut at the boundaries of rows and of zrl groups where these fit.
function cutChunks(
  tensor: TensorInfo,
  smooth: InputAxis | null,
  quantize: QuantizeStep | null,
  code: CodeStep,
  cols: number,
  kernel: number,
): number {
  // The factors of all channels, or of as many as there are elements.
  const all = smooth ? 4 * smooth.channels : 0;
  const fixed = (quantize ? 16 : 0) + (all <= CHUNK_BYTES / 2 ? all : 8);
  const each = all > CHUNK_BYTES / 2 && smooth ? 4 / smooth.inner : 0;
  const own = quantize
    ? (quantize.bits === 16 ? 2 : 1) + (quantize.asymmetric ? 5 : 4) / cols
    : dtypeWidth(tensor.dtype);
  // A row that is cut adds one more scale than its share.
  const most = Math.floor((CHUNK_BYTES - fixed) / (own + each));
  const { by, size } = code.grouping;
  // Under "smallest" rows have classes: more is gained where they begin with the chunk.
  const row = code.code === "smallest" ? elementCount(tensor.shape.slice(1)) : 1;
  const group = by === "kernel" ? size * kernel : by === "count" ? size : row;
  const units = [lcm(cols, group), cols, group, 1].filter((candidate) => candidate > 0);
  const unit = units.find((candidate) => candidate <= most) as number;
  return Math.max(Math.floor(most / unit) * unit, 1);
}

function lcm(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return (a / x) * b;
}

/** The shape of the index-th chunk. */
export function chunkShape(layout: Layout, index: number): ChunkShape {
  const { tensor, elements, chunkElements, smooth, quantize, cols } = layout;
  const start = index * chunkElements;
  const count = Math.min(chunkElements, elements - start);
  const rows = quantize ? rowCount(start, count, cols) : 0;
  const factorBytes = smooth ? 4 * factorCount(smooth, start, count) : 0;
  const scaleBytes = 4 * rows;
  const zeroBytes = quantize?.asymmetric ? rows : 0;
  const codeBytes = quantize ? Math.ceil((count * quantize.bits) / 8) : count * dtypeWidth(tensor.dtype);
  const decodedBytes = factorBytes + scaleBytes + zeroBytes + codeBytes;
  return {
    start,
    count,
    rows,
    factorBytes,
    scaleBytes,
    zeroBytes,
    codeBytes,
    decodedBytes,
    room: Math.max(decodedBytes, count),
  };
}
