/*
 * The inner loops in plain TypeScript: what they do, and what runs where there is no WebAssembly.
 * A histogram here is three doubles a bin: gradient, hessian, rows.
 */
import { type Arena, type Histogram, type Kernels, WIDTH } from "./kernels.ts";

const arena: Arena = {
  bytes: (length) => new Uint8Array(length),
  integers: (length) => new Int32Array(length),
  floats: (length) => new Float32Array(length),
  doubles: (length) => new Float64Array(length),
};

/** Rows that go through all columns together, so that their records are still in the cache. */
const BLOCK = 512;
/** Keeps a certain row's hessian off 0, where a leaf's step would explode. */
const LEAST_HESSIAN = 1e-16;
/** 1.5 x 2^52: adding it to a double, and taking it off again, rounds that to a whole number. */
const MAGIC = 6755399441055744;

/** Below this, e^x is nothing beside 1, and nothing in float32, whatever it is. */
const LEAST_MARGIN = -700;

/** 2^-i, for every i that `quickExp` asks for. */
const HALVES = new Float64Array(1012).fill(1);
for (let i = 1; i < HALVES.length; i++) HALVES[i] = HALVES[i - 1]! / 2;

export const plain: Kernels = {
  name: "plain",
  threads: 1,
  arena: () => arena,
  cell: WIDTH,

  addRows: (histogram, { records, stride, starts }, { columns }, rows, from, to, pairs) => {
    for (let begin = from; begin < to; begin += BLOCK) {
      const end = Math.min(begin + BLOCK, to);
      let c = 0;
      for (; c + 3 < columns.length; c += 4) {
        addFour(histogram, records, stride, starts, columns, c, rows, begin, end, pairs);
      }
      for (; c < columns.length; c++) {
        addOne(histogram, records, stride, starts, columns[c]!, rows, begin, end, pairs);
      }
    }
  },

  subtract: (parent, smaller) => {
    for (let i = 0; i < parent.length; i++) parent[i]! -= smaller[i]!;
  },

  unpack: (histogram) => histogram,

  part: (rows, from, to, bins, goesLeft, scratch) => {
    let left = from;
    let right = 0;
    for (let i = from; i < to; i++) {
      const row = rows[i]!;
      // Both places are written and one of the counts moves: no branch to guess wrong.
      const isLeft = goesLeft[bins[row]!]!;
      rows[left] = row;
      scratch[right] = row;
      left += isLeft;
      right += 1 - isLeft;
    }
    for (let i = 0; i < right; i++) rows[left + i] = scratch[i]!;
    return left;
  },

  addValue: (margins, rows, from, to, value) => {
    for (let i = from; i < to; i++) margins[rows[i]!]! += value;
  },

  logLoss: (margins, target, weight, pairs) => {
    for (let i = 0; i < margins.length; i++) {
      const margin = margins[i]!;
      const e = quickExp(Math.max(-Math.abs(margin), LEAST_MARGIN));
      const p = (margin < 0 ? e : 1) / (1 + e);
      const w = weight === null ? 1 : weight[i]!;
      pairs[2 * i] = (p - target[i]!) * w;
      pairs[2 * i + 1] = (p * (1 - p) + LEAST_HESSIAN) * w;
    }
  },

  largest: (pairs) => {
    let gradient = 0;
    let hessian = 0;
    for (let i = 0; i < pairs.length; i += 2) {
      gradient = Math.max(gradient, Math.abs(pairs[i]!));
      hessian = Math.max(hessian, pairs[i + 1]!);
    }
    return [gradient, hessian];
  },

  snap: (pairs, grid) => {
    const [unitGradient, unitHessian] = [1 / grid.gradient, 1 / grid.hessian];
    for (let i = 0; i < pairs.length; i += 2) {
      pairs[i] = (pairs[i]! * grid.gradient + MAGIC - MAGIC) * unitGradient;
      pairs[i + 1] = (pairs[i + 1]! * grid.hessian + MAGIC - MAGIC) * unitHessian;
    }
  },

  binNumbers: (values, edges, bins) => {
    for (let i = 0; i < bins.length; i++) {
      const x = values[i]!;
      bins[i] = Number.isNaN(x) ? 0 : 1 + countBelow(edges, x);
    }
  },
};

/**
 * e^x for x in [-700, 0], within 3e-10 of itself: gradients are kept as float32, which tells no
 * less than 6e-8 apart. With x = k ln 2 + r it is 2^k times the first terms of the series of e^r.
 */
const quickExp = (x: number): number => {
  const k = Math.floor(x * Math.LOG2E + 0.5);
  const r = x - k * Math.LN2;
  let series = (1 / 40320) * r + 1 / 5040;
  series = series * r + 1 / 720;
  series = series * r + 1 / 120;
  series = series * r + 1 / 24;
  series = series * r + 1 / 6;
  series = series * r + 0.5;
  series = series * r + 1;
  series = series * r + 1;
  return series * HALVES[-k]!;
};

/** How many edges are below x, the last left out: a binary search among float32 numbers. */
const countBelow = (edges: Float32Array, x: number): number => {
  let low = 0;
  let high = edges.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x <= edges[middle]!) high = middle;
    else low = middle + 1;
  }
  return low;
};

const addOne = (
  histogram: Histogram,
  records: Uint8Array,
  stride: number,
  starts: Int32Array,
  column: number,
  rows: Int32Array,
  from: number,
  to: number,
  pairs: Float32Array,
): void => {
  const start = starts[column]!;
  for (let i = from; i < to; i++) {
    const row = rows[i]!;
    const at = (start + records[row * stride + column]!) * WIDTH;
    histogram[at]! += pairs[2 * row]!;
    histogram[at + 1]! += pairs[2 * row + 1]!;
    histogram[at + 2]! += 1;
  }
};

// Four columns a pass: adding to the same bin twice running must wait for the first addition to
// reach memory, and work on other columns fills that wait.
const addFour = (
  histogram: Histogram,
  records: Uint8Array,
  stride: number,
  starts: Int32Array,
  columns: Int32Array,
  first: number,
  rows: Int32Array,
  from: number,
  to: number,
  pairs: Float32Array,
): void => {
  const columnA = columns[first]!;
  const columnB = columns[first + 1]!;
  const columnC = columns[first + 2]!;
  const columnD = columns[first + 3]!;
  const startA = starts[columnA]!;
  const startB = starts[columnB]!;
  const startC = starts[columnC]!;
  const startD = starts[columnD]!;
  for (let i = from; i < to; i++) {
    const row = rows[i]!;
    const g = pairs[2 * row]!;
    const h = pairs[2 * row + 1]!;
    const record = row * stride;
    const a = (startA + records[record + columnA]!) * WIDTH;
    const b = (startB + records[record + columnB]!) * WIDTH;
    const c = (startC + records[record + columnC]!) * WIDTH;
    const d = (startD + records[record + columnD]!) * WIDTH;
    histogram[a]! += g;
    histogram[a + 1]! += h;
    histogram[a + 2]! += 1;
    histogram[b]! += g;
    histogram[b + 1]! += h;
    histogram[b + 2]! += 1;
    histogram[c]! += g;
    histogram[c + 1]! += h;
    histogram[c + 2]! += 1;
    histogram[d]! += g;
    histogram[d + 1]! += h;
    histogram[d + 2]! += 1;
  }
};
