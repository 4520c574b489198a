// Loads all tensors of an address as f32, several times, and notes when the first and the last were there.
import { open } from "../../../src/read.ts";
import { args, report, warm } from "./report.ts";

const { url, repeat } = args<{ url: string; repeat: number }>();
await warm(url);
const [first, ms]: [number[], number[]] = [[], []];
for (let i = 0; i < repeat; i++) {
  const start = performance.now();
  const file = await open(url);
  let tensors = 0;
  for await (const _ of file.stream()) if (tensors++ === 0) first.push(performance.now() - start);
  ms.push(performance.now() - start);
  file.close();
  if (tensors !== file.index.length) throw new Error("a run without all tensors");
}
report({ first, ms });
