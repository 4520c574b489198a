import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tfjsEngine } from "../../src/engine/tfjs.ts";
import { evaluate } from "../../src/evaluate.ts";
import { open, parsePlan } from "../../src/index.ts";
import { newTable } from "../../src/latency.ts";
import { lossOf } from "../../src/strategy/loss.ts";
import { compress } from "../../src/strategy.ts";
import { tune } from "../../src/tune.ts";
import { CLI, type Ended, quernIn } from "../command.ts";
import { npy, raw } from "../data.files.ts";
import { weights } from "../helpers.ts";
import { random } from "../random.ts";
import { place } from "../strategy.chain.ts";
import { FLOAT, graphBuilder } from "./build.ts";
import { digitsNet } from "./nets.ts";
import { dataset, modelOf, shapes } from "./shapes.ts";
import { tfjs } from "./tensorflow.ts";
import { readElementsOf } from "./weights.ts";

// quern compress as a user runs it: a generated graph on ONNX Runtime, stopped and going on.

/** Three products with Relu between them, whose weights have rows of very different sizes. */
function graph(): Uint8Array {
  const build = graphBuilder();
  let flow = build.input("x", FLOAT, ["batch", 40]);
  const extents = [40, 64, 48, 8];
  for (const [i, wide] of extents.slice(1).entries()) {
    const deep = extents[i] as number;
    const data = weights(deep * wide, i + 1).map((x, k) => x * (k % wide < 4 ? 6 : 1));
    const last = i === extents.length - 2;
    const own = last ? { name: `p${i}`, outputs: ["y"] } : { name: `p${i}` };
    flow = build.node("MatMul", [flow, build.weight(`w${i}`, [deep, wide], data)], {}, own);
    if (!last) flow = build.node("Relu", [flow]);
  }
  build.output("y");
  return build.bytes();
}

const RUNTIMES = fileURLToPath(new URL("node_modules", import.meta.url));
const COUNT = 160;
const DATA = ["--data", "x.npy", "--samples", "64", "--rounds", "1", "--trials", "6"];
let folder = "";
const quern = (...args: string[]): Promise<Ended> => quernIn(folder, ...args);

async function json(...args: string[]) {
  const { code, stdout, stderr } = await quern(...args, "--json");
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}

