import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newEnvironment, printEnvironment } from "../src/latency.ts";
import { quernIn } from "./command.ts";
import { npy, raw } from "./data.files.ts";
import { place } from "./strategy.chain.ts";
import { jsonOf } from "./tfjs.files.ts";

// quern compress as far as it goes without a runtime; the rest is in test/accuracy.

describe("without a runtime", () => {
  let folder = "";
  const compress = (...args: string[]) => quernIn(folder, "compress", ...args);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "quern-compress-"));
    const weights = [{ name: "dense/kernel", shape: [2, 2], dtype: "float32" }];
    const own = { format: "layers-model", modelTopology: {} };
    await writeFile(join(folder, "model.json"), jsonOf(weights, ["w.bin"], own));
    await writeFile(join(folder, "w.bin"), raw(Float32Array.of(1, 2, 3, 4)));
    await writeFile(join(folder, "x.npy"), npy("<f4", [2, 2], raw(Float32Array.of(1, 2, 3, 4))));
    const { quern, version, id, ...facts } = place();
    const runtime = { name: "tfjs-wasm", version: "4.22.0", threads: 1 } as const;
    await writeFile(join(folder, "env.json"), printEnvironment(newEnvironment({ ...facts, runtime })));
    await writeFile(join(folder, "onnx.json"), printEnvironment(place()));
    await writeFile(join(folder, "bad.json"), "{}");
    await writeFile(join(folder, "bad.jsonl"), "x");
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("the help says what is done, and how candidates are written", async () => {
    const { code, stdout } = await compress("--help");
    expect(code).toBe(0);
    for (const word of ["--max-loss", "There is always a file", "0.01 nats", "@ {f32,int8}", "goes on where it was"])
      expect(stdout).toContain(word);
  });

  test("says what is missing where no runtime is installed", async () => {
    const { code, stdout, stderr } = await compress("model.json", "--data", "x.npy", "--env", "env.json");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toBe("quern: @tensorflow/tfjs-core is not installed: npm install @tensorflow/tfjs-core\n");
    const here = await compress("model.json", "--data", "x.npy");
    expect(here.code).not.toBe(0);
  });

  const FULL = ["--data", "x.npy", "--env", "env.json"];
  test.each([
    ["no data", ["--env", "env.json"], 2, "--data"],
    [
      "a place that runs no such model",
      ["--data", "x.npy", "--env", "onnx.json"],
      2,
      "onnxruntime-web runs no tfjs models",
    ],
    ["no such goal", [...FULL, "--goal", "speed"], 2, "latency, size, load"],
    ["a loss that is none", [...FULL, "--max-loss", "1 per cent"], 2, "--max-loss expected a share such as 1% or 0.01"],
    ["a loss below 0", [...FULL, "--max-loss=-1%"], 2, "--max-loss expected"],
    ["a size without a number", [...FULL, "--max-size", "MB"], 2, "--max-size expected"],
    ["a size of no unit", [...FULL, "--max-size", "2 miles"], 2, "--max-size expected a size such as 2MB"],
    ["memory that is none", [...FULL, "--max-memory", "64MX"], 2, "--max-memory expected a size such as 2MB"],
    ["a latency without a unit", [...FULL, "--max-latency", "20"], 2, "--max-latency expected a time such as 20ms"],
    ["a time that is none", [...FULL, "--time", "5 minutes"], 2, "--time expected a time"],
    ["no trials", [...FULL, "--trials", "0"], 2, "--trials expected"],
    ["rounds that are none", [...FULL, "--rounds", "-1"], 2, "--rounds expected"],
    ["no samples", [...FULL, "--samples", "0"], 2, "--samples expected"],
    ["a seed that is none", [...FULL, "--seed", "x"], 2, "--seed expected"],
    ["a candidate that is none", [...FULL, "--space", "int9 channel"], 2, '"int9 channel" is not a step'],
    ["a list that is not closed", [...FULL, "--space", "int{8,4 channel"], 2, "is not closed"],
    ["a way to run that is none", [...FULL, "--space", "int8 @ int3"], 2, 'behind "@" expected f32, int8, w8, w4'],
    ["priorities that are none", [...FULL, "--priority", "bad.json"], 1, 'bad.json.quern: expected "priority"'],
    [
      "an environment that is none",
      ["--data", "x.npy", "--env", "bad.json"],
      1,
      'bad.json.quern: expected "environment"',
    ],
    ["an environment that is not there", ["--data", "x.npy", "--env", "no.json"], 1, "no.json: no such file"],
    ["a table that is none", [...FULL, "--table", "bad.jsonl"], 1, "bad.jsonl: line 1"],
    ["a ledger in place of the model", [...FULL, "--ledger", "./model.json"], 2, "--ledger would replace model.json"],
    ["a ledger in place of the output", [...FULL, "--ledger", "model.quern"], 2, "--ledger would replace model.quern"],
    ["an output in place of the model", [...FULL, "-o", "model.json"], 2, "would replace the input"],
    ["the tier that only decodes", [...FULL, "--tier", "js"], 2, "js"],
  ])("%s", async (_, args, code, message) => {
    const ended = await compress("model.json", ...args);
    expect(ended.stderr).toContain(message);
    expect(ended).toMatchObject({ code, stdout: "" });
    expect((await readdir(folder)).filter((name) => /quern|ledger/.test(name))).toEqual([]);
  });
});
