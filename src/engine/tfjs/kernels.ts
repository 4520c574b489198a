import { type ConvolutionAttrs, filterGradient, geometryOf, inputGradient, isOrdinary } from "./convolution.ts";
import { depthwiseFilterGradient, depthwiseInputGradient } from "./depthwise.ts";
import { maxPoolGradient, meanPoolGradient } from "./pooling.ts";
import type { Core, Kernel, Tensor } from "./types.ts";

// The backend "wasm" of TensorFlow.js lacks operators that training needs, and is slow at others. Those here, composed of operators that it has and that are
// fast where they can be, take their place while gradients are computed, and at no other time.

const BACKEND = "wasm";

type Compose = (core: Core, inputs: Record<string, Tensor>, attrs: Record<string, unknown>) => Tensor | null;

/** null: as the backend does it. */
const COMPOSED: Record<string, Compose> = {
  Conv2DBackpropFilter(core, { x, dy }, attrs) {
    const kernel = attrs.filterShape as number[];
    return filterGradient(core, x as Tensor, dy as Tensor, kernel, geometryFrom(attrs, (x as Tensor).shape, kernel));
  },
  Conv2DBackpropInput(core, { dy, filter }, attrs) {
    const kernel = (filter as Tensor).shape;
    const input = attrs.inputShape as number[];
    const geometry = geometryFrom(attrs, input, kernel);
    if (attrs.dataFormat === "NCHW" || !isOrdinary(geometry, kernel)) return null;
    const turned = core.transpose(core.reverse(filter as Tensor, [0, 1]), [0, 1, 3, 2]);
    return inputGradient(core, dy as Tensor, kernel, input, geometry, (spread, pads) =>
      core.conv2d(spread, turned, 1, pads, "NHWC", [1, 1]),
    );
  },
  DepthwiseConv2dNativeBackpropFilter(core, { x, dy }, attrs) {
    const kernel = attrs.filterShape as number[];
    const geometry = geometryFrom(attrs, (x as Tensor).shape, kernel);
    return depthwiseFilterGradient(core, x as Tensor, dy as Tensor, kernel, geometry);
  },
  DepthwiseConv2dNativeBackpropInput(core, { dy, filter }, attrs) {
    const input = attrs.inputShape as number[];
    const geometry = geometryFrom(attrs, input, (filter as Tensor).shape);
    return depthwiseInputGradient(core, dy as Tensor, filter as Tensor, input, geometry);
  },
  UnsortedSegmentSum(core, { x, segmentIds }, { numSegments }) {
    return segmentSum(core, x as Tensor, segmentIds as Tensor, numSegments as number);
  },
  AvgPoolGrad: (core, { dy, input }, attrs) => meanPoolGradient(core, dy as Tensor, input as Tensor, attrs),
  MaxPoolGrad: (core, { dy, input }, attrs) => maxPoolGradient(core, dy as Tensor, input as Tensor, attrs),
  // Only products of matrices that lie as they are multiplied are fast.
  BatchMatMul(core, { a, b }, { transposeA, transposeB }) {
    const single = [a, b].every((matrix) => (matrix as Tensor).shape.slice(0, -2).every((extent) => extent === 1));
    if (!single || !(transposeA || transposeB)) return null;
    const turn = (matrix: Tensor, turned: unknown): Tensor =>
      turned ? core.transpose(matrix, turnedOrder(matrix)) : matrix;
    return core.matMul(turn(a as Tensor, transposeA), turn(b as Tensor, transposeB));
  },
};

function geometryFrom(attrs: Record<string, unknown>, input: readonly number[], kernel: readonly number[]) {
  return geometryOf(attrs as unknown as ConvolutionAttrs, input, kernel);
}

function turnedOrder({ shape: { length } }: Tensor): number[] {
  return Array.from({ length }, (_, i) => (i < length - 2 ? i : 2 * length - 3 - i));
}

/** Rows of x added up by where they belong; rows that belong nowhere are left out. */
function segmentSum(core: Core, x: Tensor, segmentIds: Tensor, segments: number): Tensor {
  // A row behind the last takes those, since adding at places outside would write into other memory.
  const places = Int32Array.from(segmentIds.dataSync(), (id) => (id >= 0 && id < segments ? id : segments));
  const rest = x.shape.slice(1);
  const sums = core.scatterND(core.tensor(places, [places.length, 1], "int32"), x, [segments + 1, ...rest]);
  return core.slice(sums, new Array(x.shape.length).fill(0), [segments, ...rest]);
}

/** Runs `work`, which waits for nothing, with operators for gradients if the current backend is "wasm". */
export function withGradients<T>(core: Core, work: () => T): T {
  if (core.getBackend() !== BACKEND) return work();
  const before = Object.keys(COMPOSED).map((name) => [name, core.getKernel(name, BACKEND)] as const);
  try {
    for (const [name, kernel] of before) replace(core, name, kernel, composedKernel(core, name, kernel));
    return work();
  } finally {
    for (const [name, kernel] of before) replace(core, name, core.getKernel(name, BACKEND), kernel);
  }
}

function replace(core: Core, name: string, old: Kernel | undefined, kernel: Kernel | undefined): void {
  if (old) core.unregisterKernel(name, BACKEND);
  if (kernel) core.registerKernel(kernel);
}

function composedKernel(core: Core, kernelName: string, builtIn: Kernel | undefined): Kernel {
  const compose = COMPOSED[kernelName] as Compose;
  return {
    kernelName,
    backendName: BACKEND,
    kernelFunc(call) {
      const { inputs, attrs = {} } = call;
      const composed = core.tidy(() => compose(core, inputs as never, attrs as never));
      if (composed) return composed;
      if (!builtIn) throw new Error(`TensorFlow.js cannot compute ${kernelName} so`);
      return builtIn.kernelFunc(call);
    },
  };
}
