import { expect, test } from "vitest";
import { tfjsEngine } from "../../src/engine/tfjs.ts";
import { randomUniform, sketchNet } from "./nets.ts";
import { tfjs } from "./tensorflow.ts";
test("smoke", async () => {
  const rows: [string, number][] = [];
  for (const backend of ["wasm", "cpu"]) {
    await tfjs.core.setBackend(backend);
    const e = await tfjsEngine(sketchNet(1), { ...tfjs, backend });
    console.log(JSON.stringify((await e.describe()), null, 0).slice(0, 1500));
    const N = 64;
    const u = randomUniform(3);
    const x = { shape: [N, 28, 28, 1], data: Float32Array.from({ length: N * 784 }, u) };
    const name = (await e.describe()).inputs[0]!.name;
    const t = await e.fit!({ objective: "cross-entropy", optimizer: "adam" });
    const y = { shape: [N], data: Int32Array.from({ length: N }, (_, i) => i % 10) };
    const losses = [];
    const steps = backend === "wasm" ? 10 : 3;
    losses.push(await t.step(new Map([[name, x]]), y, 1e-3));
    const before = tfjs.core.memory().numTensors;
    const start = performance.now();
    for (let i = 0; i < steps; i++) losses.push(await t.step(new Map([[name, x]]), y, 1e-3));
    console.log(backend, ((performance.now() - start) / steps).toFixed(1), "ms", losses.map((l) => l.toFixed(6)).join(" "), tfjs.core.memory().numTensors - before);
    if (backend === "wasm") {
      const p = await tfjs.core.profile(() => { void t.step(new Map([[name, x]]), y, 1e-3); });
      await new Promise((r) => setTimeout(r, 1500));
    }
  }
});
