/**
 * Throws unless `ok`. Common readers take what they know to be right; all else, wrong or only rare, is left to the whole reader, which decodes
 * it or says what is wrong with it. So nobody sees this error, and it says nothing.
 */
export function sure(ok: unknown): asserts ok {
  if (!ok) throw new Error();
}
