import { type Grouping, type GroupRule, groupChannels } from "../src/activations/groups.ts";
import type { Trial } from "../src/activations/search.ts";
import type { Evaluation } from "../src/evaluate.ts";
import type { Figure } from "../src/loss/sums.ts";
import type { Report } from "../src/report/report.ts";
import type { ReportedPlan, ReportedUnit } from "../src/report/smoothing.ts";
import { random } from "./random.ts";

// Findings as they could be, for pages.

export function figureOf(value: number, wide = 0.1): Figure {
  return { value, low: value - wide * Math.abs(value), high: value + wide * Math.abs(value) };
}

export function evaluationOf(names: readonly string[]): Evaluation {
  return {
    ...{ runtime: "onnxruntime-web 1.30.0", model: "transformer", output: "logits", seed: 1, kind: "classes" },
    ...{ samples: 1200, notFinite: 0, loss: figureOf(0.02) },
    figures: {
      top1Original: figureOf(0.763, 0.02),
      top1Compressed: figureOf(0.741, 0.02),
      top1Change: { value: -0.022, low: -0.031, high: -0.012 },
      kl: figureOf(0.0252),
      mse: figureOf(0.002),
      snr: figureOf(24.3),
    },
    units: names.map((name, i) => ({
      ...{ name, type: "dense", weight: `${name}.weight`, bytes: 16384 + i, macs: 4096, notFinite: 0 },
      ...{ mse: figureOf(0.01), snr: figureOf(15 + ((7 * i) % 30)) },
    })),
  };
}

const RULES: readonly GroupRule[] = ["threshold", "bands", "clusters"];

export function planOf(names: readonly string[], channels: number): ReportedPlan {
  // Grouping takes long: the findings are those of a few units in turn.
  const found = names.slice(0, 4).map((name, i) => unitOf(name, channels, random(i + 1)));
  const units = names.map((unit, i) => ({ ...(found[i % found.length] as ReportedUnit), unit }));
  return { units, losses: { none: 0.004, factors: 0.0015, taken: 0.0015 } };
}

/** The same, with the factors of one value folded. */
export function foldedOf(names: readonly string[], channels: number): ReportedPlan {
  const plan = planOf(names, channels);
  const folds = plan.units.slice(0, 1).map(({ unit, search, factors }) => ({
    ...{ maker: unit, users: names.slice(0, 3), search },
    factors: factors ?? [],
  }));
  return { ...plan, folds };
}

/** A unit with outliers among its channels, and as many sets as a search may try. */
function unitOf(unit: string, channels: number, next: () => number): ReportedUnit {
  const activations = Float32Array.from({ length: channels }, () => (0.2 + next()) * (next() < 0.1 ? 20 : 1));
  const weights = Float32Array.from({ length: channels }, () => 0.05 + 0.3 * next());
  const factors = activations.map((a, i) => a ** 0.7 / (weights[i] as number) ** 0.3);
  const groupings = RULES.map((rule) => groupChannels(activations, rule));
  const trials: Trial[] = [{ rule: "none", alphas: [], loss: 0.01 }];
  for (let k = 0; k < 9; k++) trials.push({ rule: "one", alphas: [0.1 * k], loss: 0.004 + 0.01 * next() });
  for (let k = 0; k < 30; k++) {
    const { rule, magnitudes } = groupings[k % 3] as Grouping;
    const alphas = magnitudes.map((_, group) => (group === 0 && k % 2 ? null : Math.round(1e4 * next()) / 1e4));
    trials.push({ rule, alphas, loss: 0.003 + 0.004 * next() });
  }
  const least = trials.reduce((a, b) => (b.loss < a.loss ? b : a));
  const grouping = groupings.find(({ rule }) => rule === least.rule) ?? groupChannels(activations, "one");
  return {
    unit,
    weight: {
      ...{ name: `${unit}.weight`, shape: [channels, 64] },
      ...{ inputAxis: 0, outputAxis: 1, channelAxis: -1 },
    },
    maxima: { activations, weights },
    search: {
      ...{ best: { grouping, alphas: least.alphas }, loss: least.loss, none: 0.01 },
      ...{ single: { alpha: 0.5, loss: 0.0042 }, trials },
    },
    factors,
    codes: { scale: 0.0123, zeroPoint: -3, least: -128, most: 127 },
  };
}

export function reportOf(names: readonly string[], channels = 64): Report {
  const scores = Array.from({ length: 13 }, (_, i) => ({
    loss: 0.4 + Math.exp(-i / 3) + 0.01 * Math.abs(i - 9),
    accuracy: 0.92 - 0.4 * Math.exp(-i / 3),
  }));
  return {
    title: names[0] ?? "m",
    facts: names.map((name) => ["model", name]),
    bytes: { before: 1_081_912, after: 277_413 },
    evaluation: evaluationOf(names),
    plan: planOf(names, channels),
    tuning: { scores, best: 9, early: true, original: { loss: 0.35, accuracy: 0.94 } },
  };
}
