import { describe, expect, test } from "vitest";
import type { UnitLoss } from "../src/evaluate.ts";
import { type Report, reportPage } from "../src/report/report.ts";
import { HOSTILE } from "./names.ts";
import { all, classed, expectSound, type Node, nodesOf, parse, textOf } from "./page.ts";
import { evaluationOf, figureOf, foldedOf, planOf, reportOf } from "./report.data.ts";

// The page of what compression costs: all that was found, whatever it is, in one sound piece.

const WHOLE = reportPage(reportOf(["a", "b", "c", "d", "e"]));
const NONE = { value: null, low: null, high: null };

/** What is drawn for each group. */
function columnPaths(node: Node): Node[] {
  return all(node, "path").filter(({ attributes }) => /^g\d$/.test(attributes.get("class") ?? ""));
}

function columnsIn(path = ""): number {
  return (path.match(/h\d+/g) ?? []).reduce((sum, step) => sum + Number(step.slice(1)), 0);
}

describe("the page of a report", () => {
  test("has all parts, each with a heading, and drawings with names", () => {
    const root = parse(WHOLE);
    expect([root.name, root.attributes.get("lang")]).toEqual(["html", "en"]);
    expect(all(root, "h2").map(textOf)).toEqual([
      "Before and after",
      "What each unit loses",
      "Activations and weights in integers",
      "Tuning",
    ]);
    const ids = [...nodesOf(root)].map(({ attributes }) => attributes.get("id")).filter((id) => id !== undefined);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { attributes } of all(root, "section")) expect(ids).toContain(attributes.get("aria-labelledby"));
    for (const { attributes } of all(root, "svg").filter(({ attributes }) => !attributes.has("aria-hidden"))) {
      expect(attributes.get("role")).toBe("img");
      expect(attributes.get("aria-label")?.length).toBeGreaterThan(5);
    }
    expect(WHOLE).toContain("prefers-color-scheme: dark");
    expectSound(root);
  });

  test("fetches nothing and runs nothing", () => {
    const root = parse(WHOLE);
    const names = new Set([...nodesOf(root)].map(({ name }) => name));
    for (const name of ["script", "link", "img", "iframe", "object", "embed", "use", "image", "base", "form"])
      expect(names).not.toContain(name);
    for (const { attributes } of nodesOf(root)) {
      for (const key of attributes.keys()) expect(key).not.toMatch(/^on|^href$|^src$|^style$|^xlink/);
    }
    expect(WHOLE).not.toMatch(/https?:|url\(|@import|data:/i);
  });

  test("shows names as they are, as text", () => {
    const report = reportOf(HOSTILE);
    const root = parse(reportPage(report));
    const shown = all(root, "bdi").map(textOf);
    // Its bar, its row of the table, its drawings and a fact; the first is also the title.
    HOSTILE.slice(0, 3).forEach((name, i) => {
      expect(shown.filter((text) => text === name)).toHaveLength(i === 0 ? 5 : 4);
    });
    expect(shown).toContain("‮right�to�left�");
    const [title] = all(root, "title");
    expect(textOf(title as Node)).toBe(`${HOSTILE[0]}: what compression costs`);
    const evaluation = { ...evaluationOf(["u"]), runtime: HOSTILE[0] as string, output: HOSTILE[1] as string };
    expect(textOf(parse(reportPage({ title: "m", evaluation })))).toContain(`${HOSTILE[1]}, as classes`);
  });

  test("has the figures, with their intervals", () => {
    const root = parse(WHOLE);
    const cells = all(root, "td").map(textOf);
    for (const text of ["1,081,912", "277,413", "76.30 %", "74.10 %", "-2.20 points", "-3.10 points – -1.20 points"])
      expect(cells).toContain(text);
    expect(textOf(root)).toContain("3.90 ×");
    expect(textOf(root)).toContain("62.5 % less squared error");
    expect(textOf(root)).toContain("epoch 9 of 12 is taken, and tuning ended early");
  });

  test("has bars of units as long as the logarithms of their errors", () => {
    const unit = evaluationOf(["u"]).units?.[0] as UnitLoss;
    const units = [0, 20, 40].map((snr, i) => ({ ...unit, name: `u${i}`, snr: { ...figureOf(snr, 0) } }));
    const root = parse(reportPage({ title: "m", evaluation: { ...evaluationOf([]), units } }));
    const widths = classed(root, "loss").map(({ attributes }) => attributes.get("width"));
    expect(widths).toEqual(["100%", "66.67%", "33.33%"]);
    expect(all(root, "td").map(textOf)).toEqual(expect.arrayContaining(["0.00", "20.00", "40.00"]));
  });

  test("shows each group of channels in its columns, with its number and its coefficient", () => {
    const report = reportOf(["a"], 40);
    const [unit] = report.plan?.units ?? [];
    const { grouping, alphas } = unit?.search.best ?? { grouping: { magnitudes: [], groups: [] }, alphas: [] };
    expect(grouping.magnitudes.length).toBeGreaterThan(1);
    const root = parse(reportPage(report));
    const panels = all(classed(root, "panels")[0] as Node, "figure");
    expect(panels.map((panel) => textOf(all(panel, "figcaption")[0] as Node))).toEqual([
      "activations before",
      "activations after",
      "weights before",
      "weights after",
    ]);
    for (const panel of panels) {
      const columns = columnPaths(panel).map(({ attributes }) => columnsIn(attributes.get("d")));
      const counts = grouping.magnitudes.map((_, g) => [...grouping.groups].filter((own) => own === g).length);
      expect(columns).toEqual(counts);
      expect(all(classed(panel, "numbers")[0] as Node, "text").map(textOf)).toEqual(counts.map((_, g) => `${g + 1}`));
    }
    const legend = all(all(root, "ul")[0] as Node, "li").map(textOf);
    alphas.forEach((alpha, g) => {
      expect(legend[g]).toMatch(new RegExp(`^group ${g + 1}: ${alpha === null ? "left as it is" : `alpha ${alpha}`},`));
    });
  });

  test("shows every set that was tried, and marks the one that was taken", () => {
    const report = reportOf(["a"]);
    const { trials, loss } = report.plan?.units[0]?.search ?? { trials: [], loss: 0 };
    const root = parse(reportPage(report));
    expect(classed(root, "tries").flatMap((row) => all(row, "circle"))).toHaveLength(trials.length);
    expect(all(classed(root, "sets")[0] as Node, "li")).toHaveLength(trials.length);
    const strip = classed(root, "strip")[0] as Node;
    const [ring] = classed(strip, "ring").flatMap((row) => all(row, "circle"));
    const dots = all(strip, "circle").map(({ attributes }) => Number.parseFloat(attributes.get("cx") ?? ""));
    expect(Number.parseFloat(ring?.attributes.get("cx") ?? "")).toBe(Math.max(...dots));
    const row = all(classed(root, "trials")[0] as Node, "tr").filter((row) => textOf(row).includes("✓ taken"));
    expect(row.map(textOf)).toEqual([expect.stringContaining(`${(-10 * Math.log10(loss)).toFixed(2)} dB`)]);
  });

  test("shows factors that are folded into weights, and their sets", () => {
    const names = HOSTILE.slice(0, 2);
    const root = parse(reportPage({ title: "m", plan: foldedOf(names, 40) }));
    const rows = all(root, "tr").map(textOf);
    expect(rows).toContainEqual(expect.stringContaining(`${names[0]}${names.join(", ")}4020.00 dB`));
    expect(classed(root, "trials")).toHaveLength(3);
    expectSound(root);
  });

  test("draws the curves of tuning with the best epoch", () => {
    const root = parse(WHOLE);
    const curves = classed(root, "curve").map(({ attributes }) => attributes.get("d") ?? "");
    expect(curves.map((d) => d.split(/[ML]/).length - 1)).toEqual([13, 13]);
    expect(textOf(classed(root, "curves")[0] as Node)).toContain("taken: epoch 9");
    // The model as it was, in both.
    expect(classed(root, "level")).toHaveLength(2);
    expect(all(root, "tr").map(textOf)).toContain("not compressed0.350094.00 %");
  });
});

