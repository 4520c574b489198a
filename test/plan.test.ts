import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PlanError } from "../src/errors.ts";
import { LIKE_FORMATS } from "../src/plan/target.ts";
import {
  type CodeStep,
  type Grouping,
  globMatches,
  LOSSLESS,
  type Plan,
  type PruneStep,
  parsePlan,
  parseSteps,
  printPlan,
  printSteps,
  type QuantizeStep,
  type Ranges,
  type Rule,
  SMALL,
  type SmoothStep,
  type Step,
  stepsFor,
  type Target,
} from "../src/plan.ts";
import type { DType, TensorInfo } from "../src/tensor.ts";
import { DTYPES, FLOATS } from "./files.ts";
import "./helpers.ts";

const CHUNK: Grouping = { by: "chunk", size: 0 };

const share = fc.double({ min: 0, max: 1, noNaN: true });
/** Runs of indices with gaps between them, from gaps and lengths. */
const ranges: fc.Arbitrary<Ranges> = fc
  .array(fc.tuple(fc.integer({ min: 2, max: 2 ** 40 }), fc.nat(2 ** 20)), { minLength: 1, maxLength: 6 })
  .map((runs) => {
    let end = -2;
    return runs.map(([gap, more]) => {
      const first = end + gap;
      end = first + more;
      return [first, end] as const;
    });
  });

const op = fc.constant("prune" as const);
const prune: fc.Arbitrary<PruneStep> = fc.oneof(
  fc.record({ op, by: fc.constant("magnitude"), sparsity: share, over: fc.constantFrom("tensor", "model") }),
  fc
    .tuple(fc.integer({ min: 2, max: 32 }), fc.nat(30), fc.option(fc.nat(15)))
    .map(([of, less, axis]) => ({ op: "prune", by: "pattern", keep: Math.max(of - 1 - less, 1), of, axis }) as const),
  fc.record({ op, by: fc.constant("channels"), sparsity: share.filter((s) => s > 0 && s < 1) }),
  fc.record({ op, by: fc.constant("removed"), channels: ranges }),
);

const quantize: fc.Arbitrary<QuantizeStep> = fc
  .record({
    op: fc.constant("quantize"),
    bits: fc.constantFrom(4, 8),
    per: fc.constantFrom("tensor", "channel", "group"),
    group: fc.integer({ min: 8, max: 65536 }),
    asymmetric: fc.boolean(),
  })
  .map((step) => (step.per === "group" ? step : { ...step, group: 0 }));

const target: fc.Arbitrary<Target> = fc.oneof(
  fc.record({
    by: fc.constantFrom("step", "snr", "rmse", "bits"),
    value: fc.double({ min: 0, max: 1e300, minExcluded: true, noNaN: true }),
  }),
  fc.record({ by: fc.constant("like"), format: fc.constantFrom(...LIKE_FORMATS) }),
);

const targeted: fc.Arbitrary<QuantizeStep> = fc
  .tuple(fc.constantFrom(8 as const, 16 as const), target, fc.option(fc.double({ min: 0, max: 0.49, noNaN: true })))
  .map(([bits, aim, dead]) => {
    const step = { op: "quantize", bits, per: "tensor", group: 0, asymmetric: false, target: aim } as const;
    return dead === null ? step : { ...step, dead: Math.abs(dead) };
  });

const grouping: fc.Arbitrary<Grouping> = fc.oneof(
  fc.constant(CHUNK),
  fc.record({ by: fc.constantFrom("kernel", "count"), size: fc.integer({ min: 1, max: 65536 }) }),
);

const code: fc.Arbitrary<CodeStep> = fc
  .record({
    op: fc.constant("code"),
    code: fc.constantFrom("raw", "constant", "huffman", "zrl", "auto"),
    grouping,
  })
  .map((step) => (step.code === "zrl" || step.code === "auto" ? step : { ...step, grouping: CHUNK }));

const smooth: fc.Arbitrary<SmoothStep> = fc.record({
  op: fc.constant("smooth" as const),
  alphas: fc.array(share, { minLength: 1, maxLength: 4 }),
  powers: fc.boolean(),
});

const steps: fc.Arbitrary<Step[]> = fc
  .tuple(fc.option(prune), fc.option(fc.oneof(quantize, targeted)), code, fc.boolean(), fc.option(smooth))
  .map(([first, second, last, swap, before]) => [before, ...(swap ? [second, first] : [first, second]), last])
  .map((all) => all.filter((step) => step !== null));

