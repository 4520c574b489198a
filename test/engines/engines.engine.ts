import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { consoleModule, es5Script, pageModules, plainScript, polyfilledScript, workerModule } from "./bundle.ts";
import { type Cases, casesAndHashes, type Hashes } from "./cases.ts";
import { type Decoded, ENGINES, output, quickJsOutput, runFile, runPage, runWorkerd } from "./engines.ts";

// Real engines decode the frozen files and single payloads, and must make the same of them as the SIMD tier does in Node.

let cases: Cases;
let expected: Hashes;
/** Without the tensors that only readers of whole files can decode. */
let alone: Hashes;
/** What whole files hold: the same without the payloads. */
let ofFiles: Hashes;
const seen: string[] = [];

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

afterAll(() => {
  const ran = seen.filter((line) => !line.startsWith("NOT RUN")).length;
  console.log(`engines: ${ran} ran, ${seen.length - ran} not\n  ${seen.join("\n  ")}`);
});

function check(engine: string, decoded: Decoded, tier: string, hashes: Hashes): void {
  expect(decoded.hashes, engine).toEqual(hashes);
  expect(decoded.tier, engine).toBe(tier);
  seen.push(`${engine}: ${tier}, ${Object.keys(hashes).length} cases`);
}

function versionOf(name: string): string {
  const file = createRequire(import.meta.url)
    .resolve(name)
    .replace(/(node_modules\/[^/]+).*/, "$1/package.json");
  return JSON.parse(readFileSync(file, "utf8")).version;
}

/** Why an engine of the system is not tested; "" if it is there. */
async function missing(name: string, command: string, ...args: string[]): Promise<string> {
  const absent = command.startsWith("/")
    ? !existsSync(command)
    : await output(command, ...args).then(
        () => false,
        () => true,
      );
  return absent ? `${name} is not installed (apt-get install ${name})` : "";
}

describe("engines without WebAssembly decode with quern/plain", () => {
  test("QuickJS", async () => {
    check(
      `QuickJS (quickjs-emscripten ${versionOf("quickjs-emscripten")})`,
      JSON.parse(await quickJsOutput(await plainScript(cases))),
      "js",
      alone,
    );
  });

  test("Hermes", async () => {
    const decoded = await runFile("plain.js", await es5Script(cases), ENGINES.hermes, "-w");
    check("Hermes (hermes-engine-cli 0.12.0)", decoded, "js", alone);
  });

  test("Duktape", async ({ skip }) => {
    const why = await missing("duktape", ENGINES.duktape, "-e", "0");
    if (why) seen.push(`NOT RUN: ${why}`);
    skip(why !== "", why);
    const version = await runFile("v.js", "print(Duktape.version)", ENGINES.duktape);
    check(`Duktape ${version}`, await runFile("plain.js", await polyfilledScript(cases), ENGINES.duktape), "js", alone);
  });

  test("Node without JIT", async () => {
    const decoded = await runFile(
      "console.mjs",
      await consoleModule(cases),
      ENGINES.node,
      "--jitless",
      "--no-warnings",
    );
    check(`Node ${process.version} --jitless`, decoded, "js", ofFiles);
  });
});

describe("engines with WebAssembly pick a tier", () => {
  test("Node", async () => {
    check(
      `Node ${process.version}`,
      await runFile("console.mjs", await consoleModule(cases), ENGINES.node),
      "simd",
      ofFiles,
    );
  });

  test("Bun", async () => {
    const version = (await output(ENGINES.bun, "--version")).trim();
    check(
      `Bun ${version}`,
      await runFile("console.mjs", await consoleModule(cases), ENGINES.bun, "run"),
      "simd",
      ofFiles,
    );
  });

  test("Deno, without permissions", async () => {
    const [version] = (await output(ENGINES.deno, "--version")).split(" (");
    const decoded = await runFile("console.mjs", await consoleModule(cases), ENGINES.deno, "run", "--no-prompt");
    check(`${version}`, decoded, "simd", ofFiles);
  });

  test("workerd: a module that is given runs, one from bytes is refused, and js takes its place", async () => {
    const wasm = fileURLToPath(new URL("../../build/quern.simd.wasm", import.meta.url));
    const version = (await output(ENGINES.workerd, "--version")).trim();
    const { given, own, refused } = await runWorkerd(await workerModule(cases), wasm);
    expect(refused).toMatch(/the simd tier cannot run here: CompileError/);
    check(`${version}, module given`, given, "simd", ofFiles);
    check(`${version}, no module`, own, "js", ofFiles);
  });

  const policies = [
    ["without a policy", "", "simd"],
    ["that may use wasm-unsafe-eval", "script-src 'self' 'wasm-unsafe-eval'", "simd"],
    ["under script-src 'self'", "script-src 'self'", "js"],
  ] as const;
  test.for(policies)("Chromium, a page %s", async ([name, policy, tier], { skip }) => {
    const why = await missing("chromium", ENGINES.chromium);
    if (why) seen.push(`NOT RUN: ${why}`);
    skip(why !== "", why);
    const { version, fetched, ...decoded } = await runPage(await pageModules(cases), policy);
    check(`Chromium ${version}, a page ${name}`, decoded, tier, ofFiles);
    // Kernels of other tiers are not even fetched where SIMD runs.
    const kernels = fetched
      .filter((file) => /^(read|simd|scalar|plain)-/.test(file))
      .map((file) => file.replace(/-.*/, ""));
    expect(kernels).toEqual(tier === "simd" ? ["read"] : expect.arrayContaining(["plain"]));
  });
});
