import { PlanError } from "../errors.ts";
import { CHUNK_BYTES } from "../kernels.ts";
import type { Step } from "../plan.ts";
import { BLOCK_ELEMENTS, dtypeWidth, elementCount, isBlocks, type TensorInfo } from "../tensor.ts";
import { fittingElements, gridUnit } from "./grid.ts";
import { type Layout, layoutOf } from "./layout.ts";

// Where the writer cuts a tensor. Readers are told by the file.

/** The layout of a tensor in chunks as the writer cuts them. @throws PlanError */
export function cutLayout(whole: TensorInfo, steps: readonly Step[]): Layout {
  const layout = layoutOf(whole, steps, BLOCK_ELEMENTS);
  const chunkElements = cutElements(layout);
  return { ...layout, chunkElements, chunks: Math.ceil(layout.elements / chunkElements) };
}

// As many elements as fit the chunk size, cut at the boundaries of rows and of zrl groups where these fit.
function cutElements(layout: Layout): number {
  const { tensor, coding, code, grid, kernel } = layout;
  const elements = Math.max(layout.elements, 1);
  const most = mostElements(layout, elements);
  if (most < 1) {
    const why = "the scales along this axis do not fit a chunk: choose another axis, or groups along the last";
    throw new PlanError(`tensor "${tensor.name}" of [${tensor.shape}]: ${why}`);
  }
  const unit = coding ? gridUnit(grid, elements) : 1;
  const { by, size } = code.grouping;
  // Under "smallest" rows have classes: more is gained where they begin with the chunk.
  const row = code.code === "smallest" ? elementCount(tensor.shape.slice(1)) : 1;
  const group = by === "kernel" ? size * kernel : by === "count" ? size : row;
  const units = [lcm(unit, group), unit, group, 1].filter((candidate) => candidate > 0);
  const best = units.find((candidate) => candidate <= most) as number;
  const cut = Math.max(Math.floor(most / best) * best, 1);
  return isBlocks(tensor.dtype) && cut > BLOCK_ELEMENTS ? cut - (cut % BLOCK_ELEMENTS) : cut;
}

function mostElements({ tensor, smooth, coding, grid }: Layout, elements: number): number {
  if (!coding) return Math.floor(CHUNK_BYTES / dtypeWidth(tensor.dtype));
  // The factors of all channels, or of as many as there are elements.
  const all = smooth ? 4 * smooth.channels : 0;
  const few = all <= CHUNK_BYTES / 2;
  const room = CHUNK_BYTES - (few ? all : 8);
  const width = Math.ceil(coding.bits / 8) + (smooth && !few ? 4 / smooth.inner : 0);
  return fittingElements(grid, elements, width, coding.scales.width + (coding.offsets?.width ?? 0), room);
}

function lcm(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return (a / x) * b;
}
