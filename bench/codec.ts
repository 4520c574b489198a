import { chunkShape, type Layout, layoutOf } from "../src/codec/layout.ts";
import { type Content, NO_GEOMETRY, readStream, writeStream } from "../src/codec/planes.ts";
import { decodeChunkFloats } from "../src/codec/tensor.ts";
import { demandHash, xxh64 } from "../src/container/checksum.ts";
import { loadKernels, parseSteps } from "../src/index.ts";
import { CHUNK_BYTES, type Kernels } from "../src/kernels.ts";
import type { CodeStep } from "../src/plan.ts";
import * as reference from "../test/reference.ts";
import { CHUNK, type DataSet, modelSets, type NamedModel, seededSets } from "./data.ts";
import { type Bench, type Contender, mustEqual } from "./harness.ts";
import { FORMATS, type Format, loadPeers, NATIVE, nativeZstd, type Peer, store } from "./peers.ts";

// Whole codecs, chunk by chunk as the container works: speed both ways and size, beside general-purpose codecs that get
// the same bytes in the same chunks. Scales are left out: they would be the same for all.

const CODES = ["huffman", "pivot", "mask", "zrl", "auto"] as const;
type Code = (typeof CODES)[number];

/** The table decoder, which the others are compared with. */
const TABLE: Code = "huffman";
/** What the reader hands out by default: f32, of which as many bytes count. */
const FLOATS = "as f32";
/** Pivot within the kernels' memory: checksum, tables and codes, without the copies to it and from it. */
const IN_PLACE = "pivot, in place";

interface Chunk {
  /** Where its bytes lie in the set, and its codes. */
  readonly bytes: Uint8Array;
  readonly codes: Int8Array;
  readonly content: Content;
}

interface Stored {
  readonly stored: Uint8Array;
  readonly xxh64: Uint8Array;
}

interface Race {
  readonly bench: Bench;
  readonly kernels: Kernels;
  readonly peers: readonly Peer[];
  readonly set: DataSet;
  readonly chunks: readonly Chunk[];
  readonly ours: ReadonlyMap<Code, readonly Stored[]>;
  readonly theirs: ReadonlyMap<Format, Theirs>;
}

interface Theirs {
  readonly stored: readonly Uint8Array[];
  readonly seconds: number;
}

/** Groups decode, encode and size for every data set. */
export async function codecBench(bench: Bench, models: readonly NamedModel[]): Promise<void> {
  const wanted = ["decode", "encode", "size"].some((group) => namesOf(group).some((name) => bench.wants(group, name)));
  if (!wanted) return;
  const kernels = await loadKernels({ tier: bench.tier });
  const peers = await loadPeers(CHUNK);
  const sets = [seededSets(bench.quick), modelSets(kernels, models, bench.quick)];
  for (const some of sets) {
    for await (const set of some) {
      const race = await prepare(bench, kernels, peers, set);
      await decodeRows(race);
      await encodeRows(race);
      sizeRows(race);
    }
  }
}

const ENTROPY = "order-0 entropy";

function namesOf(group: string): readonly string[] {
  if (group === "size") return [...CODES, ...FORMATS, ENTROPY];
  return group === "decode" ? [...CODES, IN_PLACE, FLOATS] : CODES;
}

async function prepare(bench: Bench, kernels: Kernels, peers: readonly Peer[], set: DataSet): Promise<Race> {
  bench.status(`${set.name}: storing`);
  const chunks = chunksOf(set);
  const ours = new Map(CODES.map((code) => [code, encodeAll(kernels, set, chunks, code)]));
  const theirs = new Map<Format, Theirs>();
  for (const format of FORMATS) if (isNeeded(bench, format)) theirs.set(format, await storeAll(format, chunks));
  return { bench, kernels, peers, set, chunks, ours, theirs };
}

// Storing at the highest levels is most of the time of a short run.
function isNeeded(bench: Bench, format: Format): boolean {
  const wants = (group: string) => CODES.some((code) => bench.wants(group, code));
  return wants("decode") || bench.wants("size", format) || (format === PACKER && wants("encode"));
}

