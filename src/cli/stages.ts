import type { StageRule } from "../container/stages.ts";
import { UsageError } from "./terminal.ts";

// Stages, from the command line.

export const STAGE_HELP =
  'tensors that are used together, such as "encoder=embed.*,encoder.*"; may be repeated, first to last: loaders can ask for one';

/** The stages that the flags ask for, or undefined. @throws UsageError */
export function stagesOf(flags: readonly string[] | undefined): StageRule[] | undefined {
  return flags?.map((text) => {
    const [, name = "", globs = ""] = /^([^=]+)=(.+)$/.exec(text) ?? [];
    if (name === "") throw new UsageError(`--stage expected NAME=GLOB[,GLOB...], got "${text}"`);
    return { name: name.trim(), tensors: globs.split(",").map((glob) => glob.trim()) };
  });
}
