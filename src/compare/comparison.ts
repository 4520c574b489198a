import type { LikeFormat } from "../plan.ts";
import type { DType } from "../tensor.ts";

// What `compare` finds: plain data, so that the table, the page and --json say the same.

/** A file and how far what comes out of it is from the model. */
export interface Figures {
  /** Of the whole file, header and all. */
  readonly bytes: number;
  /** Bits of the file by elements of the model. */
  readonly bits: number;
  /** 10 log10(sum x^2 / sum (x - y)^2) over all tensors, in dB; Infinity where nothing differs. */
  readonly snr: number;
}

/** A file that was packed with a budget. */
export interface CurvePoint extends Figures {
  /** Bits by elements that were allowed. */
  readonly budget: number;
}

/** A file with no more squared error on any tensor than a format makes. */
export interface EqualFigures extends Figures {
  /** 1 - bytes / bytes of the format's file. */
  readonly saved: number;
  /** Largest squared error of a tensor by that of the format, 0 where neither errs: at most 1. */
  readonly worst: number;
}

/** A format of other software: its own file, its codes packed here, and the file that is as good. */
export interface FormatFigures {
  readonly name: LikeFormat;
  readonly label: string;
  /** The file that it is counted as. */
  readonly file: "gguf" | "safetensors";
  /** null where the format cannot hold the model: `why` says so. */
  readonly own: Figures | null;
  /** The same codes and scales in a .quern file. */
  readonly same: Figures | null;
  readonly equal: EqualFigures | null;
  /** Why something is null. */
  readonly why: string | null;
}

/** How many elements lie in equal intervals of [-limit, limit]. */
export interface Histogram {
  /** The largest magnitude. */
  readonly limit: number;
  readonly counts: readonly number[];
}

/** A tensor, and what it takes in the file that has no more error than the format `reference`. */
export interface TensorFigures {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly elements: number;
  /** Whether it is quantized; else it is kept without loss. */
  readonly quantized: boolean;
  /** Null where there is no file like the reference's. */
  readonly equal: TensorEqual | null;
  /** Of the largest tensors that are quantized; else null. */
  readonly histogram: Histogram | null;
}

export interface TensorEqual {
  readonly bytes: number;
  /** Of these, bytes of codes with their tables, of a tensor that is quantized; else 0. */
  readonly codes: number;
  readonly bits: number;
  readonly snr: number;
  /** The step between levels; null of tensors that are not quantized, or kept because the reference does not err on them. */
  readonly step: number | null;
}

export interface Comparison {
  /** What the curve is made under. */
  readonly plan: string;
  readonly elements: number;
  /** Bytes of all elements in the dtypes they have. */
  readonly sourceBytes: number;
  /** Tensors that are quantized, and their elements. */
  readonly quantized: { readonly tensors: number; readonly elements: number };
  /** By bits, ascending. */
  readonly curve: readonly CurvePoint[];
  readonly formats: readonly FormatFigures[];
  /** The format that `equal` of the tensors follows; null if none could be followed. */
  readonly reference: LikeFormat | null;
  /** Bytes of the header of that file. */
  readonly headerBytes: number;
  readonly tensors: readonly TensorFigures[];
}
