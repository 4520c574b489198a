import { DataError, printed } from "../errors.ts";

// What a run has found so far, as lines of JSON: the first says what the run is of, the others are appended as figures come. A run that was killed reads
// them back in place of measuring, and so goes the same way.

/** Where the lines are kept. */
export interface LedgerPlace {
  /** null: there are none yet. */
  read(): Promise<string | null>;
  /** In place of all that is there, as a whole or not at all. */
  write(text: string): Promise<void>;
  append(text: string): Promise<void>;
}

/** What a run depends on. Plain values. */
export type LedgerHead = Readonly<Record<string, string | number | boolean | null>>;

export interface Ledger {
  /** What is known of this, or what `make` finds, which is known from then on. Values are JSON; numbers may be infinite. */
  recall<T>(kind: string, key: string, make: () => Promise<T>): Promise<T>;
  has(kind: string, key: string): boolean;
  /** Figures that were read, and those that were made. */
  readonly known: number;
  readonly made: number;
}

const VERSION = 1;

/** A ledger that is kept nowhere. */
export function memoryLedger(): Ledger {
  return ledgerOver(new Map(), async () => {});
}

/** @throws DataError for a ledger of another run, naming what differs, or a line that is none */
export async function openLedger(place: LedgerPlace, head: LedgerHead): Promise<Ledger> {
  const first = `${JSON.stringify({ quern: "ledger", version: VERSION, ...head })}\n`;
  const text = (await place.read()) ?? "";
  // Behind the last end of a line is what a killed run did not finish.
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  const lines = whole.split("\n").slice(0, -1);
  if (lines.length > 0) demandSame(lines[0] as string, head);
  // Of a first line that was not finished there is the begin; any other text is somebody's.
  else if (!first.startsWith(text)) throw noLedger(text);
  if (lines.length === 0 || whole !== text) await place.write(lines.length > 0 ? whole : first);
  const known = new Map(lines.slice(1).map((line, i) => entryOf(line, i + 2)));
  return ledgerOver(known, (line) => place.append(line));
}

function ledgerOver(found: Map<string, unknown>, append: (line: string) => Promise<void>): Ledger {
  const known = found.size;
  return {
    async recall<T>(kind: string, key: string, make: () => Promise<T>): Promise<T> {
      const id = JSON.stringify([kind, key]);
      if (found.has(id)) return found.get(id) as T;
      const value = await make();
      const line = JSON.stringify({ kind, key, value }, finite);
      found.set(id, value);
      await append(`${line}\n`);
      return value;
    },
    has: (kind, key) => found.has(JSON.stringify([kind, key])),
    known,
    get made() {
      return found.size - known;
    },
  };
}

/** A place that lasts as long as the program. @param text - what is there already */
export function memoryPlace(text: string | null = null): LedgerPlace & { readonly text: string | null } {
  let held = text;
  return {
    get text() {
      return held;
    },
    read: async () => held,
    async write(whole) {
      held = whole;
    },
    async append(more) {
      held = `${held ?? ""}${more}`;
    },
  };
}

/** JSON has no infinity. */
const INFINITE = "infinite";
const finite = (_: string, value: unknown): unknown => (value === Number.POSITIVE_INFINITY ? INFINITE : value);
const infinite = (value: unknown): unknown => (value === INFINITE ? Number.POSITIVE_INFINITY : value);

const isAmount = (value: unknown): boolean => typeof value === "number" && value >= 0;

/** What steps that a tensor cannot have cost, and do to it. */
const MAY_BE_NONE = ["bytes", "error"];

/** What a line knows; of a trial two figures. @returns undefined for what cannot be known */
function figureOf(kind: string, value: unknown): unknown {
  if (value === null && MAY_BE_NONE.includes(kind)) return null;
  if (kind !== "trial") return isAmount(infinite(value)) ? infinite(value) : undefined;
  const { loss, bytes } = (value ?? {}) as Record<string, unknown>;
  return isAmount(infinite(loss)) && isAmount(bytes) ? { loss: infinite(loss), bytes } : undefined;
}

function demandSame(line: string, head: LedgerHead): void {
  const given = parsed(line, 1) as Record<string, unknown>;
  if (given.quern !== "ledger") throw noLedger(line);
  if (given.version !== VERSION)
    throw new DataError(`the ledger's version: expected ${VERSION}, got ${printed(given.version)}`);
  const different = Object.keys({ ...given, ...head }).filter(
    (name) => name !== "quern" && name !== "version" && given[name] !== head[name],
  );
  if (different.length === 0) return;
  const told = different.map((name) => `${name} was ${printed(given[name])} and is ${printed(head[name])}`);
  throw new DataError(`the ledger is of another run: ${told.join("; ")}: name another file, or remove it`);
}

function noLedger(text: string): DataError {
  return new DataError(`the ledger's line 1: expected a ledger of quern, got ${printed(text.slice(0, 60))}`);
}

function entryOf(line: string, number: number): [string, unknown] {
  const { kind, key, value } = parsed(line, number) as Record<string, unknown>;
  const found = typeof kind === "string" ? figureOf(kind, value) : undefined;
  if (typeof key !== "string" || found === undefined)
    throw new DataError(
      `the ledger's line ${number}: expected kind, key and value, a number from 0, got ${printed(line.slice(0, 60))}`,
    );
  return [JSON.stringify([kind, key]), found];
}

function parsed(line: string, number: number): object {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null) return value;
  } catch {}
  throw new DataError(`the ledger's line ${number}: expected an object of JSON, got ${printed(line.slice(0, 60))}`);
}
