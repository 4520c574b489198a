import { describe, expect, test } from "vitest";
import {
  lazyTensor,
  loadKernels,
  type Model,
  memorySink,
  open,
  pack,
  parsePlan,
  printPlan,
  writeSafetensors,
} from "../src/index.ts";
import { toFloat32 } from "../src/tensor.ts";
import { type CheckpointPlace, readCheckpoint, writeCheckpoint } from "../src/tune/checkpoint.ts";
import { projectionOf, type StepSizes } from "../src/tune/projection.ts";
import { cosine } from "../src/tune/schedule.ts";
import { moveSize, sizeGradient, stepSize } from "../src/tune/size.ts";
import { weights } from "./helpers.ts";

// Parts of tuning that no engine takes part in; the rest is in test/accuracy.

const kernels = await loadKernels();
const SHAPES: Record<string, number[]> = { a: [32, 40], b: [16, 3, 8], bias: [16] };
const BEGIN = new Map(
  Object.entries(SHAPES).map(([name, shape], i) => [
    name,
    weights(
      shape.reduce((x, y) => x * y),
      i + 1,
    ),
  ]),
);
const INFOS = Object.entries(SHAPES).map(([name, shape]) => ({ name, dtype: "F32" as const, shape }));

const projection = (plan: string, sizes: StepSizes = "fixed") =>
  projectionOf(kernels, INFOS, BEGIN, parsePlan(plan), sizes);

/** The weights a while later. */
const later = new Map([...BEGIN].map(([name, data]) => [name, data.map((x, i) => x * (1 + 0.3 * Math.sin(i)) + 0.01)]));

async function packed(given: ReadonlyMap<string, Float32Array>, plan: ReturnType<typeof parsePlan>) {
  const tensors = [...given].map(([name, data]) =>
    lazyTensor({ name, dtype: "F32", shape: SHAPES[name], bytes: new Uint8Array(Float32Array.from(data).buffer) }),
  );
  const model: Model = { tensors, metadata: null };
  const sink = memorySink();
  await pack(model, plan, sink);
  const file = (await open(sink.bytes())).model("f32");
  const read = file.tensors.map(
    async ({ name, read }) => [name, toFloat32("F32", await read(0, given.get(name)?.length ?? 0))] as const,
  );
  return new Map(await Promise.all(read));
}

const bits = (data: Float32Array | undefined) => data && new Uint32Array(Float32Array.from(data).buffer);

describe("projections", () => {
  test.each([
    "int8 channel axis -1",
    "int8 bits 3",
    "small 0=lossless; int8 bits 2 dead 0.1 > smallest",
    "small 0=int8 tensor; int4 group 32",
    "prune 0.6 > int8 bits 2 dead 0",
    "small 0=lossless; prune 0.8 global > int8 tensor",
    "small 0=lossless; prune channels 0.4 > int8 group 32",
    "prune 1:4 > nf4",
    "int8 channel > prune 0.5 global",
    "prune 0.5 > smallest",
  ])("%s: what is packed gives back what was projected", async (plan) => {
    const one = await projection(plan);
    for (const given of [BEGIN, later]) {
      const ran = await one.project(given);
      const back = await packed(one.kept(given), one.plan());
      expect(ran.size).toBeGreaterThan(0);
      for (const [name, data] of ran) expect(bits(back.get(name)), name).toEqual(bits(data));
      for (const name of BEGIN.keys()) if (!ran.has(name)) expect(bits(back.get(name))).toEqual(bits(given.get(name)));
    }
    // A plan goes through text, too.
    const text = printPlan(one.plan());
    expect(printPlan(parsePlan(text))).toBe(text);
  });

  test("at first they are what packing by the plan gives, pruned over all tensors too", async () => {
    const plan = "small 0=lossless; prune 0.7 global > int8 tensor";
    const ran = await (await projection(plan)).project(BEGIN);
    const back = await packed(BEGIN, parsePlan(plan));
    for (const [name, data] of ran) expect(bits(data), name).toEqual(bits(back.get(name)));
  });

  test("gradients of what is pruned are none, and the others stay", async () => {
    const one = await projection("small 0=lossless; prune 0.5");
    const gradient = new Float32Array(1280).fill(1);
    one.learn(new Map([["a", gradient]]), 0.1);
    const kept = one.kept(new Map([["a", new Float32Array(1280).fill(1)]])).get("a");
    expect(gradient).toEqual(kept);
    expect(gradient.filter((x) => x === 0)).toHaveLength(640);
  });

  test("step sizes: fixed ones stay, learned ones fall where larger levels raise the loss, and come back from a state", async () => {
    const plan = "small 0=lossless; int8 bits 2 dead 0";
    const [fixed, learned] = [await projection(plan), await projection(plan, "learned")];
    const at = (one: typeof fixed) => one.state().get("a")?.[0] ?? 0;
    const start = at(fixed);
    for (const one of [fixed, learned]) {
      const ran = (await one.project(BEGIN)).get("a") as Float32Array;
      // The loss grows where levels are beyond their elements.
      one.learn(new Map([["a", ran.map((x, i) => x - (BEGIN.get("a")?.[i] ?? 0))]]), 0.01);
    }
    expect(at(fixed)).toBe(start);
    expect(at(learned)).toBeLessThan(start);
    const other = await projection(plan, "learned");
    other.restore(learned.state());
    expect(other.state()).toEqual(learned.state());
    expect(printPlan(other.plan())).toBe(printPlan(learned.plan()));
    expect(() => other.restore(new Map())).toThrow('no step size of "a"');
  });

  test("names with wildcards", async () => {
    const infos = ["a*", "ab"].map((name) => ({ name, dtype: "F32" as const, shape: [32, 40] }));
    const given = new Map(infos.map(({ name }, i) => [name, weights(1280, i)]));
    const one = await projectionOf(kernels, infos, given, parsePlan("int8 bits 2"), "fixed");
    expect(one.plan().map(({ name }) => name)).toEqual(["ab", "a*", undefined, undefined]);
    const bad = infos.map((info, i) => ({ ...info, name: ["a*", "a?"][i] }));
    const two = await projectionOf(
      kernels,
      bad,
      new Map(bad.map(({ name }, i) => [name, weights(1280, i)])),
      parsePlan("int8 bits 2"),
      "fixed",
    );
    expect(() => two.plan()).toThrow('no rule can be made for the tensor "a?" alone');
  });
});

