import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { quernIn } from "./command.ts";
import { npy, raw } from "./data.files.ts";
import { jsonOf } from "./tfjs.files.ts";

// quern tune and quern classify as far as they go without a runtime; the rest is in test/accuracy.

describe("without a runtime", () => {
  let folder = "";
  const quern = (...args: string[]) => quernIn(folder, ...args);
  const tune = (...args: string[]) => quern("tune", "model.json", "--data", "x.npy", ...args);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "quern-tune-"));
    const weights = [{ name: "dense/kernel", shape: [2, 2], dtype: "float32" }];
    const json = jsonOf(weights, ["w.bin"], { format: "layers-model", modelTopology: {} });
    await writeFile(join(folder, "model.json"), json);
    await writeFile(join(folder, "w.bin"), raw(Float32Array.of(1, 2, 3, 4)));
    await writeFile(join(folder, "x.npy"), npy("<f4", [2, 2], raw(Float32Array.of(1, 2, 3, 4))));
    await quern("pack", "model.json", "-o", "bare.quern");
    await quern("pack", "model.json", "-o", "whole.quern", "--with-graph");
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("both say which package is not installed, and write nothing", async () => {
    const missing = "quern: @tensorflow/tfjs-core is not installed: npm install @tensorflow/tfjs-core\n";
    const before = await readdir(folder);
    const ended = { code: 1, stdout: "", stderr: missing };
    expect(await tune("--plan", "int8", "-o", "o.quern", "--checkpoint", "c.st")).toEqual(ended);
    expect(await quern("classify", "whole.quern", "--data", "x.npy")).toEqual(ended);
    expect(await quern("classify", "bare.quern", "--data", "x.npy", "--graph", "model.json")).toEqual(ended);
    expect(await readdir(folder)).toEqual(before);
  });

  test.each([
    ["no plan", ["-o", "o.quern"], "--plan"],
    ["no output", ["--plan", "int8"], "--output"],
    ["a plan that is none", ["--plan", "int9", "-o", "o.quern"], "int9"],
    ["a rate that is none", ["--plan", "int8", "-o", "o.quern", "--rate", "fast"], "--rate expected a number above 0"],
    ["all for validation", ["--plan", "int8", "-o", "o.quern", "--validation", "1"], "a number between 0 and 1"],
    ["no epochs", ["--plan", "int8", "-o", "o.quern", "--epochs", "0"], "--epochs expected"],
    ["sizes that are none", ["--plan", "int8", "-o", "o.quern", "--sizes", "large"], "--sizes"],
    ["the model as output", ["--plan", "int8", "-o", "model.json"], "the output would replace model.json"],
    ["the checkpoint as output", ["--plan", "int8", "-o", "z", "--checkpoint", "z"], "the output would replace z"],
    [
      "kernels that only decode",
      ["--plan", "int8", "-o", "o.quern", "--tier", "js"],
      "Allowed choices are simd, scalar",
    ],
  ])("tune: %s", async (_, args, message) => {
    expect(await tune(...args)).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(message) });
  });

  test("classify: a file without a graph, no classes to show", async () => {
    const bare = await quern("classify", "bare.quern", "--data", "x.npy");
    expect(bare).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("bare.quern has no graph") });
    const none = await quern("classify", "whole.quern", "--data", "x.npy", "--top", "0");
    expect(none).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("--top expected") });
  });
});
