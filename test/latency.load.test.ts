import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { costTable } from "../src/container/estimate.ts";
import { boundSpeed, type ChunkWork, type DecodeSpeed, decodeSpeed } from "../src/latency/decoding.ts";
import { type LoadFile, type LoadPlan, type LoadPrediction, predictLoad } from "../src/latency/load.ts";
import { nonNegative } from "../src/latency/nnls.ts";
import { keyText } from "../src/latency/row.ts";
import { addEnvironment, addRow, type Environment, newEnvironment, newTable, type Row } from "../src/latency.ts";
import { decodeUnits } from "../src/measure/decode.ts";
import { open } from "../src/read.ts";
import { modelOf, packed, SIMD, tensorOf } from "./files.ts";
import { random, weights } from "./helpers.ts";
import { FACTS, ROW } from "./latency.rows.ts";
import { serve } from "./server.ts";

// Load times before there is a file. How close they come to measured ones: npm run bench:load -- predict.

/** 1000 bytes a millisecond. */
const LINE = { bandwidth: 8e6, roundTrip: 10 };
const PLACE = newEnvironment({ ...FACTS, line: LINE });
const SPEED: DecodeSpeed = {
  open: () => 5,
  request: 0,
  chunk: ({ steps }) => steps,
  ...{ rare: 7, tensor: 1, factor: 2, rows: 9 },
};

function chunkOf(stored: number, steps: number): ChunkWork {
  return { stored, steps, elements: 1000, form: "int8", smooth: false, rare: false };
}

function fileOf(headerBytes: number, chunks: readonly ChunkWork[]): LoadFile {
  const fileBytes = chunks.reduce((sum, { stored }) => sum + stored, headerBytes);
  const tensors = chunks.map(({ elements }, i) => ({ firstChunk: i, chunks: 1, elements }));
  return { headerBytes, rareHeader: false, fileBytes, chunks, tensors, peak: 5e5 };
}

function predicted(file: LoadFile, plan?: LoadPlan, place = PLACE, speed = SPEED): LoadPrediction {
  const { prediction, reason } = predictLoad(file, place, speed, plan);
  expect(reason).toBeNull();
  return prediction as LoadPrediction;
}

