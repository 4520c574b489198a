import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { addEnvironment, newEnvironment, newTable, printLines } from "../../src/latency.ts";
import { relative } from "../../src/measure/family.ts";
import { CLI, type Ended, quernIn } from "../command.ts";
import { npy, raw } from "../data.files.ts";
import { weights } from "../helpers.ts";
import { FACTS } from "../latency.rows.ts";
import { FLOAT, graphBuilder, INT64 } from "./build.ts";

// quern latency build and predict as a user runs them, with the real runtimes.

let folder = "";
const quern = (...args: string[]): Promise<Ended> => quernIn(folder, ...args);
const path = (name: string) => join(folder, name);

async function json(...args: string[]) {
  const { code, stdout, stderr } = await quern(...args, "--json");
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}

/** The lines that a build has written on its way into a file; none where there is no build. */
async function journalOf(db: string): Promise<string[]> {
  const name = (await readdir(folder)).find((each) => each.startsWith(`${db}.journal.`));
  return name === undefined ? [] : (await readFile(path(name), "utf8")).split("\n");
}

/** Texts of any length. */
function text(): Uint8Array {
  const build = graphBuilder();
  const tokens = build.input("tokens", INT64, ["batch", "positions"]);
  const embedded = build.node("Gather", [build.weight("e", [50, 128], weights(50 * 128, 1)), tokens]);
  build.node("MatMul", [embedded, build.weight("w", [128, 256], weights(128 * 256, 2))], {}, { outputs: ["y"] });
  build.output("y", FLOAT);
  return build.bytes();
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quern-latency-"));
  await symlink(fileURLToPath(new URL("node_modules", import.meta.url)), path("node_modules"));
  await writeFile(path("net.onnx"), relative(3).bytes);
  await writeFile(path("text.onnx"), text());
  await writeFile(path("x.npy"), npy("<i4", [2, 64], raw(new Int32Array(128).fill(7))));
  await writeFile(path("y.npy"), npy("<f4", [2, 5], raw(new Float32Array(10))));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test.each(["onnxruntime-web", "onnxruntime-node", "tfjs-wasm"])("units of %s", async (runtime) => {
  const db = `${runtime}.sqlite`;
  const build = ["latency", "build", "--runtime", runtime, "--db", db, "--budget"];
  // How many rows there are is the machine's business, and other tests run beside this one.
  const first = await json(...build, "12s");
  expect(first).toMatchObject({ db, known: 0, refused: [], environment: { runtime: { name: runtime } } });
  expect(first.rows).toBeGreaterThan(5);
  expect(await journalOf(db)).toEqual([]);
  const again = await json(...build, "2s");
  // Not the reference, which is timed by each build, and not what it had no time to come to.
  expect(again.known).toBeGreaterThan(0);
  expect(again.known).toBeLessThan(first.rows);
  expect(again.environment.id).toBe(first.environment.id);
  const { latencies } = await json("latency", "show", db);
  expect(latencies.length).toBe(first.rows + again.rows);
  const types = new Set(latencies.map(({ type }: { type: string }) => type));
  expect([...types]).toEqual(expect.arrayContaining(["conv", "reference", "run"]));
  // Half of a run's noise may be more than what a unit takes.
  expect(latencies.filter(({ median }: { median: number }) => median > 0).length).toBeGreaterThan(5);
});

test("units of a model are measured first, and then nearly all of its time is known", async () => {
  const build = ["latency", "build", "--runtime", "onnxruntime-web", "--db", "net.sqlite", "--budget", "12s"];
  await json(...build, "--model", "net.onnx");
  const { predictions, units } = await json("latency", "predict", "net.onnx", "--db", "net.sqlite", "--units");
  expect(predictions.map(({ run }: { run: string }) => run)).toEqual(["f32", "int8", "w8", "w4"]);
  for (const { ms, low, high } of predictions) {
    expect(ms).toBeGreaterThan(low);
    expect(ms).toBeLessThan(high);
  }
  expect(predictions[0].known).toBeGreaterThan(0.5);
  expect(
    units.filter(({ from, run }: { from: string; run: string }) => run === "f32" && from === "row").length,
  ).toBeGreaterThan(2);
});

test("extents that a model leaves free are those of the data's first sample", async () => {
  const data = ["--data", "x.npy"];
  const build = ["latency", "build", "--runtime", "onnxruntime-web", "--db", "text.sqlite", "--budget", "6s"];
  await json(...build, "--model", "text.onnx", ...data);
  const predict = ["latency", "predict", "text.onnx", "--db", "text.sqlite"];
  const [word, whole] = [await json(...predict), await json(...predict, ...data)];
  expect([word.guessed, whole.guessed]).toEqual([true, false]);
  expect(whole.predictions[0].known).toBeGreaterThan(word.predictions[0].known);
  expect(whole.predictions[0].ms).toBeGreaterThan(2 * word.predictions[0].ms);
  expect((await quern(...predict)).stdout).toContain("--data");
  expect((await quern(...predict, ...data)).stdout).not.toContain("--data");
});

test("a batch is of models that leave it free", async () => {
  const predict = ["latency", "predict"];
  const text = [...predict, "text.onnx", "--db", "text.sqlite", "--data", "x.npy"];
  const [one, eight] = [await json(...text), await json(...text, "--batch", "8")];
  expect([one.batch, eight.batch]).toEqual([1, 8]);
  expect(eight.predictions[0].ms).toBeGreaterThan(2 * one.predictions[0].ms);
  const net = [...predict, "net.onnx", "--db", "net.sqlite", "--batch"];
  expect(await json(...net, "16")).toEqual(await json(...net.slice(0, -1)));
  const other = await quern(...net, "8");
  expect([other.code, other.stdout]).toEqual([2, ""]);
  expect(other.stderr).toBe("quern: --batch 8: the model runs 16 at once, and no other number of samples\n");
});

test("what was found before it was killed is there afterwards", async () => {
  const args = ["latency", "build", "--runtime", "onnxruntime-web", "--db", "killed.sqlite", "--budget", "60s"];
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, stdio: "ignore" });
  const rows = async (): Promise<number> => (await journalOf("killed.sqlite")).length;
  while ((await rows()) < 8) await setTimeout(50);
  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("exit", resolve));
  const found = (await rows()) - 3;
  expect(existsSync(path("killed.sqlite"))).toBe(false);
  const resumed = await json(...args.slice(0, -1), "3s");
  expect(resumed.known).toBeGreaterThanOrEqual(found - 1);
  expect(await rows()).toBe(0);
});

