import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as native from "onnxruntime-node";
import { bytesSource } from "../../src/index.ts";
import { readProgram } from "../../src/model/onnx/program.ts";
import { walkOver } from "../../src/model/onnx/wire.ts";

// What ONNX Runtime makes of graphs: how many there are of each operator in the one that it writes.

export async function operatorsIn(
  model: Uint8Array,
  graphOptimizationLevel: "extended" | "all",
): Promise<Record<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), "quern-written-"));
  try {
    const file = join(folder, "optimized.onnx");
    const options = { graphOptimizationLevel, optimizedModelFilePath: file, logSeverityLevel: 3 as const };
    await (await native.InferenceSession.create(model, options)).release();
    const { nodes } = await readProgram(walkOver(bytesSource(readFileSync(file))));
    return counted(nodes.map(({ operator }) => operator));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function counted(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
