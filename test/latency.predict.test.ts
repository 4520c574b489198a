import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Description, Unit } from "../src/engine/engine.ts";
import { alike } from "../src/latency/alike.ts";
import { calibrate, type Known, type PartTime } from "../src/latency/calibrate.ts";
import { farOf } from "../src/latency/far.ts";
import { fused } from "../src/latency/fuse.ts";
import { partsOf } from "../src/latency/parts.ts";
import { type LatencyModel, latencyModel, partTimes, predictRun, specsOf } from "../src/latency/predict.ts";
import { regressor } from "../src/latency/regress.ts";
import { RUNS } from "../src/latency/run.ts";
import type { UnitSpec } from "../src/latency/spec.ts";
import { addEnvironment, addRow, type LatencyTable, newTable } from "../src/latency/table.ts";
import { workOf } from "../src/latency/work.ts";
import { design } from "../src/measure/design.ts";
import { relative } from "../src/measure/family.ts";
import { wholeFrom, wholeOf } from "../src/measure/whole.ts";
import { HERE, THERE } from "./latency.rows.ts";
import { random } from "./random.ts";

const environment = HERE;
const TOOL = { tool: "0.1.0", runtime: "1.30.0", date: "2026-11-26T08:00:00Z", count: 50 };

/** A machine that takes these times: sums of counts, with a factor that is smooth in the sizes. */
function trueTime(spec: UnitSpec): number {
  const { counts, place } = workOf(spec);
  const { macs = 0, weights = 0, read = 0, written = 0, columns = 0 } = counts;
  const smooth = 1 + 0.1 * Math.sin(place.reduce((sum, x) => sum + x, 0) / 6);
  const base = 0.004 + 2e-7 * macs + 1e-7 * weights + 3e-7 * (read + written) + 2e-7 * columns;
  return (spec.precision === "int8" ? 0.6 : 1) * base * smooth;
}

function tableOf(specs: Iterable<UnitSpec>, noise = 0): LatencyTable {
  const table = newTable();
  addEnvironment(table, environment);
  const next = random(5);
  for (const spec of specs) {
    const median = trueTime(spec) * (1 + noise * (2 * next() - 1));
    addRow(table, { ...spec, ...TOOL, environment: environment.id, median, spread: 0.01 * median });
  }
  return table;
}

function first(count: number): UnitSpec[] {
  const specs: UnitSpec[] = [];
  for (const spec of design()) if (specs.push(spec) === count) break;
  return specs;
}

function descriptionOf(index: number): Description {
  const { units, input } = relative(index);
  const info = (name: string, shape: readonly number[]) => ({ name, integer: false, shape });
  return {
    kind: "other",
    inputs: [info("x", input.shape)],
    outputs: [info("y", units.at(-1)?.outputShape ?? [])],
    units,
  };
}

const timeOf = (index: number, run: (typeof RUNS)[number]): number =>
  specsOf(wholeFrom(relative(index), run)).reduce((sum, spec) => sum + trueTime(spec), 0);

describe("models that the table has never seen", () => {
  const calls: UnitSpec[] = [16, 4096, 49152].flatMap((from) =>
    [10, 8192].map((to) => ({
      ...{ type: "run", form: "run", precision: "f32", batch: 1 },
      attributes: { in: [from], out: [to] },
    })),
  );
  const model = latencyModel(tableOf([...first(900), ...calls], 0.03), environment);

  test.each(Array.from({ length: 16 }, (_, i) => i))("graph %i of the family", (index) => {
    for (const run of ["f32", "int8", "w8"] as const) {
      const { ms, low, high, known } = predictRun(model, descriptionOf(index), () => run);
      const true_ = timeOf(index, run);
      expect(Math.abs(ms / true_ - 1)).toBeLessThan(0.1);
      expect(low).toBeLessThan(true_);
      expect(high).toBeGreaterThan(true_);
      expect(known).toBeLessThan(0.5);
    }
  });

  test("more work takes no less time, whichever size doubles", () => {
    const sizes = fc.tuple(
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 16, max: 400 }),
      fc.integer({ min: 16, max: 400 }),
    );
    fc.assert(
      fc.property(sizes, fc.integer({ min: 0, max: 2 }), ([rows, inputs, outputs], which) => {
        const spec = (factors: readonly number[]): UnitSpec => ({
          ...{ type: "dense", form: "Gemm", precision: "f32", batch: 1 },
          attributes: { rows: rows * factors[0], inputs: inputs * factors[1], outputs: outputs * factors[2] },
        });
        const doubled = [0, 1, 2].map((i) => (i === which ? 2 : 1));
        expect(model.unit(spec(doubled)).ms).toBeGreaterThanOrEqual(model.unit(spec([1, 1, 1])).ms);
      }),
    );
  });
});

