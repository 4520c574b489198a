// What the package needs of software that runs models: run one, see what flows inside, run it with other weights. We write no such software:
// engine/onnx and engine/tfjs lead to ONNX Runtime and TensorFlow.js.

/** Elements in row-major order, the batch first. An engine makes integers of the width that an input declares. */
export interface Value {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

/** By name of an input, an output or a value inside. */
export type Values = ReadonlyMap<string, Value>;

export interface Engine {
  /** The runtime and its version, such as "onnxruntime-web 1.30.0". */
  readonly runtime: string;
  /** @param sample - by the extents of these inputs units are described; without them, extents that the model leaves free are 1 */
  describe(sample?: Values): Promise<Description>;
  /**
   * Runs a batch. Gives the outputs, and the values inside that `tap` names.
   * @throws DataError for an input that is missing or of another shape, or a name that no value has
   */
  run(inputs: Values, tap?: readonly string[]): Promise<Values>;
  /** The same model with edits, which replace all earlier ones; this one stays as it is. @throws DataError for what the model lacks */
  withWeights(edits: Edits): Promise<Engine>;
  /** A unit alone, as a model whose inputs and output are the unit's, with its weights as they are edited here. */
  only(unit: string): Promise<Engine>;
  /** Trains; absent where the runtime cannot. */
  fit?(options: FitOptions): Promise<Trainer>;
  /** Frees what the runtime holds. */
  close(): Promise<void>;
}

/** What is different in a model. */
export interface Edits {
  /** Parameters by name, in the shapes they have. */
  readonly weights?: ReadonlyMap<string, Float32Array>;
  /** What is done to the first input of a unit, by the unit's name, for that unit alone. */
  readonly inputs?: ReadonlyMap<string, InputEdit>;
}

/** First divided, then rounded. */
export interface InputEdit {
  /** What elements of each channel are divided by; positive. */
  readonly factors?: Float32Array;
  readonly codes?: ActivationCodes;
}

/**
 * Activations as integers: q = clamp(round(x / scale) + zeroPoint, least, most), halves to even, and x = (q - zeroPoint) * scale: QuantizeLinear and
 * DequantizeLinear of ONNX.
 */
export interface ActivationCodes {
  readonly scale: number;
  readonly zeroPoint: number;
  readonly least: number;
  readonly most: number;
}

export type ModelKind = "cnn" | "depthwise-cnn" | "rnn" | "transformer" | "mlp" | "other";

export interface Description {
  readonly kind: ModelKind;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** In the order of running. */
  readonly units: readonly Unit[];
}

export interface ValueInfo {
  readonly name: string;
  readonly integer: boolean;
  /** -1 for extents that are free. */
  readonly shape: readonly number[];
}

export type UnitType =
  | "conv"
  | "depthwise"
  | "dense"
  | "matmul"
  | "rnn"
  | "embedding"
  | "norm"
  | "pool"
  | "activation"
  | "elementwise"
  | "shape"
  | "other";

/** An operator of the graph, with the bias and the activation behind it where they are all that uses its result. */
export interface Unit {
  readonly name: string;
  readonly type: UnitType;
  /** What the runtime calls its operators, in order. */
  readonly operators: readonly string[];
  /** Names of values, without parameters. */
  readonly inputs: readonly string[];
  /** The name of the value behind it, for `tap`. */
  readonly output: string;
  /** Shapes for a batch of one, or of what the model fixes; other free extents as 1. */
  readonly inputShape: readonly number[];
  readonly outputShape: readonly number[];
  /** What the first input is multiplied with, where that is a parameter. */
  readonly weight: UnitWeight | null;
  /** What the output grows with; null or absent: there is no telling. */
  readonly scales?: OutputScales | null;
  /** Names of all parameters, the weight's too, and those that what it takes is made of. */
  readonly parameters: readonly string[];
  readonly attributes: Attributes;
  /** Multiplications for the batch of its shapes. */
  readonly macs: number;
  /** Of its parameters. */
  readonly bytes: number;
}

export interface UnitWeight {
  readonly name: string;
  readonly shape: readonly number[];
  /** The dimension of the input's channels and that of the output's. Equal where each output channel has one input channel. */
  readonly inputAxis: number;
  readonly outputAxis: number;
  /** The dimension of the unit's first input that its channels lie along; negative: from the end. */
  readonly channelAxis: number;
}

/** Parameters that, each divided along its axis by positive factors, divide the channels of a unit's output by them, and change nothing else. */
export interface OutputScales {
  /** The dimension of the output that its channels lie along; negative: from the end. */
  readonly channelAxis: number;
  readonly parameters: readonly { readonly name: string; readonly axis: number }[];
}

export interface Attributes {
  readonly kernel?: readonly number[];
  readonly strides?: readonly number[];
  readonly groups?: number;
  /** "relu", "softmax", "tanh" ...; absent: linear. */
  readonly activation?: string;
}

/** What a model is trained for. */
export type Objective = "cross-entropy" | "mse";

export interface FitOptions {
  readonly objective: Objective;
  readonly optimizer: "adam" | "sgd";
  /** Parameters to train. Default: all */
  readonly parameters?: readonly string[];
  /**
   * What the model runs with in place of the weights: the straight-through estimator takes the gradients there for those of the weights. Quantizing and
   * pruning are such projections.
   */
  readonly project?: (
    weights: ReadonlyMap<string, Float32Array>,
  ) => ReadonlyMap<string, Float32Array> | Promise<ReadonlyMap<string, Float32Array>>;
  /** Sees the gradients before the step, and may change them. */
  readonly onGradients?: (gradients: ReadonlyMap<string, Float32Array>) => void;
}

export interface Trainer {
  /** One step. Gives the loss before it. @param targets - classes, or values of the output's shape */
  step(inputs: Values, targets: Value, rate: number): Promise<number>;
  /** The weights that are trained, as they are without the projection. */
  weights(): Promise<ReadonlyMap<string, Float32Array>>;
  /** All that later steps depend on, weights included. */
  state(): Promise<ReadonlyMap<string, Float32Array>>;
  restore(state: ReadonlyMap<string, Float32Array>): Promise<void>;
  close(): Promise<void>;
}
