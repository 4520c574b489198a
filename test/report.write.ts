import type { ReportedChoice } from "../src/report/choice/points.ts";
import { reportPage } from "../src/report/report.ts";
import { HOSTILE } from "./names.ts";
import { choiceOf, expectedOf } from "./report.choice.ts";
import { foldedOf, reportOf } from "./report.data.ts";

// Pages for test/browser, by name, as JSON on stdout.

const units = Array.from({ length: 5 }, (_, i) => `layers.${i}.attention.query`);
const many = Array.from({ length: 200 }, (_, i) => `model.layers.${i}.attention.output.dense`);
const hostile = [...HOSTILE, "a_name_without_any_place_to_break_".repeat(8)];
const chosen = {
  title: "doodlenet",
  bytes: { before: 1_081_912, after: 240_117 },
  facts: [["goal", "latency"]] as const,
};

/** Every text is a name that a model may have, or may be as long as it likes. */
function hostileChoice(): ReportedChoice {
  const choice = choiceOf(8, hostile);
  const nameOf = (i: number): string => `${hostile[i % hostile.length]} ${i}`;
  const trials = choice.answer.trials.map((trial, i) => ({ ...trial, plan: nameOf(i), load: null }));
  const rejected = choice.answer.rejected.map((_, i) => ({ candidate: nameOf(i + 50), reason: nameOf(i % 3) }));
  const expected = expectedOf(trials, 4).map((one, i) => ({ ...one, plan: nameOf(i) }));
  const plan = hostile.join("=lossless; ");
  return { ...choice, expected, answer: { ...choice.answer, plan, reason: plan, trials, rejected } };
}

const pages = {
  whole: reportPage({ ...reportOf(units, 172), plan: foldedOf(units, 172) }),
  hostile: reportPage({ ...reportOf(hostile), plan: foldedOf(hostile, 64) }),
  many: reportPage({ ...reportOf(many, 1024), facts: [] }),
  choice: reportPage({ ...chosen, choice: choiceOf(14, units) }),
  "choice hostile": reportPage({ title: hostile[0] as string, choice: hostileChoice() }),
  "choice many": reportPage({ ...chosen, choice: choiceOf(200, many) }),
  nothing: reportPage({ title: "nothing" }),
};
process.stdout.write(JSON.stringify(pages));
