import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ModelKind } from "../src/engine/engine.ts";
import { PlanError } from "../src/errors.ts";
import type { Environment } from "../src/latency/environment.ts";
import { newEnvironment } from "../src/latency.ts";
import { printSteps, stepsFor } from "../src/plan.ts";
import { parseCandidate, printCandidate } from "../src/strategy/candidate.ts";
import { dominated, type Figures } from "../src/strategy/dominance.ts";
import { candidatesOf } from "../src/strategy/filter.ts";
import { fittedPlan } from "../src/strategy/fitted.ts";
import { presetSpace } from "../src/strategy/presets.ts";
import type { TensorInfo } from "../src/tensor.ts";
import { FACTS, HERE } from "./latency.rows.ts";
import { type Described, describedModel, MODELS } from "./strategy.models.ts";
import "./helpers.ts";

const KINDS = Object.keys(MODELS) as ModelKind[];
const TFJS = newEnvironment({ ...FACTS, runtime: { name: "tfjs-wasm", version: "4.22.0", threads: 1 } });
const QUERN = newEnvironment({ ...FACTS, runtime: { name: "quern", version: "0.1.0", threads: 1 } });
const OLD = newEnvironment({ ...FACTS, runtime: { ...FACTS.runtime, version: "1.18.0" } });
const NO_SIMD = newEnvironment({ ...FACTS, wasm: { simd: false, relaxedSimd: false, threads: false } });

/** Why a candidate is excluded; null if it is kept. */
function why(
  text: string,
  { description, tensors }: Described,
  environment: Environment = HERE,
  opset?: number,
): string | null {
  const { kept, excluded } = candidatesOf([text], { tensors }, description, environment, { opset });
  expect(kept.length + excluded.length).toBe(1);
  return excluded[0]?.reason ?? null;
}

describe("what an environment cannot run is excluded, with the reason", () => {
  test.each([
    ["int8 > auto", TFJS, null],
    [
      "int8 > auto @ int8",
      TFJS,
      'the original runs there and this would not, for want of "QDQ": TensorFlow.js has no operators',
    ],
    ["int8 > auto @ w8", TFJS, 'for want of "DequantizeLinear int8"'],
    ["int4 group 32 > auto @ w4", TFJS, 'for want of "DequantizeLinear int4 blocks"'],
    ["int8 > auto", QUERN, null],
    ["int8 > auto @ int8", QUERN, "quern's kernels decode weights, and multiply nothing"],
    ["int8 > auto", NO_SIMD, "runs only where WebAssembly has SIMD"],
    ["int8 > auto @ w8", NO_SIMD, "runs only where WebAssembly has SIMD"],
    ["int8 > auto @ w8", OLD, null],
    ["int8 group 32 > auto @ w8", OLD, "onnxruntime-web has it since 1.19; this is 1.18.0"],
    ["int4 group 32 > auto @ w4", OLD, "onnxruntime-web has it since 1.19; this is 1.18.0"],
    ["int8 > auto @ int8 smooth", HERE, null],
    ["int4 group 32 > auto @ w4", HERE, null],
  ])("%s", (text, environment, reason) => {
    const found = why(text, MODELS.mlp, environment);
    if (reason === null) expect(found).toBeNull();
    else expect(found).toContain(reason);
  });

  test("and what the model's operator set is too old for", () => {
    expect(why("int8 > auto @ w8", MODELS.mlp, HERE, 13)).toBeNull();
    expect(why("int8 > auto @ w8", MODELS.mlp, HERE, 12)).toBe(
      'the weight "a" needs ONNX opset 13, and this model has 12: convert it to a newer one',
    );
    expect(why("int8 tensor > auto @ int8", MODELS.mlp, HERE, 12)).toBeNull();
    expect(why("int8 group 32 > auto @ w8", MODELS.mlp, HERE, 20)).toContain("needs ONNX opset 21");
    expect(why("int4 group 32 > auto @ w4", MODELS.mlp, HERE, 20)).toContain("needs ONNX opset 21");
    expect(why("int4 group 32 > auto @ w4", MODELS.mlp, HERE, 21)).toBeNull();
  });
});

