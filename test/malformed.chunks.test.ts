import { describe, expect, test } from "vitest";
import { FormatError, type Kernels, open } from "../src/index.ts";
import {
  BOTH,
  DECODERS,
  ENTRY,
  modelOf,
  type Parts,
  PRELUDE,
  packed,
  partsOf,
  readAll,
  sealed,
  specimens,
  tensorOf,
} from "./files.ts";
import { accepted, random } from "./helpers.ts";
import { type ChunkKind, decodeChunk, lastStream } from "./twin.chunk.ts";

// Forgery: all checksums are mended, so the decoders themselves meet the bytes. They refuse with a FormatError or decode,
// and both tiers and the literal twin of the specification agree on which.

type Outcome = { digest: string } | { refused: string };

async function outcome(bytes: Uint8Array, kernels: Kernels): Promise<Outcome> {
  try {
    return { digest: await readAll(bytes, kernels) };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { refused: error.message };
  }
}

const BYTE_KIND: ChunkKind = { count: 0, rows: 0, bits: 8, asymmetric: false, width: 1, float: false };

const KINDS: Record<string, ChunkKind> = {
  raw: { ...BYTE_KIND, count: 40 },
  constant: { ...BYTE_KIND, count: 50 },
  huffman: { ...BYTE_KIND, count: 200 },
  "huffman of six streams": { ...BYTE_KIND, count: 1100 },
  zrl: { ...BYTE_KIND, count: 288, rows: 4 },
  planes: { ...BYTE_KIND, count: 200, width: 2, float: true },
  int4: { ...BYTE_KIND, count: 305, rows: 10, bits: 4 },
  pivot: { ...BYTE_KIND, count: 310 },
  "pivot of two blocks": { ...BYTE_KIND, count: 32768 + 120 },
  mask: { ...BYTE_KIND, count: 203 },
  "mask over pivot": { ...BYTE_KIND, count: 1300 },
  "zrl over pivot": { ...BYTE_KIND, count: 1500 },
  "classes of rows": { ...BYTE_KIND, count: 800 },
  "classes of columns": { ...BYTE_KIND, count: 720 },
  int16: { ...BYTE_KIND, count: 300, rows: 1, bits: 16 },
  asymmetric: { ...BYTE_KIND, count: 300, rows: 4, asymmetric: true },
};

/** A file whose only chunk has other bytes, with the code that they seem to be of in the table. */
function forged(parts: Parts, bytes: Uint8Array<ArrayBuffer>, kind: ChunkKind): Uint8Array {
  const code = bytes[lastStream(bytes, kind) ?? 0] ?? 0;
  const file = sealed({ ...parts, chunks: [{ code: code < 8 ? code : 0, bytes }] });
  return file;
}

let decoded = 0;
let refused = 0;

async function attack(parts: Parts, bytes: Uint8Array<ArrayBuffer>, kind: ChunkKind, what: string): Promise<void> {
  const file = forged(parts, bytes, kind);
  const [simd, ...others] = await Promise.all(DECODERS.map((kernels) => outcome(file, kernels)));
  for (const other of others) expect(other, what).toEqual(simd);
  const twin = accepted(() => decodeChunk(bytes, kind));
  const taken = "digest" in simd;
  if (taken !== (twin !== undefined)) {
    const verdict = twin ? "the twin decodes it" : "the twin refuses it";
    expect.fail(`${what}: ${JSON.stringify(simd)}, but ${verdict}; ${Buffer.from(bytes).toString("hex")}`);
  }
  if (taken) decoded++;
  else refused++;
  if (twin && kind.rows === 0) await sameBytes(file, twin.bytes, what);
  if (twin && kind.rows > 0) await sameParts(file, twin.bytes, kind, what);
}

async function sameBytes(file: Uint8Array, bytes: Uint8Array, what: string): Promise<void> {
  const stored = await (await open(file, { kernels: BOTH[0] })).tensor("w", { as: "stored" });
  expect(Buffer.compare(stored.bytes, bytes), what).toBe(0);
}

