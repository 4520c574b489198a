// Puts build/quern.<tier>.wasm where the package finds it: as base64 text in src/embedded/<tier>.ts, because every bundler
// and policy takes a string, and as a file in dist/ for those who compile it themselves.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

// tsc fills dist/ anew after this; what an older build left there would be packed.
rmSync("dist", { recursive: true, force: true });
mkdirSync("src/embedded", { recursive: true });
mkdirSync("dist", { recursive: true });
for (const tier of ["simd", "scalar"]) {
  const file = `quern.${tier}.wasm`;
  const text = readFileSync(`build/${file}`).toString("base64");
  writeFileSync(`src/embedded/${tier}.ts`, `export default "${text}";\n`);
  copyFileSync(`build/${file}`, `dist/${file}`);
}
