import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataError, LoadError } from "../src/index.ts";
import { browserOf, systemOf } from "../src/latency/browser.ts";
import { cpuFeatures } from "../src/latency/host.ts";
import { bandwidthOf } from "../src/latency/line.ts";
import {
  detectEnvironment,
  type Environment,
  environmentId,
  type Facts,
  FEATURES,
  measureLine,
  newEnvironment,
  parseEnvironment,
  printEnvironment,
  type RuntimeName,
  supports,
} from "../src/latency.ts";
import { FACTS, HERE } from "./latency.rows.ts";

describe("an environment", () => {
  test("is JSON that comes back", () => {
    expect(parseEnvironment(printEnvironment(HERE))).toEqual(HERE);
    expect(parseEnvironment(HERE)).toEqual(HERE);
    const { id, ...without } = HERE;
    expect(parseEnvironment(without).id).toBe(id);
  });

  // Rows of earlier versions are looked up by it.
  test("has an id that stays", () => {
    expect(HERE.id).toBe("onnxruntime-web-36f5d2a913088941");
  });

  test("has the same id where only what no unit's time depends on differs", () => {
    const same: Partial<Facts>[] = [
      ...[{ name: "b" }, { date: "2027-01-01T00:00:00Z" }, { memory: null }, { storage: null }],
      { line: { bandwidth: null, roundTrip: null } },
      { runtime: { ...FACTS.runtime, version: "1.30.9" } },
      { host: { ...FACTS.host, version: "20.1.0" } },
      { os: { ...FACTS.os, version: null } },
      { cpu: { ...FACTS.cpu, features: ["fma", "avx2"] } },
    ];
    for (const each of same) expect(newEnvironment({ ...FACTS, ...each }).id, JSON.stringify(each)).toBe(HERE.id);
  });

  test("has another id where anything else differs", () => {
    const other: Partial<Facts>[] = [
      { runtime: { ...FACTS.runtime, name: "tfjs-wasm" } },
      { runtime: { ...FACTS.runtime, version: "1.31.0" } },
      { runtime: { ...FACTS.runtime, threads: 2 } },
      { host: { ...FACTS.host, name: "chromium" } },
      { host: { ...FACTS.host, version: "22.0.0" } },
      { os: { ...FACTS.os, name: "darwin" } },
      { os: { ...FACTS.os, arch: "arm64" } },
      { cpu: { ...FACTS.cpu, model: null } },
      { cpu: { ...FACTS.cpu, cores: 4 } },
      { cpu: { ...FACTS.cpu, features: null } },
      { cpu: { ...FACTS.cpu, features: ["avx2"] } },
      { wasm: { ...FACTS.wasm, simd: false } },
      { wasm: { ...FACTS.wasm, relaxedSimd: true } },
      { wasm: { ...FACTS.wasm, threads: false } },
    ];
    const ids = other.map((each) => environmentId({ ...FACTS, ...each }));
    expect(new Set([...ids, HERE.id]).size).toBe(other.length + 1);
  });

  test.each([
    ["quern", "latency", 'environment.quern: expected "environment", got "latency"'],
    ["version", 2, "environment.version: expected 1, got 2: it is of a newer quern"],
    ["version", "1", 'environment.version: expected 1, got "1"'],
    [
      "id",
      "onnxruntime-web-0000000000000000",
      `environment.id: expected "${HERE.id}", or none: it follows from the other fields`,
    ],
    ["name", "", 'environment.name: expected text of 1 to 200 characters, got ""'],
    ["name", "a\nb", "environment.name: expected text"],
    ["date", 0, "environment.date: expected a moment like 2026-01-31T12:00:00Z, got 0"],
    ["runtime", "onnx", 'environment.runtime: expected an object, got "onnx"'],
    [
      "runtime.name",
      "onnx",
      "environment.runtime.name: expected onnxruntime-node or onnxruntime-web or tfjs-wasm or quern",
    ],
    ["runtime.version", undefined, "environment.runtime.version: expected text of 1 to 64 characters, got nothing"],
    ["runtime.threads", 0, "environment.runtime.threads: expected a whole number from 1, got 0"],
    ["host.name", "ie", "environment.host.name: expected node or deno"],
    ["host.version", 20, "environment.host.version: expected text"],
    ["os.name", null, "environment.os.name: expected text"],
    ["os.version", 6, "environment.os.version: expected text"],
    ["os.arch", "", "environment.os.arch: expected text"],
    ["cpu.model", [], "environment.cpu.model: expected text"],
    ["cpu.cores", 1.5, "environment.cpu.cores: expected a whole number from 1, got 1.5"],
    ["cpu.features", "avx2", 'environment.cpu.features: expected a list of at most 64, got "avx2"'],
    ["cpu.features", ["avx2", "mmx"], "environment.cpu.features[1]: expected sse4_1 or avx or"],
    ["cpu.features", ["avx2", "avx2"], "environment.cpu.features: expected each only once"],
    ["wasm.simd", 1, "environment.wasm.simd: expected true or false, got 1"],
    ["wasm.relaxedSimd", null, "environment.wasm.relaxedSimd: expected true or false, got null"],
    ["wasm.threads", "yes", "environment.wasm.threads: expected true or false"],
    ["memory", -1, "environment.memory: expected a whole number from 1, got -1"],
    ["line.bandwidth", 0, "environment.line.bandwidth: expected a number above 0, got 0"],
    ["line.roundTrip", -1, "environment.line.roundTrip: expected a number from 0 to 1000000, got -1"],
    ["storage.kind", "tape", "environment.storage.kind: expected disk or origin"],
    ["storage.free", 0.5, "environment.storage.free: expected a whole number from 0"],
    [
      "more",
      1,
      'environment: expected the fields name, date, runtime, host, os, cpu, wasm, memory, line, storage, got "more"',
    ],
    ["os.more", 1, 'environment.os: expected the fields name, version, arch, got "more"'],
  ])("is refused if %s is %j", (path, value, message) => {
    const wrong = JSON.parse(printEnvironment(HERE));
    const [last, ...outer] = path.split(".").reverse();
    outer.reverse().reduce((at, name) => at[name], wrong)[last] = value;
    if (path !== "id") delete wrong.id;
    expect(() => parseEnvironment(JSON.stringify(wrong))).toThrow(DataError);
    expect(() => parseEnvironment(JSON.stringify(wrong))).toThrow(message);
  });

  test.each([
    ["", "env.json: expected JSON"],
    ["{", 'env.json: expected JSON, got "{"'],
    ["[]", "env.json: expected an object, got []"],
    ["null", "env.json: expected an object, got null"],
    ["{}", 'env.json.quern: expected "environment", got nothing'],
  ])("is refused if the file is %j", (text, message) => {
    expect(() => parseEnvironment(text, "env.json")).toThrow(message);
  });
});