describe("step sizes", () => {
  test("the gradient is the derivative by the logarithm of the size, levels held", () => {
    const [x, size] = [Float32Array.of(0.9, -2.2, 0.1), 0.5];
    const levels = Array.from(x, (v) => Math.round(v / size));
    const gradient = Float32Array.of(0.3, -1, 2);
    // x is where it is in steps: x = size * (x / size), so the error in steps is what a larger size scales.
    const expected = levels.reduce((sum, q, i) => sum + gradient[i] * (q * size - x[i]), 0);
    expect(
      sizeGradient(
        x,
        Float32Array.from(levels, (q) => q * size),
        gradient,
      ),
    ).toBeCloseTo(expected, 6);
  });

  test("they stay within four times what they were, and above zero", () => {
    for (const [sign, end] of [
      [1, 0.25],
      [-1, 4],
    ]) {
      const size = stepSize(1);
      for (let i = 0; i < 500; i++) moveSize(size, sign, 0.1, 1);
      expect(size.value).toBe(end);
    }
    const still = stepSize(1);
    moveSize(still, 0, 0.1, 1);
    expect(still.value).toBe(1);
  });
});

test("the rate falls along half a cosine to a hundredth", () => {
  expect(cosine(2, 0)).toBeCloseTo(2, 12);
  expect(cosine(2, 0.5)).toBeCloseTo(1.01, 12);
  expect(cosine(2, 1)).toBeCloseTo(0.02, 12);
  expect(cosine(2, 3)).toBe(cosine(2, 1));
});

describe("checkpoints", () => {
  const place = (): CheckpointPlace & { bytes: Uint8Array | null } => ({
    bytes: null,
    async read() {
      return this.bytes;
    },
    async write(bytes) {
      this.bytes = bytes;
    },
  });

  test("come back bit for bit, with names that have slashes, and NaN and -0", async () => {
    const at = place();
    expect(await readCheckpoint(at)).toBeNull();
    const odd = new Float32Array(Uint32Array.of(0x7fc00123, 0x80000000, 1).buffer);
    const parts = new Map([
      [
        "trainer",
        new Map([
          ["weight a/b", odd],
          ["adam", Float32Array.of(3)],
        ]),
      ],
      ["best", new Map([["a/b", Float32Array.of(1, 2, 3)]])],
    ]);
    await writeCheckpoint(at, { parts, notes: { epoch: 2, scores: [0.1] } });
    // A Buffer of a pool, as files are read into.
    at.bytes = Buffer.concat([Buffer.alloc(3), at.bytes as Uint8Array]).subarray(3);
    const back = await readCheckpoint(at);
    expect(back?.notes).toEqual({ epoch: 2, scores: [0.1] });
    expect([...(back?.parts.keys() ?? [])].sort()).toEqual(["best", "trainer"]);
    expect(bits(back?.parts.get("trainer")?.get("weight a/b"))).toEqual(bits(odd));
    expect(back?.parts.get("best")).toEqual(parts.get("best"));
  });

  test("other files are refused", async () => {
    const at = place();
    at.bytes = Uint8Array.of(1, 2, 3);
    await expect(readCheckpoint(at)).rejects.toThrow(/expected/);
    for (const [name, metadata] of [
      ["a", null],
      ["a/b", { "quern.tune": "{" }],
    ] as const) {
      const sink = memorySink();
      const tensors = [lazyTensor({ name, dtype: "F32", shape: [1], bytes: new Uint8Array(4) })];
      await writeSafetensors({ tensors, metadata }, sink);
      at.bytes = sink.bytes();
      await expect(readCheckpoint(at)).rejects.toThrow("none of quern's");
    }
  });
});
