import { expect, test } from "vitest";
import { loadGraph } from "../src/engine/onnx/graph.ts";
import { unitsOf } from "../src/engine/onnx/units.ts";
import { bytesSource, DataError, FormatError } from "../src/index.ts";
import { readModelFields } from "../src/model/onnx/graph.ts";
import { walkOver } from "../src/model/onnx/wire.ts";
import { convNet, embedded, perceptron, recurrent } from "./accuracy/graphs.ts";
import { lengthField, text, varint } from "./onnx.files.ts";
import { random } from "./random.ts";
import { concat } from "./reference/huffman.ts";

// Graphs as something that runs, and graphs that are no such thing. Runtimes come in test/accuracy.

const MODELS = { convNet, perceptron, recurrent, embedded };

/** Units, or what is wrong with the file. */
async function unitsIn(bytes: Uint8Array): Promise<number> {
  try {
    return unitsOf(await loadGraph(bytes)).length;
  } catch (error) {
    const known = error instanceof FormatError || (error instanceof DataError && /folder/.test(error.message));
    if (!known) throw error;
    return -1;
  }
}

test.each(Object.entries(MODELS))("%s cut short, or with bytes changed, is read or refused", async (_, make) => {
  const model = make();
  expect(await unitsIn(model)).toBeGreaterThan(1);
  const { graph } = await readModelFields(walkOver(bytesSource(model)));
  const next = random(1);
  let refused = 0;
  for (let at = 0; at < model.length; at++) {
    const changed = model.slice();
    changed[at] ^= 1 << Math.floor(8 * next());
    if ((await unitsIn(changed)) < 0) refused++;
    // Behind the graph there are only operator sets, whose absence the runtime tells.
    if (at % 7 === 0 && at < graph.end) expect(await unitsIn(model.subarray(0, at))).toBe(-1);
  }
  expect(refused).toBeGreaterThan(model.length / 20);
});

test("subgraphs too deep are refused, and others take values of the graph around them", async () => {
  const nested = (depth: number): Uint8Array => {
    const inner = depth === 0 ? [text(1, "x"), text(4, "Relu")] : [text(4, "If"), branch(nested(depth - 1))];
    return concat(...inner, text(2, `y${depth}`));
  };
  const branch = (node: Uint8Array): Uint8Array =>
    lengthField(5, text(1, "then_branch"), lengthField(6, lengthField(1, node)), varint(20, 5));
  const model = (depth: number): Uint8Array =>
    lengthField(7, lengthField(1, nested(depth)), lengthField(11, text(1, "x")), lengthField(12, text(1, `y${depth}`)));
  const [unit] = unitsOf(await loadGraph(model(3)));
  expect(unit).toMatchObject({ type: "other", inputs: ["x"], output: "y3", firstInput: -1 });
  await expect(loadGraph(model(40))).rejects.toThrow(/subgraphs .* at most 32 deep/);
});
