import { classLoss } from "./classes.ts";
import { detectionLoss } from "./detection.ts";
import { embeddingLoss } from "./embedding.ts";
import type { Loss, LossKind, LossOptions } from "./loss.ts";
import { textLoss } from "./text.ts";
import { valueLoss } from "./values.ts";

const MAKERS: Record<LossKind, (options?: LossOptions) => Loss> = {
  values: valueLoss,
  classes: classLoss,
  text: textLoss,
  embedding: embeddingLoss,
  detection: detectionLoss,
};

/** The loss of a kind of outputs, empty. */
export function newLoss(kind: LossKind, options: LossOptions = {}): Loss {
  return MAKERS[kind](options);
}
