import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { tensorOver } from "../src/codec/through.ts";
import type { Engine, ValueInfo, Values } from "../src/engine/engine.ts";
import type { Evaluation } from "../src/evaluate.ts";
import { parsePlan, parseSteps, printPlan, printSteps, stepsFor } from "../src/index.ts";
import { newJob } from "../src/strategy/begin.ts";
import { parseCandidate, printCandidate } from "../src/strategy/candidate.ts";
import { dataDigest, digest, modelDigest } from "../src/strategy/digest.ts";
import { localPlan, runsOf, stepsOfTensor } from "../src/strategy/how.ts";
import { weightsOf } from "../src/strategy/job.ts";
import { lossOf } from "../src/strategy/loss.ts";
import { dataOf, given, layersOf, modelOf } from "./strategy.chain.ts";

// What a candidate means, and small parts that the choice stands on.

describe("a plan with rules for single tensors", () => {
  test("gives each its own steps, whatever it is called, and is read back from its text", () => {
    const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8, unit: fc.constantFrom(..."ab*?;=@{|} >") }), {
      minLength: 1,
      maxLength: 5,
    });
    fc.assert(
      fc.property(names, (all) => {
        // Names that only differ in characters that cannot be written have one pattern.
        const patterns = localPlan(parsePlan("lossless"), new Map(all.map((name) => [name, parseSteps("raw")])));
        fc.pre(new Set(patterns.map(({ name }) => name)).size === all.length + 1);
        fc.pre(!patterns.slice(0, -1).some(({ name = "" }) => name.includes("?")));
        const steps = new Map(all.map((name, i) => [name, parseSteps(`int8 group ${i + 10} > raw`)]));
        const plan = localPlan(parsePlan("int4 channel > auto"), steps);
        const back = parseCandidate(printCandidate({ plan, run: "f32", smooth: false }));
        expect(printPlan(back.plan)).toBe(printPlan(plan));
        for (const [name, own] of steps)
          expect(printSteps(stepsFor(back.plan, { name, dtype: "F32", shape: [64, 64] }))).toBe(printSteps(own));
      }),
      { numRuns: 300, seed: 2 },
    );
  });

  test("names with wildcards come behind those that they would take", () => {
    const steps = new Map(["a*c", "abc"].map((name, i) => [name, parseSteps(`int8 group ${i + 10}`)]));
    const plan = localPlan(parsePlan("lossless"), steps);
    expect(printSteps(stepsFor(plan, { name: "abc", dtype: "F32", shape: [4, 4] }))).toContain("group 11");
    expect(printSteps(stepsFor(plan, { name: "a*c", dtype: "F32", shape: [4, 4] }))).toContain("group 10");
  });
});

test("units are run as the candidate says where their weights are quantized, else in floats", async () => {
  const { model, options } = await given();
  const job = await newJob(model, options);
  const runs = (text: string) => job.description.units.map(runsOf(job, parseCandidate(text)));
  expect(runs("int8 channel")).toEqual(["f32", "f32", "f32"]);
  expect(runs("small 64=lossless; int8 channel @ int8")).toEqual(["int8", "int8", "int8"]);
  // The last one has 320 elements, which are small.
  expect(runs("int8 channel @ w8")).toEqual(["w8", "w8", "f32"]);
  expect(runs("small 64=lossless; b.weight=lossless; int8 channel @ int8")).toEqual(["int8", "f32", "int8"]);
  // Scales lie along the outputs, which are the second dimension here.
  const [a] = weightsOf(job);
  if (!a) throw new Error("there is one");
  expect(printSteps(stepsOfTensor(job, parseCandidate("int8 channel"), a.tensor))).toBe("int8 channel axis 1 > auto");
});

test("a weight that several units take gets no factors", async () => {
  const { model, options } = await given();
  const job = await newJob(model, options);
  const { units } = job.description;
  const tied = { ...units[0], name: "tied" } as (typeof units)[number];
  const place = { ...job, description: { ...job.description, units: [...units, tied] } };
  const candidate = parseCandidate("small 64=lossless; int8 channel @ int8 smooth");
  expect(units.map(runsOf(job, candidate))).toEqual(["int8 smooth", "int8 smooth", "int8 smooth"]);
  expect(place.description.units.map(runsOf(place, candidate))).toEqual(["int8", "int8 smooth", "int8 smooth", "int8"]);
});

test.each([true, false])(
  "units are described by the extents of a sample, where the model leaves some free: %s",
  async (free) => {
    const { model, options } = await given();
    const asked: (Values | undefined)[] = [];
    const engine: Engine = {
      ...options.engine,
      async describe(sample) {
        asked.push(sample);
        const described = await options.engine.describe();
        const inputs = described.inputs.map(({ shape, ...info }) => ({
          ...info,
          shape: free ? shape.map(() => -1) : shape,
        }));
        return { ...described, inputs };
      },
    };
    await newJob(model, { ...options, engine });
    const [{ name, shape }] = (await options.engine.describe()).inputs as [ValueInfo];
    const expected = free ? [undefined, [1, ...shape.slice(1)]] : [undefined];
    expect(asked.map((sample) => sample?.get(name)?.shape)).toEqual(expected);
  },
);

test("a digest tells models and data apart", async () => {
  const model = modelOf(layersOf());
  const same = await modelDigest(modelOf(layersOf()));
  expect(await modelDigest(model)).toBe(same);
  expect(same).toMatch(/^[0-9a-f]{16}$/);
  const [first, ...rest] = model.tensors;
  if (!first) throw new Error("there is one");
  const values = Float32Array.from(layersOf()[0]?.weight ?? []);
  values[7] = (values[7] ?? 0) + 1e-7;
  const other = { ...model, tensors: [tensorOver(first.name, first.shape, values), ...rest] };
  const renamed = { ...model, tensors: [{ ...first, name: "z" }, ...rest] };
  const digests = [same, await modelDigest(other), await modelDigest(renamed)];
  expect(new Set(digests).size).toBe(3);
  const data = await dataOf();
  const parts = [[0, 1], [1, 0], [0], [0, 1, 2]];
  const found = await Promise.all(parts.map((indices) => dataDigest(data, indices)));
  expect(new Set([...found, await dataDigest(await dataOf(96, 9), [0, 1])]).size).toBe(5);
  expect(await dataDigest(await dataOf(), [0, 1])).toBe(found[0]);
  // What is put together is not the same as its parts.
  expect(digest().add("ab").add("c").text()).not.toBe(digest().add("a").add("bc").text());
});

test("losses have no unit: those of values are by the square of the original, and what is not finite is infinite", () => {
  const figure = (value: number | null) => ({ value, low: null, high: null });
  const evaluation = (own: Partial<Evaluation>): Evaluation =>
    ({ kind: "values", notFinite: 0, loss: figure(5), figures: { snr: figure(20) }, ...own }) as Evaluation;
  expect(lossOf(evaluation({}))).toBeCloseTo(0.01, 12);
  expect(lossOf(evaluation({ loss: figure(0), figures: { snr: figure(null) } }))).toBe(0);
  expect(lossOf(evaluation({ figures: { snr: figure(null) } }))).toBe(Number.POSITIVE_INFINITY);
  expect(lossOf(evaluation({ kind: "classes", loss: figure(0.3) }))).toBe(0.3);
  expect(lossOf(evaluation({ kind: "classes", loss: figure(null) }))).toBe(Number.POSITIVE_INFINITY);
  expect(lossOf(evaluation({ notFinite: 1 }))).toBe(Number.POSITIVE_INFINITY);
});
