import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tfjsEngine } from "../../src/engine/tfjs.ts";
import { loadKernels, memorySink, open, pack, parsePlan } from "../../src/index.ts";
import { tune } from "../../src/tune.ts";
import { CLI, type Ended, quernIn } from "../command.ts";
import { npy, raw } from "../data.files.ts";
import { weights } from "../helpers.ts";
import { perceptron } from "./graphs.ts";
import { digitsNet } from "./nets.ts";
import { dataset, modelOf, saved, shapes } from "./shapes.ts";
import { tfjs } from "./tensorflow.ts";
import { readElementsOf } from "./weights.ts";

// quern tune and quern classify as a user runs them.

const SAMPLES = shapes(400, 5);
const PLAN = "small 0=lossless; conv1/kernel=int8 channel axis -1; int8 bits 2.5 dead 0 > smallest";
const DATA = ["--data", "x.f32", "--dtype", "f32", "--shape", "8,8", "--labels", "y.u8"];
const TUNE = ["tune", "net/model.json", ...DATA, "--plan", PLAN, "--rate", "0.01", "--sizes", "learned"];

let folder = "";
const quern = (...args: string[]): Promise<Ended> => quernIn(folder, ...args);
const path = (name: string) => join(folder, name);

async function json(...args: string[]) {
  const { code, stdout, stderr } = await quern(...args, "--json");
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quern-tune-"));
  await symlink(fileURLToPath(new URL("node_modules", import.meta.url)), path("node_modules"));
  await mkdir(path("net"));
  const files = await saved(digitsNet(1));
  await writeFile(path("net/model.json"), files.json);
  await writeFile(path("net/w.bin"), files.weights);
  await writeFile(path("x.f32"), raw(SAMPLES.x));
  await writeFile(path("y.u8"), SAMPLES.y);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("tune and classify", () => {
  test("classes and probabilities are those of the tuned model, bit for bit", async () => {
    const said = await json(...TUNE, "--epochs", "3", "--with-graph", "-o", "a.quern");
    expect(said).toMatchObject({ output: "a.quern", samples: { train: 320, validation: 80 }, early: false });
    expect(said.after.loss).toBeLessThan(said.before.loss);
    expect(said.bytes.after).toBe((await stat(path("a.quern"))).size);
    const net = digitsNet(1);
    const engine = await tfjsEngine(net, tfjs);
    const kernels = await loadKernels();
    const options = { plan: parsePlan(PLAN), rate: 0.01, sizes: "learned", epochs: 3, kernels } as const;
    const result = await tune(engine, await modelOf(net), dataset(SAMPLES), options);
    expect(said.scores).toEqual(result.scores);
    const sink = memorySink();
    await pack(result.model, result.plan, sink);
    const own = await engine.withWeights({ weights: await readElementsOf((await open(sink.bytes())).model("f32")) });
    const inputs = { shape: [64, 8, 8, 1], data: SAMPLES.x.slice(0, 64 * 64) };
    const [output] = (await own.run(new Map([["conv1_input", inputs]]))).values();
    const classified = await json("classify", "a.quern", ...DATA);
    expect(classified.samples).toHaveLength(400);
    for (let n = 0; n < 64; n++) {
      const row = output.data.subarray(10 * n, 10 * n + 10);
      const { class: best, probabilities, label } = classified.samples[n];
      expect(best).toBe(row.indexOf(Math.max(...row)));
      expect(label).toBe(SAMPLES.y[n]);
      for (const [i, p] of row.entries()) expect(probabilities[i]).toBeCloseTo(p, 6);
    }
    const right = classified.samples.filter((one: { class: number; label: number }) => one.class === one.label);
    expect(classified.accuracy).toBe(right.length / 400);
    const given = await json("classify", "a.quern", "--graph", "net/model.json", ...DATA);
    expect(given.samples).toEqual(classified.samples);
    await own.close();
    await engine.close();
  });

  test("as text", async () => {
    const tuned = await quern(...TUNE, "--epochs", "2", "--patience", "1", "-o", "b.quern");
    expect(tuned.code, tuned.stderr).toBe(0);
    expect(tuned.stdout).toMatch(/^as it was +\d+\.\d % +\d\.\d{4} +17\.6 kB$/m);
    expect(tuned.stdout).toMatch(/^compressed and tuned +\d+\.\d % +\d\.\d{4} +\d\.\d\d kB$/m);
    const names = "across,down,slope,blob,e,f,g,h,i,j";
    const said = await quern(
      "classify",
      "b.quern",
      "--graph",
      "net/model.json",
      ...DATA,
      "--classes",
      names,
      "--limit",
      "4",
      "--top",
      "2",
    );
    expect(said.code, said.stderr).toBe(0);
    expect(said.stdout.trimEnd().split("\n")).toHaveLength(7);
    expect(said.stdout).toMatch(/^ +3 +(across|down|slope|blob)( \(!\))? +\w+ \d+\.\d %, \w+ \d+\.\d %$/m);
    expect(said.stdout).toMatch(/^right: \d+\.0 % of 4$/m);
    const bare = await quern("classify", "b.quern", ...DATA);
    expect(bare).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("b.quern has no graph") });
  });

  test("ONNX, with the graph in the file or beside it", async () => {
    await writeFile(path("m.onnx"), perceptron());
    await writeFile(path("x.npy"), npy("<f4", [20, 16], raw(weights(20 * 16, 2))));
    await json("pack", "m.onnx", "--with-graph", "-o", "m.quern");
    await json("pack", "m.onnx", "-o", "n.quern");
    const own = await json("classify", "m.quern", "--data", "x.npy");
    const beside = await json("classify", "n.quern", "--graph", "m.onnx", "--data", "x.npy");
    expect(own).toMatchObject({ accuracy: null, kept: [] });
    expect(beside.samples).toEqual(own.samples);
    for (const { probabilities } of own.samples)
      expect(probabilities.reduce((a: number, b: number) => a + b, 0)).toBeCloseTo(1, 6);
    const cannot = await quern("tune", "m.onnx", "--data", "x.npy", "--plan", "int8", "-o", "o.quern");
    expect(cannot).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("cannot train") });
  });
});

