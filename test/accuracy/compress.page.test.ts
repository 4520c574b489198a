import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { printEnvironment } from "../../src/latency.ts";
import { quernIn } from "../command.ts";
import { npy, raw } from "../data.files.ts";
import { weights } from "../helpers.ts";
import { all, classed, expectSound, parse, textOf } from "../page.ts";
import { random } from "../random.ts";
import { place } from "../strategy.chain.ts";
import { FLOAT, graphBuilder } from "./build.ts";

// quern compress --report as a user runs it, on ONNX Runtime.

const RUNTIMES = fileURLToPath(new URL("node_modules", import.meta.url));
const COUNT = 96;
let folder = "";

/** Two products with Relu between them. */
function graph(): Uint8Array {
  const build = graphBuilder();
  const first = build.weight("w0", [40, 64], weights(40 * 64, 1));
  const second = build.weight("w1", [64, 8], weights(64 * 8, 2));
  const hidden = build.node("Relu", [build.node("MatMul", [build.input("x", FLOAT, ["batch", 40]), first])]);
  build.node("MatMul", [hidden, second], {}, { name: "p", outputs: ["y"] });
  build.output("y");
  return build.bytes();
}

beforeAll(async () => {
  const next = random(5);
  folder = await mkdtemp(join(tmpdir(), "quern-compress-page-"));
  await symlink(RUNTIMES, join(folder, "node_modules"));
  await writeFile(join(folder, "m.onnx"), graph());
  await writeFile(join(folder, "env.json"), printEnvironment(place()));
  const samples = Float32Array.from({ length: COUNT * 40 }, () => 2 * next() - 1);
  await writeFile(join(folder, "x.npy"), npy("<f4", [COUNT, 40], raw(samples)));
  await writeFile(join(folder, "pictures.npy"), npy("<f4", [COUNT, 1, 40], raw(samples)));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("quern compress --report", () => {
  const SETTINGS = ["--goal", "size", "--max-loss", "0.1%", "--trials", "6", "--rounds", "1"];
  const DATA = ["--data", "x.npy", "--env", "env.json", "--samples", "64"];

  test("writes a page of the answer, and the same file as without it", async () => {
    const args = ["compress", "m.onnx", ...DATA, ...SETTINGS];
    const said = await quernIn(folder, ...args, "-o", "a.quern", "--report", "a.html", "--json");
    expect(said.code, said.stderr).toBe(0);
    const answer = JSON.parse(said.stdout);
    expect(answer.report).toBe("a.html");
    const page = parse(await readFile(join(folder, "a.html"), "utf8"));
    expectSound(page);
    expect(all(page, "h1").map(textOf)).toEqual(["m.onnx"]);
    expect(all(page, "code").map(textOf)).toContain(answer.plan);
    const curves = all(classed(page, "curves")[0] as ReturnType<typeof parse>, "svg");
    for (const svg of curves) expect(classed(svg, "mark")).toHaveLength(answer.trials.length);
    const rows = all(page, "tr").map(textOf);
    for (const tensor of ["w0", "w1"]) expect(rows.some((row) => row.startsWith(tensor))).toBe(true);
    expect(textOf(page)).not.toContain("For other reasons");
    await quernIn(folder, ...args, "-o", "b.quern");
    expect(await readFile(join(folder, "b.quern"))).toEqual(await readFile(join(folder, "a.quern")));
  });

  test("adds to a ledger, from which a run without it goes on; its text names the page", async () => {
    const args = ["compress", "m.onnx", ...DATA, ...SETTINGS, "--ledger", "l.jsonl", "-o", "c.quern"];
    const { code, stdout, stderr } = await quernIn(folder, ...args, "--report", "c.html");
    expect(code, stderr).toBe(0);
    expect(stdout.trimEnd().endsWith("\nc.html")).toBe(true);
    const before = await readFile(join(folder, "l.jsonl"), "utf8");
    expect((await quernIn(folder, ...args)).code).toBe(0);
    expect(await readFile(join(folder, "l.jsonl"), "utf8")).toBe(before);
  });

  test("times what it has tried where the model is for this machine, beside what was predicted", async () => {
    const build = ["latency", "build", "--runtime", "onnxruntime-node", "--db", "here.sqlite", "--budget", "8s"];
    const built = await quernIn(folder, ...build);
    expect(built.code, built.stderr).toBe(0);
    const data = ["--data", "pictures.npy", "--samples", "64"];
    const args = ["compress", "m.onnx", ...data, ...SETTINGS, "--table", "here.sqlite"];
    const { code, stderr } = await quernIn(folder, ...args, "-o", "d.quern", "--report", "d.html");
    expect(code, stderr).toBe(0);
    const page = parse(await readFile(join(folder, "d.html"), "utf8"));
    expectSound(page);
    expect(textOf(page)).not.toContain("Times were not measured here");
    const checked = all(page, "table").find((table) => textOf(table).startsWith("Finalists"));
    const [head, answer] = all(checked as ReturnType<typeof parse>, "tr").map((row) =>
      [...all(row, "th"), ...all(row, "td")].map(textOf),
    );
    const at = head.indexOf("time of a run");
    expect(answer[at + 1]).toMatch(/ (ms|µs)$/);
    expect(answer[at + 2]).toMatch(/%$/);
  });
});
