import { argument } from "../errors.ts";

// In which range the coefficient of a group is looked for.

/** What the device computes with. */
export interface Hardware {
  /** Bits of the codes of weights. Default: 8 */
  readonly weightBits?: number | undefined;
  /** Bits of the codes of activations. Default: 8 */
  readonly activationBits?: number | undefined;
  /** Bits that sums of products are kept in. Default: 32 */
  readonly accumulatorBits?: number | undefined;
  /** Bytes that may go into factors that are not folded into weights. Default: no limit */
  readonly factorBytes?: number | undefined;
}

export interface AlphaRange {
  readonly low: number;
  readonly high: number;
}

/**
 * Where coefficients lie around, as found on a story model and one of sketches: weights with scales of their own for each output bear more than weights
 * with one scale for all.
 */
const CENTRE = { tensor: 0.5, channel: 0.7 };
/** The search starts from the best single coefficient, so a wide range costs no tries. */
const HALF = 0.4;
/** What a doubling of the range of a group adds to its coefficient, and what a bit more of the weights does. */
const PER_DOUBLING = 0.04;
const PER_BIT = 0.08;

/**
 * The bits that codes of activations may have, so that a sum of `inputs` products stays within the accumulator: a product of codes of a and w bits
 * has a + w - 2 bits and a sign.
 */
export function activationBits(hardware: Hardware, inputs: number): number {
  const { weightBits = 8, activationBits: wanted = 8, accumulatorBits = 32 } = hardware;
  for (const [name, bits] of Object.entries({ weightBits, activationBits: wanted }))
    argument(Number.isInteger(bits) && bits >= 2 && bits <= 8, name, "2..8", bits);
  argument(accumulatorBits >= 16 && accumulatorBits <= 64, "accumulatorBits", "16..64", accumulatorBits);
  const room = accumulatorBits - 1 - Math.ceil(Math.log2(Math.max(inputs, 1))) - (weightBits - 2);
  return Math.max(2, Math.min(wanted, room));
}

/**
 * The range of the coefficient alpha of a group: larger for groups of larger values, because these are what the scale of the activations has to reach;
 * and less where weights have fewer bits than activations, because what is taken from activations has to be borne by weights.
 * @param magnitude - of the group, by that of a normal channel
 * @param scales - what weights share a scale
 */
export function alphaRange(
  magnitude: number,
  weightBits: number,
  ownBits: number,
  scales: "tensor" | "channel",
): AlphaRange {
  const centre = CENTRE[scales] + PER_DOUBLING * Math.log2(magnitude) + PER_BIT * (weightBits - ownBits);
  const within = (x: number): number => Math.min(Math.max(x, 0), 1);
  return { low: within(centre - HALF), high: within(centre + HALF) };
}