describe("a timeline", () => {
  const tcp = { connecting: 1 };

  test("of one chunk: a connection, the header, another connection, the rest", () => {
    const { ms, first, known, memory } = predicted(fileOf(1000, [chunkOf(100_000, 3)]), tcp);
    // The header is there after two round trips and 1 ms. It is read at 26, when 6000 of the first 8192 bytes have come.
    const rest = 26 + 20 + (101_000 - 8192) / 1000;
    expect(ms).toBeCloseTo(rest + 3 + 1, 9);
    expect(first.ms).toBe(ms);
    expect(known).toBeCloseTo((ms - 5 - 3 - 1) / ms, 9);
    expect(memory).toBe(5e5 + 4000);
  });

  test("of a file that comes with the first request", () => {
    const { ms } = predicted(fileOf(1000, [chunkOf(4000, 3)]), { ...tcp, connected: true });
    // All is there at 15; the header, at 11, takes until 16.
    expect(ms).toBeCloseTo(16 + 3 + 1, 9);
    expect(predicted(fileOf(1000, [chunkOf(100_000, 3)]), { first: Infinity, connecting: 0 }).ms).toBeCloseTo(115, 9);
  });

  test("of a header longer than the first request, whose connection is free when the rest is asked for", () => {
    const { ms } = predicted(fileOf(20_000, [chunkOf(50_000, 3)]), { ...tcp, connected: true });
    // The first bytes say how long it is at 10.088, while 8192 come until 18.192: the second request needs a connection of its own.
    const header = 10.088 + 20 + (20_000 - 8192) / 1000;
    expect(ms).toBeCloseTo(header + 5 + 10 + 50 + 3 + 1, 9);
  });

  test("of chunks that are decoded while others come", () => {
    const start = 16 + 10 - 10 + 10;
    const plan = { connected: true, connecting: 0 };
    const of = (chunks: ChunkWork[]) => predicted(fileOf(1000, chunks), plan);
    // Decoding is hidden but for the last chunk.
    const hidden = of(Array.from({ length: 10 }, () => chunkOf(10_000, 4)));
    expect(hidden.ms).toBeCloseTo(start + (101_000 - 8192) / 1000 + 4 + 1, 9);
    expect(hidden.first.ms).toBeCloseTo(start + (11_000 - 8192) / 1000 + 4 + 1, 9);
    // The line is hidden but for the first.
    const bound = of(Array.from({ length: 10 }, () => chunkOf(10_000, 40)));
    expect(bound.ms).toBeCloseTo(start + (11_000 - 8192) / 1000 + 10 * 41, 9);
    expect(bound.known).toBeLessThan(0.3);
    expect(hidden.known).toBeGreaterThan(0.9);
  });

  test("of what needs more code, which is loaded once", () => {
    const rare = { ...chunkOf(2000, 3), rare: true };
    const plan = { connected: true };
    const of = (chunks: ChunkWork[], rareHeader = false) => predicted({ ...fileOf(1000, chunks), rareHeader }, plan).ms;
    const common = of([chunkOf(2000, 3), chunkOf(2000, 3)]);
    expect(of([chunkOf(2000, 3), rare]) - common).toBeCloseTo(7, 9);
    expect(of([rare, rare]) - common).toBeCloseTo(7, 9);
    expect(of([rare, rare], true) - common).toBeCloseTo(7, 9);
    expect(of([chunkOf(2000, 3), chunkOf(2000, 3)], true) - common).toBeCloseTo(7, 9);
  });

  test("of requests that take time themselves, one after the other", () => {
    const file = fileOf(1000, [chunkOf(100_000, 3)]);
    const of = (request: number) => predicted(file, { connected: true }, PLACE, { ...SPEED, request }).ms;
    expect(of(0.5) - of(0)).toBeCloseTo(2 * 0.5, 9);
    const whole = (request: number) => predicted(file, { first: Infinity }, PLACE, { ...SPEED, request }).ms;
    expect(whole(0.5) - whole(0)).toBeCloseTo(0.5, 9);
  });

  test("of tensors that share a chunk, and of none", () => {
    const file = fileOf(1000, [chunkOf(2000, 3)]);
    const shared = { firstChunk: 0, chunks: 1, elements: 10 };
    const plan = { connected: true };
    const three = predicted({ ...file, tensors: [shared, shared, shared] }, plan);
    expect(three.ms - predicted(file, plan).ms).toBeCloseTo(2, 9);
    expect(three.ms - three.first.ms).toBeCloseTo(2, 9);
    const none = predicted(fileOf(200, []), plan);
    expect(none.ms).toBeCloseTo(10 + 0.2 + 5, 9);
    expect(none.first.ms).toBe(none.ms);
  });

  test("is never before the line and the work alone, and between its bounds", () => {
    const chunk = fc.record({
      stored: fc.integer({ min: 1, max: 3e5 }),
      steps: fc.double({ min: 0, max: 50, noNaN: true }),
    });
    const line = fc.record({
      bandwidth: fc.double({ min: 1e5, max: 1e10, noNaN: true }),
      roundTrip: fc.double({ min: 0, max: 500, noNaN: true }),
    });
    const plan = fc.record({
      first: fc.constantFrom(88, 8192, 32_768, Infinity),
      connecting: fc.integer({ min: 0, max: 3 }),
      connected: fc.boolean(),
    });
    const header = fc.integer({ min: 88, max: 50_000 });
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 9 }), line, plan, header, (chunks, line, plan, headerBytes) => {
        const file = fileOf(
          headerBytes,
          chunks.map(({ stored, steps }) => chunkOf(stored, steps)),
        );
        const place = newEnvironment({ ...FACTS, line });
        const found = predicted(file, plan, place);
        const { ms, first, known } = found;
        const slack = 1 + 1e-9;
        const sent = (8000 * file.fileBytes) / line.bandwidth;
        expect(ms * slack).toBeGreaterThanOrEqual(line.roundTrip + (chunks.length > 0 ? sent : 0));
        expect(ms * slack).toBeGreaterThanOrEqual(chunks.reduce((sum, { steps }) => sum + steps, chunks.length + 5));
        for (const each of [found, first]) {
          expect(each.low).toBeGreaterThan(0);
          expect(each.low).toBeLessThanOrEqual(each.ms);
          expect(each.high).toBeGreaterThanOrEqual(each.ms);
        }
        expect(first.ms).toBeLessThanOrEqual(ms);
        expect(known).toBeGreaterThanOrEqual(0);
        expect(known).toBeLessThanOrEqual(1);
        const faster = newEnvironment({ ...FACTS, line: { ...line, bandwidth: 2 * line.bandwidth } });
        // A connection more may be opened, where the first answer was at its end before.
        const connecting = plan.connecting * line.roundTrip;
        expect(predicted(file, plan, faster).ms).toBeLessThanOrEqual(ms * slack + connecting);
      }),
    );
  });

  test("has slow starts of far connections above it", () => {
    const file = fileOf(1000, [chunkOf(1e6, 3)]);
    const far = newEnvironment({ ...FACTS, line: { bandwidth: 1e8, roundTrip: 100 } });
    const { ms, high } = predicted(file, {}, far);
    // Ten packets, twice, four times ... of a rate at which 1.25 MB come in a round trip.
    expect(high - ms).toBeGreaterThan(5 * 100);
  });
});

