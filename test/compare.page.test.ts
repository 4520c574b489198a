import { describe, expect, test } from "vitest";
import { compare } from "../src/compare/compare.ts";
import type { Comparison, Figures, TensorEqual, TensorFigures } from "../src/compare/comparison.ts";
import { placeLabels } from "../src/compare/page/labels.ts";
import { comparisonPage } from "../src/compare/page/page.ts";
import { element, escapeText } from "../src/page/markup.ts";
import { modelOf, tensorOf } from "./files.ts";
import { random, weights } from "./helpers.ts";
import { HOSTILE } from "./names.ts";
import { all, type Node, nodesOf, parse, textOf } from "./page.ts";

// The page: well formed, of one piece, and safe whatever names a model has.

let measured: Promise<Comparison> | undefined;

function hostile(): Promise<Comparison> {
  measured ??= measureHostile();
  return measured;
}

function measureHostile(): Promise<Comparison> {
  const tensors = HOSTILE.map((name, i) => tensorOf(name, "F32", [32, 40], weights(1280, i + 1)));
  return compare(modelOf([...tensors, tensorOf("<b>", "F32", [3], weights(3, 9))]), { points: 3, plan: "int8 > auto" });
}

describe("the page", () => {
  test("is well formed, has a title, a language, and names for its drawings", async () => {
    const html = comparisonPage(`<model> & "more"`, await hostile());
    const root = parse(html);
    expect([root.name, root.attributes.get("lang")]).toEqual(["html", "en"]);
    expect(textOf(all(root, "title")[0] as Node)).toBe(`<model> & "more": bits and error`);
    const drawings = all(root, "svg").filter(({ attributes }) => attributes.get("aria-hidden") !== "true");
    expect(drawings.length).toBe(1 + 4 + 6);
    for (const { attributes } of drawings) {
      expect(attributes.get("role")).toBe("img");
      expect(attributes.get("aria-label")?.length).toBeGreaterThan(10);
    }
    const ids = [...nodesOf(root)].map(({ attributes }) => attributes.get("id")).filter((id) => id !== undefined);
    for (const { attributes } of all(root, "section")) expect(ids).toContain(attributes.get("aria-labelledby"));
    expect(new Set(ids).size).toBe(ids.length);
    expect(all(root, "meta").map(({ attributes }) => attributes.get("name"))).toContain("viewport");
    expect(html).toContain("prefers-color-scheme: dark");
  });

  test("shows names as they are, as text, without what no page can hold", async () => {
    const root = parse(comparisonPage("m", await hostile()));
    const names = all(root, "bdi").map(textOf);
    for (const name of HOSTILE.slice(0, 3)) expect(names.filter((shown) => shown === name)).toHaveLength(2);
    expect(names).toContain("\u202eright\ufffdto\ufffdleft\ufffd");
  });

  test("fetches nothing and runs nothing", async () => {
    const html = comparisonPage("m", await hostile());
    const names = new Set([...nodesOf(parse(html))].map(({ name }) => name));
    for (const name of ["script", "link", "img", "iframe", "object", "embed", "use", "image", "base", "form"])
      expect(names).not.toContain(name);
    for (const { attributes } of nodesOf(parse(html))) {
      for (const key of attributes.keys()) expect(key).not.toMatch(/^on|^href$|^src$|^style$|^xlink/);
    }
    expect(html).not.toMatch(/https?:|url\(|@import|data:/i);
  });

  test("draws numbers only, inside the drawing", async () => {
    const root = parse(comparisonPage("m", await hostile()));
    for (const node of nodesOf(root)) {
      for (const key of ["x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height"]) {
        const value = node.attributes.get(key);
        if (value === undefined) continue;
        expect(Number(value), `${key} of ${node.name}`).toBeGreaterThanOrEqual(0);
        expect(Number(value)).toBeLessThanOrEqual(1000);
      }
      expect(node.attributes.get("d") ?? "").not.toMatch(/NaN|Infinity|undefined/);
    }
  });

  test("has the figures: a point for every file, and the same numbers in its tables", async () => {
    const found = await hostile();
    const root = parse(comparisonPage("m", found));
    const files: Figures[] = [
      ...found.curve,
      ...found.formats.flatMap(({ own, same, equal }) => [own, same, equal]),
    ].filter((f) => f !== null);
    const titles = all(root, "title").map(textOf);
    for (const { bits, bytes } of files) {
      const wanted = `${bits.toFixed(2)} bits per weight`;
      const size = `${bytes.toLocaleString("en")} bytes`;
      expect(
        titles.some((title) => title.includes(wanted) && title.endsWith(size)),
        size,
      ).toBe(true);
    }
    expect(
      all(root, "circle").filter(({ attributes }) => /^(ours|other|same|equal)$/.test(attributes.get("class") ?? ""))
        .length,
    ).toBe(files.length + 4);
    const cells = new Set(all(root, "td").map(textOf));
    for (const { own, equal } of found.formats) {
      expect(cells).toContain(own?.bytes.toLocaleString("en"));
      expect(cells).toContain(`${(100 * (equal?.saved as number)).toFixed(1)} %`);
    }
  });

  test("exists for a model without any error, and for one that no format can hold", async () => {
    const zeros = modelOf([tensorOf("z", "F32", [40, 50], new Float32Array(2000))]);
    const empty = parse(comparisonPage("m", await compare(zeros, { points: 1 })));
    expect(textOf(empty)).toContain("No file has an error.");
    const huge = modelOf([
      tensorOf(
        "w",
        "F32",
        [40, 50],
        weights(2000, 5).map((x) => 1e8 * x),
      ),
    ]);
    const text = textOf(parse(comparisonPage("m", await compare(huge, { points: 1 }))));
    expect(text).toContain('GGUF Q4_0: tensor "w"');
    expect(text).not.toContain("Where the bytes go");
  });

  test("of many tensors shows the largest, and the sum of the others", async () => {
    const found = await hostile();
    const [one] = found.tensors as [TensorFigures];
    const tensors = Array.from({ length: 45 }, (_, i): TensorFigures => {
      const equal = { ...(one.equal as TensorEqual), bytes: 1000 + i, codes: 900 + i };
      return { ...one, name: `t${i}`, elements: 1280 + i, equal, histogram: i < 5 ? null : one.histogram };
    });
    const root = parse(comparisonPage("m", { ...found, tensors, quantized: { tensors: 45, elements: 60000 } }));
    expect(all(root, "figure")).toHaveLength(40);
    expect(textOf(all(root, "figcaption")[0] as Node)).toContain("t44");
    expect(textOf(root)).toContain("5 smaller tensors5,010");
    expect(textOf(root)).toContain("The largest 40 of 45 quantized tensors");
  });
});

describe("markup", () => {
  test("escapes text and attributes, not markup", () => {
    expect(escapeText(`<a href="x">&'`)).toBe("&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
    expect(element("p", { title: '"' }, "<", element("b", {}, 1), null).markup).toBe(
      '<p title="&quot;">&lt;<b>1</b></p>',
    );
    expect(element("circle", { r: 1 / 3, cx: undefined }).markup).toBe('<circle r="0.33"/>');
  });
});

describe("labels", () => {
  test("never overlap, and stay by their points", () => {
    const next = random(5);
    for (let turn = 0; turn < 50; turn++) {
      const spots = Array.from({ length: 6 }, (_, i) => ({
        x: 50 + 600 * next(),
        y: 400 * next(),
        text: `format ${i}`,
      }));
      const labels = placeLabels(spots, 744);
      expect(labels.map(({ text }) => text).sort()).toEqual(spots.map(({ text }) => text));
      const ys = labels.map(({ y }) => y).sort((a, b) => a - b);
      for (let i = 1; i < ys.length; i++)
        expect((ys[i] as number) - (ys[i - 1] as number)).toBeGreaterThanOrEqual(15.99);
      for (const { x, y, text, from } of labels) {
        expect(x + 7 * text.length).toBeLessThanOrEqual(744);
        expect(Math.abs(y - from.y)).toBeLessThan(6 * 16);
      }
    }
  });
});
