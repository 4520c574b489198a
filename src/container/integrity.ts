import { argument, FormatError } from "../errors/base.ts";
import { HASHED_BYTES } from "./prelude.ts";

// The hash of a file as pages write it (Subresource Integrity): sha256- and base64.

/** "sha256-..." of a hash of 32 bytes. */
export function integrityOf(sha256: Uint8Array): string {
  return `sha256-${btoa(String.fromCharCode(...sha256))}`;
}

/** The hash that an integrity string names. @throws RangeError */
export function hashOf(integrity: string): Uint8Array {
  const [, digits = ""] = /^sha256-([A-Za-z0-9+/]{43}=)$/.exec(integrity) ?? [];
  argument(digits !== "", "integrity", "sha256- and 44 digits of base64", integrity);
  return Uint8Array.from(atob(digits), (character) => character.charCodeAt(0));
}

/** Throws a FormatError if a file with this hash is not the one that the caller named. */
export function demandIntegrity(integrity: string | undefined, sha256: Uint8Array): void {
  if (integrity === undefined) return;
  hashOf(integrity);
  const actual = integrityOf(sha256);
  if (actual === integrity) return;
  throw new FormatError({
    code: "integrity",
    offset: HASHED_BYTES,
    field: "SHA-256 of the header",
    expected: integrity,
    actual,
  });
}
