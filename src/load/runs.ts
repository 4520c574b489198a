import type { SliceOptions } from "../bytes.ts";
import { onAbort } from "./abort.ts";
import { download } from "./download.ts";
import { type Flow, type FlowHooks, flow, type Span } from "./flow.ts";
import type { Link } from "./request.ts";

// Ranges of a file that are under way, of which only so many are open at once.

/** The largest gap that is cheaper to skip than to ask anew behind it. Bytes. */
const LARGEST_GAP = 1 << 20;

export interface RunOptions {
  /** Ends it. Without `shared`, only reads of this signal join it. */
  readonly signal?: AbortSignal | undefined;
  /** For the reads of all. */
  readonly shared?: boolean;
  readonly fresh?: boolean | undefined;
  /** Bytes to keep from the start. */
  readonly keep?: number;
  readonly learn?: NonNullable<FlowHooks["learn"]>;
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
  const waiting: (() => void)[] = [];
  let open = 0;

  async function place(): Promise<void> {
    if (open >= most) [...runs].find((run) => !run.flow.busy())?.flow.stop();
    if (open < most) open++;
    else await new Promise<void>((resolve) => waiting.push(resolve));
  }

  function leave(): void {
    const next = waiting.shift();
    if (next) next();
    else open--;
  }

  function start(span: Span, options: RunOptions): Flow {
    const { signal, shared, keep = 0, learn } = options;
    const load = download(link, span, options.fresh === true);
    let timer: ReturnType<typeof setTimeout> | undefined;
    let [placed, over] = [false, false];
    const off = onAbort(shared ? undefined : signal, () => run.flow.stop(signal?.reason));
    const hooks: FlowHooks = {
      async next() {
        clearTimeout(timer);
        if (!placed) {
          await place();
          placed = true;
          if (over) leave();
        }
        return over ? undefined : load.next();
      },
      rest(aborted) {
        clearTimeout(timer);
        if (waiting.length > 0 || aborted) return run.flow.stop();
        timer = setTimeout(() => run.flow.stop(), idle);
        // Not a reason for a Node process to live on.
        (timer as { unref?: () => void }).unref?.();
      },
      over(error) {
        over = true;
        clearTimeout(timer);
        off();
        runs.delete(run);
        load.stop();
        if (placed) leave();
        options.over?.(error);
        if (error !== undefined) failed(error);
      },
      ...(learn && { learn }),
    };
    const run: Run = { ...options, flow: flow(span, keep, hooks) };
    runs.add(run);
    return run.flow;
  }

  return {
    open: start,
    find(start, end, { signal }) {
      const fits = ({ flow, shared, signal: own }: Run) =>
        flow.reach(start) >= end && (shared || (own === signal && start - flow.asked() <= LARGEST_GAP));
      return [...runs].find(fits)?.flow;
    },
    stop(error) {
      for (const run of runs) run.flow.stop(error);
    },
  };
}
