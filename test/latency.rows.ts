import fc from "fast-check";
import {
  addEnvironment,
  addRow,
  type Facts,
  type LatencyTable,
  newEnvironment,
  newTable,
  type Row,
} from "../src/latency.ts";

// Environments and rows for tests.

export const FACTS: Facts = {
  name: "a machine",
  date: "2026-01-02T03:04:05Z",
  runtime: { name: "onnxruntime-web", version: "1.30.0", threads: 1 },
  host: { name: "node", version: "20.20.2" },
  os: { name: "linux", version: "6.1", arch: "x64" },
  cpu: { model: "EPYC", cores: 2, features: ["avx2", "fma"] },
  wasm: { simd: true, relaxedSimd: false, threads: true },
  memory: 2 ** 34,
  line: { bandwidth: 5e7, roundTrip: 20 },
  storage: { kind: "disk", free: 1e9 },
};
export const ENVIRONMENTS = [1, 2].map((threads) => {
  return newEnvironment({ ...FACTS, runtime: { ...FACTS.runtime, threads }, name: `threads ${threads}` });
});
export const [HERE, THERE] = ENVIRONMENTS;

export const ROW: Row = {
  ...{ environment: HERE.id, type: "dense", form: "MatMul", attributes: { inputs: 1024, outputs: 1024 } },
  ...{ precision: "f32", batch: 1, count: 30, median: 0.22, spread: 0.01 },
  ...{ date: "2026-01-02T03:04:05Z", tool: "0.1.0", runtime: "1.30.0" },
};

export function tableOf(rows: readonly Row[]): LatencyTable {
  const table = newTable();
  for (const each of ENVIRONMENTS) addEnvironment(table, each);
  for (const row of rows) addRow(table, row);
  return table;
}

const milliseconds = fc.oneof(
  fc.constant(0),
  fc.double({ min: 0, max: 1e9, noNaN: true }),
  fc.double({ min: 0.01, max: 9, noNaN: true }),
);
const attribute = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer({ min: 0, max: 3 }),
  fc.boolean(),
  fc.string({ minLength: 1, maxLength: 5, unit: fc.constantFrom("a", "é", "\\", '"', "😀", "_", "1") }),
  fc.array(fc.integer(), { maxLength: 4 }),
);
const name = fc.constantFrom("kernel", "inputs", "1", "strides", "toString");
const day = fc.integer({ min: 1, max: 3 }).map((n) => `2026-01-0${n}T00:00:00Z`);

/** Few keys and versions, so that rows often share them. */
export const someRow: fc.Arbitrary<Row> = fc.record({
  environment: fc.constantFrom(HERE.id, THERE.id),
  type: fc.constantFrom("dense", "conv"),
  form: fc.constantFrom("MatMul", "MatMulNBits"),
  attributes: fc.oneof(
    { weight: 3, arbitrary: fc.constant({ n: 1 }) },
    { weight: 1, arbitrary: fc.dictionary(name, attribute, { maxKeys: 3 }) },
  ),
  precision: fc.constantFrom("f32", "int8"),
  batch: fc.constantFrom(1, 64),
  count: fc.integer({ min: 1, max: 100 }),
  median: milliseconds,
  spread: milliseconds,
  date: day,
  tool: fc.constantFrom("0.1.0", "0.2.0"),
  runtime: fc.constantFrom("1.30.0", "1.30.1"),
});
export const someRows = fc.array(someRow, { maxLength: 12 });
