import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Value } from "../src/engine/engine.ts";
import { type Detections, type LossKind, type LossOptions, type LossReport, newLoss } from "../src/evaluate.ts";
import { DataError } from "../src/index.ts";
import { sampleSums } from "../src/loss/sums.ts";
import { classFigures, cosineOf, perplexity, softmax, valueFigures } from "./reference/loss.ts";

const value = (rows: readonly (readonly number[])[]): Value => ({
  shape: [rows.length, rows[0]?.length ?? 3],
  data: Float32Array.from(rows.flat()),
});

type Rows = readonly (readonly number[])[];

function lossOf(
  kind: LossKind,
  original: Rows,
  compressed: Rows,
  labels?: number[],
  options?: LossOptions,
): LossReport {
  const loss = newLoss(kind, options);
  loss.add({
    original: value(original),
    compressed: value(compressed),
    labels: labels ? Int32Array.from(labels) : null,
  });
  return loss.report();
}

const figure = (report: LossReport, name: string): number | null => report.figures[name]?.value ?? null;

const float = (limit: number) => fc.float({ min: -limit, max: limit, noNaN: true, noDefaultInfinity: true });
const rowsOf = (count: number, width: number, limit: number) =>
  fc.array(fc.array(float(limit), { minLength: width, maxLength: width }), { minLength: count, maxLength: count });
const pairs = (limit: number, least = 2) =>
  fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: least, max: 9 })).chain(([count, width]) =>
    fc.record({
      original: rowsOf(count, width, limit),
      compressed: rowsOf(count, width, limit),
      labels: fc.array(fc.integer({ min: -1, max: width - 1 }), { minLength: count, maxLength: count }),
    }),
  );

describe("against the slow twin", () => {
  test("classes, of logits", () => {
    fc.assert(
      fc.property(pairs(20), ({ original, compressed, labels }) => {
        const report = lossOf("classes", original, compressed, labels, { scores: "logits", resamples: 3 });
        const expected = classFigures({ original, compressed }, labels, true);
        for (const [name, { value }] of Object.entries(report.figures)) {
          if (name === "snr" && !Number.isFinite(expected.snr)) expect(value).toBeNull();
          else expect(value, name).toBeCloseTo(expected[name], 6);
        }
        expect(report.loss).toEqual(report.figures.kl);
        expect("top1Change" in report.figures).toBe(labels.some((label) => label >= 0));
        expect("top5Change" in report.figures).toBe(labels.some((label) => label >= 0) && original[0].length > 5);
      }),
    );
  });

  test("classes, of probabilities, which are seen to be such", () => {
    fc.assert(
      fc.property(pairs(8), ({ original, compressed, labels }) => {
        const [p, q] = [original, compressed].map((rows) => rows.map((row) => softmax(row).map(Math.fround)));
        const auto = lossOf("classes", p, q, labels, { resamples: 3 });
        expect(auto).toEqual(lossOf("classes", p, q, labels, { resamples: 3, scores: "probabilities" }));
        const expected = classFigures({ original: p, compressed: q }, labels, false);
        for (const name of ["kl", "agreement", "confidence"])
          expect(figure(auto, name), name).toBeCloseTo(expected[name], 6);
        const logits = lossOf("classes", original, compressed, labels, { resamples: 3, scores: "logits" });
        expect(figure(logits, "kl")).toBeCloseTo(expected.kl, 4);
      }),
    );
  });

  test("values, in any batches", () => {
    fc.assert(
      fc.property(pairs(100, 1), fc.integer({ min: 1, max: 5 }), ({ original, compressed }, size) => {
        const loss = newLoss("values");
        for (let at = 0; at < original.length; at += size)
          loss.add({
            original: value(original.slice(at, at + size)),
            compressed: value(compressed.slice(at, at + size)),
          });
        const report = loss.report();
        expect(report).toEqual(lossOf("values", original, compressed));
        const expected = valueFigures({ original, compressed });
        expect(figure(report, "mse")).toBeCloseTo(expected.mse, 6);
        if (Number.isFinite(expected.snr)) expect(figure(report, "snr")).toBeCloseTo(expected.snr, 6);
        else expect(figure(report, "snr")).toBeNull();
      }),
    );
  });

  test("text", () => {
    const texts = fc
      .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 6 }), fc.integer({ min: 2, max: 7 }))
      .chain(([count, length, words]) => {
        const logits = fc.array(rowsOf(length, words, 10), { minLength: count, maxLength: count });
        const tokens = fc.array(fc.array(fc.nat(words - 1), { minLength: length, maxLength: length }), {
          minLength: count,
          maxLength: count,
        });
        return fc.record({ original: logits, compressed: logits, tokens, shape: fc.constant([count, length, words]) });
      });
    fc.assert(
      fc.property(texts, ({ original, compressed, tokens, shape }) => {
        const loss = newLoss("text", { resamples: 3, scores: "logits" });
        const of = (texts: number[][][]): Value => ({ shape, data: Float32Array.from(texts.flat(2)) });
        loss.add({
          original: of(original),
          compressed: of(compressed),
          tokens: { shape: shape.slice(0, 2), data: Int32Array.from(tokens.flat()) },
        });
        const report = loss.report();
        const flat = classFigures({ original: original.flat(), compressed: compressed.flat() }, [], true);
        for (const name of ["kl", "agreement", "confidence"])
          expect(figure(report, name), name).toBeCloseTo(flat[name], 6);
        expect("perplexityRatio" in report.figures).toBe(shape[1] > 1);
        if (shape[1] === 1) return;
        const [before, after] = [perplexity(original, tokens), perplexity(compressed, tokens)];
        for (const [name, x] of Object.entries({
          perplexityOriginal: before,
          perplexityCompressed: after,
          perplexityRatio: after / before,
        }))
          expect((figure(report, name) ?? Number.NaN) / x, name).toBeCloseTo(1, 6);
      }),
    );
  });

  test("vectors", () => {
    fc.assert(
      fc.property(pairs(50, 1), ({ original, compressed }) => {
        const cosines = original.map((row, n) => cosineOf(row, compressed[n]));
        fc.pre(cosines.every(Number.isFinite));
        const expected = cosines.reduce((a, b) => a + b, 0) / cosines.length;
        const report = lossOf("embedding", original, compressed);
        expect(figure(report, "cosine")).toBeCloseTo(expected, 6);
        expect(report.loss.value).toBeCloseTo(1 - expected, 6);
      }),
    );
  });
});

