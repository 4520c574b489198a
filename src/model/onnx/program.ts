import { demand } from "../../errors.ts";
import { readModelFields } from "./graph.ts";
import { type GraphNode, parseNode } from "./nodes.ts";
import { addDims, shapeOf } from "./tensor.ts";
import { GRAPH, TENSOR, TYPE, VALUE } from "./types.ts";
import { demandLength, type Field, fieldsOf, numberOf, textOf, type Walk } from "./wire.ts";

// A graph as something that runs: what goes in, what comes out, and the operators between.

export interface Program {
  /** The graph's field in the model. */
  readonly field: Field;
  readonly opset: number;
  /** In the order of running. */
  readonly nodes: readonly GraphNode[];
  readonly initializers: ReadonlyMap<string, TensorHead>;
  /** Without initializers, which old models list among their inputs. */
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  /** Fields of the graph that are none of these: its name, types of values inside, and the like. */
  readonly others: readonly Field[];
}

/** An initializer, whatever its type, and without its elements. */
export interface TensorHead {
  readonly name: string;
  /** Of its field in the graph, and of the message. */
  readonly at: number;
  readonly start: number;
  readonly end: number;
  readonly shape: readonly number[];
  /** As onnx.proto numbers them. */
  readonly dataType: number;
  readonly external: boolean;
}

export interface GraphValue {
  readonly name: string;
  /** Of the message. */
  readonly start: number;
  readonly end: number;
  /** As onnx.proto numbers them; 0 for what is no tensor, or not said. */
  readonly dataType: number;
  /** -1 for free extents; null where the shape is not said. */
  readonly shape: readonly number[] | null;
}

/** @throws FormatError */
export async function readProgram(walk: Walk): Promise<Program> {
  const { graph: field, opset } = await readModelFields(walk);
  const nodes: GraphNode[] = [];
  const initializers = new Map<string, TensorHead>();
  const [inputs, outputs]: [GraphValue[], GraphValue[]] = [[], []];
  const others: Field[] = [];
  for await (const part of fieldsOf(walk, field.start, field.end)) {
    if (part.number === GRAPH.node) nodes.push(await parseNode(walk, part));
    else if (part.number === GRAPH.initializer) {
      const head = await parseHead(walk, part);
      const { name } = head;
      demand(
        !initializers.has(name),
        "duplicate",
        part.at,
        "initializer names",
        "each only once",
        JSON.stringify(name),
      );
      initializers.set(name, head);
    } else if (part.number === GRAPH.input) inputs.push(await parseValue(walk, part));
    else if (part.number === GRAPH.output) outputs.push(await parseValue(walk, part));
    else others.push(part);
  }
  demand(outputs.length > 0, "onnx", field.at, "graph", "outputs", "none");
  const given = inputs.filter(({ name }) => !initializers.has(name));
  return { field, opset, nodes, initializers, inputs: given, outputs, others };
}

async function parseHead(walk: Walk, { at, start, end, ...field }: Field): Promise<TensorHead> {
  demandLength({ at, start, end, ...field }, "initializer");
  const dims: bigint[] = [];
  let [name, dataType, external] = ["", 0, false];
  for await (const part of fieldsOf(walk, start, end)) {
    if (part.number === TENSOR.dims) await addDims(walk, part, dims);
    else if (part.number === TENSOR.dataType) dataType = Number(numberOf(part, "data_type of an initializer"));
    else if (part.number === TENSOR.name) name = await textOf(walk, part, "name of an initializer");
    else if (part.number === TENSOR.location) external = numberOf(part, "data_location of an initializer") !== 0n;
  }
  demand(name !== "", "onnx-tensor", start, "name of an initializer", "text", "nothing");
  const shape = shapeOf(dims, start, `dims of initializer ${JSON.stringify(name.slice(0, 80))}`);
  return { name, at, start, end, shape, dataType, external };
}

async function parseValue(walk: Walk, field: Field): Promise<GraphValue> {
  demandLength(field, "input or output");
  let name = "";
  let type: { dataType: number; shape: number[] | null } = { dataType: 0, shape: null };
  for await (const part of fieldsOf(walk, field.start, field.end)) {
    if (part.number === VALUE.name) name = await textOf(walk, part, "name of a value");
    else if (part.number === VALUE.type) type = await parseType(walk, part);
  }
  demand(name !== "", "onnx", field.at, "name of an input or output", "text", "nothing");
  return { name, start: field.start, end: field.end, ...type };
}

async function parseType(walk: Walk, field: Field) {
  demandLength(field, "type of a value");
  let dataType = 0;
  let shape: number[] | null = null;
  for await (const kind of fieldsOf(walk, field.start, field.end)) {
    if (kind.number !== TYPE.tensor) continue;
    demandLength(kind, "type of a value");
    for await (const part of fieldsOf(walk, kind.start, kind.end)) {
      if (part.number === TYPE.element) dataType = Number(numberOf(part, "element type of a value"));
      if (part.number === TYPE.shape) shape = await parseShape(walk, part);
    }
  }
  return { dataType, shape };
}

async function parseShape(walk: Walk, field: Field): Promise<number[]> {
  demandLength(field, "shape of a value");
  const shape: number[] = [];
  for await (const part of fieldsOf(walk, field.start, field.end)) {
    if (part.number !== TYPE.dimension) continue;
    demandLength(part, "dimension of a value");
    let extent = -1;
    for await (const inner of fieldsOf(walk, part.start, part.end)) {
      if (inner.number === TYPE.extent) extent = Math.max(-1, Number(numberOf(inner, "extent of a value")));
    }
    shape.push(extent);
  }
  return shape;
}
