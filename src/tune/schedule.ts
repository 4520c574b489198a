/** The rate of a step: half a cosine from `rate` down to a hundredth of it. @param share - of all steps that are done, 0..1 */
export function cosine(rate: number, share: number): number {
  return rate * (0.01 + (0.99 * (1 + Math.cos(Math.PI * Math.min(share, 1)))) / 2);
}
