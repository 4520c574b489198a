import type { ModelKind } from "../engine/engine.ts";

// What is tried by default: data with reasons, read by presets.ts.

/** What becomes of tensors that suffer most, where the rest is treated harshly. */
export type Care = "none" | "int8" | "lossless";

export interface PresetRow {
  /** Kinds of models that it is for; absent: all. */
  readonly kinds?: readonly ModelKind[];
  /** Steps for all tensors that no rule of their own takes; lists as expandPlan has them. */
  readonly steps: string;
  /** Other steps for the weights that hold most, down to HELD of all elements of weights. */
  readonly largest?: string;
  /** Behind "@". */
  readonly runs: readonly ("f32" | "int8" | "int8 smooth" | "w8" | "w4")[];
  /** Default: none. */
  readonly care?: readonly Care[];
  readonly reason: string;
}

const CONVOLUTIONS: readonly ModelKind[] = ["cnn", "depthwise-cnn"];
const PRODUCTS: readonly ModelKind[] = ["transformer", "mlp", "rnn", "other"];

export const PRESET_ROWS: readonly PresetRow[] = [
  {
    ...{ steps: "lossless", runs: ["f32"] },
    reason: "what everything else is measured against, and the answer where nothing may be lost",
  },
  {
    ...{ steps: "int8 channel > auto", runs: ["f32", "w8", "int8", "int8 smooth"] },
    reason: "a scale for each output channel loses little in any model, and every way to run codes takes it",
  },
  {
    ...{ steps: "int8 channel > smallest", runs: ["f32"] },
    reason: "a few bytes less than auto for slower packing and decoding: worth it on slow lines",
  },
  {
    ...{ steps: "int8 tensor > {auto,pivot}", runs: ["f32"] },
    reason: "one scale leaves small channels with few levels, which coders like: fewer bytes for more loss",
  },
  {
    ...{ steps: "int8 tensor > auto", runs: ["int8", "int8 smooth"], kinds: ["cnn", "mlp", "transformer", "other"] },
    reason:
      "the simplest operator of integers; not where channels have ranges of their own, as depthwise ones have, or in recurrent models",
  },
  {
    ...{ steps: "int8 channel > auto", runs: ["int8"], care: ["lossless"], kinds: [...CONVOLUTIONS, "mlp"] },
    reason: "the first layer sees raw inputs and the last one makes the answer: floats there cost little time",
  },
  {
    ...{ steps: "int8 snr {25,30,35,40}dB > {auto,smallest}", runs: ["f32"] },
    reason: "the step size a signal-to-noise ratio allows: the fewest bytes for an error, where weights are decoded",
  },
  {
    ...{ steps: "int8 group {32,128} > auto", runs: ["f32", "w8"], kinds: PRODUCTS },
    reason: "rows of products are long, and a scale for 32 or 128 neighbours follows their outliers",
  },
  {
    ...{ steps: "int4 group {32,64,128} > auto", runs: ["f32", "w4"], care: ["int8"], kinds: PRODUCTS },
    reason:
      "4 bits need scales for few neighbours: half the bytes and memory of 8; the first and last layer keep 8 bits",
  },
  {
    ...{ steps: "int4 {channel,group 32} > auto", runs: ["f32"], care: ["int8", "lossless"], kinds: CONVOLUTIONS },
    reason:
      "kernels are short, so a channel is a small group; runtimes have no convolution of 4 bits, so it is decoded",
  },
  {
    ...{ steps: "int8 channel > auto", largest: "int4 group 32 > auto", runs: ["f32", "w4"], kinds: PRODUCTS },
    reason: "a few layers hold most of the bytes, and large ones err least by 4 bits: their sums are long",
  },
  {
    ...{ steps: "int8 channel > auto", largest: "int4 group 32 > {auto,smallest}", runs: ["f32"], kinds: CONVOLUTIONS },
    reason: "the same, decoded: in nets of convolutions these are the deep layers and the first of the dense ones",
  },
  {
    ...{ steps: "int8 channel > auto", largest: "prune S > int8 channel > auto", runs: ["f32"] },
    reason: "zeros where they save most, and nowhere else",
  },
  {
    ...{ steps: "{nf4,q4_0} > auto", runs: ["f32"], care: ["int8"], kinds: ["transformer", "mlp"] },
    reason: "levels that follow the normal distribution, and what GGUF has: known from large language models",
  },
  {
    ...{ steps: "{prune S > int8 tensor, int8 tensor > prune S} > auto", runs: ["f32"], care: ["int8"] },
    reason:
      "zeros cost next to nothing in a file, and no runtime here is faster for them. Before quantizing, the largest weight stays; behind, what is cut are codes, which may be equal",
  },
  {
    ...{ steps: "prune S > int8 channel > auto", runs: ["int8"], care: ["int8"], kinds: ["cnn", "mlp", "transformer"] },
    reason: "the same in integers: as fast as without zeros, and fewer bytes",
  },
  {
    ...{ steps: "{prune 2:4 > int8 channel, int8 tensor > prune 2:4} > auto", runs: ["f32"], care: ["int8"] },
    reason: "half of every four: as many zeros in every row, so that no channel is lost as a whole",
  },
  {
    ...{ steps: "prune channels {0.125,0.25} > int8 channel > auto", runs: ["f32"], care: ["int8"], kinds: ["cnn"] },
    reason: "whole filters are not stored; in nets of plain convolutions some are of no use",
  },
  {
    ...{ steps: "int8 channel > prune channels 0.125 > auto", runs: ["f32"], care: ["int8"], kinds: ["cnn"] },
    reason: "the same in the other order: which filters are the weakest is judged by what is left of them",
  },
];

/** Share of all elements of weights that the largest ones hold at least. */
export const HELD = 0.5;

/** Shares that are pruned, for S. */
export const SHARES: Readonly<Record<ModelKind, readonly number[]>> = {
  // Nets for large inputs hold far more weights than they need.
  cnn: [0.3, 0.5, 0.7],
  mlp: [0.3, 0.5, 0.7],
  // Small already by design.
  "depthwise-cnn": [0.2, 0.4],
  // A state carries every error on to the next step.
  rnn: [0.2, 0.4],
  // Without training again, more than half is known to break them.
  transformer: [0.3, 0.5],
  other: [0.3, 0.5],
};

/** Which tensors suffer most, and why. */
export const CARED: Readonly<Record<"first" | "last" | "depthwise" | "embedding", { kinds: readonly ModelKind[] }>> = {
  // Few weights, all inputs pass through them, and there is nothing behind that could average the error out. Transformers have embeddings in front instead.
  first: { kinds: ["cnn", "depthwise-cnn", "mlp", "rnn", "other"] },
  // Its error is that of the answer.
  last: { kinds: ["cnn", "depthwise-cnn", "mlp", "rnn", "transformer", "other"] },
  // A sum of nine products or so, each weight of which counts; and few bytes in all.
  depthwise: { kinds: ["depthwise-cnn"] },
  // A row is picked and not summed, so its error goes in as it is.
  embedding: { kinds: ["transformer", "rnn", "other"] },
};
