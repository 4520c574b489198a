// npm run bench:memory [-- GB]: writes a generated model of that size to a temporary folder, packs, verifies and unpacks it
// with the command line, and prints the peak resident memory of each.
import { spawn } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type LazyTensor, type Model, writeSafetensors } from "../src/index.ts";
import { fileSink } from "../src/node.ts";

const CLI = fileURLToPath(new URL("../dist/cli.js", import.meta.url));
const REPORT = "process.on('exit', () => console.error('maxRSS', process.resourceUsage().maxRSS))";
const COLUMNS = 8192;

// Seeded noise that looks like weights: the sum of four bytes of a generator, centred.
function noise(start: number, end: number): Uint8Array {
  const values = new Float32Array(end - start);
  for (let i = 0; i < values.length; i++) {
    let x = Math.imul(start + i + 1, 0x9e3779b1);
    x = Math.imul(x ^ (x >>> 15), 0x85ebca77);
    x ^= x >>> 13;
    values[i] = ((x & 255) + ((x >>> 8) & 255) + ((x >>> 16) & 255) + (x >>> 24) - 510) / 4096;
  }
  return new Uint8Array(values.buffer);
}

/** Two tensors of unequal size, the first one row longer than a chunk by far. */
function generated(bytes: number): Model {
  const rows = Math.floor(bytes / 4 / COLUMNS);
  const first = Math.floor(rows / 3);
  const read = async (start: number, end: number): Promise<Uint8Array> => noise(start, end);
  const tensors: LazyTensor[] = [
    { name: "embedding.weight", dtype: "F32", shape: [1, first * COLUMNS], read },
    { name: "body.weight", dtype: "F32", shape: [rows - first, COLUMNS], read },
  ];
  return { metadata: { made: "by bench/memory.ts" }, tensors };
}

function run(args: string[]): Promise<{ megabytes: number; seconds: number }> {
  const start = performance.now();
  const child = spawn(process.execPath, ["--import", `data:text/javascript,${REPORT}`, CLI, ...args]);
  let errors = "";
  child.stderr.on("data", (text) => {
    errors += text;
  });
  child.stdout.resume();
  return new Promise((resolve, reject) => {
    child.on("close", (code) => {
      const kilobytes = Number(/maxRSS (\d+)/.exec(errors)?.[1]);
      if (code !== 0) reject(new Error(errors));
      resolve({ megabytes: Math.round(kilobytes / 1024), seconds: Math.round((performance.now() - start) / 100) / 10 });
    });
  });
}

async function main(gigabytes: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "quern-memory-"));
  const [model, packed, back] = ["model.safetensors", "model.quern", "back.safetensors"].map((name) =>
    join(folder, name),
  );
  try {
    const bytes = await writeSafetensors(generated(gigabytes * 2 ** 30), await fileSink(model as string));
    console.log(`model: ${bytes} bytes`);
    const tasks = [
      ["pack", model, "-o", packed, "--plan", "int8 channel > auto"],
      ["pack", model, "-o", packed, "--plan", "prune 0.5 > int4 group 32 > auto"],
      ["verify", packed],
      ["unpack", packed, "-o", back],
      ["diff", model, packed],
    ] as string[][];
    for (const task of tasks) {
      const { megabytes, seconds } = await run(task);
      console.log(
        `${task.map((word) => word.replace(`${folder}/`, "")).join(" ")}: peak ${megabytes} MB, ${seconds} s`,
      );
    }
    console.log(`packed: ${(await stat(packed as string)).size} bytes`);
  } finally {
    await rm(folder, { recursive: true });
  }
}

await main(Number(process.argv[2] ?? 2));