test("two at once bring what they found into one file", async () => {
  const build = ["latency", "build", "--runtime", "onnxruntime-web", "--db", "both.sqlite", "--budget"];
  const [one, two] = await Promise.all([json(...build, "6s"), json(...build, "9s")]);
  const { latencies } = await json("latency", "show", "both.sqlite");
  const rows = latencies.reduce((sum: number, { pooled }: { pooled: number }) => sum + pooled, 0);
  expect(rows).toBe(one.rows + two.rows);
  expect(await journalOf("both.sqlite")).toEqual([]);
});

test("stopped, it keeps what was found", async () => {
  const args = ["latency", "build", "--runtime", "onnxruntime-web", "--db", "stopped.sqlite", "--budget", "60s"];
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, stdio: "ignore" });
  while ((await journalOf("stopped.sqlite")).length < 8) await setTimeout(50);
  child.kill("SIGINT");
  const code = await new Promise((resolve) => child.once("exit", resolve));
  expect(code).toBe(130);
  const { latencies } = await json("latency", "show", "stopped.sqlite");
  expect(latencies.length).toBeGreaterThan(4);
});

test("ways to run are those of the operators that compressed models have", async () => {
  const environments = ["1.18.0", "1.19.0"].map((version) =>
    newEnvironment({ ...FACTS, name: `of ${version}`, runtime: { ...FACTS.runtime, version } }),
  );
  const table = newTable();
  for (const each of environments) addEnvironment(table, each);
  await writeFile(path("old.jsonl"), printLines(table));
  const runs = async (version: string): Promise<string[]> => {
    const told = await json("latency", "predict", "net.onnx", "--db", "old.jsonl", "--env", `of ${version}`);
    return told.predictions.map(({ run }: { run: string }) => run);
  };
  expect(await runs("1.18.0")).toEqual(["f32", "int8", "w8"]);
  expect(await runs("1.19.0")).toEqual(["f32", "int8", "w8", "w4"]);
});

test("an environment of quern's own kernels runs no models", async () => {
  const own = newEnvironment({ ...FACTS, runtime: { name: "quern", version: "0.1.0", threads: 1 } });
  const table = newTable();
  addEnvironment(table, own);
  await writeFile(path("own.jsonl"), printLines(table));
  const { code, stdout, stderr } = await quern("latency", "predict", "net.onnx", "--db", "own.jsonl", "--env", own.id);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toContain(`no model runs in ${own.name} (${own.id})`);
  expect(stderr).toContain("name an environment of a runtime");
});

test("says what to do", async () => {
  const missing = await quern("latency", "build", "--runtime", "onnxruntime-web");
  expect(missing.stderr).toContain("--db");
  const budget = await quern("latency", "build", "--db", "x.sqlite", "--budget", "soon");
  expect([budget.code, budget.stderr]).toEqual([2, 'quern: --budget expected a time such as 3m or 90s, got "soon"\n']);
  const none = await quern("latency", "predict", "net.onnx", "--db", "net.sqlite", "--env", "moon");
  expect(none.code).toBe(2);
  expect(none.stderr).toContain('there is no environment "moon"');
  const alone = await quern("latency", "build", "--db", "x.sqlite", "--data", "x.npy");
  expect([alone.code, alone.stderr]).toEqual([2, "quern: --data goes with --model: it tells extents of models\n"]);
  const other = await quern("latency", "predict", "net.onnx", "--db", "net.sqlite", "--data", "y.npy");
  expect([other.code, other.stderr]).toEqual([1, expect.stringContaining("samples are 5, but the input")]);
  const notModel = await quern("latency", "predict", "x.npy", "--db", "net.sqlite");
  expect([notModel.code, notModel.stderr]).toEqual([1, expect.stringContaining("x.npy: file at byte 0")]);
});
