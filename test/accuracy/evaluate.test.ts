import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openData } from "../../src/data.ts";
import { onnxEngine } from "../../src/engine/onnx.ts";
import { evaluate } from "../../src/evaluate.ts";
import { type Model, open } from "../../src/index.ts";
import { type Ended, quernIn } from "../command.ts";
import { memoryFiles, npy, raw } from "../data.files.ts";
import { weights } from "../helpers.ts";
import { perceptron } from "./graphs.ts";
import { digitsNet } from "./nets.ts";
import { onnxRuntimes } from "./runtimes.ts";

// The command as a user runs it, with runtimes beside the models.

const SHARED = fileURLToPath(new URL("../../../shared/data/", import.meta.url));
const RUNTIMES = fileURLToPath(new URL("node_modules", import.meta.url));
const SAMPLES = weights(64 * 16, 9);

let folder = "";
const quern = (...args: string[]): Promise<Ended> => quernIn(folder, ...args);

async function json(...args: string[]) {
  const { code, stdout, stderr } = await quern(...args, "--json");
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}

async function save(name: string, bytes: Uint8Array): Promise<void> {
  await writeFile(join(folder, name), bytes);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quern-evaluate-"));
  await symlink(RUNTIMES, join(folder, "node_modules"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("ONNX", () => {
  beforeAll(async () => {
    await save("m.onnx", perceptron());
    await save("x.npy", npy("<f4", [64, 16], raw(SAMPLES)));
    await save(
      "y.npy",
      npy(
        "|u1",
        [64],
        Uint8Array.from({ length: 64 }, (_, i) => i % 4),
      ),
    );
    await json("pack", "m.onnx", "--plan-for", "*.w=int4 channel > auto", "-o", "m.quern");
  });

  test("figures are those of the library, with the same runtime", async () => {
    const said = await json("evaluate", "m.onnx", "m.quern", "--data", "x.npy", "--labels", "y.npy", "--batch", "10");
    expect(said).toMatchObject({
      kind: "classes",
      samples: 64,
      kept: [],
      data: { samples: 64, shape: [16], labelled: true },
    });
    expect(said.bytes.after).toBeLessThan(said.bytes.before);
    const runtime = onnxRuntimes.find(([name]) => said.runtime.startsWith(name));
    expect(runtime).toBeDefined();
    const engine = await onnxEngine(perceptron(), { ort: (runtime ?? onnxRuntimes[0])[1] });
    const edits = { weights: await floatsOf((await open(await readFile(join(folder, "m.quern")))).model("f32")) };
    const files = memoryFiles({ x: raw(SAMPLES), y: Uint8Array.from({ length: 64 }, (_, i) => i % 4) });
    const data = await openData(files, [{ path: "x" }], { shape: [16], dtype: "f32", labels: "y" });
    const expected = await evaluate(engine, edits, data, { perUnit: true });
    await engine.close();
    expect(expected.loss.value).toBeGreaterThan(0);
    for (const [name, { value }] of Object.entries(expected.figures))
      expect(said.figures[name].value, name).toBeCloseTo(value ?? 0, 4);
    expect(said.units.map((unit: { name: string }) => unit.name)).toEqual(expected.units?.map(({ name }) => name));
    for (const [i, { mse }] of (expected.units ?? []).entries())
      expect(said.units[i].mse.value).toBeCloseTo(mse.value ?? 0, 6);
  });

  test("as text: bytes, figures with intervals, and units with bars", async () => {
    const { code, stdout, stderr } = await quern(
      "evaluate",
      "m.onnx",
      "m.quern",
      "--data",
      "x.npy",
      "--labels",
      "y.npy",
      "--limit",
      "20",
    );
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/20 samples on onnxruntime/);
    expect(stdout).toMatch(/^bytes: .* before, .* after \(\d\.\d\d times smaller\)$/m);
    expect(stdout).toMatch(/^top-1 change +[+-]\d+\.\d\d points +[+-]\d+\.\d\d points \.\. [+-]\d+\.\d\d points$/m);
    expect(stdout).toMatch(/^output SNR +\d+\.\d\d dB +\d+\.\d\d dB \.\. \d+\.\d\d dB$/m);
    expect(stdout).toMatch(/^a +\w+ +.* \d+\.\d\d % +#+$/m);
    const bare = await quern("evaluate", "m.onnx", "m.quern", "--data", "x.npy", "--kind", "values", "--no-units");
    expect(bare.stdout).toMatch(/^output MSE/m);
    expect(bare.stdout).not.toMatch(/top-1|#/);
  });

  test("as a page beside it, with the same figures", async () => {
    const said = await json(
      "evaluate",
      "m.onnx",
      "m.quern",
      "--data",
      "x.npy",
      "--labels",
      "y.npy",
      "--report",
      "r.html",
    );
    expect(said.report).toBe("r.html");
    const page = await readFile(join(folder, "r.html"), "utf8");
    expect(page).toMatch(/^<!doctype html>\n<html lang="en">/);
    expect(page).toContain("<title>m.onnx: what compression costs</title>");
    expect(page).toContain(said.bytes.after.toLocaleString("en"));
    expect(page).toContain(`${(100 * said.figures.top1Compressed.value).toFixed(2)} %`);
    for (const { name, snr } of said.units) {
      expect(page).toContain(`<bdi>${name}</bdi>`);
      expect(page).toContain(`<td>${snr.value.toFixed(2)}</td>`);
    }
    // Nothing is left of how it was written.
    expect((await readdir(folder)).filter((name) => name.includes("r.html"))).toEqual(["r.html"]);
    const text = await quern("evaluate", "m.onnx", "m.quern", "--data", "x.npy", "--no-units", "--report", "s.html");
    expect(text.stdout).toMatch(/\ns\.html\n$/);
    expect(await readFile(join(folder, "s.html"), "utf8")).not.toContain("What each unit loses");
  });

  test("another .onnx file is run as it is, and a model against itself loses nothing", async () => {
    await save("scaled.onnx", perceptron(1.01));
    const scaled = await json("evaluate", "m.onnx", "scaled.onnx", "--data", "x.npy", "--units", "a");
    expect(scaled.loss.value).toBeGreaterThan(0);
    expect(scaled.units).toHaveLength(1);
    const same = await json("evaluate", "m.onnx", "m.onnx", "--data", "x.npy");
    expect(same).toMatchObject({ loss: { value: 0 }, figures: { mse: { value: 0 } } });
    expect(same.units.every((unit: { mse: { value: number } }) => unit.mse.value === 0)).toBe(true);
  });

  test("what does not fit says how: data, weights, names", async () => {
    await save("wide.npy", npy("<f4", [2, 17], raw(weights(34, 1))));
    const wide = await quern("evaluate", "m.onnx", "m.quern", "--data", "wide.npy");
    expect(wide).toMatchObject({
      code: 1,
      stdout: "",
      stderr: 'quern: samples are 17, but the input "x" takes 16 for each\n',
    });
    const units = await quern("evaluate", "m.onnx", "m.quern", "--data", "x.npy", "--units", "zz");
    expect(units).toMatchObject({ code: 1, stdout: "" });
    expect(units.stderr).toContain('no unit with a weight is called "zz"');
    await save("cut.npy", npy("<f4", [64, 16], raw(SAMPLES)).slice(0, 1000));
    expect(await quern("evaluate", "m.onnx", "m.quern", "--data", "cut.npy")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("cut.npy: npy shape at byte 10"),
    });
    expect(await quern("evaluate", "m.onnx", "m.quern", "--data", "none.npy")).toMatchObject({
      code: 1,
      stderr: "quern: none.npy: no such file or folder\n",
    });
    expect(await quern("evaluate", "m.quern", "m.quern", "--data", "x.npy")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("m.quern is quern, which has no graph"),
    });
    expect(await quern("evaluate", "m.onnx", "m.quern", "--data", "x.npy", "--limit", "0")).toMatchObject({
      code: 2,
      stdout: "",
    });
    expect(await quern("evaluate", "m.onnx", "m.quern", "--data", "x.npy", "--scale", "1/0")).toMatchObject({
      code: 2,
      stdout: "",
    });
    expect(await quern("evaluate", "m.onnx", "m.quern", "--data", "x.npy", "--kind", "sound")).toMatchObject({
      code: 2,
      stdout: "",
    });
    expect(await quern("evaluate", "m.onnx", "m.quern")).toMatchObject({ code: 2, stdout: "" });
  });

  test("a runtime that is not installed is named", async () => {
    const bare = await mkdtemp(join(tmpdir(), "quern-bare-"));
    const path = (name: string) => join(folder, name);
    const { code, stdout, stderr } = await quernIn(
      bare,
      "evaluate",
      path("m.onnx"),
      path("m.quern"),
      "--data",
      path("x.npy"),
    );
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: "",
      stderr: "quern: onnxruntime-web is not installed: npm install onnxruntime-web\n",
    });
    await rm(bare, { recursive: true });
  });
});