function chunksOf({ bits, codes, bytes }: DataSet): Chunk[] {
  const count = Math.ceil(codes.length / CHUNK);
  return Array.from({ length: count }, (_, i) => {
    const part = codes.subarray(i * CHUNK, (i + 1) * CHUNK);
    const from = (i * CHUNK * bits) / 8;
    const content = { width: 1, float: false, nibbles: bits === 4 ? part.length : 0 } as const;
    return { bytes: bytes.subarray(from, from + Math.ceil((part.length * bits) / 8)), codes: part, content };
  });
}

async function storeAll(format: Format, chunks: readonly Chunk[]): Promise<Theirs> {
  const start = performance.now();
  const stored = await Promise.all(chunks.map(({ bytes }) => store(format, bytes)));
  return { stored, seconds: (performance.now() - start) / 1000 };
}

function encodeAll(kernels: Kernels, set: DataSet, chunks: readonly Chunk[], code: Code): Stored[] {
  const coded = chunks.map((chunk) => encodeChunk(kernels, chunk, code));
  const raw = coded.filter((chunk) => chunk.code === "raw").length;
  // Else the speed of a copy would pass for that of the code.
  if (raw > 0) process.stderr.write(`bench: ${set.name}, ${code}: ${raw} of ${chunks.length} chunks are stored raw\n`);
  return coded;
}

function stepOf(code: Code): CodeStep {
  return { op: "code", code, grouping: { by: "chunk", size: 0 } };
}

function encodeChunk(kernels: Kernels, chunk: Chunk, code: Code): Stored & { code: string } {
  const { bytes, codes, content } = chunk;
  const { plain, stored: at, values } = kernels.arena(CHUNK_BYTES, "encode");
  kernels.bytes().set(bytes, plain);
  if (content.nibbles > 0) kernels.bytes().set(new Uint8Array(codes.buffer, codes.byteOffset, codes.length), values);
  const written = writeStream(kernels, { at: plain, n: bytes.length, content }, stepOf(code), NO_GEOMETRY, at);
  const stored = kernels.bytes().slice(at, at + written.bytes);
  return { stored, code: written.code, xxh64: xxh64(kernels, at, stored.length) };
}

const PLACE = { offset: 0, field: "chunk" };

// What the reader does between fetching a chunk and handing out its codes: in, checksum, stream, out. Peers too take
// bytes from JavaScript and give bytes to it.
function decodeChunk(kernels: Kernels, { stored, xxh64: hash }: Stored, { content }: Chunk, out: Uint8Array): void {
  const { stored: at, plain } = kernels.arena(CHUNK_BYTES, "decode");
  kernels.bytes().set(stored, at);
  demandHash(xxh64(kernels, at, stored.length), hash, "XXH64", 0, "chunk");
  readStream(kernels, at, at + stored.length, { at: plain, n: out.length, content }, PLACE);
  out.set(kernels.bytes().subarray(plain, plain + out.length));
}

