import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lazyTensor, writeGguf, writeSafetensors } from "../src/index.ts";
import { fileSink } from "../src/node.ts";
import { CLI, type Ended, quernIn } from "./command.ts";
import { bytesOf, weights } from "./helpers.ts";

// `quern compare`, built, run as a user runs it.

let folder = "";

const quern = (...args: string[]): Promise<Ended> => quernIn(folder, ...args);

function floats(name: string, shape: number[], values: Float32Array) {
  return lazyTensor({ name, dtype: "F32", shape, bytes: bytesOf(values) });
}

const MODEL = {
  tensors: [floats("conv.weight", [64, 96], weights(64 * 96, 1)), floats("conv.bias", [64], weights(64, 2))],
  metadata: { task: "test" },
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quern-compare-"));
  await writeSafetensors(MODEL, await fileSink(join(folder, "model.safetensors")));
  await writeGguf(MODEL, await fileSink(join(folder, "model.gguf")));
  const broken = weights(2000, 3);
  broken[77] = Number.NaN;
  await writeSafetensors(
    { tensors: [floats("w", [40, 50], broken)], metadata: null },
    await fileSink(join(folder, "nan.safetensors")),
  );
  const large = floats("w", [1024, 1024], weights(1024 * 1024, 4));
  await writeSafetensors({ tensors: [large], metadata: null }, await fileSink(join(folder, "large.safetensors")));
});

afterAll(() => rm(folder, { recursive: true }));

describe("quern compare", () => {
  test("prints a table and writes a page beside the model", async () => {
    const { code, stdout, stderr } = await quern("compare", "model.safetensors", "--points", "2", "--tensors");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(
      "6208 weights, 6144 of them quantized, in 1 tensors\nplan: small 1024=lossless; int8 channel > smallest\n",
    );
    for (const format of ["GGUF Q8_0", "GGUF Q4_0", "GGUF Q4_1", "NF4", "ORT int8", "ORT int4"])
      expect(stdout).toMatch(new RegExp(`${format} +[\\d.]+ +\\d+ +[\\d.]+ +\\d+ +\\d+ +[\\d.]+ +-?[\\d.]+ %\\n`));
    expect(stdout).toMatch(/\n +1\.50 +1\.[45]\d +\d+ +[\d.]+\n/);
    expect(stdout).toMatch(/conv\.weight +6144 +[\d.]+ +[\d.]+ +\d+\n/);
    expect(stdout).toMatch(/conv\.bias +64 +[\d.]+ +inf +\d+ +kept\n/);
    expect(stdout.endsWith("model.compare.html\n")).toBe(true);
    const page = await readFile(join(folder, "model.compare.html"), "utf8");
    expect(page).toContain("<title>model.safetensors: bits and error</title>");
    expect((await readdir(folder)).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  test("--json has all that the page shows", async () => {
    const { stdout } = await quern("compare", "model.safetensors", "--points", "3", "-o", "a.html", "--json");
    expect(stdout.trim().split("\n")).toHaveLength(1);
    const found = JSON.parse(stdout);
    const number = expect.any(Number);
    const figures = { bytes: number, bits: number, snr: number };
    expect(found).toEqual({
      ...{ file: "model.safetensors", output: "a.html", plan: "small 1024=lossless; int8 channel > smallest" },
      ...{ elements: 6208, sourceBytes: 24832, quantized: { tensors: 1, elements: 6144 } },
      curve: [0, 1, 2].map(() => ({ budget: number, ...figures })),
      formats: ["q8_0", "q4_0", "q4_1", "nf4", "int8", "int4"].map((name) => ({
        ...{ name, label: expect.any(String), file: name.startsWith("q") ? "gguf" : "safetensors", why: null },
        ...{ own: figures, same: figures, equal: { ...figures, saved: number, worst: number } },
      })),
      ...{ reference: "q4_0", headerBytes: number },
      tensors: [
        {
          ...{ name: "conv.weight", dtype: "F32", shape: [64, 96], elements: 6144, quantized: true },
          equal: { bytes: number, codes: number, bits: number, snr: number, step: number },
          histogram: { limit: number, counts: expect.any(Array) },
        },
        {
          ...{ name: "conv.bias", dtype: "F32", shape: [64], elements: 64, quantized: false, histogram: null },
          // JSON has no infinity.
          equal: { bytes: number, codes: 0, bits: number, snr: null, step: null },
        },
      ],
    });
  });

  test("takes models of other formats, .quern files too", async () => {
    const run = async (name: string) => JSON.parse((await quern("compare", name, "--points", "1", "--json")).stdout);
    const [plain, gguf] = [await run("model.safetensors"), await run("model.gguf")];
    expect(gguf).toMatchObject({ output: "model.compare.html", tensors: plain.tensors });
    expect((await quern("pack", "model.gguf", "-o", "packed.quern", "--plan", "lossless")).code).toBe(0);
    expect(await run("packed.quern")).toMatchObject({ output: "packed.compare.html", tensors: plain.tensors });
  });

  test("threads change nothing", async () => {
    const run = async (threads: string) => {
      const args = ["--points", "2", "--json", "-o", `t${threads}.html`, "--threads", threads, "--plan", "int8 > auto"];
      const { output, ...found } = JSON.parse((await quern("compare", "model.safetensors", ...args)).stdout);
      return found;
    };
    expect(await run("2")).toEqual(await run("1"));
  });

  test("refuses what it cannot compare, and writes nothing then", async () => {
    await writeFile(join(folder, "no.safetensors"), "no model");
    const refusals: [string[], number, string][] = [
      [["absent.safetensors"], 1, "no such file"],
      [["no.safetensors"], 1, "expected"],
      [["nan.safetensors"], 1, 'tensor "w": element 77 is NaN'],
      [["model.safetensors", "--points", "0"], 2, '--points expected a whole number from 1 to 100, got "0"'],
      [["model.safetensors", "--points", "x"], 2, "--points"],
      [["model.safetensors", "--plan", "int4 > auto"], 2, "compare chooses step sizes"],
      [["model.safetensors", "--plan", "lossless"], 1, "quantizes no tensor"],
      [["model.safetensors", "-o", "absent/page.html"], 1, "absent"],
      [["model.safetensors", "-o", "model.safetensors"], 2, "would replace the input"],
      [["model.safetensors", "--tier", "js"], 2, "js"],
    ];
    for (const [args, code, message] of refusals) {
      const output = args.includes("-o") ? [] : ["-o", "never.html"];
      const ended = await quern("compare", ...args, ...output);
      expect({ code: ended.code, stdout: ended.stdout }, args.join(" ")).toEqual({ code, stdout: "" });
      expect(ended.stderr).toContain(message);
    }
    expect(await readdir(folder)).not.toContain("never.html");
  });

  test("Ctrl-C ends it, with no page left", async () => {
    const child = spawn(process.execPath, [CLI, "compare", "large.safetensors", "-o", "stopped.html"], { cwd: folder });
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    expect((await readdir(folder)).filter((name) => name.includes("stopped"))).toEqual([]);
  }, 30000);
});