async function floatsOf({ tensors }: Model): Promise<Map<string, Float32Array>> {
  const read = tensors.map(async ({ name, shape, read }) => {
    const bytes = await read(
      0,
      shape.reduce((a, b) => a * b, 1),
    );
    return [name, new Float32Array(Uint8Array.from(bytes).buffer)] as const;
  });
  return new Map(await Promise.all(read));
}

describe("TensorFlow.js", () => {
  test("a layers model, and a CSV file with the label in a column", async () => {
    await mkdir(join(folder, "net"));
    await digitsNet(1).save({
      save: async ({ modelTopology, weightSpecs = [], weightData }) => {
        const manifest = [{ paths: ["w.bin"], weights: weightSpecs }];
        await save(
          "net/model.json",
          new TextEncoder().encode(JSON.stringify({ modelTopology, weightsManifest: manifest })),
        );
        await save("net/w.bin", new Uint8Array(weightData as ArrayBuffer));
        return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
      },
    });
    const pixels = weights(20 * 64, 3);
    const rows = Array.from({ length: 20 }, (_, n) =>
      [...pixels.subarray(64 * n, 64 * n + 64), `d${n % 10}`].join(","),
    );
    await save("digits.csv", new TextEncoder().encode(rows.join("\n")));
    await save("names.txt", new TextEncoder().encode(Array.from({ length: 10 }, (_, i) => `d${i}`).join("\n")));
    await json("pack", "net/model.json", "--plan-for", "*/kernel=int4 channel > auto", "-o", "net.quern");
    const options = ["--data", "digits.csv", "--label", "-1", "--classes", "names.txt"];
    const flat = await quern("evaluate", "net/model.json", "net.quern", ...options);
    expect(flat).toMatchObject({ code: 1, stderr: expect.stringContaining("samples are 64, but the input") });
    await save("digits.f32", raw(pixels));
    await save(
      "digits.y",
      Uint8Array.from({ length: 20 }, (_, n) => n % 10),
    );
    const square = [
      "--data",
      "digits.f32",
      "--shape",
      "8,8",
      "--dtype",
      "f32",
      "--labels",
      "digits.y",
      "--classes",
      "names.txt",
    ];
    const said = await json("evaluate", "net/model.json", "net.quern", ...square);
    expect(said).toMatchObject({ kind: "classes", model: "cnn", samples: 20, notFinite: 0, data: { classes: 10 } });
    expect(said.loss.value).toBeGreaterThan(0);
    expect(said.units.map((unit: { name: string }) => unit.name)).toEqual(["conv1", "conv2", "dense"]);
  });
});

