import type { ByteSink, ByteSource } from "../../bytes.ts";
import { DataError } from "../../errors.ts";
import { elementCount, type LazyTensor, type Model } from "../../tensor.ts";
import { as } from "../convert.ts";
import { appenderTo, type WriteOptions } from "../pieces.ts";
import {
  demandOpset,
  dequantizeNode,
  type Granularity,
  granularityOf,
  type QuantizedTensor,
  quantizedTensors,
} from "./dequantize.ts";
import { type Graph, readGraph } from "./graph.ts";
import { field, type Segment, sizeOf, writeSegments } from "./segments.ts";
import type { Initializer } from "./tensor.ts";
import { DATA_FIELDS, GRAPH, MODEL, TENSOR } from "./types.ts";
import { fieldsOf, type Walk, walkOver } from "./wire.ts";

export interface OnnxOptions extends WriteOptions {
  /**
   * Gives tensors that are to stay quantized, null for others. They become int8 or int4 initializers with a DequantizeLinear each, which
   * needs opset 10 (one scale), 13 (one per channel) or 21 (groups, or int4).
   */
  quantized?: ((name: string) => QuantizedTensor | null) | undefined;
}

export interface OnnxReport {
  readonly bytes: number;
  /** Names of initializers that are quantized now. */
  readonly quantized: readonly string[];
  /** Names of those that were to be, and are floats, because ONNX has no such groups, they are not FLOAT, or they are inputs too. */
  readonly floats: readonly string[];
}

/**
 * Writes an ONNX model again with other initializers, a piece at a time, and closes the sink. Every byte but those of the model's tensors
 * stays. Tensors take the type that the initializer has; external data become part of the file.
 * @param original - the ONNX file that the model was read from
 * @throws FormatError if the original is malformed; DataError for a tensor that it lacks or has in another shape, an opset that is too
 * old, or more than 2 GiB
 */
export async function writeOnnx(
  original: ByteSource,
  model: Model,
  sink: ByteSink,
  options: OnnxOptions = {},
): Promise<OnnxReport> {
  const walk = walkOver(original);
  const graph = await readGraph(walk);
  const known = new Set(graph.initializers.map(({ name }) => name));
  const stranger = model.tensors.find(({ name }) => !known.has(name));
  if (stranger)
    throw new DataError(`the ONNX graph has no initializer "${stranger.name}": is it another model's graph?`);
  const plan = planOf(graph, model, options);
  const contents = await graphSegments(walk, graph, plan);
  const segments: Segment[] = [
    { copy: [0, graph.field.at] },
    ...field(MODEL.graph, contents),
    { copy: [graph.field.end, original.byteLength] },
  ];
  const total = sizeOf(segments);
  await writeSegments(original, segments, appenderTo(sink, total, options));
  await sink.close();
  return { bytes: total, quantized: [...plan.quantized.keys()], floats: plan.floats };
}

interface Quantize {
  readonly tensor: QuantizedTensor;
  readonly granularity: Granularity;
}

/** What becomes of each initializer; those that are in neither map stay. */
interface Plan {
  readonly replaced: ReadonlyMap<string, LazyTensor>;
  readonly quantized: ReadonlyMap<string, Quantize>;
  readonly floats: readonly string[];
}

function planOf(graph: Graph, model: Model, { quantized: wanted }: OnnxOptions): Plan {
  const tensors = new Map(model.tensors.map((tensor) => [tensor.name, tensor]));
  const [replaced, quantized] = [new Map<string, LazyTensor>(), new Map<string, Quantize>()];
  const floats: string[] = [];
  for (const initializer of graph.initializers) {
    const { name, shape, type } = initializer;
    const tensor = tensors.get(name);
    if (!tensor) continue;
    const stored = shape.join(" x ");
    if (tensor.shape.join(" x ") !== stored) {
      throw new DataError(`tensor "${name}" is ${tensor.shape.join(" x ")}, and ${stored} in the ONNX graph`);
    }
    // The initializer keeps its type, because the types of a graph have to fit together.
    replaced.set(name, as(type.dtype, tensor, "the ONNX graph"));
    const codes = elementCount(shape) > 0 ? wanted?.(name) : null;
    if (!codes) continue;
    // An input can be given other values than its initializer's, and a node's output cannot.
    if (!codes.sharing || type.dtype !== "F32" || graph.inputs.has(name)) floats.push(name);
    else {
      const granularity = granularityOf(shape, codes.sharing, codes.bits);
      demandOpset(name, granularity, codes, graph.opset);
      quantized.set(name, { tensor: codes, granularity });
    }
  }
  return { replaced, quantized, floats };
}

async function graphSegments(walk: Walk, graph: Graph, { replaced, quantized }: Plan): Promise<Segment[]> {
  const names = freshNames(graph);
  const nodes: Segment[] = [];
  const segments: Segment[] = [];
  let copied = graph.field.start;
  for (const initializer of graph.initializers) {
    const tensor = replaced.get(initializer.name);
    if (!tensor || elementCount(tensor.shape) === 0) continue;
    segments.push({ copy: [copied, initializer.at] });
    copied = initializer.end;
    const codes = quantized.get(initializer.name);
    if (!codes) {
      segments.push(...field(GRAPH.initializer, await withData(walk, initializer, field(TENSOR.raw, [{ tensor }]))));
      continue;
    }
    const three = names(initializer.name);
    const { tensor: parts, granularity } = codes;
    nodes.push(...field(GRAPH.node, dequantizeNode(initializer.name, three, parts.asymmetric, granularity)));
    for (const message of quantizedTensors(parts, initializer.shape, three, granularity)) {
      segments.push(...field(GRAPH.initializer, message));
    }
  }
  // Before all other nodes, so before every use, in subgraphs too: they need nothing but initializers.
  return [...nodes, ...segments, { copy: [copied, graph.field.end] }];
}

function freshNames({ names }: Graph) {
  const taken = new Set(names);
  const fresh = (wish: string): string => {
    let name = wish;
    while (taken.has(name)) name += "_";
    taken.add(name);
    return name;
  };
  return (name: string) => ({
    codes: fresh(`${name}_quantized`),
    scale: fresh(`${name}_scale`),
    zeroPoint: fresh(`${name}_zero_point`),
  });
}

/** An initializer's message with its other fields as they are, and these where its elements were. */
export async function withData(walk: Walk, { start, end }: Initializer, data: readonly Segment[]): Promise<Segment[]> {
  const segments: Segment[] = [];
  let written = false;
  for await (const part of fieldsOf(walk, start, end)) {
    if (!DATA_FIELDS.includes(part.number)) segments.push({ copy: [part.at, part.end] });
    else if (!written) {
      segments.push(...data);
      written = true;
    }
  }
  return written ? segments : [...segments, ...data];
}
