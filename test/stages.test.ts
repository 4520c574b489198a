import { describe, expect, test } from "vitest";
import { FormatError, open } from "../src/read.ts";
import { modelOf, noise, packed, partsOf, sealed, tensorOf } from "./files.ts";

import { weights } from "./helpers.ts";

const PLAN = "int8 channel > auto";
const model = modelOf([
  tensorOf("head.weight", "F32", [40, 40], weights(1600, 1)),
  noise("head.bias", "F32", [40]),
  tensorOf("enc.0.weight", "F32", [60, 40], weights(2400, 2)),
  noise("enc.0.bias", "F32", [60]),
  noise("position", "I32", [60]),
]);
const STAGES = [
  { name: "encoder", tensors: ["enc.*"] },
  { name: "the head: ü", tensors: ["head.weight", "h*"] },
];

async function namesOf(bytes: Uint8Array, options: { stages?: string[]; names?: string[] }): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of (await open(bytes)).stream(options)) names.push(name);
  return names;
}

describe("stages", () => {
  test("tensors are laid out in their order, the rest last, and can be asked for", async () => {
    const { bytes } = await packed(model, PLAN, { stages: STAGES });
    const file = await open(bytes);
    expect(file.stages).toEqual([
      { name: "encoder", tensors: ["enc.0.weight", "enc.0.bias"] },
      { name: "the head: ü", tensors: ["head.weight", "head.bias"] },
      { name: "", tensors: ["position"] },
    ]);
    expect(await namesOf(bytes, { stages: ["encoder"] })).toEqual(["enc.0.weight", "enc.0.bias"]);
    expect(await namesOf(bytes, { stages: ["", "encoder"], names: ["head.bias"] })).toEqual([
      ...["enc.0.weight", "enc.0.bias", "head.bias", "position"],
    ]);
    await expect(namesOf(bytes, { stages: ["decoder"] })).rejects.toThrow(
      '"stages" expected of ["encoder","the head: ü",""], got "decoder"',
    );
    // One stage's tensors do not share a chunk with another's.
    const ends = file.index.map(({ firstChunk, chunks }) => firstChunk + chunks);
    expect(file.index[2]?.firstChunk).toBeGreaterThanOrEqual(ends[1] as number);
    for (const { name, dtype, shape } of model.tensors) {
      const { data } = await file.tensor(name);
      const { data: plain } = await (await open((await packed(model, PLAN)).bytes)).tensor(name);
      expect([dtype, [...shape], data], name).toEqual([dtype, [...shape], plain]);
    }
  });

  test("a file without them says so", async () => {
    const { bytes } = await packed(model, PLAN);
    expect((await open(bytes)).stages).toBe(null);
    await expect(namesOf(bytes, { stages: ["encoder"] })).rejects.toThrow('"stages" expected of [], got "encoder"');
  });

  test("rules that take nothing, or have one name twice or none, are refused", async () => {
    const stages = (...names: string[]) => names.map((name) => ({ name, tensors: ["enc.*"] }));
    await expect(packed(model, PLAN, { stages: stages("a", "b") })).rejects.toThrow(/stage "b"" expected a tensor/);
    await expect(packed(model, PLAN, { stages: stages("a", "a") })).rejects.toThrow(/names that differ/);
    await expect(packed(model, PLAN, { stages: stages("") })).rejects.toThrow(/not empty/);
  });
});

function record(text: string): Uint8Array {
  const bytes = new Uint8Array(8 + 8 * Math.ceil(text.length / 8));
  new DataView(bytes.buffer).setUint32(0, 1, true);
  new DataView(bytes.buffer).setUint32(4, text.length, true);
  bytes.set(Buffer.from(text, "latin1"), 8);
  return bytes;
}

describe("a record of stages", () => {
  const refused = [
    ["", "[[name"],
    ["{}", "[[name"],
    ["[]", "[[name"],
    ['[["a",5],"b"]', "[[name"],
    ['[["a",5,1]]', "[[name"],
    ['[["a",-5],["b",10]]', "[[name"],
    ['[["a",0],["b",5]]', "[[name"],
    ['[["a",2.5],["b",2.5]]', "[[name"],
    ['[["a",4]]', "5"],
    ['[["a",6]]', "5"],
    ['[["a",2],["a",3]]', "names that differ"],
    ['[["a",2], ["b",3]]', "the canonical spelling"],
    ['[["\\u0061",5]]', "the canonical spelling"],
    [`[${"[".repeat(50_000)}`, "[[name"],
  ];
  test.each(refused)("%s is refused", async (text, expected) => {
    const parts = partsOf((await packed(model, PLAN)).bytes);
    const error = await open(sealed({ ...parts, records: record(text) })).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(FormatError);
    expect([error.code, error.offset]).toEqual(["stages", 88 + parts.json.length + 8]);
    expect(error.expected).toContain(expected);
  });

  test("is taken as it should be, and not twice", async () => {
    const parts = partsOf((await packed(model, PLAN)).bytes);
    const right = record('[["a",2],["b",3]]');
    expect((await open(sealed({ ...parts, records: right }))).stages).toHaveLength(2);
    const twice = Buffer.concat([right, right]);
    await expect(open(sealed({ ...parts, records: twice }))).rejects.toMatchObject({
      code: "duplicate",
      field: "stages",
    });
  });
});
