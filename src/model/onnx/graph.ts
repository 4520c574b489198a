import { demand } from "../../errors.ts";
import { addEntry, type Initializer, parseInitializer } from "./tensor.ts";
import { GRAPH, MODEL, NODE, OPSET, VALUE } from "./types.ts";
import { demandLength, type Field, fieldsOf, numberOf, textOf, type Walk } from "./wire.ts";

// What is read of a model and its graph: where the graph is, its initializers, and for the writer its names.

/** The fields of a ModelProto that are of use. */
export interface ModelFields {
  readonly graph: Field;
  readonly metadata: ReadonlyMap<string, string>;
  /** Version of ONNX's own operators; 0 if the model says none. */
  readonly opset: number;
}

/** Looks through the fields of the model. @throws FormatError */
export async function readModelFields(walk: Walk): Promise<ModelFields> {
  const metadata = new Map<string, string>();
  let graph: Field | undefined;
  let opset = 0;
  for await (const field of fieldsOf(walk, 0, walk.source.byteLength)) {
    if (field.number === MODEL.metadata) await addEntry(walk, field, metadata, "metadata_props");
    if (field.number === MODEL.opsetImport) opset = Math.max(opset, await ownOpset(walk, field));
    if (field.number !== MODEL.graph) continue;
    demandLength(field, "graph");
    demand(graph === undefined, "duplicate", field.at, "graph", "one", "two");
    graph = field;
  }
  demand(graph !== undefined, "onnx", walk.source.byteLength, "model", "a graph", "the end of the file");
  return { graph, metadata, opset };
}

async function ownOpset(walk: Walk, field: Field): Promise<number> {
  demandLength(field, "opset_import");
  let [domain, version] = ["", 0];
  for await (const part of fieldsOf(walk, field.start, field.end)) {
    if (part.number === OPSET.domain) domain = await textOf(walk, part, "domain of opset_import");
    if (part.number === OPSET.version) version = Number(numberOf(part, "version of opset_import"));
  }
  return domain === "" || domain === "ai.onnx" ? version : 0;
}

/** The initializers of a graph, in the order of the file. @throws FormatError */
export async function readInitializers(walk: Walk, graph: Field): Promise<Initializer[]> {
  const initializers = new Map<string, Initializer>();
  for await (const field of fieldsOf(walk, graph.start, graph.end)) {
    if (field.number !== GRAPH.initializer) continue;
    demandLength(field, "initializer");
    const initializer = await parseInitializer(walk, field);
    const { name } = initializer;
    demand(!initializers.has(name), "duplicate", field.at, "initializer names", "each only once", JSON.stringify(name));
    initializers.set(name, initializer);
  }
  return [...initializers.values()];
}

/** A graph, as far as its initializers can be exchanged. */
export interface Graph {
  readonly field: Field;
  readonly opset: number;
  readonly initializers: readonly Initializer[];
  readonly inputs: ReadonlySet<string>;
  /** Of all values outside subgraphs. */
  readonly names: ReadonlySet<string>;
}

/** @throws FormatError */
export async function readGraph(walk: Walk): Promise<Graph> {
  const { graph: field, opset } = await readModelFields(walk);
  const initializers = await readInitializers(walk, field);
  const inputs = new Set<string>();
  const names = new Set(initializers.map(({ name }) => name));
  for await (const part of fieldsOf(walk, field.start, field.end)) {
    const [wanted, into] = part.number === GRAPH.node ? [NODE.output, names] : [VALUE.name, inputs];
    if (part.number !== GRAPH.node && part.number !== GRAPH.input) continue;
    demandLength(part, "node or input");
    for await (const inner of fieldsOf(walk, part.start, part.end)) {
      if (inner.number === wanted) into.add(await textOf(walk, inner, "name of a value"));
    }
  }
  return { field, opset, initializers, inputs, names: new Set([...names, ...inputs]) };
}
