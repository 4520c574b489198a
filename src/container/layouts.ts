import { type Layout, layoutOf } from "../codec/layout.ts";
import { removedChannels } from "../codec/removed.ts";
import { printed } from "../errors.ts";
import type { Step } from "../plan.ts";
import { BLOCK_ELEMENTS, type BlockDType, dtypeWidth, isBlocks, isDType } from "../tensor.ts";
import { check, valid } from "./json.ts";
import { type Head, type LaidOut, type LayOut, MAX_SHARED, type Placed, standIn } from "./sections.ts";

// Layouts of sections, whatever their steps.

/** The layout of a section. @throws FormatError */
export const sectionLayout: LayOut = (head, members, elements) => {
  const layout = members.length > 1 ? sharedLayout(head, members, elements) : ownLayout(head, members[0] as Placed);
  return { layout, dtypes: dtypesOf(layout, head.steps) };
};

function ownLayout({ dtype, steps, chunk }: Head, { name, shape }: Placed): Layout {
  return valid(
    () => `plan of tensor ${printed(name)}`,
    () => layoutOf({ name, dtype, shape }, steps, chunk),
  );
}

function sharedLayout({ dtype, steps, chunk }: Head, members: readonly Placed[], elements: number): Layout {
  const { name } = members[0] as Placed;
  const field = (what: string) => () => `${what} of the section of ${printed(name)} and ${members.length - 1} more`;
  check(steps.length === 1 && !isBlocks(dtype), field("plan"), "a code alone, of elements with a width", steps.length);
  check(elements * dtypeWidth(dtype) <= MAX_SHARED, field("size"), `at most ${MAX_SHARED} bytes`, elements);
  check(chunk === elements, field("chunk"), `all ${elements} elements`, chunk);
  const filled = members.every((member) => member.elements > 0);
  check(filled, field("tensors"), "each with elements", 0);
  return layoutOf(standIn(name, members.length, dtype, elements), steps, chunk);
}

function dtypesOf(layout: Layout, steps: readonly Step[]): LaidOut["dtypes"] {
  const { dtype } = layout.tensor;
  // What was made of blocks has no blocks any more.
  const lost = isBlocks(dtype) && !layout.blocks;
  const original = lost ? "F32" : dtype;
  return { original, f32: layout.coding ? "F32" : original, quantized: blocksMade(layout, steps) ?? original };
}

// The dtype of blocks that the codes of a format step are, where rows and chunks are whole blocks, and nothing was removed between them.
function blocksMade(layout: Layout, steps: readonly Step[]): BlockDType | null {
  const { quantize, tensor, chunkElements, chunks } = layout;
  const dtype = quantize?.op === "format" ? quantize.format.toUpperCase() : "";
  const whole = (tensor.shape.at(-1) ?? 1) % BLOCK_ELEMENTS === 0;
  const apart = chunks > 1 && chunkElements % BLOCK_ELEMENTS > 0;
  if (!whole || apart || removedChannels(steps).length > 0) return null;
  return isDType(dtype) && isBlocks(dtype) ? dtype : null;
}
