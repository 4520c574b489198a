import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { measurePivot } from "../../src/codec/pivot.ts";
import { CHUNK_BYTES, loadKernels } from "../../src/kernels.ts";
import { random } from "../random.ts";
import { huffmanEncode } from "../reference.ts";
import { benchScript } from "./bundle.ts";
import { ENGINES, inFolder, output, quickJsOutput } from "./engines.ts";
import type { BenchInput, Speeds } from "./programs/bench.ts";

// npm run bench:engines: the plain kernels with a JIT and without, and in QuickJS.

const N = 262144;
const SIGMA = 30;

function gaussCodes(): Uint8Array {
  const next = random(1);
  const level = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  return Uint8Array.from({ length: N }, () => Math.max(-128, Math.min(127, Math.round(SIGMA * level()))));
}

async function inNode(code: string, ...flags: string[]): Promise<Speeds> {
  const prelude = "var print = console.log, now = () => performance.now();\n";
  return inFolder(async (folder) => {
    const file = join(folder, "bench.cjs");
    await writeFile(file, prelude + code);
    return JSON.parse(await output(ENGINES.node, ...flags, file)) as Speeds;
  });
}

// As packing stores them: with code lengths shaped towards a shallow tree.
async function pivotPayload(codes: Uint8Array): Promise<Uint8Array> {
  const kernels = await loadKernels();
  const { plain, stored } = kernels.arena(CHUNK_BYTES, "encode");
  kernels.bytes().set(codes, plain);
  const size = measurePivot(kernels, plain, codes.length).write(stored);
  return kernels.bytes().slice(stored, stored + size);
}

const codes = gaussCodes();
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const input: BenchInput = {
  n: N,
  huffman: hex(huffmanEncode(codes)),
  pivot: hex(await pivotPayload(codes)),
  budget: 1000,
};
const code = await benchScript(input);
const rows: [string, Speeds][] = [
  [`Node ${process.version}`, await inNode(code)],
  [`Node ${process.version} --jitless`, await inNode(code, "--jitless", "--no-warnings")],
  ["QuickJS", JSON.parse(await quickJsOutput(code)) as Speeds],
];
const columns = ["table Huffman", "pivot", "table : pivot", "int8 -> f32", "xxh64"];
console.log(`int8, sigma ${SIGMA}, ${N} codes, MB/s of output (xxh64: of input), the best run`);
console.log(["".padEnd(24), ...columns.map((column) => column.padStart(14))].join(""));
for (const [engine, { huffman, pivot, dequantize, xxh64 }] of rows) {
  const cells = [huffman, pivot, huffman / pivot, dequantize, xxh64];
  console.log([engine.padEnd(24), ...cells.map((cell) => cell.toFixed(cell < 20 ? 2 : 0).padStart(14))].join(""));
}
