import type { Dataset } from "../data/dataset.ts";
import type { Description, Value, Values } from "../engine/engine.ts";
import { DataError } from "../errors.ts";
import type { Detections, LossBatch, LossKind } from "../loss/loss.ts";
import { areProbabilities } from "../loss/rows.ts";

// What a model's outputs are, and which of them are compared.

/** Names of the outputs that are boxes [samples, boxes, 4], and scores and classes [samples, boxes]. */
export interface DetectionNames {
  /** Default: the output whose name has "box", "score" or "class" in it. */
  readonly boxes?: string | undefined;
  readonly scores?: string | undefined;
  readonly classes?: string | undefined;
  /** Boxes with a lower score are not looked at. Default: 0.5 */
  readonly least?: number | undefined;
}

/** Text for whole numbers in and a row for each of them out; classes for rows of probabilities, or any rows where there are labels; else values. */
export function kindOf({ inputs }: Description, { labelled }: Pick<Dataset, "labelled">, output: Value): LossKind {
  if (output.shape.length === 3 && inputs[0]?.integer) return "text";
  const rows = rowsOf(output);
  if (rows.shape.length === 2 && (rows.shape[1] ?? 0) > 1 && (labelled || areProbabilities(rows))) return "classes";
  return "values";
}

/** [samples, 1, 1, classes] as [samples, classes]. */
function rowsOf(output: Value): Value {
  const [count = 0, ...inner] = output.shape;
  const last = inner.at(-1) ?? 1;
  return inner.slice(0, -1).every((extent) => extent === 1) ? { ...output, shape: [count, last] } : output;
}

/** What a loss of a kind takes of the outputs before and after. */
export function lossBatch(
  kind: LossKind,
  outputs: { original: Values; compressed: Values; output: string },
  { tokens, labels }: { tokens: Value; labels: Int32Array | null },
  names: DetectionNames,
): LossBatch {
  const [original, compressed] = [outputs.original, outputs.compressed].map((values) =>
    outputOf(values, outputs.output),
  ) as [Value, Value];
  if (kind === "classes") return { original: rowsOf(original), compressed: rowsOf(compressed), labels };
  if (kind === "text") return { original, compressed, tokens };
  if (kind !== "detection") return { original, compressed };
  const detections = {
    original: detectionsIn(outputs.original, names),
    compressed: detectionsIn(outputs.compressed, names),
  };
  return { original, compressed, detections };
}

/** An output by name; another model's only one may have another. */
export function outputOf(values: Values, name: string): Value {
  const value = values.get(name) ?? (values.size === 1 ? [...values.values()][0] : undefined);
  if (!value) throw new DataError(`there is no output "${name}", only ${[...values.keys()].join(", ")}`);
  return value;
}

function detectionsIn(values: Values, { boxes, scores, classes, least = 0.5 }: DetectionNames): Detections[] {
  const find = (name: string | undefined, pattern: RegExp): Value => {
    const found = name ?? [...values.keys()].find((key) => pattern.test(key));
    const value = found === undefined ? undefined : values.get(found);
    if (!value)
      throw new DataError(
        `detection needs an output for ${name ?? pattern.source}, of ${[...values.keys()].join(", ")}`,
      );
    return value;
  };
  const all = {
    boxes: find(boxes, /box/i),
    scores: find(scores, /score|conf/i),
    classes: find(classes, /class|label/i),
  };
  const [count = 0, each = 0] = all.scores.shape;
  if (all.boxes.data.length !== 4 * count * each || all.classes.data.length !== count * each)
    throw new DataError(
      `boxes ${all.boxes.shape}, scores ${all.scores.shape} and classes ${all.classes.shape} do not belong together`,
    );
  return Array.from({ length: count }, (_, n) => {
    const kept = Array.from({ length: each }, (_, i) => n * each + i).filter(
      (i) => (all.scores.data[i] as number) >= least,
    );
    return {
      boxes: Float32Array.from(kept.flatMap((i) => [...all.boxes.data.subarray(4 * i, 4 * i + 4)])),
      scores: Float32Array.from(kept, (i) => all.scores.data[i] as number),
      classes: kept.map((i) => all.classes.data[i] as number),
    };
  });
}
