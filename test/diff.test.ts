import { describe, expect, test } from "vitest";
import { type DType, diffModels, type Model } from "../src/index.ts";
import { floatsAs, modelOf, noise, tensorOf } from "./files.ts";
import { weights } from "./helpers.ts";

const INF = Number.POSITIVE_INFINITY;
const NAN = Number.NaN;

function floats(...values: number[]): Model {
  return modelOf([tensorOf("a", "F32", [values.length], Float32Array.from(values))]);
}

async function diff(a: Model, b: Model) {
  return (await diffModels(a, b)).total;
}

describe("numbers by hand", () => {
  test("largest and mean error, and the ratio of signal to it", async () => {
    const total = await diff(floats(3, 0, -4, 0), floats(3, 1, -2, 0));
    expect(total).toMatchObject({ name: "total", elements: 4, maxAbs: 2, rmse: Math.sqrt(5 / 4), identical: false });
    expect(total.snr).toBeCloseTo(10 * Math.log10(25 / 5), 12);
  });

  test("equal values differ by nothing, in any dtype", async () => {
    const equal = { maxAbs: 0, rmse: 0, snr: INF };
    expect(await diff(floats(1, INF, NAN), floats(1, INF, NAN))).toMatchObject({ ...equal, identical: true });
    expect(await diff(floats(0), floats(-0))).toMatchObject({ ...equal, identical: false });
    const half = modelOf([tensorOf("a", "F16", [3], floatsAs("F16", Float32Array.of(1, 2, 3)))]);
    expect(await diff(half, floats(1, 2, 3))).toMatchObject({ ...equal, identical: false });
    expect(await diff(floats(), floats())).toMatchObject({ ...equal, elements: 0, identical: true });
  });

  test.each([
    [0, NAN],
    [NAN, 0],
  ])("%d against %d is NaN, wherever it lies", async (x, y) => {
    for (const place of [0, 1, 2]) {
      const [a, b] = [
        [1, 2, 3],
        [1, 2.5, 3],
      ];
      [a[place], b[place]] = [x, y];
      const { tensors, total } = await diffModels(floats(...a), floats(...b));
      for (const each of [...tensors, total])
        expect([each.maxAbs, each.rmse, each.identical]).toEqual([NAN, NAN, false]);
    }
  });

  test("NaN in one tensor stays in the total, whatever follows", async () => {
    const two = (first: number) =>
      modelOf([...floats(first).tensors, tensorOf("b", "F32", [1], Float32Array.of(first ? 2 : 3))]);
    expect((await diff(two(NAN), two(1))).maxAbs).toBeNaN();
  });

  test("infinities against numbers are infinite", async () => {
    expect(await diff(floats(INF, 1), floats(1, 1))).toMatchObject({ maxAbs: INF, rmse: INF });
  });
});

test("agrees with a plain loop over several pieces and dtypes", async () => {
  const dtypes: DType[] = ["F32", "BF16", "F64"];
  const values = weights(300_001, 1);
  const models = dtypes.map((dtype) => modelOf([tensorOf("w", dtype, [300_001], floatsAs(dtype, values))]));
  const bytes = floatsAs("BF16", values);
  const brain = Float32Array.from(
    new Uint16Array(bytes.buffer),
    (bits) => new Float32Array(Uint32Array.of(bits << 16).buffer)[0],
  );
  const errors = Float64Array.from(values, (x, i) => Math.abs(x - brain[i]));
  const expected = errors.reduce((most, e) => Math.max(most, e), 0);
  expect(await diff(models[0], models[1])).toMatchObject({ maxAbs: expected, elements: 300_001 });
  expect(await diff(models[2], models[1])).toMatchObject({ maxAbs: expected });
  expect(await diff(models[0], models[2])).toMatchObject({ maxAbs: 0, identical: false });
});

test("says what only one side has, and where shapes differ", async () => {
  const a = modelOf([noise("x", "U8", [2, 3]), noise("y", "U8", [4]), noise("z", "I64", [])]);
  const b = modelOf([noise("z", "I64", []), noise("w", "U8", [4]), noise("x", "U8", [3, 2])]);
  const result = await diffModels(a, b);
  expect(result).toMatchObject({ onlyA: ["y"], onlyB: ["w"], shapes: ["x"] });
  expect(result.tensors.map(({ name, identical }) => [name, identical])).toEqual([["z", true]]);
});

test("tells how far it is, and stops when asked to", async () => {
  const model = modelOf([noise("x", "U8", [2]), noise("y", "U8", [4])]);
  const steps: { done: number; total: number }[] = [];
  await diffModels(model, model, { onProgress: (step) => steps.push(step) });
  expect(steps.at(-1)?.done).toBe(steps.at(-1)?.total);
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(diffModels(model, model, { signal })).rejects.toThrow("enough");
});
