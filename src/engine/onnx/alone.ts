import { assemble, kept } from "../../model/onnx/assemble.ts";
import { tensorMessage, valueMessage } from "../../model/onnx/messages.ts";
import type { GraphNode } from "../../model/onnx/nodes.ts";
import type { Segment } from "../../model/onnx/segments.ts";
import { walkOver } from "../../model/onnx/wire.ts";
import { type OnnxGraph, takenBy } from "./graph.ts";
import { floatBytes } from "./inserted.ts";
import type { Seen } from "./structure.ts";
import type { UnitNodes } from "./units.ts";

/** A unit's nodes as a model, with the constants that they take. Extents of its inputs are free, but for its channels. */
export async function unitAlone(
  graph: OnnxGraph,
  unit: UnitNodes,
  seen: ReadonlyMap<string, Seen>,
  weights: ReadonlyMap<string, Float32Array>,
): Promise<Uint8Array> {
  const { program } = graph;
  const needed = new Set<GraphNode>(unit.nodes);
  const initializers = new Map<string, Segment[]>();
  for (const node of needed) {
    for (const name of takenBy(node, graph.names)) {
      const producer = graph.constants.has(name) ? graph.producers.get(name) : undefined;
      if (producer) needed.add(producer);
      const head = program.initializers.get(name);
      const data = weights.get(name);
      if (head && !data) initializers.set(name, kept(head));
      else if (head && data) {
        const bytes = floatBytes(head.dataType, data);
        initializers.set(name, tensorMessage(name, head.dataType, head.shape, { bytes }));
      }
    }
  }
  const inputs = unit.inputs.map((name, i): Segment[] => {
    const { dataType = 1, shape = [] } = seen.get(name) ?? {};
    const free = shape.map(() => -1);
    const channels = i === 0 ? unit.weight : null;
    if (channels)
      free[(channels.channelAxis + free.length) % free.length] = channels.shape[channels.inputAxis] as number;
    return [{ bytes: valueMessage(name, dataType, free) }];
  });
  const nodes = program.nodes.filter((node) => needed.has(node)).map(kept);
  const outputs: Segment[][] = [[{ bytes: valueMessage(unit.output, 0, null) }]];
  return assemble(walkOver(graph.source), program, {
    nodes,
    initializers: [...initializers.values()],
    inputs,
    outputs,
  });
}
