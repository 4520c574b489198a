import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestServer } from "../server.ts";
import { loadingModule, loadingModules, loadingScript } from "./bundle.ts";
import { ENGINES, inFolder, missing, output, quickJsOutput, runFile, runWorkerd, versionOf } from "./engines.ts";
import { type LoadModel, type LoadTask, loadServer, modelToLoad, WAYS } from "./model.ts";
import { printedBy, STRICT, STRICTEST, startChromium } from "./pages.ts";
import type { LoadReport } from "./programs/loading.ts";
import { notRun, type Run, ran } from "./ran.ts";

// Real engines load a model from a real server, whose answers go wrong, and must get what this Node has from memory.

const NOTHING: LoadTask = { base: "", bytes: "", broken: "", path: "", ways: [] };
const UNZIPPED = WAYS.filter((way) => way !== "gzip");
const OF_URLS = ["stream", "load", "no ranges", "resume", "abort", "damage"];
let model: LoadModel;
let inHex: Pick<LoadTask, "bytes" | "broken">;

beforeAll(async () => {
  model = await modelToLoad();
  expect(model.refused).toMatchObject({
    name: "FormatError",
    code: "checksum",
    field: expect.stringMatching(/^chunk 0 of tensor "b"/),
  });
  const [bytes, broken] = [model.bytes, model.broken].map((bytes) => Buffer.from(bytes).toString("hex"));
  inHex = { bytes, broken };
});

type Told = Omit<Run, "from" | "tested" | "tier">;

/** What every engine must have told, in whatever way it loads; `ways` are those of addresses. */
function check(told: Told, tier: string, report: LoadReport, ways: readonly string[], others: readonly string[]): void {
  const { loaded } = report;
  expect(report.tier, told.runtime).toBe(tier);
  expect(Object.keys(loaded).sort()).toEqual([...ways, ...(ways.length > 0 ? ["load"] : []), ...others].sort());
  for (const [way, hashes] of Object.entries(loaded)) expect(hashes, `${told.runtime}: ${way}`).toEqual(model.hashes);
  for (const failure of Object.values(report.damaged)) {
    const { name, code, message } = model.refused;
    expect(failure, told.runtime).toEqual({ name, code, message });
  }
  const tested = ["stream", "damage"];
  if (ways.length > 0) {
    expect(report.aborted, told.runtime).toEqual({ opening: true, streaming: true });
    expect(report.left, told.runtime).toBe(0);
    expect(report.damaged).toHaveProperty("URL");
    tested.push(...OF_URLS, ...(ways.includes("gzip") ? ["gzip"] : []));
  }
  for (const other of others) if (other !== "file") expect(report.damaged).toHaveProperty([other]);
  const from = [...(ways.length > 0 ? ["URL"] : []), ...others];
  ran({ ...told, tier, from: from.map((word) => (word === "File" ? "`File`" : word)), tested });
}

/** Connections were cut, a request went on behind what had come, none from anywhere else, and nothing is open at the end. */
async function checkServer(server: TestServer): Promise<void> {
  const asked = server.log.filter(({ path, from }) => path === "/cut" && from > 0);
  const cuts = asked.slice(0, 2);
  expect(cuts.map(({ aborted }) => aborted)).toEqual([true, true]);
  const steps = cuts.map((cut, i) => (asked[i + 1]?.from ?? 0) - cut.from);
  expect(Math.max(...steps)).toBeGreaterThan(0);
  for (const [i, step] of steps.entries()) {
    expect(step).toBeGreaterThanOrEqual(0);
    expect(step).toBeLessThanOrEqual(cuts[i].sent);
  }
  await server.quiet();
}

describe("a model from a server, where there are files as well", () => {
  async function run(told: Told, tier: string, command: readonly string[], options: Partial<LoadTask>): Promise<void> {
    const server = await loadServer(model);
    try {
      await inFolder(async (folder) => {
        const path = join(folder, "model.quern");
        await writeFile(path, model.bytes);
        const task = { ...inHex, base: server.url, path, ways: WAYS, ...options };
        const [program = "", ...args] = command.map((word) => word.replace("SERVER", new URL(server.url).host));
        const code = await loadingModule("loading.node", task);
        const report = await runFile<LoadReport>("loading.mjs", code, program, ...args);
        check(told, tier, report, task.ways, ["bytes", ...(task.path ? ["file"] : [])]);
      });
      if (options.base === undefined) await checkServer(server);
    } finally {
      await server.close();
    }
  }

  test("Node", async () => {
    const told = { runtime: "Node", version: process.version.slice(1), pinned: false };
    await run(told, "simd", [ENGINES.node], {});
  });

  test.each(["node-22", "node-24", "node-26"] as const)("%s", async (name) => {
    const told = { runtime: "Node", version: versionOf(name), pinned: true };
    expect(await output(ENGINES[name], "--version")).toBe(`v${told.version}\n`);
    await run(told, "simd", [ENGINES[name]], {});
  });

  test("Node without WebAssembly, which its own fetch needs: with one over node:http, which decompresses nothing", async () => {
    const told = { runtime: "Node `--jitless`, own `fetch`", version: process.version.slice(1), pinned: false };
    await run(told, "js", [ENGINES.node, "--jitless", "--no-warnings"], { ways: UNZIPPED });
  });

  test("Bun", async () => {
    const told = { runtime: "Bun", version: versionOf("bun"), pinned: true };
    await run(told, "simd", [ENGINES.bun, "run"], {});
  });

  test("Deno, which may only speak with the server", async () => {
    const told = { runtime: "Deno `--allow-net`", version: versionOf("deno"), pinned: true };
    await run(told, "simd", [ENGINES.deno, "run", "--no-prompt", "--allow-net=SERVER"], { path: "" });
  });

  test("Deno, which may do nothing", async () => {
    const told = { runtime: "Deno, no permissions", version: versionOf("deno"), pinned: true };
    await run(told, "simd", [ENGINES.deno, "run", "--no-prompt"], { base: "", path: "", ways: [] });
  });
});

