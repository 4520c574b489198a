import { BinaryReader } from "@bufbuild/protobuf/wire";
import { demand, FormatError } from "../../errors.ts";
import { ATTRIBUTE, GRAPH, NODE } from "./types.ts";
import { demandLength, type Field, fieldsOf, numberOf, textOf, type Walk } from "./wire.ts";

// The operators of a graph: what they are called, what they take and give, and their attributes of numbers and text.

/** Subgraphs inside subgraphs. */
const MAX_DEPTH = 32;
/** Numbers of a list that is an attribute: kernels, pads and axes have a few. */
const MAX_NUMBERS = 1024;

export type AttributeValue = number | string | readonly number[];

export interface GraphNode {
  /** Of its field in the graph. */
  readonly at: number;
  /** Of the message. */
  readonly start: number;
  readonly end: number;
  readonly name: string;
  readonly operator: string;
  /** "" for ONNX's own. */
  readonly domain: string;
  /** "" for an optional one that is absent. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Those of numbers, text and short lists of numbers. */
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  /** Names that nodes of its subgraphs take; some may be of the subgraphs themselves. */
  readonly captured: readonly string[];
}

/** Reads the NodeProto in a field. @throws FormatError */
export async function parseNode(walk: Walk, field: Field, depth = 0): Promise<GraphNode> {
  demandLength(field, "node");
  demand(depth <= MAX_DEPTH, "limit", field.at, "subgraphs", `at most ${MAX_DEPTH} deep`, "more");
  const [inputs, outputs, captured]: string[][] = [[], [], []];
  const attributes = new Map<string, AttributeValue>();
  const texts = new Map<number, string>();
  for await (const part of fieldsOf(walk, field.start, field.end)) {
    if (part.number === NODE.input) inputs?.push(await textOf(walk, part, "input of a node"));
    else if (part.number === NODE.output) outputs?.push(await textOf(walk, part, "output of a node"));
    else if (part.number === NODE.attribute) {
      const [name, value] = await parseAttribute(walk, part, captured as string[], depth);
      if (value !== null) attributes.set(name, value);
    } else if (part.number === NODE.name || part.number === NODE.operator || part.number === NODE.domain) {
      texts.set(part.number, await textOf(walk, part, "text of a node"));
    }
  }
  const [name = "", operator = "", domain = ""] = [NODE.name, NODE.operator, NODE.domain].map((key) => texts.get(key));
  demand(operator !== "", "onnx", field.at, "op_type of a node", "text", "nothing");
  const { at, start, end } = field;
  return {
    at,
    start,
    end,
    name,
    operator,
    domain: domain === "ai.onnx" ? "" : domain,
    inputs: inputs as string[],
    outputs: outputs as string[],
    attributes,
    captured: captured as string[],
  };
}

async function parseAttribute(
  walk: Walk,
  field: Field,
  captured: string[],
  depth: number,
): Promise<[name: string, value: AttributeValue | null]> {
  demandLength(field, "attribute");
  const numbers: number[] = [];
  let name = "";
  let value: AttributeValue | null = null;
  for await (const part of fieldsOf(walk, field.start, field.end)) {
    if (part.number === ATTRIBUTE.name) name = await textOf(walk, part, "name of an attribute");
    else if (part.number === ATTRIBUTE.integer) value = Number(numberOf(part, "integer of an attribute"));
    else if (part.number === ATTRIBUTE.float) value = await floatOf(walk, part);
    else if (part.number === ATTRIBUTE.text) value = await plainText(walk, part);
    else if (part.number === ATTRIBUTE.integers) await addIntegers(walk, part, numbers);
    else if (part.number === ATTRIBUTE.graph) await addCaptured(walk, part, captured, depth + 1);
  }
  return [name, numbers.length > 0 ? numbers : value];
}

async function floatOf(walk: Walk, { at, start, end }: Field): Promise<number> {
  demand(end - start === 4, "protobuf", at, "float of an attribute", "4 bytes", end - start);
  const bytes = await walk.bytes(start, end);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getFloat32(0, true);
}

// Bytes that need not be text: null where they are not.
async function plainText(walk: Walk, field: Field): Promise<string | null> {
  demandLength(field, "text of an attribute");
  if (field.end - field.start > 65536) return null;
  return new TextDecoder().decode(await walk.bytes(field.start, field.end));
}

async function addIntegers(walk: Walk, field: Field, numbers: number[]): Promise<void> {
  if (field.value !== null) numbers.push(Number(field.value));
  else {
    demandLength(field, "integers of an attribute");
    const limit = 10 * MAX_NUMBERS;
    // A long list is of no use here, so it is cut, not refused.
    const reader = new BinaryReader(await walk.bytes(field.start, Math.min(field.end, field.start + limit)));
    try {
      while (reader.pos < reader.len && numbers.length < MAX_NUMBERS) numbers.push(Number(reader.int64()));
    } catch (error) {
      const problem = { code: "protobuf", offset: field.at, field: "integers of an attribute", expected: "varints" };
      throw new FormatError({ ...problem, actual: (error as Error).message });
    }
  }
  numbers.length = Math.min(numbers.length, MAX_NUMBERS);
}

async function addCaptured(walk: Walk, graph: Field, captured: string[], depth: number): Promise<void> {
  demandLength(graph, "subgraph");
  for await (const part of fieldsOf(walk, graph.start, graph.end)) {
    if (part.number === GRAPH.node) {
      const { inputs, captured: deeper } = await parseNode(walk, part, depth);
      for (const name of [...inputs, ...deeper]) captured.push(name);
    } else if (part.number === GRAPH.output) {
      // A subgraph may give a value of the graph around it.
      for await (const inner of fieldsOf(walk, part.start, part.end)) {
        if (inner.number === 1) captured.push(await textOf(walk, inner, "output of a subgraph"));
      }
    }
  }
}
