import { DataError } from "../../errors.ts";
import { nodeMessage, tensorMessage } from "../../model/onnx/messages.ts";
import type { Segment } from "../../model/onnx/segments.ts";
import type { ActivationCodes } from "../engine.ts";
import type { OnnxGraph } from "./graph.ts";
import { demandCodes, freshName } from "./inserted.ts";

/** Messages that a graph gets, and the value that they give. */
export interface Rounded {
  readonly nodes: Segment[][];
  readonly initializers: Segment[][];
  readonly output: string;
}

const [FLOAT, UINT8, INT8] = [1, 2, 3];
/** Of Clip that takes its bounds as values. */
const CLIP_OPSET = 11;

/**
 * QuantizeLinear and DequantizeLinear behind a value.
 * @param label - for names, and of what messages are about
 * @throws DataError for codes that are not of 8 bits
 */
export function rounded(graph: OnnxGraph, label: string, from: string, codes: ActivationCodes): Rounded {
  demandCodes(label, codes);
  const { scale, zeroPoint, least, most } = codes;
  const unsigned = least >= 0;
  const [lowest, highest] = unsigned ? [0, 255] : [-128, 127];
  if (least < lowest || most > highest) {
    throw new DataError(`codes ${least}..${most} of unit "${label}" are not of 8 bits`);
  }
  const nodes: Segment[][] = [];
  const initializers: Segment[][] = [];
  const fresh = (what: string): string => freshName(graph, `${label}/${what}`);
  const scalar = (what: string, type: number, data: Float32Array | Int8Array): string => {
    const name = fresh(what);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    initializers.push(tensorMessage(name, type, [], { bytes }));
    return name;
  };
  const then = (operator: string, input: string, numbers: readonly string[], what: string): string => {
    const output = fresh(what);
    nodes.push([{ bytes: nodeMessage({ operator, name: output, inputs: [input, ...numbers], outputs: [output] }) }]);
    return output;
  };
  let value = from;
  // QuantizeLinear knows no narrower range.
  if (least > lowest || most < highest) {
    if (graph.program.opset < CLIP_OPSET) throw new DataError(`codes ${least}..${most} need ONNX opset ${CLIP_OPSET}`);
    const bound = (what: string, code: number): string =>
      scalar(what, FLOAT, Float32Array.of((code - zeroPoint) * scale));
    value = then("Clip", value, [bound("input_least", least), bound("input_most", most)], "input_clipped");
  }
  const numbers = [
    scalar("input_scale", FLOAT, Float32Array.of(scale)),
    scalar("input_zero_point", unsigned ? UINT8 : INT8, Int8Array.of(zeroPoint)),
  ];
  value = then("QuantizeLinear", value, numbers, "input_codes");
  return { nodes, initializers, output: then("DequantizeLinear", value, numbers, "input_floats") };
}
