import { DataError, FormatError, PlanError } from "../errors.ts";
import type { Kernels } from "../kernels.ts";
import type { Sha256 } from "./checksum.ts";
import { decodeTask, encodeTask, type Gives, type Kind, type Parts, type Sealed, type Task } from "./tasks.ts";

// How results and errors of tasks cross from a worker: results by transfer, errors with their class and fields.

/** An error as plain data: structured cloning keeps neither its class nor its fields. */
interface Fault {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** All fields of a FormatError. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What comes back from a worker. */
export type Answer = ({ readonly result: Gives<Kind> } | { readonly fault: Fault }) & {
  /** Buffers of the task, for the next. */
  readonly spent: ArrayBuffer[];
};

/** Does a task on a worker. Never rejects: what goes wrong is part of the answer. */
export async function answerTo(
  kernels: Promise<Kernels>,
  task: Task,
  sha256?: Sha256,
): Promise<{ answer: Answer; transfer: ArrayBuffer[] }> {
  const large = task.kind === "encode" ? task.input.elements : task.span.bytes;
  const spent = [large.buffer as ArrayBuffer];
  try {
    const loaded = await kernels;
    const done = task.kind === "encode" ? encodeTask(loaded, task, sha256) : decodeTask(loaded, task, sha256);
    // Parts are views of the arena: they are copied in the turn that made them.
    const result = done instanceof Promise ? await done : owned(task, done);
    return { answer: { result, spent }, transfer: [...spent, ...buffersOf(task, result)] };
  } catch (error) {
    return { answer: { fault: faultOf(error), spent }, transfer: spent };
  }
}

function owned(task: Task, result: Gives<Kind>): Gives<Kind> {
  if (task.kind !== "parts") return result;
  const { codes, factors, scales, zeros } = result as Parts;
  return { codes: codes.slice(), factors: factors.slice(), scales: scales.slice(), zeros: zeros.slice() };
}

function buffersOf({ kind }: Task, result: Gives<Kind>): ArrayBuffer[] {
  if (kind === "check") return [];
  const views =
    kind === "parts" ? Object.values(result as Parts) : [kind === "encode" ? (result as Sealed).bytes : result];
  return (views as Uint8Array<ArrayBuffer>[]).map(({ buffer }) => buffer);
}

function faultOf(error: unknown): Fault {
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  const fields = error instanceof FormatError ? { ...error } : {};
  return { name, message, stack, fields };
}

/** The result of a task, or its error thrown, as if the task had been done here. */
export function taken(answer: Answer): Gives<Kind> {
  if ("result" in answer) return answer.result;
  throw errorOf(answer.fault);
}

function errorOf({ name, message, stack, fields }: Fault): Error {
  const error = sameClass(name, message, fields);
  // The worker's stack says where it happened.
  if (stack !== undefined) error.stack = stack;
  return error;
}

function sameClass(name: string, message: string, fields: Fault["fields"]): Error {
  if (name === "FormatError") return new FormatError(fields as unknown as FormatError);
  if (name === "DataError") return new DataError(message);
  if (name === "PlanError") return new PlanError(message);
  if (name === "RangeError") return new RangeError(message);
  if (name === "TypeError") return new TypeError(message);
  return Object.assign(new Error(message), { name });
}
