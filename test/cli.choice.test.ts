import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { quernIn } from "./command.ts";

// Pages of compress that cannot be, which is said before anything is opened: neither the model nor a runtime is there.

let folder = "";
const ALL = ["--data", "x.npy", "--env", "env.json", "--table", "t.jsonl", "--ledger", "l.jsonl", "-o", "o.quern"];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quern-choice-"));
  await writeFile(join(folder, "env.json"), "{}");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test.each([
  ["the model", "./m.onnx", 2, "--report would replace m.onnx"],
  ["the file that is written", "o.quern", 2, "--report would replace o.quern"],
  ["the ledger", "l.jsonl", 2, "--report would replace l.jsonl"],
  ["the environment", "env.json", 2, "--report would replace env.json"],
  ["the table", "t.jsonl", 2, "--report would replace t.jsonl"],
  ["nothing", "", 2, "--report expected a file"],
  ["a file in no folder", "none/r.html", 1, "none: no such folder, for none/r.html"],
])("a page in place of %s", async (_, path, code, message) => {
  const ended = await quernIn(folder, "compress", "m.onnx", ...ALL, "--report", path);
  expect(ended).toMatchObject({ code, stdout: "" });
  expect(ended.stderr).toContain(message);
  expect(await readdir(folder)).toEqual(["env.json"]);
});

test("the help has the option", async () => {
  const { stdout } = await quernIn(folder, "compress", "--help");
  expect(stdout).toContain("--report <file>");
});
