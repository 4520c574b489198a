import { type ByteSink, type ByteSource, bytesSource, type Folder } from "../../bytes.ts";
import { DataError } from "../../errors.ts";
import { assemble, kept, withInputs } from "../../model/onnx/assemble.ts";
import type { QuantizedTensor } from "../../model/onnx/dequantize.ts";
import { nodeMessage, tensorMessage } from "../../model/onnx/messages.ts";
import { readOnnx } from "../../model/onnx/read.ts";
import type { Segment } from "../../model/onnx/segments.ts";
import { walkOver } from "../../model/onnx/wire.ts";
import { type OnnxReport, writeOnnx } from "../../model/onnx/write.ts";
import type { LazyTensor } from "../../tensor.ts";
import type { InputEdit } from "../engine.ts";
import { type Bias, biasAsCodes } from "./bias.ts";
import { loadGraph, type OnnxGraph } from "./graph.ts";
import { freshName, insertedBefore } from "./inserted.ts";
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
 * Runtime puts them together to operators of integers (a convolution only where what follows it is quantized too). Computed in floats, the model
 * gives what `withWeights` of the same codes gives, but for biases, which become codes of 32 bits. Closes the sink.
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
  const stored = (await readOnnx(source)).tensors.filter(
    ({ name }) => !given.has(name) && original(graph, name) && quantized(name),
  );
  return writeOnnx(source, { tensors: [...tensors, ...stored], metadata: null }, sink, { quantized });
}

function original({ program }: OnnxGraph, name: string): boolean {
  return program.initializers.has(name);
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
  const walk = walkOver(graph.source);
  const units = new Map(unitsOf(graph).map((unit) => [unit.name, unit]));
  const changed = new Map<object, { unit: UnitNodes; edit: InputEdit }>();
  for (const [name, edit] of inputs) {
    const unit = units.get(name);
    if (!unit) throw new DataError(`the model has no unit "${name}"`);
    changed.set(unit.nodes[0] as object, { unit, edit });
  }
  if (program.opset < OPSET) throw new DataError(`codes need ONNX opset ${OPSET}, and this model has ${program.opset}`);
  const nodes: Segment[][] = [];
  const initializers = [...program.initializers.values()].map(kept);
  const shared = new Map<string, string>();
  for (const node of program.nodes) {
    const change = changed.get(node);
    if (!change) {
      nodes.push(kept(node));
      continue;
    }
    const { unit, edit } = change;
    const before = codesBefore(graph, unit, edit, shared);
    const bias = edit.codes ? await biasAsCodes(graph, unit, edit.codes.scale, quantized) : null;
    nodes.push(...before.nodes, ...(bias?.nodes ?? []));
    initializers.push(...before.initializers, ...(bias?.initializers ?? []));
    nodes.push(await withInputs(walk, node, replaced(node.inputs, unit.firstInput, before.input, bias)));
  }
  const [given, outputs] = [program.inputs.map(kept), program.outputs.map(kept)];
  return assemble(walk, program, { nodes, initializers, inputs: given, outputs });
}

function replaced(inputs: readonly string[], at: number, input: string, bias: Bias | null): string[] {
  return inputs.map((name, i) => (i === at ? input : bias && i === bias.at ? bias.input : name));
}

interface Before {
  readonly nodes: Segment[][];
  readonly initializers: Segment[][];
  readonly input: string;
}

// Units that round the same value in the same way take one pair.
function codesBefore(graph: OnnxGraph, unit: UnitNodes, edit: InputEdit, shared: Map<string, string>): Before {
  const { factors, codes } = edit;
  const divided = insertedBefore(graph, unit, factors ? { factors } : {});
  const key = JSON.stringify([unit.inputs[0], codes, factors && [...factors]]);
  const known = shared.get(key);
  if (known !== undefined) return { nodes: [], initializers: [], input: known };
  const nodes: Segment[][] = divided.nodes.map((bytes) => [{ bytes }]);
  const initializers: Segment[][] = [];
  const add = (name: string, type: number, shape: readonly number[], data: ArrayBufferView): string => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    initializers.push(tensorMessage(name, type, shape, { bytes }));
    return name;
  };
  for (const { name, shape, data } of divided.tensors) add(name, FLOAT, shape, data);
  if (!codes) return { nodes, initializers, input: divided.input };
  const fresh = (what: string): string => freshName(graph, `${unit.name}/${what}`);
  const then = (operator: string, from: string, numbers: readonly string[], what: string): string => {
    const output = fresh(what);
    nodes.push([{ bytes: nodeMessage({ operator, name: output, inputs: [from, ...numbers], outputs: [output] }) }]);
    return output;
  };
  const { scale, zeroPoint, least, most } = codes;
  // Also what checks codes in simulations.
  insertedBefore({ ...graph, program: { ...graph.program, opset: 11 } }, unit, { codes });
  const unsigned = least >= 0;
  const [lowest, highest] = unsigned ? [0, 255] : [-128, 127];
  if (least < lowest || most > highest)
    throw new DataError(`codes ${least}..${most} of unit "${unit.name}" are not of 8 bits`);
  const step = add(fresh("input_scale"), FLOAT, [], Float32Array.of(scale));
  const zero = add(fresh("input_zero_point"), unsigned ? 2 : 3, [], Int8Array.of(zeroPoint));
  let input = divided.input;
  // QuantizeLinear knows no narrower range.
  if (least > lowest || most < highest) {
    if (graph.program.opset < 11) throw new DataError(`codes ${least}..${most} need ONNX opset 11`);
    const bounds = [least, most].map((bound) => Float32Array.of((bound - zeroPoint) * scale));
    const names = bounds.map((data, i) => add(fresh(i === 0 ? "input_least" : "input_most"), FLOAT, [], data));
    input = then("Clip", input, names, "input_clipped");
  }
  input = then("QuantizeLinear", input, [step, zero], "input_codes");
  input = then("DequantizeLinear", input, [step, zero], "input_floats");
  shared.set(key, input);
  return { nodes, initializers, input };
}
