// One listener for each signal: a Node process warns at the eleventh, and as many reads may have the same.

const heard = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `call` when the signal aborts, unless the function that it returns was called before. */
export function onAbort(signal: AbortSignal | undefined, call: () => void): () => void {
  if (!signal) return () => {};
  let calls = heard.get(signal);
  if (!calls) {
    const all = new Set<() => void>();
    signal.addEventListener("abort", () => {
      for (const one of all) one();
    });
    heard.set(signal, all);
    calls = all;
  }
  const own = () => call();
  calls.add(own);
  return () => calls.delete(own);
}
