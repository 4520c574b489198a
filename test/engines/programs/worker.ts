import type { Cases } from "../cases.ts";
import { decodeFiles } from "./files.ts";
// @ts-expect-error: workerd gives a compiled module, which it may not be made from bytes later
import module from "./quern.simd.wasm";

declare const CASES: Cases;

export default {
  async fetch(): Promise<Response> {
    const given = await decodeFiles(CASES.files, { tier: "simd", module });
    const own = await decodeFiles(CASES.files);
    const refused = await decodeFiles(CASES.files, { tier: "simd" }).then(() => "compiled", String);
    return Response.json({ given, own, refused });
  },
};
