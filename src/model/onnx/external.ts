import { demand, printed } from "../../errors.ts";
import { siblingName } from "../folder.ts";

// Where the elements of an initializer lie in a file beside the graph.

export interface ExternalPlace {
  /** Relative to the graph's folder. */
  readonly location: string;
  readonly offset: number;
}

/**
 * The place that external_data gives.
 * @param bytes - of the tensor
 * @param at - of the initializer, for messages
 * @throws FormatError
 */
export function externalPlace(
  external: ReadonlyMap<string, string>,
  bytes: number,
  at: number,
  field: string,
): ExternalPlace {
  const number = (key: string, otherwise: number): number => {
    const text = external.get(key);
    const valid = text === undefined || /^\d{1,16}$/.test(text);
    demand(valid, "onnx-external", at, `${key} of ${field}`, "a number", printed(text));
    return text === undefined ? otherwise : Number(text);
  };
  const location = siblingName(external.get("location"), at, `location of ${field}`);
  const [offset, length] = [number("offset", 0), number("length", bytes)];
  demand(length === bytes, "onnx-external", at, `length of ${field}`, bytes, length);
  return { location, offset };
}
