// Puts build/quern.<build>.wasm where the package finds it: as base64 text in src/embedded/<build>.ts, because every bundler
// and policy takes a string, and as a file in dist/ for those who compile it themselves.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import zopfli from "@gfx/zopfli";

// tsc fills dist/ anew after this; what an older build left there would be packed.
rmSync("dist", { recursive: true, force: true });
mkdirSync("src/embedded", { recursive: true });
mkdirSync("dist", { recursive: true });
for (const build of ["simd", "scalar", "read", "core"]) {
  const file = `quern.${build}.wasm`;
  const bytes = readFileSync(`build/${file}`);
  // What pages load is deflated first: base64 hides from a server's compression what repeats. Zopfli takes 4 % less than zlib.
  const page = build === "read" || build === "core";
  const text = Buffer.from(page ? await zopfli.deflateAsync(bytes, { numiterations: 100 }) : bytes).toString("base64");
  writeFileSync(`src/embedded/${build}.ts`, `export default "${text}";\n`);
  // Core kernels are of no use but to the reader that loads them.
  if (build !== "core") copyFileSync(`build/${file}`, `dist/${file}`);
}