describe("a model from a server", () => {
  test("workerd, with the module and without", async () => {
    const wasm = fileURLToPath(new URL("../../build/quern.simd.wasm", import.meta.url));
    const server = await loadServer(model);
    const code = await loadingModule("loading.workerd", { ...NOTHING, base: server.url, ways: WAYS });
    const [given, own] = await runWorkerd<LoadReport[]>(code, wasm);
    const told = { version: versionOf("workerd"), pinned: true };
    check({ ...told, runtime: "workerd, module given" }, "simd", given, WAYS, []);
    check({ ...told, runtime: "workerd" }, "js", own, WAYS, []);
    await checkServer(server);
    await server.close();
  });
});

describe("a model from bytes", () => {
  test("QuickJS", async () => {
    const report = JSON.parse(await quickJsOutput(await loadingScript({ ...NOTHING, ...inHex })));
    expect(report.failed).toBeUndefined();
    const told = { runtime: "QuickJS, `quern/read`", version: versionOf("quickjs-emscripten"), pinned: true };
    check(told, "js", report, [], ["bytes"]);
  });
});

describe("Chromium", () => {
  const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
  const PAGE = '<!doctype html><script type="module" src="/loading.page.js"></script>';
  let browser: Browser | undefined;
  let why = "";
  beforeAll(async () => {
    why = await missing("chromium", ENGINES.chromium);
    if (why) notRun("Chromium", why);
    else browser = await startChromium();
  });
  afterAll(() => browser?.close());

  interface PageCase {
    runtime: string;
    tier?: string;
    headers?: Record<string, string>;
    hash?: string;
    isolated?: boolean;
    /** Loads from a server of another origin, which lets pages see all headers, or those always seen. */
    other?: "exposed" | "hidden";
    ways?: readonly string[];
  }
  const CASES: PageCase[] = [
    { runtime: "Chromium, page" },
    { runtime: "Chromium, Web Worker", hash: "#worker" },
    { runtime: "Chromium, page, strict CSP with `wasm-unsafe-eval`", headers: { "content-security-policy": STRICT } },
    {
      runtime: "Chromium, page, strict CSP without",
      tier: "js",
      headers: { "content-security-policy": STRICTEST },
    },
    {
      runtime: "Chromium, Web Worker, strict CSP with `wasm-unsafe-eval`",
      hash: "#worker",
      headers: { "content-security-policy": STRICT },
    },
    { runtime: "Chromium, page, cross-origin isolated", headers: ISOLATED, isolated: true },
    { runtime: "Chromium, page of another origin, headers exposed", other: "exposed" },
    // It cannot be seen there that answers are encoded.
    { runtime: "Chromium, page of another origin, headers not exposed", other: "hidden", ways: UNZIPPED },
  ];

  test.for(CASES)("$runtime", async (wanted, { skip }) => {
    skip(why !== "", why);
    const { runtime, tier = "simd", headers = {}, hash = "", isolated = false, other, ways = WAYS } = wanted;
    const modules = await loadingModules("loading.page", { ...NOTHING, ways });
    const site = await loadServer(model, new Map([...modules, ["page", PAGE]]), headers);
    const server = other ? await loadServer(model, new Map(), {}, other === "hidden" ? { cors: "hidden" } : {}) : site;
    const url = `${site.url}page${other ? `#${server.url}` : hash}`;
    const { isolated: found, ...report } = await printedBy<LoadReport & { isolated: boolean }>(browser as Browser, url);
    expect(found).toBe(isolated);
    check({ runtime, version: browser?.version() ?? "", pinned: false }, tier, report, ways, []);
    await checkServer(server);
    for (const one of new Set([site, server])) await one.close();
  });

  test("files that the user chooses, and the page's own", async ({ skip }) => {
    skip(why !== "", why);
    const modules = await loadingModules("files.page", NOTHING);
    const page = '<!doctype html><input type="file" multiple><script type="module" src="/files.page.js"></script>';
    const site = await loadServer(model, new Map([...modules, ["page", page]]));
    const report = await printedBy<LoadReport>(browser as Browser, `${site.url}page`, async (page) => {
      await page.waitForFunction(() => document.title === "ready");
      const files = [model.bytes, model.broken].map((bytes, i) => ({ name: `${i}.quern`, buffer: Buffer.from(bytes) }));
      await page.setInputFiles(
        "input",
        files.map((file) => ({ mimeType: "application/octet-stream", ...file })),
      );
    });
    const told = { runtime: "Chromium, page, files", version: browser?.version() ?? "", pinned: false };
    check(told, "simd", report, [], ["File", "OPFS handle"]);
    await site.close();
  });
});
