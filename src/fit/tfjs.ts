import { DataError } from "../errors.ts";
import { marksOf, parseGraph } from "../model/tfjs/graph.ts";
import { dtypeWord } from "../model/tfjs/words.ts";
import { type IndexEntry, type OpenInput, type OpenOptions, open, type QuernFile } from "../read.ts";
import { bytesOf, type DType } from "../tensor.ts";
import { type Elements, elementsOf } from "./elements.ts";
import { closeOwn, demandRoom, entryOf, type GraphInput, graphBytes } from "./graph.ts";

// Files as TensorFlow.js loads models: what its IOHandler gives (tfjs-core, src/io/types.ts).

export interface QuernIOOptions extends OpenOptions {
  /** The model.json, or its address, or its value; only what it says beside the weights is taken. Default: the graph in the file. */
  graph?: GraphInput | object | undefined;
  /**
   * Whether a graph model's weights are handed over one by one while they are decoded. TensorFlow.js from 4.17 on can take them so; layers
   * models never can. Default: true.
   */
  stream?: boolean | undefined;
}

/** A weight as TensorFlow.js wants it described. */
export interface WeightSpec {
  name: string;
  shape: number[];
  dtype: "float32" | "int32" | "bool";
  group?: "model" | "optimizer";
  quantization?: { dtype: "uint8"; scale: number; min: number };
}

/** What TensorFlow.js makes a model of: ModelArtifacts there. */
export interface QuernArtifacts {
  modelTopology: object;
  weightSpecs: WeightSpec[];
  /** One buffer for each weight; not with getWeightStream. */
  weightData?: ArrayBuffer[];
  getWeightStream?: () => ReadableStream<ArrayBuffer>;
}

/**
 * A handler for `tf.loadLayersModel` and `tf.loadGraphModel`. Nothing is read before they call `load`, which rejects with a FormatError for a
 * damaged file, a DataError if graph and weights do not fit together, the signal's reason. Quantized tensors become float32, integers and
 * booleans stay.
 * @param input - as for `open`
 */
export function quernIO(input: OpenInput, options: QuernIOOptions = {}): { load(): Promise<QuernArtifacts> } {
  return { load: () => load(input, options) };
}

async function load(input: OpenInput, { graph, stream = true, ...options }: QuernIOOptions): Promise<QuernArtifacts> {
  const file = await open(input, options);
  const close = (): void => closeOwn(file, input);
  try {
    const { weightsManifest, ...rest } = await graphValue(file, graph, options);
    const { modelTopology } = rest;
    if (typeof modelTopology !== "object" || modelTopology === null) {
      throw new DataError("the graph has no modelTopology: it is no model.json of TensorFlow.js");
    }
    const entries = chosen(file.index, marksOf({ weightsManifest }));
    const weightSpecs = entries.map(({ entry, mark }) => specOf(entry, mark));
    const wanted = new Map(entries.map(({ entry }) => [entry.name, dtypeFor(entry)]));
    const artifacts = { ...rest, modelTopology, weightSpecs };
    // Only graph models have nodes.
    if (stream && "node" in modelTopology) {
      return { ...artifacts, getWeightStream: () => weightStream(elementsOf(file, wanted, options), close) };
    }
    const sizes = entries.map(({ entry }) => bytesOf(dtypeFor(entry), entry.elements));
    demandRoom(
      file,
      sizes.reduce((sum, size) => sum + size, 0),
      options.budget,
    );
    const weightData: ArrayBuffer[] = [];
    for await (const { bytes } of elementsOf(file, wanted, options)) weightData.push(bufferOf(bytes));
    close();
    return { ...artifacts, weightData };
  } catch (error) {
    close();
    throw error;
  }
}

async function graphValue(file: QuernFile, graph: QuernIOOptions["graph"], options: OpenOptions) {
  if (graph === undefined || isGraphInput(graph)) {
    return parseGraph(await graphBytes(file, graph, "model.json", options)).value;
  }
  return graph as Record<string, unknown>;
}

function isGraphInput(graph: GraphInput | object): graph is GraphInput {
  return (
    typeof graph === "string" || graph instanceof URL || graph instanceof Uint8Array || graph instanceof ArrayBuffer
  );
}

interface Chosen {
  readonly entry: IndexEntry;
  readonly mark: Readonly<Record<string, unknown>> | undefined;
}

// A whole model.json says which weights it has; what is left of one in a file does not.
function chosen(index: readonly IndexEntry[], marks: ReadonlyMap<string, Record<string, unknown>>): Chosen[] {
  const listed = [...marks].filter(([, { shape }]) => Array.isArray(shape));
  const byName = new Map(index.map((entry) => [entry.name, entry]));
  for (const [name, { shape, dtype }] of listed) {
    if (dtype === "string") throw new DataError(`weight "${name}" is text, which a .quern file does not hold`);
    entryOf(byName, name, shape as number[]);
  }
  return index
    .map((entry) => ({ entry, mark: marks.get(entry.name) }))
    .filter(({ mark }) => mark !== undefined || listed.length === 0);
}

function specOf(entry: IndexEntry, mark: Chosen["mark"]): WeightSpec {
  const word = dtypeWord(entry);
  const spec = { name: entry.name, shape: [...entry.shape], ...(mark?.group ? { group: mark.group as "model" } : {}) };
  // TensorFlow.js has bytes only as a way to store integers.
  if (word === "uint8") return { ...spec, dtype: "int32", quantization: { dtype: "uint8", scale: 1, min: 0 } };
  return { ...spec, dtype: word as WeightSpec["dtype"] };
}

function dtypeFor(entry: IndexEntry): DType {
  return dtypeWord(entry) === "float32" ? "F32" : entry.dtype;
}

function weightStream(elements: AsyncGenerator<Elements>, close: () => void): ReadableStream<ArrayBuffer> {
  return new ReadableStream<ArrayBuffer>(
    {
      async pull(controller) {
        try {
          const { value, done } = await elements.next();
          if (!done) return controller.enqueue(bufferOf(value.bytes));
          controller.close();
        } catch (error) {
          controller.error(error);
        }
        close();
      },
      async cancel() {
        await elements.return(undefined);
        close();
      },
    },
    // A decoded weight waits only while it is asked for.
    { highWaterMark: 0 },
  );
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): ArrayBuffer {
  const whole = byteLength === buffer.byteLength;
  return (whole ? buffer : buffer.slice(byteOffset, byteOffset + byteLength)) as ArrayBuffer;
}
