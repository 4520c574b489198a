import type { UnitSpec } from "../../latency/spec.ts";
import { elementsOf } from "../../latency/spec.ts";
import { type GraphBuilder, INT8, INT32, UINT8 } from "../../model/onnx/build.ts";

// What graphs of one operator are made of.

export interface Context {
  readonly build: GraphBuilder;
  readonly spec: UnitSpec;
  readonly numbers: () => number;
}

export interface Maker {
  /** For a batch of one. */
  readonly input: readonly number[];
  readonly out: readonly number[];
  /**
   * "fan": copies with weights of their own take the same input. "chain": each takes what the one before gives. "fresh": each takes a sum of its own, as
   * runtimes do equal things once.
   */
  readonly fan: "fan" | "chain" | "fresh";
  /** The input is rounded first. */
  readonly integers?: boolean;
  /** The operator itself takes and gives codes. */
  readonly codes?: boolean;
  node(context: Context, from: string, copy: number): string;
  /** What stands in its place in the graph without it, with its shape, where the two would differ by more than the operator. Default: nothing */
  readonly without?: { readonly shape: readonly number[]; readonly node: Maker["node"] } | undefined;
}

export function weights({ build, numbers }: Context, name: string, shape: readonly number[]): string {
  const scale = 1 / Math.sqrt(elementsOf(shape.slice(1)) || 1);
  const data = Float32Array.from({ length: elementsOf(shape) }, () => scale * (2 * numbers() - 1));
  return build.weight(name, shape, data);
}

/** Codes of 8 bits with a scale for each index of an axis, behind a DequantizeLinear. */
export function codedWeights(
  { build, numbers }: Context,
  name: string,
  shape: readonly number[],
  axis: number,
): string {
  const codes = Int8Array.from({ length: elementsOf(shape) }, () => Math.floor(127 * numbers()) - 63);
  const channels = shape[axis] as number;
  const parts = [
    build.bytesOf(`${name}.codes`, INT8, shape, codes),
    build.weight(`${name}.scale`, [channels], new Float32Array(channels).fill(0.01)),
    build.bytesOf(`${name}.zero`, INT8, [channels], new Int8Array(channels)),
  ];
  return build.node("DequantizeLinear", parts, { axis });
}

/** As integers where weights and what they are multiplied with are. */
export function biasOf(context: Context, name: string, channels: number): string {
  const { build, spec } = context;
  if (spec.precision !== "int8") return weights(context, name, [channels]);
  const parts = [
    build.bytesOf(`${name}.codes`, INT32, [channels], new Int32Array(channels)),
    build.weight(`${name}.scale`, [channels], new Float32Array(channels).fill(0.0002)),
    build.bytesOf(`${name}.zero`, INT32, [channels], new Int32Array(channels)),
  ];
  return build.node("DequantizeLinear", parts, { axis: 0 });
}

/** Of each copy its own: equal roundings are done once. */
const scaleOf = (copy: number): number => 0.02 + copy / 10000;

export function quantized({ build }: Context, from: string, copy: number): string {
  return build.node("QuantizeLinear", [from, build.scalar(scaleOf(copy)), zeroPoint(build)]);
}

export function dequantized({ build }: Context, from: string, copy: number, outputs?: readonly string[]): string {
  const parts = [from, build.scalar(scaleOf(copy)), zeroPoint(build)];
  return build.node("DequantizeLinear", parts, {}, outputs ? { outputs } : {});
}

export function zeroPoint(build: GraphBuilder): string {
  return build.bytesOf(build.unused("zero"), UINT8, [], Uint8Array.of(128));
}
