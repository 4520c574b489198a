import type { RaceChunk } from "../codes.ts";
import { byId, make, rowsOf } from "./dom.ts";
import { digits } from "./numbers.ts";
import type { Racer, RaceTold } from "./race.worker.ts";

// The race of codecs, as bars.

export function readyRace(): void {
  const button = byId<HTMLButtonElement>("race");
  const status = byId("raceStatus");
  button.addEventListener("click", async () => {
    button.disabled = true;
    status.textContent = "Fetching the codes.";
    try {
      const result = await run((text) => {
        status.textContent = text;
      });
      draw(result.racers, result.decoded);
      status.textContent = verdict(result.racers, result.turns);
    } catch (error) {
      status.textContent = `The race failed: ${error}`;
    }
    button.disabled = false;
  });
}

async function run(tell: (text: string) => void): Promise<Extract<RaceTold, { kind: "over" }>> {
  const [{ chunks }, bytes] = await Promise.all([
    fetch("/codes.json").then((answer) => answer.json() as Promise<{ chunks: RaceChunk[] }>),
    fetch("/codes.bin").then((answer) => answer.arrayBuffer()),
  ]);
  tell("Comparing what the codecs give.");
  const worker = new Worker("/race.worker.js", { type: "module" });
  try {
    return await new Promise((resolve, reject) => {
      worker.onerror = ({ message }) => reject(new Error(message || "the worker could not be started"));
      worker.onmessage = ({ data }: MessageEvent<RaceTold>) => {
        if (data.kind === "same") tell("All give the same codes. They run in turns.");
        else if (data.kind === "failed") reject(new Error(data.message));
        else resolve(data);
      };
      worker.postMessage({ chunks, bytes: new Uint8Array(bytes) });
    });
  } finally {
    worker.terminate();
  }
}

function draw(racers: readonly Racer[], decoded: number): void {
  const speeds = racers.map(({ best }) => decoded / best / 1e6);
  const [fastest, largest] = [Math.max(...speeds), Math.max(...racers.map(({ stored }) => stored))];
  const rows = racers.map(({ name, stored }, i) => {
    const speed = speeds[i] as number;
    return make(
      "tr",
      { class: i === 0 ? "ours" : "other" },
      make("th", { scope: "row" }, name),
      barCell(digits(speed), speed / fastest),
      barCell(digits(stored / 1e3), stored / largest),
      make("td", {}, digits((8 * stored) / decoded)),
    );
  });
  rowsOf("bars").replaceChildren(...rows);
  byId("bars").hidden = false;
}

function barCell(text: string, share: number): HTMLTableCellElement {
  const bar = make("span", { class: "bar" });
  bar.style.setProperty("--share", `${share}`);
  return make("td", {}, make("div", {}, bar, make("b", {}, text)));
}

function verdict([ours, ...others]: readonly Racer[], turns: number): string {
  const times = others.map(({ name, best }) => `${digits(best / (ours?.best ?? best))} × ${name.split(",")[0]}`);
  return `All gave the same codes. Best of ${turns} turns: quern decodes at ${times.join(" and ")}.`;
}
