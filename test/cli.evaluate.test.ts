import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lossText } from "../src/cli/losses.ts";
import type { Evaluation } from "../src/evaluate.ts";
import { quernIn } from "./command.ts";
import { npy, raw } from "./data.files.ts";
import { jsonOf } from "./tfjs.files.ts";

// quern evaluate as far as it goes without a runtime; the rest is in test/accuracy.

describe("without a runtime", () => {
  let folder = "";
  const evaluate = (...args: string[]) => quernIn(folder, "evaluate", "model.json", "m.quern", ...args);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "quern-evaluate-"));
    const weights = [{ name: "dense/kernel", shape: [2, 2], dtype: "float32" }];
    await writeFile(
      join(folder, "model.json"),
      jsonOf(weights, ["w.bin"], { format: "layers-model", modelTopology: {} }),
    );
    await writeFile(join(folder, "w.bin"), raw(Float32Array.of(1, 2, 3, 4)));
    await writeFile(join(folder, "x.npy"), npy("<f4", [2, 2], raw(Float32Array.of(1, 2, 3, 4))));
    await writeFile(join(folder, "x.raw"), Uint8Array.of(1, 2, 3));
    await quernIn(folder, "pack", "model.json", "-o", "m.quern");
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("says which package is not installed", async () => {
    const { code, stdout, stderr } = await evaluate("--data", "x.npy");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toBe("quern: @tensorflow/tfjs-core is not installed: npm install @tensorflow/tfjs-core\n");
  });

  test.each([
    ["no data", [], 2, "--data"],
    ["raw bytes without a shape", ["--data", "x.raw"], 1, "need the shape of a sample"],
    ["raw bytes that do not come out even", ["--data", "x.raw", "--shape", "2"], 1, "x.raw: file size at byte 2"],
    ["a shape that is none", ["--data", "x.raw", "--shape", "2,x"], 2, "--shape expected"],
    ["a class without names", ["--data", "x.raw=cat", "--shape", "3"], 1, '"cat" is no number of a class'],
    ["a scale that is none", ["--data", "x.npy", "--scale", "x"], 2, "--scale expected"],
    ["a mean for no channel", ["--data", "x.npy", "--mean", "1,2,3"], 2, '"mean" expected 1 or 2 numbers'],
    ["a batch of none", ["--data", "x.npy", "--batch", "0"], 2, "--batch expected"],
    ["data that are not there", ["--data", "y.npy"], 1, "y.npy: no such file or folder"],
    [
      "a page in place of the model",
      ["--data", "x.npy", "--report", "./model.json"],
      2,
      "--report would replace model.json",
    ],
    ["a page in no folder", ["--data", "x.npy", "--report", "none/r.html"], 1, "none: no such folder, for none/r.html"],
    ["a page without a name", ["--data", "x.npy", "--report", ""], 2, "--report expected a file"],
    ["a size that is none", ["--data", "x.npy", "--size", "8"], 2, "--size expected"],
  ])("%s", async (_, args, code, message) => {
    const ended = await evaluate(...args);
    expect(ended).toMatchObject({ code, stdout: "" });
    expect(ended.stderr).toContain(message);
  });
});

test("figures that cannot be told are dashes, losses of units bars", () => {
  const none = { value: null, low: null, high: null };
  const some = { value: 0.5, low: 0.25, high: 1 };
  const zero = { value: 0, low: 0, high: 0 };
  const unit = { name: "a", type: "dense", weight: "a.w", bytes: 4000, macs: 1, notFinite: 0 } as const;
  const evaluation: Evaluation = {
    ...{ runtime: "r", model: "mlp", output: "y", seed: 1, kind: "values", samples: 3, notFinite: 1, loss: some },
    figures: { mse: some, snr: none },
    units: [
      { ...unit, mse: zero, snr: none },
      { ...unit, name: "b", mse: some, snr: { value: 20, low: 19, high: 21 } },
      { ...unit, name: "c", mse: some, snr: { value: 26, low: 19, high: 30 } },
      { ...unit, name: "d", mse: none, snr: none, notFinite: 2 },
    ],
  };
  const data = { samples: 3, shape: [2], classes: null, labelled: false };
  const text = lossText({
    file: "m",
    packed: "p",
    bytes: { before: 8000, after: 2000 },
    kept: ["z"],
    simulated: "W8A8",
    data,
    evaluation,
  });
  expect(text.split("\n").map((line) => line.trim().replace(/ {2,}/g, " | "))).toEqual([
    'm against p: 3 samples on r, output "y" as values',
    "bytes: 8.00 kB before, 2.00 kB after (4.00 times smaller)",
    "W8A8 simulated: inputs of units are rounded as the packed file says",
    "samples with outputs that are not finite: 1",
    "not in p, so left as they are: z",
    "",
    "figure | 95 % interval",
    "output MSE | 0.5000 | 0.2500 .. 1.000",
    "output SNR | -",
    "",
    "unit, alone | type | weights | SNR dB | error | RMSE of the output, of its RMS",
    "a | dense | 4.00 kB | inf | 0.00 %",
    `b | dense | 4.00 kB | 20.00 | 10.00 % | ${"#".repeat(24)}`,
    `c | dense | 4.00 kB | 26.00 | 5.01 % | ${"#".repeat(12)}`,
    "d | dense | 4.00 kB | - | - | not finite",
  ]);
});
