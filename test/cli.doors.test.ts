import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bytesSource, memorySink, readGguf, writeGguf, writeSafetensors } from "../src/index.ts";
import { type Ended, quernIn } from "./command.ts";
import { floatsAs, modelOf, tensorOf } from "./files.ts";
import { bytesOf, expectSame, weights } from "./helpers.ts";
import { lengthField, modelFile, node, outside, RAW, tensor } from "./onnx.files.ts";
import { joinBlocks, quantizeBlocks } from "./reference.ts";
import { jsonOf } from "./tfjs.files.ts";

// The built command with models of other formats, run as a user runs it.

let folder = "";

const quern = (...args: string[]): Promise<Ended> => quernIn(folder, ...args);

async function json(...args: string[]) {
  const { code, stdout, stderr } = await quern(...args, "--json");
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}

const VALUES = weights(64 * 48, 1);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quern-cli-doors-"));
  const bytes = bytesOf(VALUES);
  const w = tensor("w", 1, [64, 48], lengthField(RAW, bytes));
  const nodes = [node("MatMul", ["x", "w"], ["y"])];
  await writeFile(join(folder, "m.onnx"), modelFile({ nodes, initializers: [w], inputs: ["x"] }));
  await writeFile(join(folder, "old.onnx"), modelFile({ opset: 12, nodes, initializers: [w], inputs: ["x"] }));
  const external = outside("w", [64, 48], { location: "m.data" });
  await writeFile(join(folder, "external.onnx"), modelFile({ nodes, initializers: [external], inputs: ["x"] }));
  await writeFile(join(folder, "m.data"), bytes);
  const manifest = [{ name: "w", shape: [64, 48], dtype: "float32" }];
  await writeFile(
    join(folder, "model.json"),
    jsonOf(manifest, ["m.data"], { format: "layers-model", modelTopology: {} }),
  );
  const sink = memorySink();
  await writeGguf(modelOf([tensorOf("w", "F32", [64, 48], VALUES)], { "general.name": "test" }), sink);
  await writeFile(join(folder, "m.gguf"), sink.bytes());
});
afterAll(() => rm(folder, { recursive: true }));

describe("models of other formats", () => {
  test.each(["m.onnx", "external.onnx", "model.json", "m.gguf"])(
    "%s is packed and compared like any other",
    async (input) => {
      const { output, tensors } = await json("pack", input);
      expect(output).toBe(input.replace(/\.\w+$/, ".quern"));
      expect(tensors).toMatchObject([{ name: "w", shape: [64, 48] }]);
      const { total } = await json("diff", "m.gguf", output);
      expect(total.snr).toBeGreaterThan(30);
      expect((await json("diff", input, "m.onnx")).total).toMatchObject({ identical: true, elements: 3072 });
    },
  );

  test("are known by their content, whatever they are called", async () => {
    for (const [input, name] of [
      ["m.onnx", "a.gguf"],
      ["m.gguf", "b.json"],
      ["model.json", "c.safetensors"],
    ]) {
      await copyFile(join(folder, input), join(folder, name));
      expect((await json("diff", name, "m.onnx")).total).toMatchObject({ identical: true });
    }
  });

  test("come back as they were, byte for byte, from a lossless file", async () => {
    await json("pack", "m.gguf", "-o", "g.quern", "--plan", "lossless");
    await json("unpack", "g.quern", "--to", "gguf");
    expectSame(await readFile(join(folder, "g.gguf")), await readFile(join(folder, "m.gguf")));
    await json("pack", "m.onnx", "-o", "o.quern", "--plan", "lossless");
    await json("unpack", "o.quern", "-o", "back.onnx", "--graph", "m.onnx");
    expectSame(await readFile(join(folder, "back.onnx")), await readFile(join(folder, "m.onnx")));
    await json("pack", "model.json", "-o", "t.quern", "--plan", "lossless");
    await mkdir(join(folder, "out"), { recursive: true });
    await json("unpack", "t.quern", "-o", "out/model.json", "--graph", "model.json");
    expect((await readdir(join(folder, "out"))).sort()).toEqual(["group1-shard1of1.bin", "model.json"]);
    expectSame(await readFile(join(folder, "out/group1-shard1of1.bin")), bytesOf(VALUES));
    expect((await json("diff", "out/model.json", "m.gguf")).total).toMatchObject({ identical: true });
  });

  test("come back from a file that has the graph, without the original", async () => {
    await json("pack", "m.onnx", "-o", "og.quern", "--plan", "lossless", "--with-graph");
    await json("unpack", "og.quern", "-o", "alone.onnx");
    expectSame(await readFile(join(folder, "alone.onnx")), await readFile(join(folder, "m.onnx")));
    await json("pack", "external.onnx", "-o", "eg.quern", "--plan", "lossless", "--with-graph");
    await json("unpack", "eg.quern", "-o", "inside.onnx");
    expect((await json("diff", "inside.onnx", "m.onnx")).total).toMatchObject({ identical: true });
    await json("pack", "model.json", "-o", "tg.quern", "--with-graph");
    await mkdir(join(folder, "again"), { recursive: true });
    await json("unpack", "tg.quern", "-o", "again/model.json");
    const { weightsManifest, ...rest } = JSON.parse(await readFile(join(folder, "again/model.json"), "utf8"));
    expect(rest).toEqual({ format: "layers-model", modelTopology: {} });
    const weights = [{ name: "w", shape: [64, 48], dtype: "float32" }];
    expect(weightsManifest).toEqual([{ paths: ["group1-shard1of1.bin"], weights }]);
    expect((await json("diff", "again/model.json", "tg.quern")).total).toMatchObject({ identical: true });
    expect((await json("inspect", "tg.quern")).graph.bytes).toBeGreaterThan(60);
    expect((await quern("inspect", "og.quern")).stdout).toMatch(/\ngraph: \d+ B \(of the header\)\n/);
  });

  test("change format on the way", async () => {
    await json("pack", "model.json", "-o", "x.quern", "--plan", "lossless");
    for (const [output, ...more] of [["x.gguf"], ["x.safetensors"], ["x.onnx", "--graph", "old.onnx"]]) {
      await json("unpack", "x.quern", "-o", output, ...more);
      expect((await json("diff", output, "m.onnx")).total).toMatchObject({ identical: true });
    }
  });

  test("ONNX with DequantizeLinear tells what is quantized", async () => {
    await json("pack", "m.onnx", "-o", "q.quern");
    const { code, stdout } = await quern("unpack", "q.quern", "-o", "q.onnx", "--graph", "m.onnx", "--as", "quantized");
    expect(code).toBe(0);
    expect(stdout).toMatch(/q\.onnx: 1 tensors.*\nquantized, with a DequantizeLinear each: 1\n/);
    expect((await readFile(join(folder, "q.onnx"))).length).toBeLessThan(4000);
  });
});

