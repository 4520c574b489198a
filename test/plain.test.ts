import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  decodeTensor,
  encodeTensor,
  loadKernels,
  memorySink,
  pack,
  parseSteps,
  quantize,
  type Tier,
} from "../src/index.ts";
import * as plain from "../src/plain.ts";
import { modelOf, tensorOf } from "./files.ts";
import { expectSame, weights } from "./helpers.ts";

// Which tier is picked where, and the tier without WebAssembly. That its kernels agree with the others is tested with each of them.

const WASM = WebAssembly;
const TENSOR = tensorOf("w", "F32", [64, 64], weights(4096, 1));

afterEach(() => {
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
});

/** WebAssembly of an engine that lacks SIMD, or may not compile, or both. */
function limited({ simd = true, compile = true }): void {
  const refuse = () => Promise.reject(new WASM.CompileError("not here"));
  vi.stubGlobal("WebAssembly", {
    ...Object.fromEntries(Object.getOwnPropertyNames(WASM).map((name) => [name, Reflect.get(WASM, name)])),
    validate: (bytes: BufferSource) => simd && WASM.validate(bytes),
    compile: compile ? WASM.compile : refuse,
  });
}

// As a page that has compiled nothing yet: modules are compiled once.
async function tierOf(tier?: Tier, module?: WebAssembly.Module): Promise<Tier> {
  vi.resetModules();
  return (await (await import("../src/kernels.ts")).loadKernels({ tier, module })).tier;
}

describe("the tier", () => {
  test("is the best that the engine lets run", async () => {
    expect(await tierOf()).toBe("simd");
    limited({ simd: false });
    expect(await tierOf()).toBe("scalar");
    limited({ compile: false });
    expect(await tierOf()).toBe("js");
    limited({ simd: false, compile: false });
    expect(await tierOf()).toBe("js");
    vi.stubGlobal("WebAssembly", undefined);
    expect(await tierOf()).toBe("js");
  });

  test.each(["simd", "scalar", "js"] as const)("is %s where the option or the environment insists", async (tier) => {
    expect(await tierOf(tier)).toBe(tier);
    vi.stubEnv("QUERN_TIER", tier);
    expect(await tierOf()).toBe(tier);
    expect(await tierOf("scalar")).toBe("scalar");
    vi.stubEnv("QUERN_TIER", "");
    expect(await tierOf()).toBe("simd");
  });

  test("is refused by name if there is none of it, or if it cannot run", async () => {
    await expect(loadKernels({ tier: "gpu" as Tier })).rejects.toThrow(/"tier" expected "simd", "scalar" or "js"/);
    limited({ compile: false });
    await expect(tierOf("simd")).rejects.toThrow("the simd tier cannot run here: CompileError: not here");
    vi.stubEnv("QUERN_TIER", "scalar");
    await expect(tierOf()).rejects.toThrow("the scalar tier cannot run here");
    vi.stubEnv("QUERN_TIER", "gpu");
    await expect(tierOf()).rejects.toThrow(/"QUERN_TIER" expected/);
  });

  test("is WebAssembly where compiling is refused but a module is given, and nothing else if that does not fit", async () => {
    const module = await WASM.compile(readFileSync(new URL("../build/quern.simd.wasm", import.meta.url)));
    limited({ compile: false });
    expect(await tierOf(undefined, module)).toBe("simd");
    expect(await tierOf("scalar", module)).toBe("scalar");
    const empty = await WASM.compile(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
    await expect(loadKernels({ module: empty }).then((kernels) => kernels.arena(0, "decode"))).rejects.toThrow();
  });

  // In programs of their own: Vitest's messages come when they like, and need the process.
  test.each([
    ["without a process", "delete globalThis.process"],
    [
      "with one whose environment may not be read",
      "globalThis.process = { get env() { throw new Error('not allowed') } }",
    ],
  ])("is found %s", async (_, setup) => {
    const entry = JSON.stringify(new URL("../dist/read.js", import.meta.url));
    const program = `${setup}; const { loadKernels } = await import(${entry}); console.log((await loadKernels()).tier)`;
    expect(await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program])).toEqual({
      stdout: "simd\n",
      stderr: "",
    });
  });
});

describe("the js tier", () => {
  test("says at once that it only decodes", async () => {
    const kernels = await loadKernels({ tier: "js" });
    const sink = memorySink();
    await expect(pack(modelOf([TENSOR]), "int8", sink, { kernels })).rejects.toThrow("the js tier only decodes");
    expect(sink.bytes()).toHaveLength(0);
    await expect(encodeTensor(kernels, TENSOR, parseSteps("raw")).next()).rejects.toThrow("the js tier only decodes");
    expect(() => quantize(kernels, new Float32Array(0), { bits: 8 })).toThrow("the js tier only decodes");
  });

  test("is not alone: kernels asked for without encode say so too", async () => {
    const kernels = await loadKernels({ tier: "simd", encode: false });
    const message = "those of loadKernels() without encode: false";
    await expect(pack(modelOf([TENSOR]), "int8", memorySink(), { kernels })).rejects.toThrow(message);
  });

  test("grows its memory for larger chunks", async () => {
    const kernels = await loadKernels({ tier: "js" });
    const { stored } = kernels.arena(0, "decode");
    kernels.bytes()[stored] = 7;
    expect(kernels.arena(1 << 20, "decode").capacity).toBe(1 << 20);
    expect(kernels.arena(1 << 20, "decode").end).toBeLessThanOrEqual(kernels.bytes().length);
    expect(kernels.bytes()[stored]).toBe(7);
  });
});

describe("quern/plain", () => {
  test("decodes at once what the others code", async () => {
    const kernels = await loadKernels();
    const steps = parseSteps("int8 channel > auto");
    const chunks: Uint8Array[] = [];
    for await (const chunk of encodeTensor(kernels, TENSOR, steps)) chunks.push(chunk.bytes);
    const own = plain.plainKernels();
    expect(own.tier).toBe("js");
    const back = plain.decodeTensor(own, TENSOR, plain.parseSteps("int8 channel > auto"), chunks);
    expectSame(back, decodeTensor(kernels, TENSOR, steps, chunks));
    expect(() => plain.decodeTensor(own, TENSOR, steps, [])).toThrow(plain.FormatError);
  });

  test("dequantizes", async () => {
    const quantized = quantize(await loadKernels(), weights(1000, 3), { bits: 8, cols: 10, asymmetric: true });
    const expected = Float32Array.from(quantized.codes, (code, i) => {
      const row = Math.floor(i / 10);
      return (code - (quantized.zeroPoints?.[row] ?? 0)) * (quantized.scales[row] ?? 0);
    });
    expectSame(plain.dequantize(plain.plainKernels(), quantized), expected);
  });
});
