import type { IndexEntry, LoadProgress, ProgressListener, Share } from "../read.ts";

// Several calls that load, told as one.

const KEYS = ["stored", "verified", "decoded", "tensors"] as const;
type Counts = Record<(typeof KEYS)[number], number>;

const counts = (of: (key: keyof Counts) => number): Counts => ({
  stored: of("stored"),
  verified: of("verified"),
  decoded: of("decoded"),
  tensors: of("tensors"),
});

/**
 * Listeners for calls that load these tensors one after the other. The totals are those of the index, in which tensors that share a chunk have
 * their shares of it, whichever of them it comes with; of these each call tells how far it is.
 * @param header - bytes of the header, which every call counts, and which come once
 */
export function progressOfRuns(
  header: number,
  runs: readonly (readonly IndexEntry[])[],
  listener: ProgressListener | undefined,
): ProgressListener[] {
  if (!listener || runs.length < 2) return runs.map(() => listener ?? (() => {}));
  const heads = counts((key) => (key === "stored" || key === "verified" ? header : 0));
  const loads = runs.map((entries) => {
    const stored = entries.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
    const decoded = entries.reduce((sum, { decodedBytes }) => sum + decodedBytes, 0);
    return { stored, verified: stored, decoded, tensors: entries.length };
  });
  const upTo = (run: number): Counts =>
    counts((key) => loads.slice(0, run).reduce((sum, load) => sum + load[key], heads[key]));
  const total = upTo(runs.length);
  const sum = ({ stored, verified, decoded }: Counts): number => stored + verified + decoded;
  return loads.map((load, run) => {
    const before = upTo(run);
    return (progress) => {
      const done = counts((key) => before[key] + Math.floor(load[key] * partOf(progress, key, heads[key])));
      const share = (key: keyof Counts): Share => ({ done: done[key], total: total[key] });
      const fraction = sum(done) / sum(total);
      const [stored, verified, decoded, tensors] = KEYS.map(share) as [Share, Share, Share, Share];
      listener({ fraction, stored, verified, decoded, tensors });
    };
  });
}

function partOf(progress: LoadProgress, key: keyof Counts, head: number): number {
  const { done, total } = progress[key];
  return total > head ? (done - head) / (total - head) : 0;
}
