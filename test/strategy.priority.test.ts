import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ModelKind } from "../src/engine/engine.ts";
import { DataError } from "../src/errors.ts";
import { type Candidate, parseCandidate, printCandidate } from "../src/strategy/candidate.ts";
import { presetSpace } from "../src/strategy/presets.ts";
import { DEFAULT_PRIORITY } from "../src/strategy/prior.ts";
import {
  decidingReason,
  inPriorityOrder,
  type Priority,
  parsePriority,
  printPriority,
} from "../src/strategy/priority.ts";
import { expandPlan } from "../src/strategy/space.ts";
import { MODELS } from "./strategy.models.ts";
import "./helpers.ts";

const KINDS = Object.keys(MODELS) as ModelKind[];
const parsed = (texts: readonly string[]): Candidate[] => texts.map(parseCandidate);
const ordered = (
  texts: readonly string[],
  kind: ModelKind = "cnn",
  priority: Priority = DEFAULT_PRIORITY,
): string[] => {
  const byText = new Map(texts.map((text) => [printCandidate(parseCandidate(text)), text]));
  return inPriorityOrder(parsed(texts), priority, { kind }).map((each) => byText.get(printCandidate(each)) as string);
};

describe("the list that ships", () => {
  test("is what comes back from a file of it, with reasons", () => {
    expect(parsePriority(printPriority(DEFAULT_PRIORITY))).toEqual(DEFAULT_PRIORITY);
    for (const { reason } of DEFAULT_PRIORITY) expect(reason.length).toBeGreaterThan(30);
    expect(new Set(DEFAULT_PRIORITY.map(({ match }) => JSON.stringify(match))).size).toBe(DEFAULT_PRIORITY.length);
  });

  test.each<[ModelKind, string[]]>([
    ["cnn", ["int8", "lossless", "int4", "prune 0.5 > int8", "prune channels 0.5 > int8"]],
    ["cnn", ["int8 channel @ int8", "int8 channel @ int8 smooth", "int8 group 32", "int8 tensor @ int8"]],
    ["transformer", ["int8 @ int8 smooth", "int8", "int8 @ w8", "int8 @ int8"]],
    ["rnn", ["int8", "int8 @ w8", "int8 @ int8"]],
    ["depthwise-cnn", ["int8 channel", "int8 tensor"]],
    ["mlp", ["prune 0.5 > int8 tensor", "int8 tensor > prune 0.5"]],
    ["mlp", ["int4 group 32", "int4 tensor"]],
    ["mlp", ["a=int8; int4 group 32", "int4 group 32"]],
    ["mlp", ["int8", "a=int4 group 32; int8", "int4 group 32"]],
    ["cnn", ["int8", "a=prune 0.5 > int8; int8", "prune 0.5 > int8"]],
    ["mlp", ["int8 > auto", "int8 > smallest"]],
  ])("puts in order, for %s: %s", (kind, texts) => {
    expect(ordered([...texts].reverse(), kind)).toEqual(texts);
  });

  test("uses each of its entries on a preset space", () => {
    const used = new Set<string>();
    for (const kind of KINDS) {
      const all = parsed(presetSpace(MODELS[kind].description).flatMap(expandPlan));
      for (const a of all) for (const b of all) used.add(decidingReason(a, b, DEFAULT_PRIORITY, { kind }) ?? "");
    }
    expect(DEFAULT_PRIORITY.map(({ reason }) => reason).filter((reason) => !used.has(reason))).toEqual([]);
  });

  test("tells why one goes first", () => {
    const [a, b] = parsed(["int8", "prune 0.5 > int8"]);
    expect(decidingReason(a, b, DEFAULT_PRIORITY, { kind: "cnn" })).toMatch(/^zeros make no runtime/);
    expect(decidingReason(a, a, DEFAULT_PRIORITY, { kind: "cnn" })).toBeNull();
  });
});

const KIND = fc.constantFrom(...KINDS);
const SOME = fc.constantFrom(...presetSpace(MODELS.cnn.description).flatMap(expandPlan));
const list = <T>(...values: T[]) => fc.uniqueArray(fc.constantFrom(...values), { minLength: 1 });
const ENTRIES = fc.array(
  fc.record({
    match: fc.record(
      {
        kind: list(...KINDS),
        run: list("f32", "int8", "w8", "w4"),
        smooth: fc.boolean(),
        format: list("none", "int4", "int8"),
        scales: list("none", "tensor", "channel", "group"),
        prune: list("none", "magnitude", "pattern", "channels"),
        order: fc.constantFrom("prune first", "quantize first"),
        named: fc.boolean(),
        steps: fc.constantFrom("*", "int8*", "* > auto"),
      },
      { requiredKeys: [] },
    ),
    reason: fc.string({ unit: fc.constantFrom("a", "é", "\\", '"', " "), minLength: 1, maxLength: 5 }),
  }),
  { maxLength: 8 },
) as fc.Arbitrary<Priority>;

