import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { appenderTo } from "../pieces.ts";
import type { GraphNode } from "./nodes.ts";
import type { Program } from "./program.ts";
import { field, type Segment, sizeOf, writeSegments } from "./segments.ts";
import { GRAPH, MODEL, NODE } from "./types.ts";
import { fieldsOf, type Walk } from "./wire.ts";

/** Messages of a graph, each as segments over the model that it is made from. */
export interface GraphParts {
  readonly nodes: readonly Segment[][];
  readonly initializers: readonly Segment[][];
  readonly inputs: readonly Segment[][];
  readonly outputs: readonly Segment[][];
}

/** What another graph has in common with this one: a message as it is. */
export function kept({ start, end }: { readonly start: number; readonly end: number }): Segment[] {
  return [{ copy: [start, end] }];
}

/** A node that takes other values: its message with these inputs. */
export async function withInputs(walk: Walk, node: GraphNode, inputs: readonly string[]): Promise<Segment[]> {
  const segments: Segment[] = [];
  for (const input of inputs) {
    segments.push({ bytes: new BinaryWriter().tag(NODE.input, WireType.LengthDelimited).string(input).finish() });
  }
  for await (const part of fieldsOf(walk, node.start, node.end)) {
    if (part.number !== NODE.input) segments.push({ copy: [part.at, part.end] });
  }
  return segments;
}

/** The bytes of the model with a graph of these parts in place of its own. Operator sets, functions and what is not of the graph stay. */
export async function assemble(walk: Walk, program: Program, parts: GraphParts): Promise<Uint8Array> {
  const contents: Segment[] = [];
  const add = (number: number, messages: readonly Segment[][]): void => {
    for (const message of messages) contents.push(...field(number, message));
  };
  add(GRAPH.node, parts.nodes);
  for (const { at, end } of program.others) contents.push({ copy: [at, end] });
  add(GRAPH.initializer, parts.initializers);
  add(GRAPH.input, parts.inputs);
  add(GRAPH.output, parts.outputs);
  const segments: Segment[] = [
    { copy: [0, program.field.at] },
    ...field(MODEL.graph, contents),
    { copy: [program.field.end, walk.source.byteLength] },
  ];
  const out = new Uint8Array(sizeOf(segments));
  const sink = { write: async (bytes: Uint8Array, at: number) => out.set(bytes, at), close: async () => {} };
  await writeSegments(walk.source, segments, appenderTo(sink, out.length, {}));
  return out;
}
