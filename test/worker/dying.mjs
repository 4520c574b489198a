// A worker that dies with the second chunk of a tensor named "exit FILE", "crash FILE" or "hang FILE": once, leaving the file as
// a mark, or every time if FILE is "-".
import { existsSync, writeFileSync } from "node:fs";
import work from "./source.mjs";

export default async function (task) {
  const { layout, input, span } = { ...task.span, ...task };
  const [, how, file] = /^(exit|crash|hang) (.+)$/.exec(layout.tensor.name) ?? [];
  if (how && (input?.index ?? span.first) === 1 && !existsSync(file)) {
    if (file !== "-") writeFileSync(file, "");
    if (how === "exit") process.exit(3);
    if (how === "crash") setTimeout(() => Promise.reject(new Error("an uncaught error")));
    await new Promise(() => {});
  }
  return work(task);
}