beforeAll(async () => {
  const next = random(5);
  folder = await mkdtemp(join(tmpdir(), "quern-compress-"));
  await symlink(RUNTIMES, join(folder, "node_modules"));
  await writeFile(join(folder, "m.onnx"), graph());
  const samples = Float32Array.from({ length: COUNT * 40 }, () => 2 * next() - 1);
  await writeFile(join(folder, "x.npy"), npy("<f4", [COUNT, 40], raw(samples)));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a generated graph", () => {
  test("where size is the goal: a file within the limit of loss, as evaluate sees it, too", async () => {
    const size = ["--goal", "size", "--max-loss", "0.1%"];
    const said = await json("compress", "m.onnx", ...DATA, ...size, "-o", "size.quern", "--with-graph");
    expect(said.met).toEqual([{ limit: "loss", asked: 0.001, got: said.loss, ok: true }]);
    const bytes = await readFile(join(folder, "size.quern"));
    expect(said.fileBytes).toBe(bytes.length);
    expect((await open(bytes)).graph).not.toBeNull();
    const seen = await json("evaluate", "m.onnx", "size.quern", "--data", "x.npy");
    expect(seen.kind).toBe("values");
    expect(10 ** (-seen.figures.snr.value / 10)).toBeCloseTo(said.loss, 8);
    const [uniform] = said.trials.filter(({ from, ok }: { from: string; ok: boolean }) => from === "space" && ok);
    expect(said.fileBytes).toBeLessThan(uniform.bytes);
    await quern("pack", "m.onnx", "-o", "plain.quern", "--plan", "int8 channel > smallest", "--with-graph");
    expect(said.fileBytes).toBeLessThan((await readFile(join(folder, "plain.quern"))).length);
  });

  test("where units multiply integers: evaluate simulates them, and the loss is what was said", async () => {
    const said = await json(
      "compress",
      "m.onnx",
      ...DATA,
      "--space",
      "small 64=lossless; int8 channel > auto @ {int8,int8 smooth}",
      "-o",
      "int8.quern",
      "--max-loss",
      "5%",
    );
    expect(said.plan).toMatch(/@ int8/);
    const seen = await json("evaluate", "m.onnx", "int8.quern", "--data", "x.npy");
    expect(seen.simulated).toBe("W8A8");
    expect(10 ** (-seen.figures.snr.value / 10)).toBeCloseTo(said.loss, 8);
  });

  test("as text: what was tried, limits, and why each other candidate lost", async () => {
    const { code, stdout, stderr } = await quern(
      "compress",
      "m.onnx",
      ...DATA,
      "--max-size",
      "1kB",
      "-o",
      "text.quern",
    );
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^m\.onnx: \d+ trials on onnxruntime-\w+ [\d.]+ and 160 samples/);
    expect(stdout).toMatch(/^MISSED: (bytes|loss) .*, at most /m);
    expect(stdout).toMatch(/^not .+: .+/m);
    expect(stdout).toMatch(/^text\.quern: /m);
  });

  test("stopped, or killed, and run again: the same bytes as of a run that was left alone", async () => {
    const how = ["compress", "m.onnx", ...DATA, "--goal", "size", "--max-loss", "0.2%"];
    await json(...how, "-o", "whole.quern", "--ledger", "whole.jsonl");
    const lines = readFileSync(join(folder, "whole.jsonl"), "utf8").split("\n").length;
    for (const [signal, share] of [
      ["SIGTERM", 0.2],
      ["SIGKILL", 0.7],
    ] as const) {
      await stoppedAt(signal, Math.floor(share * lines), [...how, "-o", "part.quern", "--ledger", "part.jsonl"]);
      expect(existsSync(join(folder, "part.quern"))).toBe(false);
    }
    await json(...how, "-o", "part.quern", "--ledger", "part.jsonl");
    expect(readFileSync(join(folder, "part.quern"))).toEqual(readFileSync(join(folder, "whole.quern")));
    expect(readFileSync(join(folder, "part.jsonl"), "utf8")).toBe(readFileSync(join(folder, "whole.jsonl"), "utf8"));
    const other = await quern(...how, "-o", "part.quern", "--ledger", "part.jsonl", "--seed", "2");
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining("the ledger is of another run") });
  });
});

describe("a classifier that can be trained", () => {
  test("is trained under its plan in the end; what is taken is what loses less, and lies in the file", async () => {
    const net = digitsNet(2);
    const samples = dataset(shapes(200, 3));
    const first = await tfjsEngine(net, tfjs);
    const options = { plan: parsePlan("lossless"), epochs: 6, rate: 0.01 };
    const { model } = await tune(first, await modelOf(net), samples, options);
    const engine = await first.withWeights({ weights: await readElementsOf(model) });
    const found = await compress(model, {
      ...{ engine, data: samples, table: newTable(), environment: place(), tune: true, rounds: 0 },
      ...{ space: ["small 0=lossless; int8 snr 6dB > auto"], limits: { loss: 1, bytes: 4000 }, budget: { trials: 4 } },
    });
    const [tuned, ...more] = found.trials.filter(({ from }) => from === "tuned");
    expect(more).toEqual([]);
    expect(tuned?.loss).toBeLessThan(found.trials[0]?.loss ?? 0);
    expect([tuned?.lost, tuned?.loss]).toEqual([null, found.loss]);
    const weights = await readElementsOf((await open(found.file)).model("f32"));
    expect(lossOf(await evaluate(engine, { weights }, samples))).toBeCloseTo(found.loss, 10);
    await engine.close();
    await first.close();
    net.dispose();
  });
});

/** Stops a run when its ledger has so many lines. */
async function stoppedAt(signal: NodeJS.Signals, lines: number, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, stdio: "ignore" });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const path = join(folder, args.at(-1) as string);
  const watching = setInterval(() => {
    if (existsSync(path) && readFileSync(path, "utf8").split("\n").length >= lines) child.kill(signal);
  }, 5);
  await ended;
  clearInterval(watching);
  expect(child.exitCode === 0 && child.signalCode === null, "it was stopped before it ended").toBe(false);
}