const F16 = describedModel("mlp", [{ type: "dense", name: "a", shape: [64, 128], dtype: "F16" }]);
const LAST = describedModel("cnn", [{ type: "conv", name: "k", shape: [3, 3, 16, 32] }], { conv: [2, 3, -1] });

describe("what cannot be written is excluded, with the reason", () => {
  test.each<[string, Described, string | null]>([
    ["int8 tensor asymmetric @ int8", MODELS.mlp, null],
    ["int8 channel asymmetric @ int8", MODELS.mlp, null],
    ["int8 channel asymmetric @ w8", MODELS.mlp, null],
    ["uint8 channel @ w8", MODELS.mlp, null],
    ["int8 group 32 @ int8", MODELS.mlp, 'the weight "a" has groups'],
    ["int4 @ int8", MODELS.mlp, 'the weight "a" has codes of 4 bits, and integers are multiplied with 8'],
    ["int4 @ w8", MODELS.mlp, "run it as w4"],
    ["int8 @ w4", MODELS.mlp, "run w4 needs weights of 4 bits, and no unit has one under this plan"],
    ["lossless @ int8", MODELS.mlp, "run int8 needs weights of 8 bits, and no unit has one under this plan"],
    ["lossless @ w8", MODELS.mlp, "run w8 needs weights of 8 bits"],
    ["int16 snr 60dB @ w8", MODELS.mlp, "has codes of 16 bits"],
    ["int8 snr 30dB @ int8", MODELS.mlp, null],
    ["nf4 @ w4", MODELS.mlp, "shares scales as ONNX cannot"],
    // What stays in floats leaves its unit in floats.
    ["b=lossless; int8 channel @ int8", MODELS.mlp, null],
    ["b=int4 group 32; int8 channel @ int8", MODELS.mlp, 'the weight "b" has codes of 4 bits'],
    ["b=int8 channel; int4 group 32 @ w4", MODELS.mlp, null],
    ["int8 group 64 @ w8", MODELS.cnn, 'the weight "c2" of shape [32,16,3,3] shares scales as ONNX cannot'],
    ["int8 channel > prune 0.5 @ int8", MODELS.cnn, 'the weight "fc" has scales along dimension 0'],
    ["int8 tensor > prune 0.5 @ int8", MODELS.cnn, null],
    ["int8 channel > prune 0.5 @ w8", MODELS.cnn, null],
    ["prune channels 0.25 > int8 @ w8", MODELS.cnn, 'the weight "c2" loses channels'],
    ["prune channels 0.25 > int8", MODELS.cnn, null],
    ["prune channels 0.25 > int8", LAST, 'has its channels along dimensions 2 and 3, and "prune channels" removes'],
    ["smooth 0.5 > int8 @ int8", MODELS.mlp, 'write "@ int8 smooth" instead'],
    ["int8 @ w8", F16, "is F16, and codes can only stand for floats of 32 bits"],
    ["int8", F16, null],
  ])("%s", (text, model, reason) => {
    const found = why(text, model);
    if (reason === null) expect(found).toBeNull();
    else expect(found).toContain(reason);
  });

  test("so are plans that a tensor cannot have", () => {
    expect(why("small 1=lossless; prune 2:4 axis 3 > int8", MODELS.mlp)).toMatch(
      /^tensor "a" of shape \[64,128\] has no/,
    );
    expect(why("int8 channel axis 2", MODELS.mlp)).toBe('tensor "a" has 2 dimensions: there is no axis 2');
    expect(why("a=int8 channel axis 1 > prune 0.5; int8", MODELS.mlp)).toContain("prunes codes whose rows it cannot");
    const f64 = describedModel("mlp", [{ type: "dense", name: "a", shape: [64, 128], dtype: "F64" }]);
    expect(why("prune 0.5", f64)).toContain('tensor "a" is F64: prune needs int8');
    expect(() => candidatesOf(["int9"], MODELS.mlp, MODELS.mlp.description, HERE)).toThrow(PlanError);
  });
});

