import { type ByteSink, type ByteSource, bytesSource, type Folder } from "../../bytes.ts";
import { DataError } from "../../errors.ts";
import { assemble, kept, withInputs } from "../../model/onnx/assemble.ts";
import type { QuantizedParts, QuantizedTensor } from "../../model/onnx/dequantize.ts";
import { tensorMessage } from "../../model/onnx/messages.ts";
import type { GraphNode } from "../../model/onnx/nodes.ts";
import { readOnnx } from "../../model/onnx/read.ts";
import type { Segment } from "../../model/onnx/segments.ts";
import { walkOver } from "../../model/onnx/wire.ts";
import { type OnnxReport, writeOnnx } from "../../model/onnx/write.ts";
import type { LazyTensor } from "../../tensor.ts";
import type { InputEdit } from "../engine.ts";
import { type Bias, biasAsCodes } from "./bias.ts";
import { loadGraph, type OnnxGraph } from "./graph.ts";
import { floatBytes, insertedBefore } from "./inserted.ts";
import { type Rounded, rounded } from "./rounding.ts";
import { type UnitNodes, unitsOf } from "./units.ts";

export interface QdqOptions {
  /** Weights as codes, by name; null for those that stay as they are. Runtimes multiply integers of 8 bits, one scale for all or per output channel. */
  readonly quantized: (name: string) => QuantizedTensor | null;
  /** What is done to the first inputs of units, by the unit's name. Codes are within -128..127 or 0..255. */
  readonly inputs: ReadonlyMap<string, InputEdit>;
  /** Other floats for initializers, such as weights multiplied with factors that are not quantized. */
  readonly tensors?: readonly LazyTensor[] | undefined;
  /** Where files of external data are. */
  readonly folder?: Folder | undefined;
}

/**
 * Writes a model whose units multiply integers: QuantizeLinear and DequantizeLinear in front of units, DequantizeLinear behind weights and biases, as ONNX
 * Runtime puts them together to operators of integers at its full optimisation: MatMul and Gemm wherever they stand, a convolution where what follows it is
 * rounded too, perhaps behind Relu, MaxPool or Reshape. Computed in floats, the model gives what `withWeights` of the same codes gives, but for biases, which
 * become codes of 32 bits. Codes from 0 on are best: behind them Relu vanishes, and no x64 machine converts them. There, without VNNI, sums of two
 * products saturate at 16 bits: weights within -63..63, or as codes from 0 on, never reach that. Closes the sink.
 * @throws FormatError for what is no ONNX model; DataError for units that it lacks, codes beyond 8 bits, or an opset that is too old
 */
export async function writeQdq(
  model: Uint8Array | ByteSource,
  sink: ByteSink,
  options: QdqOptions,
): Promise<OnnxReport> {
  const { quantized, inputs, tensors = [], folder } = options;
  const graph = await loadGraph(model, folder);
  const source = bytesSource(await withCodes(graph, quantized, inputs));
  const given = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const codes = (name: string): QuantizedTensor | null => withZeroPoints(quantized(name));
  const { tensors: all } = await readOnnx(source);
  const stored = all.filter(({ name }) => !given.has(name) && graph.program.initializers.has(name) && quantized(name));
  return writeOnnx(source, { tensors: [...tensors, ...stored], metadata: null }, sink, { quantized: codes });
}

// Zero points that are 0 may be left out, but ONNX Runtime then keeps Gemm in floats.
function withZeroPoints(tensor: QuantizedTensor | null): QuantizedTensor | null {
  if (!tensor || tensor.asymmetric) return tensor;
  const load = async (): Promise<QuantizedParts> => {
    const parts = await tensor.load();
    return { ...parts, zeroPoints: new Int8Array(parts.scales.length) };
  };
  return { ...tensor, asymmetric: true, load };
}

/** QuantizeLinear. */
const OPSET = 10;
const FLOAT = 1;

async function withCodes(
  graph: OnnxGraph,
  quantized: QdqOptions["quantized"],
  inputs: ReadonlyMap<string, InputEdit>,
): Promise<Uint8Array> {
  const { program } = graph;
  if (program.opset < OPSET) throw new DataError(`codes need ONNX opset ${OPSET}, and this model has ${program.opset}`);
  const walk = walkOver(graph.source);
  const places = placesOf(graph, inputs);
  const nodes: Segment[][] = [];
  const initializers = [...program.initializers.values()].map(kept);
  const shared = new Map<string, string>();
  const biases = new Map<GraphNode, Bias>();
  for (const node of program.nodes) {
    const place = places.get(node);
    if (!place) {
      const own = biases.get(node);
      const taken = node.inputs.map((name, i) => (own && i === own.at ? own.input : name));
      nodes.push(own ? await withInputs(walk, node, taken) : kept(node));
      continue;
    }
    const { unit, edit, at } = place;
    const before = roundedInput(graph, place, node.inputs[at] as string, shared);
    const bias = unit && edit.codes ? await biasAsCodes(graph, unit, edit.codes.scale, quantized) : null;
    nodes.push(...before.nodes, ...(bias?.nodes ?? []));
    initializers.push(...before.initializers, ...(bias?.initializers ?? []));
    if (bias) biases.set(bias.node, bias);
    const own = biases.get(node);
    const taken = node.inputs.map((name, i) => (i === at ? before.output : own && i === own.at ? own.input : name));
    nodes.push(await withInputs(walk, node, taken));
  }
  const [given, outputs] = [program.inputs.map(kept), program.outputs.map(kept)];
  return assemble(walk, program, { nodes, initializers, inputs: given, outputs });
}

