import type { Description, UnitWeight } from "../engine/engine.ts";
import type { Environment } from "../latency/environment.ts";
import { type Feature, supports } from "../latency/support.ts";
import { granularityOf, type Sharing } from "../model/onnx/dequantize.ts";
import { printSteps, type Step } from "../plan.ts";
import type { TensorInfo } from "../tensor.ts";
import type { Candidate } from "./candidate.ts";
import { type CodesInfo, codesOf } from "./sharing.ts";

// Whether a model that is compressed so can be written for a runtime, and runs there.

export interface Place {
  readonly environment: Environment;
  /** Version of the model's ONNX operator set; undefined: not known, or no ONNX. */
  readonly opset: number | undefined;
}

/** A weight of a unit, and what becomes of it. */
interface Weight {
  readonly weight: UnitWeight;
  readonly tensor: TensorInfo;
  readonly steps: readonly Step[];
  readonly codes: CodesInfo;
}

/** Why a candidate cannot be written or run, in words; null if it can. @param stepsOf - the steps of each tensor, in the order of `tensors` */
export function whyNot(
  { run }: Candidate,
  tensors: readonly TensorInfo[],
  stepsOf: readonly (readonly Step[])[],
  { units }: Description,
  place: Place,
): string | null {
  const given = new Map(tensors.map((tensor, i) => [tensor.name, { tensor, steps: stepsOf[i] as readonly Step[] }]));
  const cut = units.find(({ weight }) => weight && cutsAcross(weight, given.get(weight.name)?.steps ?? []));
  if (cut?.weight)
    return `the weight "${cut.weight.name}" has its channels along dimensions ${cut.weight.inputAxis} and ${cut.weight.outputAxis}, and "prune channels" removes indices of the first one`;
  if (run === "f32") return unsupported("decode", place);
  const coded = units.flatMap(({ weight }): Weight[] => {
    const found = weight && given.get(weight.name);
    const codes = found && codesOf(found.steps, found.tensor.shape);
    return codes ? [{ weight, ...found, codes }] : [];
  });
  for (const each of coded) {
    const problem = unwritable(each) ?? (run === "int8" ? noInteger(each) : wrongBits(each, run));
    if (problem) return `the weight "${each.weight.name}" ${problem}`;
  }
  const bits = run === "w4" ? 4 : 8;
  if (!coded.some(({ codes }) => codes.bits === bits))
    return `run ${run} needs weights of ${bits} bits, and no unit has one under this plan`;
  for (const feature of new Set(coded.map(({ codes }) => featureOf(codes, run)))) {
    const problem = unsupported(feature, place);
    if (problem) return problem;
  }
  return coded.map((each) => oldOpset(each, place.opset)).find((problem) => problem !== null) ?? null;
}

function prunesWhole(steps: readonly Step[]): boolean {
  return steps.some((step) => step.op === "prune" && (step.by === "channels" || step.by === "removed"));
}

// Rows of a kernel, say, where channels come last.
function cutsAcross({ inputAxis, outputAxis }: UnitWeight, steps: readonly Step[]): boolean {
  return inputAxis !== 0 && outputAxis !== 0 && prunesWhole(steps);
}

function unwritable({ tensor: { dtype, shape }, steps, codes }: Weight): string | null {
  if (steps[0]?.op === "smooth") return 'is smoothed by a step of the plan: for runtimes write "@ int8 smooth" instead';
  if (prunesWhole(steps)) return "loses channels, and codes without them have no form in ONNX: run it as f32";
  if (dtype !== "F32") return `is ${dtype}, and codes can only stand for floats of 32 bits: run it as f32`;
  if (!codes.sharing)
    return `of shape [${shape}] shares scales as ONNX cannot under "${printSteps(steps)}": groups must not cross rows`;
  return codes.bits === 16 ? "has codes of 16 bits, which no operator multiplies: run it as f32" : null;
}

function wrongBits({ codes }: Weight, run: "w8" | "w4"): string | null {
  return run === "w8" && codes.bits === 4 ? "has codes of 4 bits: run it as w4" : null;
}

// What runtimes multiply as integers: 8 bits, one scale for all or for each output channel.
function noInteger({ weight, steps, codes }: Weight): string | null {
  const { axis, block } = codes.sharing as Sharing;
  if (codes.bits !== 8) return `has codes of ${codes.bits} bits, and integers are multiplied with 8`;
  if (block !== undefined)
    return `has groups, and integers are multiplied with one scale for all or for each output channel`;
  if (axis === undefined || axis === weight.outputAxis) return null;
  return `has scales along dimension ${axis} under "${printSteps(steps)}", and its output channels lie along ${weight.outputAxis}: use one scale for all`;
}

function featureOf({ bits, sharing }: CodesInfo, run: "int8" | "w8" | "w4"): Feature {
  if (run === "int8") return "QDQ";
  // The operator has 4 bits since it has blocks. MatMulNBits is what runtimes make of it where they have it.
  if (bits === 4) return "DequantizeLinear int4 blocks";
  return sharing?.block === undefined ? "DequantizeLinear int8" : "DequantizeLinear int8 blocks";
}

function unsupported(feature: Feature, { environment }: Place): string | null {
  const { ok, reason } = supports(environment, feature);
  if (ok) return null;
  return supports(environment, "f32").ok
    ? `the original runs there and this would not, for want of "${feature}": ${reason}`
    : reason;
}

function oldOpset({ weight, tensor, codes }: Weight, opset: number | undefined): string | null {
  const { opset: needed } = granularityOf(tensor.shape, codes.sharing as Sharing, codes.bits);
  if (opset === undefined || opset >= needed) return null;
  return `the weight "${weight.name}" needs ONNX opset ${needed}, and this model has ${opset}: convert it to a newer one`;
}
