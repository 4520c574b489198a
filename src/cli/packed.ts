import { bytesSource, type Folder, memorySink } from "../bytes.ts";
import type { QuernFile } from "../container/reader.ts";
import type { Engine } from "../engine/engine.ts";
import { DataError } from "../errors.ts";
import { writeOnnx } from "../model/onnx/write.ts";
import { formatOf } from "../model/recognise.ts";
import { attachTfjs } from "../model/tfjs/detach.ts";
import { writeTfjs } from "../model/tfjs/write.ts";
import { onnxModel, openCompressed, openEngine, tfjsModel } from "./engines.ts";
import { type OpenFlags, withFile } from "./files.ts";
import { UsageError } from "./terminal.ts";

// Packed models that are run.

export interface OpenPacked {
  readonly engine: Engine;
  /** Parameters of the graph that the file lacks, and that are as the graph's own file has them. */
  readonly kept: readonly string[];
}

/** A .quern file as a model. @param graph - path of its model.json or .onnx file; undefined: the file has it */
export async function openPacked(path: string, flags: OpenFlags, graph: string | undefined): Promise<OpenPacked> {
  if (graph === undefined)
    return withFile(path, flags, async (file) => ({ engine: await ownEngine(path, file), kept: [] }));
  const { engine } = await openEngine(graph);
  try {
    const { compressed, kept } = await openCompressed(path, flags, await engine.describe());
    return { engine: "run" in compressed ? compressed : await engine.withWeights(compressed), kept };
  } finally {
    await engine.close();
  }
}

async function ownEngine(path: string, file: QuernFile): Promise<Engine> {
  if (!file.graph)
    throw new UsageError(
      `${path} has no graph: give the model.json or .onnx file with --graph, or pack it --with-graph`,
    );
  const [graph, model] = [bytesSource(file.graph), file.model("original")];
  const files = new Map<string, ReturnType<typeof memorySink>>();
  const create = async (name: string) => {
    const sink = memorySink();
    files.set(name, sink);
    return sink;
  };
  const folder: Folder = { open: async (name) => sourceOf(files.get(name)) };
  if ((await formatOf(graph)) === "onnx") {
    await writeOnnx(graph, model, await create("model.onnx"));
    return onnxModel(await folder.open("model.onnx"), folder);
  }
  await writeTfjs(bytesSource(attachTfjs(file.graph, file.index)), model, create, { name: "model.json" });
  return (await tfjsModel(await folder.open("model.json"), folder)).engine;
}

function sourceOf(sink: ReturnType<typeof memorySink> | undefined) {
  if (!sink) throw new DataError("the model refers to a file that it does not have");
  return bytesSource(sink.bytes());
}
