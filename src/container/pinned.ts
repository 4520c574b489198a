import { argument, demand } from "../errors/base.ts";
import { HASHED_BYTES } from "./prelude.ts";

// That a file is the one that the caller named.

/** The hash that an integrity string names. @throws RangeError */
export function hashOf(integrity: string): Uint8Array {
  const [, digits = ""] = /^sha256-([A-Za-z0-9+/]{43}=)$/.exec(integrity) ?? [];
  argument(digits !== "", "integrity", "sha256- and 44 digits of base64", integrity);
  return Uint8Array.from(atob(digits), (character) => character.charCodeAt(0));
}

/** Throws a FormatError if a file whose hash is `actual` is not the one that the caller named. */
export function demandIntegrity(integrity: string, actual: string): void {
  hashOf(integrity);
  demand(actual === integrity, "integrity", HASHED_BYTES, "SHA-256 of the header", integrity, actual);
}
