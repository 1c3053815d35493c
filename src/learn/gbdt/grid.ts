/*
 * Gradients and hessians as whole numbers of a grid. A double holds whole numbers up to 2^53
 * exactly, so if a row's number takes few enough bits, the sum over all rows is exact, and so is
 * every part and difference of it. Sums then do not depend on the order of rows, threads or SIMD
 * lanes, a child's histogram is exactly its parent's minus the other child's, and equal rows give
 * equal models. The grid is some 2^-32 of the largest gradient and 2^-23 of the largest hessian
 * for a million rows, and finer for fewer.
 */
import { SluiceError } from "../../errors.ts";

export interface Grid {
  /** Grid steps in 1, a power of two: a gradient times this is a whole number. */
  readonly gradient: number;
  readonly hessian: number;
  /** Bits that a sum of hessians takes; the count of rows may stand above them in 64. */
  readonly shift: number;
}

/** The grid for so many rows of which none has a larger |gradient| or hessian than these. */
export const gridOf = (rows: number, gradient: number, hessian: number): Grid => {
  if (!Number.isFinite(gradient) || !Number.isFinite(hessian)) {
    throw new SluiceError({
      code: "bad_sample",
      status: 422,
      detail: `gradients reach ${gradient} and hessians ${hessian}, more than float32 holds`,
      fix: "Scale targets and weights down.",
    });
  }
  const bits = 32 - Math.clz32(rows); // rows < 2^bits
  // Sums of hessians and the count share 63 bits; sums of either alone have 53, one for the sign.
  const hessianBits = Math.min(63 - 2 * bits, 53 - bits);
  return {
    gradient: powerOfTwo(52 - bits - exponentOf(gradient)),
    hessian: powerOfTwo(hessianBits - exponentOf(hessian)),
    shift: bits + hessianBits,
  };
};

const bits = new Float64Array(1);
const words = new Uint32Array(bits.buffer); // little-endian: word 1 holds sign and exponent

/** The smallest e with x < 2^e, for x a float32; of 0, 0. */
const exponentOf = (x: number): number => {
  if (x === 0) return 0;
  bits[0] = x;
  return ((words[1]! >>> 20) & 0x7ff) - 1022;
};

/** 2^e exactly, for -1022 <= e <= 1023. */
const powerOfTwo = (e: number): number => {
  words[0] = 0;
  words[1] = (e + 1023) << 20;
  return bits[0]!;
};
