import type { Description } from "./engine.ts";

/** How many samples a model takes at once; null: as many as it is given. */
export function fixedBatch({ inputs }: Pick<Description, "inputs">): number | null {
  const [extent = -1] = inputs[0]?.shape ?? [];
  return extent > 0 ? extent : null;
}
