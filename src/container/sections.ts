import type { Layout } from "../codec/layout.ts";
import type { Step } from "../plan.ts";
import type { DType, TensorInfo } from "../tensor.ts";

// Sections: what is laid out in chunks together. Nearly always one tensor; or small ones, one behind the other as if they were one.

/** Decoded bytes of a section that tensors share: a reader keeps them, to give one tensor after the other. */
export const MAX_SHARED = 64 * 1024;

/** In which dtype tensors of codes come: see QuernFile.model. */
export type ModelAs = "original" | "f32" | "quantized";

/** How the tensors of a section lie in its chunks. */
export interface LaidOut {
  /** Its tensor is the one of the section, or stands for those that share it. */
  readonly layout: Layout;
  readonly dtypes: Readonly<Record<ModelAs, DType>>;
}

export interface Section extends LaidOut {
  readonly steps: readonly Step[];
  /** The steps, printed. */
  readonly plan: string;
  /** Where its chunks stand in the table. */
  readonly firstChunk: number;
  /** Whether there are several tensors. Then nothing is quantized, and there is one chunk. */
  readonly shared: boolean;
}

/** A tensor of the file, and where it lies. */
export interface Entry {
  readonly tensor: TensorInfo;
  readonly elements: number;
  readonly section: Section;
  /** Its first element in the section. */
  readonly start: number;
}

/** A section as the header says it. */
export interface Head {
  readonly dtype: DType;
  readonly steps: readonly Step[];
  /** Elements in every chunk but the last. */
  readonly chunk: number;
}

/** A section as the header was read. */
export interface ReadHead extends Head {
  /** The steps, printed. */
  readonly plan: string;
}

/** Lays out the tensors of a section, which have so many elements together. */
export type LayOut = (head: ReadHead, members: readonly Placed[], elements: number) => LaidOut;

/** A tensor as the header says it. */
export interface Placed {
  readonly name: string;
  readonly shape: readonly number[];
  readonly elements: number;
  /** Number of its section. */
  readonly section: number;
}

/** The tensor that stands for those that share a section. */
export function standIn(first: string, count: number, dtype: DType, elements: number): TensorInfo {
  return { name: `${first} and ${count - 1} more`, dtype, shape: [elements] };
}

/** The part of `total` that falls to elements [start, end) of `elements`, so that parts of all add up to it. */
export function portion(total: number, start: number, end: number, elements: number): number {
  // Without elements there is one part. All of a whole is exact at any size.
  if (end - start === elements) return total;
  return Math.round((total * end) / elements) - Math.round((total * start) / elements);
}

/** Lays sections out, and finds the tensors' places in them. @throws what layOut throws */
export function placeTensors(heads: readonly ReadHead[], placed: readonly Placed[], layOut: LayOut) {
  const members = heads.map((): Placed[] => []);
  const filled = heads.map(() => 0);
  const starts = placed.map((tensor) => {
    const start = filled[tensor.section] as number;
    members[tensor.section]?.push(tensor);
    filled[tensor.section] = start + tensor.elements;
    return start;
  });
  let firstChunk = 0;
  const sections = heads.map((head, i): Section => {
    const those = members[i] as Placed[];
    const { steps, plan } = head;
    const laidOut = layOut(head, those, filled[i] as number);
    const section = { ...laidOut, steps, plan, firstChunk, shared: those.length > 1 };
    firstChunk += laidOut.layout.chunks;
    return section;
  });
  const entries = placed.map(({ name, shape, elements, section }, i): Entry => {
    const { dtype } = heads[section] as Head;
    return {
      tensor: { name, dtype, shape },
      elements,
      section: sections[section] as Section,
      start: starts[i] as number,
    };
  });
  return { sections, entries };
}
