/** Names of the codes of a stream, by their number in the file. */
export const CODE_NAMES = ["raw", "constant", "huffman", "zrl", "planes", "pivot", "mask", "classes"] as const;
export type CodeName = (typeof CODE_NAMES)[number];

/** What a stored chunk may have over its decoded bytes: headers of streams. */
export const STORED_EXTRA = 128;
