import { expect, test } from "vitest";
import { onnxRuntimes } from "./runtimes.ts";

test("both packages of ONNX Runtime are installed, of one version", () => {
  const versions = onnxRuntimes.map(([name, { env }]) => [name, env.versions.common]);
  expect(versions).toEqual([
    ["onnxruntime-web", "1.30.0"],
    ["onnxruntime-node", "1.30.0"],
  ]);
});
