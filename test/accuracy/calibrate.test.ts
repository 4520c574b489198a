import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { open } from "../../src/index.ts";
import { CLI, type Ended, quernIn } from "../command.ts";
import { npy, raw } from "../data.files.ts";
import { random } from "../random.ts";
import { convNet, outliers, tied } from "./graphs.ts";
import { onnxRuntimes } from "./runtimes.ts";

// quern calibrate as a user runs it, and what becomes of its file in evaluate and unpack.

const RUNTIMES = fileURLToPath(new URL("node_modules", import.meta.url));
const next = random(9);
const uniform = (count: number): Float32Array => Float32Array.from({ length: count }, () => 2 * next() - 1);
const SAMPLES = uniform(200 * 16);
const DATA = ["--data", "x.npy"];

let folder = "";
const quern = (...args: string[]): Promise<Ended> => quernIn(folder, ...args);

async function json(...args: string[]) {
  const { code, stdout, stderr } = await quern(...args, "--json");
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quern-calibrate-"));
  await symlink(RUNTIMES, join(folder, "node_modules"));
  await writeFile(join(folder, "m.onnx"), outliers());
  await writeFile(join(folder, "conv.onnx"), convNet());
  await writeFile(join(folder, "tied.onnx"), tied(false));
  await writeFile(join(folder, "x.npy"), npy("<f4", [200, 16], raw(SAMPLES)));
  await writeFile(join(folder, "images.npy"), npy("<f4", [40, 3, 8, 8], raw(uniform(40 * 192))));
  await writeFile(join(folder, "nan.npy"), npy("<f4", [1, 16], raw(SAMPLES.slice(0, 16).fill(Number.NaN))));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a graph with outliers", () => {
  test("units with their losses, and a file that has the codes, the factors and the graph", async () => {
    const said = await json("calibrate", "m.onnx", ...DATA, "--with-graph", "-o", "m.quern");
    expect(said).toMatchObject({ file: "m.onnx", output: "m.quern", samples: 128 });
    expect(said.losses.taken).toBeLessThan(0.75 * said.losses.none);
    expect(said.units.map(({ unit }: { unit: string }) => unit)).toEqual(["a", "b"]);
    for (const { loss, evaluations, alphas, groups } of said.units) {
      expect(loss.taken).toBeLessThanOrEqual(Math.min(loss.none, loss.single));
      expect(evaluations).toBeLessThanOrEqual(40);
      expect(alphas?.length).toBe(groups?.magnitudes.length);
    }
    const file = await open(await readFile(join(folder, "m.quern")));
    expect(file.graph).not.toBeNull();
    const found = said.units.map(({ unit, weight, factors, codes }: Record<string, unknown>) => {
      return { unit, factors: factors ? weight : null, ...(codes as object) };
    });
    expect(file.activations).toEqual(found);
    const { smooth } = await file.tensor("b.w", { as: "stored" });
    expect([...(smooth ?? [])]).toEqual(said.units[1].factors);
  });

  test("as text: a row for each unit, and losses of the whole model", async () => {
    const { code, stdout, stderr } = await quern("calibrate", "m.onnx", ...DATA, "-o", "text.quern", "--samples", "20");
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^m\.onnx: 20 samples on onnxruntime-\w+ [\d.]+, 2 units, \d+ sets tried in [\d.]+ s$/m);
    expect(stdout).toMatch(/^b +[\d.]+e-\d +[\d.]+ +[\d.]+e-\d +\w+ +[-\d. ]+ [\d.]+e-\d +\d+$/m);
    expect(stdout).toMatch(/with factors: [\d.]+e-\d, taken \([\d.]+ % less\)$/m);
    expect(stdout).toMatch(/^text\.quern: 3 tensors, /m);
    const bare = await quern("calibrate", "m.onnx", ...DATA, "-o", "bare.quern", "--no-smooth");
    expect(bare.stdout).not.toContain("with factors");
    expect(bare.stdout).toMatch(/^b +[\d.]+e-\d +- +- +none +[\d.]+e-\d +1$/m);
  });

  test("evaluate simulates the activations, and leaves them with --weights-only", async () => {
    const both = await json("evaluate", "m.onnx", "m.quern", ...DATA, "--kind", "values");
    expect(both.simulated).toBe("W8A8");
    const said = await json("calibrate", "m.onnx", ...DATA, "--samples", "200", "-o", "all.quern");
    const all = await json("evaluate", "m.onnx", "all.quern", ...DATA, "--kind", "values");
    // The same samples: what was promised is what is seen, in all and of each unit.
    expect(all.figures.snr.value).toBeCloseTo(-10 * Math.log10(said.losses.taken), 1);
    for (const [i, { snr }] of all.units.entries())
      expect(snr.value).toBeCloseTo(-10 * Math.log10(said.units[i].loss.taken), 1);
    const weightsOnly = await json("evaluate", "m.onnx", "all.quern", ...DATA, "--kind", "values", "--weights-only");
    expect(weightsOnly.simulated).toBeNull();
    expect(weightsOnly.figures.mse.value).toBeLessThan(all.figures.mse.value);
    const text = await quern("evaluate", "m.onnx", "m.quern", ...DATA, "--no-units");
    expect(text.stdout).toContain("W8A8 simulated");
  });

  test("options: plans, methods, groups, bits", async () => {
    const few = ["--samples", "16", "-o", "o.quern"];
    const four = [
      "--plan",
      "int4 channel > auto",
      "--activation-bits",
      "6",
      "--method",
      "max",
      "--symmetric",
      "--pow2",
    ];
    const said = await json("calibrate", "m.onnx", ...DATA, ...few, ...four, "--rules", "bands", "--groups", "3");
    for (const { codes, factors, groups } of said.units) {
      expect(codes).toMatchObject({ zeroPoint: 0, least: -31, most: 31 });
      expect((factors ?? []).every((x: number) => Number.isInteger(Math.log2(x)))).toBe(true);
      expect(["bands", "one", undefined]).toContain(groups?.rule);
    }
    expect((await json("evaluate", "m.onnx", "o.quern", ...DATA, "--kind", "values")).simulated).toBe("W4A6");
    const one = await json("calibrate", "m.onnx", ...DATA, ...few, "--units", "b*", "--accumulator-bits", "16");
    expect(one.units).toHaveLength(1);
    expect(one.units[0].codes.most - one.units[0].codes.least).toBe(15);
    const bytes = await json("calibrate", "m.onnx", ...DATA, ...few, "--factor-bytes", "0");
    expect(bytes.units.every(({ factors }: { factors: unknown }) => factors === null)).toBe(true);
  });

  test("what does not fit says how, and leaves no file", async () => {
    const wrong: [string[], number, string][] = [
      [["--plan", "lossless"], 2, '"a.w": "lossless" does not quantize'],
      [["--plan", "smooth 0.5 > int8 channel"], 2, "smooths, which is what is looked for"],
      [["--plan", "int8 bits 3"], 2, "without a target"],
      [["--units", "zz"], 1, 'no unit with a weight is called "zz": there are a, b'],
      [["--samples", "0"], 2, "--samples expected a whole number from 1"],
      [["--groups", "1"], 2, "--groups expected a whole number from 2 to 256"],
      [["--rules", "some"], 2, "--rules expected threshold, bands, clusters, one"],
      [["--percentile", "99"], 2, "--percentile is for --method percentile"],
      [["--method", "percentile", "--percentile", "5"], 2, "--percentile expected"],
      [["--no-smooth", "--pow2"], 2, "--no-smooth wants none"],
      [["--method", "best"], 2, "--method"],
      [["--tier", "js"], 2, "js"],
    ];
    for (const [args, code, message] of wrong) {
      const ended = await quern("calibrate", "m.onnx", ...DATA, "-o", "wrong.quern", ...args);
      expect(ended.stderr, args.join(" ")).toContain(message);
      expect(ended, args.join(" ")).toMatchObject({ code, stdout: "" });
    }
    const nan = await quern("calibrate", "m.onnx", "--data", "nan.npy", "-o", "wrong.quern");
    expect(nan).toMatchObject({ code: 1, stderr: expect.stringContaining('the input of unit "a": element 0 is NaN') });
    const same = await quern("calibrate", "m.onnx", ...DATA, "-o", "m.onnx");
    expect(same).toMatchObject({ code: 2, stderr: expect.stringContaining("would replace the input") });
    expect((await readdir(folder)).filter((name) => name.startsWith("wrong"))).toEqual([]);
  });

  test("stops at Ctrl-C, and leaves no file", async () => {
    // Who asks for the data has begun, and listens.
    const bytes = await readFile(join(folder, "x.npy"));
    let told = false;
    const server = createServer((_, response) => {
      // A second one would end it at once.
      if (!told) told = child.kill("SIGINT");
      setTimeout(() => response.end(bytes), 200);
    });
    await new Promise<void>((resolve) => server.listen(0, resolve));
    const { port } = server.address() as AddressInfo;
    const args = ["calibrate", "m.onnx", "--data", `http://localhost:${port}/x.npy`, "-o", "late.quern"];
    const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    const stderr: string[] = [];
    child.stderr.on("data", (text) => stderr.push(String(text)));
    const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
    expect(await ended).toBe(130);
    server.close();
    expect(stderr.join("")).toBe("quern: interrupted\n");
    expect((await readdir(folder)).filter((name) => name.startsWith("late"))).toEqual([]);
  });
});

