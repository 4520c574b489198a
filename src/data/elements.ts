import { demand } from "../errors.ts";
import { halfToFloatBits } from "../tensor/plain.ts";

// Elements of files of data, in either order of bytes.

export type ElementName = "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "u64" | "i64" | "f16" | "f32" | "f64";

export interface ElementType {
  readonly name: ElementName;
  /** Bytes. */
  readonly width: 1 | 2 | 4 | 8;
  readonly integer: boolean;
  readonly get: (view: DataView, at: number, little: boolean) => number;
}

const HALF = new DataView(new ArrayBuffer(4));

function half(view: DataView, at: number, little: boolean): number {
  HALF.setUint32(0, halfToFloatBits(view.getUint16(at, little)));
  return HALF.getFloat32(0);
}

const integer = (name: ElementName, width: ElementType["width"], get: ElementType["get"]): ElementType => ({
  name,
  width,
  integer: true,
  get,
});
const float = (name: ElementName, width: ElementType["width"], get: ElementType["get"]): ElementType => ({
  name,
  width,
  integer: false,
  get,
});

export const ELEMENTS: Readonly<Record<ElementName, ElementType>> = {
  u8: integer("u8", 1, (view, at) => view.getUint8(at)),
  i8: integer("i8", 1, (view, at) => view.getInt8(at)),
  u16: integer("u16", 2, (view, at, little) => view.getUint16(at, little)),
  i16: integer("i16", 2, (view, at, little) => view.getInt16(at, little)),
  u32: integer("u32", 4, (view, at, little) => view.getUint32(at, little)),
  i32: integer("i32", 4, (view, at, little) => view.getInt32(at, little)),
  u64: integer("u64", 8, (view, at, little) => Number(view.getBigUint64(at, little))),
  i64: integer("i64", 8, (view, at, little) => Number(view.getBigInt64(at, little))),
  f16: float("f16", 2, half),
  f32: float("f32", 4, (view, at, little) => view.getFloat32(at, little)),
  f64: float("f64", 8, (view, at, little) => view.getFloat64(at, little)),
};

/** Elements of a shape, and the bytes that they take. @throws FormatError if they are more than a file of so many bytes has */
export function fitting(shape: readonly number[], width: number, room: number, offset: number, field: string): number {
  let count = 1;
  let largest = 1;
  const most = Math.floor(room / width);
  for (const extent of shape) {
    demand(Number.isSafeInteger(extent) && extent >= 0, "shape", offset, field, "whole numbers", printedShape(shape));
    count *= extent;
    // A zero extent must not hide a product that no reader could count to. Every step is checked, so none becomes infinite.
    largest *= Math.max(extent, 1);
    const fits = count <= most && Number.isSafeInteger(largest * width);
    demand(fits, "shape", offset, field, `at most ${most} elements`, printedShape(shape));
  }
  return count;
}

/** A shape as text: "28 x 28". */
export function printedShape(shape: readonly number[]): string {
  const text = shape.slice(0, 8).map((extent) => (extent === -1 ? "any" : String(extent)));
  return shape.length === 0 ? "one element" : `${text.join(" x ")}${shape.length > 8 ? " x ..." : ""}`;
}
