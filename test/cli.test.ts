import { execFile, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LazyTensor, lazyTensor, pack, writeSafetensors } from "../src/index.ts";
import { fileSink } from "../src/node.ts";
import { CLI, type Ended, quernIn } from "./command.ts";
import { bytesOf, weights } from "./helpers.ts";
import { serve } from "./server.ts";

// The built command, run as a user runs it.

const SHAPE = [64, 9, 5, 5];

let folder = "";

const quern = (...args: string[]): Promise<Ended> => quernIn(folder, ...args);

async function json(...args: string[]) {
  const { code, stdout, stderr } = await quern(...args, "--json");
  expect(code, stderr).toBe(0);
  expect(stdout.trim().split("\n"), "one line, so one object").toHaveLength(1);
  return JSON.parse(stdout);
}

function floats(name: string, shape: number[], values: Float32Array): LazyTensor {
  return lazyTensor({ name, dtype: "F32", shape, bytes: bytesOf(values) });
}

async function writeModel(path: string, tensors: LazyTensor[]): Promise<void> {
  await writeSafetensors({ tensors, metadata: { task: "test" } }, await fileSink(join(folder, path)));
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quern-cli-"));
  const conv = floats("conv.weight", SHAPE, weights(64 * 225, 1));
  await writeModel("model.safetensors", [conv, floats("conv.bias", [64], weights(64, 2))]);
  const broken = weights(64 * 225, 3);
  broken[7777] = Number.NaN;
  await writeModel("nan.safetensors", [floats("conv.weight", SHAPE, broken)]);
});

afterAll(() => rm(folder, { recursive: true }));

/** The command as a shell runs it with nobody who reads what it says. */
function unread(...args: string[]): Promise<Ended> {
  const line = `{ "$0" "$@"; echo "code $?" >&2; } | true`;
  return new Promise((resolve) => {
    execFile("sh", ["-c", line, process.execPath, CLI, ...args], { cwd: folder }, (error, stdout, stderr) => {
      resolve({ code: error ? -1 : 0, stdout, stderr });
    });
  });
}

test("ends as it would where nobody reads what it says", async () => {
  expect(await unread("--help")).toEqual({ code: 0, stdout: "", stderr: "code 0\n" });
  expect(await unread("pack", "model.safetensors", "-o", "unread.quern", "--json")).toMatchObject({
    stderr: "code 0\n",
  });
  expect(await json("verify", "unread.quern")).toMatchObject({ ok: true });
});