describe("GGUF's own quantization", () => {
  const blocks = joinBlocks("q4_0", quantizeBlocks("q4_0", VALUES));

  test("comes through the default plan as it was, with threads too, while floats become int8", async () => {
    const sink = memorySink();
    const tensors = [tensorOf("q", "Q4_0", [48, 64], blocks), tensorOf("w", "F32", [48, 64], VALUES)];
    await writeGguf(modelOf(tensors), sink);
    await writeFile(join(folder, "b.gguf"), sink.bytes());
    for (const more of [[], ["--threads", "2"]]) {
      const { tensors: packed } = await json("pack", "b.gguf", ...more);
      expect(packed).toMatchObject([{ plan: "lossless" }, { plan: "int8 channel > auto" }]);
      await json("unpack", "b.quern", "-o", "b2.gguf", ...more);
      const { tensors: compared } = await json("diff", "b.gguf", "b2.gguf", ...more);
      expect(compared).toMatchObject([
        { name: "q", identical: true },
        { name: "w", identical: false },
      ]);
      await json("pack", "b.gguf", "--plan", "lossless", ...more);
      await json("unpack", "b.quern", "-o", "b2.gguf", ...more);
      expectSame(await readFile(join(folder, "b2.gguf")), sink.bytes());
    }
    const { code, stderr } = await quern("unpack", "b.quern", "--to", "safetensors");
    expect([code, stderr]).toEqual([1, expect.stringContaining("--as f32")]);
    await json("unpack", "b.quern", "-o", "b.safetensors", "--as", "f32");
    expect((await json("diff", "b.gguf", "b.safetensors")).total).toMatchObject({ snr: null });
  });

  test("is what floats under q4_0 become, and those it cannot hold are named", async () => {
    const sink = memorySink();
    const odd = tensorOf("odd", "F16", [64, 48], floatsAs("F16", VALUES));
    await writeSafetensors(modelOf([tensorOf("w", "F32", [48, 64], VALUES), odd]), sink);
    await writeFile(join(folder, "s.safetensors"), sink.bytes());
    await json("pack", "s.safetensors", "--plan", "q4_0 > auto");
    const args = ["unpack", "s.quern", "-o", "s.gguf", "--as", "quantized"];
    expect(await json(...args)).toMatchObject({ quantized: ["w"], floats: ["odd"] });
    const { stdout } = await quern(...args);
    expect(stdout).toMatch(/\nquantized, as blocks: 1\nfloats, because GGUF cannot have them so: odd\n/);
    const model = await readGguf(bytesSource(await readFile(join(folder, "s.gguf"))));
    expect(model.tensors.map(({ dtype }) => dtype)).toEqual(["Q4_0", "F16"]);
    expectSame(await model.tensors[0].read(0, VALUES.length), blocks);
    await json("unpack", "s.quern", "-o", "s.gguf");
    const { tensors } = await readGguf(bytesSource(await readFile(join(folder, "s.gguf"))));
    expect(tensors.map(({ dtype }) => dtype)).toEqual(["F32", "F16"]);
  });
});

