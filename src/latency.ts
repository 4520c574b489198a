// The entry quern/latency: environments, and how long units take in them.
export { type DetectOptions, detectEnvironment } from "./latency/detect.ts";
export {
  type Environment,
  environmentId,
  type Facts,
  newEnvironment,
  parseEnvironment,
  printEnvironment,
  type RuntimeName,
} from "./latency/environment.ts";
export { type LineOptions, measureLine } from "./latency/line.ts";
export { environmentLine, FIRST_LINE, type LinesOptions, parseLines, printLines, rowLine } from "./latency/lines.ts";
export type { Latency } from "./latency/pool.ts";
export type { Row, UnitAttributes, UnitKey } from "./latency/row.ts";
export { FEATURES, type Feature, type Support, supports } from "./latency/support.ts";
export {
  addEnvironment,
  addRow,
  type LatencyTable,
  latencies,
  lookup,
  mergeTables,
  newTable,
  rowsOf,
  type Where,
} from "./latency/table.ts";
