import { demandBudget } from "../container/peak.ts";
import type { LoadProgress } from "../container/progress.ts";
import type { FloatTensor, Into } from "../container/tensors.ts";
import { LoadError } from "../errors/base.ts";
import { type OpenInput, type OpenOptions, open } from "./open.ts";

// All of a file in one call.

/** What the first request asks for. Bytes. */
const FIRST = 32 * 1024;

export interface LoadAllOptions extends OpenOptions {
  /** Default: all. */
  names?: readonly string[] | undefined;
  /** Where the elements of each tensor go. */
  into?: Into | undefined;
}

/**
 * Opens a file, loads its tensors as f32 and closes it. If another file takes its place at the address meanwhile, loads that one from the
 * start, once.
 * @throws as open and QuernFile.stream; LoadError before anything is downloaded if all tensors together do not fit the budget
 */
export async function load(input: OpenInput, options: LoadAllOptions = {}): Promise<Map<string, FloatTensor>> {
  const onProgress = options.onProgress && forwardOnly(options.onProgress);
  try {
    return await loadOnce(input, { ...options, onProgress });
  } catch (error) {
    if (!(error instanceof LoadError && error.code === "changed")) throw error;
    return loadOnce(input, { ...options, onProgress });
  }
}

async function loadOnce(input: OpenInput, options: LoadAllOptions): Promise<Map<string, FloatTensor>> {
  const { budget, names, into, signal, request } = options;
  // All that comes is wanted, so the second request has time. Of some tensors nobody knows where they lie.
  const file = await open(input, names ? options : { ...options, request: { first: FIRST, ...request } });
  try {
    const wanted = file.index.filter(({ name }) => !names || names.includes(name));
    const elements = into ? 0 : wanted.reduce((sum, entry) => sum + entry.elements, 0);
    demandBudget(budget, file.totals.peak + 4 * elements, "loading all tensors");
    const tensors = new Map<string, FloatTensor>();
    for await (const tensor of file.stream({ names, into, signal })) tensors.set(tensor.name, tensor);
    return tensors;
  } finally {
    file.close();
  }
}

// A second start is not told until it is further than the first came.
function forwardOnly(listener: (progress: LoadProgress) => void): (progress: LoadProgress) => void {
  let furthest = -1;
  return (progress) => {
    if (progress.fraction < furthest) return;
    furthest = progress.fraction;
    listener(progress);
  };
}
