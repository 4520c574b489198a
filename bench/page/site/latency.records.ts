import { type Environment, environmentId } from "../../../src/latency/environment.ts";
import { parseLines } from "../../../src/latency/lines.ts";
import type { LatencyTable } from "../../../src/latency/table.ts";
import { counted } from "./numbers.ts";

// Records of earlier runs: what files have, and what is said of it.

/** The table of each file. @throws what is wrong with one of them, with its name */
export function readRecords(files: readonly File[]): Promise<LatencyTable[]> {
  return Promise.all(
    files.map(async (file) => {
      const bytes = new Uint8Array(await file.arrayBuffer());
      try {
        return parseLines(bytes);
      } catch (error) {
        throw new Error(`${file.name}: ${(error as Error).message}`);
      }
    }),
  );
}

/** How many records each environment has, by its id. */
export function countsOf({ rows }: LatencyTable): Map<string, number> {
  const counts = new Map<string, number>();
  for (const same of rows.values())
    for (const { environment } of same.values()) counts.set(environment, (counts.get(environment) ?? 0) + 1);
  return counts;
}

/** The environment that has the most records, if any has one. */
export function mainEnvironment(table: LatencyTable): Environment | undefined {
  const [most] = [...countsOf(table)].sort(([, a], [, b]) => b - a);
  return most && table.environments.get(most[0]);
}

/** @param here - unknown where there is no runtime */
export function recordsText(table: LatencyTable, here: Environment | undefined): string {
  const counts = countsOf(table);
  const all = [...counts.values()].reduce((sum, count) => sum + count, 0);
  if (!here) return `${counted(all, "record")} of ${counted(counts.size, "environment")}.`;
  const own = `${counted(all, "record")}, ${counts.get(here.id) ?? 0} of this environment.`;
  const near = [...table.environments.values()].filter(
    ({ id, cpu }) => counts.has(id) && isButFor(here, cpu.model, id),
  );
  return [own, ...near.map(({ id, cpu }) => nearText(counts.get(id) ?? 0, cpu.model))].join(" ");
}

/** Whether another name of the CPU is all that sets an environment apart from this one. */
function isButFor(here: Environment, model: string | null, id: string): boolean {
  return id !== here.id && id === environmentId({ ...here, cpu: { ...here.cpu, model } });
}

function nearText(count: number, model: string | null): string {
  return model === null ? `Without a CPU's name: ${count}.` : `Under the CPU's name “${model}”: ${count}.`;
}