/** Runs the command until a checkpoint is written or replaced, then ends it. */
async function endedBy(signal: "SIGKILL" | "SIGINT", checkpoint: string, args: string[]) {
  const modified = async () => (await stat(path(checkpoint)).catch(() => null))?.mtimeMs;
  const before = await modified();
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.on("exit", (code, signal) => resolve({ code, signal }));
  });
  while ((await modified()) === before && child.exitCode === null) await setTimeout(5);
  // Into the next epoch.
  await setTimeout(20);
  child.kill(signal);
  return { ...(await ended), stderr };
}

describe("a run that is ended", () => {
  const parts = async () => (await readdir(folder)).filter((name) => name.endsWith(".part"));
  const args = [...TUNE, "--epochs", "8"];

  test("by a kill, twice, goes on to the same file", async () => {
    const killed = [...args, "--checkpoint", "k.st", "-o", "killed.quern"];
    for (let turn = 0; turn < 2; turn++) {
      expect(await endedBy("SIGKILL", "k.st", killed)).toMatchObject({ signal: "SIGKILL" });
      expect(existsSync(path("killed.quern"))).toBe(false);
    }
    const said = await json(...killed);
    const whole = await json(...args, "-o", "whole.quern");
    expect(said.scores).toEqual(whole.scores);
    expect(said.scores).toHaveLength(9);
    expect(await readFile(path("killed.quern"))).toEqual(await readFile(path("whole.quern")));
  });

  test("by Ctrl-C says how it goes on, and leaves no half of a file", async () => {
    for (const name of await parts()) await rm(path(name));
    const { code, stderr } = await endedBy("SIGINT", "i.st", [...args, "--checkpoint", "i.st", "-o", "stopped.quern"]);
    expect({ code, stderr }).toEqual({ code: 130, stderr: "quern: interrupted: the same command goes on from i.st\n" });
    expect(existsSync(path("stopped.quern"))).toBe(false);
    expect(await parts()).toEqual([]);
    const other = await quern(...args, "--seed", "2", "--checkpoint", "i.st", "-o", "stopped.quern");
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining("the checkpoint is of another") });
  });

  test("by numbers that are none has the best so far, and fails", async () => {
    const { code, stderr } = await quern(...TUNE, "--optimizer", "sgd", "--rate", "1e30", "-o", "far.quern");
    expect(code).toBe(1);
    expect(stderr).toMatch(/^quern: epoch \d: .*far\.quern has the best weights so far, of epoch 0\n$/);
    expect((await quern("verify", "far.quern")).code).toBe(0);
  });
});

test("a plan that the model cannot take is refused before training", async () => {
  const ended = await quern(
    "tune",
    "net/model.json",
    ...DATA,
    "--plan",
    "small 0=lossless; int8 axis 9",
    "-o",
    "z.quern",
  );
  expect(ended).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("no axis 9") });
  expect(existsSync(path("z.quern"))).toBe(false);
});