const DOODLENET = join(SHARED, "models/doodlenet-tfjs");
const REAL = existsSync(DOODLENET);
if (!REAL) test.skip(`no ${DOODLENET}: no real model was evaluated`, () => {});

describe.skipIf(!REAL)("doodlenet on Quick Draw", () => {
  const sets = ["cat", "rainbow", "train"].map((name) => `${join(SHARED, `sets/quickdraw-${name}s1000.bin`)}=${name}`);
  const options = [
    "--data",
    ...sets,
    "--classes",
    join(DOODLENET, "class_names.txt"),
    "--shape",
    "28,28",
    "--scale",
    "1/255",
  ];

  test("int8 per channel keeps top-1 within 1 % relative", async () => {
    await json("pack", join(DOODLENET, "model.json"), "--plan", "int8 channel > auto", "-o", "d.quern");
    const said = await json(
      "evaluate",
      join(DOODLENET, "model.json"),
      "d.quern",
      ...options,
      "--no-units",
      "--batch",
      "100",
    );
    expect(said).toMatchObject({ samples: 3000, kind: "classes", notFinite: 0, data: { classes: 345 } });
    const [before, after] = [said.figures.top1Original.value, said.figures.top1Compressed.value];
    expect(before).toBeGreaterThan(0.7);
    expect(after).toBeGreaterThan(0.99 * before);
    expect(said.figures.agreement.value).toBeGreaterThan(0.95);
    expect(said.bytes.after).toBeLessThan(said.bytes.before / 4);
  });

  test("every unit with a weight is told of", async () => {
    const said = await json("evaluate", join(DOODLENET, "model.json"), "d.quern", ...options, "--limit", "60");
    expect(said.units).toHaveLength(8);
    // The first one is small, and was left as it is.
    expect(said.units[0].mse.value).toBe(0);
    for (const unit of said.units.slice(1)) expect(unit.snr.value).toBeGreaterThan(15);
  });
});
