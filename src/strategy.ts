// The entry quern/strategy: which compression is chosen for a place, and why.
export type { Answer, TrialReport } from "./strategy/answer.ts";
export { type Candidate, parseCandidate, printCandidate } from "./strategy/candidate.ts";
export { compress } from "./strategy/compress.ts";
export { type Candidates, candidatesOf, type Excluded } from "./strategy/filter.ts";
export type { Comparing, Goal, Limits, Progress } from "./strategy/job.ts";
export type { LedgerPlace } from "./strategy/ledger.ts";
export type { LimitName, Met } from "./strategy/limits.ts";
export { presetSpace } from "./strategy/presets.ts";
export { DEFAULT_PRIORITY } from "./strategy/prior.ts";
export { type Priority, type PriorityEntry, parsePriority, printPriority } from "./strategy/priority.ts";
export type { Budget, CompressOptions, CompressSettings } from "./strategy/settings.ts";
export { type Choice, type Most, type Solution, solve } from "./strategy/solve.ts";
export { expandPlan } from "./strategy/space.ts";