describe("the verbs", () => {
  test("pack, inspect, verify, diff, unpack and bench do their work, as text and as JSON", async () => {
    const packed = await json("pack", "model.safetensors", "-o", "a.quern");
    expect(packed).toMatchObject({ output: "a.quern", plan: "small 1024=lossless; int8 channel > auto" });
    expect(packed.fileBytes).toBe((await stat(join(folder, "a.quern"))).size);
    const shown = await json("inspect", "a.quern");
    expect(shown.tensors.map(({ name, plan }: { name: string; plan: string }) => [name, plan])).toEqual([
      ["conv.weight", "int8 channel > auto"],
      ["conv.bias", "lossless"],
    ]);
    expect(shown).toMatchObject({ sha256: packed.sha256, metadata: { task: "test" } });
    expect(await json("verify", "a.quern")).toMatchObject({ ok: true, bytes: packed.fileBytes, chunks: 2 });
    const { total, tensors } = await json("diff", "model.safetensors", "a.quern");
    expect(total.snr).toBeGreaterThan(20);
    expect(tensors[1]).toMatchObject({ name: "conv.bias", identical: true, maxAbs: 0 });
    expect(await json("bench", "a.quern", "--seconds", "0.01")).toMatchObject({
      tier: "simd",
      stored: packed.fileBytes,
    });
    expect(await json("unpack", "a.quern", "-o", "back.safetensors")).toMatchObject({ tensors: 2 });
    expect((await json("diff", "back.safetensors", "a.quern")).total).toMatchObject({ identical: true });
    const texts = await Promise.all([quern("inspect", "a.quern"), quern("diff", "model.safetensors", "a.quern")]);
    expect(texts[0].stdout).toMatch(
      /conv\.weight +F32 +64 x 9 x 5 x 5 +int8 channel > auto +\w+ +[\d.]+ kB +[\d.]+ +[\d.]+ %/,
    );
    expect(texts[1].stdout).toMatch(/conv\.bias +64 +0\.000e\+0 +0\.000e\+0 +inf +identical/);
  });

  test("inspect --verbose shows every stream with its two costs, and the lambda between them", async () => {
    expect((await quern("pack", "model.safetensors", "-o", "v.quern")).code).toBe(0);
    const { costs, totals } = await json("inspect", "v.quern", "--verbose");
    expect(costs.lambda).toBe(1 / 128);
    const { streams } = costs;
    expect(streams.map(({ tensor }: { tensor: string }) => tensor)).toEqual([
      "conv.weight",
      "conv.weight",
      "conv.bias",
    ]);
    const stored = streams.reduce((sum: number, stream: { stored: number }) => sum + stream.stored, 0);
    expect(stored).toBe(totals.file - totals.header);
    const { stdout } = await quern("inspect", "v.quern", "-v");
    expect(stdout).toMatch(/codes: pivot +[\d.]+ kB +[\d.]+ +[\d.]+ +\d+\n/);
    expect(stdout).toContain("lambda 0.0078125 byte a step");
    const refused = await quern("inspect", "v.quern", "-v", "--tier", "js");
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("the js tier does not know")]);
  });

  test("pack prints its plan with the rule for small tensors, and takes other steps by name", async () => {
    const args = ["pack", "model.safetensors", "-o", "b.quern", "--plan", "prune 0.8 > int4 group 32 > zrl kernel"];
    const { code, stdout } = await quern(...args, "--plan-for", "*.bias=raw");
    expect(code).toBe(0);
    expect(stdout).toContain("plan: *.bias=raw; small 1024=lossless; prune 0.8 > int4 group 32 > zrl kernel\n");
    expect(stdout).toContain("small N: 1-D tensors");
    const { tensors } = await json("inspect", "b.quern");
    expect(tensors[1]).toMatchObject({ name: "conv.bias", plan: "raw" });
  });

  test("raw comes back byte for byte, under the name that follows from the input", async () => {
    expect((await quern("pack", "model.safetensors", "--plan", "raw")).code).toBe(0);
    expect((await quern("unpack", "model.quern", "-o", "same.safetensors", "--tier", "scalar")).code).toBe(0);
    const [before, after] = await Promise.all(
      ["model", "same"].map((name) => readFile(join(folder, `${name}.safetensors`))),
    );
    expect(after.equals(before)).toBe(true);
  });
});

test("threads change nothing but the time", async () => {
  for (const n of ["1", "2"]) {
    const threads = ["--threads", n];
    expect((await quern("pack", "model.safetensors", "-o", `t${n}.quern`, ...threads)).code).toBe(0);
    expect((await quern("unpack", `t${n}.quern`, "-o", `t${n}.safetensors`, ...threads)).code).toBe(0);
    expect(await json("verify", `t${n}.quern`, ...threads)).toMatchObject({ ok: true, chunks: 2 });
    const { total } = await json("diff", `t${n}.safetensors`, `t${n}.quern`, ...threads);
    expect(total).toMatchObject({ identical: true });
    expect(await json("bench", `t${n}.quern`, "--seconds", "0.01", ...threads)).toMatchObject({ threads: Number(n) });
  }
  for (const extension of ["quern", "safetensors"]) {
    const [one, two] = await Promise.all(["t1", "t2"].map((name) => readFile(join(folder, `${name}.${extension}`))));
    expect(two.equals(one)).toBe(true);
  }
});

