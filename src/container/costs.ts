import type { Smoothing } from "../codec/factors.ts";
import type { Asked, Resolved } from "../codec/inputs.ts";
import { resolveAll } from "../codec/resolve.ts";
import type { Kernels } from "../kernels.ts";
import { printSteps, type Step } from "../plan.ts";
import { type ChunkCost, type CostOptions, groupCosts } from "./cost.ts";
import type { Group } from "./grouping.ts";

// What was found of a model's tensors under steps, so that nothing is resolved or encoded twice.

/** Keys by name of tensor. */
type Keys = ReadonlyMap<string, string>;

export function costCache(kernels: Kernels) {
  const [known, costs] = [new Map<string, Resolved>(), new Map<string, readonly ChunkCost[]>()];
  const keysOf = keyMaker();
  let encoded = 0;
  return {
    async resolve(asked: readonly Asked[], signal?: AbortSignal): Promise<{ resolved: Resolved[]; keys: Keys }> {
      const keys = keysOf(asked);
      // Those that have a threshold in common are all known or all unknown: their names are in the key.
      const unknown = asked.filter((_, i) => !known.has(keys[i] as string));
      const found = new Map((await resolveAll(kernels, unknown, signal)).map((one) => [one.tensor.name, one]));
      const resolved = asked.map(({ tensor, stage }, i): Resolved => {
        const one = found.get(tensor.name) ?? (known.get(keys[i] as string) as Resolved);
        known.set(keys[i] as string, one);
        return { ...one, stage };
      });
      return { resolved, keys: new Map(asked.map(({ tensor }, i) => [tensor.name, keys[i] as string])) };
    },

    /** The chunks of each group. */
    async costs(groups: readonly Group[], keys: Keys, options: CostOptions): Promise<(readonly ChunkCost[])[]> {
      const own = groups.map((group) => groupKey(group, keys));
      const unknown = groups.flatMap((group, i) =>
        costs.has(own[i] as string) ? [] : [{ ...group, key: own[i] as string }],
      );
      const place = { kernels, workers: options.workers };
      for (const [{ key }, chunks] of await groupCosts(place, unknown, options)) {
        costs.set(key, chunks);
        encoded += chunks.length;
      }
      return own.map((key) => costs.get(key) as readonly ChunkCost[]);
    },

    get encoded() {
      return encoded;
    },
  };
}

/** What the costs of each tensor follow from, besides its elements. */
function keyMaker() {
  const smoothings = numbering<Smoothing>(new WeakMap());
  const together = numbering<string>(new Map());
  return (asked: readonly Asked[]): string[] => {
    const owns = asked.map(({ tensor, steps, smoothing }) => {
      const smooth = steps[0]?.op === "smooth" && smoothing ? smoothings(smoothing) : null;
      return [tensor.name, printSteps(steps), smooth] as const;
    });
    const alike = new Map<readonly Step[], string[]>();
    for (const [i, { steps }] of asked.entries()) {
      const others = alike.get(steps) ?? [];
      others.push(JSON.stringify(owns[i]));
      alike.set(steps, others);
    }
    return asked.map(({ steps }, i) => {
      // Their threshold is one over all that have these steps.
      const shared = steps.some((step) => step.op === "prune" && step.by === "magnitude" && step.over === "model");
      return JSON.stringify([owns[i], shared ? together(String(alike.get(steps))) : null]);
    });
  };
}

/** Numbers for what comes, the same for the same. */
function numbering<T>(known: { get(key: T): number | undefined; set(key: T, number: number): unknown }) {
  let next = 0;
  return (key: T): number => {
    const number = known.get(key) ?? next++;
    known.set(key, number);
    return number;
  };
}

function groupKey({ names, source }: Group, keys: ReadonlyMap<string, string>): string {
  const [first] = names as [string];
  return names.length === 1 ? (keys.get(first) as string) : JSON.stringify([names, printSteps(source.steps)]);
}
