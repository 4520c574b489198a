import { SingleBar } from "cli-progress";
import { DataError, FormatError, PlanError } from "../errors.ts";

// What the user sees while a verb runs, and how it ends.

export const USAGE_EXIT = 2;
const INPUT_EXIT = 1;
const INTERRUPTED_EXIT = 130;

/** A mistake in how the command was called. */
export class UsageError extends Error {}

export class Interrupted extends Error {}

/** What a verb gets: the signal of Ctrl-C, and a progress bar that shows only on a terminal. */
export interface Task {
  readonly signal: AbortSignal;
  /** Bytes, or what else the work consists of. A phase begins anew, and says what it is if it is not the work itself; a note stands behind the bar. */
  progress(step: { done: number; total: number; phase?: string; note?: string }): void;
}

/** What a verb has found, as one object for --json and as text. */
export interface Result {
  readonly json: object;
  readonly text: () => string;
}

/** Runs a verb: bar, Ctrl-C, the result on stdout, errors as one line on stderr, exit code. */
export async function runVerb(json: boolean, verb: (task: Task) => Promise<Result>): Promise<void> {
  const controller = new AbortController();
  const stop = (): void => controller.abort(new Interrupted("interrupted"));
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  const bar = newBar();
  try {
    const result = await verb({ signal: controller.signal, progress: bar.update });
    bar.stop();
    process.stdout.write(`${json ? JSON.stringify(result.json) : printable(result.text())}\n`);
  } catch (error) {
    bar.stop();
    process.exitCode = exitCode(error);
    process.stderr.write(`quern: ${printable(message(error))}\n`);
  } finally {
    process.removeListener("SIGINT", stop);
    process.removeListener("SIGTERM", stop);
  }
}

/** Names in a file may hold anything, escape sequences of terminals too: control characters but for line ends are shown as \xNN. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\0-\x09\x0b-\x1f\x7f-\x9f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

function newBar() {
  const bar = new SingleBar({
    format: "{what}{bar} {percentage} %  {eta} s left{note}",
    hideCursor: true,
    clearOnComplete: true,
    stream: process.stderr,
  });
  let running: { phase: string; total: number } | undefined;
  const update: Task["progress"] = ({ done, total, phase = "", note }) => {
    if (!process.stderr.isTTY) return;
    if (running?.phase !== phase || running.total !== total) {
      stop();
      bar.start(total, 0, { what: phase && `${phase} `, note: "" });
      running = { phase, total };
    }
    bar.update(done, note === undefined ? {} : { note: `  ${note}` });
  };
  const stop = (): void => {
    if (running) bar.stop();
    running = undefined;
  };
  return { update, stop };
}

function exitCode(error: unknown): number {
  if (error instanceof Interrupted) return INTERRUPTED_EXIT;
  return error instanceof UsageError || error instanceof PlanError ? USAGE_EXIT : INPUT_EXIT;
}

function message(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const expected = [FormatError, PlanError, DataError, UsageError, Interrupted].some((kind) => error instanceof kind);
  const { code, path } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return `${path}: no such file or folder`;
  if (code === "EACCES") return `${path}: no permission`;
  if (code === "EISDIR" && path) return `${path}: expected a file, got a folder`;
  // Anything else is unexpected: the stack helps whoever gets the report.
  return expected || code ? error.message : (error.stack ?? error.message);
}
