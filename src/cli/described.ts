import { describedFor } from "../data/described.ts";
import type { Description } from "../engine/engine.ts";
import { type DataFlags, withData } from "./data.ts";
import { openEngine } from "./engines.ts";

/** A model by the first sample of the data, if the flags name any. */
export async function descriptionOf(path: string, flags: DataFlags): Promise<Description> {
  const { engine } = await openEngine(path);
  try {
    if (!flags.data) return await engine.describe();
    return await withData(flags, (data) => describedFor(engine, data));
  } finally {
    await engine.close();
  }
}
