import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PlanError } from "../src/errors.ts";
import { parseCandidate, printCandidate } from "../src/strategy/candidate.ts";
import { expandPlan, MOST_CANDIDATES } from "../src/strategy/space.ts";
import "./helpers.ts";

const canonical = (texts: readonly string[]): string[] => [
  ...new Set(texts.map((text) => printCandidate(parseCandidate(text)))),
];

describe("lists", () => {
  test.each([
    ["int8 channel > auto", ["int8 channel > auto"]],
    [
      "int{8,4} channel|group 64 > auto",
      ["int8 channel > auto", "int8 group 64 > auto", "int4 channel > auto", "int4 group 64 > auto"],
    ],
    ["prune {0.3,0.5} > int8 > auto", ["prune 0.3 > int8 > auto", "prune 0.5 > int8 > auto"]],
    ["{prune 0.5 > int8, int8 > prune 0.5} > auto", ["prune 0.5 > int8 > auto", "int8 > prune 0.5 > auto"]],
    ["int8 channel|group {32, 64} > zrl", ["int8 channel > zrl", "int8 group 32 > zrl", "int8 group 64 > zrl"]],
    ["{prune 0.5 >,} int8", ["prune 0.5 > int8", "int8"]],
    ["int8 {channel,tensor {,asymmetric}}", ["int8 channel", "int8 tensor", "int8 tensor asymmetric"]],
    ["int8 @ {f32,int8,int8 smooth}", ["int8", "int8 @ int8", "int8 @ int8 smooth"]],
    ["int8 @ f32|int8|int8 smooth", ["int8", "int8 @ int8", "int8 @ int8 smooth"]],
    ["{int8 @ w8, int4 group 32 @ w4}", ["int8 @ w8", "int4 group 32 @ w4"]],
    ["prune 3:4|channels {0.2,0.4}", ["prune 3:4", "prune channels 0.2", "prune channels 0.4"]],
    ["smooth 0.5,0.3 > int8", ["smooth 0.5,0.3 > int8"]],
    ["prune channels 3,7-9|0.5 > int8", ["prune channels 3,7-9 > int8", "prune channels 0.5 > int8"]],
    [
      "*.b=raw|lossless; {a,b}=int4; nf4",
      ["raw", "lossless"].flatMap((c) => ["a", "b"].map((n) => `*.b=${c}; ${n}=int4; nf4`)),
    ],
    ["int8 | int4 > auto", ["int8 > auto", "int4 > auto"]],
    ["int{8,4}|nf4 > auto", ["int8 > auto", "int4 > auto", "nf4 > auto"]],
    ["{int8 channel|tensor, int4}", ["int8 channel", "int8 tensor", "int4"]],
    ["{int8 channel, int4}|nf4", ["int8 channel", "int4", "nf4"]],
    ["int8|int8 channel|int4", ["int8", "int4"]],
  ])("%s", (text, expected) => {
    expect(expandPlan(text)).toEqual(canonical(expected));
  });

  test("are in names, too, whose own braces and bars are written as ?", () => {
    expect(expandPlan("a?0?=int{4,8}; int8")).toHaveLength(2);
    expect(() => expandPlan("a|b=int4; int8")).toThrow('character 2: "|" stands in a name: write "?" for it');
  });
});

/** A word or more, and what they are in the same place of a plan. */
interface Place {
  readonly before: string;
  readonly choices: readonly string[];
  /** Whether a bar may list them: the first is one word, and the last ends the step. */
  readonly bar: boolean;
}

const some = (choices: string[]) => fc.uniqueArray(fc.constantFrom(...choices), { minLength: 1, maxLength: 3 });
const place = (before: string, choices: string[], bar: boolean): fc.Arbitrary<Place> =>
  fc.record({ before: fc.constant(before), choices: some(choices), bar: fc.constant(bar) });
const PLACES = fc.tuple(
  place("", ["", "prune 0.5 > ", "prune 2:4 > ", "prune channels 0.3 > "], false),
  place("", ["int8", "int4"], false),
  place(" ", ["tensor", "channel", "group 32", "group 64"], true),
  place(" > ", ["auto", "smallest", "huffman", "zrl kernel"], true),
  place(" @ ", ["f32", "w8", "int8", "int8 smooth"], true),
);

function written({ before, choices, bar }: Place, spaces: string, bars: boolean): string {
  if (choices.length === 1) return before + choices[0];
  const barred = bars && bar && !choices[0].includes(" ");
  const gap = choices.some((choice) => choice.endsWith(" ")) ? "" : spaces;
  // What ends in a space would lose it.
  const listed = choices.map((choice) => choice.trimEnd()).join(`${gap},${gap}`);
  return before + (barred ? choices.join(`${spaces}|${spaces}`) : `{${gap}${listed}${gap}}`);
}