describe("what is not known", () => {
  const file = fileOf(1000, [chunkOf(100_000, 3)]);

  test.each([
    [{ bandwidth: null, roundTrip: 10 }, "the bandwidth of a machine is not known"],
    [{ bandwidth: 8e6, roundTrip: null }, "the round trip of a machine is not known"],
  ])("of the line is a reason: %j", (line, expected) => {
    const { prediction, reason } = predictLoad(file, newEnvironment({ ...FACTS, line }), SPEED);
    expect(prediction).toBeNull();
    expect(reason).toContain(expected);
  });

  test("of decoding is a bound, and wide", () => {
    const slow = chunkOf(1000, 1e9);
    const { prediction } = predictLoad(fileOf(1000, [slow]), PLACE, newTable());
    const { ms, low, high } = prediction as LoadPrediction;
    expect(ms).toBeGreaterThan(100);
    expect(high / low).toBeGreaterThan(10);
    for (const chunk of [chunkOf(1, 0), { ...chunkOf(1, 0), elements: 0 }])
      expect(boundSpeed().chunk(chunk)).toBeGreaterThan(0);
  });

  test("cannot be asked for", () => {
    expect(() => predictLoad(file, PLACE, SPEED, { first: 87 })).toThrow('"first" expected at least 88, got 87');
    expect(() => predictLoad(file, PLACE, SPEED, { connecting: -1 })).toThrow("connecting");
  });
});

