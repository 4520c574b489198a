import type { SliceOptions } from "../bytes.ts";
import { onAbort } from "./abort.ts";
import { download } from "./download.ts";
import { type Flow, type FlowHooks, flow } from "./flow.ts";
import type { Link } from "./request.ts";
import type { Span } from "./window.ts";

// Ranges of a file that are under way, of which only so many are open at once.

/** The largest gap that is cheaper to skip than to ask anew behind it. Bytes. */
export const LARGEST_GAP = 1 << 20;

export interface RunOptions {
  /** Ends it. Without `shared`, only reads of this signal join it. */
  readonly signal?: AbortSignal | undefined;
  /** For the reads of all. */
  readonly shared?: boolean;
  readonly fresh?: boolean | undefined;
  /** Bytes to keep from the start. */
  readonly keep?: number;
  readonly learn?: FlowHooks["learn"];
  readonly over?: (error: unknown) => void;
}

interface Run extends RunOptions {
  readonly flow: Flow;
}

export interface Runs {
  open(span: Span, options: RunOptions): Flow;
  /** The run that bytes [start, end) can come with. */
  find(start: number, end: number, options: SliceOptions): Flow | undefined;
  stop(error: unknown): void;
}

/**
 * @param most - runs open at once; others wait in order, and one that nobody waits for makes place
 * @param idle - milliseconds after which a run that nobody waits for ends
 * @param failed - hears why a run ended, if not with its last byte
 */
export function runsOf(link: Link, most: number, idle: number, failed: (error: unknown) => void): Runs {
  const runs = new Set<Run>();
  const places = placesFor(most, () => [...runs].find(({ flow }) => !flow.busy())?.flow.stop());
  function open(span: Span, options: RunOptions): Flow {
    const { signal, shared, keep = 0, learn } = options;
    const load = download(link, span, options.fresh === true);
    const place = places();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const off = onAbort(shared ? undefined : signal, () => run.flow.stop(signal?.reason));
    const hooks: FlowHooks = {
      learn,
      async next(_, most) {
        clearTimeout(timer);
        await place.enter();
        return load.next(most);
      },
      rest(aborted) {
        clearTimeout(timer);
        if (aborted || place.sought()) return run.flow.stop();
        timer = setTimeout(() => run.flow.stop(), idle);
        // Not a reason for a Node process to live on.
        (timer as { unref?: () => void }).unref?.();
      },
      over(error) {
        clearTimeout(timer);
        off();
        runs.delete(run);
        load.stop();
        place.leave();
        options.over?.(error);
        if (error !== undefined) failed(error);
      },
    };
    const run: Run = { ...options, flow: flow(span, keep, hooks) };
    runs.add(run);
    return run.flow;
  }
  function find(start: number, end: number, { signal }: SliceOptions): Flow | undefined {
    const fits = ({ flow, shared, signal: own }: Run) =>
      flow.reach(start) >= end && (link.whole || start - flow.asked() <= LARGEST_GAP) && (shared || own === signal);
    return [...runs].find(fits)?.flow;
  }
  function stop(error: unknown): void {
    for (const run of runs) run.flow.stop(error);
  }
  return { open, find, stop };
}

/** So many places, taken in the order of asking. @param free - frees one, if that can be done at once */
function placesFor(most: number, free: () => void) {
  const waiting: (() => void)[] = [];
  let taken = 0;
  return () => {
    let [mine, left] = [false, false];
    function leave(): void {
      left = true;
      if (!mine) return;
      const next = waiting.shift();
      if (next) next();
      else taken--;
    }
    return {
      /** Resolves when the place is there, or was left. Asked again, it stays. */
      async enter(): Promise<void> {
        if (mine) return;
        if (taken >= most) free();
        if (taken < most) taken++;
        else await new Promise<void>((resolve) => waiting.push(resolve));
        mine = true;
        if (left) leave();
      },
      leave,
      /** Whether others wait for one. */
      sought: () => waiting.length > 0,
    };
  };
}
