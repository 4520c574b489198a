import { describe, expect, test } from "vitest";
import { FormatError, open, type UnitActivations } from "../src/read.ts";
import { modelOf, packed, partsOf, sealed, tensorOf } from "./files.ts";
import { weights } from "./helpers.ts";

const model = modelOf([
  tensorOf("fc.weight", "F32", [40, 40], weights(1600, 1)),
  tensorOf("fc.bias", "F32", [40], weights(40, 2)),
]);
const scale = Math.fround(0.023);
const UNITS: UnitActivations[] = [
  { unit: "fc", factors: "fc.weight", scale, zeroPoint: -5, least: -128, most: 127 },
  { unit: 'the "other" ü', factors: null, scale: 1, zeroPoint: 0, least: -7, most: 7 },
];

describe("activations", () => {
  test("are kept with a file, beside its graph, and come back", async () => {
    const graph = Uint8Array.of(8, 9, 10);
    const { bytes } = await packed(model, "int8", { activations: UNITS, graph });
    const file = await open(bytes);
    expect(file.activations).toEqual(UNITS);
    expect(file.graph).toEqual(graph);
    expect((await file.tensor("fc.bias")).data.length).toBe(40);
    expect((await open((await packed(model, "int8")).bytes)).activations).toBe(null);
    expect((await open((await packed(model, "int8", { activations: [] })).bytes)).activations).toEqual([]);
  });

  test.each([
    [{ scale: 0 }, "a scale"],
    [{ scale: 0.1 }, "a scale"],
    [{ scale: Number.NaN }, "a scale"],
    [{ zeroPoint: 8 }, "largest code"],
    [{ least: 7 }, "least below"],
    [{ most: 128 }, "largest code <= 127"],
    [{ zeroPoint: 0.5 }, "zero point"],
    [{ unit: "fc" }, "units that differ"],
  ] as [Partial<UnitActivations>, string][])("a file cannot hold %j", async (change, expected) => {
    const units = [UNITS[0], { ...UNITS[1], ...change }];
    await expect(packed(model, "int8", { activations: units })).rejects.toThrow(expected);
  });
});

/** A record of type 3. */
function record(text: string): Buffer {
  const bytes = Buffer.alloc(8 + 8 * Math.ceil(text.length / 8));
  bytes.writeUInt32LE(3, 0);
  bytes.writeUInt32LE(text.length, 4);
  bytes.write(text, 8, "latin1");
  return bytes;
}

describe("a record of activations", () => {
  test.each([
    ["", "[[unit"],
    ["{}", "[[unit"],
    ['[["a",null,1,0,-1]]', "[[unit"],
    ['[["a",null,1,0,-1,1,0]]', "[[unit"],
    ["[[1,null,1,0,-1,1]]", "names that are text"],
    ['[["a",5,1,0,-1,1]]', "names that are text"],
    ['[["a",null,"1",0,-1,1]]', "a scale"],
    ['[["a",null,-1,0,-1,1]]', "a scale"],
    ['[["a",null,0.1,0,-1,1]]', "a scale"],
    ['[["a",null,1e39,0,-1,1]]', "a scale"],
    ['[["a",null,1,2,-1,1]]', "largest code"],
    ['[["a",null,1,0,-129,1]]', "-128"],
    ['[["a",null,1,0,1,1]]', "least below largest"],
    ['[["a",null,1,null,-1,1]]', "zero point"],
    ['[["a",null,1,0,-1,1],["a",null,1,0,-1,1]]', "units that differ"],
    ['[["a",null,1,0,-1, 1]]', "the canonical spelling"],
    ['[["a",null,1.0,0,-1,1]]', "the canonical spelling"],
    ['[["\\u0061",null,1,0,-1,1]]', "the canonical spelling"],
    [`[${"[".repeat(50_000)}`, "[[unit"],
  ])("%s is refused", async (text, expected) => {
    const parts = partsOf((await packed(model, "int8")).bytes);
    const error = await open(sealed({ ...parts, records: record(text) })).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(FormatError);
    expect([error.code, error.offset]).toEqual(["activations", 88 + parts.json.length + 8]);
    expect(error.expected).toContain(expected);
  });

  test("is taken once", async () => {
    const parts = partsOf((await packed(model, "int8")).bytes);
    const right = record('[["a",null,1,0,-1,1]]');
    expect((await open(sealed({ ...parts, records: right }))).activations).toHaveLength(1);
    const twice = sealed({ ...parts, records: Buffer.concat([right, right]) });
    await expect(open(twice)).rejects.toMatchObject({ code: "duplicate", field: "activations" });
  });
});
