// Writes the frozen files anew: npx tsx test/vectors/make.ts. After 1.0.0 only for vectors that are added.
import { writeFileSync } from "node:fs";
import { loadKernels, memorySink, pack } from "../../src/index.ts";
import { exampleBytes, exampleDump } from "./example.ts";
import { expectedFile } from "./expected.ts";
import { vectors } from "./models.ts";

async function main(): Promise<void> {
  const kernels = await loadKernels({ tier: "scalar" });
  for (const vector of vectors()) {
    const sink = memorySink();
    await pack(vector.model, vector.plan, sink, { kernels });
    const place = (extension: string) => new URL(`./${vector.name}.${extension}`, import.meta.url);
    writeFileSync(place("quern"), sink.bytes());
    writeFileSync(place("json"), `${JSON.stringify(await expectedFile(vector), null, 1)}\n`);
    console.log(`${vector.name}.quern: ${sink.bytes().length} bytes`);
  }
  console.log(`\n\`\`\`hex\n${exampleDump(await exampleBytes())}\n\`\`\``);
}

await main();