describe("what lies at an address", () => {
  test("is inspected, verified, compared and unpacked by ranges; what is made goes into the current folder", async () => {
    await json("pack", "model.safetensors", "-o", "a.quern");
    const bytes = await readFile(join(folder, "a.quern"));
    const server = await serve({ "m/a.quern": bytes, "m/a.quern?v=1": bytes, "m/a.quern?token=/x": bytes });
    const address = `${server.url}m/a.quern`;
    expect((await json("inspect", address)).sha256).toBe((await json("inspect", "a.quern")).sha256);
    expect(server.log.reduce((sum, { sent }) => sum + sent, 0)).toBeLessThanOrEqual(bytes.length);
    server.log.length = 0;
    expect((await json("verify", `${address}?v=1`)).sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(server.log.length).toBeLessThanOrEqual(2);
    expect((await json("diff", address, "a.quern")).total.maxAbs).toBe(0);
    await json("unpack", `${address}?token=/x#y`);
    expect((await json("diff", "a.safetensors", "a.quern")).total.maxAbs).toBe(0);
    expect((await quern("inspect", `${server.url}nothing.quern`)).stderr).toMatch(/status 404/);
    await server.close();
  });
});

describe("mistakes", () => {
  test.each([
    [2, "usage", []],
    [2, "unknown command", ["grind"]],
    [2, "missing required argument", ["pack"]],
    [2, "int9", ["pack", "model.safetensors", "-o", "x.quern", "--plan", "int9"]],
    [2, "would replace the input", ["pack", "model.safetensors", "-o", "model.safetensors"]],
    [2, "--threads expected a whole number", ["verify", "nan.safetensors", "--threads", "0"]],
    [2, "unknown option", ["inspect", "a.quern", "--threads", "2"]],
    [2, "simd, scalar", ["verify", "a.quern", "--tier", "gpu"]],
    [1, "none.safetensors: no such file", ["pack", "none.safetensors", "-o", "x.quern"]],
    [1, 'tensor "conv.weight": element 7777 is NaN', ["pack", "nan.safetensors", "-o", "x.quern"]],
    [1, "magic at byte 0", ["inspect", "model.safetensors"]],
    [1, "no/such/folder: no such file", ["pack", "model.safetensors", "-o", "no/such/folder/x.quern"]],
    [1, "expected a regular file", ["pack", "."]],
    [2, "known: prune S [global]", ["pack", "model.safetensors", "-o", "x.quern", "--plan", "prune 4:2"]],
  ])("end with %i and say: %s", async (wanted, text, args) => {
    const { code, stdout, stderr } = await quern(...args);
    expect(code).toBe(wanted);
    expect(stderr.toLowerCase()).toContain(text.toLowerCase());
    expect(stdout).toBe("");
    expect((await readdir(folder)).filter((name) => /x\.quern|\.part/.test(name))).toEqual([]);
  });

  test("names cannot speak to the terminal", async () => {
    const name = "a\x1b[31m\x07";
    const tensor = lazyTensor({ name, dtype: "F32", shape: [1], bytes: new Uint8Array(4) });
    await pack(
      { tensors: [tensor], metadata: { key: "\x1b]0;title\x07" } },
      "raw",
      await fileSink(join(folder, "t.quern")),
    );
    const { stdout } = await quern("inspect", "t.quern");
    expect(stdout).toContain("a\\x1b[31m\\x07");
    expect(stdout).toContain("key: \\x1b]0;title\\x07");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: there must be none
    expect(stdout).not.toMatch(/[\0-\x09\x0b-\x1f]/);
  });

  test("a damaged file is refused with where, what was expected and what was found", async () => {
    await quern("pack", "model.safetensors", "-o", "c.quern");
    const bytes = await readFile(join(folder, "c.quern"));
    bytes[bytes.length - 1] ^= 1;
    await writeFile(join(folder, "damaged.quern"), bytes);
    const { code, stderr } = await quern("verify", "damaged.quern");
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^quern: chunk 0 of tensor "conv.bias" at byte \d+: expected XXH64 [0-9a-f]{16}, got [0-9a-f]{16}\n$/,
    );
  });
});

test("--help teaches the plans and every verb has help of its own", async () => {
  const { code, stdout } = await quern("--help");
  expect(code).toBe(0);
  for (const word of ["prune 0.8 > int8 channel > zrl", "Exit codes", "unpack", "verify"])
    expect(stdout).toContain(word);
  for (const verb of ["pack", "unpack", "inspect", "verify", "diff", "compare", "bench"]) {
    const help = await quern(verb, "--help");
    expect(help).toMatchObject({ code: 0, stderr: "" });
    expect(help.stdout).toContain(`Usage: quern ${verb}`);
  }
});

/** Enough weights that packing takes a while: one block again and again. */
function many(count: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(count);
  const block = weights(65536, 4);
  for (let at = 0; at < count; at += block.length) values.set(block, at);
  return values;
}

test("Ctrl-C ends bench, which never waits for input or output", async () => {
  await quern("pack", "model.safetensors", "-o", "d.quern");
  const child = spawn(process.execPath, [CLI, "bench", "d.quern", "--seconds", "60"], { cwd: folder });
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  // Long enough for Node to start and the verb to listen.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  child.kill("SIGINT");
  expect(await ended).toBe(130);
});

test("Ctrl-C and a kill leave no file behind and end with 130", async () => {
  await writeModel("large.safetensors", [floats("w", [4096, 4096], many(2 ** 24))]);
  const parts = async () => (await readdir(folder)).filter((name) => name.includes("large.quern"));
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const child = spawn(process.execPath, [CLI, "pack", "large.safetensors", "-o", "large.quern"], { cwd: folder });
    const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
    // The part file shows that packing is under way.
    while ((await parts()).length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    child.kill(signal);
    expect(await ended).toBe(130);
    expect(await parts()).toEqual([]);
  }
});
