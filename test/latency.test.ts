import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DataError } from "../src/index.ts";
import {
  addEnvironment,
  addRow,
  environmentLine,
  FIRST_LINE,
  latencies,
  lookup,
  mergeTables,
  newEnvironment,
  newTable,
  parseLines,
  printLines,
  type Row,
  rowLine,
  rowsOf,
} from "../src/latency.ts";
import { shuffled } from "../src/random.ts";
import { ENVIRONMENTS, FACTS, HERE, ROW, someRow, someRows, THERE, tableOf } from "./latency.rows.ts";

describe("a table", () => {
  test("finds what it was given, whatever the order of attributes, and nothing else", () => {
    const table = tableOf([ROW]);
    const { count, median, spread, date, tool, runtime, ...key } = ROW;
    const found = { ...key, count, median, spread, date, tool, runtime, pooled: 1, outdated: 0 };
    expect(lookup(table, { ...key, attributes: { outputs: 1024, inputs: 1024 } })).toEqual(found);
    for (const other of [
      { batch: 2 },
      { precision: "int8" },
      { form: "Gemm" },
      { type: "conv" },
      { environment: THERE.id },
    ])
      expect(lookup(table, { ...key, ...other })).toBeNull();
    expect(lookup(table, { ...key, attributes: { inputs: 1024 } })).toBeNull();
    expect(lookup(table, { ...key, attributes: { inputs: 1024, outputs: 1024, bias: true } })).toBeNull();
  });

  test("averages medians by their runs, with the spread within rows and between them", () => {
    const rows = [
      { ...ROW, count: 10, median: 1, spread: 0.3 },
      { ...ROW, count: 30, median: 2, spread: 0.1, date: "2026-01-03T00:00:00Z" },
    ];
    const found = lookup(tableOf(rows), ROW);
    expect(found).toMatchObject({ count: 40, median: 1.75, date: "2026-01-03T00:00:00Z", pooled: 2, outdated: 0 });
    const within = 0.25 * 0.09 + 0.75 * 0.01;
    const between = 0.6745 ** 2 * (0.25 * 0.75 ** 2 + 0.75 * 0.25 ** 2);
    expect(found?.spread).toBeCloseTo(Math.sqrt(within + between), 12);
  });

  test("lets those versions count that measured last", () => {
    const old = { ...ROW, median: 1 };
    const newer = { ...ROW, median: 3, runtime: "1.30.1", date: "2026-02-01T00:00:00Z" };
    expect(lookup(tableOf([newer, old]), ROW)).toMatchObject({ median: 3, runtime: "1.30.1", pooled: 1, outdated: 1 });
    const again = { ...ROW, median: 2, date: "2026-03-01T00:00:00Z" };
    expect(lookup(tableOf([old, newer, again]), ROW)).toMatchObject({ median: 1.5, runtime: "1.30.0", outdated: 1 });
    const tool = { ...ROW, median: 7, tool: "0.2.0" };
    expect(lookup(tableOf([tool, old]), ROW)).toMatchObject({ median: 7, tool: "0.2.0" });
  });

  test("does not take a measurement twice, and keeps what differs in anything", () => {
    const table = tableOf([ROW, { ...ROW }, { ...ROW, median: 0.23 }]);
    expect(rowsOf(table)).toHaveLength(2);
    expect(lookup(table, ROW)).toMatchObject({ count: 60, pooled: 2 });
  });

  test("gives what is asked for, in one order", () => {
    const conv = { ...ROW, type: "conv", environment: THERE.id };
    const table = tableOf([ROW, conv, { ...ROW, batch: 64 }]);
    expect(latencies(table)).toHaveLength(3);
    expect(latencies(table, { type: "conv" }).map(({ environment }) => environment)).toEqual([THERE.id]);
    expect(latencies(table, { environment: HERE.id, batch: 64 })).toHaveLength(1);
    expect(latencies(table, { form: "Gemm" })).toEqual([]);
    expect(latencies(table, { type: undefined })).toHaveLength(3);
  });

  test("keeps the newer names of an environment, whichever comes first", () => {
    const renamed = newEnvironment({ ...FACTS, name: "renamed", date: "2026-05-05T00:00:00Z" });
    expect(renamed.id).toBe(HERE.id);
    for (const order of [
      [HERE, renamed],
      [renamed, HERE],
    ]) {
      const table = newTable();
      for (const each of order) addEnvironment(table, each);
      expect([...table.environments.values()]).toEqual([renamed]);
    }
  });

  test("refuses rows of environments that it does not have", () => {
    expect(() => addRow(newTable(), ROW)).toThrow(/^row\.environment: expected one that was added before, got "onnx/);
  });
});

const WRONG: [keyof Row, unknown, string][] = [
  ["environment", "x", 'row.environment: expected the id of an environment, got "x"'],
  ["type", "", "row.type: expected a word"],
  ["form", "a b", 'row.form: expected a word of at most 64 letters, digits and . _ + : / -, got "a b"'],
  ["precision", 8, "row.precision: expected a word"],
  ["attributes", [], "row.attributes: expected an object, got []"],
  ["attributes", null, "row.attributes: expected an object, got null"],
  ["attributes", { a: null }, "row.attributes.a: expected a number, text, true, false or at most 16 numbers, got null"],
  ["attributes", { a: Number.NaN }, "row.attributes.a: expected a number"],
  [
    "attributes",
    { a: ["x"] },
    'row.attributes.a: expected a number, text, true, false or at most 16 numbers, got ["x"]',
  ],
  ["attributes", { a: Array(17).fill(1) }, "row.attributes.a: expected a number"],
  ["attributes", { a: "x".repeat(65) }, "row.attributes.a: expected text of 1 to 64 characters"],
  ["attributes", { a: "\x1b[31m" }, "row.attributes.a: expected text"],
  ["attributes", { "": 1 }, "a name in row.attributes: expected a word"],
  ["attributes", JSON.parse('{ "__proto__": 1 }'), "a name in row.attributes: expected a word"],
  [
    "attributes",
    Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`a${i}`, 1])),
    "row.attributes: expected at most 32",
  ],
  ["batch", 0, "row.batch: expected a whole number from 1, got 0"],
  ["batch", 1.5, "row.batch: expected a whole number from 1, got 1.5"],
  ["count", 0, "row.count: expected a whole number from 1, got 0"],
  ["count", "3", 'row.count: expected a whole number from 1, got "3"'],
  ["median", -1, "row.median: expected a number from 0 to 1000000000, got -1"],
  ["median", Number.NaN, "row.median: expected a number"],
  ["median", null, "row.median: expected a number from 0 to 1000000000, got null"],
  ["spread", Number.POSITIVE_INFINITY, "row.spread: expected a number"],
  ["date", "2026-02-30T00:00:00Z", "row.date: expected a moment like"],
  ["date", "2026-01-01", "row.date: expected a moment like"],
  ["tool", undefined, "row.tool: expected a word of at most 64 letters, digits and . _ + : / -, got nothing"],
  ["runtime", {}, "row.runtime: expected a word"],
  [
    "more" as keyof Row,
    1,
    'row: expected the fields environment, type, form, attributes, precision, batch, count, median, spread, date, tool, runtime, got "more"',
  ],
];

