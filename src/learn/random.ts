/** A stream of random numbers that a seed determines, on every machine. */
export interface Random {
  /** A number in [0, 1) with 32 random bits. */
  next(): number;
  /** An integer in [0, below). */
  integer(below: number): number;
  /** `size` distinct integers out of [0, below), ascending. */
  choose(size: number, below: number): Int32Array;
}

/**
 * A generator for a seed (an integer; its low 32 bits count): xoshiro128** of Blackman and Vigna
 * (2018), its state filled by a splitmix step so that near seeds give far streams.
 */
export const makeRandom = (seed: number): Random => {
  let mixed = seed | 0;
  const mix = (): number => {
    mixed = (mixed + 0x9e3779b9) | 0;
    let word = mixed;
    word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    return word ^ (word >>> 15);
  };
  let [a, b, c, d] = [mix(), mix(), mix(), mix()];

  const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by));
  const word = (): number => {
    const out = Math.imul(rotate(Math.imul(b, 5), 7), 9);
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return out >>> 0;
  };
  const next = (): number => word() / 4294967296;
  const integer = (below: number): number => Math.floor(next() * below);

  // Selection sampling (Knuth, volume 2, 3.4.2 S): each item is taken with the odds that it is
  // still needed, so the result has exactly `size` items, in order.
  const choose = (size: number, below: number): Int32Array => {
    const chosen = new Int32Array(size);
    let taken = 0;
    for (let i = 0; taken < size; i++) {
      if (next() * (below - i) < size - taken) chosen[taken++] = i;
    }
    return chosen;
  };

  return { next, integer, choose };
};
