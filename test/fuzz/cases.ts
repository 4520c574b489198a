import { random } from "../random.ts";
import { grow, KINDS, type Kind, type Payload } from "./valid.ts";

// Case number i of a seed is always the same, wherever a run begins: eight in a row are changes of one valid payload.

export interface Case extends Payload {
  kind: Kind;
}

const BATCH = 8;

function mixed(seed: number, index: number): () => number {
  return random(Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
}

/** Valid payloads, remembered only because eight cases in a row start from the same one. */
export function caseMaker(seed: number): (index: number) => Case {
  let made = -1;
  let base: Case | undefined;
  return (index) => {
    const batch = Math.floor(index / BATCH);
    if (made !== batch || !base) {
      const next = mixed(seed, -2 - batch);
      const kind = KINDS[Math.floor(KINDS.length * next())];
      base = { kind, ...grow(kind, next) };
      made = batch;
    }
    return index % BATCH === 0 ? base : changed(base, mixed(seed, index));
  };
}

function changed(base: Case, next: () => number): Case {
  const how = Math.floor(CHANGES.length * next());
  const result = CHANGES[how](base, next);
  // Now and then two at once.
  return next() < 0.1
    ? { ...base, ...CHANGES[Math.floor(CHANGES.length * next())](result, next) }
    : { ...base, ...result };
}

type Change = (from: Payload, next: () => number) => Payload;

const below = (next: () => number, limit: number) => Math.floor(limit * next());

function flipped({ n, bytes }: Payload, next: () => number): Payload {
  const copy = bytes.slice();
  for (let i = next() < 0.7 ? 1 : 3; i > 0; i--) copy[below(next, copy.length)] ^= 1 << below(next, 8);
  return { n, bytes: copy };
}

function replaced({ n, bytes }: Payload, next: () => number): Payload {
  const copy = bytes.slice();
  copy[below(next, copy.length)] = next() < 0.3 ? [0, 1, 127, 128, 255][below(next, 5)] : below(next, 256);
  return { n, bytes: copy };
}

/** Heads and tables lie at the beginning. */
function replacedEarly({ n, bytes }: Payload, next: () => number): Payload {
  const copy = bytes.slice();
  copy[below(next, Math.min(12, copy.length))] = next() < 0.5 ? below(next, 8) : below(next, 256);
  return { n, bytes: copy };
}

function cut({ n, bytes }: Payload, next: () => number): Payload {
  const most = next() < 0.5 ? Math.min(3, bytes.length) : bytes.length;
  return { n, bytes: bytes.slice(0, bytes.length - below(next, most + 1)) };
}

function extended({ n, bytes }: Payload, next: () => number): Payload {
  const copy = new Uint8Array(bytes.length + 1 + below(next, 4));
  copy.set(bytes);
  if (next() < 0.5) copy[copy.length - 1] = below(next, 256);
  return { n, bytes: copy };
}

function otherCount({ n, bytes }: Payload, next: () => number): Payload {
  const counts = [n + 1, n - 1, n + 1 + below(next, 9), n - 1 - below(next, 9), 1 + below(next, 2 * n)];
  return { n: Math.max(1, counts[below(next, counts.length)]), bytes };
}

/** A piece of it moved to another place of it. */
function spliced({ n, bytes }: Payload, next: () => number): Payload {
  const copy = bytes.slice();
  const from = below(next, bytes.length);
  copy.copyWithin(below(next, bytes.length), from, from + 1 + below(next, 40));
  return { n, bytes: copy };
}

function rubbishFrom({ n, bytes }: Payload, next: () => number): Payload {
  const copy = bytes.slice();
  for (let i = below(next, copy.length); i < copy.length; i++) copy[i] = below(next, 256);
  return { n, bytes: copy };
}

function rubbish({ n }: Payload, next: () => number): Payload {
  const bytes = new Uint8Array(below(next, 80)).map(() => (next() < 0.3 ? below(next, 6) : below(next, 256)));
  return { n: Math.min(n, 300), bytes };
}

const CHANGES: Change[] = [
  flipped,
  flipped,
  replaced,
  replacedEarly,
  cut,
  extended,
  otherCount,
  spliced,
  rubbishFrom,
  rubbish,
];
