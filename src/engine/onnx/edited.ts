import { DataError } from "../../errors.ts";
import { assemble, kept, withInputs } from "../../model/onnx/assemble.ts";
import { tensorMessage, valueMessage } from "../../model/onnx/messages.ts";
import type { GraphNode } from "../../model/onnx/nodes.ts";
import type { Segment } from "../../model/onnx/segments.ts";
import { walkOver } from "../../model/onnx/wire.ts";
import { elementCount } from "../../tensor.ts";
import type { Edits } from "../engine.ts";
import { isParameter, type OnnxGraph } from "./graph.ts";
import { floatBytes, type Inserted, insertedBefore, type NewTensor } from "./inserted.ts";
import type { UnitNodes } from "./units.ts";

// A graph with edits, as the bytes of a model. The numbers of edits are initializers, or inputs where they are to change often.

export interface EditedGraph {
  readonly graph: OnnxGraph;
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly inserted: ReadonlyMap<GraphNode, Inserted & { readonly unit: UnitNodes }>;
  /** Parameters that are inputs of the graph, and with them the numbers that are inserted. null: all are initializers. */
  readonly swapped: ReadonlySet<string> | null;
}

/** @throws DataError for what the model lacks */
export function editedGraph(
  graph: OnnxGraph,
  units: readonly UnitNodes[],
  { weights = new Map(), inputs = new Map() }: Edits,
  swapped: ReadonlySet<string> | null,
): EditedGraph {
  for (const [name, data] of weights) {
    const head = graph.program.initializers.get(name);
    if (!isParameter(head)) throw new DataError(`the model has no parameter "${name}"`);
    const count = elementCount(head.shape);
    if (data.length !== count) {
      throw new DataError(
        `parameter "${name}" has ${count} elements (${head.shape.join(" x ")}), and got ${data.length}`,
      );
    }
  }
  const byName = new Map(units.map((unit) => [unit.name, unit]));
  const inserted = new Map<GraphNode, Inserted & { unit: UnitNodes }>();
  for (const [name, edit] of inputs) {
    const unit = byName.get(name);
    if (!unit) throw new DataError(`the model has no unit "${name}"`);
    if (edit.factors || edit.codes)
      inserted.set(unit.nodes[0] as GraphNode, { ...insertedBefore(graph, unit, edit), unit });
  }
  return { graph, weights, inserted, swapped };
}

/** What sessions of equal graphs, apart from numbers, have in common. */
export function kindOf({ inserted, swapped }: EditedGraph): string {
  if (!swapped) return "";
  return [...inserted.values()].map(({ unit, tensors }) => `${unit.name}:${tensors.length}`).join(" ");
}

/** @param taps - values to give besides the outputs */
export async function editedModel(edited: EditedGraph, taps: readonly string[]): Promise<Uint8Array> {
  const { graph, weights, inserted, swapped } = edited;
  const { program } = graph;
  const walk = walkOver(graph.source);
  const nodes: Segment[][] = [];
  for (const node of program.nodes) {
    const before = inserted.get(node);
    for (const bytes of before?.nodes ?? []) nodes.push([{ bytes }]);
    if (!before) nodes.push(kept(node));
    else {
      const at = before.unit.firstInput;
      nodes.push(
        await withInputs(
          walk,
          node,
          node.inputs.map((name, i) => (i === at ? before.input : name)),
        ),
      );
    }
  }
  const initializers: Segment[][] = [];
  const inputs = program.inputs.map(kept);
  const added = addedTensors(edited);
  for (const head of program.initializers.values()) {
    const data = weights.get(head.name);
    if (swapped?.has(head.name)) inputs.push([{ bytes: valueMessage(head.name, head.dataType, head.shape) }]);
    else if (!data) initializers.push(kept(head));
    else {
      const bytes = floatBytes(head.dataType, data);
      initializers.push(tensorMessage(head.name, head.dataType, head.shape, { bytes }));
    }
  }
  for (const { name, shape, data, dataType } of added) {
    if (swapped) inputs.push([{ bytes: valueMessage(name, dataType, shape) }]);
    else initializers.push(tensorMessage(name, dataType, shape, { bytes: floatBytes(dataType, data) }));
  }
  const tapped = taps.map((name): Segment[] => [{ bytes: valueMessage(name, 0, null) }]);
  const outputs = [...program.outputs.map(kept), ...tapped];
  return assemble(walk, program, { nodes, initializers, inputs, outputs });
}

/** What is inserted, with the types that it has. */
export function addedTensors({ graph, inserted }: EditedGraph): (NewTensor & { dataType: number })[] {
  return [...inserted.values()].flatMap(({ tensors, unit }) => {
    const head = graph.program.initializers.get(unit.weight?.name ?? unit.parameters[0] ?? "");
    return tensors.map((tensor) => ({ ...tensor, dataType: head?.dataType ?? 1 }));
  });
}