async function decodeRows(race: Race): Promise<void> {
  const { bench, kernels, peers, set, chunks, ours, theirs } = race;
  const codes = CODES.filter((code) => bench.wants("decode", code));
  const floats = bench.wants("decode", FLOATS);
  const inPlace = bench.wants("decode", IN_PLACE);
  if (codes.length === 0 && !floats && !inPlace) return;
  bench.status(`${set.name}: decoding`);
  const raced = CODES.filter((code) => codes.includes(code) || (code === TABLE && codes.length > 0));
  const contenders = raced.map((code) => ourDecoder(kernels, set, chunks, code, ours.get(code) ?? []));
  const rivals = codes.length === 0 ? [] : peers;
  const decoders = rivals.map((peer) => peerDecoder(peer, set, chunks, theirs.get(peer.format)?.stored ?? []));
  const toFloats = floats ? [floatDecoder(kernels, set, chunks, ours.get("auto") ?? [])] : [];
  const within = inPlace ? [await inPlaceDecoder(bench, set, chunks, ours.get("pivot") ?? [])] : [];
  const speeds = await bench.race([...contenders, ...within, ...toFloats, ...decoders]);
  const native = codes.length === 0 ? undefined : nativeZstd(set.bytes, chunks[0].bytes.length, bench.quick ? 0 : 1);
  const besides = new Map(rivals.map(({ name }) => [name, speeds.get(name)]));
  besides.set(NATIVE, native).set(TABLE, speeds.get(TABLE));
  for (const code of codes) {
    const shared = { group: "decode", name: code, data: set.name, gbps: speeds.get(code) ?? null };
    const ratio_bits = ourBits(race, code);
    for (const [peer, gbps] of besides) {
      if (gbps !== undefined && peer !== code) bench.add({ ...shared, ratio_bits, peer, peer_gbps: gbps });
    }
  }
  if (inPlace) {
    const gbps = speeds.get(IN_PLACE) ?? null;
    bench.add({ group: "decode", name: IN_PLACE, data: set.name, gbps, ratio_bits: ourBits(race, "pivot") });
  }
  if (floats) {
    const gbps = speeds.get(FLOATS) ?? null;
    bench.add({ group: "decode", name: FLOATS, data: set.name, gbps, ratio_bits: ourBits(race, "auto") });
  }
}

function ourDecoder(
  kernels: Kernels,
  set: DataSet,
  chunks: readonly Chunk[],
  code: Code,
  stored: readonly Stored[],
): Contender {
  const out = new Uint8Array(set.bytes.length);
  const parts = chunks.map(({ bytes: { byteOffset, length } }) => {
    const from = byteOffset - set.bytes.byteOffset;
    return out.subarray(from, from + length);
  });
  const run = () => {
    stored.forEach((chunk, i) => {
      decodeChunk(kernels, chunk, chunks[i], parts[i]);
    });
    return out[out.length - 1];
  };
  run();
  mustEqual(out, set.bytes, `${code}, ${set.name}`);
  return { name: code, bytes: out.length, run };
}

// All chunks lie in one large arena, and are decoded to another part of it.
async function inPlaceDecoder(
  bench: Bench,
  set: DataSet,
  chunks: readonly Chunk[],
  stored: readonly Stored[],
): Promise<Contender> {
  const kernels = await loadKernels({ tier: bench.tier, encode: false });
  const { stored: at, plain } = kernels.arena(set.bytes.length + CHUNK_BYTES, "decode");
  let [from, to] = [at, plain];
  const places = chunks.map(({ bytes, content }, i) => {
    kernels.bytes().set(stored[i].stored, from);
    const end = from + stored[i].stored.length;
    const place = { from, end, part: { at: to, n: bytes.length, content }, hash: stored[i].xxh64 };
    [from, to] = [end, to + bytes.length];
    return place;
  });
  const run = () => {
    for (const { from, end, part, hash } of places) {
      demandHash(xxh64(kernels, from, end - from), hash, "XXH64", 0, "chunk");
      readStream(kernels, from, end, part, PLACE);
    }
    return kernels.bytes()[to - 1];
  };
  run();
  mustEqual(kernels.bytes().subarray(plain, to), set.bytes, `${IN_PLACE}, ${set.name}`);
  return { name: IN_PLACE, bytes: set.bytes.length, run };
}

// Codes under auto behind scales, as a tensor has them: int8 with one, int4 with one for every 32.
function floatDecoder(kernels: Kernels, set: DataSet, chunks: readonly Chunk[], stored: readonly Stored[]): Contender {
  const n = set.codes.length;
  const steps = parseSteps(set.bits === 8 ? "int8 tensor" : "int4 group 32");
  const layout = layoutOf({ name: set.name, dtype: "F32", shape: [n] }, steps, CHUNK);
  const scale = 1 / 64;
  const whole = chunks.map((_, i) => withScales(kernels, layout, i, scale, stored[i].stored));
  const out = new Float32Array(n);
  const parts = chunks.map(({ codes }, i) => out.subarray(i * CHUNK, i * CHUNK + codes.length));
  const run = () => {
    whole.forEach((chunk, i) => {
      const { stored: at } = kernels.arena(chunkShape(layout, i).room, "decode");
      kernels.bytes().set(chunk.stored, at);
      demandHash(xxh64(kernels, at, chunk.stored.length), chunk.xxh64, "XXH64", 0, "chunk");
      decodeChunkFloats(kernels, layout, i, chunk.stored.length, PLACE, parts[i]);
    });
    return out[n - 1];
  };
  run();
  mustEqual(out, reference.dequantize(set.codes, 1, n, Float32Array.of(scale), undefined), `${FLOATS}, ${set.name}`);
  return { name: FLOATS, bytes: out.byteLength, run };
}

