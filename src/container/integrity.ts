// The hash of a file as pages write it (Subresource Integrity): sha256- and base64. What checks it: pinned.ts.

/** "sha256-..." of a hash of 32 bytes. */
export function integrityOf(sha256: Uint8Array): string {
  return `sha256-${btoa(String.fromCharCode(...sha256))}`;
}
