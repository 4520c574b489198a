import type { KernelOptions } from "../../../src/read.ts";
import { loadKernels } from "../../../src/read.ts";
import type { LoadTask } from "../model.ts";
import { byUrl, emptyReport } from "./loading.ts";
// @ts-expect-error: workerd gives a compiled module, which it may not be made from bytes later
import module from "./quern.simd.wasm";

// For workerd: loads with the module that it was given, and without.

declare const TASK: LoadTask;

async function loaded(options: KernelOptions) {
  const report = emptyReport();
  await byUrl(report, TASK.base, { kernels: await loadKernels({ encode: false, ...options }) }, TASK.ways);
  return report;
}

export default {
  async fetch(): Promise<Response> {
    return Response.json([await loaded({ tier: "simd", module }), await loaded({})]);
  },
};
