// The entry quern/calibrate: models in integers, with grouped smoothing.
export { type Channels, channelsOf } from "./activations/channels.ts";
export type { Hardware } from "./activations/coefficients.ts";
export type { Folded } from "./activations/fold.ts";
export { type FoldedPlan, planFolded } from "./activations/folded.ts";
export type { GroupRule } from "./activations/groups.ts";
export { editsOf, type ModelLosses, type ModelPlan, type PlanOptions, planModel } from "./activations/model.ts";
export { type PackedInput, type Packing, packingOf } from "./activations/pack.ts";
export { activationCodes, type RangeMethod } from "./activations/ranges.ts";
export type { SearchResult, Trial } from "./activations/search.ts";
export type { UnitPlan } from "./activations/unit.ts";
