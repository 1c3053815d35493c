/*
 * The inner loops of src/learn/gbdt in AssemblyScript, with SIMD. Each does exactly what the
 * function of the same name in src/learn/gbdt/plain.ts does, to the last bit. Arguments are
 * addresses in the one memory that the caller shares with us, and counts.
 *
 * `bun scripts/assets.ts` compiles this file; the result is never committed.
 */

/** Rows whose numbers are laid out before any column reads them: all of that stays in the cache. */
const BLOCK = 256;
/** 1.5 x 2^52: adding it to a double rounds that to a whole number, held in the low bits. */
const MAGIC: f64 = 6755399441055744;

/**
 * Adds rows[from..to) to a histogram whose cell of 16 bytes is [sum of gradients | rows above,
 * sum of hessians below `shift`], all of them whole numbers of the grid: one addition a column.
 * `starts` holds where each column's cells begin. Columns go in groups of eight; `used` tells the
 * groups that are wanted. `scratch` has room for 20 bytes a row of a block, and 8 more.
 */
export function addRows(
  cells: usize,
  starts: usize,
  used: usize,
  columns: i32,
  records: usize,
  stride: usize,
  rows: usize,
  from: i32,
  to: i32,
  pairs: usize,
  scaleGradient: f64,
  scaleHessian: f64,
  shift: i32,
  scratch: usize,
): void {
  const scale = f64x2.replace_lane(f64x2.splat(scaleGradient), 1, scaleHessian);
  const magic = f64x2.splat(MAGIC);
  const bits = reinterpret<i64>(MAGIC);
  const less = i64x2.replace_lane(i64x2.splat(bits), 1, bits - ((<i64>1) << shift));
  const places = scratch + BLOCK * 16;
  for (let begin = from; begin < to; begin += BLOCK) {
    const end = min(begin + BLOCK, to);
    const count = end - begin;
    let cell = scratch;
    let place = places;
    let touched: u64 = 0;
    for (let i = begin; i < end; i++) {
      const row = <usize>load<u32>(rows + ((<usize>i) << 2));
      const pair = f64x2.promote_low_f32x4(v128.load64_zero(pairs + (row << 3)));
      v128.store(cell, i64x2.sub(f64x2.add(f64x2.mul(pair, scale), magic), less));
      // Rows of a leaf lie far apart in memory. Looking at their records here, where a row is little
      // work, asks for many of them at once; the passes below would wait for each.
      const record = records + row * stride;
      touched |= load<u64>(record);
      store<u32>(place, <u32>record);
      cell += 16;
      place += 4;
    }
    store<u64>(scratch + BLOCK * 20, touched);
    let column = 0;
    for (; column + 8 <= columns; column += 8) {
      if (load<u8>(used + (column >> 3)) != 0) pass(8, cells, starts, column, count, scratch);
    }
    if (column == columns || load<u8>(used + (column >> 3)) == 0) continue;
    if (column + 4 <= columns) {
      pass(4, cells, starts, column, count, scratch);
      column += 4;
    }
    if (column + 2 <= columns) {
      pass(2, cells, starts, column, count, scratch);
      column += 2;
    }
    if (column < columns) pass(1, cells, starts, column, count, scratch);
  }
}

