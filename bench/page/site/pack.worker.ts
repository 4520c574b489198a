import { blobSource, DataError, type Folder, formatOf, memorySink, pack, readModel } from "../../../src/index.ts";

// Packs a model of another format, beside the page, so that the page stays awake.

export interface PackAsked {
  readonly files: readonly File[];
  readonly plan: string;
}

/** What comes back: news, the file's bytes, or what went wrong. `bytes` of null: the file is a .quern file already. */
export type PackTold =
  | { readonly kind: "progress"; readonly fraction: number }
  | { readonly kind: "packed"; readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> | null }
  | { readonly kind: "failed"; readonly message: string };

globalThis.onmessage = async ({ data }: MessageEvent<PackAsked>) => {
  try {
    tell(await packed(data));
  } catch (error) {
    tell({ kind: "failed", message: `${error}` });
  }
};

function tell(told: PackTold): void {
  const transfer = told.kind === "packed" && told.bytes ? [told.bytes.buffer] : [];
  postMessage(told, { transfer });
}

async function packed({ files, plan }: PackAsked): Promise<PackTold> {
  const main = await mainOf(files);
  const { name } = main;
  const source = blobSource(main);
  if ((await formatOf(source)) === "quern") return { kind: "packed", name, bytes: null };
  const sink = memorySink();
  await pack(await readModel(source, folderOf(files)), plan, sink, {
    onProgress: ({ done, total }) => tell({ kind: "progress", fraction: total > 0 ? done / total : 1 }),
  });
  return { kind: "packed", name, bytes: sink.bytes() as Uint8Array<ArrayBuffer> };
}

// Of several files, the one that names the others. A shard may begin like anything, so a model.json is looked for first.
async function mainOf(files: readonly File[]): Promise<File> {
  const [only] = files;
  if (only && files.length === 1) return only;
  const isJson = ({ name }: File) => name.endsWith(".json");
  for (const file of [...files.filter(isJson), ...files.filter((file) => !isJson(file))]) {
    const known = await formatOf(blobSource(file)).catch(() => null);
    if (known) return file;
  }
  throw new DataError(`none of these ${files.length} files is a model`);
}

function folderOf(files: readonly File[]): Folder {
  return {
    async open(path) {
      const file = files.find(({ name }) => name === path.split("/").at(-1));
      if (!file) throw new DataError(`the model has weights in "${path}": give that file too`);
      return blobSource(file);
    },
  };
}