describe("detection", () => {
  test("tells of this process", async () => {
    const found = await detectEnvironment({ runtime: "onnxruntime-web 1.30.0" });
    expect(parseEnvironment(printEnvironment(found))).toEqual(found);
    expect(found).toMatchObject({
      runtime: { name: "onnxruntime-web", version: "1.30.0", threads: 1 },
      host: { name: "node", version: process.versions.node },
      os: { name: process.platform, arch: process.arch },
      wasm: { simd: true, threads: true },
      line: { bandwidth: null, roundTrip: null },
      storage: { kind: "disk" },
    });
    expect(found.name).toBe(
      `onnxruntime-web in node ${process.versions.node.split(".")[0]} on ${process.platform} ${process.arch}`,
    );
    expect(found.memory).toBeGreaterThan(1e8);
    expect((await detectEnvironment({ runtime: "onnxruntime-web 1.30.0" })).id).toBe(found.id);
  });

  test("takes what it cannot know", async () => {
    const runtime = { name: "quern", version: "0.1.0", threads: 4 } as const;
    const options = { runtime, name: "box", bandwidth: 1e6, roundTrip: 0, cpu: "A CPU" };
    const found = await detectEnvironment(options);
    expect(found).toMatchObject({
      runtime,
      name: "box",
      line: { bandwidth: 1e6, roundTrip: 0 },
      cpu: { model: "A CPU" },
    });
    const engine = await detectEnvironment({ runtime: "tfjs 4.22.0 wasm" });
    expect(engine.runtime).toEqual({ name: "tfjs-wasm", version: "4.22.0", threads: 1 });
    await expect(detectEnvironment({ runtime: "tensorrt 10" })).rejects.toThrow("environment.runtime.name: expected");
    await expect(detectEnvironment({ runtime: "quern" })).rejects.toThrow("environment.runtime.version: expected text");
    await expect(detectEnvironment({ runtime, bandwidth: -1 })).rejects.toThrow("environment.line.bandwidth: expected");
  });

  test("reads what Linux says of a CPU", () => {
    const amd =
      "processor\t: 0\nmodel name\t: AMD\nflags\t\t: fpu sse4_1 avx avx2 fma avx512f avx512_vnni\nbugs\t: x\n\nprocessor\t: 1\n";
    expect(cpuFeatures(amd)).toEqual(["avx", "avx2", "avx512_vnni", "avx512f", "fma", "sse4_1"]);
    expect(cpuFeatures("processor : 0\nFeatures\t: fp asimd asimddp i8mm\n")).toEqual(["asimd", "asimddp", "i8mm"]);
    expect(cpuFeatures("flags\t\t:\n")).toEqual([]);
    expect(cpuFeatures("hello")).toBeNull();
  });

  test.each([
    [
      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36",
      "chromium",
      "140.0.0.0",
      "Linux",
    ],
    [
      "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36",
      "chromium",
      "138.0.0.0",
      "Android",
    ],
    ["Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:141.0) Gecko/20100101 Firefox/141.0", "firefox", "141.0", "Windows"],
    [
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
      "safari",
      "18.5",
      "iOS",
    ],
    [
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
      "safari",
      "18.5",
      "macOS",
    ],
    ["curl/8", "other", "0", "other"],
  ])("reads %s", (userAgent, name, version, system) => {
    expect(browserOf(userAgent)).toEqual({ name, version });
    expect(systemOf(userAgent)).toBe(system);
  });
});

