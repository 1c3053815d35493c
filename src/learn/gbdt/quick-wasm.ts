/*
 * The scoring of quick.ts as WebAssembly (`scoreRows` of kernels/gbdt.ts). Each model has a memory
 * of its own, which goes with it.
 */
import { type Layout, type QuickEngine, ROWS } from "./quick.ts";

type ScoreRows = (...numbers: number[]) => void;

const PAGE = 65_536;
/** Constants of the module and its own needs lie in the first page. */
const FIRST = PAGE;
/** What a module compiled for shared memory may be given at most. */
const MOST_PAGES = 4_096;

/** An engine for one model. Throws where there is no WebAssembly with SIMD. */
export const makeWasmQuick = (module: WebAssembly.Module): QuickEngine => {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: MOST_PAGES, shared: true });
  const { scoreRows } = new WebAssembly.Instance(module, { env: { memory } })
    .exports as unknown as {
    readonly scoreRows: ScoreRows;
  };
  let end = FIRST;
  const take = (bytes: number): number => {
    const at = end;
    end = Math.ceil((end + bytes) / 64) * 64;
    const missing = end - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
    return at;
  };
  // Arrays made before a shared memory grew stay good. Its buffer is asked for after it grew.
  const words = (length: number) => {
    const at = take(4 * length);
    return new Uint32Array(memory.buffer, at, length);
  };
  const doubles = (length: number) => {
    const at = take(8 * length);
    return new Float64Array(memory.buffer, at, length);
  };
  return {
    words,
    doubles,
    score: ({ base, columns, blocks, words: width, masks, values, codes }: Layout) => {
      const margins = doubles(ROWS);
      const scratch = take(64 * width);
      const places = words(ROWS * columns);
      const stride = blocks * width * 64;
      return (rows, into, at) => {
        for (let i = 0; i < rows * columns; i++) {
          places[i] = masks.byteOffset + codes[i]! * stride;
        }
        scoreRows(
          places.byteOffset,
          columns,
          rows,
          blocks,
          width,
          values.byteOffset,
          base,
          margins.byteOffset,
          scratch,
        );
        for (let row = 0; row < rows; row++) into[at + row] = margins[row]!;
      };
    },
  };
};
