// Puts build/quern.<build>.wasm where the package finds it: as base64 text in src/embedded/<build>.ts, because every bundler
// and policy takes a string, and as a file in dist/ for those who compile it themselves.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { deflateRawSync } from "node:zlib";

// tsc fills dist/ anew after this; what an older build left there would be packed.
rmSync("dist", { recursive: true, force: true });
mkdirSync("src/embedded", { recursive: true });
mkdirSync("dist", { recursive: true });
for (const build of ["simd", "scalar", "read"]) {
  const file = `quern.${build}.wasm`;
  const bytes = readFileSync(`build/${file}`);
  // What every page loads is deflated first: base64 hides from a server's compression what repeats.
  const text = (build === "read" ? deflateRawSync(bytes, { level: 9 }) : bytes).toString("base64");
  writeFileSync(`src/embedded/${build}.ts`, `export default "${text}";\n`);
  copyFileSync(`build/${file}`, `dist/${file}`);
}
