import fc from "fast-check";
import { random } from "./random.ts";
import { PIVOT_LIMIT } from "./reference.ts";

// Complete codes of every shape, and symbols that walk their trees.

/** Which leaf of a growing tree is split next: any, the latest (a comb), the shallowest (a bush). */
export type Growth = "any" | "comb" | "bush";

/** A complete code of 2..256 symbols, grown by splitting leaves; which symbol gets which length is random. */
export function grownLengths(next: () => number, leaves: number, growth: Growth, limit = PIVOT_LIMIT): Uint8Array {
  const open = [0];
  const full: number[] = [];
  while (open.length + full.length < leaves) {
    const at = growth === "bush" ? 0 : growth === "comb" ? open.length - 1 : Math.floor(open.length * next());
    const [depth] = open.splice(at, 1);
    (depth + 1 < limit ? open : full).push(depth + 1, depth + 1);
  }
  return scattered([...open, ...full], next);
}

/** Lengths given to random symbols. */
export function scattered(depths: number[], next: () => number): Uint8Array {
  const symbols = Array.from({ length: 256 }, (_, symbol) => symbol);
  const lengths = new Uint8Array(256);
  for (const depth of depths) {
    const [symbol] = symbols.splice(Math.floor(symbols.length * next()), 1);
    lengths[symbol] = depth;
  }
  return lengths;
}

export const completeCode: fc.Arbitrary<Uint8Array> = fc
  .record({
    seed: fc.nat(),
    leaves: fc.oneof(fc.integer({ min: 2, max: 20 }), fc.integer({ min: 2, max: 256 })),
    growth: fc.constantFrom<Growth>("any", "comb", "bush"),
  })
  .map(({ seed, leaves, growth }) => grownLengths(random(seed), leaves, growth));

function times(count: number, depth: number): number[] {
  return new Array<number>(count).fill(depth);
}

/** Codes that are extreme in some way. */
export function shapes(): [name: string, lengths: Uint8Array][] {
  const next = random(77);
  const upTo = (depth: number) => Array.from({ length: depth }, (_, i) => i + 1);
  const depths: [string, number[]][] = [
    ["two symbols", [1, 1]],
    ["three symbols", [1, 2, 2]],
    ["256 symbols of 8", times(256, 8)],
    ["one leaf at each depth, a pair at 12", [...upTo(12), 12]],
    ["one leaf up to depth 5, then 128 at 12", [...upTo(5), ...times(128, 12)]],
    ["127 of one length: seven flats", [...times(127, 7), 8, 8]],
    ["63 of one length: six flats", [...times(63, 6), 7, 7]],
    ["85 of one length, 86 of the next", [...times(85, 7), ...times(86, 8)]],
    ["two bushes", [...times(64, 7), ...times(128, 8)]],
    ["half and 128 at 8", [1, ...times(128, 8)]],
    [
      "three at each depth",
      [...times(3, 2), ...times(3, 4), ...times(3, 6), ...times(3, 8), ...times(3, 10), ...times(4, 12)],
    ],
  ];
  return depths.map(([name, list]) => [name, scattered(list, next)]);
}

/** n symbols of a code. Like bits at random: as often as their length says; else each as often as the other. */
export function drawn(lengths: Uint8Array, n: number, next: () => number, likeBits: boolean): Uint8Array {
  const present = [...lengths.keys()].filter((symbol) => lengths[symbol] > 0);
  const weighted = likeBits ? present.flatMap((s) => times(2 ** (PIVOT_LIMIT - lengths[s]), s)) : present;
  return new Uint8Array(n).map(() => weighted[Math.floor(weighted.length * next())]);
}