describe("a page of little, or of much", () => {
  const parts: Report = reportOf(["a", "b"]);

  test.each(["bytes", "evaluation", "plan", "tuning"] as const)("of %s alone is a page", (part) => {
    const root = parse(reportPage({ title: "m", [part]: parts[part] }));
    expect(all(root, "h2").length).toBe(part === "evaluation" ? 2 : 1);
    expectSound(root);
  });

  test("of nothing is a page with a title", () => {
    const root = parse(reportPage({ title: "" }));
    expect(all(root, "section")).toEqual([]);
    const nothing = { ...evaluationOf([]), figures: {}, samples: 0 };
    const plan = { units: [], losses: { none: 0, factors: 0, taken: 0 } };
    expectSound(
      parse(reportPage({ title: "m", evaluation: nothing, plan, tuning: { scores: [], best: 0, early: false } })),
    );
  });

  test("of numbers that are none, or beyond all others, is sound", () => {
    for (const x of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -1, 5e-324, 1.7e308]) {
      const report = reportOf(["a", "b"], 3);
      const [unit] = planOf(["a"], 3).units as [NonNullable<Report["plan"]>["units"][0]];
      const odd = { value: x, low: x, high: x };
      const units: UnitLoss[] = (evaluationOf(["a", "b"]).units ?? []).map((unit) => ({ ...unit, snr: odd, mse: odd }));
      const page = reportPage({
        ...report,
        bytes: { before: x, after: x },
        evaluation: {
          ...evaluationOf([]),
          figures: { top1Original: odd, top1Compressed: NONE, top1Change: odd, kl: odd, snr: odd },
          units: [...units, { ...(units[0] as UnitLoss), snr: NONE, mse: NONE, notFinite: 2 }],
        },
        plan: {
          losses: { none: x, factors: x, taken: x },
          units: [
            {
              ...unit,
              maxima: { activations: Float32Array.of(x, 1, 0), weights: Float32Array.of(1, x, 0) },
              factors: Float32Array.of(0, x, 1),
              search: {
                ...{ best: unit.search.best, loss: x, none: x, single: { alpha: x, loss: x } },
                trials: [
                  { rule: "none", alphas: [], loss: x },
                  { rule: "one", alphas: [x], loss: x },
                ],
              },
            },
            { ...unit, factors: null, maxima: { activations: new Float32Array(0), weights: new Float32Array(0) } },
          ],
        },
        tuning: { scores: [0, 1].map(() => ({ loss: x, accuracy: x })), best: 1, early: false },
      });
      expectSound(parse(page));
    }
  });

  test("of 200 units of 1024 channels is below 2 MB, and folds them away", () => {
    const names = Array.from({ length: 200 }, (_, i) => `model.layers.${i}.attention.output.dense`);
    const page = reportPage(reportOf(names, 1024));
    expect(Buffer.byteLength(page)).toBeLessThan(2_000_000);
    const root = parse(page);
    const cards = classed(root, "card");
    expect(cards).toHaveLength(200);
    expect(cards.filter(({ attributes }) => attributes.has("open"))).toHaveLength(3);
    const columns = columnPaths(cards[0] as Node).map(({ attributes }) => columnsIn(attributes.get("d")));
    expect(columns.reduce((a, b) => a + b, 0)).toBeGreaterThan(4 * 64);
    expect(textOf(root)).toContain("The 20 units that lose most");
  });

  test("of one unit with many channels keeps to 256 columns, each the largest of its channels", () => {
    const report = reportOf(["a"], 5000);
    const root = parse(reportPage(report));
    const [first] = all(classed(root, "panels")[0] as Node, "figure");
    const paths = columnPaths(first as Node).map(({ attributes }) => attributes.get("d"));
    const columns = paths.reduce((sum, d) => sum + columnsIn(d), 0);
    expect(columns).toBeLessThanOrEqual(256);
    expect(columns).toBeGreaterThan(200);
    // The largest of all is at the top: 200 above the line.
    const rises = (paths.at(-1) ?? "").match(/v-?\d+/g) ?? [];
    expect(rises.reduce((sum, step) => sum - Number(step.slice(1)), 0)).toBe(200);
  });
});
