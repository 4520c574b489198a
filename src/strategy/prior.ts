import type { Priority } from "./priority.ts";

// The list that ships: what to expect of candidates that no prediction tells apart. Earlier entries weigh more.

export const DEFAULT_PRIORITY: Priority = [
  {
    match: { prune: ["none"] },
    reason: "zeros make no runtime here faster, and without training again they cost more accuracy than 8 bits do",
  },
  {
    match: { format: ["int8", "uint8", "q8_0"] },
    reason:
      "8 bits lose little in every kind of model, at a quarter of the bytes of floats; less than 8 has to be paid for in loss",
  },
  {
    match: { format: ["none"] },
    reason: "floats lose nothing, where 8 bits are no option; 4 bits are for limits that nothing else meets",
  },
  {
    match: { prune: ["none", "magnitude", "pattern"] },
    reason: "single weights can be spared more easily than whole channels",
  },
  {
    match: { kind: ["rnn"], run: ["f32", "w8", "w4"] },
    reason: "a recurrent state carries the rounding of activations on from step to step",
  },
  {
    match: { kind: ["depthwise-cnn"], scales: ["channel", "group"] },
    reason:
      "the channels of depthwise kernels have ranges far apart: one scale for all leaves some of them a few levels",
  },
  {
    match: { kind: ["transformer"], run: ["int8"], smooth: true },
    reason: "some channels of activations are many times larger than the others; factors move that into the weights",
  },
  {
    match: { kind: ["transformer"], run: ["f32", "w8", "w4"] },
    reason: "without factors, outliers among the activations of a transformer take the levels from all others",
  },
  {
    match: { named: true },
    reason: "rules by name keep layers well that suffer most and have few weights, which costs little",
  },
  {
    match: { scales: ["channel", "none"] },
    reason: "a scale for each output channel loses less than one for all, and costs 4 bytes a channel",
  },
  {
    match: { scales: ["group"] },
    reason: "groups follow outliers, at 4 bytes for each: for less than 8 bits they are needed",
  },
  {
    match: { kind: ["cnn", "depthwise-cnn", "mlp", "rnn", "other"], smooth: false },
    reason:
      "activations behind normalization have even ranges, and factors take bytes, and time where they are divided by",
  },
  {
    match: { order: "prune first" },
    reason: "scales are then found for what is left, and magnitudes are compared before rounding makes them equal",
  },
  {
    match: { run: ["f32"] },
    reason:
      "floats depend on nothing that a runtime might do differently; as fast as integers, they are the safer choice",
  },
  {
    match: { steps: "* > auto" },
    reason: "auto weighs bytes against the time that decoding takes, and packs faster",
  },
];