describe("support", () => {
  const on = (name: RuntimeName, version: string, wasm: Partial<Facts["wasm"]> = {}): Environment =>
    newEnvironment({ ...FACTS, runtime: { name, version, threads: 1 }, wasm: { ...FACTS.wasm, ...wasm } });

  test.each([
    ["onnxruntime-web", "1.30.0", {}, "MatMulNBits", true, "MatMulNBits with 4 bits"],
    [
      "onnxruntime-web",
      "1.30.0",
      { simd: false },
      "f32",
      false,
      "onnxruntime-web 1.30.0 runs only where WebAssembly has SIMD",
    ],
    ["onnxruntime-web", "1.18.2", { simd: false }, "f32", true, "runs f32"],
    [
      "onnxruntime-node",
      "1.18.0",
      { simd: false },
      "DequantizeLinear int4 blocks",
      false,
      "onnxruntime-node has it since 1.19; this is 1.18.0",
    ],
    [
      "onnxruntime-node",
      "1.19.0",
      { simd: false },
      "DequantizeLinear int4 blocks",
      true,
      "DequantizeLinear of int4 in blocks, opset 21",
    ],
    [
      "onnxruntime-node",
      "2.0.0",
      {},
      "DequantizeLinear int4 blocks",
      true,
      "DequantizeLinear of int4 in blocks, opset 21",
    ],
    [
      "onnxruntime-web",
      "1.30.0",
      { threads: false },
      "threads",
      false,
      "WebAssembly has no threads with shared memory there",
    ],
    [
      "tfjs-wasm",
      "4.22.0",
      {},
      "QDQ",
      false,
      "TensorFlow.js has no operators for quantized values: its WASM backend multiplies f32",
    ],
    [
      "tfjs-wasm",
      "4.22.0",
      { simd: false },
      "decode",
      true,
      "any plan is decoded to f32 when it is loaded, by quern/tfjs",
    ],
    ["quern", "0.1.0", {}, "f32", false, "quern's kernels decode weights, and multiply nothing"],
    ["quern", "0.1.0", {}, "teleport", false, 'nothing is known of "teleport" in quern'],
    ["quern", "0.1.0", {}, "toString", false, 'nothing is known of "toString" in quern'],
  ] as const)("%s %s %j: %s is %s", (name, version, wasm, feature, ok, reason) => {
    expect(supports(on(name, version, wasm), feature)).toEqual({ ok, reason });
  });

  test("has an answer with a reason for every feature in every runtime", () => {
    for (const name of ["onnxruntime-node", "onnxruntime-web", "tfjs-wasm", "quern"] as const)
      for (const feature of FEATURES) expect(supports(on(name, "9.0.0"), feature).reason).toMatch(/\w{4}/);
  });
});

