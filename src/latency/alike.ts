import { type Smooth, smooth } from "./smooth.ts";
import { elementsOf, listOf, type UnitSpec } from "./spec.ts";
import { workOf } from "./work.ts";

// What models are like: those of the same operators, of the same size, are off by the same from what their units tell.

/** A unit in a model. */
export interface Part {
  /** Milliseconds. */
  readonly ms: number;
  readonly spec: UnitSpec;
}

const TYPES = "run conv point depthwise dense matmul pool norm elementwise activation shape".split(" ");
/** A model that is all of one type is as far from one that has none of it as one of 16 times its size. */
const WEIGHT = 4;

/** Where a model stands among models: shares of its time, and the logarithms of its time and of its bytes. */
export function placeOf(parts: readonly Part[]): number[] {
  const all = parts.reduce((sum, { ms }) => sum + ms, 0);
  const share = (test: (spec: UnitSpec) => boolean): number =>
    (WEIGHT * parts.reduce((sum, { ms, spec }) => sum + (test(spec) ? ms : 0), 0)) / all;
  return [
    ...TYPES.map((type) => share((spec) => typeOf(spec) === type)),
    ...["int8", "w8"].map((precision) => share((spec) => spec.precision === precision)),
    ...[all, bytesOf(parts.map(({ spec }) => spec))].map(Math.log2),
  ];
}

/** "point": a convolution that mixes channels, place by place. */
const typeOf = (spec: UnitSpec): string =>
  spec.type === "conv" && elementsOf(listOf(spec, "kernel")) === 1 ? "point" : spec.type;

/** Of the weights of a unit, as it is run. */
export function weightBytes(spec: UnitSpec): number {
  return ({ f32: 4, w4: 0.5 }[spec.precision] ?? 1) * (workOf(spec).counts.weights ?? 0);
}

/** What a run goes through, at the least: all weights, and room for the largest value. */
export function bytesOf(specs: readonly UnitSpec[]): number {
  const weights = specs.reduce((sum, spec) => sum + weightBytes(spec), 0);
  const values = specs
    .filter(({ type }) => type !== "run")
    .flatMap((spec) => [listOf(spec, "in"), listOf(spec, "out")]);
  return 1 + weights + 4 * Math.max(0, ...values.map((shape) => (shape.length > 0 ? elementsOf(shape) : 0)));
}

/** Fewer models say nothing about others. */
const FEWEST = 12;

export interface Alike {
  /** The logarithm of what models like this one take by what is told of them, and by how much less sure that is than of those that were measured. */
  at(parts: readonly Part[]): { readonly mean: number; readonly doubt: number };
  /** Logarithms of what is left of each model by all others. */
  readonly left: readonly number[];
}

/** @param models - with the logarithm of what each takes by what is told of it */
export function alike(models: readonly { readonly parts: readonly Part[]; readonly off: number }[]): Alike {
  const offs = models.map(({ off }) => off);
  if (offs.length < FEWEST) return { at: () => ({ mean: 0, doubt: 0 }), left: offs };
  const around: Smooth = smooth(
    models.map(({ parts }) => placeOf(parts)),
    offs,
  );
  const usual = around.doubts.reduce((sum, doubt) => sum + doubt, 0) / around.doubts.length;
  return {
    left: around.left,
    at(parts) {
      const { mean, deviation } = around.at(placeOf(parts));
      return { mean, doubt: Math.sqrt(Math.max(0, deviation ** 2 - usual ** 2)) };
    },
  };
}
