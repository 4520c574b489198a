// The worker of src/node as it is in the source, for threads that know no TypeScript.
import { register } from "tsx/esm/api";

register();
const { default: work } = await import("../../src/node/worker.ts");

export default work;
