import type { LikeFormat } from "../plan.ts";
import { type BlockDType, type DType, elementCount, type TensorInfo } from "../tensor.ts";

// The formats of other software that a model is compared with, and what they store of a weight.

/** Elements under one name of a file. */
export interface Stored {
  /** Behind the tensor's name. */
  readonly suffix: string;
  readonly dtype: DType;
  readonly elements: number;
}

export interface Format {
  /** As steps of a plan, and behind `like`. */
  readonly name: LikeFormat;
  readonly label: string;
  /** The file whose size is counted. */
  readonly file: "gguf" | "safetensors";
  stored(tensor: TensorInfo): readonly Stored[];
}

const NF4_GROUP = 64;

/** What bitsandbytes stores without its quantization of scales; its table of levels and its JSON are not counted. */
function nf4(tensor: TensorInfo): Stored[] {
  const elements = elementCount(tensor.shape);
  return [
    { suffix: "", dtype: "U8", elements: Math.ceil(elements / 2) },
    { suffix: ".absmax", dtype: "F32", elements: Math.ceil(elements / NF4_GROUP) },
  ];
}

/** ONNX Runtime's symmetric codes along the first axis: no zero points. */
function channels(bits: 8 | 4): Format["stored"] {
  return ({ shape }) => {
    const elements = elementCount(shape);
    const codes = { dtype: bits === 8 ? "I8" : "U8", elements: Math.ceil((elements * bits) / 8) } as const;
    return [
      { suffix: "", ...codes },
      { suffix: ".scale", dtype: "F32", elements: shape[0] ?? 1 },
    ];
  };
}

/** Blocks of 32 over all elements in their order: where rows are no multiple of 32, the last block is filled up. */
function blocks(dtype: BlockDType): Format["stored"] {
  return ({ shape }) => [{ suffix: "", dtype, elements: Math.ceil(elementCount(shape) / 32) * 32 }];
}

export const FORMATS: readonly Format[] = [
  { name: "q8_0", label: "GGUF Q8_0", file: "gguf", stored: blocks("Q8_0") },
  { name: "q4_0", label: "GGUF Q4_0", file: "gguf", stored: blocks("Q4_0") },
  { name: "q4_1", label: "GGUF Q4_1", file: "gguf", stored: blocks("Q4_1") },
  { name: "nf4", label: "NF4", file: "safetensors", stored: nf4 },
  { name: "int8", label: "ORT int8", file: "safetensors", stored: channels(8) },
  { name: "int4", label: "ORT int4", file: "safetensors", stored: channels(4) },
];

/** The format that details are shown for: the file of no more error than it makes. */
export const REFERENCE: LikeFormat = "q4_0";
