// One choice for each row of a table, so that losses add up to the least while costs stay within limits: a knapsack with several choices for each item.

export interface Choice {
  /** Adds to the others. Infinite or NaN: it cannot be chosen. */
  readonly loss: number;
  readonly bytes: number;
  /** Default: 0 */
  readonly ms?: number | undefined;
}

export interface Most {
  readonly bytes?: number | undefined;
  readonly ms?: number | undefined;
}

export interface Solution {
  /** An index for each row. */
  readonly choices: readonly number[];
  readonly loss: number;
  readonly bytes: number;
  readonly ms: number;
}

/** What the first rows cost with some choices. */
interface State {
  readonly loss: number;
  readonly bytes: number;
  readonly ms: number;
  readonly choice: number;
  readonly before: State | null;
}

/** States that are kept after a row. */
const STATES = 4096;

/**
 * Row by row, states that another one beats in loss and in costs are left out (Nemhauser and Ullmann, Management Science 15, 1969). Exact while no more
 * than `states` are left; then those of least loss in as many intervals of costs are kept, and single choices are mended in the end. A state has the
 * costs of its choices, so limits hold whatever is left out. The same table always gives the same choices.
 * @returns null if no choices keep the limits
 */
export function solve(
  rows: readonly (readonly Choice[])[],
  { bytes = Number.POSITIVE_INFINITY, ms = Number.POSITIVE_INFINITY }: Most,
  states = STATES,
): Solution | null {
  const least = rest(rows);
  let kept: State[] = [{ loss: 0, bytes: 0, ms: 0, choice: -1, before: null }];
  let thin = false;
  for (const [i, row] of rows.entries()) {
    const behind = least[i + 1] as { bytes: number; ms: number };
    const next: State[] = [];
    for (const before of kept) {
      for (const [choice, one] of row.entries()) {
        const state = { ...sum(before, one), choice, before };
        if (!Number.isFinite(state.loss)) continue;
        if (state.bytes + behind.bytes <= bytes && state.ms + behind.ms <= ms) next.push(state);
      }
    }
    const found = undominated(next);
    thin ||= found.length > states;
    kept = found.length > states ? thinned(found, states) : found;
  }
  const best = kept.reduce<State | null>((a, b) => (a && a.loss <= b.loss ? a : b), null);
  if (!best) return null;
  const choices = choicesOf(best);
  return costsOf(rows, thin ? mended(rows, choices, { bytes, ms }) : choices);
}

/** What rows with these choices come to. */
export function costsOf(rows: readonly (readonly Choice[])[], choices: readonly number[]): Solution {
  const chosen = rows.map((row, i) => row[choices[i] as number] as Choice);
  return { choices, ...chosen.reduce<Sum>(sum, { loss: 0, bytes: 0, ms: 0 }) };
}

type Sum = Required<Omit<Solution, "choices">>;

function sum(a: Sum, { loss, bytes, ms = 0 }: Choice): Sum {
  return { loss: a.loss + loss, bytes: a.bytes + bytes, ms: a.ms + ms };
}

/** The least that each row and those behind it cost. */
function rest(rows: readonly (readonly Choice[])[]): { bytes: number; ms: number }[] {
  const least = [{ bytes: 0, ms: 0 }];
  for (const row of [...rows].reverse()) {
    const [last] = least as [{ bytes: number; ms: number }];
    const able = row.filter(({ loss }) => Number.isFinite(loss));
    const bytes = last.bytes + Math.min(...able.map((one) => one.bytes));
    least.unshift({ bytes, ms: last.ms + Math.min(...able.map(({ ms = 0 }) => ms)) });
  }
  return least;
}

/** In the order of their bytes. */
function undominated(states: State[]): State[] {
  states.sort((a, b) => a.bytes - b.bytes || a.ms - b.ms || a.loss - b.loss);
  // Of those before: ms rise, losses fall.
  const stairs: State[] = [];
  return states.filter((state) => {
    let [low, high] = [0, stairs.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((stairs[middle] as State).ms <= state.ms) low = middle + 1;
      else high = middle;
    }
    if (low > 0 && (stairs[low - 1] as State).loss <= state.loss) return false;
    const start = low > 0 && (stairs[low - 1] as State).ms === state.ms ? low - 1 : low;
    let end = low;
    while (end < stairs.length && (stairs[end] as State).loss >= state.loss) end++;
    stairs.splice(start, end - start, state);
    return true;
  });
}

function thinned(states: readonly State[], count: number): State[] {
  const [first, last] = [states[0] as State, states[states.length - 1] as State];
  const slow = states.reduce((most, { ms }) => Math.max(most, ms), 0);
  const quick = states.reduce((least, { ms }) => Math.min(least, ms), slow);
  // Where times differ, both costs have the root of the count.
  const sides = slow > quick ? Math.floor(Math.sqrt(count)) : count;
  const cell = (x: number, least: number, most: number): number =>
    most > least ? Math.min(Math.floor(((x - least) / (most - least)) * sides), sides - 1) : 0;
  const best = new Map<number, State>();
  for (const state of states) {
    const at = cell(state.bytes, first.bytes, last.bytes) * sides + cell(state.ms, quick, slow);
    const known = best.get(at);
    if (!known || state.loss < known.loss) best.set(at, state);
  }
  return [...best.values()];
}

function choicesOf(state: State): number[] {
  const choices: number[] = [];
  for (let at: State = state; at.before; at = at.before) choices.unshift(at.choice);
  return choices;
}

// Single changes that fit and lose less, the best first, until there is none.
function mended(rows: readonly (readonly Choice[])[], choices: number[], most: Required<Most>): number[] {
  for (;;) {
    const now = costsOf(rows, choices);
    let best = { gain: 0, row: -1, choice: -1 };
    for (const [row, all] of rows.entries()) {
      const own = all[choices[row] as number] as Choice;
      for (const [choice, one] of all.entries()) {
        const gain = own.loss - one.loss;
        const fits =
          now.bytes - own.bytes + one.bytes <= (most.bytes as number) &&
          now.ms - (own.ms ?? 0) + (one.ms ?? 0) <= (most.ms as number);
        if (fits && gain > best.gain) best = { gain, row, choice };
      }
    }
    if (best.row < 0) return choices;
    choices = choices.map((choice, i) => (i === best.row ? best.choice : choice));
  }
}