async function sameParts(file: Uint8Array, bytes: Uint8Array, kind: ChunkKind, what: string): Promise<void> {
  const { bytes: codes, quantization } = await (await open(file, { kernels: BOTH[0] })).tensor("w", { as: "stored" });
  const scales = quantization?.scales ?? new Float32Array(0);
  // As docs/FORMAT.md has levels of int16 in a chunk.
  const levels = kind.bits === 16 && new Int16Array(codes.slice().buffer).map((level) => (level + 128) ^ 128);
  const parts = [scales, ...(quantization?.zeroPoints ? [quantization.zeroPoints] : []), levels || codes];
  const joined = Buffer.concat(parts.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength)));
  expect(Buffer.compare(joined, bytes), `${what}, ${kind.count} codes`).toBe(0);
}

const EDGES = [0, 1, 2, 3, 4, 5, 9, 15, 16, 127, 128, 240, 254, 255];

/** One to three changes: a bit, a byte, bytes cut out, put in or swapped. */
function mutated(bytes: Uint8Array, next: () => number): Uint8Array<ArrayBuffer> {
  let result = Array.from(bytes);
  // Heads and tables lie in front, and there every bit counts: half of the changes go there.
  const place = () => Math.floor(next() * (next() < 0.5 ? Math.min(result.length, 48) : result.length));
  for (let times = 1 + Math.floor(3 * next() * next()); times > 0; times--) {
    const at = place();
    const kind = Math.floor(6 * next());
    if (kind < 2) result[at] ^= 1 << Math.floor(8 * next());
    else if (kind === 2) result[at] = EDGES[Math.floor(EDGES.length * next())];
    else if (kind === 3) result.splice(at, 1 + Math.floor(4 * next() * next()));
    else if (kind === 4) result.splice(at, 0, Math.floor(256 * next()));
    else [result[at], result[place()]] = [result[place()], result[at]];
    result = result.map((byte) => byte ?? 0);
  }
  return Uint8Array.from(result);
}

const SPECIMENS = await specimens();

describe.each(SPECIMENS)("%s", (name, file) => {
  const parts = partsOf(file);
  const kind = KINDS[name];
  const [{ bytes }] = parts.chunks;

  test("its kind is the one that the twin decodes", () => {
    expect(accepted(() => decodeChunk(bytes, kind))?.code).toBe(parts.chunks[0].code);
  });

  test("every bit flipped, with all checksums mended", async () => {
    const end = Math.min(8 * bytes.length, 1600);
    for (let bit = 0; bit < end; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] ^= 1 << (bit & 7);
      await attack(parts, flipped, kind, `${name}, bit ${bit}`);
    }
  });

  test("cut anywhere, or with something behind it", async () => {
    for (let end = 0; end < bytes.length; end++)
      await attack(parts, bytes.slice(0, end), kind, `${name}, ${end} bytes`);
    for (const byte of [0, 1, 255])
      await attack(parts, Uint8Array.from([...bytes, byte]), kind, `${name}, ${byte} behind`);
  });

  test("changed at random", async () => {
    const next = random(name.length);
    for (let i = 0; i < 500; i++) await attack(parts, mutated(bytes, next), kind, `${name}, mutation ${i}`);
  });
});

test("many were refused above, and many decoded", () => {
  expect(refused).toBeGreaterThan(5000);
  expect(decoded).toBeGreaterThan(1000);
});

test("a chunk of another code than the table says is refused", async () => {
  const [, file] = SPECIMENS[0];
  for (let code = 1; code < 256; code++) {
    const parts = partsOf(file);
    const lie = sealed({ ...parts, chunks: [{ ...parts.chunks[0], code }] });
    expect(await outcome(lie, BOTH[0]), `${code}`).toHaveProperty("refused");
  }
  const reserved = sealed(partsOf(file), (header) => header.setUint8(header.byteLength - ENTRY + 5, 1));
  expect(await outcome(reserved, BOTH[0])).toHaveProperty("refused");
  expect(PRELUDE + ENTRY).toBeLessThan(file.length);
});

test("arena contents of the file before do not shine through", async () => {
  const before = await packed(modelOf([tensorOf("w", "U8", [5000], new Uint8Array(5000).fill(0xaa))]), "raw");
  for (const [name, file] of SPECIMENS) {
    const [{ bytes }] = partsOf(file).chunks;
    const cut = forged(partsOf(file), bytes.slice(0, -1), KINDS[name]);
    const first = await outcome(cut, BOTH[0]);
    await readAll(before.bytes, BOTH[0]);
    expect(await outcome(cut, BOTH[0]), name).toEqual(first);
  }
});
