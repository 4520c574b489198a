import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, brotliDecompressSync, constants, gunzipSync, gzip } from "node:zlib";
import { compress, decompress, init } from "@bokuweb/zstd-wasm";
import * as fflate from "fflate";
import { ZSTDDecoder } from "zstddec";

// The general-purpose codecs that a page or a Node program would take instead.

/** How peers store bytes, at the level that packs them smallest. */
export const FORMATS = ["zstd -19", "gzip -9", "brotli -11"] as const;
export type Format = (typeof FORMATS)[number];

/** A decoder of one of the formats. loadPeers makes them, and readies `store`. */
export interface Peer {
  readonly name: string;
  readonly format: Format;
  /** Gives `size` bytes; all peers are told the size, which spares them a guess or a second buffer. */
  decode(stored: Uint8Array, size: number): Uint8Array;
}

const packGzip = promisify<Uint8Array, { level: number }, Uint8Array>(gzip);
const packBrotli = promisify<Uint8Array, { params: Record<number, number> }, Uint8Array>(brotliCompress);

/** Stores bytes in a format; zstd in this thread, the others, which nobody times, in as many as there are. */
export async function store(format: Format, bytes: Uint8Array): Promise<Uint8Array> {
  if (format === "zstd -19") return compress(bytes, 19);
  if (format === "gzip -9") return packGzip(bytes, { level: 9 });
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_SIZE_HINT } = constants;
  return packBrotli(bytes, { params: { [BROTLI_PARAM_QUALITY]: 11, [BROTLI_PARAM_SIZE_HINT]: bytes.length } });
}

// Node's zlib asks for a second buffer when the first is exactly full.
const SPARE = 64;

/** The peers, ready to decode chunks of at most `most` bytes. */
export async function loadPeers(most: number): Promise<Peer[]> {
  await init();
  const zstddec = new ZSTDDecoder();
  await zstddec.init();
  const out = new Uint8Array(most);
  return [
    { name: "zstddec", format: "zstd -19", decode: (stored, size) => zstddec.decode(stored, size) },
    { name: "bokuweb", format: "zstd -19", decode: (stored) => decompress(stored) },
    {
      name: "fflate",
      format: "gzip -9",
      decode: (stored, size) => fflate.gunzipSync(stored, { out: out.subarray(0, size) }),
    },
    { name: "gunzip", format: "gzip -9", decode: (stored, size) => gunzipSync(stored, { chunkSize: size + SPARE }) },
    {
      name: "brotli",
      format: "brotli -11",
      decode: (stored, size) => brotliDecompressSync(stored, { chunkSize: size + SPARE }),
    },
  ];
}

/** The name of the peer that runs outside of this process. */
export const NATIVE = "zstd native";
const MB = 1e6;

let told = false;

/**
 * GB/s at which the machine's own zstd decodes bytes that it stored at level 19, in parts of `part` bytes: its own benchmark, one
 * thread, no copies from JavaScript or to it. Nothing, and a note on stderr, where there is none.
 */
export function nativeZstd(bytes: Uint8Array, part: number, seconds: number): number | undefined {
  const folder = mkdtempSync(join(tmpdir(), "quern-bench-"));
  try {
    const file = join(folder, "codes");
    writeFileSync(file, bytes);
    const { error, status, stdout, stderr } = spawnSync("zstd", [
      "-q",
      "-b19",
      "-e19",
      `-i${seconds}`,
      `-B${part}`,
      file,
    ]);
    // "-19  147418 (1.778)   1.40 MB/s  645.9 MB/s  codes": encoding, then decoding.
    const speeds = [...`${stdout}${stderr}`.matchAll(/[\d.]+ MB\/s,?\s+([\d.]+) MB\/s/g)];
    if (!error && status === 0 && speeds.length > 0) return (Number(speeds.at(-1)?.[1]) * MB) / 1e9;
    if (!told) process.stderr.write(`bench: ${error?.message ?? "zstd -b failed"}: no rows beside ${NATIVE}\n`);
    told = true;
    return undefined;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
