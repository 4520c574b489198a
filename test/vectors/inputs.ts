import { random } from "../random.ts";

// Inputs of the vectors that other software has made: gguf.c has the first eight kinds too.

export const SIZES: readonly number[] = [...Array.from({ length: 300 }, (_, i) => i + 1), 4095, 4096, 4097];
/** Kinds that gguf.c knows. */
export const KINDS = 8;
/** Kinds of ties of QuantizeLinear: 8 and 9 make scales of 1 for uint8 and int4. */
export const ONNX_KINDS: readonly number[] = [0, 1, 4, 6, 7, 8, 9];

const fromBits = (bits: number) => new Float32Array(Uint32Array.of(bits).buffer)[0];

/** Weights; ties of Q8_0, Q4_0, Q4_1; subnormals; scales that f16 has as subnormals; many magnitudes; zeros of both signs. */
export function inputs(n: number, kind: number): Float32Array<ArrayBuffer> {
  const uniform = random(1000 * n + kind);
  const next = () => uniform() * 2 ** 32;
  return new Float32Array(n).map((_, i) => {
    const r = next();
    const first = i % 32 === 0;
    const second = i % 32 === 1;
    if (kind === 0) return ((r + next() + next() + next() - 2 ** 33) / 2 ** 33) * 0.1;
    if (kind === 1) return first ? (r & 1 ? 127 : -127) : ((r % 509) - 254) * 0.5;
    if (kind === 2) return first ? (r & 1 ? 8 : -8) : ((r % 33) - 16) * 0.5;
    if (kind === 3) return first ? 0 : second ? 15 : (r % 31) * 0.5;
    if (kind === 4) return fromBits(r & 0x807fffff);
    if (kind === 5) return (r | 0) * 2 ** (-43 - (next() % 15));
    if (kind === 6) return fromBits((r & 0x807fffff) | ((117 + (next() % 20)) << 23));
    if (kind === 7) return r % 50 === 0 ? fromBits(1) : r % 3 === 0 ? -0 : 0;
    if (kind === 8) return first ? -100.5 : second ? 154.5 : (r % 509) * 0.5 - 100;
    return first ? (r & 1 ? 7 : -7) : ((r % 29) - 14) * 0.5;
  });
}

/** FNV-1a over bytes, from a hash on. */
export function fnv(hash: number, bytes: Uint8Array): number {
  let h = hash;
  for (let i = 0; i < bytes.length; i++) h = Math.imul(h ^ bytes[i], 16777619);
  return h >>> 0;
}

export const FNV_START = 2166136261;

/** Types and granularities of QuantizeLinear, as plans and with the shapes that a size n stands for. */
export const ONNX_TYPES = ["int8", "int8 asymmetric", "uint8", "int4", "int4 asymmetric"] as const;
export const ONNX_GRAINS: readonly { words: string; shape(n: number): number[] }[] = [
  { words: "tensor", shape: (n) => [n] },
  { words: "channel axis 0", shape: (n) => [n, 3] },
  { words: "channel axis 1", shape: (n) => [2, n, 2] },
  { words: "group 32 axis -1", shape: (n) => [2, n] },
  { words: "group 16 axis 0", shape: (n) => [n, 2] },
];

/** The plan of a type and a granularity. */
export function onnxPlan(type: string, words: string): string {
  const [verb, asymmetric] = type.split(" ");
  return `${verb} ${words}${asymmetric ? ` ${asymmetric}` : ""}`;
}

/** MatMulNBits: symmetric and asymmetric, weights [2, K] with blocks of 32. */
export const NBITS_ROWS = 2;
