// What is used of TensorFlow.js, whose own types are not installed with this package.

export interface Tensor {
  readonly id: number;
  readonly shape: number[];
  readonly dtype: string;
  data(): Promise<Float32Array | Int32Array | Uint8Array>;
  dataSync(): Float32Array | Int32Array | Uint8Array;
  dispose(): void;
}

export interface Variable extends Tensor {
  readonly name: string;
  readonly trainable: boolean;
  assign(value: Tensor): void;
}

export interface Kernel {
  readonly kernelName: string;
  readonly backendName: string;
  kernelFunc(call: KernelCall): unknown;
}

export interface KernelCall {
  readonly inputs: object;
  readonly attrs?: object | undefined;
  readonly backend: unknown;
}

export interface NamedTensor {
  name: string;
  tensor: Tensor;
}

/** Adam or momentum, with the fields that their methods do not set or free. */
export interface Optimizer {
  learningRate: number;
  accBeta1?: Variable;
  accBeta2?: Variable;
  c?: Tensor;
  setLearningRate?(rate: number): void;
  applyGradients(gradients: NamedTensor[]): void;
  getWeights(): Promise<NamedTensor[]>;
  setWeights(weights: NamedTensor[]): Promise<void>;
  dispose(): void;
}

export type Pads = [number, number][];

/** Of @tensorflow/tfjs-core. */
export interface Core {
  readonly version_core: string;
  readonly Tensor: { readonly prototype: Tensor };
  readonly train: { adam(rate: number): Optimizer; momentum(rate: number, momentum: number): Optimizer };
  getBackend(): string;
  setBackend(name: string): Promise<boolean>;
  env(): { set(flag: string, value: boolean): void };
  tidy<T>(work: () => T): T;
  keep(tensor: Tensor): Tensor;
  getKernel(name: string, backend: string): Kernel | undefined;
  registerKernel(kernel: Kernel): void;
  unregisterKernel(name: string, backend: string): void;
  variableGrads(loss: () => Tensor, variables: Variable[]): { value: Tensor; grads: Record<string, Tensor | null> };
  customGrad(
    work: (
      x: Tensor,
      save: (tensors: Tensor[]) => void,
    ) => {
      value: Tensor;
      gradFunc(dy: Tensor, saved: Tensor[]): Tensor;
    },
  ): (x: Tensor) => Tensor;
  tensor(data: Float32Array | Int32Array, shape: readonly number[], dtype?: string): Tensor;
  variable(value: Tensor, trainable?: boolean): Variable;
  scalar(value: number, dtype?: string): Tensor;
  ones(shape: number[]): Tensor;
  zeros(shape: number[]): Tensor;
  clone(x: Tensor): Tensor;
  cast(x: Tensor, dtype: string): Tensor;
  add(a: Tensor, b: Tensor | number): Tensor;
  sub(a: Tensor, b: Tensor | number): Tensor;
  mul(a: Tensor, b: Tensor | number): Tensor;
  div(a: Tensor, b: Tensor | number): Tensor;
  neg(x: Tensor): Tensor;
  square(x: Tensor): Tensor;
  round(x: Tensor): Tensor;
  clipByValue(x: Tensor, least: number, most: number): Tensor;
  equal(a: Tensor, b: Tensor): Tensor;
  mean(x: Tensor): Tensor;
  sum(x: Tensor, axis?: number | number[]): Tensor;
  logSoftmax(x: Tensor): Tensor;
  oneHot(classes: Tensor, depth: number): Tensor;
  reshape(x: Tensor, shape: readonly number[]): Tensor;
  transpose(x: Tensor, order?: number[]): Tensor;
  reverse(x: Tensor, axes: number[]): Tensor;
  pad(x: Tensor, widths: Pads): Tensor;
  slice(x: Tensor, begin: number[], size: number[]): Tensor;
  stridedSlice(x: Tensor, begin: number[], end: number[], strides: number[]): Tensor;
  stack(tensors: Tensor[]): Tensor;
  addN(tensors: Tensor[]): Tensor;
  matMul(a: Tensor, b: Tensor): Tensor;
  scatterND(indices: Tensor, updates: Tensor, shape: number[]): Tensor;
  conv2d(x: Tensor, filter: Tensor, strides: number, pad: Pads, layout: "NHWC", dilations: [number, number]): Tensor;
  depthwiseConv2d(x: Tensor, filter: Tensor, strides: number, pad: Pads): Tensor;
}

/** A value of a model before there are numbers. */
export interface Place {
  readonly id: number;
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly (number | null)[];
  /** For inputs of models: the layer that stands for them, which has their name. */
  readonly sourceLayer: { readonly name: string };
}

export interface LayerWeight {
  readonly originalName: string;
  readonly shape: readonly number[];
  read(): Variable;
}

export interface Layer {
  readonly name: string;
  readonly weights: LayerWeight[];
  readonly supportsMasking: boolean;
  /** Of layers that have one. */
  activation?: object;
  getClassName(): string;
  getConfig(): Record<string, unknown>;
  apply(inputs: Tensor[], options: object): Tensor | Tensor[];
  computeMask(inputs: Tensor[], masks: (Tensor | null)[]): Tensor | Tensor[] | null;
}

export interface Node {
  readonly outboundLayer: Layer & Partial<LayersModel>;
  readonly callArgs?: object | undefined;
  readonly inputTensors: Place[];
  readonly outputTensors: Place[];
}

/** A model of @tensorflow/tfjs-layers. */
export interface LayersModel {
  readonly inputs: Place[];
  readonly outputs: Place[];
  readonly layers: Layer[];
  readonly nodesByDepth: Record<string, Node[]>;
  /** Of sequential models. */
  build?(): void;
  dispose(): unknown;
}

/** Of @tensorflow/tfjs-layers. */
export interface Layers {
  readonly version_layers: string;
  loadLayersModel(handler: { load(): Promise<unknown> }): Promise<LayersModel>;
  readonly layers: { activation(config: { activation: string }): Layer };
}