describe("the line", () => {
  let address = "";
  const server = createServer((request, response) => {
    if (request.url === "/missing") return response.writeHead(404).end();
    if (request.url === "/broken" && !request.headers.range) {
      response.writeHead(200, { "content-length": 1e6 }).write(Buffer.alloc(2e5));
      return setTimeout(() => response.destroy(), 50);
    }
    response.end(Buffer.alloc(request.url === "/short" ? 100 : 2e6));
  });
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server.close());

  test("has the rate at which bytes come when it is up to speed", () => {
    const at = (ms: number, bytes: number) => ({ ms, bytes });
    // 100 kB in the first second, then 1 MB a second.
    const slow = [at(0, 1000), at(1000, 100e3), at(1300, 400e3), at(2300, 1.4e6), at(3300, 2.4e6)];
    expect(bandwidthOf(slow)).toBe(8e6);
    expect(bandwidthOf([at(0, 50e3), at(100, 150e3)])).toBe(8e6);
    for (const none of [[], [at(5, 1e6)], [at(5, 1e5), at(5, 1e6)]]) expect(bandwidthOf(none)).toBeNull();
  });

  test("is measured with a server, of which no more is read than is asked for", async () => {
    const { bandwidth, roundTrip, bytes } = await measureLine(`${address}/file`, { tries: 3 });
    expect(bytes).toBe(2e6);
    expect(bandwidth).toBeGreaterThan(0);
    expect(roundTrip).toBeGreaterThan(0);
    expect((await measureLine(`${address}/file`, { tries: 1, mostBytes: 5e5 })).bytes).toBeLessThan(2e6);
  });

  test("is not told by what is missing, short, or stopped", async () => {
    await expect(measureLine(`${address}/missing`)).rejects.toThrow(
      new LoadError("status", `${address}/missing: status 404`),
    );
    await expect(measureLine(`${address}/short`, { tries: 1 })).rejects.toThrow(
      "expected at least 64000 bytes to time, got 100",
    );
    await expect(measureLine(`${address}/file`, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    await expect(measureLine("http://127.0.0.1:9/")).rejects.toThrow(/^http:\/\/127\.0\.0\.1:9\/: fetch failed/);
    const broken = measureLine(`${address}/broken`, { tries: 1 });
    await expect(broken).rejects.toThrow(new LoadError("network", `${address}/broken: terminated`));
    await expect(measureLine(address, { tries: 0 })).rejects.toThrow('"tries" expected a whole number above 0, got 0');
  });
});
