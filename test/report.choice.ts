import type { ReportedChoice } from "../src/report/choice/points.ts";
import type { TrialReport } from "../src/strategy/answer.ts";
import type { Expectation, Layer } from "../src/strategy/outline.ts";
import { random } from "./random.ts";

// Answers of compress as they could be, for pages.

const STEPS = ["int8 channel > auto", "int4 group 32 > auto", "int8 snr 25dB > auto", "lossless", "prune 0.5 > int8"];
const RUNS = ["", " @ int8", " @ w8"];

export function trialOf(own: Partial<TrialReport> = {}): TrialReport {
  return {
    ...{ plan: "int8 channel > auto", from: "space", loss: 0.004, bytes: 260_000, memory: 4_200_000, ok: true },
    ...{ latency: { ms: 12, low: 9, high: 16, known: 0.6 }, load: { ms: 300, low: 280, high: 360 } },
    ...{ lost: "it loses 0.4 % in 260,000 bytes, and the answer 0.2 % in 250,000 bytes" },
    ...own,
  };
}

/** Trials that lose the less the more bytes they take, and one in five that does not. */
export function trialsOf(count: number): TrialReport[] {
  const next = random(count + 1);
  const taken = count >> 1;
  return Array.from({ length: count }, (_, i) => {
    const share = count === 1 ? 0.5 : i / (count - 1);
    const bytes = Math.round(110_000 * 4 ** share * (1 + 0.1 * next()));
    const loss = 0.06 * Math.exp(-6 * share) * (next() < 0.2 ? 4 : 1 + 0.3 * next());
    const ms = 4 + 10 * share * next() + 2 * next();
    const from = i % 3 === 2 ? "refined" : "space";
    return trialOf({
      ...{ plan: `${STEPS[i % 5]} ${i}${RUNS[i % 3]}`, from, bytes, loss, ok: loss < 0.01 },
      latency: { ms, low: ms * 0.82, high: ms * 1.24, known: 0.7 },
      load: { ms: 100 + bytes / 1000, low: 90 + bytes / 1000, high: 140 + bytes / 900 },
      ...(i === taken && { lost: null, ok: true, loss: 0.0081 }),
    });
  });
}

export function layersOf(names: readonly string[]): Layer[] {
  return names.map((tensor, i) => {
    const [elements, steps] = [(1 + (i % 4)) ** 2 * 4096, STEPS[i % 3] as string];
    const choices = STEPS.map((own, k) => {
      return { steps: own, bytes: Math.round(elements * (0.3 + 0.25 * k)), loss: 0.02 * Math.exp(-1.5 * k) };
    });
    return {
      ...{ tensor, units: [tensor], type: "dense", steps, run: "f32", elements },
      ...{ bytes: Math.round(elements * 0.8), ms: 0.3 + (i % 3), loss: 0.0001 * (1 + (i % 7)), choices },
    };
  });
}

export const REASONS: readonly (readonly [reason: string, count: number])[] = [
  [
    'the original runs there and this would not, for want of "QDQ": TensorFlow.js has no operators for quantized values: its WASM backend multiplies f32',
    6,
  ],
  ['the weight "fc" has codes of 4 bits: run it as w4', 2],
  ['the same as "int8 channel > auto" for this model', 3],
  ['"int8 channel > auto" beats it: the other is smaller (240000 to 260000 bytes), and worse in nothing', 1],
  ["its latency is at least 31 ms, and the limit is 20 ms", 1],
  ["on all samples it loses 1.04 %, and the limit is 1 %", 1],
  ["its loss is 4.2 %, and the limit is 1 %", 2],
  ["not tried: by the errors of its tensors its loss is reckoned to be about 14 %", 4],
  ["not tried: the trials were used up", 2],
  ['not tried: as good as "lossless" by latency, which goes first: nothing is lost', 1],
];

export function rejectedOf(): ReportedChoice["answer"]["rejected"] {
  return REASONS.flatMap(([reason, count], k) =>
    Array.from({ length: count }, (_, i) => ({ candidate: `${STEPS[i % 5]} reason ${k}.${i}`, reason })),
  );
}

export function expectedOf(trials: readonly TrialReport[], more: number): Expectation[] {
  const own = trials.map(({ plan, latency, load, bytes, memory }, i) => {
    return { plan, latency, load, memory, bytes: i % 4 === 1 ? Math.round(bytes * 1.004) : bytes };
  });
  const others = Array.from({ length: more }, (_, i): Expectation => {
    const ms = 5 + ((i * 7) % 17);
    const latency = { ms, low: ms * 0.8, high: ms * 1.2, known: 0.2 };
    return { plan: `other ${i}`, latency, load: null, bytes: 90_000 + 17_000 * ((i * 5) % 23), memory: 1 };
  });
  return [...own, ...others];
}

export function choiceOf(count: number, names: readonly string[] = ["a", "b"]): ReportedChoice {
  const trials = trialsOf(count);
  const taken = trials.find(({ lost }) => lost === null);
  return {
    goal: "latency",
    fileBytes: taken?.bytes ?? 1,
    answer: {
      ...{ plan: taken?.plan ?? "lossless", loss: 0.0083, trials, rejected: rejectedOf() },
      met: [
        { limit: "loss", asked: 0.01, got: 0.0083, ok: true },
        { limit: "bytes", asked: 400_000, got: taken?.bytes ?? 1, ok: true },
        { limit: "latency", asked: 8, got: taken?.latency.ms ?? 1, ok: (taken?.latency.ms ?? 1) <= 8 },
      ],
      reason: `Best for latency of what was tried in ${count} trials: loss 0.83 %, 240,000 bytes.`,
    },
    expected: expectedOf(trials, 18),
    layers: layersOf(names),
    measured: trials
      .filter((_, i) => i % 2 === 0)
      .map(({ plan, latency: { ms } }, i) => {
        const own = ms * (1 + 0.06 * ((i % 5) - 2));
        return { plan, latency: { ms: own, low: own * 0.97, high: own * 1.03 } };
      }),
  };
}
