import { type ByteSource, bytesSource, type Folder, memorySink, readExactly } from "../../bytes.ts";
import { originOf, tensorOf } from "../../model/onnx/elements.ts";
import type { GraphNode } from "../../model/onnx/nodes.ts";
import { type Program, readProgram, type TensorHead } from "../../model/onnx/program.ts";
import { readOnnx } from "../../model/onnx/read.ts";
import { parseInitializer } from "../../model/onnx/tensor.ts";
import { DATA_TYPES, GRAPH } from "../../model/onnx/types.ts";
import { walkOver } from "../../model/onnx/wire.ts";
import { writeOnnx } from "../../model/onnx/write.ts";
import { elementCount, isFloat, toFloat32 } from "../../tensor.ts";
import { isRandom } from "./operators.ts";

/** A model in memory, and how its values hang together. */
export interface OnnxGraph {
  /** The bytes of the model. A walk over them is made for each use: it counts what it sees. */
  readonly source: ByteSource;
  readonly program: Program;
  readonly producers: ReadonlyMap<string, GraphNode>;
  /** How many nodes take a value, or that the graph gives it: one for each time. */
  readonly uses: ReadonlyMap<string, number>;
  /** Values that come from initializers alone, themselves included. */
  readonly constants: ReadonlySet<string>;
  /** All names of values. */
  readonly names: ReadonlySet<string>;
}

/** @throws FormatError; DataError if there are external data and no folder */
export async function loadGraph(model: Uint8Array | ByteSource, folder?: Folder): Promise<OnnxGraph> {
  const source = model instanceof Uint8Array ? bytesSource(model) : model;
  const bytes = await readExactly(source, 0, source.byteLength);
  const program = await readProgram(walkOver(bytesSource(bytes)));
  const outside = [...program.initializers.values()].some(({ external }) => external);
  return outside ? loadGraph(await withDataInside(bytes, folder)) : connected(bytesSource(bytes), program);
}

// Runtimes take one file; a graph that is edited has to be one.
async function withDataInside(bytes: Uint8Array, folder: Folder | undefined): Promise<Uint8Array> {
  const sink = memorySink();
  const source = bytesSource(bytes);
  await writeOnnx(source, await readOnnx(source, folder), sink);
  return sink.bytes();
}

function connected(source: ByteSource, program: Program): OnnxGraph {
  const producers = new Map<string, GraphNode>();
  const uses = new Map<string, number>();
  const constants = new Set(program.initializers.keys());
  const names = new Set([...constants, ...program.inputs.map(({ name }) => name)]);
  const use = (name: string): unknown => uses.set(name, (uses.get(name) ?? 0) + 1);
  for (const node of program.nodes) {
    const taken = takenBy(node, names);
    for (const name of taken) use(name);
    const constant = taken.every((name) => constants.has(name)) && !isRandom(node.operator);
    for (const name of node.outputs) {
      if (name === "") continue;
      names.add(name);
      producers.set(name, node);
      if (constant) constants.add(name);
    }
  }
  for (const { name } of program.outputs) use(name);
  return { source, program, producers, uses, constants, names };
}

/** Names of the values that a node takes, those of its subgraphs too, as often as it takes them. */
export function takenBy({ inputs, captured }: GraphNode, names: ReadonlySet<string>): string[] {
  return [...inputs.filter((name) => name !== ""), ...captured.filter((name) => names.has(name))];
}

/** Whether the initializer has floats, which a parameter is; others are axes, shapes, codes. */
export function isParameter(head: TensorHead | undefined): head is TensorHead {
  const type = head && DATA_TYPES.get(head.dataType);
  return type !== undefined && isFloat(type.dtype);
}

/** The elements of an initializer of floats. @throws FormatError */
export async function readFloats({ source, program }: OnnxGraph, name: string): Promise<Float32Array> {
  const { at, start, end, shape } = program.initializers.get(name) as TensorHead;
  const field = { number: GRAPH.initializer, wire: LENGTH, at, start, end, value: null };
  const tensor = await tensorOf(originOf(source, undefined), await parseInitializer(walkOver(source), field));
  return toFloat32(tensor.dtype, await tensor.read(0, elementCount(shape)));
}

const LENGTH = 2;
