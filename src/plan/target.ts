// What the step size of a uniform quantizer is chosen for.

/** A measure that the step size must meet, the step as large as it can be; or the step itself. */
export type Target =
  /** step: the size itself. snr: at least so many dB. rmse: at most this. bits: at most so many coded bits per element. */
  | { readonly by: "step" | "snr" | "rmse" | "bits"; readonly value: number }
  /** At most the squared error that these steps would make of the tensor, such as "q4_0" or "int8". */
  | { readonly by: "like"; readonly format: LikeFormat };

export const LIKE_FORMATS = ["q8_0", "q4_0", "q4_1", "nf4", "int8", "int4"] as const;
export type LikeFormat = (typeof LIKE_FORMATS)[number];

/** Takes the words of a target from the front of `words`; undefined if none stands there. */
export function takeTarget(words: string[]): Target | undefined {
  const [by, word = ""] = words;
  if (by === "like") {
    const format = LIKE_FORMATS.find((known) => known === word);
    if (format) words.splice(0, 2);
    return format && { by, format };
  }
  if (by !== "step" && by !== "snr" && by !== "rmse" && by !== "bits") return undefined;
  const value = amount(by === "snr" ? word.replace(/dB$/, "") : word);
  if (value === undefined) return undefined;
  words.splice(0, by === "snr" && words[2] === "dB" ? 3 : 2);
  return { by, value };
}

/** A finite decimal number above zero. */
function amount(word: string): number | undefined {
  const value = /^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(word) ? Number(word) : Number.NaN;
  return value > 0 && value < Number.POSITIVE_INFINITY ? value : undefined;
}

/** Takes a dead zone from the front of `words`; undefined if none stands there. */
export function takeDead(words: string[]): number | undefined {
  if (words[0] !== "dead") return undefined;
  const dead = words[1] === "0" ? 0 : amount(words[1] ?? "");
  if (dead === undefined || dead >= 0.5) return undefined;
  words.splice(0, 2);
  return dead;
}

export function printTarget(target: Target): string {
  if (target.by === "like") return `like ${target.format}`;
  return `${target.by} ${target.value}${target.by === "snr" ? "dB" : ""}`;
}
