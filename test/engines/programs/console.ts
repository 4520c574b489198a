import type { Cases } from "../cases.ts";
import { decodeFiles } from "./files.ts";

// For engines with a console, pages too: prints what whole files decode to.

declare const CASES: Cases;

console.log(JSON.stringify(await decodeFiles(CASES.files)));
