import type { UnitType } from "../engine.ts";

// What operators are, those of ONNX and of ONNX Runtime's own domain. Heads of units that have weights are looked at closer.

const words = (type: UnitType, text: string): [string, UnitType][] => text.split(" ").map((word) => [word, type]);

const TYPES: ReadonlyMap<string, UnitType> = new Map([
  ...words("conv", "Conv ConvTranspose FusedConv ConvInteger QLinearConv NhwcConv"),
  ...words("matmul", "MatMul Gemm FusedMatMul FusedGemm MatMulInteger QLinearMatMul MatMulNBits QGemm Einsum"),
  ...words("rnn", "LSTM GRU RNN DynamicQuantizeLSTM"),
  ...words("norm", "BatchNormalization LayerNormalization InstanceNormalization GroupNormalization RMSNormalization"),
  ...words("norm", "SimplifiedLayerNormalization SkipLayerNormalization SkipSimplifiedLayerNormalization"),
  ...words("norm", "LpNormalization MeanVarianceNormalization LRN"),
  ...words("pool", "MaxPool AveragePool LpPool GlobalMaxPool GlobalAveragePool GlobalLpPool"),
  ...words("activation", "Relu LeakyRelu PRelu ThresholdedRelu Elu Celu Selu Sigmoid HardSigmoid HardSwish Swish Mish"),
  ...words("activation", "Tanh Softplus Softsign Softmax LogSoftmax Hardmax Gelu FastGelu QuickGelu BiasGelu Clip"),
  ...words("elementwise", "Add Sub Mul Div Mod Pow Sqrt Exp Log Neg Abs Sign Reciprocal Min Max Sum Mean Where Erf"),
  ...words("elementwise", "Floor Ceil Round Sin Cos Tan Sinh Cosh Asin Acos Atan Not And Or Xor Equal Less Greater"),
  ...words("elementwise", "LessOrEqual GreaterOrEqual IsNaN IsInf Cast CastLike QuantizeLinear DequantizeLinear"),
  ...words("elementwise", "ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare"),
  ...words("elementwise", "ReduceLogSum ReduceLogSumExp CumSum"),
  ...words("shape", "Reshape Transpose Squeeze Unsqueeze Flatten Concat Split Slice Gather GatherElements GatherND"),
  ...words("shape", "Pad Expand Tile Shape Size ConstantOfShape Range Identity Dropout DepthToSpace SpaceToDepth"),
  ...words("shape", "Resize Upsample Trilu ScatterElements ScatterND EyeLike OneHot ReverseSequence Constant"),
]);

export function typeOf(operator: string): UnitType {
  return TYPES.get(operator) ?? "other";
}

/** Whose results differ from run to run, whatever they take. */
export function isRandom(operator: string): boolean {
  return /^(Random|Multinomial|Bernoulli)/.test(operator);
}

/** Whose results are no tensors. */
export function makesNoTensor(operator: string): boolean {
  return /^(Sequence|SplitToSequence|Optional|StringSplit)/.test(operator) && !/Length|At$/.test(operator);
}

/** What an activation is called in attributes: "relu", "softmax". */
export function activationName(operator: string): string {
  return operator.toLowerCase();
}
