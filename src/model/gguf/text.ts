// GGUF strings are meant to be UTF-8, but tokens of byte vocabularies are not always. A byte that belongs to no character
// becomes the lone surrogate U+DC00 + byte, which UTF-8 never gives, so every string survives (the idea of PEP 383).

const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });
const ENCODER = new TextEncoder();
const REPLACED = "\ufffd";

/** Text of any bytes; `encodeText` gives the same bytes again. */
export function decodeText(bytes: Uint8Array): string {
  const text = DECODER.decode(bytes);
  // U+FFFD stands for what is wrong, or for itself.
  if (!text.includes(REPLACED)) return text;
  let out = "";
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at);
    out +=
      length === 0 ? String.fromCharCode(0xdc00 + byteAt(bytes, at)) : DECODER.decode(bytes.subarray(at, at + length));
    at += length || 1;
  }
  return out;
}

/** Bytes of a text of `decodeText`; null if it holds other lone surrogates. */
export function encodeText(text: string): Uint8Array | null {
  if (!/[\ud800-\udfff]/.test(text)) return ENCODER.encode(text);
  const bytes: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    if (code >= 0xdc80 && code <= 0xdcff) bytes.push(code - 0xdc00);
    else if (code >= 0xd800 && code <= 0xdfff) return null;
    else for (const byte of ENCODER.encode(character)) bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

// Bytes of the well-formed character at this place (Unicode, table 3-7), or 0.
function characterLength(bytes: Uint8Array, at: number): number {
  const first = byteAt(bytes, at);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  const second = byteAt(bytes, at + 1);
  if (second < low || second > high) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  for (let i = 2; i < length; i++) if ((byteAt(bytes, at + i) & 0xc0) !== 0x80) return 0;
  return length;
}
