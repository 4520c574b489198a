// Small ONNX models, made node by node.
export { FLOAT, type GraphBuilder as Builder, graphBuilder, INT64 } from "../../src/model/onnx/build.ts";
