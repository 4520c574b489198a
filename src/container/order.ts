import { linkedTo } from "./linked.ts";

/**
 * Results of jobs in order, with jobs begun and not yet taken until there are `ahead`. An error comes at the place of its job, after the
 * results before it. Jobs that are under way when this ends are aborted by the signal they were given.
 */
export async function* inOrder<J, R>(
  jobs: Iterable<J> | AsyncIterable<J>,
  ahead: number,
  signal: AbortSignal | undefined,
  run: (job: J, signal: AbortSignal | undefined) => Promise<R>,
): AsyncGenerator<R> {
  const stop = linkedTo(signal);
  const source = Symbol.asyncIterator in jobs ? jobs[Symbol.asyncIterator]() : jobs[Symbol.iterator]();
  const begun: Promise<R>[] = [];
  const begin = (result: Promise<R>): void => {
    // It is awaited later, or never.
    result.catch(() => {});
    begun.push(result);
  };
  const beginNext = async (): Promise<boolean> => {
    try {
      const next = await source.next();
      if (!next.done) begin(run(next.value, stop.signal));
      return !next.done;
    } catch (error) {
      begin(Promise.reject(error));
      return false;
    }
  };
  const oldest = async (): Promise<R> => {
    const value = await (begun.shift() as Promise<R>);
    signal?.throwIfAborted();
    return value;
  };
  try {
    while (await beginNext()) while (begun.length >= ahead) yield await oldest();
    while (begun.length > 0) yield await oldest();
  } finally {
    stop.end();
    await source.return?.();
  }
}
