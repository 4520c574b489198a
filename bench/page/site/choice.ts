import { storeNow } from "./cache.ts";
import { byId, make, setText } from "./dom.ts";
import { quernOf } from "./files.ts";
import { modelAddress, setLine } from "./line.ts";
import { bytesText } from "./numbers.ts";
import type { Job } from "./run.ts";

// What the user has chosen: a model of the server or files of their own, and what the line does to it.

interface Offered {
  readonly id: string;
  readonly label: string;
  readonly integrity: string;
  readonly chunks: number;
  readonly tensors: number;
  readonly sourceBytes: number;
  readonly fileBytes: number;
}

const MEGABIT = 125_000;

export interface Choice {
  /** Files were given: they are chosen from now on. */
  take(files: readonly File[]): void;
  /** Makes what is chosen ready to load: sets the line, or packs. @throws what is wrong with a file or the plan, the signal's reason */
  job(signal: AbortSignal, packing: (fraction: number) => void): Promise<Job>;
}

export async function newChoice(): Promise<Choice> {
  const offered = (await fetch("/models.json").then((answer) => answer.json())) as Offered[];
  byId("served").replaceChildren(...offered.map(offer));
  let files: readonly File[] = [];
  for (const id of ["rate", "cutEvery"]) byId(id).addEventListener("change", () => void setLine(lineNow()));
  return {
    take(given) {
      files = given;
      const own = byId<HTMLInputElement>("own");
      own.disabled = false;
      own.checked = true;
      setText(byId("ownName"), `${given.map(({ name }) => name).join(", ")}, ${bytesText(sizeOf(given))}`);
    },
    async job(signal, packing) {
      const store = byId<HTMLInputElement>("cache").checked ? storeNow() : undefined;
      const id = new FormData(byId<HTMLFormElement>("controls")).get("model");
      const model = offered.find((one) => one.id === id);
      if (model) {
        await setLine({ ...lineNow(), damage: byId<HTMLSelectElement>("damage").value });
        return { name: model.label, input: modelAddress(model.id), integrity: model.integrity, store, signal };
      }
      const asked = { files, plan: byId<HTMLInputElement>("plan").value };
      const { name, blob, packed } = await quernOf(asked, signal, packing);
      const sizes = `${name}, ${bytesText(sizeOf(files))}, packed to ${bytesText(blob.size)}`;
      return { name: packed ? sizes : name, input: blob, store, signal };
    },
  };
}

function offer({ id, label, sourceBytes, fileBytes, chunks, tensors }: Offered, i: number): HTMLElement {
  const input = make("input", { type: "radio", name: "model", value: id });
  input.checked = i === 0;
  const sizes = `${bytesText(sourceBytes)} of floats in ${bytesText(fileBytes)}; ${tensors} tensors, ${chunks} chunks`;
  return make("label", { class: "choice" }, input, make("span", {}, label, " ", make("small", {}, sizes)));
}

function lineNow() {
  const [rate, cutEvery] = ["rate", "cutEvery"].map((id) => Number(byId<HTMLSelectElement>(id).value)) as [
    number,
    number,
  ];
  return { rate: rate * MEGABIT, cutEvery };
}

function sizeOf(files: readonly File[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}
