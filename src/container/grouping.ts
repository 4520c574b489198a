import { cutLayout } from "../codec/cut.ts";
import type { Resolved } from "../codec/inputs.ts";
import { type Layout, layoutOf } from "../codec/layout.ts";
import { printSteps, SMALL, type Step } from "../plan.ts";
import { dtypeWidth, elementCount, isBlocks, type LazyTensor, readElements } from "../tensor.ts";
import { type Head, MAX_SHARED, type Placed, standIn } from "./sections.ts";

// Which tensors the writer puts into one section.

/** A section to be written. */
export interface Group {
  readonly layout: Layout;
  /** What is encoded: a tensor, or several read as one. */
  readonly source: Resolved;
  /** Of the tensors. */
  readonly names: readonly string[];
}

/** Groups in the order of their first tensors, and where each tensor lies. */
export interface Grouped {
  readonly groups: readonly Group[];
  readonly placed: readonly Placed[];
}

interface Open {
  readonly first: Resolved;
  readonly members: LazyTensor[];
  elements: number;
}

/** Small tensors of a stage that are stored alike share a section until it is full, the others have one each. */
export function groupTensors(resolved: readonly Resolved[]): Grouped {
  const all: Open[] = [];
  const open = new Map<string, number>();
  const placed = resolved.map((first): Placed => {
    const { tensor, steps, stage = "" } = first;
    const { name, dtype, shape } = tensor;
    const elements = elementCount(shape);
    const key = joins(tensor, steps, elements) ? `${dtype} ${printSteps(steps)} ${stage}` : null;
    const number = key === null ? undefined : open.get(key);
    const group = number === undefined ? undefined : all[number];
    if (number !== undefined && group && (group.elements + elements) * dtypeWidth(dtype) <= MAX_SHARED) {
      group.members.push(tensor);
      group.elements += elements;
      return { name, shape, elements, section: number };
    }
    if (key !== null) open.set(key, all.length);
    all.push({ first, members: [tensor], elements });
    return { name, shape, elements, section: all.length - 1 };
  });
  return { groups: all.map(groupOf), placed };
}

function joins({ dtype }: LazyTensor, steps: readonly Step[], elements: number): boolean {
  const [step] = steps;
  if (steps.length !== 1 || step?.op !== "code" || isBlocks(dtype)) return false;
  const plain = ["raw", "auto", "smallest"].includes(step.code) && step.grouping.by === "chunk";
  return plain && elements > 0 && elements < SMALL;
}

function groupOf({ first, members, elements }: Open): Group {
  const { steps, tensor } = first;
  const { name, dtype, shape } = tensor;
  // Layouts go to workers, which a tensor that can read cannot.
  if (members.length === 1) return { layout: cutLayout({ name, dtype, shape }, steps), source: first, names: [name] };
  const info = standIn(name, members.length, dtype, elements);
  const source = { ...first, tensor: { ...info, read: readAll(members) } };
  return { layout: layoutOf(info, steps, elements), source, names: members.map((member) => member.name) };
}

function readAll(members: readonly LazyTensor[]): LazyTensor["read"] {
  return async (start, end) => {
    const parts: Uint8Array[] = [];
    for (const member of members) parts.push(await readElements(member, 0, elementCount(member.shape)));
    const width = dtypeWidth((members[0] as LazyTensor).dtype);
    const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all.subarray(start * width, end * width);
  };
}

/** The section as the header says it. */
export function headOf({ source, layout }: Group): Head {
  return { dtype: source.tensor.dtype, steps: source.steps, chunk: layout.chunkElements };
}