/** One block of rows into `width` columns. Inlined, so that each width is a loop of its own. */
// @ts-expect-error: decorator
@inline
function pass(
  width: i32,
  cells: usize,
  starts: usize,
  column: i32,
  count: i32,
  scratch: usize,
): void {
  const from = starts + ((<usize>column) << 2);
  const base0 = cells + ((<usize>load<u32>(from)) << 4);
  const base1 = width > 1 ? cells + ((<usize>load<u32>(from, 4)) << 4) : 0;
  const base2 = width > 2 ? cells + ((<usize>load<u32>(from, 8)) << 4) : 0;
  const base3 = width > 2 ? cells + ((<usize>load<u32>(from, 12)) << 4) : 0;
  const base4 = width > 4 ? cells + ((<usize>load<u32>(from, 16)) << 4) : 0;
  const base5 = width > 4 ? cells + ((<usize>load<u32>(from, 20)) << 4) : 0;
  const base6 = width > 4 ? cells + ((<usize>load<u32>(from, 24)) << 4) : 0;
  const base7 = width > 4 ? cells + ((<usize>load<u32>(from, 28)) << 4) : 0;
  let place = scratch + BLOCK * 16;
  let cell = scratch;
  const last = scratch + ((<usize>count) << 4);
  for (; cell < last; cell += 16, place += 4) {
    const record = (<usize>load<u32>(place)) + <usize>column;
    const added = v128.load(cell);
    if (width == 8) {
      const bins = load<u64>(record);
      addTo(base0 + <usize>((bins << 4) & 0xff0), added);
      addTo(base1 + <usize>((bins >> 4) & 0xff0), added);
      addTo(base2 + <usize>((bins >> 12) & 0xff0), added);
      addTo(base3 + <usize>((bins >> 20) & 0xff0), added);
      addTo(base4 + <usize>((bins >> 28) & 0xff0), added);
      addTo(base5 + <usize>((bins >> 36) & 0xff0), added);
      addTo(base6 + <usize>((bins >> 44) & 0xff0), added);
      addTo(base7 + <usize>((bins >> 52) & 0xff0), added);
    } else if (width == 4) {
      const bins = load<u32>(record);
      addTo(base0 + <usize>((bins << 4) & 0xff0), added);
      addTo(base1 + <usize>((bins >> 4) & 0xff0), added);
      addTo(base2 + <usize>((bins >> 12) & 0xff0), added);
      addTo(base3 + <usize>((bins >> 20) & 0xff0), added);
    } else if (width == 2) {
      const bins = <u32>load<u16>(record);
      addTo(base0 + <usize>((bins << 4) & 0xff0), added);
      addTo(base1 + <usize>((bins >> 4) & 0xff0), added);
    } else {
      addTo(base0 + ((<usize>load<u8>(record)) << 4), added);
    }
  }
}

// @ts-expect-error: decorator
@inline
function addTo(cell: usize, added: v128): void {
  v128.store(cell, i64x2.add(v128.load(cell), added));
}

/** parent -= smaller, `count` cells. */
export function subtract(parent: usize, smaller: usize, count: i32): void {
  const end = parent + ((<usize>count) << 4);
  for (; parent < end; parent += 16, smaller += 16) {
    v128.store(parent, i64x2.sub(v128.load(parent), v128.load(smaller)));
  }
}

/** Sets `count` cells to 0. */
export function clear(cells: usize, count: i32): void {
  memory.fill(cells, 0, (<usize>count) << 4);
}

/** sums += part, `count` cells. */
export function merge(sums: usize, part: usize, count: i32): void {
  const end = sums + ((<usize>count) << 4);
  for (; sums < end; sums += 16, part += 16) {
    v128.store(sums, i64x2.add(v128.load(sums), v128.load(part)));
  }
}

/** Writes each cell as three doubles: gradient, hessian, rows. */
export function unpack(
  cells: usize,
  count: i32,
  unitGradient: f64,
  unitHessian: f64,
  shift: i32,
  out: usize,
): void {
  const mask = ((<i64>1) << shift) - 1;
  const end = cells + ((<usize>count) << 4);
  for (; cells < end; cells += 16, out += 24) {
    const second = load<i64>(cells, 8);
    store<f64>(out, <f64>load<i64>(cells) * unitGradient);
    store<f64>(out, <f64>(second & mask) * unitHessian, 8);
    store<f64>(out, <f64>(second >> shift), 16);
  }
}

/**
 * Splits rows[from..to) into those whose bin goes left, moved to the front, and the others, put
 * into `scratch`; both keep their order. Returns how many go left.
 */
export function part(
  rows: usize,
  from: i32,
  to: i32,
  bins: usize,
  goesLeft: usize,
  scratch: usize,
): i32 {
  const first = rows + ((<usize>from) << 2);
  const end = rows + ((<usize>to) << 2);
  let left = first;
  let right = scratch;
  for (let at = first; at < end; at += 4) {
    const row = load<u32>(at);
    // Both places are written and one of them moves: no branch to guess wrong.
    const isLeft = <usize>load<u8>(goesLeft + <usize>load<u8>(bins + <usize>row));
    store<u32>(left, row);
    store<u32>(right, row);
    left += isLeft << 2;
    right += (1 - isLeft) << 2;
  }
  return <i32>((left - first) >> 2);
}

/** Copies bytes, also onto themselves. */
export function copy(to: usize, from: usize, bytes: i32): void {
  memory.copy(to, from, bytes);
}

/** margins[row] += value for rows[from..to). */
export function addValue(margins: usize, rows: usize, from: i32, to: i32, value: f64): void {
  for (let i = from; i < to; i++) {
    const at = margins + ((<usize>load<u32>(rows + ((<usize>i) << 2))) << 3);
    store<f64>(at, load<f64>(at) + value);
  }
}

