import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseEnvironment, printEnvironment, printLines } from "../src/latency.ts";
import { quernIn } from "./command.ts";
import { HERE, ROW, THERE, tableOf } from "./latency.rows.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quern-latency-cli-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
const text = (name: string) => readFile(join(folder, name), "utf8");
const { version } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));

async function succeed(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await quernIn(folder, ...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

describe("env", () => {
  test("shows this machine, and saves it", async () => {
    const line = ["--bandwidth", "50Mbit/s", "--rtt", "20ms"];
    const told = JSON.parse(await succeed("env", "--json", "--name", "box", ...line, "-o", "env.json"));
    const [found] = told.environments;
    expect(told.environments).toHaveLength(1);
    expect(found).toMatchObject({
      name: "box",
      runtime: { name: "quern", version, threads: 1 },
      host: { name: "node", version: process.versions.node },
      line: { bandwidth: 5e7, roundTrip: 20 },
    });
    expect(told.saved).toEqual({ file: "env.json", id: found.id });
    expect(told.support[found.id]).toMatchObject({
      decode: { ok: true },
      QDQ: { ok: false, reason: expect.stringContaining("multiply") },
    });
    expect(parseEnvironment(await text("env.json"))).toEqual(found);
  });

  test("shows it as text", async () => {
    const shown = await succeed("env");
    for (const each of [
      `node ${process.versions.node}`,
      "CPU: ",
      "WebAssembly: SIMD",
      "bandwidth unknown",
      "quern-",
      "MatMulNBits",
    ])
      expect(shown).toContain(each);
  });

  test("finds runtimes that are installed, each with its own version, and not those that cannot be loaded", async () => {
    const here = join(folder, "app");
    const make = async (name: string, about: object, code: string) => {
      await mkdir(join(here, "node_modules", name, "dist"), { recursive: true });
      await writeFile(
        join(here, "node_modules", name, "package.json"),
        JSON.stringify({ name, main: "dist/index.js", ...about }),
      );
      await writeFile(join(here, "node_modules", name, "dist/index.js"), code);
    };
    await make("onnxruntime-node", { version: "1.2.3" }, "throw new Error('no native part for this machine')");
    await make("onnxruntime-web", { version: "1.2.4", exports: { ".": "./dist/index.js" } }, "exports.env = {}");
    await make("@tensorflow/tfjs-backend-wasm", { version: "4.5.6" }, "");
    const { code, stdout } = await quernIn(here, "env", "--json");
    expect(code).toBe(0);
    const names = JSON.parse(stdout).environments.map(
      ({ runtime }: { runtime: { name: string; version: string } }) => `${runtime.name} ${runtime.version}`,
    );
    expect(names).toEqual(["onnxruntime-web 1.2.4", "tfjs-wasm 4.5.6", `quern ${version}`]);
    const one = await quernIn(here, "env", "--json", "--runtime", "tfjs-wasm", "-o", "tfjs.json");
    expect(JSON.parse(one.stdout)).toMatchObject({
      environments: [{ runtime: { name: "tfjs-wasm" } }],
      saved: { file: "tfjs.json" },
    });
    expect(await quernIn(here, "env", "--runtime", "onnxruntime-node")).toMatchObject({
      code: 1,
      stdout: "",
      stderr: "quern: onnxruntime-node is not installed, or cannot be loaded: npm install onnxruntime-node\n",
    });
  });

  test("measures a line", async () => {
    const server = createServer((_, response) => response.end(Buffer.alloc(3e6)));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const told = JSON.parse(await succeed("env", "--json", "--measure", url));
    server.close();
    expect(told.environments[0].line.bandwidth).toBeGreaterThan(1e6);
    expect(told.environments[0].line.roundTrip).toBeGreaterThan(0);
  });

  test.each([
    [["--bandwidth", "fast"], 2, "--bandwidth expected bits per second such as 50Mbit/s"],
    [["--bandwidth", "0Mbit/s"], 2, "--bandwidth expected"],
    [["--rtt", "20"], 2, "--rtt expected a time such as 20ms"],
    [["--runtime", "tensorrt"], 2, "Allowed choices are"],
    [["--measure", "http://127.0.0.1:9/", "--rtt", "1ms"], 2, "--measure goes without --bandwidth and --rtt"],
    [["--name", ""], 2, "environment.name: expected text of 1 to 200 characters"],
    [["-o", "none/env.json"], 1, "no such file or folder"],
    [["--measure", "http://127.0.0.1:9/"], 1, "http://127.0.0.1:9/"],
  ])("refuses %j", async (args, code, message) => {
    const ended = await quernIn(folder, "env", ...args);
    expect(ended).toMatchObject({ code, stdout: "" });
    expect(ended.stderr).toContain(message);
    expect(ended.stderr).not.toMatch(/\n {4}at /);
  });
});

describe("latency", () => {
  const A = printLines(tableOf([ROW, { ...ROW, batch: 64, median: 4.7 }]));
  const B = printLines(tableOf([ROW, { ...ROW, type: "conv", environment: THERE.id, median: 123456 }]));
  beforeAll(async () => {
    await writeFile(join(folder, "a.jsonl"), A);
    await writeFile(join(folder, "b.jsonl"), B);
    await writeFile(join(folder, "here.json"), printEnvironment(HERE));
  });

  test("imports, exports and merges: the same rows give the same bytes", async () => {
    expect(await succeed("latency", "import", "a.jsonl", "--db", "f.sqlite")).toBe(
      "f.sqlite: 2 new rows, 2 new environments\n",
    );
    const again = await succeed("latency", "import", "a.jsonl", "b.jsonl", "--db", "f.sqlite", "--json");
    expect(JSON.parse(again)).toEqual({ output: "f.sqlite", added: { rows: 1, environments: 0 } });
    expect(await succeed("latency", "export", "f.sqlite", "-o", "out.jsonl")).toBe(
      "out.jsonl: 3 rows, 2 environments\n",
    );
    expect(await succeed("latency", "merge", "b.jsonl", "a.jsonl", "-o", "merged.jsonl")).toBe(
      "merged.jsonl: 3 rows, 2 environments\n",
    );
    expect(await text("merged.jsonl")).toBe(await text("out.jsonl"));
    await succeed("latency", "merge", "f.sqlite", "a.jsonl", "-o", "merged.sqlite");
    await succeed("latency", "merge", "a.jsonl", "-o", "merged.sqlite");
    await succeed("latency", "export", "merged.sqlite", "-o", "back.jsonl");
    expect(await text("back.jsonl")).toBe(A);
    await succeed("latency", "export", "f.sqlite", "-o", "part.txt", "--env", HERE.name, "--type", "dense");
    expect((await text("part.txt")).split("\n")).toHaveLength(5);
  });

  test("shows what is known", async () => {
    const shown = await succeed("latency", "show", "b.jsonl");
    for (const each of [
      `${HERE.id}  threads 1`,
      "dense",
      '{"inputs":1024,"outputs":1024}',
      "0.2200",
      "1.235e+5",
      "2026-01-02",
      "2 units",
    ])
      expect(shown).toContain(each);
    await succeed("latency", "import", "b.jsonl", "--db", "s.sqlite");
    for (const file of ["b.jsonl", "s.sqlite"]) {
      const conv = JSON.parse(await succeed("latency", "show", file, "--json", "--type", "conv"));
      expect(conv.latencies).toMatchObject([{ type: "conv", median: 123456, pooled: 1, outdated: 0 }]);
      for (const env of [HERE.id, HERE.name, "here.json"]) {
        const here = JSON.parse(await succeed("latency", "show", file, "--json", "--env", env));
        expect(here).toMatchObject({ environments: [{ id: HERE.id }], latencies: [{ environment: HERE.id }] });
        expect(here.latencies).toHaveLength(1);
      }
    }
  });

  test.each([
    [["import", "none.jsonl", "--db", "x.sqlite"], 1, "none.jsonl: no such file or folder"],
    [
      ["import", "bad.jsonl", "--db", "x.sqlite"],
      1,
      "bad.jsonl: line 4: row.count: expected a whole number from 1, got -1",
    ],
    [["import", "a.jsonl", "--db", "a.jsonl"], 1, "a.jsonl: expected a SQLite file, got other bytes"],
    [["import", "a.jsonl"], 2, "required option '--db <file>'"],
    [["export", "a.jsonl"], 2, "required option '-o, --output <file>'"],
    [["show", "."], 1, ".: expected a regular file"],
    [["show", "cut.sqlite"], 1, "cut.sqlite: expected a whole SQLite file"],
    [["show", "a.jsonl", "--env", "moon"], 2, `--env: there is no environment "moon": ${THERE.id}, ${HERE.id}`],
    [["show", "a.jsonl", "--env", "none.json"], 1, "none.json: no such file or folder"],
    [["show", "a.jsonl", "--env", "a.json"], 1, "a.json: expected JSON"],
    [["show"], 2, "missing required argument"],
    [["measure"], 2, "unknown command"],
  ])("refuses %j", async (args, code, message) => {
    await writeFile(join(folder, "bad.jsonl"), A.replace('"count":30', '"count":-1'));
    await writeFile(join(folder, "cut.sqlite"), "SQLite format 3\0 and no more");
    await writeFile(join(folder, "a.json"), "hello");
    const ended = await quernIn(folder, "latency", ...args);
    expect(ended).toMatchObject({ code, stdout: "" });
    expect(ended.stderr).toContain(message);
    expect(ended.stderr).not.toMatch(/\n {4}at /);
  });
});
