import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ModelKind } from "../src/engine/engine.ts";
import { globMatches, printSteps, stepsFor } from "../src/plan.ts";
import { parseCandidate, printCandidate } from "../src/strategy/candidate.ts";
import { patternOf } from "../src/strategy/names.ts";
import { presetSpace } from "../src/strategy/presets.ts";
import { PRESET_ROWS } from "../src/strategy/rows.ts";
import { expandPlan } from "../src/strategy/space.ts";
import { describedModel, MODELS } from "./strategy.models.ts";
import "./helpers.ts";

const KINDS = Object.keys(MODELS) as ModelKind[];
const spaceOf = (kind: ModelKind): string[] => presetSpace(MODELS[kind].description).flatMap(expandPlan);

describe.each(KINDS)("the space of %s", (kind) => {
  const space = spaceOf(kind);

  test("has 24 to 80 candidates, each once, the same every time", () => {
    expect(space.length).toBeGreaterThanOrEqual(24);
    expect(space.length).toBeLessThanOrEqual(80);
    expect(new Set(space).size).toBe(space.length);
    expect(spaceOf(kind)).toEqual(space);
  });

  test("has what can be done, in both orders, run in every way that fits", () => {
    const all = space
      .map(parseCandidate)
      .map(({ plan, ...how }) => ({ ...how, steps: printSteps(plan.at(-1)?.steps ?? []) }));
    const has = (run: string, pattern: string, smooth = false): boolean =>
      all.some((each) => each.run === run && each.smooth === smooth && globMatches(pattern, each.steps));
    expect(has("f32", "lossless")).toBe(true);
    for (const run of ["f32", "w8", "int8"]) expect(has(run, "int8 channel > auto"), run).toBe(true);
    expect(has("int8", "int8 channel > auto", true)).toBe(true);
    expect(has("f32", "prune 0.* > int8 *")).toBe(true);
    expect(has("f32", "int8 * > prune 0.*")).toBe(true);
    expect(has("f32", "prune 2:4 > int8 *")).toBe(true);
    for (const code of ["auto", "smallest", "pivot"]) expect(has("f32", `int8 * > ${code}`), code).toBe(true);
    expect(has("f32", "int4 *")).toBe(true);
    expect(has("w4", "int4 group *")).toBe(!kind.endsWith("cnn"));
  });

  test("leaves no weight that is to be an integer in floats for being small", () => {
    const { tensors, description } = MODELS[kind];
    const weights = description.units.flatMap(({ weight }) => weight?.name ?? []);
    const plain = space.map(parseCandidate).filter(({ run, plan }) => run === "int8" && !plan.some(({ name }) => name));
    expect(plain.length).toBeGreaterThan(0);
    for (const { plan } of plain)
      for (const tensor of tensors) {
        const quantized = printSteps(stepsFor(plan, tensor)).startsWith("int8");
        if (weights.includes(tensor.name) || tensor.shape.length < 2)
          expect(quantized).toBe(weights.includes(tensor.name));
      }
  });
});

/** The steps of tensors under the candidates of 4 bits. */
function harsh(kind: ModelKind, names: readonly string[]): string[][] {
  const { tensors } = MODELS[kind];
  const plans = spaceOf(kind)
    .map(parseCandidate)
    .filter(({ plan }) => printSteps(plan.at(-1)?.steps ?? []).startsWith("int4"));
  expect(plans.length).toBeGreaterThan(0);
  const steps = plans.map(({ plan }) =>
    names.map(
      (name) => printSteps(stepsFor(plan, tensors.find((tensor) => tensor.name === name) as never)).split(" ")[0],
    ),
  );
  return [...new Set(steps.map((each) => each.join()))].sort().map((each) => each.split(","));
}

test("what suffers most has rules of its own", () => {
  // The first one is small.
  expect(harsh("cnn", ["c1", "c2", "fc"])).toEqual([
    ["lossless", "int4", "int8"],
    ["lossless", "int4", "lossless"],
  ]);
  expect(harsh("depthwise-cnn", ["p1", "d2", "p2", "fc"])).toEqual([
    ["int4", "int8", "int4", "int8"],
    ["int4", "lossless", "int4", "lossless"],
  ]);
  expect(harsh("transformer", ["e", "q", "head"])).toEqual([["int8", "int4", "int8"]]);
  expect(harsh("mlp", ["a", "b", "c"])).toEqual([["int8", "int4", "int8"]]);
  expect(harsh("rnn", ["e", "l", "m", "o"])).toEqual([["int8", "int8", "int4", "int8"]]);
});

