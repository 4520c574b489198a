/** A signal that aborts with another one, or when what it is for ends. */
export function linkedTo(signal: AbortSignal | undefined) {
  // Small engines have none; nor have they anything that it would end.
  if (typeof AbortController === "undefined") return { signal, end: () => {} };
  const controller = new AbortController();
  const abort = (): void => controller.abort(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  const end = (): void => {
    signal?.removeEventListener("abort", abort);
    controller.abort(new Error("not wanted any more"));
  };
  return { signal: controller.signal, end };
}
