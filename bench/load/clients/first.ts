// The time to one tensor: the first of a stream, or one by its name.
import { open } from "../../../src/read.ts";
import { args, report, times, warm } from "./report.ts";

const { url, name, repeat } = args<{ url: string; name: string | null; repeat: number }>();
await warm(url);
const ms = await times(repeat, async () => {
  const file = await open(url, { request: { first: name === null ? Infinity : undefined } });
  const tensor = name === null ? (await file.stream().next()).value : await file.tensor(name);
  const { length } = tensor.data;
  file.close();
  return length;
});
report({ ms });
