import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { type Environment, parseEnvironment } from "../../src/latency.ts";
import { ENGINES, runFile, versionOf } from "./engines.ts";

// Engines with a `process` tell of the machine what this Node tells. Needs `npm run build`.

const LATENCY = fileURLToPath(new URL("../../dist/latency.js", import.meta.url));
const PROGRAM = `const { detectEnvironment } = await import(${JSON.stringify(LATENCY)});
console.log(JSON.stringify(await detectEnvironment({ runtime: "quern 0.1.0" })));`;

async function told(command: string, ...args: string[]): Promise<Environment> {
  return parseEnvironment(await runFile<object>("program.mjs", PROGRAM, command, ...args));
}

describe.each([
  ["node", process.versions.node.split(".")[0], [ENGINES.node]],
  ["node", "22", [ENGINES["node-22"]]],
  ["node", "24", [ENGINES["node-24"]]],
  ["node", "26", [ENGINES["node-26"]]],
  ["bun", versionOf("bun"), [ENGINES.bun]],
  ["deno", versionOf("deno"), [ENGINES.deno, "run", "-A"]],
] as const)("%s %s", (name, version, command) => {
  test("is known, with the machine it runs on", async () => {
    const [engine, ...args] = command;
    const [found, here] = [await told(engine, ...args), await told(ENGINES.node)];
    expect(found.host.name).toBe(name);
    expect(`${found.host.version}.`).toMatch(new RegExp(`^${version}\\.`));
    expect(found.os).toEqual(here.os);
    expect(found.cpu).toEqual(here.cpu);
    expect(found.memory).toBe(here.memory);
    expect(found.wasm).toMatchObject({ simd: true, threads: true });
  });
});

test("Deno without permission says what it may, and fails nothing", async () => {
  const found = await told(ENGINES.deno, "run", "--allow-read", "--deny-sys");
  expect(found).toMatchObject({ host: { name: "deno" }, cpu: { model: null, cores: null }, memory: null });
});
