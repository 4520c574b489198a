import { DataError } from "../../errors.ts";
import type { OnnxSession } from "./runtime.ts";

/** Sessions of one model, for several sets of what they give. Engines may share them. */
export interface Sessions {
  /** Uses a session, made if there is none of this key. Uses follow one after the other. */
  use<T>(key: string, make: () => Promise<OnnxSession>, with_: (session: OnnxSession) => Promise<T>): Promise<T>;
  /** One more engine that has to let go. */
  share(): void;
  /** Frees the sessions when the last engine lets go. */
  release(): Promise<void>;
}

/** Each has the weights again: a run of outputs alone, one that taps all, one that taps some. */
const MOST = 3;

export function sessionPool(): Sessions {
  const open = new Map<string, OnnxSession>();
  let engines = 1;
  let last: Promise<unknown> = Promise.resolve();
  // Nothing is freed while it runs.
  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const done = last.then(task);
    last = done.catch(() => {});
    return done;
  };
  const take = async (key: string, make: () => Promise<OnnxSession>): Promise<OnnxSession> => {
    const session = open.get(key);
    open.delete(key);
    const oldest = open.size >= MOST ? open.entries().next().value : undefined;
    if (oldest) {
      open.delete(oldest[0]);
      await oldest[1].release();
    }
    const taken = session ?? (await make());
    open.set(key, taken);
    return taken;
  };
  return {
    use: (key, make, task) =>
      inTurn(async () => {
        if (engines === 0) throw new DataError("the engine is closed");
        return task(await take(key, make));
      }),
    share() {
      engines++;
    },
    release: () =>
      inTurn(async () => {
        if (--engines > 0) return;
        for (const session of open.values()) await session.release();
        open.clear();
      }),
  };
}
