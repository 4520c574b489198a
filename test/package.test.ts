import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

// What is published, installed where nothing else is, and used as its users would.

const ROOT = fileURLToPath(new URL("..", import.meta.url));

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

function run(cwd: string, command: string, ...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd, encoding: "utf8" }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : error ? -1 : 0, stdout, stderr });
    });
  });
}

async function succeed(cwd: string, command: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(cwd, command, ...args);
  expect(code, `${command} ${args.join(" ")}\n${stdout}${stderr}`).toBe(0);
  return stdout;
}

const PROGRAM = `
import { bytesSource, type LazyTensor, lazyTensor, memorySink, type Model, pack, type PackReport } from "quern";
import { FormatError, open, type QuernFile } from "quern/read";
import { fileSink, fileSource } from "quern/node";

const weights = Float32Array.from({ length: 4096 }, (_, i) => Math.sin(i));
const tensor: LazyTensor = lazyTensor({ name: "w", dtype: "F32", shape: [64, 64], bytes: new Uint8Array(weights.buffer) });
const model: Model = { tensors: [tensor], metadata: { task: "test" } };
const report: PackReport = await pack(model, "int8 channel > auto", await fileSink("model.quern"));
const source = await fileSource("model.quern");
const file: QuernFile = await open(source);
const { data } = await file.tensor("w", { as: "f32" });
const { quantization } = await file.tensor("w", { as: "stored" });
await source.close();
const sink = memorySink();
await pack(model, "raw", sink);
const raw = await (await open(bytesSource(sink.bytes()))).tensor("w");
const refused = await open(new Uint8Array(3)).catch((error: unknown) => error instanceof FormatError);
const error = Math.max(...data.map((x, i) => Math.abs(x - (weights[i] ?? 0))));
const wasm = import.meta.resolve("quern/quern.simd.wasm");
console.log(JSON.stringify({
  bytes: report.fileBytes, scales: quantization?.scales.length, error, refused, wasm,
  same: raw.data.every((x, i) => x === weights[i]),
}));
`;

const FOREIGN = `
import { open } from "quern/read";
// @ts-expect-error there is no such export
import { pack } from "quern/read";
// @ts-expect-error inner modules are not to be had
import { demand } from "quern/dist/errors.js";
export const opened = [open, pack, demand];
`;

const NODENEXT = { module: "nodenext", moduleResolution: "nodenext", outDir: "out" };
const BUNDLER = { module: "esnext", moduleResolution: "bundler", noEmit: true };