// Numbers each of which is there twice, to be read as a pair: a pair that stands in the code is put
// together anew at every use, which takes longer than the arithmetic.
const PAIRS = memory.data<f64>([
  1.4426950408889634, 1.4426950408889634, // 1 / ln 2
  0.6931471805599453, 0.6931471805599453, // ln 2
  0.5, 0.5, // 1 / 2!, and a half
  0.16666666666666666, 0.16666666666666666, // 1 / 3! and so on
  0.041666666666666664, 0.041666666666666664,
  0.008333333333333333, 0.008333333333333333,
  0.001388888888888889, 0.001388888888888889,
  0.0001984126984126984, 0.0001984126984126984,
  0.0000248015873015873, 0.0000248015873015873, // 1 / 8!
  1, 1,
  6755399441055744, 6755399441055744, // MAGIC
  -700, -700,
  -0.0, -0.0,
  1e-16, 1e-16,
]);
// @ts-ignore: decorator
@inline
function pair(index: i32): v128 {
  return v128.load(PAIRS + ((<usize>index) << 4));
}

/** e^x of two doubles in [-700, 0], as `quickExp` of src/learn/gbdt/plain.ts has it. */
// @ts-ignore: decorator
@inline
function quickExp(x: v128): v128 {
  const k = f64x2.floor(f64x2.add(f64x2.mul(x, pair(0)), pair(2)));
  const r = f64x2.sub(x, f64x2.mul(k, pair(1)));
  let series = f64x2.add(f64x2.mul(pair(8), r), pair(7));
  series = f64x2.add(f64x2.mul(series, r), pair(6));
  series = f64x2.add(f64x2.mul(series, r), pair(5));
  series = f64x2.add(f64x2.mul(series, r), pair(4));
  series = f64x2.add(f64x2.mul(series, r), pair(3));
  series = f64x2.add(f64x2.mul(series, r), pair(2));
  series = f64x2.add(f64x2.mul(series, r), pair(9));
  series = f64x2.add(f64x2.mul(series, r), pair(9));
  // 2^k by its bits: k + MAGIC has k in its low ones, and MAGIC's own are shifted out.
  return i64x2.add(series, i64x2.shl(f64x2.add(k, pair(10)), 52));
}

/** Gradient and hessian of the log-loss for rows from..to; `weight` 0 means all 1. */
export function logLoss(
  margins: usize,
  target: usize,
  weight: usize,
  from: i32,
  to: i32,
  pairs: usize,
): void {
  for (let i = from; i < to; i += 2) {
    // The arrays have room for one row more than there are, so the last pair may be half used.
    const at = (<usize>i) << 3;
    const margin = v128.load(margins + at);
    const e = quickExp(f64x2.pmax(pair(11), v128.or(margin, pair(12))));
    const isBelow = f64x2.lt(margin, f64x2.splat(0));
    const p = f64x2.div(v128.bitselect(e, pair(9), isBelow), f64x2.add(pair(9), e));
    let gradient = f64x2.sub(p, v128.load(target + at));
    let hessian = f64x2.add(f64x2.mul(p, f64x2.sub(pair(9), p)), pair(13));
    if (weight != 0) {
      const w = v128.load(weight + at);
      gradient = f64x2.mul(gradient, w);
      hessian = f64x2.mul(hessian, w);
    }
    const g = i64x2.extend_low_i32x4_u(f32x4.demote_f64x2_zero(gradient));
    const h = i64x2.extend_low_i32x4_u(f32x4.demote_f64x2_zero(hessian));
    const both = v128.or(g, i64x2.shl(h, 32));
    if (i + 1 < to) v128.store(pairs + at, both);
    else v128.store64_lane(pairs + at, both, 0);
  }
}

/** Writes the largest |gradient| and |hessian| of rows from..to to `out`. */
export function largest(pairs: usize, from: i32, to: i32, out: usize): void {
  let most = f32x4.splat(0);
  const begin = pairs + ((<usize>from) << 3);
  const end = pairs + ((<usize>to) << 3);
  let at = begin;
  for (; at + 16 <= end; at += 16) most = f32x4.pmax(most, f32x4.abs(v128.load(at)));
  if (at < end) most = f32x4.pmax(most, f32x4.abs(v128.load64_zero(at)));
  most = f32x4.pmax(most, i32x4.shuffle(most, most, 2, 3, 0, 1));
  store<f64>(out, <f64>f32x4.extract_lane(most, 0));
  store<f64>(out, <f64>f32x4.extract_lane(most, 1), 8);
}