describe("the speed of decoding", () => {
  const runtime = { name: "quern", version: "0.1.0", threads: 1 } as const;
  const own = newEnvironment({ ...FACTS, runtime });

  /** Rows that take what coefficients say, times what `noise` gives. */
  function rowsOf(environment: Environment, noise: () => number): Row[] {
    const row = { ...ROW, environment: environment.id, type: "decode", precision: "f32" };
    const opened = [10, 100, 1000, 20, 50, 20, 40].map((tensors, i) => {
      const [rare, asked] = [i === 3 || i === 4 ? 1 : 0, i > 4 ? 1 : 0];
      const header = 400 + 90 * tensors + tensors ** 1.2;
      const median = (0.5 + 1e-5 * header + 2e-3 * tensors + 4 * rare + 0.3 * asked) * noise();
      return { ...row, form: "open", attributes: { header, tensors, rare, asked }, median };
    });
    const next = random(5);
    const decoded = Array.from({ length: 40 }, (_, i) => {
      const form = i % 2 ? "int8" : "f32";
      const [elements, tensors] = [1e6 * next(), Math.ceil(50 * next())];
      const chunks = tensors + Math.ceil(20 * next());
      const [stored, steps] = [elements * next(), 4 * elements * next()];
      const smooth = i % 3 ? 0 : elements;
      const rare = i % 5 ? 0 : chunks;
      const each = form === "int8" ? 1e-6 : 3e-7;
      const work =
        0.02 * tensors + 0.01 * chunks + 1e-7 * stored + 2e-7 * steps + 5e-7 * smooth + 0.3 * rare + each * elements;
      const attributes = { elements, tensors, chunks, stored, steps, ...(smooth && { smooth }), rare };
      return { ...row, form, attributes, median: work * noise() };
    });
    return [...opened, ...decoded];
  }

  function tableOf(noise: () => number, environment = own) {
    const table = newTable();
    addEnvironment(table, environment);
    for (const row of rowsOf(environment, noise)) addRow(table, row);
    return table;
  }

  test("is found from rows of quern's own kernels on the same machine", () => {
    const { open, request, chunk, tensor, rare, factor, rows } = decodeSpeed(
      tableOf(() => 1),
      PLACE,
    );
    expect(rows).toBe(47);
    expect(open(5000, 20)).toBeCloseTo(0.5 + 0.05 + 0.04, 4);
    expect(request).toBeCloseTo(0.3, 4);
    expect(tensor).toBeCloseTo(0.02, 4);
    const work = { stored: 1e5, steps: 1e6, elements: 2e5, form: "int8", smooth: false, rare: false };
    expect(chunk(work)).toBeCloseTo(0.01 + 0.01 + 0.2 + 0.2, 3);
    expect(chunk({ ...work, smooth: true })).toBeCloseTo(0.52, 3);
    expect(chunk({ ...work, rare: true })).toBeCloseTo(0.42 + 0.3, 3);
    expect(rare).toBeCloseTo(4, 4);
    expect(chunk({ ...work, form: "f32" })).toBeCloseTo(0.01 + 0.01 + 0.2 + 0.06, 3);
    // What was not measured is as slow as the slowest.
    expect(chunk({ ...work, form: "bf16" })).toBe(chunk(work));
    // However good rows are, another run differs.
    expect(factor).toBe(1.1);
  });

  test("is less sure where rows scatter", () => {
    const next = random(7);
    const speed = decodeSpeed(
      tableOf(() => 1 + 0.6 * (next() - 0.5)),
      PLACE,
    );
    // Uniform over 0.7 to 1.3: a deviation of 0.17.
    expect(speed.factor).toBeGreaterThan(1.2);
    expect(speed.factor).toBeLessThan(1.5);
    expect(speed.chunk(chunkOf(1e5, 1e6))).toBeGreaterThan(0);
  });

  test("is not that of another machine, host or count of threads, nor of few rows", () => {
    const elsewhere: Environment[] = [
      newEnvironment({ ...FACTS, runtime, cpu: { ...FACTS.cpu, model: "another" } }),
      newEnvironment({ ...FACTS, runtime, host: { name: "chromium", version: "140" } }),
      newEnvironment({ ...FACTS, runtime: { ...runtime, threads: 2 } }),
      newEnvironment(FACTS),
    ];
    for (const other of elsewhere)
      expect(
        decodeSpeed(
          tableOf(() => 1, other),
          PLACE,
        ).rows,
      ).toBe(0);
    const few = newTable();
    addEnvironment(few, own);
    for (const row of rowsOf(own, () => 1).slice(0, 9)) addRow(few, row);
    expect(decodeSpeed(few, PLACE).rows).toBe(0);
  });
});

