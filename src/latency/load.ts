import { argument } from "../errors.ts";
import { type DecodeSpeed, decodeSpeed } from "./decoding.ts";
import type { Environment } from "./environment.ts";
import type { Interval, Prediction } from "./interval.ts";
import type { LatencyTable } from "./table.ts";
import { type LoadFile, type Pace, PRELUDE, simulated, slowStart } from "./timeline.ts";

export type { LoadFile };

// How long a file takes from its address to tensors, before it is there: what the loader asks for, what the line carries when, what is decoded meanwhile.

export interface LoadPlan {
  /** Bytes that the first request asks for, as open and load have it. Default: 8192, as open */
  readonly first?: number | undefined;
  /** Round trips that a new connection takes before a request can be sent: 1 over TCP, 2 with TLS 1.3. Default: 2 */
  readonly connecting?: number | undefined;
  /** Whether a connection stands before the first request. Default: false */
  readonly connected?: boolean | undefined;
}

/** `ms`: until the last tensor is there, as f32. `known` is the share of it that the line would take alone, whose speed was measured. */
export interface LoadPrediction extends Prediction {
  /** Until the first tensor is there. */
  readonly first: Interval;
  /** Bytes that are taken at most, all tensors as f32 included. */
  readonly memory: number;
}

/** A prediction, or why there is none. */
export type LoadOutcome =
  | { readonly prediction: LoadPrediction; readonly reason: null }
  | { readonly prediction: null; readonly reason: string };

const FIRST = 8192;
/** A line that was measured once carries this much more or less at another time, 9 times out of 10. */
const LINE = 1.05;
/** A round trip of it takes between a part and a multiple of what was measured: it may have been waited for behind something else. */
const TRIP = 2;

/**
 * Predicts what `open` and then `stream` take in a process that has loaded a file before: code that is compiled and run for the first time takes tens of
 * milliseconds more. The prediction takes the line to be at its speed from the first byte on; that a connection over a long way takes several round
 * trips until then is in `high` alone.
 * @param environment - with a line: bits per second, and milliseconds
 * @param decode - where rows of quern's own kernels on the same machine are looked up, or their speed
 * @throws RangeError for options that no loader has
 */
export function predictLoad(
  file: LoadFile,
  environment: Environment,
  decode: LatencyTable | DecodeSpeed,
  plan: LoadPlan = {},
): LoadOutcome {
  const { first = FIRST, connecting = 2 } = plan;
  argument(first >= PRELUDE, "first", `at least ${PRELUDE}`, first);
  argument(connecting >= 0 && Number.isFinite(connecting), "connecting", "a number from 0", connecting);
  const { bandwidth, roundTrip } = environment.line;
  if (bandwidth === null || roundTrip === null) {
    const lacks = bandwidth === null ? "bandwidth" : "round trip";
    return {
      prediction: null,
      reason: `the ${lacks} of ${environment.name} is not known: quern env --measure finds it`,
    };
  }
  const speed = "environments" in decode ? decodeSpeed(decode, environment) : decode;
  const [trip, rate] = [roundTrip, bandwidth / 8000];
  const requests = { first, connecting, connected: plan.connected ?? false };
  const at = (pace: Pace) => simulated(file, requests, speed, pace);
  const middle = at({ trip, rate, slower: 1 });
  const low = at({ trip: trip / TRIP, rate: rate * LINE, slower: 1 / speed.factor });
  const high = at({ trip: trip * TRIP, rate: rate / LINE, slower: speed.factor });
  const slow = slowStart(file.fileBytes, trip, rate);
  const interval = (of: "first" | "last"): Interval => {
    const ms = middle[of];
    // Who decodes more slowly may find a connection free that another would have opened.
    return { ms, low: Math.min(low[of], ms), high: Math.max(high[of], ms) + slow };
  };
  const alone = at({ trip, rate, slower: 0 }).last;
  const known = middle.last > 0 ? Math.min(1, alone / middle.last) : 0;
  const elements = file.tensors.reduce((sum, tensor) => sum + tensor.elements, 0);
  const memory = file.peak + 4 * elements;
  return { prediction: { ...interval("last"), known, first: interval("first"), memory }, reason: null };
}