describe("what comes to the same is kept once", () => {
  test("with the name of the first", () => {
    const small = describedModel("mlp", [{ type: "dense", name: "a", shape: [8, 8] }]);
    const { kept, excluded } = candidatesOf(["lossless", "int{8,4} > auto"], small, small.description, HERE);
    expect(kept.map(printCandidate)).toEqual(["lossless"]);
    expect(excluded.map(({ reason }) => reason)).toEqual(Array(2).fill('the same as "lossless" for this model'));
  });

  test("but not what is run in another way, or pruned together with other tensors", () => {
    const keptOf = (space: string[]) => candidatesOf(space, MODELS.mlp, MODELS.mlp.description, HERE).kept.length;
    expect(keptOf(["int8 @ f32|w8|int8|int8 smooth"])).toBe(4);
    expect(
      keptOf([
        "small 1=lossless; prune 0.5 global > int8",
        "small 1=lossless; a=prune 0.5 global > int8; prune 0.5 global > int8",
      ]),
    ).toBe(2);
    expect(
      keptOf(["small 1=lossless; prune 0.5 > int8", "small 1=lossless; a=prune 0.5 > int8; prune 0.5 > int8"]),
    ).toBe(1);
  });
});

describe("plans for the weights of a model", () => {
  const stepsOf = (text: string, { tensors, description }: Described) => {
    const plan = fittedPlan(parseCandidate(text).plan, tensors, description);
    return Object.fromEntries(tensors.map((tensor) => [tensor.name, printSteps(stepsFor(plan, tensor))]));
  };

  test("have scales for outputs, groups along inputs, and patterns along inputs", () => {
    expect(stepsOf("int8 channel", MODELS.cnn)).toMatchObject({
      c2: "int8 channel > auto",
      fc: "int8 channel axis 1 > auto",
    });
    expect(stepsOf("int4 group 32", MODELS.cnn)).toMatchObject({
      c2: "int4 group 32 > auto",
      fc: "int4 group 32 axis 0 > auto",
    });
    expect(stepsOf("int8 group 128", MODELS.rnn)).toMatchObject({ l: "int8 group 128 axis 2 > auto" });
    expect(stepsOf("int8 group 32", MODELS.rnn)).toMatchObject({ l: "int8 group 32 > auto" });
    expect(stepsOf("int8 group 32", MODELS.other)).toMatchObject({ b: "int8 group 32 axis 1 > auto" });
    expect(stepsOf("prune 2:4 > int8", MODELS.mlp)).toMatchObject({
      a: "prune 2:4 axis 0 > int8 channel axis 1 > auto",
    });
    expect(stepsOf("prune 2:4 > int8", MODELS.cnn)).toMatchObject({ c2: "prune 2:4 > int8 channel > auto" });
    expect(stepsOf("prune 2:4 > int8", LAST)).toMatchObject({ k: "prune 2:4 axis 2 > int8 channel axis 3 > auto" });
  });

  test("stay as they are where the plan says the dimension, or none can be said", () => {
    for (const text of ["int8 channel axis 0", "int8 channel > prune 0.5", "prune 0.5 global > int8 channel"]) {
      const { plan } = parseCandidate(text);
      expect(fittedPlan(plan, MODELS.mlp.tensors, MODELS.mlp.description)).toEqual(plan);
    }
  });

  test("take no other tensor's place, whatever the names are", () => {
    const name = fc.string({ unit: fc.constantFrom("a", "b", "*", "?", ";", "{"), minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(
        fc.uniqueArray(name, { minLength: 2, maxLength: 6 }),
        fc.integer({ min: 0, max: 6 }),
        (names, dense) => {
          const { description } = describedModel(
            "mlp",
            names.slice(0, dense).map((name) => ({ type: "dense", name, shape: [64, 64] })),
          );
          const tensors = names.map((name): TensorInfo => ({ name, dtype: "F32", shape: [64, 64] }));
          const plan = fittedPlan(parseCandidate("int8 channel").plan, tensors, description);
          for (const tensor of tensors) {
            const steps = printSteps(stepsFor(plan, tensor));
            const exact = /^[ab]+$/.test(tensor.name);
            const isWeight = names.indexOf(tensor.name) < dense;
            if (exact || !isWeight) expect(steps, tensor.name).toBe(`int8 channel${isWeight ? " axis 1" : ""} > auto`);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe.each(KINDS)("of the preset space of %s", (kind) => {
  const { description, tensors } = MODELS[kind];

  test("enough is left in ONNX Runtime, every way to run among it, and all is accounted for", () => {
    const { kept, excluded } = candidatesOf(presetSpace(description), { tensors }, description, HERE);
    expect(kept.length).toBeGreaterThanOrEqual(12);
    expect([...new Set(kept.map(({ run }) => run))].sort()).toEqual(
      kind.endsWith("cnn") ? ["f32", "int8", "w8"] : ["f32", "int8", "w4", "w8"],
    );
    for (const { reason } of excluded) expect(reason).toMatch(/^the same as|, and/);
    const again = candidatesOf(kept.map(printCandidate), { tensors }, description, HERE);
    expect(again.kept).toEqual(kept);
  });

  test("only what is decoded is left in TensorFlow.js", () => {
    const { kept, excluded } = candidatesOf(presetSpace(description), { tensors }, description, TFJS);
    expect([...new Set(kept.map(({ run }) => run))]).toEqual(["f32"]);
    expect(excluded.some(({ reason }) => reason.includes("the original runs there"))).toBe(true);
  });
});

const interval = (low: number, ms = low, high = ms) => ({ low, ms, high });
const figures = (given: Partial<Figures>): Figures => ({
  ...{ latency: interval(1, 2, 3), bytes: 100, load: interval(10, 20, 30), memory: 1000, error: 1 },
  ...given,
});

describe("dominance", () => {
  test("needs nothing worse, and something clearly better", () => {
    const a = figures({});
    expect(dominated([a, figures({})])).toEqual([]);
    const larger = figures({ bytes: 101 });
    expect(dominated([larger, a])).toEqual([
      { loser: larger, by: a, reason: "the other is smaller (100 to 101 bytes), and worse in nothing" },
    ]);
    expect(dominated([a, figures({ bytes: 101, error: 0.5 })])).toEqual([]);
    // Intervals that overlap tell nothing.
    expect(dominated([a, figures({ latency: interval(2, 3, 4) })])).toEqual([]);
    expect(dominated([a, figures({ latency: interval(3.5, 4, 5) })])[0].reason).toContain("faster (2 to 4 ms)");
    // Faster in the middle only.
    expect(dominated([a, figures({ latency: interval(0.5, 3, 5), bytes: 200 })])).toEqual([]);
  });

  test("of what is not known is not known", () => {
    const [known, unknown] = [figures({ load: interval(1) }), figures({ load: null, bytes: 200 })];
    expect(dominated([known, unknown])).toEqual([]);
    expect(dominated([figures({ load: null }), unknown])).toHaveLength(1);
    expect(dominated([figures({ error: Number.NaN }), figures({ bytes: 200 })])).toEqual([]);
  });

  test("leaves a front that beats all others, in any order of the candidates", () => {
    const number = fc.integer({ min: 1, max: 5 });
    const times = fc.tuple(number, number, number).map((all) => interval(...(all.sort() as [number, number, number])));
    const some = fc.record({
      latency: times,
      bytes: number,
      load: fc.option(times),
      memory: fc.option(number),
      error: number,
    });
    fc.assert(
      fc.property(fc.array(some, { maxLength: 12 }), (priced) => {
        const found = dominated(priced);
        const losers = new Set(found.map(({ loser }) => loser));
        for (const { by } of found) expect(losers.has(by)).toBe(false);
        expect(losers.size).toBe(found.length);
        expect(priced.length === 0 || losers.size < priced.length).toBe(true);
        const reversed = dominated([...priced].reverse()).map(({ loser }) => loser);
        expect(new Set(reversed)).toEqual(losers);
        // None of the front beats another.
        expect(dominated(priced.filter((each) => !losers.has(each)))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
