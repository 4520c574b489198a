import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, expect, test } from "vitest";
import { createSession, messageOf, type OnnxRuntime, runtimeName } from "../../src/engine/onnx/runtime.ts";
import { perceptron } from "./graphs.ts";
import { onnxRuntimes } from "./runtimes.ts";

test("both packages of ONNX Runtime are installed, of one version", () => {
  const versions = onnxRuntimes.map(([name, { env }]) => [name, env.versions.common]);
  expect(versions).toEqual([
    ["onnxruntime-web", "1.30.0"],
    ["onnxruntime-node", "1.30.0"],
  ]);
});

const folder = mkdtempSync(join(tmpdir(), "quern-runtime-"));
afterAll(() => rmSync(folder, { recursive: true }));

const PROGRAM = `
import { readFileSync } from "node:fs";
import { onnxEngine } from "./engine.mjs";
try {
  const engine = await onnxEngine(new Uint8Array(readFileSync("model.onnx")));
  const { units } = await engine.describe();
  await engine.close();
  console.log(engine.runtime, units.length);
} catch (error) {
  console.log(error.name, error.message);
}
process.exit();
`;

test("the engine finds what is installed: the native package before the other, and says when there is neither", async () => {
  const entryPoints = [fileURLToPath(new URL("../../src/engine/onnx.ts", import.meta.url))];
  await build({ entryPoints, bundle: true, format: "esm", outfile: join(folder, "engine.mjs") });
  writeFileSync(join(folder, "program.mjs"), PROGRAM);
  writeFileSync(join(folder, "model.onnx"), perceptron());
  const ran = async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ["program.mjs"], { cwd: folder });
    return stdout.trim();
  };
  expect(await ran()).toMatch(
    /^DataError ONNX Runtime is not installed: npm install onnxruntime-web, or give the module/,
  );
  mkdirSync(join(folder, "node_modules"));
  for (const [name] of onnxRuntimes) {
    const installed = fileURLToPath(new URL(`node_modules/${name}`, import.meta.url));
    symlinkSync(installed, join(folder, "node_modules", name));
    expect(await ran()).toBe(`${name} 1.30.0 2`);
  }
});

test("each package is told as what it is where both are required, and runs in its own way", async () => {
  const from = createRequire(import.meta.url);
  // As CommonJS they share what they register, and where they write their versions.
  const both = onnxRuntimes.map(([name]) => [name, from(name) as OnnxRuntime] as const);
  expect(both[0][1].env).toBe(both[1][1].env);
  const found = await Promise.all(
    both.map(async ([name, ort]) => {
      const refused = await createSession(ort, new Uint8Array(20).fill(9), 1).catch(messageOf);
      // Only WebAssembly counts its errors.
      return [name, runtimeName(ort), String(refused).includes("ERROR_CODE")];
    }),
  );
  expect(found).toEqual([
    ["onnxruntime-web", "onnxruntime-web 1.30.0", true],
    ["onnxruntime-node", "onnxruntime-node 1.30.0", false],
  ]);
});
