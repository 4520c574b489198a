// The entry quern/data: samples that a model is run on.
export { batches, type Split, shuffled, split } from "./data/batches.ts";
export { type CsvOptions, openCsv } from "./data/csv.ts";
export type { Batch, Dataset } from "./data/dataset.ts";
export type { ElementName } from "./data/elements.ts";
export { openPictures, type PictureFile, type PictureOptions } from "./data/images.ts";
export { type DataFiles, type DataKind, type DataOptions, type DataPart, openData } from "./data/open.ts";
export { joinedData, labelled, type Preparation, prepared } from "./data/prepare.ts";