describe("as ONNX in integers", () => {
  test.each([
    ["m.onnx", "x.npy"],
    ["conv.onnx", "images.npy"],
    ["tied.onnx", "eight.npy"],
  ])("%s gives what the simulation gives", async (model, data) => {
    await writeFile(join(folder, "eight.npy"), npy("<f4", [50, 8], raw(uniform(400))));
    await json("calibrate", model, "--data", data, "-o", "e.quern", "--with-graph");
    const written = await json("unpack", "e.quern", "-o", "e.onnx", "--as", "quantized");
    expect(written.floats).toEqual([]);
    expect(written.units).toBe(model === "conv.onnx" ? 3 : 2);
    const options = ["--data", data, "--kind", "values", "--no-units"];
    const simulated = await json("evaluate", model, "e.quern", ...options);
    const integers = await json("evaluate", model, "e.onnx", ...options);
    expect(integers.figures.snr.value).toBeGreaterThan(20);
    expect(Math.abs(integers.figures.snr.value - simulated.figures.snr.value)).toBeLessThan(0.5);
    await json("unpack", "e.quern", "-o", "w.onnx", "--as", "quantized", "--weights-only");
    const floats = await json("evaluate", model, "w.onnx", ...options);
    expect(floats.figures.snr.value).toBeGreaterThan(simulated.figures.snr.value);
  });

  test.each(onnxRuntimes)("%s computes it in integers at full optimisation", async (_, ort) => {
    await json("calibrate", "m.onnx", ...DATA, "-o", "f.quern");
    await json("unpack", "f.quern", "-o", "f.onnx", "--as", "quantized", "--graph", "m.onnx");
    const x = SAMPLES.slice(0, 160);
    const outputs = [];
    for (const [name, graphOptimizationLevel] of [
      ["m.onnx", "all"],
      ["f.onnx", "disabled"],
      ["f.onnx", "all"],
    ] as const) {
      const options = { graphOptimizationLevel, intraOpNumThreads: 1, logSeverityLevel: 3 } as const;
      const session = await ort.InferenceSession.create(await readFile(join(folder, name)), options);
      const { y } = await session.run({ x: new ort.Tensor("float32", x, [10, 16]) });
      outputs.push(y.data as Float32Array);
      await session.release();
    }
    const [original, floats, integers] = outputs;
    expect(noise(floats, integers)).toBeLessThan(0.1 * noise(original, floats) + 1e-6);
    expect(noise(original, integers)).toBeLessThan(1e-3);
  });

  test("--weights-only is for what would have codes of activations", async () => {
    const ended = await quern("unpack", "m.quern", "-o", "w.safetensors", "--weights-only");
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining("--weights-only is for") });
  });
});

/** Squared difference by the square of the first. */
function noise(a: Float32Array, b: Float32Array): number {
  const sum = (values: Float32Array): number => values.reduce((all, x) => all + x * x, 0);
  return sum(a.map((x, i) => x - b[i])) / sum(a);
}
