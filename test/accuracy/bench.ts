// npm run bench:accuracy: how fast nets are trained. The bar is ten times the steps per second that the backend "cpu" of TensorFlow.js makes.
import type { Value } from "../../src/engine/engine.ts";
import { tfjsEngine } from "../../src/engine/tfjs.ts";
import { sketchNet } from "./nets.ts";
import { randomUniform } from "./random.ts";
import { tfjs } from "./tensorflow.ts";

const BAR = 10;

/** Milliseconds of each step on a batch of sketches of 28x28, after some on few. */
async function stepTimes(backend: string, batch: number, steps: number): Promise<number[]> {
  await tfjs.core.setBackend(backend);
  const net = sketchNet(1);
  const engine = await tfjsEngine(net, { ...tfjs, backend });
  const trainer = await engine.fit?.({ objective: "cross-entropy", optimizer: "adam" });
  const uniform = randomUniform(3);
  const images: Value = { shape: [batch, 28, 28, 1], data: Float32Array.from({ length: batch * 784 }, uniform) };
  const classes: Value = { shape: [batch], data: Int32Array.from({ length: batch }, (_, i) => i % 10) };
  const few: Value = { shape: [2, 28, 28, 1], data: images.data.slice(0, 2 * 784) };
  for (let step = 0; step < 3; step++) {
    await trainer?.step(new Map([["conv1_input", few]]), { shape: [2], data: Int32Array.of(0, 1) }, 1e-3);
  }
  const times: number[] = [];
  for (let step = 0; step < steps; step++) {
    const start = performance.now();
    await trainer?.step(new Map([["conv1_input", images]]), classes, 1e-3);
    times.push(performance.now() - start);
  }
  await trainer?.close();
  await engine.close();
  net.dispose();
  return times;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

const BATCH = 32;
// In turns, so that what else the machine does slows both.
const wasm = await stepTimes("wasm", BATCH, 12);
const cpu = await stepTimes("cpu", BATCH, 1);
wasm.push(...(await stepTimes("wasm", BATCH, 12)));
const [fast, slow] = [1000 / median(wasm), 1000 / median(cpu)];
console.log(
  `training, 28x28 conv net (16, 16, 32 filters, 2 dense), batch ${BATCH}: wasm ${fast.toFixed(2)} steps/s, ` +
    `cpu ${slow.toFixed(3)} steps/s: ${(fast / slow).toFixed(1)}x (bar ${BAR}x)`,
);
const large = await stepTimes("wasm", 128, 8);
console.log(`batch 128: wasm ${(1000 / median(large)).toFixed(2)} steps/s`);
if (fast / slow < BAR) process.exitCode = 1;
