import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { budgetOf } from "../src/cli/budget.ts";
import { writeSafetensors } from "../src/index.ts";
import { fileSink } from "../src/node.ts";
import { type Ended, quernIn } from "./command.ts";
import { modelOf, tensorOf } from "./files.ts";
import { weights } from "./helpers.ts";

// Sizes for a whole file, and what came of them, from the command line.

let folder = "";

const quern = (...args: string[]): Promise<Ended> => quernIn(folder, ...args);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quern-budget-"));
  const layers = ["first.weight", "second.weight"].map((name, i) =>
    tensorOf(
      name,
      "F32",
      [60, 100],
      weights(6000, i).map((x) => x * (1 + 9 * i)),
    ),
  );
  const model = modelOf([...layers, tensorOf("bias", "F32", [60], weights(60, 3))]);
  await writeSafetensors(model, await fileSink(join(folder, "model.safetensors")));
});

afterAll(() => rm(folder, { recursive: true }));

describe("flags", () => {
  test.each([
    ["2MB", 2e6],
    ["500kB", 500e3],
    ["1.5 MiB", 1.5 * 2 ** 20],
    ["12345", 12345],
    ["7b", 7],
  ])("--total-size %s is %d bytes", (totalSize, bytes) => {
    expect(budgetOf({ totalSize })?.bytes).toBe(bytes);
  });

  test("importance is that of the first pattern that fits", () => {
    const budget = budgetOf({ totalBits: "3.5", importance: ["head.*=10", "*=2"] });
    expect(budget?.bits).toBe(3.5);
    expect(["head.weight", "body"].map((name) => budget?.importance?.(name))).toEqual([10, 2]);
    expect(budgetOf({ totalBits: "3" })?.importance?.("x")).toBe(1);
    expect(budgetOf({})).toBeUndefined();
  });

  test.each([
    [{ totalSize: "2 parsecs" }, "such as 2MB"],
    [{ totalSize: "-3" }, "above 0"],
    [{ totalSize: "0" }, "above 0"],
    [{ totalSize: "1.2.3MB" }, "above 0"],
    [{ totalBits: "many" }, "above 0"],
    [{ totalBits: "" }, "above 0"],
    [{ totalBits: "3", totalSize: "3" }, "give one"],
    [{ importance: ["a=2"] }, "needs --total-size"],
    [{ totalBits: "3", importance: ["a"] }, "glob=number"],
    [{ totalBits: "3", importance: ["=3"] }, "glob=number"],
    [{ totalBits: "3", importance: ["a=-1"] }, "above 0"],
  ])("%j is refused", (flags, why) => {
    expect(() => budgetOf(flags)).toThrow(why);
  });
});

test("pack --total-size --report keeps the size and tells what each tensor came to", async () => {
  const args = ["pack", "model.safetensors", "-o", "a.quern", "--total-size", "5kB", "--report"];
  const text = await quern(...args);
  expect(text.code, text.stderr).toBe(0);
  expect(text.stdout).toMatch(
    /^second\.weight +int(8|16) tensor step \S+ > auto +6000 +\S+ k?B +\d\.\d\d +\d+\.\d\d$/m,
  );
  expect(text.stdout).toMatch(/^bias +lossless +60 .*inf$/m);
  const { size } = await stat(join(folder, "a.quern"));
  expect(size).toBeLessThanOrEqual(5000);
  expect(size).toBeGreaterThan(4900);
  const { stdout } = await quern(...args, "--json");
  const { report, fileBytes } = JSON.parse(stdout);
  expect(fileBytes).toBe(size);
  expect(report.tensors).toHaveLength(3);
  expect(report.tensors[2]).toMatchObject({ name: "bias", snr: null, rmse: 0 });
  expect(report.total).toMatchObject({ storedBytes: size, bitsPerWeight: (8 * size) / 12060 });
  expect(report.total.snr).toBeGreaterThan(5);
});

test("what cannot be is said, and leaves no file", async () => {
  const small = await quern("pack", "model.safetensors", "-o", "b.quern", "--total-size", "300B");
  expect([small.code, small.stdout]).toEqual([1, ""]);
  expect(small.stderr).toContain("too small: the smallest file tried took");
  const usage = await quern("pack", "model.safetensors", "-o", "b.quern", "--total-bits", "x");
  expect(usage.code).toBe(2);
  expect((await readdir(folder)).filter((name) => name.startsWith("b."))).toEqual([]);
});