/** Rounds gradients and hessians of rows from..to to whole numbers of their grids. */
export function snap(
  pairs: usize,
  from: i32,
  to: i32,
  scaleGradient: f64,
  scaleHessian: f64,
): void {
  const scale = f64x2.replace_lane(f64x2.splat(scaleGradient), 1, scaleHessian);
  const unit = f64x2.div(f64x2.splat(1), scale);
  const magic = f64x2.splat(MAGIC);
  const end = pairs + ((<usize>to) << 3);
  for (let at = pairs + ((<usize>from) << 3); at < end; at += 8) {
    const pair = f64x2.promote_low_f32x4(v128.load64_zero(at));
    const whole = f64x2.sub(f64x2.add(f64x2.mul(pair, scale), magic), magic);
    v128.store64_lane(at, f32x4.demote_f64x2_zero(f64x2.mul(whole, unit)), 0);
  }
}

/**
 * The bin of each value: 0 for NaN, else 1 + how many of the `count` edges are below it. `edges`
 * has room for 255 numbers and is infinite beyond `count`.
 */
export function binNumbers(values: usize, size: i32, edges: usize, count: i32, bins: usize): void {
  const last = <u32>(count - 1);
  for (let i = 0; i < size; i++) {
    const x = load<f32>(values + ((<usize>i) << 2));
    let below: u32 = 0;
    below += select<u32>(128, 0, x > load<f32>(edges + 127 * 4));
    below += select<u32>(64, 0, x > load<f32>(edges + ((<usize>below) << 2), 63 * 4));
    below += select<u32>(32, 0, x > load<f32>(edges + ((<usize>below) << 2), 31 * 4));
    below += select<u32>(16, 0, x > load<f32>(edges + ((<usize>below) << 2), 15 * 4));
    below += select<u32>(8, 0, x > load<f32>(edges + ((<usize>below) << 2), 7 * 4));
    below += select<u32>(4, 0, x > load<f32>(edges + ((<usize>below) << 2), 3 * 4));
    below += select<u32>(2, 0, x > load<f32>(edges + ((<usize>below) << 2), 4));
    below += select<u32>(1, 0, x > load<f32>(edges + ((<usize>below) << 2)));
    store<u8>(bins + <usize>i, <u8>select<u32>(min(below, last) + 1, 0, x == x));
  }
}

/** Trees that `scoreRows` looks at together. */
const TREES = 16;

/**
 * The margins of rows by the masks of src/learn/gbdt/quick.ts. `places` holds, row by row, where
 * the masks of each column's code begin; a mask of `words` words a tree says which leaves are left.
 * `blocks` of 16 trees; `values` has room for words x 32 leaves a tree. `scratch`: 64 bytes a word.
 */
export function scoreRows(
  places: usize,
  columns: i32,
  rows: i32,
  blocks: i32,
  words: i32,
  values: usize,
  base: f64,
  margins: usize,
  scratch: usize,
): void {
  const room = (<usize>words) << 8; // bytes of one tree's values
  for (let row = 0; row < rows; row++) {
    let sum = base;
    let at: usize = 0;
    let value = values;
    for (let block = 0; block < blocks; block++) {
      for (let word = 0; word < words; word++) {
        let a = i32x4.splat(-1);
        let b = i32x4.splat(-1);
        let c = i32x4.splat(-1);
        let d = i32x4.splat(-1);
        for (let column = 0; column < columns; column++) {
          const masks = <usize>load<u32>(places + ((<usize>column) << 2)) + at;
          a = v128.and(a, v128.load(masks));
          b = v128.and(b, v128.load(masks, 16));
          c = v128.and(c, v128.load(masks, 32));
          d = v128.and(d, v128.load(masks, 48));
        }
        const to = scratch + ((<usize>word) << 6);
        v128.store(to, a);
        v128.store(to, b, 16);
        v128.store(to, c, 32);
        v128.store(to, d, 48);
        at += 64;
      }
      for (let tree = 0; tree < TREES; tree++) {
        let from = scratch + ((<usize>tree) << 2);
        let leaf: u32 = 0;
        // One leaf at least is always left.
        while (load<u32>(from) == 0) {
          from += 64;
          leaf += 32;
        }
        leaf += <u32>ctz<i32>(load<u32>(from));
        sum += load<f64>(value + ((<usize>leaf) << 3));
        value += room;
      }
    }
    store<f64>(margins + ((<usize>row) << 3), sum);
    places += (<usize>columns) << 2;
  }
}
