import type { Core, Pads, Tensor } from "./types.ts";

// Gradients of convolutions, which are convolutions, too: TensorFlow.js has those of the input as plain loops in its backend "wasm", and those of the
// filter not at all.

/** How a convolution in NHWC lies on its input. */
export interface Geometry {
  readonly strides: readonly [number, number];
  /** Zeros before the first row and the first column. */
  readonly before: readonly [number, number];
}

/** What the operator was called with. */
export interface ConvolutionAttrs {
  readonly strides: number | readonly number[];
  /** Explicit: [before, after] of each dimension, or one number. */
  readonly pad: "same" | "valid" | number | readonly (readonly [number, number])[];
}

export function geometryOf(
  { strides, pad }: ConvolutionAttrs,
  input: readonly number[],
  kernel: readonly number[],
): Geometry {
  const pair = typeof strides === "number" ? [strides, strides] : strides;
  const [sy, sx] = [pair[0] as number, pair[1] as number];
  const before = (axis: 0 | 1, stride: number): number => {
    if (typeof pad === "number") return pad;
    if (typeof pad !== "string") return (pad[axis + 1] as readonly [number, number])[0];
    if (pad === "valid") return 0;
    const extent = input[axis + 1] as number;
    const covered = (Math.ceil(extent / stride) - 1) * stride + (kernel[axis] as number);
    return Math.max(0, Math.floor((covered - extent) / 2));
  };
  return { strides: [sy, sx], before: [before(0, sy), before(1, sx)] };
}

/**
 * The gradient of a filter [kh, kw, I, O]: the convolution of the input by the gradient of the output, where samples are channels and channels are
 * samples, and what was a stride is the distance of taps.
 */
export function filterGradient(
  core: Core,
  x: Tensor,
  dy: Tensor,
  kernel: readonly number[],
  geometry: Geometry,
): Tensor {
  const [, height, width] = x.shape as [number, number, number, number];
  const [, rows, columns] = dy.shape as [number, number, number, number];
  const { strides, before } = geometry;
  const vertical = reach(height, rows, strides[0], before[0], kernel[0] as number);
  const horizontal = reach(width, columns, strides[1], before[1], kernel[1] as number);
  const used =
    vertical.extent === height && horizontal.extent === width
      ? x
      : core.slice(x, [0, 0, 0, 0], [x.shape[0] as number, vertical.extent, horizontal.extent, x.shape[3] as number]);
  const pads: Pads = [
    [0, 0],
    [before[0], vertical.after],
    [before[1], horizontal.after],
    [0, 0],
  ];
  const images = core.transpose(used, [3, 1, 2, 0]);
  const taps = core.transpose(dy, [1, 2, 0, 3]);
  return core.transpose(core.conv2d(images, taps, 1, pads, "NHWC", [strides[0], strides[1]]), [1, 2, 0, 3]);
}

/** How much of the input a convolution gets to see, and how many zeros behind. */
function reach(extent: number, outputs: number, stride: number, before: number, kernel: number) {
  const after = (outputs - 1) * stride + kernel - before - extent;
  return { extent: Math.min(extent, extent + after), after: Math.max(0, after) };
}

/**
 * The gradient of the input: the gradient of the output, with zeros where strides passed over places, convolved with the filter turned around.
 * @param convolve - with the filter turned around, stride 1
 */
export function inputGradient(
  core: Core,
  dy: Tensor,
  kernel: readonly number[],
  input: readonly number[],
  { strides, before }: Geometry,
  convolve: (dy: Tensor, pads: Pads) => Tensor,
): Tensor {
  const spread = spreadOut(core, dy, strides);
  const pads = [0, 1].map((axis): [number, number] => {
    const first = (kernel[axis] as number) - 1 - (before[axis] as number);
    const covered = (spread.shape[axis + 1] as number) + first - ((kernel[axis] as number) - 1);
    return [first, (input[axis + 1] as number) - covered];
  });
  return convolve(spread, [[0, 0], ...pads, [0, 0]]);
}

/** Zeros between rows and between columns; none behind the last. */
function spreadOut(core: Core, dy: Tensor, [sy, sx]: readonly [number, number]): Tensor {
  const [samples, rows, columns, channels] = dy.shape as [number, number, number, number];
  if (sy === 1 && sx === 1) return dy;
  const tall = core.pad(core.reshape(dy, [samples * rows, 1, columns * channels]), [
    [0, 0],
    [0, sy - 1],
    [0, 0],
  ]);
  const wide = core.pad(core.reshape(tall, [samples * rows * sy * columns, 1, channels]), [
    [0, 0],
    [0, sx - 1],
    [0, 0],
  ]);
  return core.slice(
    core.reshape(wide, [samples, rows * sy, columns * sx, channels]),
    [0, 0, 0, 0],
    [samples, (rows - 1) * sy + 1, (columns - 1) * sx + 1, channels],
  );
}

/** Whether inputGradient can be had: no pads beyond the kernel. */
export function isOrdinary({ before }: Geometry, kernel: readonly number[]): boolean {
  return before.every((zeros, axis) => zeros < (kernel[axis] as number));
}