describe("any list", () => {
  test("comes back from its file", () => {
    fc.assert(
      fc.property(ENTRIES, (priority) => {
        expect(parsePriority(printPriority(priority))).toEqual(priority);
      }),
    );
  });

  test("gives one order, however candidates are given, in which each pair is decided as it is told", () => {
    fc.assert(
      fc.property(ENTRIES, fc.uniqueArray(SOME, { maxLength: 12 }), KIND, (priority, texts, kind) => {
        const order = ordered(texts, kind, priority);
        expect([...order].sort()).toEqual([...texts].sort());
        expect(ordered([...texts].reverse(), kind, priority)).toEqual(order);
        expect(ordered([...texts].sort(), kind, priority)).toEqual(order);
        for (const [i, text] of order.entries())
          if (
            i > 0 &&
            decidingReason(...(parsed([order[i - 1], text]) as [Candidate, Candidate]), priority, { kind }) === null
          )
            expect(order[i - 1] < text).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test("that is empty leaves the order of texts", () => {
    expect(ordered(["raw", "int8", "huffman"], "mlp", [])).toEqual(["huffman", "raw", "int8"]);
  });
});

describe("what is no list is refused", () => {
  const entry = (match: unknown, reason: unknown = "why") => ({
    quern: "priority",
    version: 1,
    entries: [{ match, reason }],
  });
  test.each<[unknown, string]>([
    ["[", "priority: expected JSON"],
    ["null", "priority: expected an object, got null"],
    [[], "priority: expected an object, got []"],
    [{}, 'priority.quern: expected "priority", got nothing'],
    [{ quern: "priority", version: 2, entries: [] }, "priority.version: expected 1, got 2: it is of a newer quern"],
    [{ quern: "priority", version: 0, entries: [] }, "priority.version: expected 1, got 0"],
    [{ quern: "priority", version: 1 }, "priority.entries: expected a list of at most 1000, got nothing"],
    [{ quern: "priority", version: 1, entries: {} }, "priority.entries: expected a list"],
    [
      { quern: "priority", version: 1, entries: Array(1001).fill(0) },
      "priority.entries: expected a list of at most 1000",
    ],
    [
      { quern: "priority", version: 1, entries: [], more: 1 },
      'priority: expected the fields quern, version, entries, got "more"',
    ],
    [{ quern: "priority", version: 1, entries: [7] }, "priority.entries[0]: expected an object, got 7"],
    [entry({}, ""), "priority.entries[0].reason: expected text of 1 to 1000 characters"],
    [entry({}, null), "priority.entries[0].reason: expected text"],
    [entry(undefined), "priority.entries[0].match: expected an object, got nothing"],
    [
      entry({ runs: ["int8"] }),
      'priority.entries[0].match: expected some of the fields kind, run, smooth, format, scales, prune, order, named, steps, got "runs"',
    ],
    [entry({ run: "int8" }), 'priority.entries[0].match.run: expected a list of 1 to 64, got "int8"'],
    [entry({ run: [] }), "priority.entries[0].match.run: expected a list of 1 to 64, got []"],
    [entry({ run: ["f32", "f16"] }), 'priority.entries[0].match.run[1]: expected f32 or int8 or w8 or w4, got "f16"'],
    [entry({ kind: ["toString"] }), "priority.entries[0].match.kind[0]: expected cnn or"],
    [entry({ smooth: 1 }), "priority.entries[0].match.smooth: expected true or false, got 1"],
    [entry({ order: "first" }), 'priority.entries[0].match.order: expected prune first or quantize first, got "first"'],
    [entry({ steps: "\n" }), "priority.entries[0].match.steps: expected text"],
    [entry({ steps: null }), "priority.entries[0].match.steps: expected text"],
    [
      '{"quern":"priority","version":1,"entries":[{"match":{"__proto__":{"run":["f32"]}},"reason":"a"}]}',
      'got "__proto__"',
    ],
    ['{"quern":"priority","version":1,"entries":[],"__proto__":[]}', 'got "__proto__"'],
  ])("%j", (json, problem) => {
    const parse = (): Priority => parsePriority(json as string | object);
    expect(parse).toThrow(DataError);
    expect(parse).toThrow(problem);
  });

  test("whatever it is", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.anything(),
          fc.jsonValue().map((value) => entry(value)),
        ),
        (value) => {
          try {
            parsePriority(value as string);
          } catch (error) {
            expect(error).toBeInstanceOf(DataError);
          }
        },
      ),
      { numRuns: 500 },
    );
    const deep = `${"[".repeat(50000)}${"]".repeat(50000)}`;
    expect(() => parsePriority(deep)).toThrow(DataError);
    expect(() => parsePriority(`{"quern":"priority","version":1,"entries":[{"match":${deep},"reason":"a"}]}`)).toThrow(
      DataError,
    );
  });
});
