import type { Tensor } from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { withGradients } from "../../src/engine/tfjs/kernels.ts";
import { randomNormal, randomUniform } from "./random.ts";
import { tfjs } from "./tensorflow.ts";

// Operators that are composed for the backend "wasm", against those of the backend "cpu" and against finite differences.

const { core } = tfjs;

interface Case {
  /** Shapes of what gradients are for. */
  readonly shapes: readonly number[][];
  readonly compute: (...inputs: Tensor[]) => Tensor;
  /** Whole numbers from few, so that there are equal ones. */
  readonly ties?: boolean;
}

const run = core as unknown as Parameters<typeof withGradients>[0];

function arrays({ shapes, ties }: Case): Float32Array[] {
  const random = randomNormal(5);
  const value = (): number => (ties ? Math.round(2 * random()) : random());
  return shapes.map((shape) => Float32Array.from({ length: elements(shape) }, value));
}

function elements(shape: readonly number[]): number {
  return shape.reduce((all, extent) => all * extent, 1);
}

/** A number that depends on each element of the result in another way. */
function scalar({ compute }: Case, inputs: Tensor[]): Tensor {
  const out = compute(...inputs);
  const random = randomUniform(9);
  const factors = core.tensor(
    Float32Array.from({ length: out.size }, () => random() + 0.5),
    out.shape,
  );
  return core.sum(core.mul(out, factors));
}

async function gradientsOn(backend: string, item: Case): Promise<Float32Array[]> {
  await core.setBackend(backend);
  const before = core.memory().numTensors;
  const tensors = core.tidy(() => {
    const inputs = arrays(item).map((data, i) => core.tensor(data, item.shapes[i]));
    const made = withGradients(run, () => core.grads((...xs: Tensor[]) => scalar(item, xs) as never)(inputs));
    return made;
  });
  const data = tensors.map((tensor) => (tensor.dataSync() as Float32Array).slice());
  core.dispose(tensors);
  expect(core.memory().numTensors).toBe(before);
  return data;
}

/** Largest difference, as part of the largest element. */
function distance(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  const most = b.reduce((so, x) => Math.max(so, Math.abs(x)), 0);
  return a.reduce((so, x, i) => Math.max(so, Math.abs(x - b[i])), 0) / most;
}

async function check(item: Case, { differences = true, cpu = true } = {}): Promise<void> {
  const expected = cpu ? await gradientsOn("cpu", item) : [];
  const wasm = await gradientsOn("wasm", item);
  for (const [i, gradient] of expected.entries()) expect(distance(wasm[i], gradient)).toBeLessThan(1e-3);
  if (!differences) return;
  const data = arrays(item);
  const valueAt = (input: number, at: number, shift: number): number =>
    core.tidy(() => {
      const inputs = data.map((array, i) => {
        const shifted = array.slice();
        if (i === input) shifted[at] += shift;
        return core.tensor(shifted, item.shapes[i]);
      });
      return scalar(item, inputs).dataSync()[0];
    });
  for (const [input, gradient] of wasm.entries()) {
    const most = gradient.reduce((so, x) => Math.max(so, Math.abs(x)), 0);
    for (let at = 0; at < gradient.length; at += Math.ceil(gradient.length / 7)) {
      // What is checked so is linear in each of its inputs: the step may be as large as numbers allow.
      const slope = (valueAt(input, at, 1) - valueAt(input, at, -1)) / 2;
      expect(Math.abs(slope - gradient[at])).toBeLessThan(1e-2 * most);
    }
  }
}

function cases<T extends object>(axes: { [K in keyof T]: readonly T[K][] }): T[] {
  return Object.entries(axes).reduce<object[]>(
    (made, [key, values]) => made.flatMap((item) => (values as unknown[]).map((value) => ({ ...item, [key]: value }))),
    [{}],
  ) as T[];
}

const GEOMETRY = { kernel: [1, 3, 5], stride: [1, 2, 3], pad: ["same", "valid"] as const, batch: [1, 3] };

