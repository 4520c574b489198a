import type { Cases } from "../cases.ts";
import { decodeFiles } from "./files.ts";

declare const CASES: Cases;

const text = await decodeFiles(CASES.files).then(JSON.stringify, (error: unknown) =>
  JSON.stringify({ error: `${error}` }),
);
document.title = text;