test.each(WRONG)("refuses a row whose %s is %j", (field, value, message) => {
  const table = tableOf([]);
  const act = () => addRow(table, { ...ROW, [field]: value } as Row);
  expect(act).toThrow(DataError);
  expect(act).toThrow(message);
  expect(table.rows.size).toBe(0);
});

describe("lines", () => {
  test("hold a table, and stay the same", () => {
    const table = tableOf([{ ...ROW, attributes: { outputs: 2, inputs: [1, 2], bias: true } }]);
    const text = printLines(table);
    expect(text.split("\n").slice(3)).toEqual([
      `{"attributes":{"bias":true,"inputs":[1,2],"outputs":2},"batch":1,"count":30,"date":"2026-01-02T03:04:05Z","environment":"${HERE.id}",` +
        '"form":"MatMul","median":0.22,"precision":"f32","runtime":"1.30.0","spread":0.01,"tool":"0.1.0","type":"dense"}',
      "",
    ]);
    expect(text.startsWith('{"quern":"latency","version":1}\n{"environment":{"cpu":{"cores":2,')).toBe(true);
    expect(printLines(newTable())).toBe(FIRST_LINE);
    expect(rowsOf(parseLines(text))).toEqual(rowsOf(table));
  });

  test("any table comes back, and the same rows give the same bytes in any order", () => {
    fc.assert(
      fc.property(someRows, fc.integer(), (rows, seed) => {
        const table = tableOf(rows);
        const text = printLines(table);
        const back = parseLines(new TextEncoder().encode(text));
        expect(back).toEqual(parseLines(text));
        expect(rowsOf(back)).toEqual(rowsOf(table));
        expect(latencies(back)).toEqual(latencies(table));
        expect(printLines(back)).toBe(text);
        const order = shuffled(rows.length, seed).map((i) => rows[i]);
        expect(printLines(tableOf([...order, ...rows.slice(0, 3)]))).toBe(text);
      }),
    );
  });

  test("may be appended to, and read on after a program was killed that did so", () => {
    const text =
      FIRST_LINE + environmentLine(HERE) + rowLine(ROW) + environmentLine(HERE) + rowLine({ ...ROW, median: 9 });
    const whole = rowsOf(parseLines(text));
    expect(whole).toHaveLength(2);
    for (let cut = 0; cut < text.length; cut++) {
      const part = text.slice(0, cut);
      if (!part.endsWith("\n")) expect(() => parseLines(part)).toThrow(DataError);
      const rows = rowsOf(parseLines(part, { torn: true }));
      expect(rows).toEqual(whole.filter((row) => part.includes(rowLine(row))));
    }
  });

  test("add to a table", () => {
    const table = tableOf([ROW]);
    expect(parseLines(printLines(tableOf([{ ...ROW, median: 5 }])), { into: table })).toBe(table);
    expect(rowsOf(table)).toHaveLength(2);
  });

  const good = FIRST_LINE + environmentLine(HERE);
  test.each([
    ["nothing", "", "line 1: expected JSON"],
    ["other text", "hello\n", 'line 1: expected JSON, got "hello"'],
    ["no object", "[]\n", "line 1: expected an object, got []"],
    ["another format", '{"quern":"environment","version":1}\n', 'line 1: quern: expected "latency", got "environment"'],
    [
      "a newer version",
      '{"quern":"latency","version":2}\n',
      "line 1: version: expected 1, got 2: it is of a newer quern",
    ],
    ["no version", '{"quern":"latency"}\n', "line 1: version: expected 1, got nothing"],
    ["a first line without an end", FIRST_LINE.trim(), "expected an end of the line"],
    ["an empty line", `${good}\n`, "line 3: expected JSON"],
    ["a line that is no JSON", `${good}{"environment":\n`, 'line 3: expected JSON, got "{'],
    ["a line that is a number", `${good}7\n`, "line 3: expected an object, got 7"],
    [
      "a line that is too long",
      `${good}${" ".repeat(70_000)}\n`,
      "line 3: expected at most 65536 characters, got 70000",
    ],
    [
      "a row of an unknown environment",
      FIRST_LINE + rowLine(ROW),
      "line 2: row.environment: expected one that was added before",
    ],
    [
      "a row with a wrong field",
      good + rowLine({ ...ROW, count: -1 }),
      "line 3: row.count: expected a whole number from 1, got -1",
    ],
    [
      "a wrong environment",
      `${FIRST_LINE}{"environment":{"quern":"environment","version":1}}\n`,
      "line 2: environment.name: expected text",
    ],
    [
      "more beside an environment",
      `${FIRST_LINE}{"environment":${JSON.stringify(HERE)},"x":1}\n`,
      'line 2: expected an environment and nothing else, got "x"',
    ],
    ["a byte order mark", `\ufeff${good}`, "line 1: expected JSON"],
    ["deep nesting", `${good}${"[".repeat(60_000)}\n`, "line 3: expected JSON"],
  ])("are refused: %s", (_, text, message) => {
    expect(() => parseLines(text)).toThrow(DataError);
    expect(() => parseLines(text)).toThrow(message);
  });

  test("are refused if they are no UTF-8", () => {
    expect(() => parseLines(Uint8Array.of(0x7b, 0xff, 0x0a))).toThrow("expected UTF-8 text, got other bytes");
  });
});

