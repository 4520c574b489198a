import { expect, test } from "vitest";
import type { StreamReport } from "../src/codec/explain.ts";
import { LAMBDA, STEPS } from "../src/codec/stream.ts";
import { loadKernels, open } from "../src/index.ts";
import { modelOf, packed, SIMD, specimens, tensorOf } from "./files.ts";
import { codes } from "./helpers.ts";

function flat(reports: readonly StreamReport[]): StreamReport[] {
  return reports.flatMap((report) => [report, ...flat(report.inside)]);
}

test("the streams of every chunk of every specimen are told, and add up to its bytes", async () => {
  const seen = new Set<string>();
  for (const [name, file] of await specimens()) {
    const opened = await open(file, { kernels: SIMD });
    for (let index = 0; index < opened.totals.chunks; index++) {
      const reports = await opened.explain(index);
      const stored = reports.reduce((sum, report) => sum + report.stored, 0);
      expect(stored, `${name}, chunk ${index}`).toBe(await opened.check(index));
      for (const { code, stored, steps, cost, inside, decoded } of flat(reports)) {
        seen.add(code);
        expect(cost).toBe(stored + LAMBDA * steps);
        expect(steps).toBeGreaterThanOrEqual(inside.reduce((sum, stream) => sum + stream.steps, 0));
        if (code === "raw") expect([stored, steps]).toEqual([decoded + 4, STEPS.raw * decoded]);
      }
    }
  }
  expect([...seen].sort()).toEqual(["classes", "constant", "huffman", "mask", "pivot", "planes", "raw", "zrl"]);
});

test("bell-shaped codes take about two merges a byte, and their flats half a step", async () => {
  const tensor = tensorOf("w", "I8", [65536], codes(65536, 30, 1));
  const { bytes } = await packed(modelOf([tensor]), "lossless");
  const [{ code, steps, decoded }] = await (await open(bytes, { kernels: SIMD })).explain(0);
  expect([code, decoded]).toEqual(["pivot", 65536]);
  expect(steps / decoded).toBeGreaterThan(1.5);
  expect(steps / decoded).toBeLessThan(3);
});

test("kernels that only decode refuse, and say which do", async () => {
  const [[, file]] = await specimens();
  for (const kernels of [await loadKernels({ tier: "js" }), await loadKernels({ encode: false })]) {
    await expect((await open(file, { kernels })).explain(0)).rejects.toThrow("kernels");
  }
});