test("a row of the very unit is what counts, and all of it is known", () => {
  const description = descriptionOf(3);
  const whole = wholeFrom(relative(3), "f32");
  const known = latencyModel(tableOf(specsOf(whole)), environment);
  const prediction = predictRun(known, description, () => "f32");
  expect(prediction.known).toBe(1);
  expect(prediction.ms).toBeCloseTo(timeOf(3, "f32"), 9);
  // Attributes in another order are the same unit.
  const [spec] = specsOf(whole).slice(1);
  const turned = Object.fromEntries(Object.entries(spec.attributes).reverse());
  expect(known.unit({ ...spec, attributes: turned }).from).toBe("row");
});

test("whole models that were measured set the factor of all", () => {
  const table = tableOf(first(600));
  for (const index of [0, 1, 2, 3, 5]) {
    const attributes = { seed: 1, index };
    const row = { type: "model", form: "family", precision: "f32", batch: 1, attributes, ...TOOL, spread: 0.001 };
    addRow(table, { ...row, environment: environment.id, median: 1.25 * timeOf(index, "f32") });
  }
  const model = latencyModel(table, environment, wholeOf);
  const bare = latencyModel(table, environment);
  const [with_, without] = [model, bare].map((each) => predictRun(each, descriptionOf(7), () => "f32").ms);
  expect(with_ / without).toBeGreaterThan(1.15);
  expect(with_ / without).toBeLessThan(1.35);
  expect(model.whole.deviation).toBeLessThan(bare.whole.deviation);
});

/** A unit of a type that takes so long alone. */
function part(type: string, ms: number, deviation = 0.1): PartTime {
  const attributes = { in: [1, 8, 8, 8], out: [1, 8, 8, 8], kernel: [3, 3], strides: [1, 1], groups: 1 };
  return { ms, deviation, spec: { type, form: type, attributes, precision: "f32", batch: 1 } };
}

test("groups have factors of their own where models show it, and else that of all", () => {
  const known = (share: number): Known => ({
    ms: 2 * share + 1 * (1 - share),
    parts: [part("conv", share), part("depthwise", 1 - share)],
  });
  const { told } = calibrate([0.1, 0.3, 0.5, 0.6, 0.8, 0.9, 0.2, 0.7].map(known));
  const factor = (type: string): number => told([part(type, 1)]).ms;
  expect(factor("conv")).toBeGreaterThan(1.8);
  expect(factor("depthwise")).toBeLessThan(1.2);
  expect(factor("pool")).toBeGreaterThan(1.2);
  expect(factor("pool")).toBeLessThan(1.8);
  expect(calibrate([known(0.5), known(0.4)]).told([part("conv", 1)]).ms).toBe(1);
});

test("convolutions of models that go through more than a megabyte have factors of their own", () => {
  const conv = (size: number): PartTime => {
    const { spec, ...rest } = part("conv", 1);
    const shape = [1, 8, size, size];
    return { ...rest, spec: { ...spec, attributes: { ...spec.attributes, in: shape, out: shape } } };
  };
  const models = [40, 50, 60, 70, 80, 90, 200, 210, 220, 230, 240].map((size) => ({
    ms: size < 150 ? 1 : 2,
    parts: [conv(size)],
  }));
  const { told } = calibrate(models);
  expect(told([conv(65)]).ms).toBeCloseTo(1, 1);
  expect(told([conv(215)]).ms).toBeGreaterThan(1.9);
});

