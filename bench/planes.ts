import * as reference from "../test/reference.ts";
import { CHUNK, gaussWeights } from "./data.ts";
import { type KernelBench, type KernelCase, mustEqual, type Room } from "./harness.ts";

export const planesBench: KernelBench = { kernels: ["splitPlanes", "mergePlanes"], casesOf: planesCases };

function planesCases(room: Room): KernelCase[] {
  const elements = new Uint8Array(gaussWeights(CHUNK / 4).buffer);
  return [2, 4, 8].flatMap((width) => casesOf(room, elements, width));
}

// Rotated, as floating-point elements are. What the bytes mean makes no difference to the time.
function casesOf({ run, arena, put, take }: Room, elements: Uint8Array, width: number): KernelCase[] {
  const { plain, planes, values: back } = arena;
  const n = CHUNK / width;
  const split = reference.splitPlanes(elements, width, true);
  const prepare = () => {
    put(plain, elements);
    put(planes, split);
  };
  const shared = { data: `elements of ${width} bytes`, bytes: CHUNK, prepare };
  return [
    {
      ...shared,
      name: "splitPlanes",
      run: () => run.splitPlanes(plain, n, width, 1, planes),
      check: () => mustEqual(take(planes, CHUNK), split, "splitPlanes"),
    },
    {
      ...shared,
      name: "mergePlanes",
      run: () => run.mergePlanes(planes, n, width, 1, back),
      check: () => mustEqual(take(back, CHUNK), elements, "mergePlanes"),
    },
  ];
}
