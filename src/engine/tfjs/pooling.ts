import { type Geometry, geometryOf } from "./convolution.ts";
import { depthwiseInputGradient } from "./depthwise.ts";
import type { Core, Tensor } from "./types.ts";

interface Windows extends Geometry {
  readonly size: readonly [number, number];
}

function windowsOf(x: Tensor, attrs: Record<string, unknown>): Windows {
  const { filterSize, strides, pad } = attrs as {
    filterSize: number | [number, number];
    strides: number | number[];
    pad: "same" | "valid" | number;
  };
  const size: [number, number] = typeof filterSize === "number" ? [filterSize, filterSize] : filterSize;
  return { size, ...geometryOf({ strides, pad }, x.shape, size) };
}

/**
 * The gradient of a mean over windows, null where TensorFlow.js has it right: it divides by the size of the window even at edges, where the mean is one of
 * fewer elements.
 */
export function meanPoolGradient(core: Core, dy: Tensor, x: Tensor, attrs: Record<string, unknown>): Tensor | null {
  const windows = windowsOf(x, attrs);
  const { size } = windows;
  const [, rows, columns, channels] = dy.shape as [number, number, number, number];
  const counts = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      counts[row * columns + column] = inside(windows, x, 0, row) * inside(windows, x, 1, column);
    }
  }
  if (counts.every((count) => count === size[0] * size[1])) return null;
  const means = core.div(dy, core.tensor(counts, [1, rows, columns, 1]));
  return depthwiseInputGradient(core, means, core.ones([...size, channels, 1]), x.shape, windows);
}

/** How many elements of the input a window has along an axis. */
function inside({ size, strides, before }: Windows, { shape }: Tensor, axis: 0 | 1, at: number): number {
  const first = at * strides[axis] - before[axis];
  return Math.min(first + size[axis], shape[axis + 1] as number) - Math.max(first, 0);
}

/**
 * The gradient of a maximum over windows: what comes out of a window goes to the first of its largest elements. TensorFlow.js has it for its backend
 * "wasm", too; this loop takes a tenth of the time.
 */
export function maxPoolGradient(core: Core, dy: Tensor, x: Tensor, attrs: Record<string, unknown>): Tensor {
  const dx = new Float32Array(x.shape.reduce((all, extent) => all * extent, 1));
  const [values, given] = [x.dataSync() as Float32Array, dy.dataSync() as Float32Array];
  spread(dx, values, given, x.shape, dy.shape, windowsOf(x, attrs));
  return core.tensor(dx, x.shape);
}

function spread(
  dx: Float32Array,
  x: Float32Array,
  dy: Float32Array,
  input: readonly number[],
  output: readonly number[],
  { size: [tall, wide], strides: [sy, sx], before: [top, left] }: Windows,
): void {
  const [, height, width, channels] = input as [number, number, number, number];
  const [samples, rows, columns] = output as [number, number, number, number];
  let from = 0;
  for (let sample = 0; sample < samples; sample++) {
    for (let row = 0; row < rows; row++) {
      const [firstRow, endRow] = [Math.max(0, row * sy - top), Math.min(height, row * sy - top + tall)];
      for (let column = 0; column < columns; column++) {
        const [firstColumn, endColumn] = [Math.max(0, column * sx - left), Math.min(width, column * sx - left + wide)];
        for (let channel = 0; channel < channels; channel++) {
          let best = -1;
          let most = Number.NEGATIVE_INFINITY;
          for (let y = firstRow; y < endRow; y++) {
            let at = ((sample * height + y) * width + firstColumn) * channels + channel;
            for (let i = firstColumn; i < endColumn; i++, at += channels) {
              if ((x[at] as number) > most) {
                most = x[at] as number;
                best = at;
              }
            }
          }
          // None is the largest of those that are no numbers.
          if (best >= 0) dx[best] = (dx[best] as number) + (dy[from] as number);
          from++;
        }
      }
    }
  }
}