/** @param layers - sizes of products of rows, which take as long by themselves as computing does */
function perceptron(rows: number, layers: readonly number[], precision = "f32"): PartTime[] {
  return layers.map((size) => {
    const attributes = { rows, inputs: size, outputs: size };
    const spec = { type: "dense", form: "Gemm", attributes, precision, batch: 1 };
    return { ms: (rows * size * size) / 1e8 + 0.001, deviation: 0.1, spec };
  });
}

test("weights that a cache does not hold take as long as they have bytes, whatever is computed with them", () => {
  const [mib, bandwidth] = [2 ** 20, 5e7];
  const taken = (parts: readonly PartTime[]): number => {
    const alone = parts.reduce((sum, { ms }) => sum + ms, 0);
    const bytes = parts.reduce((sum, { spec }) => sum + 4 * (spec.attributes.inputs as number) ** 2, 0);
    return 0.9 * alone + (bytes > 2.8 * mib ? bytes / bandwidth : 0);
  };
  const sizes = [64, 128, 192, 256, 320, 512, 640, 768];
  const all = [1, 4, 16].flatMap((rows) =>
    sizes.flatMap((size) => [2, 3, 5].map((count) => perceptron(rows, new Array(count).fill(size)))),
  );
  // Not those of which a part may be held: how much of it is, is the cache's own affair.
  const clear = all.filter((parts) => {
    const bytes = parts.reduce((sum, { spec }) => sum + 4 * (spec.attributes.inputs as number) ** 2, 0);
    return bytes < 1.4 * mib || bytes > 2.9 * mib;
  });
  const { told } = calibrate(clear.map((parts) => ({ ms: taken(parts), parts })));
  for (const unseen of [
    perceptron(1, [704, 704, 704, 704]),
    perceptron(16, [704, 704, 704, 704]),
    perceptron(1, [224, 224]),
  ]) {
    const { ms, parts } = told(unseen);
    expect(Math.abs(ms / taken(unseen) - 1)).toBeLessThan(0.05);
    expect(parts.reduce((sum, own) => sum + own, 0)).toBeCloseTo(ms, 9);
  }
});

test("none of them are far where all fit, and all where twice as many are; weights of 8 bits become floats on the way", () => {
  const specs = (size: number, precision = "f32") => perceptron(1, [size, size], precision).map(({ spec }) => spec);
  const far = (size: number, precision?: string): number =>
    farOf(specs(size, precision), 2 ** 20).reduce((sum, ms) => sum + ms, 0);
  expect(far(256)).toBe(0);
  expect(far(512)).toBeCloseTo((2 * 4 * 512 ** 2) / 30e6, 9);
  expect(far(512, "w8")).toBeCloseTo((2 * 5 * 512 ** 2) / 30e6, 9);
  expect(far(512, "int8")).toBe(0);
  expect(far(336)).toBeGreaterThan(0);
  expect(far(336)).toBeLessThan(far(512) / 4);
  expect(farOf([part("pool", 1).spec], 2 ** 18)).toEqual([0]);
});

test("of more models than are kept, those that are kept are no less sure of themselves", () => {
  const models = (count: number) =>
    Array.from({ length: count }, (_, i) => {
      const share = i / count;
      return { parts: [part("elementwise", share), part("norm", 1 - share)], off: i % 2 === 0 ? 0.05 : -0.05 };
    });
  // No model is like this one.
  const doubt = (count: number): number => alike(models(count)).at([part("conv", 100)]).doubt;
  expect(doubt(1600) / doubt(400)).toBeCloseTo(1, 2);
  // Every model is like this one.
  const middle = [part("elementwise", 0.5), part("norm", 0.5)];
  expect(alike(models(1600)).at(middle).doubt).toBeLessThan(0.01);
});

test("models that are alike are off by the same, of which others know nothing", () => {
  // What is mostly elementwise takes a third longer than its units, and both are of one group.
  const model = (share: number): Known => ({
    ms: share > 0.5 ? 1.3 : 1,
    parts: [part("elementwise", share), part("norm", 1 - share)],
  });
  const shares = Array.from({ length: 20 }, (_, i) => (i < 10 ? 0.02 * i : 1 - 0.02 * (i - 10)));
  const { told } = calibrate(shares.map(model));
  const [low, high] = [0.11, 0.89].map((share) => told(model(share).parts));
  expect(low?.ms).toBeCloseTo(1, 1);
  expect(high?.ms).toBeCloseTo(1.3, 1);
  expect(high?.parts.reduce((sum, ms) => sum + ms, 0)).toBeCloseTo(high?.ms as number, 9);
  // It is less sure of models that are like none.
  expect(told([part("conv", 1)]).deviation).toBeGreaterThan(low?.deviation as number);
});

