import type { Value } from "../engine/engine.ts";
import type { BootstrapOptions, Figure } from "./sums.ts";

// What all losses have in common.

export type LossKind = "values" | "classes" | "text" | "embedding" | "detection";

/** What is found in a sample. */
export interface Detections {
  /** [x1, y1, x2, y2] of each, with x1 < x2 and y1 < y2. */
  readonly boxes: Float32Array;
  readonly scores: Float32Array;
  readonly classes: ArrayLike<number>;
}

/** Outputs of a batch, before and after. Detection reads `detections`, the others `original` and `compressed`. */
export interface LossBatch {
  /** Batch first, and of the same shape. */
  readonly original: Value;
  readonly compressed: Value;
  /** A class for each sample; below 0: none is known. */
  readonly labels?: Int32Array | null | undefined;
  /** Of text, the tokens that went in: [samples, length]; below 0: none, such as padding. */
  readonly tokens?: Value | undefined;
  readonly detections?:
    | { readonly original: readonly Detections[]; readonly compressed: readonly Detections[] }
    | undefined;
}

export interface LossOptions extends BootstrapOptions {
  /** Of classes and text. Default: "auto" */
  readonly scores?: "auto" | "probabilities" | "logits" | undefined;
  /** Of detection: the least IoU of two boxes that are the same. Default: 0.5 */
  readonly iou?: number | undefined;
}

/** Figures by name, which depend on the kind. */
export type Figures = Readonly<Record<string, Figure>>;

/** Plain data, for JSON. */
export interface LossReport {
  readonly kind: LossKind;
  readonly samples: number;
  /** Samples with an output that is NaN or infinite, before or after. */
  readonly notFinite: number;
  /** The figure to make small: 0 where nothing changed. */
  readonly loss: Figure;
  readonly figures: Figures;
}

/** Takes batches, and ends in figures; it keeps some numbers for each of 2048 samples, and no outputs. */
export interface Loss {
  /** @throws DataError for outputs that are not alike, or not of the kind */
  add(batch: LossBatch): void;
  report(): LossReport;
}
