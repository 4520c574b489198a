import { bytesSource, memorySink } from "../bytes.ts";
import type { ActivationCodes, Unit, UnitWeight } from "../engine/engine.ts";
import { writeQdq } from "../engine/onnx.ts";
import type { Run } from "../latency/run.ts";
import { elementsOf } from "../latency/spec.ts";
import type { QuantizedTensor } from "../model/onnx/dequantize.ts";
import { readOnnx } from "../model/onnx/read.ts";
import { writeOnnx } from "../model/onnx/write.ts";

// Models as they are run after compression, with codes that nobody has looked for: they take as long.

/** The model with all units that have weights run like this. @param units - as an engine describes them */
export async function deployed(model: Uint8Array, units: readonly Unit[], run: Run): Promise<Uint8Array> {
  if (run === "f32") return model;
  const weights = new Map(units.flatMap(({ weight }) => (weight ? [[weight.name, weight] as const] : [])));
  const quantized = (name: string): QuantizedTensor | null => {
    const weight = weights.get(name);
    return weight ? madeUp(weight) : null;
  };
  const sink = memorySink();
  if (run === "int8") {
    const inputs = new Map(
      units.flatMap((unit) => (unit.weight ? [[unit.name, { codes: codesOf(unit, units) }] as const] : [])),
    );
    await writeQdq(model, sink, { quantized, inputs });
  } else {
    const source = bytesSource(model);
    await writeOnnx(source, await readOnnx(source), sink, { quantized });
  }
  return sink.bytes();
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

function madeUp({ shape, outputAxis }: UnitWeight): QuantizedTensor {
  const axis = outputAxis < 0 ? outputAxis + shape.length : outputAxis;
  const load = async () => ({
    codes: Uint8Array.from({ length: elementsOf(shape) }, (_, i) => ((i * 37) % 127) - 63),
    scales: new Float32Array(shape[axis] as number).fill(0.01),
    zeroPoints: null,
  });
  return { bits: 8, sharing: { axis }, asymmetric: false, load };
}