describe("how far models are from what is told of them", () => {
  /** Models of three units whose times are off by as much as `left` says, told to err by `deviation` each. */
  function models(left: (i: number) => number, deviation: number): Known[] {
    const parts = [1, 2, 3].map((ms) => part("conv", ms, deviation));
    return Array.from({ length: 11 }, (_, i) => ({ ms: 6 * Math.exp(left(i)), parts }));
  }
  const even = (most: number) => (i: number) => ((i - 5) / 5) * most;
  const alone = (deviation: number): number => calibrate([]).told(models(even(0), deviation)[0]?.parts ?? []).deviation;

  test("is what models show, where units are told to err more", () => {
    const found = calibrate(models(even(0.05), 0.3));
    const { deviation } = found.told(models(even(0), 0.3)[0]?.parts ?? []);
    expect(alone(0.3)).toBeGreaterThan(0.15);
    expect(deviation).toBeCloseTo(found.deviation, 2);
    expect(deviation).toBeLessThan(0.08);
  });

  test("is what models show, where units are told to err less, and less for those of known units", () => {
    const found = calibrate(models(even(0.3), 0.05));
    const of = (own: number): number => found.told(models(even(0), own)[0]?.parts ?? []).deviation;
    expect(of(0.05)).toBeCloseTo(found.deviation, 6);
    expect(of(0.01)).toBeLessThan(of(0.05));
    expect(of(0)).toBeGreaterThan(0.15);
  });
});

describe("what nothing is known of", () => {
  const empty = latencyModel(tableOf([]), environment);

  test("is bounded by what machines can do, and never nothing", () => {
    for (const spec of first(200)) {
      const { ms, deviation, from } = empty.unit(spec);
      expect(ms).toBeGreaterThan(0);
      expect(deviation).toBeGreaterThan(0.5);
      expect(from).toBe("bound");
    }
    const odd: UnitSpec = { type: "other", form: "Mystery", attributes: {}, precision: "f32", batch: 1 };
    expect(empty.unit(odd).ms).toBeGreaterThan(0);
  });

  test("makes the interval of a model wide, and its share of rows 0", () => {
    const { ms, low, high, known } = predictRun(empty, descriptionOf(0), () => "f32");
    expect(known).toBe(0);
    expect(high / ms).toBeGreaterThan(1.5);
    expect(ms / low).toBeGreaterThan(1.5);
  });

  test("a batch is of models that leave it free: units of others have all of it", () => {
    const fixed = descriptionOf(0);
    const [input] = fixed.inputs;
    const free = { ...fixed, inputs: [{ ...input, shape: [-1, ...input.shape.slice(1)] }] };
    const [one, eight, own] = [
      predictRun(empty, free, () => "f32", 1),
      predictRun(empty, free, () => "f32", 8),
      predictRun(empty, fixed, () => "f32", 8),
    ];
    expect(eight.ms).toBeGreaterThan(2 * one.ms);
    expect(own).toEqual(one);
    const specs = (of: Description, batch: number) => partTimes(empty, of, () => "f32", batch).map(({ spec }) => spec);
    expect(specs(fixed, 8)).toEqual(specs(free, 1));
    expect(specs(free, 8)).not.toEqual(specs(free, 1));
  });

  test("a model without units takes what a call takes", () => {
    const none: Description = { ...descriptionOf(0), units: [] };
    expect(predictRun(empty, none, () => "f32").ms).toBeGreaterThan(0);
  });

  test("rows of other environments tell nothing", () => {
    const other = THERE;
    const model: LatencyModel = latencyModel(tableOf(first(50)), other);
    expect(model.unit(first(1)[0]).from).toBe("bound");
  });
});

