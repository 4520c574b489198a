import { all, element, type Markup, nameOf } from "../../page/markup.ts";
import { bitsText, bytesText, legend, section, tableOf } from "../../page/words.ts";
import type { Layer } from "../../strategy/outline.ts";
import { isTold } from "../figures.ts";
import { across } from "../scale.ts";
import { choicesOf } from "./choices.ts";
import type { ReportedChoice } from "./points.ts";
import { clipped, lossText, shareText } from "./words.ts";

// The plan of the answer, tensor by tensor.

/** Tensors of more than as many are folded away, but for the largest. */
const ROWS = 40;
const LARGEST = 20;

interface Whole {
  readonly bytes: number;
  readonly ms: number;
  /** The largest share of either. */
  readonly most: number;
}

export function layersOf({ layers = [], answer, fileBytes }: ReportedChoice): Markup | null {
  if (layers.length === 0) return null;
  const latency = answer.trials.find(({ lost }) => lost === null)?.latency.ms;
  const sum = (of: (layer: Layer) => number): number =>
    layers.reduce((all, layer) => all + (isTold(of(layer)) ? of(layer) : 0), 0);
  const bytes = Math.max(
    isTold(fileBytes) ? fileBytes : 0,
    sum((layer) => layer.bytes),
    1,
  );
  const ms = Math.max(
    isTold(latency) ? latency : 0,
    sum((layer) => layer.ms),
    Number.MIN_VALUE,
  );
  const shares = layers.flatMap((layer) => [layer.bytes / bytes, layer.ms / ms].filter(isTold));
  const whole = { bytes, ms, most: Math.max(...shares, 1e-9) };
  const rest = `Beside these, the header takes ${shareText(1 - sum((layer) => layer.bytes) / bytes)} of the file, and operators without parameters ${shareText(1 - sum((layer) => layer.ms) / ms)} of the predicted time.`;
  const largest = [...layers].sort((a, b) => b.bytes - a.bytes).slice(0, LARGEST);
  const table =
    layers.length > ROWS
      ? all([
          layerTable(`The ${LARGEST} tensors that take most bytes`, largest, whole),
          element(
            "details",
            {},
            element("summary", {}, `All ${layers.length} tensors`),
            layerTable("All tensors", layers, whole),
          ),
        ])
      : layerTable("Tensors in the order of running", layers, whole);
  return section(
    "layers",
    "The plan, layer by layer",
    element(
      "p",
      {},
      `The loss of a tensor is that of the model where nothing else is changed, with activations as floats. ${sumText(layers, answer.loss)}Times are predicted of the unit that multiplies with it.`,
    ),
    legend([
      ["share-bytes", "share of the file"],
      ["share-time", "share of the time of a run"],
    ]),
    table,
    element("p", { class: "faint" }, rest),
    choicesOf(layers),
  );
}

/** Of how much the losses explain. */
function sumText(layers: readonly Layer[], loss: number): string {
  const sum = layers.reduce((all, layer) => all + (layer.loss ?? 0), 0);
  return isTold(sum) && isTold(loss) ? `They add up to ${lossText(sum)}; all together lose ${lossText(loss)}. ` : "";
}

function layerTable(caption: string, layers: readonly Layer[], whole: Whole): Markup {
  const rows = layers.map((layer) => [
    nameOf(layer.tensor),
    element("span", {}, nameOf(clipped(layer.steps, 120)), layer.run && layer.run !== "f32" ? ` @ ${layer.run}` : ""),
    layer.loss === null ? "–" : layer.loss === 0 ? "0" : lossText(layer.loss),
    sharesOf(layer, whole),
    shareText(layer.bytes / whole.bytes),
    shareText(layer.ms / whole.ms),
    layer.elements > 0 && isTold(layer.bytes) ? bitsText((8 * layer.bytes) / layer.elements) : "–",
    bytesText(isTold(layer.elements) ? layer.elements : 0),
    layer.type ?? "–",
  ]);
  const head = ["tensor", "steps", "loss alone", "shares", "bytes", "time", "bits per weight", "weights", "type"];
  return tableOf(caption, head, rows);
}

/** A bar for bytes, and a bar for time. */
function sharesOf({ bytes, ms }: Layer, whole: Whole): Markup {
  const [first, second] = [bytes / whole.bytes, ms / whole.ms];
  const label = `${shareText(first)} of the bytes, ${shareText(second)} of the time`;
  const bar = (share: number, y: string, kind: string): Markup | null =>
    share > 0
      ? element("rect", { x: 0, y, width: across(Math.max(share / whole.most, 0.005)), height: "42%", class: kind })
      : null;
  return element(
    "svg",
    { class: "bar", role: "img", "aria-label": label },
    bar(first, "4%", "share-bytes"),
    bar(second, "54%", "share-time"),
  );
}
