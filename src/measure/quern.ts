import type { Kernels } from "../kernels.ts";
import type { UnitSpec } from "../latency/spec.ts";
import { decodeUnits } from "./decode.ts";
import type { Runner } from "./runner.ts";
import type { Timed } from "./unit.ts";

/** quern's own kernels: opening files and decoding what they hold. @param kernels - some that encode @param version - of quern */
export async function quernRunner(kernels: Kernels, version: string): Promise<Runner> {
  const units = await decodeUnits(kernels);
  const byText = new Map(units.map((unit) => [JSON.stringify(unit.spec), unit]));
  const decoding = units.find(({ spec }) => spec.form !== "open") as Timed;
  const find = (spec: UnitSpec): Timed | undefined => byText.get(JSON.stringify(spec));
  return {
    runtime: `quern ${version}`,
    reference: decoding.spec,
    specs: () => units.map(({ spec }) => spec),
    each: LONG,
    family: "family",
    runs: [],
    open: async (spec) => (await find(spec)?.open()) ?? null,
    openModel: async () => null,
  };
}

/** Files take milliseconds. */
const LONG = 400;
