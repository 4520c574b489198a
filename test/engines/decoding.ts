import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { consoleModule, es5Script, pageModules, plainScript, polyfilledScript, workerModule } from "./bundle.ts";
import { type Cases, casesAndHashes, type Hashes } from "./cases.ts";
import { type Decoded, ENGINES, missing, quickJsOutput, runFile, runWorkerd, versionOf } from "./engines.ts";
import { runPage, STRICT, STRICTEST } from "./pages.ts";
import { notRun, type Run, ran } from "./ran.ts";

// Real engines decode the frozen files and single payloads, and must make the same of them as the SIMD tier does in Node.

let cases: Cases;
let expected: Hashes;
/** Without the tensors that only readers of whole files can decode. */
let alone: Hashes;
/** What whole files hold: the same without the payloads. */
let ofFiles: Hashes;

beforeAll(async () => {
  ({ cases, expected } = await casesAndHashes());
  const single = new Set(cases.tensors.map(({ name }) => name));
  alone = Object.fromEntries(
    Object.entries(expected).filter(([name]) => single.has(name) || !name.includes(".quern ")),
  );
  ofFiles = Object.fromEntries(Object.entries(expected).filter(([name]) => name.includes(".quern ")));
  expect(Object.keys(ofFiles).length).toBeGreaterThan(cases.tensors.length);
  expect(cases.tensors.length).toBeGreaterThan(20);
});

type Told = Pick<Run, "runtime" | "version" | "pinned">;

function check(told: Told, decoded: Decoded, tier: string, hashes: Hashes): void {
  expect(decoded.hashes, told.runtime).toEqual(hashes);
  expect(decoded.tier, told.runtime).toBe(tier);
  const whole = hashes === ofFiles;
  const [from, tested] = whole ? [["bytes"], ["frozen files"]] : [["chunks"], ["frozen files", "kernels"]];
  ran({ ...told, tier, from, tested });
}

function told(runtime: string, version: string, pinned = true): Told {
  return { runtime, version, pinned };
}

const NODE = process.version.slice(1);

describe("engines without WebAssembly decode with quern/plain", () => {
  test("QuickJS", async () => {
    const decoded = JSON.parse(await quickJsOutput(await plainScript(cases)));
    check(told("QuickJS, `quern/plain`", versionOf("quickjs-emscripten")), decoded, "js", alone);
  });

  test("Hermes", async () => {
    const decoded = await runFile("plain.js", await es5Script(cases), ENGINES.hermes, "-w");
    check(told("Hermes, `quern/plain`", versionOf("hermes-engine-cli")), decoded, "js", alone);
  });

  test("Duktape", async ({ skip }) => {
    const why = await missing("duktape", ENGINES.duktape, "-e", "0");
    if (why) notRun("Duktape", why);
    skip(why !== "", why);
    const number = await runFile<number>("v.js", "print(Duktape.version)", ENGINES.duktape);
    const version = [1e4, 100, 1].map((unit) => Math.floor(number / unit) % 100).join(".");
    const decoded = await runFile("plain.js", await polyfilledScript(cases), ENGINES.duktape);
    check(told("Duktape, `quern/plain`", version, false), decoded, "js", alone);
  });
});

describe("engines decode whole files with quern/read", () => {
  const cli = [
    [told("Node `--jitless`, own `fetch`", NODE, false), "js", [ENGINES.node, "--jitless", "--no-warnings"]],
    [told("Node", NODE, false), "simd", [ENGINES.node]],
    [told("Bun", versionOf("bun")), "simd", [ENGINES.bun, "run"]],
    [told("Deno, no permissions", versionOf("deno")), "simd", [ENGINES.deno, "run", "--no-prompt"]],
  ] as const;
  test.each(cli)("$runtime", async (told, tier, [command, ...args]) => {
    check(told, await runFile("console.mjs", await consoleModule(cases), command, ...args), tier, ofFiles);
  });

  test("workerd: a module that is given runs, one from bytes is refused, and js takes its place", async () => {
    const wasm = fileURLToPath(new URL("../../build/quern.simd.wasm", import.meta.url));
    const run = await runWorkerd<Record<"given" | "own", Decoded> & { refused: string }>(
      await workerModule(cases),
      wasm,
    );
    expect(run.refused).toMatch(/the simd tier cannot run here: CompileError/);
    check(told("workerd, module given", versionOf("workerd")), run.given, "simd", ofFiles);
    check(told("workerd", versionOf("workerd")), run.own, "js", ofFiles);
  });

  const policies = [
    ["Chromium, page", "", "simd"],
    ["Chromium, page, strict CSP with `wasm-unsafe-eval`", STRICT, "simd"],
    ["Chromium, page, strict CSP without", STRICTEST, "js"],
  ] as const;
  test.for(policies)("%s", async ([name, policy, tier], { skip }) => {
    const why = await missing("chromium", ENGINES.chromium);
    if (why) notRun("Chromium", why);
    skip(why !== "", why);
    const { version, fetched, ...decoded } = await runPage(await pageModules(cases), policy);
    check(told(name, version, false), decoded, tier, ofFiles);
    // Kernels of other tiers are not even fetched where SIMD runs.
    const kernels = fetched
      .filter((file) => /^(read|simd|scalar|plain)-/.test(file))
      .map((file) => file.replace(/-.*/, ""));
    expect(kernels).toEqual(tier === "simd" ? ["read"] : expect.arrayContaining(["plain"]));
  });
});
