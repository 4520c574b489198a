import { describe, expect, test } from "vitest";
import { onnxEngine } from "../../src/engine/onnx.ts";
import { detectEnvironment, type Feature, newEnvironment, supports } from "../../src/latency.ts";
import { random } from "../random.ts";
import { type Builder, FLOAT, graphBuilder } from "./build.ts";
import { onnxRuntimes } from "./runtimes.ts";
import { tfjs } from "./tensorflow.ts";

// What quern/latency says of runtimes, tried with them: a product with weights that every form can hold exactly.

const [UINT8, INT8, INT4] = [2, 3, 22];
const [K, N] = [32, 4];
const next = random(7);
/** [K, N], -7 to 7. */
const CODES = Int8Array.from({ length: K * N }, () => Math.floor(next() * 15) - 7);
const SCALE = 0.25;
const X = Float32Array.from({ length: K }, () => Math.floor(next() * 255 - 127) / 127);
const EXPECTED = Float32Array.from({ length: N }, (_, n) =>
  X.reduce((sum, x, k) => sum + x * SCALE * (CODES[k * N + n] as number), 0),
);

const scales = (count: number) => new Float32Array(count).fill(SCALE);
/** Two codes in a byte, the first one below. */
function nibbles(codes: readonly number[]): Uint8Array {
  return Uint8Array.from({ length: codes.length / 2 }, (_, i) => (codes[2 * i] & 15) | ((codes[2 * i + 1] & 15) << 4));
}

function dequantized(
  build: Builder,
  shape: readonly number[],
  attributes: Record<string, number>,
  type = INT8,
): string {
  const data = type === INT4 ? nibbles([...CODES]) : CODES;
  const count = shape.reduce((a, b) => a * b, 1);
  const from = [build.bytesOf("w", type, [K, N], data), build.weight("s", shape, scales(count))];
  return build.node("DequantizeLinear", from, attributes);
}

function dynamic(build: Builder, x: string, operator: string, shape: readonly number[], codes: Int8Array): string {
  const [codesOfX, scale, zero] = ["xq", "xs", "xz"];
  build.node("DynamicQuantizeLinear", [x], {}, { outputs: [codesOfX, scale, zero] });
  const sums = build.node(operator, [codesOfX, build.bytesOf("w", INT8, shape, codes), zero]);
  const factor = build.node("Mul", [scale, build.scalar(SCALE)]);
  return build.node("Mul", [build.node("Cast", [sums], { to: FLOAT }), factor]);
}

function activation(build: Builder, x: string): string {
  const how = [build.scalar(1 / 127), build.bytesOf("zero", UINT8, [], Uint8Array.of(128))];
  return build.node("DequantizeLinear", [build.node("QuantizeLinear", [x, ...how]), ...how]);
}

const transposed = Int8Array.from({ length: N * K }, (_, i) => CODES[(i % K) * N + Math.floor(i / K)] as number);
const OPSET: Partial<Record<Feature, number>> = {
  "DequantizeLinear int8 blocks": 21,
  "DequantizeLinear int4 blocks": 21,
};
const GRAPHS: Partial<Record<Feature, (build: Builder, x: string) => string>> = {
  f32: (build, x) =>
    build.node("MatMul", [
      x,
      build.weight(
        "w",
        [K, N],
        Float32Array.from(CODES, (code) => SCALE * code),
      ),
    ]),
  "DequantizeLinear int8": (build, x) => build.node("MatMul", [x, dequantized(build, [N], { axis: 1 })]),
  "DequantizeLinear int8 blocks": (build, x) =>
    build.node("MatMul", [x, dequantized(build, [K / 16, N], { axis: 0, block_size: 16 })]),
  "DequantizeLinear int4 blocks": (build, x) =>
    build.node("MatMul", [x, dequantized(build, [K / 16, N], { axis: 0, block_size: 16 }, INT4)]),
  QDQ: (build, x) => build.node("MatMul", [activation(build, x), dequantized(build, [N], { axis: 1 })]),
  MatMulInteger: (build, x) => dynamic(build, x, "MatMulInteger", [K, N], CODES),
  ConvInteger: (build, x) => {
    const image = build.node("Reshape", [x, build.integers([1, K, 1, 1])]);
    const found = dynamic(build, image, "ConvInteger", [N, K, 1, 1], transposed);
    return build.node("Reshape", [found, build.integers([1, N])]);
  },
  MatMulNBits: (build, x) => {
    const blocks = nibbles([...transposed].map((code) => code + 8));
    const from = [x, build.bytesOf("w", UINT8, [N, 1, K / 2], blocks), build.weight("s", [N], scales(N))];
    const attributes = { K, N, bits: 4, block_size: K };
    return build.node("MatMulNBits", from, attributes, { domain: "com.microsoft" });
  },
};

describe.each(onnxRuntimes)("%s", (name, ort) => {
  const runtime = `${name} 1.30.0`;

  test.each(Object.entries(GRAPHS))("runs %s as it is said to", async (feature, graph) => {
    expect(supports(await detectEnvironment({ runtime }), feature).ok).toBe(true);
    const build = graphBuilder(OPSET[feature as Feature]);
    const y = graph(build, build.input("x", FLOAT, [1, K]));
    build.node("Identity", [y], {}, { outputs: ["y"] });
    build.output("y");
    const engine = await onnxEngine(build.bytes(), { ort });
    const found = (await engine.run(new Map([["x", { shape: [1, K], data: X }]]))).get("y")?.data;
    await engine.close();
    // Activations of 8 bits are off by half a step each.
    const exact = ["QDQ", "MatMulInteger", "ConvInteger"].includes(feature) ? 0.05 : 1e-4;
    for (let n = 0; n < N; n++)
      expect(Math.abs((found?.[n] ?? Number.NaN) - (EXPECTED[n] as number))).toBeLessThan(exact);
  });

  test("does not train, as is said", async () => {
    expect(supports(await detectEnvironment({ runtime }), "fit").ok).toBe(false);
    expect(Object.keys(ort).filter((key) => /train/i.test(key))).toEqual([]);
  });
});

test("TensorFlow.js has no kernel for quantized values on its WASM backend, as is said", async () => {
  const environment = await detectEnvironment({ runtime: "tfjs 4.22.0 wasm" });
  for (const feature of Object.keys(GRAPHS)) expect(supports(environment, feature).ok, feature).toBe(feature === "f32");

  const kernels = tfjs.core.getKernelsForBackend("wasm").map(({ kernelName }) => kernelName);
  expect(kernels).toContain("_FusedMatMul");
  expect(kernels.filter((kernel) => /quant|integer|int8/i.test(kernel))).toEqual([]);
});

test("where WebAssembly has no SIMD, nothing runs in onnxruntime-web", async () => {
  const found = await detectEnvironment({ runtime: "onnxruntime-web 1.30.0" });
  const { id, quern, version, ...facts } = found;
  const without = newEnvironment({ ...facts, wasm: { ...found.wasm, simd: false } });
  for (const feature of Object.keys(GRAPHS)) expect(supports(without, feature).ok).toBe(false);
});