describe("merging", () => {
  const text = (...tables: Row[][]) => printLines(mergeTables(...tables.map(tableOf)));

  test("does not depend on order, grouping or repetition, and changes nothing", () => {
    fc.assert(
      fc.property(someRows, someRows, someRows, (a, b, c) => {
        const [x, y, z] = [a, b, c].map(tableOf);
        const before = printLines(x);
        const merged = printLines(mergeTables(x, y, z));
        expect(printLines(mergeTables(z, y, x))).toBe(merged);
        expect(printLines(mergeTables(mergeTables(x, y), z))).toBe(merged);
        expect(printLines(mergeTables(x, mergeTables(y, z)))).toBe(merged);
        expect(printLines(mergeTables(x, y, z, x, y))).toBe(merged);
        expect(latencies(mergeTables(z, x, y))).toEqual(latencies(mergeTables(x, y, z)));
        expect(printLines(x)).toBe(before);
      }),
    );
  });

  test("keeps every row, and what is looked up has the runs of one pair of versions", () => {
    fc.assert(
      fc.property(someRows, someRow, (rows, one) => {
        const all = [...rows, one];
        const found = lookup(mergeTables(tableOf(rows), tableOf([one])), one);
        const distinct = rowsOf(tableOf(all)).filter((row) => rowsOf(tableOf([row]))[0] && lookup(tableOf([row]), one));
        const alike = distinct.filter((row) => row.tool === found?.tool && row.runtime === found?.runtime);
        expect(found?.count).toBe(alike.reduce((sum, row) => sum + row.count, 0));
        expect([found?.pooled, found?.outdated]).toEqual([alike.length, distinct.length - alike.length]);
        expect(found?.date).toBe(
          distinct
            .map(({ date }) => date)
            .sort()
            .at(-1),
        );
        const medians = alike.map(({ median }) => median);
        expect(found?.median).toBeGreaterThanOrEqual(Math.min(...medians) * (1 - 1e-9));
        expect(found?.median).toBeLessThanOrEqual(Math.max(...medians) * (1 + 1e-9));
      }),
    );
  });

  test("of nothing is nothing", () => {
    expect(printLines(mergeTables())).toBe(FIRST_LINE);
    expect(text([ROW])).toBe(text([], [ROW], []));
    expect(ENVIRONMENTS).toHaveLength(2);
  });
});
