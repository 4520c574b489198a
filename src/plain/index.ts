import { pack4, unpack4 } from "./bits.ts";
import { sha256, xxh64 } from "./checksum.ts";
import { classCounts, classScatter } from "./classes.ts";
import { huffmanDecode } from "./huffman.ts";
import { readLengths } from "./lengths.ts";
import { maskCount, maskExpand } from "./mask.ts";
import { COMPILED, INTERPRETED } from "./merge.ts";
import { pivotBlock } from "./pivot.ts";
import { mergePlanes } from "./planes.ts";
import { dequantize, dequantize16, range } from "./quantize.ts";
import { unsmooth } from "./smooth.ts";
import { zrlValues } from "./tokens.ts";
import { unpack } from "./unpack.ts";

// The decoding half of the ABI (assembly/index.ts) in plain JavaScript, over one ArrayBuffer.

// The first bytes are nobody's, because the address 0 stands for nothing.
const HEAP_BASE = 64;

/** What the kernels work on: like WebAssembly.Memory, with pages of 64 KiB. */
export interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

const PAGE = 65536;

/** A memory of one page. Growing replaces its buffer. */
export function plainMemory(): Memory {
  let buffer = new ArrayBuffer(PAGE);
  return {
    get buffer() {
      return buffer;
    },
    grow(pages) {
      const before = buffer.byteLength;
      const larger = new Uint8Array(before + pages * PAGE);
      larger.set(new Uint8Array(buffer));
      buffer = larger.buffer;
      return before / PAGE;
    },
  };
}

/**
 * The kernels over a memory.
 * @param compiled - which loops to run. An engine that compiles JavaScript has WebAssembly as well, if not always the
 *   permission to use it
 */
export function plainExports(memory: { readonly buffer: ArrayBuffer }, compiled = typeof WebAssembly === "object") {
  const loops = compiled ? COMPILED : INTERPRETED;
  let bytes = new Uint8Array(memory.buffer);
  const over =
    <A extends number[]>(kernel: (b: Uint8Array, ...args: A) => number) =>
    (...args: A) => {
      if (bytes.buffer !== memory.buffer) bytes = new Uint8Array(memory.buffer);
      return kernel(bytes, ...args);
    };
  return {
    heapBase: () => HEAP_BASE,
    range: over(range),
    dequantize: over(dequantize),
    dequantize16: over(dequantize16),
    pack4: over(pack4),
    unpack4: over(unpack4),
    mergePlanes: over(mergePlanes),
    readLengths: over(readLengths),
    classCounts: over(classCounts),
    classScatter: over(classScatter),
    huffmanDecode: over(huffmanDecode),
    merge: over(loops.merge),
    expand: over(loops.expand),
    unpack: over((b, src: number, n: number, width: number, symbols: number, dst: number) =>
      unpack(b, src, n, width, b.subarray(symbols, symbols + (1 << width)), dst),
    ),
    pivotBlock: over(pivotBlock(loops)),
    maskCount: over(maskCount),
    maskExpand: over(maskExpand(loops)),
    unsmooth: over(unsmooth),
    zrlValues: over(zrlValues),
    xxh64: over(xxh64),
    sha256: over(sha256),
  };
}
