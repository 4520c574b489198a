import { describe, expect, test } from "vitest";
import { caseMaker } from "./fuzz/cases.ts";
import { check } from "./fuzz/check.ts";
import { corpus, parsed, printed } from "./fuzz/corpus.ts";
import { expectedOf } from "./fuzz/expected.ts";
import { machineOf } from "./fuzz/machine.ts";
import { fuzzTiers } from "./fuzz/tiers.ts";

test("a printed case is read back", () => {
  const one = caseMaker(5)(3);
  expect(parsed(printed(one))).toEqual(one);
});

test("case n is the same whatever was made before", () => {
  const make = caseMaker(9);
  const all = Array.from({ length: 100 }, (_, i) => printed(make(i)));
  for (const i of [99, 8, 7, 50]) expect(printed(caseMaker(9)(i))).toBe(all[i]);
});

test("the cases are worth trying: of each kind some are taken, and some are not", () => {
  const make = caseMaker(2);
  const seen = new Map<string, Set<boolean>>();
  for (let i = 0; i < 2000; i++) {
    const one = make(i);
    seen.set(one.kind, (seen.get(one.kind) ?? new Set()).add(typeof expectedOf(one) === "number"));
  }
  for (const [kind, outcomes] of seen) expect([...outcomes].sort(), kind).toEqual([false, true]);
});

describe.each(fuzzTiers())("on $name", (tier) => {
  test("every case of the corpus is decoded or refused as by the twins", () => {
    const machine = machineOf(tier);
    for (const one of corpus()) expect(check(machine, one, expectedOf(one)).problem, printed(one)).toBe("");
  });

  test("so are some thousand cases", () => {
    const machine = machineOf(tier);
    const make = caseMaker(1);
    for (let i = 0; i < 3000; i++) {
      const one = make(i);
      const { problem } = check(machine, one, expectedOf(one));
      if (problem) expect(problem, `case ${i}: ${printed(one)}`).toBe("");
    }
  });
});
