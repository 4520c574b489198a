// measure whole family
import { writeFileSync } from "node:fs";
import { relative } from "../../src/measure/family.ts";
import { onnxRunner } from "../../src/measure/ort.ts";
import { measureUnit } from "../../src/measure/loop.ts";
const [which, file, count = "36", ms = "300", refms] = process.argv.slice(2);
const module = await import(which === "node" ? "onnxruntime-node" : "onnxruntime-web");
const ort = module.InferenceSession ? module : module.default;
if (ort.env.wasm) ort.env.wasm.numThreads = 1;
const runner = onnxRunner(ort);
const ref = (await runner.open(runner.reference))!;
for (let i = 0; i < 2000; i++) await ref.run();
const out: any[] = [];
for (let i = 0; i < Number(count); i++) for (const run of runner.runs) {
  const m = relative(i);
  const open = (await runner.openModel(m, run))!;
  const got = await measureUnit(performance, { run: ref.run, ms: Number(refms) }, open, Number(ms));
  await open.close();
  out.push({ i, name: m.name, run, ...got });
}
writeFileSync(file, JSON.stringify(out));