describe("the package", () => {
  let folder = "";
  let app = "";
  let files: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "quern-package-"));
    app = join(folder, "app");
    await mkdir(app);
    // npm ci has built dist; without it npm builds it now.
    const scripts = existsSync(join(ROOT, "dist/index.js")) ? ["--ignore-scripts"] : [];
    const packing = await succeed(ROOT, "npm", "pack", "--json", "--pack-destination", folder, ...scripts);
    const [packed] = JSON.parse(packing.slice(packing.indexOf("[\n"))) as {
      filename: string;
      files: { path: string }[];
    }[];
    files = packed.files.map(({ path }) => path);
    await writeFile(join(app, "package.json"), '{ "private": true, "type": "module" }');
    await succeed(app, "npm", "install", `../${packed.filename}`, "--prefer-offline", "--no-audit", "--no-fund");
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("has what is built, its documents, and nothing else", () => {
    const other = files.filter((file) => !/^(dist|docs)\//.test(file));
    expect(other.sort()).toEqual(["CHANGELOG.md", "LICENSE", "README.md", "package.json"]);
    expect(files.filter((file) => /^dist\//.test(file) && !/\.(js|d\.ts|wasm)$/.test(file))).toEqual([]);
    expect(files).toContain("docs/FORMAT.md");
    expect(files.filter((file) => file.endsWith(".wasm"))).toHaveLength(3);
  });

  test("has every file that it exports, and its own dependencies only", async () => {
    const installed = join(app, "node_modules/quern");
    const { exports, bin } = JSON.parse(await readFile(join(installed, "package.json"), "utf8"));
    const targets = Object.values<string | Record<string, string>>(exports).flatMap((e) =>
      typeof e === "string" ? [e] : Object.values(e),
    );
    for (const target of [...targets, ...Object.values<string>(bin)])
      expect(existsSync(join(installed, target)), target).toBe(true);
    const names = await readdir(join(app, "node_modules"));
    expect(names).toEqual(expect.arrayContaining(["quern", "commander", "cli-table3", "cli-progress", "piscina"]));
    expect(names.filter((name) => /assemblyscript|vitest|typescript|benchmark/.test(name))).toEqual([]);
  });

  test("its command line packs, verifies, unpacks and compares", async () => {
    const quern = (...args: string[]) => run(app, "npx", "--no-install", "quern", ...args);
    const help = await quern("--help");
    expect(help.code, help.stderr).toBe(0);
    for (const verb of ["pack", "unpack", "inspect", "verify", "diff", "bench"]) expect(help.stdout).toContain(verb);
    const header = '{"w":{"dtype":"F32","shape":[2,1024],"data_offsets":[0,8192]}}  ';
    const model = new Uint8Array(8 + header.length + 8192);
    model[0] = header.length;
    model.set(new TextEncoder().encode(header), 8);
    await writeFile(join(app, "m.safetensors"), model);
    const packed = await quern("pack", "m.safetensors", "--json");
    expect(packed.code, packed.stderr).toBe(0);
    expect(JSON.parse(packed.stdout)).toMatchObject({ output: "m.quern", sourceBytes: 8192 });
    const verified = await quern("verify", "m.quern", "--json");
    expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true, chunks: 1 });
    expect((await quern("unpack", "m.quern", "-o", "back.safetensors")).code).toBe(0);
    const diff = await quern("diff", "m.safetensors", "back.safetensors", "--json");
    expect(JSON.parse(diff.stdout)).toMatchObject({ total: { identical: true } });
    expect(await quern("verify", "m.safetensors")).toMatchObject({ code: 1, stdout: "" });
    expect((await quern("verify", "missing.quern")).stderr).toContain("missing.quern");
    expect(await quern("press", "m.safetensors")).toMatchObject({ code: 2, stdout: "" });
  });

  describe("in TypeScript", () => {
    beforeAll(async () => {
      await writeFile(join(app, "main.ts"), PROGRAM);
      await writeFile(join(app, "foreign.ts"), FOREIGN);
    });

    const compile = async (name: string, options: object) => {
      const compilerOptions = { target: "es2022", lib: ["es2022", "dom"], types: [], strict: true, ...options };
      const config = {
        compilerOptions: { exactOptionalPropertyTypes: true, ...compilerOptions },
        files: ["main.ts", "foreign.ts"],
      };
      await writeFile(join(app, name), JSON.stringify(config));
      await succeed(app, join(ROOT, "node_modules/.bin/tsc"), "-p", name);
    };

    test("type-checks under moduleResolution nodenext and bundler", async () => {
      await compile("nodenext.json", NODENEXT);
      await compile("bundler.json", BUNDLER);
    });

    test("runs, and finds the WebAssembly files", async () => {
      await compile("nodenext.json", NODENEXT);
      const result = JSON.parse(await succeed(app, process.execPath, "out/main.js"));
      expect(result).toMatchObject({ scales: 64, refused: true, same: true });
      expect(result.error).toBeLessThan(0.51 / 127);
      expect(result.bytes).toBeLessThan(4 * 4096);
      expect(existsSync(fileURLToPath(result.wasm))).toBe(true);
      expect(await WebAssembly.compile(await readFile(fileURLToPath(result.wasm)))).toBeInstanceOf(WebAssembly.Module);
    });
  });
});
