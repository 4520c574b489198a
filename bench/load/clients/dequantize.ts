import { CHUNK_BYTES, loadKernels, PIECE } from "../../../src/kernels.ts";

// What is done with codes that came in another way: f32 by the kernels of quern, which are faster than a loop.

/** Puts codes of rows of `columns` into `out`, where they belong: `at` is the place of the first. Scales come before. */
export async function dequantizer(out: Float32Array, columns: number) {
  const kernels = await loadKernels({ encode: false });
  const { plain, stored, floats } = kernels.arena(CHUNK_BYTES, "decode");
  const memory = kernels.bytes();
  const piece = new Float32Array(memory.buffer, floats, PIECE);
  const most = PIECE / columns;
  let scales: Float32Array = new Float32Array(0);
  return {
    scale(values: Float32Array): void {
      scales = values;
    },
    put(codes: Uint8Array, at: number): void {
      for (let done = 0; done < codes.length; ) {
        const [row, column] = [Math.floor((at + done) / columns), (at + done) % columns];
        const left = codes.length - done;
        const [rows, cols] =
          column > 0 || left < columns
            ? [1, Math.min(columns - column, left)]
            : [Math.min(most, Math.floor(left / columns)), columns];
        memory.set(codes.subarray(done, done + rows * cols), plain);
        new Float32Array(memory.buffer, stored, rows).set(scales.subarray(row, row + rows));
        kernels.run.dequantize(plain, rows, cols, stored, 0, floats);
        out.set(piece.subarray(0, rows * cols), at + done);
        done += rows * cols;
      }
    },
  };
}
