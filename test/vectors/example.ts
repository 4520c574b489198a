import { lazyTensor, loadKernels, type Model, memorySink, pack } from "../../src/index.ts";

// The worked example of docs/FORMAT.md: a file of two tensors, byte by byte.

export const EXAMPLE_PLAN = "b=lossless; small 0=lossless; int8 channel > zrl";

export function exampleModel(): Model {
  const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
  const w = floats(0, 0.5, 0, -1, 0, 0, 0.25, 0);
  return {
    metadata: { task: "demo" },
    tensors: [
      lazyTensor({ name: "w", dtype: "F32", shape: [2, 4], bytes: w }),
      lazyTensor({ name: "b", dtype: "F32", shape: [2], bytes: floats(0.5, -0.5) }),
    ],
  };
}

export async function exampleBytes(): Promise<Uint8Array> {
  const sink = memorySink();
  await pack(exampleModel(), EXAMPLE_PLAN, sink, { kernels: await loadKernels({ tier: "scalar" }) });
  return sink.bytes();
}

const PRELUDE: [bytes: number, meaning: string][] = [
  [8, "magic"],
  [2, "version 1"],
  [2, "reserved"],
  [4, "required features: none"],
  [4, "optional features: none"],
];

/** A field of the file: how many bytes, and what they mean. */
type Field = [bytes: number, meaning: string];

/** The fields of the example in order; written for this one file, with its lengths taken from it. */
function fieldsOf(file: Uint8Array): Field[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const u32 = (at: number) => view.getUint32(at, true);
  const [json, records, chunks] = [u32(20), u32(24), u32(28)];
  const fields: Field[] = [
    ...PRELUDE,
    [4, `J = ${json} bytes of JSON`],
    [4, `R = ${records} bytes of records`],
    [4, `C = ${chunks} chunks`],
    [4, `largest stored chunk: ${u32(32)} bytes`],
    [4, `largest decoded chunk: ${u32(36)} bytes`],
    [8, `file length: ${u32(40)} bytes`],
    [8, `decoded total: ${u32(48)} bytes`],
    [32, "SHA-256 of bytes [0, 56) and of those from here to the first chunk"],
    ...jsonFields(file.subarray(88, 88 + json)),
  ];
  const table = 88 + json + records;
  let chunk = table + 32 * chunks;
  for (let i = 0; i < chunks; i++) fields.push(...entryFields(i, u32(table + 32 * i), file[table + 32 * i + 4]));
  for (let i = 0; i < chunks; i++) {
    const size = u32(table + 32 * i);
    fields.push(...CHUNKS[i](file.subarray(chunk, chunk + size)));
    chunk += size;
  }
  return fields;
}

function jsonFields(json: Uint8Array): Field[] {
  const text = Buffer.from(json).toString("latin1");
  return Array.from({ length: Math.ceil(text.length / WIDTH) }, (_, i): Field => {
    const part = text.slice(WIDTH * i, WIDTH * (i + 1));
    return [part.length, part];
  });
}

const NAMES = ["raw", "constant", "huffman", "zrl", "planes", "pivot", "mask"];

function entryFields(i: number, size: number, code: number): Field[] {
  return [
    [4, `chunk ${i}: ${size} bytes stored`],
    [1, `code of its last stream: ${code} = ${NAMES[code]}`],
    [3, "reserved"],
    [8, "XXH64"],
    [16, "SHA-256, first half"],
  ];
}

function stream(bytes: Uint8Array, at: number, what: string): Field {
  const size = bytes[at + 1] | (bytes[at + 2] << 8) | (bytes[at + 3] << 16);
  return [4, `${what}: a stream of code ${bytes[at]} = ${NAMES[bytes[at]]}, ${size} bytes`];
}

function numbers(bytes: Uint8Array, kind: "f32" | "i8"): string {
  const copy = bytes.slice().buffer;
  return [...(kind === "f32" ? new Float32Array(copy) : new Int8Array(copy))].join(", ");
}

const CHUNKS: ((bytes: Uint8Array) => Field[])[] = [
  (bytes) => [
    stream(bytes, 0, "w, scales"),
    [8, `two scales, 1 / 127 and 0.25 / 127: ${numbers(bytes.subarray(4, 12), "f32")}`],
    stream(bytes, 12, "w, codes"),
    [8, `eight codes (zrl would take more): ${numbers(bytes.subarray(16, 24), "i8")}`],
  ],
  (bytes) => [
    stream(bytes, 0, "b, elements"),
    [8, `two f32 (no code would pay): ${numbers(bytes.subarray(4, 12), "f32")}`],
  ],
];

const WIDTH = 16;

/** The lines between the fences: `offset  hex bytes  | meaning`. */
export function exampleDump(file: Uint8Array): string {
  const lines: string[] = [];
  let at = 0;
  for (const [size, meaning] of fieldsOf(file)) {
    for (let from = 0; from < size; from += WIDTH) {
      const bytes = file.subarray(at + from, at + Math.min(from + WIDTH, size));
      const offset = (at + from).toString(16).padStart(4, "0");
      const hex = Buffer.from(bytes).toString("hex").replace(/..(?=.)/g, "$& ");
      lines.push(from === 0 ? `${offset}  ${hex.padEnd(3 * WIDTH - 1)}  | ${meaning}`.trimEnd() : `${offset}  ${hex}`);
    }
    at += size;
  }
  if (at !== file.length) throw new Error(`the fields have ${at} of ${file.length} bytes`);
  return lines.join("\n");
}
