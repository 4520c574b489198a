import { bytesSource, memorySink } from "../bytes.ts";
import type { ActivationCodes, Unit, UnitWeight } from "../engine/engine.ts";
import { writeQdq } from "../engine/onnx.ts";
import type { RunOf } from "../latency/parts.ts";
import type { UnitRun } from "../latency/run.ts";
import { elementsOf } from "../latency/spec.ts";
import type { QuantizedTensor } from "../model/onnx/dequantize.ts";
import { readOnnx } from "../model/onnx/read.ts";
import { writeOnnx } from "../model/onnx/write.ts";

// Models as they are run after compression, with codes that nobody has looked for: they take as long.

/** The model with its units run so. @param units - as an engine describes them */
export async function deployed(model: Uint8Array, units: readonly Unit[], runOf: RunOf): Promise<Uint8Array> {
  const coded = units.flatMap((unit): Coded[] => {
    const run = runOf(unit);
    return unit.weight && run !== "f32" ? [{ unit, weight: unit.weight, run }] : [];
  });
  if (coded.length === 0) return model;
  const weights = new Map(coded.map((each) => [each.weight.name, each]));
  const quantized = (name: string): QuantizedTensor | null => {
    const found = weights.get(name);
    return found ? madeUp(found) : null;
  };
  const sink = memorySink();
  const integers = coded.filter(({ run }) => run.startsWith("int8"));
  if (integers.length > 0) {
    const inputs = new Map(
      integers.map((each, i) => [each.unit.name, { ...factorsOf(each, i), codes: codesOf(each.unit, units) }]),
    );
    await writeQdq(model, sink, { quantized, inputs });
  } else {
    const source = bytesSource(model);
    await writeOnnx(source, await readOnnx(source), sink, { quantized });
  }
  return sink.bytes();
}

/** Others for each unit, as they come of its weight. */
function factorsOf({ run, weight: { shape, inputAxis } }: Coded, i: number): { factors?: Float32Array } {
  if (run !== "int8 smooth") return {};
  return { factors: new Float32Array(shape.at(inputAxis) as number).fill(1.5 + i / 1024) };
}

interface Coded {
  readonly unit: Unit;
  readonly weight: UnitWeight;
  readonly run: UnitRun;
}

/** Codes from 0 on behind what is never negative, as ranges would give: runtimes do without the activation then. */
function codesOf({ inputs: [input] }: Unit, units: readonly Unit[]): ActivationCodes {
  const makers = new Map(units.map((unit) => [unit.output, unit]));
  let maker = makers.get(input ?? "");
  while (maker && (maker.type === "shape" || maker.type === "pool")) maker = makers.get(maker.inputs[0] ?? "");
  const positive = POSITIVE.includes(maker?.attributes.activation ?? "");
  return { scale: 0.02, zeroPoint: positive ? 0 : 128, least: 0, most: 255 };
}

const POSITIVE = ["relu", "clip", "sigmoid", "softmax"];

const BLOCK = 32;

/** Root mean squares of the codes below, in steps. */
const RMS = { w4: 5.1, int8: 36.7 };

/**
 * Scales keep values about as large as they come in, as those of trained models do. Of larger ones a Softmax makes numbers near 0 that are not normalized,
 * on which some processors are ten times as slow: it, and the product behind it, took a third of a transformer's time.
 */
function madeUp({ weight: { shape, outputAxis, inputAxis }, run }: Coded): QuantizedTensor {
  const along = (axis: number): number => (axis < 0 ? axis + shape.length : axis);
  const count = elementsOf(shape);
  const spread = 1 / Math.sqrt(count / (shape[along(outputAxis)] as number));
  if (run === "w4") {
    const axis = along(inputAxis);
    const scales = (count / (shape[axis] as number)) * Math.ceil((shape[axis] as number) / BLOCK);
    const load = async () => ({
      codes: new Uint8Array(Math.ceil(count / 2)).fill(0x61),
      scales: new Float32Array(scales).fill(spread / RMS.w4),
      zeroPoints: null,
    });
    return { bits: 4, sharing: { axis, block: BLOCK }, asymmetric: false, load };
  }
  const axis = along(outputAxis);
  const load = async () => ({
    codes: Uint8Array.from({ length: count }, (_, i) => ((i * 37) % 127) - 63),
    scales: new Float32Array(shape[axis] as number).fill(spread / RMS.int8),
    zeroPoints: null,
  });
  return { bits: 8, sharing: { axis }, asymmetric: false, load };
}
