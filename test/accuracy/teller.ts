import { random } from "../random.ts";
import { angleOf, STORIES } from "./stories.ts";
import { type Model, readElementsOf } from "./weights.ts";

// The story model in plain TypeScript, a token at a time: what the graph is compared with, and what text for evaluation is sampled from.

const { width, hidden, layers, heads, shared, size, vocabulary, epsilon } = STORIES;

/** Gives the logits behind a token; it remembers those before. */
export type Teller = (token: number) => Float64Array;

export async function storyTeller(model: Model): Promise<() => Teller> {
  const weights = await readElementsOf(model);
  return () => teller((name) => weights.get(name) as Float32Array);
}

function teller(weight: (name: string) => Float32Array): Teller {
  const past = Array.from({ length: layers }, () => ({ k: [] as Float64Array[], v: [] as Float64Array[] }));
  let position = 0;
  return (token) => {
    const embedding = weight("tok_embeddings.weight");
    const x = Float64Array.from(embedding.subarray(token * width, (token + 1) * width));
    const add = (more: Float64Array): void => {
      for (let i = 0; i < width; i++) x[i] += more[i];
    };
    past.forEach(({ k, v }, layer) => {
      const linear = (from: Float64Array, name: string) => product(weight(`layers.${layer}.${name}.weight`), from);
      const a = normed(x, weight(`layers.${layer}.attention_norm.weight`));
      const q = rotated(linear(a, "attention.wq"), position);
      k.push(rotated(linear(a, "attention.wk"), position));
      v.push(linear(a, "attention.wv"));
      add(linear(attended(q, k, v), "attention.wo"));
      const f = normed(x, weight(`layers.${layer}.ffn_norm.weight`));
      const [gate, up] = [linear(f, "feed_forward.w1"), linear(f, "feed_forward.w3")];
      const both = new Float64Array(hidden).map((_, i) => (gate[i] / (1 + Math.exp(-gate[i]))) * up[i]);
      add(linear(both, "feed_forward.w2"));
    });
    position++;
    return product(embedding, normed(x, weight("norm.weight")));
  };
}

/** Rows times a vector. */
function product(matrix: Float32Array, x: Float64Array): Float64Array {
  const out = new Float64Array(matrix.length / x.length);
  for (let r = 0, at = 0; r < out.length; r++) {
    let sum = 0;
    for (let c = 0; c < x.length; c++) sum += matrix[at++] * x[c];
    out[r] = sum;
  }
  return out;
}

function normed(x: Float64Array, weight: Float32Array): Float64Array {
  const root = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / width + epsilon);
  return x.map((value, i) => (value / root) * weight[i]);
}

function rotated(x: Float64Array, position: number): Float64Array {
  const out = new Float64Array(x.length);
  for (let i = 0; i < x.length; i += 2) {
    const angle = angleOf(position, (i % size) / 2);
    out[i] = x[i] * Math.cos(angle) - x[i + 1] * Math.sin(angle);
    out[i + 1] = x[i] * Math.sin(angle) + x[i + 1] * Math.cos(angle);
  }
  return out;
}

function attended(q: Float64Array, k: readonly Float64Array[], v: readonly Float64Array[]): Float64Array {
  const out = new Float64Array(width);
  for (let head = 0; head < heads; head++) {
    const at = Math.floor(head / shared) * size;
    const dot = (key: Float64Array): number => {
      let sum = 0;
      for (let i = 0; i < size; i++) sum += q[head * size + i] * key[at + i];
      return sum / Math.sqrt(size);
    };
    const shares = softmax(Float64Array.from(k, dot));
    shares.forEach((share, t) => {
      for (let i = 0; i < size; i++) out[head * size + i] += share * v[t][at + i];
    });
  }
  return out;
}

export function softmax(logits: Float64Array): Float64Array {
  const most = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = logits.map((value) => Math.exp(value - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((value) => value / sum);
}

export const BEGIN = 1;

/** Tokens from the one that begins a text on, each the likeliest. */
export function likeliest(tell: Teller, count: number): Int32Array {
  return told(tell, count, (logits) => logits.indexOf(Math.max(...logits)));
}

/** Tokens as likely as the model has them: the same for a seed. */
export function sampled(tell: Teller, count: number, seed: number): Int32Array {
  const next = random(seed);
  return told(tell, count, (logits) => {
    let left = next();
    const shares = softmax(logits);
    const found = shares.findIndex((share) => {
      left -= share;
      return left < 0;
    });
    return found < 0 ? vocabulary - 1 : found;
  });
}

function told(tell: Teller, count: number, choose: (logits: Float64Array) => number): Int32Array {
  const tokens = new Int32Array(count);
  tokens[0] = BEGIN;
  for (let i = 1; i < count; i++) tokens[i] = choose(tell(tokens[i - 1]));
  return tokens;
}

/** The text of tokens, by the tokenizer's file: the longest length; then of each a score, a length and its bytes. */
export function textOf(tokenizer: Uint8Array, tokens: Int32Array): string {
  const view = new DataView(tokenizer.buffer, tokenizer.byteOffset, tokenizer.byteLength);
  const pieces: Uint8Array[] = [];
  for (let at = 4; at < tokenizer.length; ) {
    const length = view.getInt32(at + 4, true);
    pieces.push(tokenizer.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  const words = Array.from(tokens, (token) => new TextDecoder().decode(pieces[token]));
  const texts = words.map((word) =>
    word.replace(/^<0x(..)>$/, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
  );
  return texts.filter((word) => word.trim() !== "<s>").join("");
}