test("a regressor finds the law behind exact rows", () => {
  const rows = [1, 2, 5, 9, 30, 64].flatMap((rows) =>
    [16, 100, 512].map((inputs) => {
      const spec: UnitSpec = {
        type: "dense",
        form: "Gemm",
        precision: "f32",
        batch: 1,
        attributes: { rows, inputs, outputs: 64 },
      };
      const median = 0.01 + 1e-7 * rows * inputs * 64;
      return {
        ...spec,
        environment: environment.id,
        median,
        spread: 0,
        count: 9,
        date: TOOL.date,
        tool: "0",
        runtime: "1",
        pooled: 1,
        outdated: 0,
      };
    }),
  );
  const made = regressor(rows);
  const at = (count: number): number =>
    made.at(workOf({ ...rows[0], attributes: { rows: count, inputs: 200, outputs: 64 } })).ms;
  expect(at(20)).toBeCloseTo(0.01 + 1e-7 * 20 * 200 * 64, 3);
});

describe("parts", () => {
  const parts = (index: number, run: (typeof RUNS)[number]): string[] =>
    partsOf(relative(index).units, () => run).map(({ spec }) => `${spec.form} ${spec.precision}`);

  test("floats are what they are", () => {
    expect(parts(3, "f32")).toEqual(relative(3).units.map(({ operators }) => `${operators.join("+")} f32`));
  });

  test("units that take the same value share its codes", () => {
    const codes = parts(1, "int8").filter((part) => part === "QuantizeLinear int8").length;
    const dense = parts(1, "int8").filter((part) => part.startsWith("MatMul+Add")).length;
    expect(codes).toBeLessThan(dense);
    expect(codes).toBeGreaterThan(0);
  });

  test("channels are last from the first convolution of integers to the last MaxPool behind them", () => {
    const { units } = relative(20);
    const specs = partsOf(units, () => "int8").map(({ spec }) => spec);
    const of = (...forms: string[]) =>
      specs.filter(({ form, precision }) => precision === "int8" && forms.includes(form));
    // What adds runs in floats; behind it, codes are made in front of the first MaxPool, and channels become last behind it.
    const last = of("Conv", "NhwcMaxPool", "MaxPool", "Transpose").map(({ form }) => form);
    expect(last).toEqual(["MaxPool", "Transpose", "Conv", "NhwcMaxPool", "Conv", "NhwcMaxPool", "Conv", "Transpose"]);
    const pooled = of("MaxPool")[0] as UnitSpec;
    expect(of("QuantizeLinear").at(-2)?.attributes.in).toEqual(pooled.attributes.in);
    expect(of("Transpose").map(({ attributes }) => attributes.in)).toEqual([pooled.attributes.out, [1, 96, 8, 8]]);
  });

  test("every unit is in one part at least, as itself or with others", () => {
    for (let index = 0; index < 24; index++) {
      const { units } = relative(index);
      for (const run of RUNS) {
        const named = new Set(partsOf(units, () => run).map(({ unit }) => unit));
        expect(fused(units).every(({ name }) => named.has(name))).toBe(true);
      }
    }
  });

  test("chains that something else takes from are left alone", () => {
    const unit = (name: string, operators: string[], inputs: string[]): Unit => ({
      ...{ name, type: "elementwise", operators, inputs, output: name, inputShape: [1, 4], outputShape: [1, 4] },
      ...{ weight: null, parameters: [], attributes: {}, macs: 0, bytes: 0 },
    });
    const sum = unit("sum", ["Add"], ["a", "b"]);
    const norm: Unit = { ...unit("norm", ["LayerNormalization"], ["sum"]), type: "norm" };
    expect(fused([sum, norm]).map(({ operators }) => operators)).toEqual([["Add", "LayerNormalization"]]);
    expect(fused([sum, norm, unit("later", ["Add"], ["sum", "norm"])])).toHaveLength(3);
    // What ends two chains is done once.
    const product = (name: string): Unit => ({ ...unit(name, ["MatMul"], [`${name}.in`]), type: "matmul" });
    const both = fused([product("p"), product("q"), unit("scaled", ["Mul"], ["p", "q"])]);
    expect(both.map(({ operators }) => operators)).toEqual([["MatMul", "Mul"], ["MatMul"]]);
  });
});
