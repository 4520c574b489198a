// Texts with alternatives, as data.

/** Text and lists, one behind the other. */
export type Sequence = readonly (string | List)[];

export interface List {
  readonly alternatives: readonly Sequence[];
}

/** What would come of expanding, found without doing it. */
export interface Count {
  readonly count: number;
  /** Of all texts together. */
  readonly characters: number;
}

/** Infinity where numbers end. */
export function countOf(sequence: Sequence): Count {
  let [count, characters] = [1, 0];
  for (const part of sequence) {
    const own = typeof part === "string" ? { count: 1, characters: part.length } : alternativesOf(part);
    characters = characters * own.count + own.characters * count;
    count *= own.count;
  }
  return { count, characters };
}

function alternativesOf({ alternatives }: List): Count {
  const counts = alternatives.map(countOf);
  return {
    count: counts.reduce((sum, { count }) => sum + count, 0),
    characters: counts.reduce((sum, { characters }) => sum + characters, 0),
  };
}

/** All texts, the first list changing slowest. */
export function textsOf(sequence: Sequence): string[] {
  let texts = [""];
  for (const part of sequence) {
    const ends = typeof part === "string" ? [part] : part.alternatives.flatMap(textsOf);
    texts = texts.flatMap((text) => ends.map((end) => text + end));
  }
  return texts;
}

/** Without spaces at either end. */
export function trimmed(sequence: Sequence): Sequence {
  const parts = [...sequence];
  const [first] = parts;
  if (typeof first === "string") parts[0] = first.trimStart();
  const last = parts.at(-1);
  if (typeof last === "string") parts[parts.length - 1] = last.trimEnd();
  return parts;
}
