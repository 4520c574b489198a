import type { QuantizedTensor } from "../../model/onnx/dequantize.ts";
import { nodeMessage, tensorMessage } from "../../model/onnx/messages.ts";
import type { GraphNode } from "../../model/onnx/nodes.ts";
import type { Segment } from "../../model/onnx/segments.ts";
import { type OnnxGraph, readFloats } from "./graph.ts";
import { freshName } from "./inserted.ts";
import type { UnitNodes } from "./units.ts";

export interface Bias {
  readonly nodes: Segment[][];
  readonly initializers: Segment[][];
  /** The node that adds it, which of its inputs it is, and the value that it takes there. */
  readonly node: GraphNode;
  readonly at: number;
  readonly input: string;
}

const [FLOAT, INT32] = [1, 6];
/** DequantizeLinear with an axis. */
const OPSET = 13;

/**
 * A bias as codes of 32 bits on the grid of what they are added to: products of activations and weights. Runtimes add them before they leave the integers.
 * That of an Add behind MatMul too: ONNX Runtime makes one Gemm of both first, which stays in floats unless all that it takes are codes. null where there is none.
 */
export async function biasAsCodes(
  graph: OnnxGraph,
  unit: UnitNodes,
  activationScale: number,
  quantized: (name: string) => QuantizedTensor | null,
): Promise<Bias | null> {
  const { weight, name } = unit;
  const place = placeOf(graph, unit);
  const bias = place && graph.program.initializers.get(place.node.inputs[place.at] ?? "");
  const codes = weight && bias && quantized(weight.name);
  if (!codes || !bias || bias.dataType !== FLOAT || codes.bits !== 8 || graph.program.opset < OPSET) return null;
  const { axis, block } = codes.sharing ?? { axis: -1 };
  const count = weight.shape[weight.outputAxis] as number;
  const fits = bias.shape.length === 1 && bias.shape[0] === count;
  if (!fits || block !== undefined || (axis !== undefined && axis !== weight.outputAxis)) return null;
  const { scales } = await codes.load();
  const steps = new Float32Array(count).map(
    (_, i) => activationScale * (scales[scales.length === 1 ? 0 : i] as number),
  );
  const whole = roundedTo(await readFloats(graph, bias.name), steps);
  if (!whole) return null;
  const fresh = (what: string): string => freshName(graph, `${name}/${what}`);
  const names = {
    codes: fresh("bias_codes"),
    scale: fresh("bias_scale"),
    zero: fresh("bias_zero_point"),
    floats: fresh("bias_floats"),
  };
  const operator = "DequantizeLinear";
  const inputs = [names.codes, names.scale, names.zero];
  const message = nodeMessage({
    operator,
    name: names.floats,
    inputs,
    outputs: [names.floats],
    attributes: { axis: 0 },
  });
  const initializers = [
    tensorMessage(names.codes, INT32, bias.shape, { bytes: new Uint8Array(whole.buffer) }),
    tensorMessage(names.zero, INT32, bias.shape, { bytes: new Uint8Array(4 * count) }),
    tensorMessage(names.scale, FLOAT, bias.shape, { bytes: new Uint8Array(steps.buffer) }),
  ];
  return { nodes: [[{ bytes: message }]], initializers, ...place, input: names.floats };
}

function placeOf({ program }: OnnxGraph, { nodes: [node, next] }: UnitNodes): Pick<Bias, "node" | "at"> | null {
  if (!node) return null;
  const scaled = node.attributes.has("alpha") || node.attributes.has("beta");
  if (["Conv", "Gemm"].includes(node.operator)) return scaled ? null : { node, at: 2 };
  if (node.operator !== "MatMul" || next?.operator !== "Add") return null;
  return { node: next, at: next.inputs.findIndex((input) => program.initializers.has(input)) };
}

// null if one does not fit 32 bits, as where all weights of a channel are tiny.
function roundedTo(values: Float32Array, steps: Float32Array): Int32Array | null {
  const codes = Array.from(values, (value, i) => (value === 0 ? 0 : Math.round(value / (steps[i] as number))));
  return codes.every((code) => Math.abs(code) < 2 ** 31) ? Int32Array.from(codes) : null;
}
