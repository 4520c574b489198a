/** Rotated left by one bit, a byte takes the top bit of the one below it, and the lowest that of the highest. */
function rotateLeft(element: Uint8Array): Uint8Array {
  return element.map((byte, k) => (byte << 1) | (element[(k + element.length - 1) % element.length] >> 7));
}

function rotateRight(element: Uint8Array): Uint8Array {
  return element.map((byte, k) => (byte >> 1) | (element[(k + 1) % element.length] << 7));
}

export function splitPlanes(bytes: Uint8Array, width: number, rotate: boolean): Uint8Array {
  const n = bytes.length / width;
  const planes = new Uint8Array(bytes.length);
  for (let i = 0; i < n; i++) {
    const element = bytes.slice(i * width, (i + 1) * width);
    (rotate ? rotateLeft(element) : element).forEach((byte, k) => {
      planes[k * n + i] = byte;
    });
  }
  return planes;
}

export function mergePlanes(planes: Uint8Array, width: number, rotate: boolean): Uint8Array {
  const n = planes.length / width;
  const bytes = new Uint8Array(planes.length);
  for (let i = 0; i < n; i++) {
    const element = new Uint8Array(width).map((_, k) => planes[k * n + i]);
    bytes.set(rotate ? rotateRight(element) : element, i * width);
  }
  return bytes;
}