describe("every text", () => {
  test("stands for all ways to choose, the first list slowest", () => {
    const ways = fc.tuple(
      PLACES,
      fc.constantFrom("", " ", "  "),
      fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
    );
    fc.assert(
      fc.property(ways, ([places, spaces, bars]) => {
        const all = places.reduce<string[]>(
          (texts, { before, choices }) => texts.flatMap((text) => choices.map((choice) => text + before + choice)),
          [""],
        );
        const text = places.map((each, i) => written(each, spaces, bars[i])).join("");
        expect(expandPlan(text)).toEqual(canonical(all));
      }),
      { numRuns: 300 },
    );
  });

  test("gives candidates that parse, or a PlanError that says which does not, and nothing else", () => {
    const pieces = [
      "{",
      "}",
      ",",
      "|",
      " ",
      ">",
      "=",
      ";",
      "@",
      "int8",
      "int4",
      "auto",
      "channel",
      "prune 0.5",
      "f32",
      "w8",
      "a",
    ];
    const noise = fc.array(fc.constantFrom(...pieces), { maxLength: 14 }).map((parts) => parts.join(""));
    let [expanded, refused] = [0, 0];
    fc.assert(
      fc.property(fc.oneof(noise, fc.string()), (text) => {
        let found: string[] = [];
        try {
          found = expandPlan(text);
          expanded++;
        } catch (error) {
          expect(error).toBeInstanceOf(PlanError);
          refused++;
        }
        for (const each of found) expect(printCandidate(parseCandidate(each))).toBe(each);
        expect(new Set(found).size).toBe(found.length);
      }),
      { numRuns: 2000 },
    );
    expect(Math.min(expanded, refused)).toBeGreaterThan(5);
  });

  test("names the candidate that does not parse, among those that do", () => {
    expect(() => expandPlan("int{8,5,4} > auto")).toThrow(
      'candidate 2 of 3, "int5 > auto", does not parse: steps "int5 > auto": "int5" is not a step',
    );
    expect(() => expandPlan("int8 @ {f32,w9}")).toThrow('candidate 2 of 2, "int8 @ w9", does not parse');
    expect(() => expandPlan("int9")).toThrow(/^steps "int9"/);
  });
});

describe("hostile texts", () => {
  test.each([
    ["int{8,4", 4, '"{" is not closed'],
    ["int8 > {auto,{raw}", 8, '"{" is not closed'],
    ["int8} > auto", 5, '"}" closes nothing'],
    ["int8 > |auto", 8, 'a word must stand before "|"'],
    ["|int8", 1, 'a word must stand before "|"'],
    ["{|int8}", 2, 'a word must stand before "|"'],
    ["int8 channel| > auto", 13, 'a word must stand behind "|"'],
    ["int8 channel||tensor", 13, 'a word must stand behind "|"'],
    ["int8 {} > auto", 6, '"{}" lists nothing'],
  ])("%s", (text, at, problem) => {
    expect(() => expandPlan(text)).toThrow(PlanError);
    expect(() => expandPlan(text)).toThrow(`character ${at}: ${problem}`);
  });

  test("may be deep, but not too deep", () => {
    const deep = (levels: number): string => `${"{".repeat(levels)}int8${"}".repeat(levels)}`;
    expect(expandPlan(deep(32))).toEqual(canonical(["int8"]));
    expect(() => expandPlan(deep(33))).toThrow('character 33: "{" is inside of 32 others');
    expect(() => expandPlan("{".repeat(60000))).toThrow("character 33");
  });

  test("may stand for many, but not for too many, and are counted before they are expanded", () => {
    const lists = (n: number): string => Array.from({ length: n }, () => "{a,b}").join("");
    expect(expandPlan(`${lists(12)}=int4; int8`)).toHaveLength(MOST_CANDIDATES);
    expect(() => expandPlan(`${lists(13)}=int4; int8`)).toThrow("make 8192 candidates, and 4096 are the most");
    expect(() => expandPlan(`${lists(5000)}=int4; int8`)).toThrow("make far too many candidates");
    expect(() => expandPlan(`{${",".repeat(5000)}}int8`)).toThrow("make 5001 candidates");
    // 2 to the power of 31, each with another list within.
    expect(() => expandPlan(`${"{a,".repeat(31)}b${",c}{d,e}".repeat(31)}=int4; int8`)).toThrow("candidates, and 4096");
  });

  test("may be long, but not too long, nor may all candidates together", () => {
    expect(() => expandPlan("a".repeat(70000))).toThrow("a text of 70000 characters");
    expect(() => expandPlan(`${"a".repeat(60000)}{,b}{,c}{,d}{,e}{,f}{,g}{,h}=int4; int8`)).toThrow("characters long");
  });
});
