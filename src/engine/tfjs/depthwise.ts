import { type Geometry, inputGradient } from "./convolution.ts";
import type { Core, Tensor } from "./types.ts";

// Gradients of depthwise convolutions, of operators that the backend has.

/** The gradient of a filter [kh, kw, C, m], tap by tap: what each tap saw, times the gradient of the output, summed. */
export function depthwiseFilterGradient(
  core: Core,
  x: Tensor,
  dy: Tensor,
  kernel: readonly number[],
  { strides: [sy, sx], before }: Geometry,
): Tensor {
  const [height, width, channels, copies] = kernel as [number, number, number, number];
  const [samples, rows, columns] = dy.shape as [number, number, number, number];
  const [tall, wide] = [(rows - 1) * sy + height, (columns - 1) * sx + width];
  const padded = core.pad(x, [
    [0, 0],
    [before[0], Math.max(0, tall - before[0] - (x.shape[1] as number))],
    [before[1], Math.max(0, wide - before[1] - (x.shape[2] as number))],
    [0, 0],
  ]);
  const places = samples * rows * columns;
  // Sums of columns as a product of matrices: faster than the operator for sums.
  const ones = core.ones([1, places]);
  const gradients = copiesOf(core, dy, channels, copies);
  const taps: Tensor[] = [];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const end = [samples, row + (rows - 1) * sy + 1, column + (columns - 1) * sx + 1, channels];
      const seen = core.stridedSlice(padded, [0, row, column, 0], end, [1, sy, sx, 1]);
      for (const gradient of gradients) {
        taps.push(core.matMul(ones, core.reshape(core.mul(seen, gradient), [places, channels])));
      }
    }
  }
  return core.transpose(core.reshape(core.stack(taps), [height, width, copies, channels]), [0, 1, 3, 2]);
}

/** The gradient of the input: the sum over the copies that a channel has in the output. */
export function depthwiseInputGradient(
  core: Core,
  dy: Tensor,
  filter: Tensor,
  input: readonly number[],
  geometry: Geometry,
): Tensor {
  const [height, width, channels, copies] = filter.shape as [number, number, number, number];
  const turned = core.reverse(filter, [0, 1]);
  const parts = copiesOf(core, dy, channels, copies).map((gradient, copy) => {
    const one = copies === 1 ? turned : core.slice(turned, [0, 0, 0, copy], [height, width, channels, 1]);
    return inputGradient(core, gradient, filter.shape, input, geometry, (spread, pads) =>
      core.depthwiseConv2d(spread, one, 1, pads),
    );
  });
  return parts.length === 1 ? (parts[0] as Tensor) : core.addN(parts);
}

/** Output channel c * copies + i is copy i of input channel c. */
function copiesOf(core: Core, dy: Tensor, channels: number, copies: number): Tensor[] {
  if (copies === 1) return [dy];
  const [samples, rows, columns] = dy.shape as [number, number, number, number];
  const apart = core.reshape(dy, [samples * rows * columns, channels, copies]);
  return Array.from({ length: copies }, (_, copy) =>
    core.reshape(core.slice(apart, [0, 0, copy], [samples * rows * columns, channels, 1]), [
      samples,
      rows,
      columns,
      channels,
    ]),
  );
}
