import type { Description, Engine, Values } from "../engine/engine.ts";
import type { Dataset } from "./dataset.ts";
import { type Feed, feedOf, filled } from "./feed.ts";

// A model by the extents that samples have, where it leaves some free: a transformer takes as long as the text is.

/** @throws DataError for data without samples, or of another shape than the model takes */
export async function describedFor(engine: Engine, data: Dataset): Promise<Description> {
  const described = await engine.describe();
  const feed = feedOf(described, data);
  return freeExtents(described) ? engine.describe(await firstOf(feed, data)) : described;
}

/** The first sample, as often as the model wants some at once. */
export async function firstOf({ name, batch, value }: Feed, data: Dataset): Promise<Values> {
  const { inputs } = await data.read(filled([0], batch));
  return new Map([[name, value(inputs)]]);
}

/** Whether samples may be of several sizes. */
export function freeExtents({ inputs }: Description): boolean {
  return inputs.some(({ shape }) => shape.slice(1).includes(-1));
}
