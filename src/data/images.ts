import { type ClosableSource, readExactly } from "../bytes.ts";
import { argument, demand } from "../errors.ts";
import type { Batch, Dataset } from "./dataset.ts";
import { looksLikeJpeg, readJpeg } from "./jpeg.ts";
import { MAX_PICTURE } from "./limits.ts";
import { inChannels, type Picture, type Resampling, resized } from "./pixels.ts";
import { looksLikePng, readPng } from "./png.ts";
import { inFile } from "./where.ts";

// Pictures in files of their own, decoded when they are asked for.

export interface PictureFile {
  readonly name: string;
  readonly label: number | null;
  readonly open: () => Promise<ClosableSource>;
}

export interface PictureOptions {
  /** Height and width. Default: the first picture's, and all have to be alike */
  readonly size?: readonly [number, number] | undefined;
  readonly resampling?: Resampling | undefined;
  /** 1: grey, 3: RGB. Default: RGB if the first picture is */
  readonly channels?: 1 | 3 | undefined;
  readonly classes?: readonly string[] | null | undefined;
}

/** Values are 0 .. 255, of shape [height, width, channels]. @throws FormatError for what is no picture; the first is read now, the others when asked for */
export async function openPictures(files: readonly PictureFile[], options: PictureOptions = {}): Promise<Dataset> {
  const [first] = files;
  demand(first !== undefined, "pictures", 0, "pictures", "one or more", 0);
  const { size } = options;
  const known = size && options.channels ? null : await decoded(first);
  const channels = options.channels ?? ((known?.channels ?? 0) >= 3 ? 3 : 1);
  const [height, width] = size ?? [known?.height ?? 0, known?.width ?? 0];
  const labelled = files.every(({ label }) => label !== null);
  const elements = height * width * channels;
  return {
    count: files.length,
    shape: [height, width, channels],
    classes: options.classes ?? null,
    labelled,
    async read(indices): Promise<Batch> {
      const data = new Float32Array(indices.length * elements);
      for (const [i, index] of indices.entries()) {
        const file = files[index];
        argument(file !== undefined, "indices", `0 .. ${files.length - 1}`, index);
        const picture = await decoded(file);
        const same = size !== undefined || (picture.height === height && picture.width === width);
        const actual = `${picture.height} x ${picture.width}; a size may be given`;
        demand(same, "size", 0, `${file.name}: picture`, `${height} x ${width}`, actual);
        data.set(inChannels(resized(picture, height, width, options.resampling), channels).data, i * elements);
      }
      const labels = labelled ? Int32Array.from(indices, (index) => files[index]?.label ?? 0) : null;
      return { inputs: { shape: [indices.length, height, width, channels], data }, labels };
    },
  };
}

async function decoded({ name, open }: PictureFile): Promise<Picture> {
  const source = await open();
  try {
    demand(source.byteLength <= MAX_PICTURE, "size", 0, "picture", `at most ${MAX_PICTURE} bytes`, source.byteLength);
    const file = await readExactly(source, 0, source.byteLength);
    if (looksLikePng(file)) return await readPng(file);
    demand(looksLikeJpeg(file), "magic", 0, "picture", "a PNG or JPEG file", file.subarray(0, 8).join(" "));
    return await readJpeg(file);
  } catch (error) {
    throw inFile(error, name);
  } finally {
    await source.close?.();
  }
}
