import { longest } from "./lengths.ts";
import { BITS, PADDING, SIZES } from "./status.ts";

const STREAMS = 6;
const SINGLE_BELOW = 1024;
const SIZES_BYTES = 3 * (STREAMS - 1);
/** Symbols of each stream between two checks of the stream ends in the WebAssembly kernel. */
const ROUND = 40;

/** Bit streams with the table that decodes them. Bit positions count from the start of memory. */
interface Decoder {
  readonly b: Uint8Array;
  /** The same memory, two bytes at a time. */
  readonly h: Uint16Array;
  /** Entries symbol << 8 | length, by the next bits of a stream. */
  readonly table: Uint16Array;
}

/**
 * Decodes n >= 1 symbols to dst from the `size` bytes of stream sizes and bit streams at src, under a complete code of at
 * least two symbols. Returns n, or SIZES, BITS or PADDING.
 */
export function huffmanDecode(
  b: Uint8Array,
  src: number,
  size: number,
  n: number,
  lengths: number,
  dst: number,
): number {
  const decoder = { b, h: new Uint16Array(b.buffer), table: tableOf(b, lengths) };
  if (n < SINGLE_BELOW) return finish(decoder, 8 * src, 8 * (src + size), n, dst) || n;
  if (size < SIZES_BYTES) return SIZES;
  const first = src + SIZES_BYTES;
  const bounds = [first];
  for (let k = 0; k < STREAMS - 1; k++) bounds.push((bounds[k] as number) + streamSize(b, src + 3 * k));
  if ((bounds[STREAMS - 1] as number) > src + size) return SIZES;
  bounds.push(src + size);
  return decodeSix(decoder, bounds, n, dst);
}

function streamSize(b: Uint8Array, at: number): number {
  return (b[at] as number) | ((b[at + 1] as number) << 8) | ((b[at + 2] as number) << 16);
}

// A stream that ends too early is refused at once, unless only its last symbols are missing: then each stream is looked at, and the
// lowest status counts. This is how the WebAssembly kernel comes by its status.
function decodeSix(decoder: Decoder, bounds: readonly number[], n: number, dst: number): number {
  const segment = Math.floor(n / STREAMS);
  const early = Math.max(Math.floor(segment / ROUND) - 1, 0) * ROUND;
  const at: number[] = [];
  let late = false;
  for (let k = 0; k < STREAMS; k++) {
    at.push(decode(decoder, 8 * (bounds[k] as number), early, dst + k * segment));
    if ((at[k] as number) > 8 * (bounds[k + 1] as number)) late = true;
  }
  if (late) return BITS;
  let status = 0;
  for (let k = 0; k < STREAMS; k++) {
    const left = (k < STREAMS - 1 ? segment : n - (STREAMS - 1) * segment) - early;
    const end = 8 * (bounds[k + 1] as number);
    status = Math.min(status, finish(decoder, at[k] as number, end, left, dst + k * segment + early));
  }
  return status || n;
}

// Decodes the last n symbols of a stream, and checks that exactly the bits up to `end` are used. Returns 0 or a status.
function finish(decoder: Decoder, start: number, end: number, n: number, dst: number): number {
  const at = decode(decoder, start, n, dst);
  if (at > end || end - at > 7) return BITS;
  if (at < end && (decoder.b[at >> 3] as number) >> (at & 7) !== 0) return PADDING;
  return 0;
}

// Decodes n symbols from bit `start` on; returns the bit behind the last. May read beyond the stream, even beyond memory.
function decode({ b, h, table }: Decoder, start: number, n: number, dst: number): number {
  var t = table;
  var acc = (h[start >> 4] as number) >> (start & 15);
  var e = 0;
  var bits = 16 - (start & 15);
  var out = b;
  var d = dst;
  var p = (start >> 4) + 1;
  var mask = t.length - 1;
  const end = dst + (n & -2);
  while (d < end) {
    if (bits < 11) {
      acc |= (h[p] as number) << bits;
      bits += 16;
      ++p;
    }
    e = t[acc & mask] as number;
    out[d] = e >> 8;
    // A shift looks only at the lowest five bits of its count: those of the length.
    acc >>= e;
    bits -= e & 15;
    ++d;
    if (bits < 11) {
      acc |= (h[p] as number) << bits;
      bits += 16;
      ++p;
    }
    e = t[acc & mask] as number;
    out[d] = e >> 8;
    acc >>= e;
    bits -= e & 15;
    ++d;
  }
  if (n & 1) {
    if (bits < 11) {
      acc |= (h[p] as number) << bits;
      bits += 16;
      ++p;
    }
    e = t[acc & mask] as number;
    out[d] = e >> 8;
    bits -= e & 15;
  }
  return (p << 4) - bits;
}

function tableOf(b: Uint8Array, lengths: number): Uint16Array {
  const width = longest(b, lengths);
  const table = new Uint16Array(1 << width);
  const next = firstCodes(b, lengths);
  for (let symbol = 0; symbol < 256; symbol++) {
    const length = b[lengths + symbol] as number;
    if (length === 0) continue;
    const code = next[length] as number;
    next[length] = code + 1;
    for (let at = reverse(code, length); at < 1 << width; at += 1 << length) table[at] = (symbol << 8) | length;
  }
  return table;
}

// The first code of each length: codes count up, and a bit is appended where the length grows.
function firstCodes(b: Uint8Array, lengths: number): Uint16Array {
  const counts = new Uint16Array(16);
  for (let symbol = 0; symbol < 256; symbol++) {
    const length = b[lengths + symbol] as number;
    if (length > 0) counts[length] = (counts[length] as number) + 1;
  }
  const first = new Uint16Array(16);
  for (let length = 2; length < 16; length++) {
    first[length] = ((first[length - 1] as number) + (counts[length - 1] as number)) << 1;
  }
  return first;
}

function reverse(code: number, length: number): number {
  let reversed = 0;
  for (let i = 0; i < length; i++) reversed |= ((code >> i) & 1) << (length - 1 - i);
  return reversed;
}