describe("mistakes", () => {
  beforeAll(async () => {
    await json("pack", "m.gguf", "-o", "e.quern");
    await writeFile(join(folder, "cut.gguf"), (await readFile(join(folder, "m.gguf"))).subarray(0, 2000));
    await writeFile(join(folder, "cut.onnx"), (await readFile(join(folder, "m.onnx"))).subarray(0, 100));
    const climbing = outside("w", [1], { location: "../../etc/passwd" });
    await writeFile(join(folder, "climbing.onnx"), modelFile({ initializers: [climbing] }));
    await symlink("/etc/hostname", join(folder, "link.bin"));
    const weight = [{ name: "w", shape: [1], dtype: "float32" }];
    await writeFile(join(folder, "linking.json"), jsonOf(weight, ["link.bin"]));
    await writeFile(join(folder, "gone.json"), jsonOf(weight, ["gone.bin"]));
  });

  test.each([
    [2, "give the original ONNX file with --graph", ["unpack", "e.quern", "--to", "onnx"]],
    [2, "give the original model.json with --graph", ["unpack", "e.quern", "-o", "bad.json"]],
    [2, "name the first with -o FOLDER/model.json", ["unpack", "e.quern", "--to", "tfjs", "--graph", "model.json"]],
    [2, "write into another folder", ["unpack", "e.quern", "-o", "bad.json", "--graph", "model.json"]],
    [2, "--graph is for --to onnx", ["unpack", "e.quern", "-o", "bad.gguf", "--graph", "m.onnx"]],
    [2, "--as quantized is for --to onnx and --to gguf", ["unpack", "e.quern", "--as", "quantized"]],
    [2, "would replace m.onnx", ["unpack", "e.quern", "-o", "m.onnx", "--graph", "m.onnx"]],
    [2, "Allowed choices are safetensors, gguf, onnx, tfjs", ["unpack", "e.quern", "--to", "zip"]],
    [2, "--with-graph is for ONNX and TensorFlow.js", ["pack", "m.gguf", "-o", "bad.quern", "--with-graph"]],
    [2, "give the original ONNX file with --graph", ["unpack", "tg.quern", "-o", "bad.onnx"]],
    [2, "give the original model.json with --graph", ["unpack", "og.quern", "-o", "bad.json"]],
    [2, "packed already", ["pack", "e.quern", "-o", "bad.quern"]],
    [1, "needs ONNX opset 13", ["unpack", "e.quern", "-o", "bad.onnx", "--graph", "old.onnx", "--as", "quantized"]],
    [1, "no such file", ["unpack", "e.quern", "-o", "bad.onnx", "--graph", "none.onnx"]],
    [1, "expected a .quern, safetensors, GGUF or ONNX file", ["pack", "m.data", "-o", "bad.quern"]],
    [1, 'offset of tensor "w" at byte', ["pack", "cut.gguf", "-o", "bad.quern"]],
    [1, "field 7", ["diff", "m.onnx", "cut.onnx"]],
    [1, "a relative path below the model's folder", ["pack", "climbing.onnx", "-o", "bad.quern"]],
    [1, "a link or path that leaves it", ["pack", "linking.json", "-o", "bad.quern"]],
    [1, "gone.bin: no such file", ["pack", "gone.json", "-o", "bad.quern"]],
  ])("end with %i and say: %s", async (wanted, text, args) => {
    const { code, stdout, stderr } = await quern(...args);
    expect(stderr).toContain(text);
    expect([code, stdout]).toEqual([wanted, ""]);
    expect((await readdir(folder)).filter((name) => /^\.?bad\./.test(name))).toEqual([]);
  });
});