function withScales(kernels: Kernels, layout: Layout, index: number, scale: number, codes: Uint8Array): Stored {
  const { rows } = chunkShape(layout, index);
  const scales = reference.streamOf(reference.CODE.RAW, new Uint8Array(new Float32Array(rows).fill(scale).buffer));
  const stored = Buffer.concat([scales, codes]);
  const { stored: at } = kernels.arena(chunkShape(layout, index).room, "decode");
  kernels.bytes().set(stored, at);
  return { stored, xxh64: xxh64(kernels, at, stored.length) };
}

function peerDecoder(peer: Peer, set: DataSet, chunks: readonly Chunk[], stored: readonly Uint8Array[]): Contender {
  chunks.forEach(({ bytes }, i) => {
    mustEqual(peer.decode(stored[i], bytes.length), bytes, `${peer.name}, ${set.name}`);
  });
  const run = () => {
    let last = 0;
    for (let i = 0; i < stored.length; i++) last += peer.decode(stored[i], chunks[i].bytes.length)[0];
    return last;
  };
  return { name: peer.name, bytes: set.bytes.length, run };
}

// The peer is so slow that the one run which made its chunks has to do.
const PACKER: Format = "zstd -19";

async function encodeRows(race: Race): Promise<void> {
  const { bench, kernels, set, chunks, theirs } = race;
  const codes = CODES.filter((code) => bench.wants("encode", code));
  if (codes.length === 0) return;
  bench.status(`${set.name}: encoding`);
  const contenders = codes.map((code) => {
    const run = () => chunks.reduce((sum, chunk) => sum + encodeChunk(kernels, chunk, code).stored.length, 0);
    return { name: code, bytes: set.bytes.length, run };
  });
  const speeds = await bench.race(contenders);
  const seconds = theirs.get(PACKER)?.seconds;
  const peer_gbps = seconds ? set.bytes.length / seconds / 1e9 : null;
  for (const code of codes) {
    const ratio_bits = ourBits(race, code);
    const gbps = speeds.get(code) ?? null;
    bench.add({ group: "encode", name: code, data: set.name, gbps, ratio_bits, peer: PACKER, peer_gbps });
  }
}

function sizeRows(race: Race): void {
  const { bench, set, theirs } = race;
  const row = (name: string, ratio_bits: number) => {
    if (bench.wants("size", name)) bench.add({ group: "size", name, data: set.name, ratio_bits });
  };
  for (const code of CODES) row(code, ourBits(race, code));
  for (const [format, { stored }] of theirs) row(format, bitsOf(set, stored));
  row(ENTROPY, entropy(set.codes));
}

function ourBits({ set, ours }: Race, code: Code): number {
  const stored = (ours.get(code) ?? []).map((chunk) => chunk.stored);
  return bitsOf(set, stored);
}

function bitsOf(set: DataSet, stored: readonly Uint8Array[]): number {
  return (8 * stored.reduce((sum, { length }) => sum + length, 0)) / set.codes.length;
}

// Of the whole set: a code with a table per chunk may come out below it.
function entropy(codes: Int8Array): number {
  const counts = new Float64Array(256);
  for (const code of codes) counts[code + 128]++;
  let bits = 0;
  for (const count of counts) if (count > 0) bits -= count * Math.log2(count / codes.length);
  return bits / codes.length;
}
