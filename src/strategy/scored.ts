// The table score[tensor][choice] as a ledger has it.

/** What steps for one tensor cost and do. */
export interface Scored {
  readonly steps: string;
  /** Of the tensor by itself; null: not known. */
  readonly bytes: number | null;
  /** Of the model where nothing else is changed; null: it is infinite. */
  readonly loss: number | null;
}

interface Line {
  readonly kind?: string;
  readonly key?: string;
  readonly value?: unknown;
}

/** By tensor, then by bytes. @param text - lines of a ledger, the whole of it or its begin */
export function scoredIn(text: string): ReadonlyMap<string, readonly Scored[]> {
  const lines = text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .slice(1, -1);
  const entries = lines.map((line) => JSON.parse(line) as Line);
  const bytes = new Map<string, number>();
  for (const { kind, key = "", value } of entries)
    if (kind === "bytes" && typeof value === "number") bytes.set(idOf(key), value);
  const found = new Map<string, Scored[]>();
  for (const { kind, key = "", value } of entries) {
    if (kind !== "score") continue;
    const [about, tensor = "", steps = ""] = partsOf(key);
    // Around a compressed model losses are no longer those of one tensor alone.
    if (about !== "") continue;
    const loss = typeof value === "number" ? value : null;
    found.set(tensor, [...(found.get(tensor) ?? []), { steps, loss, bytes: bytes.get(idOf(key)) ?? null }]);
  }
  const size = (one: Scored): number => one.bytes ?? Number.POSITIVE_INFINITY;
  const difference = (a: Scored, b: Scored): number => (size(a) === size(b) ? 0 : size(a) - size(b));
  for (const choices of found.values()) choices.sort((a, b) => difference(a, b) || (a.steps < b.steps ? -1 : 1));
  return found;
}

/** The same for the kinds: what a tensor takes under steps does not depend on how it is run. */
function idOf(key: string): string {
  return JSON.stringify(partsOf(key).slice(1));
}

function partsOf(key: string): string[] {
  const parts: unknown = JSON.parse(key);
  return Array.isArray(parts) ? parts.map(String) : [];
}