test("what holds most has rules of its own, all of it the same", () => {
  const { description, tensors } = MODELS.transformer;
  const all = presetSpace(description).flatMap(expandPlan).map(parseCandidate);
  const largest = all.filter(({ plan }) => plan.some(({ name }) => name === "up"));
  expect(largest.length).toBe(2 + 2);
  for (const { plan } of largest) {
    const [q, up, head] = ["q", "up", "head"].map((name) => {
      return printSteps(stepsFor(plan, tensors.find((tensor) => tensor.name === name) as never));
    });
    expect([q, up]).toEqual(["int8 channel > auto", head]);
    expect(up).not.toBe(q);
  }
});

test("a model without weights, or of unknown parts, has a space, too", () => {
  const { description } = describedModel("other", [{ type: "other", name: "x", shape: [3] }]);
  expect(presetSpace(description).flatMap(expandPlan).length).toBeGreaterThan(20);
});

test("every row says why, and is for some model", () => {
  for (const { reason, kinds, runs } of PRESET_ROWS) {
    expect(reason.length).toBeGreaterThan(30);
    expect(runs.length).toBeGreaterThan(0);
    for (const kind of kinds ?? []) expect(KINDS).toContain(kind);
  }
});

describe("names", () => {
  const hostile = fc.string({
    unit: fc.constantFrom(..."ab*?;{}|,@=> \n\t\u0085\u2028😀small 1dtype"),
    minLength: 1,
    maxLength: 12,
  });

  test("of any characters are taken by their rules, wherever those are written", () => {
    fc.assert(
      fc.property(
        fc.oneof(hostile, fc.string({ minLength: 1 }), fc.string({ unit: "binary", minLength: 1 })),
        (name) => {
          const pattern = patternOf(name) as string;
          expect(globMatches(pattern, name)).toBe(true);
          const [text] = expandPlan(`${pattern}=int4 group 64 > raw; int8 > {auto,raw}`);
          for (const each of [text, printCandidate(parseCandidate(text))]) {
            const { plan, run } = parseCandidate(each);
            expect(run).toBe("f32");
            expect(printSteps(stepsFor(plan, { name, dtype: "F32", shape: [64, 64] }))).toBe("int4 group 64 > raw");
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test("of layers that suffer most are taken in every candidate, whatever they are", () => {
    fc.assert(
      fc.property(fc.uniqueArray(hostile, { minLength: 3, maxLength: 3 }), (names) => {
        const layers = names.map((name) => ({ type: "dense" as const, name, shape: [64, 64] }));
        const { description } = describedModel("mlp", layers);
        const harsh = presetSpace(description)
          .flatMap(expandPlan)
          .map(parseCandidate)
          .filter(({ run, plan }) => run === "w4" && printSteps(plan.at(-1)?.steps ?? []).startsWith("int4"));
        expect(harsh.length).toBe(3);
        for (const { plan } of harsh)
          for (const name of [names[0], names[2]])
            expect(printSteps(stepsFor(plan, { name, dtype: "F32", shape: [64, 64] }))).toBe("int8 channel > auto");
      }),
      { numRuns: 40 },
    );
  });

  test("may be long, and may be empty", () => {
    const long = `${"é".repeat(300)}/kernel`;
    expect(patternOf(long)).toBe(`${"é".repeat(100)}*${"é".repeat(93)}/kernel`);
    // No half of a character is left of one that would be cut.
    const cut = patternOf("😀".repeat(200).slice(1)) as string;
    expect(cut).toBe(`\ude00${"😀".repeat(49)}*${"😀".repeat(50)}`);
    expect(patternOf("")).toBeNull();
    const { description } = describedModel("mlp", [{ type: "dense", name: "", shape: [64, 64] }]);
    expect(presetSpace(description).flatMap(expandPlan).length).toBeGreaterThan(20);
  });
});
