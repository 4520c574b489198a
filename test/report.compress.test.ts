import { describe, expect, test } from "vitest";
import type { ReportedChoice } from "../src/report/choice/points.ts";
import { type Report, reportPage } from "../src/report/report.ts";
import type { TrialReport } from "../src/strategy/answer.ts";
import { HOSTILE } from "./names.ts";
import { all, classed, expectSound, type Node, nodesOf, parse, textOf } from "./page.ts";
import { choiceOf, expectedOf, layersOf, REASONS, rejectedOf, trialOf } from "./report.choice.ts";

// The page of what compress has chosen: every trial, the plan, and why nothing else, whatever the numbers and the names are.

const pageOf = (choice: ReportedChoice, more: Partial<Report> = {}): string =>
  reportPage({ title: "m", choice, ...more });

/** An answer of these trials, with nothing else known. */
function bare(trials: readonly TrialReport[], own: Partial<ReportedChoice["answer"]> = {}): ReportedChoice {
  const answer = { plan: "lossless", loss: 0.002, trials, met: [], reason: "Because.", rejected: [], ...own };
  return { goal: "size", fileBytes: 1000, answer };
}

function plots(root: Node): Node[] {
  const [curves] = classed(root, "curves");
  return curves ? all(curves, "svg") : [];
}

/** Its texts with the boxes that they take, by their characters. */
function boxesOf(svg: Node) {
  const texts = all(svg, "text").filter(({ attributes }) =>
    ["label", "limit", "number"].includes(attributes.get("class") ?? ""),
  );
  return texts.map((node) => {
    const [x, y] = ["x", "y"].map((key) => Number(node.attributes.get(key))) as [number, number];
    const width = 6 * textOf(node).length;
    const anchor = node.attributes.get("text-anchor");
    const left = anchor === "end" ? x - width : anchor === "middle" ? x - width / 2 : x;
    return { left, right: left + width, top: y - 9, bottom: y + 2, text: textOf(node) };
  });
}

const marks = (svg: Node): Node[] => classed(svg, "mark");

