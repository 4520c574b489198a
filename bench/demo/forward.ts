// The forward pass of the bundled demo model, in plain TypeScript: the benchmark measures what compression does to
// the model's answers, and for that it needs no machine-learning library. The architecture is fixed here.
//
//   24x24x1 -> conv1 3x3 -> ReLU -> conv2 3x3 -> ReLU -> max-pool 2x2 -> conv3 3x3 -> ReLU -> max-pool 2x2
//           -> flatten (channel, y, x) -> fc1 -> ReLU -> fc2 -> 10 logits
//
// Convolutions have stride 1 and no padding.

import { CLASSES, PIXELS, SIZE } from "./draw.ts";

export type LayerName = "conv1" | "conv2" | "conv3" | "fc1" | "fc2";
export type TensorName = `${LayerName}.${"weight" | "bias"}`;

/** The shape of every tensor: convolutions [out, in, height, width], dense layers [out, in]. */
export const SHAPES: Readonly<Record<TensorName, readonly number[]>> = {
  "conv1.weight": [16, 1, 3, 3],
  "conv1.bias": [16],
  "conv2.weight": [32, 16, 3, 3],
  "conv2.bias": [32],
  "conv3.weight": [32, 32, 3, 3],
  "conv3.bias": [32],
  "fc1.weight": [128, 512],
  "fc1.bias": [128],
  "fc2.weight": [CLASSES, 128],
  "fc2.bias": [CLASSES],
};

type Layer = { weight: Float32Array; bias: Float32Array };
/** The feature maps of one image: `channels` square planes of `size` x `size`. */
type Maps = { data: Float32Array; channels: number; size: number };

const KERNEL = 3;

/** A 2-D convolution of one image (CHW) with OIHW weights, stride 1, no padding. */
function conv2d(input: Maps, { weight, bias }: Layer): Maps {
  const { data, channels, size } = input;
  const outChannels = bias.length;
  const outSize = size - KERNEL + 1;
  const out = new Float32Array(outChannels * outSize * outSize);
  for (let o = 0; o < outChannels; o++) {
    out.fill(bias[o] as number, o * outSize * outSize, (o + 1) * outSize * outSize);
    for (let i = 0; i < channels; i++) {
      for (let ky = 0; ky < KERNEL; ky++) {
        const tap = ((o * channels + i) * KERNEL + ky) * KERNEL;
        const left = weight[tap] as number;
        const middle = weight[tap + 1] as number;
        const right = weight[tap + 2] as number;
        for (let y = 0; y < outSize; y++) {
          const from = (i * size + y + ky) * size;
          const to = (o * outSize + y) * outSize;
          for (let x = 0; x < outSize; x++) {
            const at = from + x;
            out[to + x] =
              (out[to + x] as number) +
              left * (data[at] as number) +
              middle * (data[at + 1] as number) +
              right * (data[at + 2] as number);
          }
        }
      }
    }
  }
  return { data: out, channels: outChannels, size: outSize };
}

function relu(values: Float32Array): void {
  for (let i = 0; i < values.length; i++) values[i] = Math.max(values[i] as number, 0);
}

/** The maximum over 2x2 blocks; the size must be even. */
function maxPool(input: Maps): Maps {
  const { data, channels, size } = input;
  const half = size / 2;
  const out = new Float32Array(channels * half * half);
  for (let row = 0; row < channels * half; row++) {
    for (let x = 0; x < half; x++) {
      const from = 2 * row * size + 2 * x;
      const upper = Math.max(data[from] as number, data[from + 1] as number);
      const lower = Math.max(data[from + size] as number, data[from + size + 1] as number);
      out[row * half + x] = Math.max(upper, lower);
    }
  }
  return { data: out, channels, size: half };
}

function dense(input: Float32Array, { weight, bias }: Layer): Float32Array {
  const out = new Float32Array(bias.length);
  for (let o = 0; o < out.length; o++) {
    const row = o * input.length;
    let sum = bias[o] as number;
    for (let i = 0; i < input.length; i++) sum += (weight[row + i] as number) * (input[i] as number);
    out[o] = sum;
  }
  return out;
}

function argMax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] as number) > (values[best] as number)) best = i;
  return best;
}

export function sizeOf(name: TensorName): number {
  return SHAPES[name].reduce((product, side) => product * side, 1);
}

function tensor(weights: ReadonlyMap<string, Float32Array>, name: TensorName): Float32Array {
  const values = weights.get(name);
  if (values === undefined) throw new Error(`demo model: no tensor ${name}`);
  if (values.length !== sizeOf(name)) {
    throw new Error(`demo model: ${name} has ${values.length} values, not ${sizeOf(name)}`);
  }
  return values;
}

function layer(weights: ReadonlyMap<string, Float32Array>, name: LayerName): Layer {
  return { weight: tensor(weights, `${name}.weight`), bias: tensor(weights, `${name}.bias`) };
}

/** Classifies `count` images of 24x24 (row-major, 0..1); logits are `count` x 10. */
export function classify(
  weights: ReadonlyMap<string, Float32Array>,
  images: Float32Array,
  count: number,
): { labels: Uint8Array; logits: Float32Array } {
  if (images.length < count * PIXELS) throw new Error(`demo model: fewer than ${count} images`);
  const conv1 = layer(weights, "conv1");
  const conv2 = layer(weights, "conv2");
  const conv3 = layer(weights, "conv3");
  const fc1 = layer(weights, "fc1");
  const fc2 = layer(weights, "fc2");
  const labels = new Uint8Array(count);
  const logits = new Float32Array(count * CLASSES);
  for (let n = 0; n < count; n++) {
    let maps: Maps = { data: images.subarray(n * PIXELS, (n + 1) * PIXELS), channels: 1, size: SIZE };
    maps = conv2d(maps, conv1);
    relu(maps.data);
    maps = conv2d(maps, conv2);
    relu(maps.data);
    maps = maxPool(maps);
    maps = conv2d(maps, conv3);
    relu(maps.data);
    maps = maxPool(maps);
    const hidden = dense(maps.data, fc1);
    relu(hidden);
    const output = dense(hidden, fc2);
    logits.set(output, n * CLASSES);
    labels[n] = argMax(output);
  }
  return { labels, logits };
}