const glob = fc
  .oneof(fc.string(), fc.string({ unit: fc.constantFrom("a", "*", "?", ".", "=", ">", " ", "é", "\u{1f600}") }))
  .filter(
    (name) => name !== "" && name === name.trim() && !name.includes(";") && !/^(small \d+|dtype \S+)$/.test(name),
  );

const selected: fc.Arbitrary<Rule> = fc.oneof(
  fc.record({ name: glob, steps }),
  fc.record({ dtype: fc.constantFrom("F16", "Q*", "?8"), steps }),
  fc.record({ small: fc.nat(), steps }),
);

const plans: fc.Arbitrary<Plan> = fc.tuple(fc.array(selected, { maxLength: 4 }), fc.nat(), steps).map(
  // Without a rule for small tensors a plan that loses something would get one.
  ([rules, small, last]): Rule[] => [...rules, { small, steps: LOSSLESS }, { steps: last }],
);

function messageOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(PlanError);
    return (error as PlanError).message;
  }
  throw new Error("no error");
}

describe("printing and parsing", () => {
  test("any plan comes back as it was, from one line", () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const text = printPlan(plan);
        expect(parsePlan(text)).toEqual(plan);
        expect(printPlan(parsePlan(text))).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });

  test("any steps come back as they were", () => {
    fc.assert(
      fc.property(steps, (list) => {
        expect(parseSteps(printSteps(list))).toEqual(list);
      }),
      { numRuns: 2000 },
    );
  });

  test("what parses at all prints in a way that parses the same", () => {
    const words = fc.constantFrom("small 3=", "small 99999999999999999999999=", "a;b=", "a=b=", "x=", "");
    const rest = fc.constantFrom("raw", "int8", "prune 0x1", "prune 1e-7 > int4 group 0008", "zrl kernel 1", "auto 7");
    fc.assert(
      fc.property(fc.array(fc.tuple(words, rest)), rest, (overrides, last) => {
        let plan: Plan;
        try {
          const texts = overrides.map(([selector, list]) => selector + list);
          plan = parsePlan(last, texts);
        } catch (error) {
          expect(error).toBeInstanceOf(PlanError);
          return;
        }
        expect(parsePlan(printPlan(plan))).toEqual(plan);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ["int8", "int8 channel > auto"],
    ["int8 channel", "int8 channel > auto"],
    ["int8 symmetric", "int8 channel > auto"],
    ["  prune   0.60 >  int8   group 64>zrl ", "prune 0.6 > int8 group 64 > zrl"],
    ["int4 tensor asymmetric > huffman", "int4 tensor asymmetric > huffman"],
    ["prune .5", "prune 0.5 > auto"],
    ["smooth .50 > int8", "smooth 0.5 > int8 channel > auto"],
    ["smooth 0.5,1,0 pow2 > int8 > prune 0.5", "smooth 0.5,1,0 pow2 > int8 channel > prune 0.5 > auto"],
    ["prune 8e-1 global", "prune 0.8 global > auto"],
    ["int8 > prune 0.5", "int8 channel > prune 0.5 > auto"],
    ["prune 2:4 > int8", "prune 2:4 > int8 channel > auto"],
    ["prune 04:08 axis 00", "prune 4:8 axis 0 > auto"],
    ["prune channels .25 > raw", "prune channels 0.25 > raw"],
    ["prune channels 1e-7", "prune channels 1e-7 > auto"],
    ["prune channels 0", "prune channels 0 > auto"],
    ["int4 group 32 > prune channels 1,2,3-4,007,9-9", "int4 group 32 > prune channels 1-4,7,9 > auto"],
    ["lossless", "lossless"],
    ["auto", "lossless"],
    ["auto kernel 1", "auto kernel"],
    ["zrl kernel 4", "zrl kernel 4"],
    ["zrl 7", "zrl 7"],
    ["raw", "raw"],
  ])("%j prints as %j", (text, printed) => {
    expect(printSteps(parseSteps(text))).toBe(printed);
  });
});

const BAD_STEPS: [text: string, word: string][] = [
  ["", '""'],
  ["int8 >", '""'],
  ["int8 > > zrl", '""'],
  ["int7", '"int7"'],
  ["INT8", '"INT8"'],
  ["int8 rows", '"int8 rows"'],
  ["int8 channel channel", '"int8 channel channel"'],
  ["int8 group", '"int8 group"'],
  ["int8 group 7", '"int8 group 7"'],
  ["int8 group 65537", '"int8 group 65537"'],
  ["int8 group 8.5", '"int8 group 8.5"'],
  ["int8 group -8", '"int8 group -8"'],
  ["int8 tensor 8", '"int8 tensor 8"'],
  ["int8 asymmetric tensor", '"int8 asymmetric tensor"'],
  ["int8 asymetric", '"int8 asymetric"'],
  ["int16", '"int16"'],
  ["int16 channel", '"int16 channel"'],
  ["int4 snr 20dB", '"int4 snr 20dB"'],
  ["int8 channel snr 20", '"int8 channel snr 20"'],
  ["int8 asymmetric snr 20", '"int8 asymmetric snr 20"'],
  ["int8 snr", '"int8 snr"'],
  ["int8 snr -3", '"int8 snr -3"'],
  ["int8 bits 0", '"int8 bits 0"'],
  ["int8 step 1e999", '"int8 step 1e999"'],
  ["int8 rmse 1e-3dB", '"int8 rmse 1e-3dB"'],
  ["int8 like mp3", '"int8 like mp3"'],
  ["int8 snr 20 dead 0.5", '"int8 snr 20 dead 0.5"'],
  ["int8 dead 0.1", '"int8 dead 0.1"'],
  ["prune", '"prune"'],
  ["prune half > int8", '"prune half"'],
  ["prune 1.01", '"prune 1.01"'],
  ["prune -0.1", '"prune -0.1"'],
  ["prune NaN", '"prune NaN"'],
  ["prune 0.5 0.5", '"prune 0.5 0.5"'],
  ["prune 0.5 globally", '"prune 0.5 globally"'],
  ["prune 0.5 global 1", '"prune 0.5 global 1"'],
  ["smooth > int8", '"smooth"'],
  ["smooth 1.1 > int8", '"smooth 1.1"'],
  ["smooth 0.5, > int8", '"smooth 0.5,"'],
  ["smooth 0.5 pow3 > int8", '"smooth 0.5 pow3"'],
  ["smooth 0.5 pow2 2 > int8", '"smooth 0.5 pow2 2"'],
  ["prune global", '"prune global"'],
  ["prune 0:4", '"prune 0:4"'],
  ["prune 4:4", '"prune 4:4"'],
  ["prune 4:2", '"prune 4:2"'],
  ["prune 2:33", '"prune 2:33"'],
  ["prune -2:4", '"prune -2:4"'],
  ["prune 2:4 global", '"prune 2:4 global"'],
  ["prune 2:4 axis", '"prune 2:4 axis"'],
  ["prune 2:4 axis 16", '"prune 2:4 axis 16"'],
  ["prune 2:4 axis 1 1", '"prune 2:4 axis 1 1"'],
  ["prune channels", '"prune channels"'],
  ["prune channels 0.0", '"prune channels 0.0"'],
  ["prune channels 1.0", '"prune channels 1.0"'],
  ["prune channels 1.5", '"prune channels 1.5"'],
  ["prune channels 3,2", '"prune channels 3,2"'],
  ["prune channels 3,3", '"prune channels 3,3"'],
  ["prune channels 3-2", '"prune channels 3-2"'],
  ["prune channels 1-4,4", '"prune channels 1-4,4"'],
  ["prune channels 1,", '"prune channels 1,"'],
  ["prune channels -1", '"prune channels -1"'],
  ["prune channels 1000000000000000", '"prune channels 1000000000000000"'],
  ["prune channels 1 2", '"prune channels 1 2"'],
  ["int8 > zip", '"zip"'],
  ["raw 7", '"raw 7"'],
  ["huffman kernel", '"huffman kernel"'],
  ["constant chunk", '"constant chunk"'],
  ["zrl 0", '"zrl 0"'],
  ["zrl 65537", '"zrl 65537"'],
  ["zrl kernel 0", '"zrl kernel 0"'],
  ["zrl kernel 4 4", '"zrl kernel 4 4"'],
  ["zrl kernels", '"zrl kernels"'],
  ["zrl 1e3", '"zrl 1e3"'],
  ["__proto__", '"__proto__"'],
  ["constructor", '"constructor"'],
  ["toString > raw", '"toString"'],
];

describe("refusals", () => {
  test.each(BAD_STEPS)("steps %j: %s is named", (text, word) => {
    const message = messageOf(() => parseSteps(text));
    expect(message).toContain(word);
    expect(message).toMatch(/ is not a step; known: \w/);
    expect(messageOf(() => parsePlan(text))).toBe(message);
  });

  test("the forms of the verb are shown, or all", () => {
    expect(messageOf(() => parseSteps("nbits4 group 3"))).toMatch(/known: q8_0[^;]*nbits4 \[group N\] \[asymmetric\]$/);
    expect(messageOf(() => parseSteps("quantize"))).toMatch(/known: smooth.*prune.*int8 or int4.*smallest$/);
  });

  test.each([
    "prune 2:4 > int8 > prune 0.5",
    "int8 > raw > prune 0.5",
    "int8 > smooth 0.5",
    "prune 0.5 > smooth 0.5 > int8",
    "raw > int8",
    "zrl > raw",
    "int8 > int4",
    "prune 0.1 > prune 0.2",
    "int8 > zrl > auto",
  ])("%j has the wrong order", (text) => {
    const message = messageOf(() => parseSteps(text));
    expect(message).toContain(text);
    expect(message).toContain("order");
  });

  test.each([
    ["*.bias=raw", "selector"],
    ["a=raw; small 7=raw", "selector"],
    ["raw; int8", "name="],
    ["int8; a=raw; raw", "name="],
    ["=raw; int8", '"=raw"'],
    [" = raw; int8", '"= raw"'],
    ["a=raw;", "not a step"],
    [";", "not a step"],
    ["a=; raw", "not a step"],
  ])("plan %j: the message has %j", (text, part) => {
    expect(messageOf(() => parsePlan(text))).toContain(part);
  });

  test("an override needs a selector", () => {
    expect(messageOf(() => parsePlan("int8", ["raw"]))).toContain("name=");
  });
});

describe("the rule for small tensors", () => {
  test("is added before the last rule of a plan that loses something", () => {
    for (const last of ["int8", "prune 0.5", "prune 0.5 > int4 > zrl"]) {
      expect(parsePlan(last)).toEqual([{ small: SMALL, steps: LOSSLESS }, { steps: parseSteps(last) }]);
    }
    const [bias, small] = parsePlan("*.bias=raw; int8");
    expect(bias).toEqual({ name: "*.bias", steps: parseSteps("raw") });
    expect(small).toEqual({ small: SMALL, steps: LOSSLESS });
  });

  test("is not added where nothing is lost, or where there is one", () => {
    expect(parsePlan("raw")).toHaveLength(1);
    expect(parsePlan("a=int8; huffman")).toHaveLength(2);
    expect(parsePlan("small 5=raw; int8")).toHaveLength(2);
    expect(parsePlan("small 0=raw; int8")[0]).toEqual({ small: 0, steps: parseSteps("raw") });
    expect(parsePlan("int8", ["small 5=raw"])).toHaveLength(2);
  });
});

function info(dtype: DType, shape: number[], name = "w"): TensorInfo {
  return { name, dtype, shape };
}

function stepsText(plan: string, tensor: TensorInfo, overrides: string[] = []): string {
  return printSteps(stepsFor(parsePlan(plan, overrides), tensor));
}

test("targets are printed in one way", () => {
  const printed = (text: string) => printSteps(parseSteps(text));
  expect(printed("int8 snr 20")).toBe("int8 tensor snr 20dB > auto");
  expect(printed("int8 tensor snr 20 dB dead .05 > pivot")).toBe("int8 tensor snr 20dB dead 0.05 > pivot");
  expect(printed("int16 rmse 1E-3".toLowerCase())).toBe("int16 tensor rmse 0.001 > auto");
  expect(printed("prune 0.5 > int8 like q4_0")).toBe("prune 0.5 > int8 tensor like q4_0 > auto");
});

describe("stepsFor", () => {
  test("takes small, 1-D, scalar and integer tensors by the small rule", () => {
    const plan = "small 100=raw; int8";
    expect(stepsText(plan, info("F32", [10, 10]))).toBe("int8 channel > auto");
    expect(stepsText(plan, info("F32", [9, 11]))).toBe("raw");
    expect(stepsText(plan, info("F32", [1000]))).toBe("raw");
    expect(stepsText(plan, info("F32", []))).toBe("raw");
    expect(stepsText(plan, info("F32", [1000, 0]))).toBe("raw");
    for (const dtype of DTYPES) {
      expect(stepsText(plan, info(dtype, [10, 10])), dtype).toBe(
        FLOATS.includes(dtype) ? "int8 channel > auto" : "raw",
      );
    }
  });

  test("takes the first rule that fits; overrides come first", () => {
    const plan = "*.bias=raw; *=huffman; int8";
    expect(stepsText(plan, info("F32", [10, 10], "a.bias"))).toBe("raw");
    expect(stepsText(plan, info("F32", [10, 10], "a.weight"))).toBe("huffman");
    expect(stepsText(plan, info("F32", [10, 10], "a.bias"), ["a.*=constant", "*=lossless"])).toBe("constant");
    expect(stepsText("int8", info("F32", [3], "a"), ["a=int4 group 8"])).toBe("int4 group 8 > auto");
  });

  test("names the tensor and its dtype where steps need floats", () => {
    for (const dtype of DTYPES.filter((d) => !FLOATS.includes(d))) {
      for (const text of ["w=int8; raw", "w=prune 0.5; raw"]) {
        const message = messageOf(() => stepsText(text, info(dtype, [64, 64])));
        expect(message).toContain('"w"');
        expect(message).toContain(dtype);
      }
    }
  });

  test.each([
    ["smooth 0.5", [8, 8], "smooth needs int8 or int4"],
    ["smooth 0.5 > prune 0.5", [8, 8], "smooth needs int8 or int4"],
    ["smooth 0.5 > int8 snr 20", [8, 8], "without a target"],
    ["smooth 0.5 > int8", [8], "no input axis"],
    ["int8 snr 20 > prune 0.5", [8, 8], "undo its target"],
    ["prune 2:4", [], "no dimension"],
    ["prune 2:4 axis 2", [8, 8], "no dimension"],
    ["prune channels 0.5", [], "no dimension"],
    ["prune channels 8", [8, 8], "8 cannot be removed"],
    ["prune channels 0-7", [8, 8], "keep one"],
    ["prune channels 0", [0, 8], "cannot be removed"],
    ["prune channels 0-4095", [4097, 2], undefined],
    ["prune channels 0-4096", [4098, 2], "at most 4096"],
    ["prune channels 0-8999", [9001, 2], "at most 4096"],
    ["int8 group 16 > prune channels 0.5", [8, 24], "cross its channels of 24"],
    ["int8 group 12 > prune channels 0.5", [8, 24], undefined],
    ["prune channels 0.5 > int8 group 16", [8, 24], undefined],
  ])("%s on a shape of %j: %s", (text, shape, part) => {
    const call = () => stepsText(`w=${text}; raw`, info("F32", shape));
    if (part === undefined) return expect(call()).toContain("prune channels");
    expect(messageOf(call)).toContain('"w"');
    expect(messageOf(call)).toContain(part);
  });

  test("says so when no rule takes a tensor", () => {
    expect(messageOf(() => stepsFor([{ name: "a", steps: LOSSLESS }], info("F32", [1], "b")))).toContain('"b"');
  });
});

function oracle(pattern: string, name: string): boolean {
  const escaped = pattern
    .replace(/[\\^$.+()[\]{}|]/g, "\\$&")
    .replaceAll("*", "[^]*")
    .replaceAll("?", "[^]");
  return new RegExp(`^${escaped}$`).test(name);
}

describe("globMatches", () => {
  test("agrees with a regular expression", () => {
    const pattern = fc.string({ unit: fc.constantFrom("a", "b", "*", "?", ".", "[", "\n"), maxLength: 8 });
    const name = fc.string({ unit: fc.constantFrom("a", "b", ".", "*", "[", "\n"), maxLength: 10 });
    fc.assert(
      fc.property(pattern, name, (p, n) => {
        expect(globMatches(p, n), `${p} on ${n}`).toBe(oracle(p, n));
      }),
      { numRuns: 20_000 },
    );
  });

  test("does not run away on a pattern made to", () => {
    expect(globMatches(`${"*a".repeat(200)}b`, "a".repeat(5000))).toBe(false);
    expect(globMatches("*".repeat(5000), "a".repeat(5000))).toBe(true);
  });
});