describe("gradients on wasm equal those on cpu and finite differences", () => {
  test.each(cases(GEOMETRY))("convolution %o", async ({ kernel, stride, pad, batch }) => {
    const compute = (x: Tensor, w: Tensor): Tensor => core.conv2d(x as never, w as never, stride, pad);
    await check({
      shapes: [
        [batch, 8, 7, 3],
        [kernel, kernel, 3, 4],
      ],
      compute,
    });
  });

  test("convolution of kernels and strides that are not square, with zeros told", async () => {
    const pad: [[number, number], [number, number], [number, number], [number, number]] = [
      [0, 0],
      [1, 2],
      [0, 1],
      [0, 0],
    ];
    for (const strides of [[1, 2] as [number, number], [1, 1] as [number, number]]) {
      const compute = (x: Tensor, w: Tensor): Tensor => core.conv2d(x as never, w as never, strides, pad);
      await check({
        shapes: [
          [2, 6, 9, 2],
          [3, 2, 2, 5],
        ],
        compute,
      });
    }
  });

  test.each(cases({ ...GEOMETRY, copies: [1, 2] }))(
    "depthwise convolution %o",
    async ({ kernel, stride, pad, batch, copies }) => {
      const compute = (x: Tensor, w: Tensor): Tensor => core.depthwiseConv2d(x as never, w as never, stride, pad);
      await check({
        shapes: [
          [batch, 8, 7, 3],
          [kernel, kernel, 3, copies],
        ],
        compute,
      });
    },
  );

  test.each(cases({ a: [false, true], b: [false, true] }))("product of matrices %o", async ({ a, b }) => {
    const compute = (x: Tensor, y: Tensor): Tensor => core.matMul(x, y, a, b);
    await check({ shapes: [a ? [5, 3] : [3, 5], b ? [4, 5] : [5, 4]], compute });
    await check({ shapes: [a ? [2, 5, 3] : [2, 3, 5], b ? [2, 4, 5] : [2, 5, 4]], compute });
  });

  test("rows of a table, some taken often and some never", async () => {
    const compute = (table: Tensor): Tensor => core.gather(table, core.tensor([4, 0, 4, 4, 2, 0], [6], "int32"));
    await check({ shapes: [[6, 3]], compute });
    await check({ shapes: [[6, 2, 2]], compute });
  });

  test("sums by segment leave out what belongs to none", async () => {
    for (const backend of ["cpu", "wasm"]) {
      await core.setBackend(backend);
      const sums = core.tidy(() => {
        const x = core.tensor2d([1, 2, 3, 4, 5, 6, 7, 8], [4, 2]);
        const ids = core.tensor1d([1, -1, 1, 3], "int32");
        return withGradients(run, () => core.unsortedSegmentSum(x, ids, 3).dataSync());
      });
      expect([...sums]).toEqual([0, 0, 6, 8, 0, 0]);
    }
  });

  const POOL = { size: [2, 3], stride: [1, 2], pad: ["same", "valid"] as const, ties: [false, true] };
  test.each(cases(POOL))("largest of windows %o", async ({ size, stride, pad, ties }) => {
    const compute = (x: Tensor): Tensor => core.maxPool(x as never, size, stride, pad);
    await check({ shapes: [[2, 7, 6, 3]], compute, ties }, { differences: false });
  });

  test.each(cases({ size: [2, 3], stride: [1, 2], pad: ["same", "valid"] as const }))(
    "mean of windows %o",
    async ({ size, stride, pad }) => {
      const compute = (x: Tensor): Tensor => core.avgPool(x as never, size, stride, pad);
      // The backend "cpu" forgets that windows are smaller at edges.
      await check({ shapes: [[2, 7, 6, 3]], compute }, { cpu: pad === "valid" });
    },
  );
});

test("operators are in place only while gradients are computed", async () => {
  await core.setBackend("wasm");
  const names = ["Conv2DBackpropFilter", "DepthwiseConv2dNativeBackpropInput", "UnsortedSegmentSum", "BatchMatMul"];
  const kernels = (): unknown[] => names.map((name) => core.getKernel(name, "wasm"));
  const before = kernels();
  expect(before.slice(0, 3)).toEqual([undefined, undefined, undefined]);
  withGradients(run, () => {
    for (const [i, kernel] of kernels().entries()) {
      expect(kernel).toBeDefined();
      expect(kernel).not.toBe(before[i]);
    }
  });
  expect(() =>
    withGradients(run, () => {
      throw new Error("inside");
    }),
  ).toThrow("inside");
  expect(kernels()).toEqual(before);
});
