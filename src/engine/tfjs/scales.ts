import type { OutputScales, UnitWeight } from "../engine.ts";
import type { Layer } from "./types.ts";

/** Activations that give c f(x) for c x, where c is positive. */
const EVEN: readonly (string | undefined)[] = [undefined, "relu", "leaky-relu"];
const LAYERS = ["Dense", "Conv1D", "Conv2D", "DepthwiseConv2D"];

/** Which parameters the output of a layer grows with, channel by channel. */
export function scalesOf(layer: Layer, weight: UnitWeight | null, activation: string | undefined): OutputScales | null {
  if (!EVEN.includes(activation)) return null;
  const name = layer.getClassName();
  const { axis } = layer.getConfig();
  if (name === "BatchNormalization" || (name === "LayerNormalization" && (axis === undefined || axis === -1))) {
    const own = layer.weights.filter(({ originalName }) => /(^|\/)(gamma|beta)$/.test(originalName));
    // Without a gamma, nothing scales what beta is added to.
    if (!own.some(({ originalName }) => originalName.endsWith("gamma"))) return null;
    const parameters = own.map(({ originalName }) => ({ name: originalName, axis: 0 }));
    return { channelAxis: typeof axis === "number" ? axis : -1, parameters };
  }
  const [, bias, ...more] = layer.weights;
  // With several outputs of an input channel, no dimension of the weight is that of the outputs.
  const several = name === "DepthwiseConv2D" && weight?.shape[3] !== 1;
  if (!weight || !LAYERS.includes(name) || several || more.length > 0) return null;
  const kernel = { name: weight.name, axis: weight.outputAxis };
  return {
    channelAxis: weight.channelAxis,
    parameters: bias ? [kernel, { name: bias.originalName, axis: 0 }] : [kernel],
  };
}