describe("degenerate outputs", () => {
  const rows = [
    [1, -2, 3],
    [0.5, 0, -9],
  ];

  test.each(["values", "classes", "embedding"] as const)("what did not change has a loss of 0: %s", (kind) => {
    const report = lossOf(kind, rows, rows, [0, 1]);
    expect(report.loss).toEqual({ value: 0, low: 0, high: 0 });
    expect(report.figures.mse).toEqual({ value: 0, low: 0, high: 0 });
    expect(report.figures.snr).toEqual({ value: null, low: null, high: null });
    expect(report).toMatchObject({ samples: 2, notFinite: 0 });
  });

  test("all zero: no signal, and equal classes", () => {
    const zero = [[0, 0, 0]];
    expect(lossOf("classes", zero, zero, [0])).toMatchObject({
      loss: { value: 0 },
      figures: { agreement: { value: 1 }, top1Compressed: { value: 1 } },
    });
    expect(lossOf("classes", zero, zero, [1])).toMatchObject({ figures: { top1Compressed: { value: 0 } } });
    expect(lossOf("values", zero, [[1, 1, 1]])).toMatchObject({ figures: { mse: { value: 1 }, snr: { value: null } } });
    expect(figure(lossOf("embedding", zero, zero), "cosine")).toBe(1);
    expect(figure(lossOf("embedding", zero, [[1, 0, 0]]), "cosine")).toBe(0);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("%s makes figures null, is counted, and is no agreement", (x) => {
    for (const kind of ["values", "classes", "embedding"] as const) {
      const report = lossOf(kind, rows, [[1, x, 3], rows[1]], [2, 0], { scores: "logits" });
      expect(report, kind).toMatchObject({ notFinite: 1, loss: { value: null }, figures: { mse: { value: null } } });
    }
    const classes = lossOf("classes", rows, [[x, x, x], rows[1]], [2, 0], { scores: "logits" });
    expect(classes).toMatchObject({
      figures: { agreement: { value: 0.5 }, top1Original: { value: 1 }, top1Compressed: { value: 0.5 } },
    });
    expect(JSON.parse(JSON.stringify(classes))).toEqual(classes);
  });

  test("logits beyond what exp can take", () => {
    const report = lossOf("classes", [[1e30, 0, -1e30]], [[3e38, 1, 0]], [0], { scores: "logits" });
    expect(report).toMatchObject({ loss: { value: 0 }, figures: { top1Compressed: { value: 1 } } });
    const far = lossOf("classes", [[1000, 0]], [[0, 1000]], [0], { scores: "logits" });
    expect(far.loss.value).toBeCloseTo(1000, 6);
  });

  test("a probability of 0 where the original has some is far, and not infinite", () => {
    const report = lossOf("classes", [[0.5, 0.5]], [[1, 0]], [0]);
    expect(report.loss.value).toBeCloseTo(0.5 * Math.log(0.5) + 0.5 * (Math.log(0.5) + 149 * Math.LN2), 6);
  });

  test("no samples, and one", () => {
    for (const kind of ["values", "classes", "embedding", "text", "detection"] as const) {
      const report = newLoss(kind).report();
      expect(report, kind).toMatchObject({
        kind,
        samples: 0,
        notFinite: 0,
        loss: { value: null, low: null, high: null },
      });
    }
    expect(lossOf("classes", [], [])).toMatchObject({ samples: 0, loss: { value: null } });
    const { mse } = lossOf("values", [[1, 2, 3]], [[1, 2, 4]]).figures;
    expect(mse.low).toBe(mse.value);
    expect(mse.high).toBe(mse.value);
  });

  test("outputs and labels that do not fit", () => {
    expect(() => lossOf("values", rows, [[1, 2, 3]])).toThrow(DataError);
    expect(() => lossOf("classes", rows, rows, [0, 3])).toThrow("label 3: the model has 3 classes");
    expect(() => lossOf("classes", [[1]], [[1]])).toThrow("are no classes");
    expect(() => lossOf("text", rows, rows)).toThrow("are no text");
    expect(() => lossOf("detection", rows, rows)).toThrow(DataError);
    const tokens = { shape: [1, 2], data: Int32Array.of(0, 5) };
    const text = { shape: [1, 2, 3], data: new Float32Array(6) };
    expect(() => newLoss("text").add({ original: text, compressed: text, tokens })).toThrow("token 5");
    expect(() =>
      newLoss("text").add({ original: text, compressed: text, tokens: { ...tokens, data: Int32Array.of(1) } }),
    ).toThrow("tokens of shape");
  });

  test("padding is left out of texts", () => {
    const of = (...data: number[]): Value => ({ shape: [1, 3, 2], data: Float32Array.from(data) });
    const loss = newLoss("text", { scores: "logits" });
    loss.add({
      original: of(0, 1, 0, 1, 5, 5),
      compressed: of(0, 1, 0, 1, 9, -9),
      tokens: { shape: [1, 3], data: Int32Array.of(0, 1, -1) },
    });
    const report = loss.report();
    expect(report.loss.value).toBe(0);
    expect(figure(report, "perplexityOriginal")).toBeCloseTo(1 / softmax([0, 1])[1], 6);
  });
});

describe("detection", () => {
  const found = (...list: [box: number[], score: number, kind: number][]): Detections => ({
    boxes: Float32Array.from(list.flatMap(([box]) => box)),
    scores: Float32Array.from(list, ([, score]) => score),
    classes: list.map(([, , kind]) => kind),
  });
  const none: Value = { shape: [0], data: new Float32Array(0) };
  const report = (original: Detections[], compressed: Detections[]) => {
    const loss = newLoss("detection");
    loss.add({ original: none, compressed: none, detections: { original, compressed } });
    return loss.report();
  };
  const [A, B] = [
    [0, 0, 10, 10],
    [20, 20, 30, 30],
  ];

  test("what did not change, and nothing at all", () => {
    const same = report([found([A, 0.5, 1], [B, 0.75, 2])], [found([B, 0.75, 2], [A, 0.5, 1])]);
    expect(same).toMatchObject({
      loss: { value: 0 },
      figures: {
        quality: { value: 1 },
        classAgreement: { value: 1 },
        iou: { value: 1 },
        score: { value: 0 },
        lost: { value: 0 },
        added: { value: 0 },
      },
    });
    expect(report([found()], [found()])).toMatchObject({
      loss: { value: 0 },
      figures: { iou: { value: null }, lost: { value: 0 } },
    });
  });

  test("boxes lost, added, moved, and of another class", () => {
    const moved = [0, 0, 10, 8];
    const { figures } = report(
      [found([A, 0.5, 1], [B, 1, 2])],
      [found([moved, 0.75, 1], [B, 0.5, 3], [[50, 50, 60, 60], 1, 1])],
    );
    expect(figures).toMatchObject({
      classAgreement: { value: 0.5 },
      score: { value: 0.375 },
      lost: { value: 0 },
      added: { value: 1 },
    });
    expect(figures.iou.value).toBeCloseTo(0.8, 6);
    expect(figures.quality.value).toBeCloseTo(0.8 / 2.5, 6);
    expect(report([found([A, 1, 1])], [found()])).toMatchObject({
      loss: { value: 1 },
      figures: { lost: { value: 1 } },
    });
  });

  test("the larger overlap is matched first, within a class before others", () => {
    const near = [0, 0, 10, 9];
    const { figures } = report([found([A, 1, 1])], [found([near, 1, 1], [A, 0.5, 1])]);
    expect(figures).toMatchObject({ iou: { value: 1 }, score: { value: 0.5 }, added: { value: 1 } });
    const other = report([found([A, 1, 1])], [found([A, 1, 2], [near, 1, 1])]);
    expect(other.figures).toMatchObject({ classAgreement: { value: 1 }, added: { value: 1 } });
  });

  test("boxes without area, turned over, or not numbers match nothing", () => {
    for (const box of [
      [5, 5, 5, 5],
      [10, 10, 0, 0],
      [Number.NaN, 0, 10, 10],
    ])
      expect(report([found([box, 1, 1])], [found([box, 1, 1])]), `${box}`).toMatchObject({
        figures: { lost: { value: 1 }, added: { value: 1 } },
      });
    expect(report([found([[Number.NaN, 0, 1, 1], 1, 1])], [found()]).notFinite).toBe(1);
    expect(() => report([found()], [])).toThrow(DataError);
    expect(() => report([{ ...found([A, 1, 1]), classes: [] }], [found()])).toThrow("do not belong together");
  });
});

describe("intervals", () => {
  test("hold the figure, and are the same for the same seed", () => {
    fc.assert(
      fc.property(pairs(10), fc.nat(), ({ original, compressed, labels }, seed) => {
        const report = lossOf("classes", original, compressed, labels, { seed, resamples: 50 });
        expect(lossOf("classes", original, compressed, labels, { seed, resamples: 50 })).toEqual(report);
        for (const { low, high } of Object.values(report.figures))
          if (low !== null && high !== null) expect(low).toBeLessThanOrEqual(high);
      }),
    );
  });

  test("of a mean hold the true mean about as often as they say", () => {
    let held = 0;
    for (let trial = 0; trial < 200; trial++) {
      const sums = sampleSums(2, { seed: trial, resamples: 200 });
      let state = trial * 7919 + 1;
      for (let i = 0; i < 60; i++) {
        // A linear congruential generator of its own, uniform in [0, 1).
        state = (state * 1103515245 + 12345) % 2 ** 31;
        sums.add([1, state / 2 ** 31]);
      }
      const { mean } = sums.figures({ mean: ([n = 0, sum = 0]) => sum / n });
      if ((mean.low ?? 1) <= 0.5 && (mean.high ?? 0) >= 0.5) held++;
    }
    // 190 of 200 are expected, with a standard deviation of 3.
    expect(held).toBeGreaterThan(175);
    expect(held).toBeLessThan(200);
  });

  test("rows beyond the places keep the figure exact, and the interval as wide", () => {
    const of = (count: number) => {
      const sums = sampleSums(2, { seed: 3, resamples: 300 });
      for (let i = 0; i < count; i++) sums.add([1, i % 2]);
      return sums.figures({ mean: ([n = 0, sum = 0]) => sum / n }).mean;
    };
    const { value, low, high } = of(20_000);
    expect(value).toBe(0.5);
    // 1.96 * 2 * 0.5 / sqrt(20000)
    expect((high ?? 0) - (low ?? 0)).toBeGreaterThan(0.75 * 0.01386);
    expect((high ?? 0) - (low ?? 0)).toBeLessThan(1.25 * 0.01386);
  });

  test("arguments", () => {
    expect(() => sampleSums(2, { resamples: 0 })).toThrow('"resamples"');
    expect(() => sampleSums(2).add([1])).toThrow('"row"');
    expect(() => newLoss("detection", { iou: 0 })).toThrow('"iou"');
  });
});