/** Where a node's input is divided and rounded. */
interface Place {
  /** null for a node that only moves values: they are rounded before it too, so that what makes them ends in integers. */
  readonly unit: UnitNodes | null;
  readonly edit: InputEdit;
  readonly label: string;
  readonly at: number;
}

/** Operators that give some of the values that they take: rounded before or after, it is the same. */
const MOVING = ["MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze"];

function placesOf(graph: OnnxGraph, inputs: ReadonlyMap<string, InputEdit>): ReadonlyMap<GraphNode, Place> {
  const units = new Map(unitsOf(graph).map((unit) => [unit.name, unit]));
  const places = new Map<GraphNode, Place>();
  for (const [name, edit] of inputs) {
    const unit = units.get(name);
    if (!unit) throw new DataError(`the model has no unit "${name}"`);
    demandOwnWeight(graph, units, inputs, unit, edit);
    const { dataType } = graph.program.initializers.get(unit.parameters[0] ?? "") ?? { dataType: FLOAT };
    if (dataType !== FLOAT) throw new DataError(`unit "${name}" is not of floats of 32 bits`);
    places.set(unit.nodes[0] as GraphNode, { unit, edit, label: name, at: unit.firstInput });
  }
  for (const { unit, edit } of [...places.values()]) {
    const mover = unit && edit.codes && !edit.factors ? firstMover(graph, unit.inputs[0] as string) : null;
    if (mover && !places.has(mover)) {
      places.set(mover, { unit: null, edit, label: `${unit?.name}/earlier`, at: 0 });
    }
  }
  return places;
}

// A weight times factors is wrong for whatever takes it without dividing its input by the same.
function demandOwnWeight(
  { uses }: OnnxGraph,
  units: ReadonlyMap<string, UnitNodes>,
  inputs: QdqOptions["inputs"],
  { name, weight }: UnitNodes,
  { factors }: InputEdit,
): void {
  if (!weight || !factors) return;
  const alike = [...units.values()].filter((unit) => {
    const own = inputs.get(unit.name)?.factors;
    return unit.weight?.name === weight.name && own?.length === factors.length && own.every((x, i) => x === factors[i]);
  });
  if (alike.length !== uses.get(weight.name))
    throw new DataError(`the weight "${weight.name}" of unit "${name}" has factors, and other nodes take it too`);
}

// The first of the nodes that only move values on the way to this one, where nothing else takes them.
function firstMover({ producers, uses }: OnnxGraph, value: string): GraphNode | null {
  let found: GraphNode | null = null;
  for (let name = value; uses.get(name) === 1; name = found.inputs[0] as string) {
    const node = producers.get(name);
    if (!node || !MOVING.includes(node.operator) || node.outputs.length > 1) break;
    found = node;
  }
  return found && uses.get(found.inputs[0] as string) === 1 ? found : null;
}

// Units that round the same value in the same way take one pair. Of signed codes each takes its own: ONNX Runtime on x64 makes unsigned ones of them, and
// does so only where one DequantizeLinear is behind a QuantizeLinear.
function roundedInput(
  graph: OnnxGraph,
  { unit, edit: { factors, codes }, label }: Place,
  from: string,
  shared: Map<string, string>,
): Rounded {
  const key = JSON.stringify([from, codes, factors && [...factors]]);
  const known = (codes?.least ?? 0) < 0 ? undefined : shared.get(key);
  if (known !== undefined) return { nodes: [], initializers: [], output: known };
  const divided = unit && factors ? insertedBefore(graph, unit, { factors }) : { nodes: [], tensors: [], input: from };
  const nodes: Segment[][] = divided.nodes.map((bytes) => [{ bytes }]);
  const initializers = divided.tensors.map(({ name, shape, data }) => {
    return tensorMessage(name, FLOAT, shape, { bytes: floatBytes(FLOAT, data) });
  });
  if (!codes) return { nodes, initializers, output: divided.input };
  const pair = rounded(graph, label, divided.input, codes);
  shared.set(key, pair.output);
  nodes.push(...pair.nodes);
  initializers.push(...pair.initializers);
  return { nodes, initializers, output: pair.output };
}