describe("the page of a choice", () => {
  const root = parse(pageOf(choiceOf(14, ["a", "b", "c"])));

  test("has all parts, and drawings with names", () => {
    expect(all(root, "h2").map(textOf)).toEqual([
      "What was asked, and what came of it",
      "Loss, bytes and time",
      "Predicted and measured",
      "The plan, layer by layer",
      "Why not the others",
    ]);
    for (const { attributes } of all(root, "svg").filter((svg) => !svg.attributes.has("aria-hidden"))) {
      expect(attributes.get("role")).toBe("img");
      expect(attributes.get("aria-label")?.length).toBeGreaterThan(5);
    }
    expectSound(root);
  });

  test("fetches nothing and runs nothing", () => {
    const page = pageOf(choiceOf(14, [...HOSTILE]));
    const names = new Set([...nodesOf(parse(page))].map(({ name }) => name));
    for (const name of ["script", "link", "img", "iframe", "object", "use", "image", "base", "form"])
      expect(names).not.toContain(name);
    expect(page).not.toMatch(/https?:|url\(|@import|data:/i);
  });

  test("has every trial in both plots and in the table, and marks the answer", () => {
    const choice = choiceOf(14);
    const taken = choice.answer.trials.findIndex(({ lost }) => lost === null);
    for (const svg of plots(root)) {
      expect(marks(svg)).toHaveLength(14);
      expect(classed(svg, "ring")).toHaveLength(1);
      expect(boxesOf(svg).filter(({ text }) => text === "answer")).toHaveLength(1);
    }
    const rows = all(root, "tr").map(textOf);
    const row = rows.filter((text) => text.startsWith(`${taken + 1}. `));
    expect(row[0]).toContain("✓ answer");
    for (const [i, { plan }] of choice.answer.trials.entries())
      expect(rows.some((text) => text.startsWith(`${i + 1}. ${plan}`))).toBe(true);
  });

  test("draws the front where nothing loses less and costs no more", () => {
    const of = (plan: string, bytes: number, loss: number, ms: number): TrialReport =>
      trialOf({ plan, bytes, loss, latency: { ms, low: ms, high: ms, known: 1 } });
    const trials = [of("a", 100, 0.1, 1), of("b", 200, 0.01, 2), of("c", 300, 0.05, 3), of("d", 400, 0.001, 0.5)];
    const [bytes, time] = plots(parse(pageOf(bare(trials)))) as [Node, Node];
    const numbers = (svg: Node) => boxesOf(svg).map(({ text }) => text);
    expect(numbers(bytes)).toEqual(["1", "2", "4"]);
    // Horizontal and vertical by turns: two steps from three points.
    expect(classed(bytes, "front")[0]?.attributes.get("d")?.split("L")).toHaveLength(5);
    expect(numbers(time)).toEqual(["4"]);
    expect(classed(time, "front")).toEqual([]);
  });

  test("draws limits as lines with what they are", () => {
    const [bytes, time] = plots(root) as [Node, Node];
    expect(boxesOf(bytes).map(({ text }) => text)).toEqual(expect.arrayContaining(["≤ 400 kB", "≤ 1 %"]));
    expect(boxesOf(time).map(({ text }) => text)).toEqual(expect.arrayContaining(["≤ 8 ms", "≤ 1 %"]));
    for (const svg of [bytes, time]) expect(classed(svg, "level")).toHaveLength(2);
    const none = parse(pageOf(bare([trialOf()])));
    for (const svg of plots(none)) expect(classed(svg, "level")).toEqual([]);
  });

  test("draws intervals of what was predicted, and of what was measured", () => {
    const trial = trialOf({ latency: { ms: 10, low: 8, high: 12, known: 1 } });
    const measured = [{ plan: trial.plan, latency: { ms: 11, low: 10.5, high: 11.5 } }];
    const [, time] = plots(parse(pageOf({ ...bare([trial]), measured }))) as [Node, Node];
    const lines =
      classed(time, "whiskers")[0]
        ?.attributes.get("d")
        ?.match(/M[\d.]+ [\d.]+H[\d.]+/g) ?? [];
    expect(lines).toHaveLength(2);
    const [x, from, to] = [
      Number(marks(time)[0]?.attributes.get("cx")),
      ...(/M([\d.]+) [\d.]+H([\d.]+)/
        .exec(lines[0] as string)
        ?.slice(1)
        .map(Number) ?? []),
    ] as [number, number, number];
    expect(from).toBeLessThan(x);
    expect(to).toBeGreaterThan(x);
    expect(classed(time, "measured")).toHaveLength(1);
  });

  test("counts what is far from all that was run at the ends, and says where limits are", () => {
    const far = [1000, 150_000, 300_000, 1e7, 2e7].map((bytes, i) => ({ ...trialOf(), plan: `far ${i}`, bytes }));
    const met = [{ limit: "bytes", asked: 5e6, got: 260_000, ok: true }] as const;
    const choice = { ...bare([trialOf()], { met }), expected: expectedOf(far, 0) };
    const [bytes] = plots(parse(pageOf(choice))) as [Node];
    expect(classed(bytes, "waiting")).toHaveLength(2);
    expect(boxesOf(bytes).map(({ text }) => text)).toEqual(expect.arrayContaining(["← 1", "2 →", "≤ 5 MB →"]));
    expect(classed(bytes, "level")).toEqual([]);
  });

  test("shows those that were only priced apart, below all that were run", () => {
    const choice = { ...bare([trialOf()]), expected: expectedOf([trialOf()], 7) };
    for (const svg of plots(parse(pageOf(choice)))) {
      const beyond = all(svg, "text").flatMap((text) => textOf(text).match(/^← \d+$|^\d+ →$/) ?? []);
      const far = beyond.reduce((sum, text) => sum + Number(/\d+/.exec(text)), 0);
      const waiting = classed(svg, "waiting").map(({ attributes }) => attributes.get("d") ?? "");
      expect(waiting.length + far).toBe(7);
      const lowest = Math.max(...marks(svg).map(({ attributes }) => Number(attributes.get("cy"))));
      for (const d of waiting) expect(Number(d.split(/[ v]/)[1])).toBeGreaterThan(lowest);
      expect(textOf(svg)).toContain("not run");
    }
    expect(textOf(parse(pageOf(choice)))).toContain("7 more were only priced");
  });

  test.each([1, 3, 14, 40, 200])("labels of %i trials do not overlap, and lie within", (count) => {
    for (const svg of plots(parse(pageOf(choiceOf(count))))) {
      const boxes = boxesOf(svg);
      expect(boxes.length).toBeGreaterThan(1);
      const overlaps = boxes.flatMap((a, i) =>
        boxes.slice(i + 1).flatMap((b) => {
          const apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
          return apart ? [] : [[a.text, b.text]];
        }),
      );
      expect(overlaps).toEqual([]);
      for (const { left, right, top } of boxes) {
        expect(left).toBeGreaterThan(0);
        expect(right).toBeLessThan(360);
        expect(top).toBeGreaterThanOrEqual(0);
      }
    }
  });

  test("tells limits, what was got, and the reason", () => {
    const met = [
      { limit: "loss", asked: 0.01, got: 0.0042, ok: true },
      { limit: "memory", asked: 64_000_000, got: 81_500_000, ok: false },
      { limit: "latency", asked: Number.POSITIVE_INFINITY, got: null, ok: true },
    ] as const;
    const page = parse(pageOf(bare([trialOf()], { met, reason: "It misses memory." })));
    const rows = all(page, "tr").map(textOf);
    expect(rows).toContain("loss≤ 1 %0.42 %✓ met");
    expect(rows).toContain("memory while it is loaded≤ 64 MB81.5 MB✗ missed");
    expect(rows).toContain("time of a runany–✓ met");
    expect(textOf(page)).toContain("It misses memory.");
    expect(textOf(classed(page, "tiles")[0] as Node)).toContain("✗ 1 missed");
  });

  test("compares what was predicted of finalists with what came", () => {
    const trials = [
      trialOf({ plan: "p", bytes: 100_000, lost: null }),
      trialOf({ plan: "q", bytes: 200_000, load: { ms: 210, low: 200, high: 230 } }),
    ];
    const expected = expectedOf(trials, 0).map((one) => ({ ...one, bytes: one.plan === "p" ? 100_000 : 201_000 }));
    const measured = [
      { plan: "q", latency: { ms: 10, low: 9, high: 11 }, load: { ms: 200, low: 190, high: 210 } },
      { plan: "unknown", latency: { ms: 10, low: 9, high: 11 } },
    ];
    const page = parse(pageOf({ ...bare(trials), expected, measured }));
    const rows = all(page, "tr").map(textOf);
    expect(rows).toContain("1. p ✓ answer100 kB100 kBexact12 ms (9 – 16)––300 ms (280 – 360)––");
    expect(rows).toContain("2. q201 kB200 kB+0.5 %12 ms (9 – 16)10 ms+20 %210 ms (200 – 230)200 ms+5 %");
    const identities = all(classed(page, "identities")[0] as Node, "svg");
    expect(identities.map((svg) => marks(svg).length)).toEqual([2, 1, 1]);
    // The point of what came true is on the line.
    const [first] = marks(identities[0] as Node).map(({ attributes }) => [
      Number(attributes.get("cx")),
      Number(attributes.get("cy")),
    ]) as [[number, number]];
    expect((first[0] - 52) / 178).toBeCloseTo((188 - first[1]) / 178, 2);
    expect(textOf(parse(pageOf({ ...bare(trials), expected })))).toContain("Times were not measured here");
    expect(all(parse(pageOf(bare(trials))), "h2").map(textOf)).not.toContain("Predicted and measured");
  });

  test("has the plan layer by layer, with shares of bytes and of time", () => {
    const [first, second] = layersOf(["x", "y"]) as [ReturnType<typeof layersOf>[0], ReturnType<typeof layersOf>[0]];
    const layers = [
      { ...first, bytes: 250, ms: 6, elements: 1000, loss: 0.0012, type: "conv" as const },
      { ...second, bytes: 500, ms: 3, elements: 500, loss: null, units: [], type: null, run: "int8" as const },
    ];
    const page = parse(pageOf({ ...bare([trialOf({ lost: null })]), layers }));
    const rows = all(page, "tr").map(textOf);
    expect(rows).toContain("xint8 channel > auto0.12 %25.0 %50.0 %2.001,000conv");
    expect(rows).toContain("yint4 group 32 > auto @ int8–50.0 %25.0 %8.00500–");
    const widths = (kind: string) =>
      classed(page, kind).flatMap(({ name, attributes }) => (name === "rect" ? [attributes.get("width")] : []));
    expect(widths("share-bytes")).toEqual(["50%", "100%"]);
    expect(widths("share-time")).toEqual(["100%", "50%"]);
    expect(textOf(page)).toContain("the header takes 25.0 % of the file");
    expect(textOf(page)).toContain("operators without parameters 25.0 % of the predicted time");
  });

  test("has the choices of each tensor, and marks the one that was taken", () => {
    const cards = classed(root, "choices");
    expect(cards.map((card) => textOf(all(card, "h4")[0] as Node)).sort()).toEqual(["a", "b", "c"]);
    for (const card of cards) {
      expect(all(card, "tr")).toHaveLength(6);
      expect(all(card, "tr").filter((row) => textOf(row).includes("✓ answer"))).toHaveLength(1);
    }
  });

  test("groups all that lost by why, with what the environment excludes first", () => {
    const page = parse(pageOf(bare([], { rejected: rejectedOf() })));
    const groups = all(page, "details").filter(({ attributes }) => attributes.get("class") === "card");
    const titles = groups.map((group) => textOf(all(group, "summary")[0] as Node));
    expect(titles[0]).toBe("The environment cannot run it 6");
    expect(titles).toHaveLength(REASONS.length);
    expect(titles).not.toContainEqual(expect.stringContaining("For other reasons"));
    const all_ = groups.flatMap((group) => all(group, "code").map(textOf));
    expect(all_.sort()).toEqual(
      rejectedOf()
        .map(({ candidate }) => candidate)
        .sort(),
    );
    expect(textOf(page)).toContain("The environment excluded 6 of them");
    expect(textOf(page)).toContain("23 candidates are not the answer");
    for (const group of groups) expect(group.attributes.has("open")).toBe(false);
    const others = parse(pageOf(bare([], { rejected: [{ candidate: "c", reason: "it rained" }] })));
    expect(textOf(others)).toContain("For other reasons 1");
    expect(textOf(others)).toContain("The environment excluded none.");
  });

  test("tells why refined ones lost, which no candidate was", () => {
    const trials = [trialOf({ plan: "p", lost: null }), trialOf({ plan: "r", from: "refined" })];
    const page = parse(pageOf(bare(trials)));
    expect(textOf(page)).toContain("Run, and the answer loses less or takes less 1");
  });
});

describe("a page of a choice of little, or of much", () => {
  test("of no trial", () => {
    const page = parse(pageOf(bare([])));
    expect(textOf(page)).toContain("Nothing was run.");
    expectSound(page);
  });

  test("of one trial, with and without all else", () => {
    expectSound(parse(pageOf(bare([trialOf({ lost: null })]))));
    expectSound(parse(pageOf(choiceOf(1))));
  });

  test("of losses that are none, are infinite, or 0, has rows for them", () => {
    const trials = [null, Number.NaN, Number.POSITIVE_INFINITY, 0, -1e-9, 0.01].map((loss, i) =>
      trialOf({ plan: `p${i}`, loss, lost: i === 3 ? null : "lost" }),
    );
    const page = parse(pageOf(bare(trials, { loss: Number.NaN })));
    expectSound(page);
    for (const svg of plots(page)) {
      const heights = marks(svg).map(({ attributes }) => Number(attributes.get("cy")));
      // The answer is drawn last.
      const [none, nan, infinite, negative, finite, zero] = heights as [number, number, number, number, number, number];
      expect(none).toBe(nan);
      expect(none).toBe(infinite);
      expect(zero).toBe(negative);
      expect(none).toBeLessThan(finite);
      expect(finite).toBeLessThan(zero);
      expect(textOf(svg)).toContain("infinite");
    }
    expect(
      all(page, "td")
        .map(textOf)
        .filter((text) => text === "not finite"),
    ).toHaveLength(3);
  });

  test("of numbers that are none, or beyond all others, is sound", () => {
    for (const x of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -1, 5e-324, 1.7e308, 1e299]) {
      const odd = { ms: x, low: x, high: x, known: x };
      const trials = [
        trialOf({ loss: x, bytes: x, latency: odd, load: odd, memory: x, lost: null }),
        trialOf({ plan: "q", loss: 0.01 }),
        trialOf({ plan: "r", loss: x, latency: { ms: 1, low: x, high: x, known: 1 } }),
      ];
      const met = (["loss", "bytes", "latency", "memory"] as const).map((limit) => {
        return { limit, asked: x, got: x, ok: false };
      });
      const [layer] = layersOf(["a"]) as [ReturnType<typeof layersOf>[0]];
      const choice: ReportedChoice = {
        ...bare(trials, { met, loss: x }),
        fileBytes: x,
        expected: expectedOf(trials, 2).map((one) => ({ ...one, bytes: x, latency: odd, load: odd })),
        layers: [
          { ...layer, bytes: x, ms: x, loss: x, elements: x, choices: [{ steps: "s", bytes: x, loss: x }] },
          { ...layer, choices: [{ steps: "s", bytes: null, loss: null }] },
        ],
        measured: [{ plan: "q", latency: odd, load: odd }],
      };
      expectSound(parse(pageOf(choice)));
    }
  });

  test("of 200 trials of 200 tensors is below 2 MB, and folds them away", () => {
    const names = Array.from({ length: 200 }, (_, i) => `model.layers.${i}.attention.output.dense`);
    const choice = choiceOf(200, names);
    // Plans with a rule for each tensor.
    const rules = names.map((name) => `${name}=int8 step 0.00123 > auto`).join("; ");
    const trials = choice.answer.trials.map((trial, i) => ({ ...trial, plan: `${rules}; int8 channel ${i}` }));
    const page = pageOf({ ...choice, answer: { ...choice.answer, trials, plan: rules } });
    expect(Buffer.byteLength(page)).toBeLessThan(2_000_000);
    const root = parse(page);
    expectSound(root);
    for (const svg of plots(root)) expect(marks(svg)).toHaveLength(200);
    expect(all(root, "summary").map(textOf)).toEqual(
      expect.arrayContaining(["All 200 trials as a table", "All 200 tensors", "The whole plan"]),
    );
    // What was chosen is there to the last character.
    expect(all(root, "code").map(textOf)).toContain(rules);
  });

  test("shows names as they are, as text", () => {
    const trials = HOSTILE.map((plan, i) => trialOf({ plan, lost: i === 0 ? null : `because of ${plan}` }));
    const rejected = HOSTILE.map((candidate) => ({ candidate, reason: `not ${candidate}` }));
    const page = pageOf({
      ...bare(trials, { plan: HOSTILE[0] as string, reason: HOSTILE[1] as string, rejected }),
      layers: layersOf(HOSTILE),
      expected: expectedOf(trials, 1),
    });
    const root = parse(page);
    const shown = all(root, "bdi").map(textOf);
    for (const name of HOSTILE.slice(0, 3)) {
      expect(shown.filter((text) => text === name).length).toBeGreaterThanOrEqual(4);
      expect(shown).toContain(`not ${name}`);
    }
    expectSound(root);
  });
});