describe("least squares without negative coefficients", () => {
  test("fulfil what sets the least apart", () => {
    const value = fc.double({ min: -10, max: 10, noNaN: true });
    const rows = fc.integer({ min: 1, max: 4 }).chain((columns) => {
      const row = fc.array(value, { minLength: columns, maxLength: columns });
      return fc.array(fc.tuple(row, value), { minLength: columns, maxLength: 12 });
    });
    fc.assert(
      fc.property(rows, (given) => {
        const [matrix, targets] = [given.map(([row]) => row), given.map(([, target]) => target)];
        const x = nonNegative(matrix, targets);
        const residuals = matrix.map((row, i) => row.reduce((sum, a, j) => sum + a * x[j], -targets[i]));
        for (const [j, coefficient] of x.entries()) {
          expect(coefficient).toBeGreaterThanOrEqual(0);
          const length = Math.hypot(...matrix.map((row) => row[j]));
          if (length < 1e-6) continue;
          const slope = residuals.reduce((sum, r, i) => sum + r * matrix[i][j], 0) / length;
          // No way down: neither by more of it, nor by less where there is some.
          const close = 1e-3 * (1 + Math.hypot(...targets));
          expect(slope).toBeGreaterThan(-close);
          if (coefficient > 0) expect(slope).toBeLessThan(close);
        }
      }),
    );
  });

  test("leave out what would have to be negative", () => {
    const rows = [
      [1, 0],
      [1, 1],
      [1, 2],
    ];
    const [mean, none] = nonNegative(rows, [3, 2, 1]);
    expect(mean).toBeCloseTo(2, 9);
    expect(none).toBe(0);
    const [at, by] = nonNegative(rows, [1, 3, 5]);
    expect(at).toBeCloseTo(1, 9);
    expect(by).toBeCloseTo(2, 9);
    expect(nonNegative([[0, 2]], [4])).toEqual([0, 2]);
    expect(nonNegative([], [])).toEqual([]);
  });
});

describe("requests of the loader are those of the timeline", () => {
  test.each([
    ["a short header", 3, 90_000, ["bytes=0-8191", "bytes=8192-"]],
    ["a long header", 300, 1600, ["bytes=0-8191", "bytes=8192-header", "bytes=header-"]],
  ])("for %s", async (_, count, elements, expected) => {
    const tensors = Array.from({ length: count }, (_, i) =>
      tensorOf(`layer.${i}`, "F32", [elements / 40, 40], weights(elements, i + 1)),
    );
    const { bytes, report } = await packed(modelOf(tensors), "int8 channel > auto");
    const server = await serve(bytes, { keepAlive: true });
    try {
      const file = await open(server.url);
      for await (const { data } of file.stream()) expect(data.length).toBe(elements);
      file.close();
      const ranges = server.log.map(({ headers }) => headers.range);
      const last = `${bytes.length - 1}`;
      const of = expected.map((text) =>
        text
          .replace("-header", `-${report.headerBytes - 1}`)
          .replace("header", `${report.headerBytes}`)
          .replace(/-$/, `-${last}`),
      );
      expect(ranges).toEqual(of);
    } finally {
      await server.close();
    }
  });
});

test("an estimate is what a prediction takes", async () => {
  const model = modelOf([tensorOf("w", "F32", [300, 300], weights(90_000, 1))]);
  const estimate = await costTable(SIMD, model).estimate("int8 channel > auto");
  const { prediction } = predictLoad(estimate, PLACE, newTable());
  expect(prediction?.ms).toBeGreaterThan((8000 * estimate.fileBytes) / LINE.bandwidth);
  const file = await open((await packed(model, "int8 channel > auto")).bytes);
  expect(prediction?.memory).toBe(file.totals.peak + 4 * 90_000);
});

test("units of decoding have keys of their own, and run", async () => {
  const units = await decodeUnits(SIMD);
  const environment = newEnvironment({ ...FACTS, runtime: { name: "quern", version: "0.1.0", threads: 1 } });
  const keys = units.map(({ spec }) => keyText({ ...spec, environment: environment.id }));
  expect(new Set(keys).size).toBe(units.length);
  // From one to the next version rows are compared by their keys.
  const [first] = units.filter(({ spec }) => spec.form === "int8");
  const attributes = {
    elements: 196_608,
    tensors: 48,
    chunks: 48,
    stored: expect.any(Number),
    steps: expect.any(Number),
  };
  expect(first?.spec).toEqual({ type: "decode", form: "int8", precision: "f32", batch: 1, attributes });
  const table = newTable();
  addEnvironment(table, environment);
  for (const { spec, open } of units) {
    const unit = await open();
    const start = performance.now();
    await unit.run();
    const median = performance.now() - start;
    unit.close();
    addRow(table, { ...ROW, ...spec, environment: environment.id, median });
  }
  const speed = decodeSpeed(table, PLACE);
  expect(speed.rows).toBe(units.length);
  expect(speed.chunk(chunkOf(1e5, 1e6))).toBeGreaterThan(0);
}, 120_000);
