import { DataError } from "../../errors.ts";
import type { GraphValue } from "../../model/onnx/program.ts";
import type { Values } from "../engine.ts";
import { isFloatType } from "./values.ts";

/** The inputs of a run, those that the graph has and no others. @throws DataError for one that is missing, strange, or of another shape or kind */
export function checkedInputs(declared: readonly GraphValue[], inputs: Values): Values {
  const names = declared.map(({ name }) => name);
  const stranger = [...inputs.keys()].find((name) => !names.includes(name));
  if (stranger !== undefined) throw new DataError(`the model has no input "${stranger}": it has ${names.join(", ")}`);
  for (const { name, dataType, shape } of declared) {
    const value = inputs.get(name);
    if (!value) throw new DataError(`input "${name}" is missing`);
    const fits =
      shape?.length === value.shape.length && shape.every((extent, i) => extent < 0 || extent === value.shape[i]);
    if (shape && !fits) {
      const wanted = shape.map((extent) => (extent < 0 ? "any" : extent)).join(" x ");
      throw new DataError(
        `input "${name}" is ${value.shape.join(" x ") || "a scalar"}, expected ${wanted || "a scalar"}`,
      );
    }
    if (!isFloatType(dataType) && value.data instanceof Float32Array) {
      throw new DataError(`input "${name}" is of integers, and got floats`);
    }
  }
  return inputs;
}
