/*
 * Which rows of a table are learned from, which choose, and which judge. Nothing is fitted, chosen
 * or calibrated on the rows that judge.
 */
import { SluiceError } from "../../errors.ts";
import { makeRandom } from "../random.ts";
import type { Frame, Sample } from "../types.ts";
import type { TableTask } from "./answers.ts";

export interface SplitOptions {
  readonly task: TableTask;
  readonly seed: number;
  /** What judges: the rows of part 1, a drawn share of all rows, or the last share of them. */
  readonly test: "part" | "split" | "last";
  readonly testShare: number;
  /** Share of the other rows that only chooses; 0 for none. */
  readonly validationShare: number;
}

/** Indices of rows, ascending; no row is in two of them. */
export interface Split {
  readonly train: Int32Array;
  readonly validation: Int32Array;
  readonly test: Int32Array;
}

/**
 * Splits rows by their target and part. A drawn test is drawn by what a row says, so that a row
 * stays on its side when others come or go, and equal rows are on one side; what chooses is drawn
 * from each class in its proportion. Where rows are in the order of time (`last`), the last of the
 * rows to learn from choose. Throws `too_few_rows` when nothing is left to learn from or judge by.
 */
export const splitRows = (sample: Sample, part: Uint8Array, options: SplitOptions): Split => {
  const { test, testShare, validationShare } = options;
  const all = Int32Array.from(sample.target, (_, row) => row);
  const [rest, judging] =
    test === "part"
      ? parted(all, (row) => part[row] === 1)
      : test === "last"
        ? lastOf(all, testShare)
        : drawnByContent(sample, options);
  const [train, validation] =
    test === "last" ? lastOf(rest, validationShare) : drawn(sample.target, rest, options);
  if (train.length > 0 && judging.length > 0) return { train, validation, test: judging };
  throw new SluiceError({
    code: "too_few_rows",
    status: 422,
    detail: `${train.length} rows to learn from and ${judging.length} to judge by.`,
    fix:
      test === "part"
        ? 'Import rows of both parts, or set evaluate.test to "split" in the model file.'
        : "Import more rows.",
  });
};

type Parts = [stays: Int32Array, goes: Int32Array];

const parted = (rows: Int32Array, goes: (row: number) => boolean): Parts => [
  rows.filter((row) => !goes(row)),
  rows.filter(goes),
];

const lastOf = (rows: Int32Array, share: number): Parts => {
  const from = rows.length - Math.round(share * rows.length);
  return [rows.subarray(0, from), rows.subarray(from)];
};

const groupsOf = (rows: Int32Array, target: Float64Array, task: TableTask): Int32Array[] => {
  if (task !== "binary" && task !== "multiclass") return [rows];
  const groups = Map.groupBy(rows, (row) => target[row]!);
  // In the order of their classes, whichever row comes first.
  return [...groups].sort(([a], [b]) => a - b).map(([, members]) => Int32Array.from(members));
};

/** A share of each class, drawn by the seed; at least one row of each stays. */
const drawn = (
  target: Float64Array,
  rows: Int32Array,
  { task, seed, validationShare: share }: SplitOptions,
): Parts => {
  const random = makeRandom(seed);
  const goes = new Set<number>();
  for (const members of groupsOf(rows, target, task)) {
    const size = Math.min(Math.round(share * members.length), members.length - 1);
    for (const at of random.choose(size, members.length)) goes.add(members[at]!);
  }
  return parted(rows, (row) => goes.has(row));
};

/** Rows whose content's hash is below the share; of a class of two rows or more one at least. */
const drawnByContent = (sample: Sample, { task, seed, testShare }: SplitOptions): Parts => {
  const luck = lucksOf(sample, seed);
  const goes = Uint8Array.from(luck, (at) => (at < testShare ? 1 : 0));
  const all = Int32Array.from(luck, (_, row) => row);
  for (const members of groupsOf(all, sample.target, task)) {
    const went = members.reduce((sum, row) => sum + goes[row]!, 0);
    const ordered = members.toSorted((a, b) => luck[a]! - luck[b]! || a - b);
    if (members.length > 1 && went === 0) goes[ordered[0]!] = 1;
    if (went === members.length) goes[ordered.at(-1)!] = 0;
  }
  return parted(all, (row) => goes[row] === 1);
};

/** A number in [0, 1) of each row, which its cells, its target and the seed decide. */
const lucksOf = ({ frame, target }: Sample, seed: number): Float64Array => {
  const hashes = new Int32Array(frame.rows).fill(mixed(seed | 0, 0x51ed270b));
  const view = new DataView(new ArrayBuffer(8));
  const add = (row: number, word: number) => {
    hashes[row] = mixed(hashes[row]!, word);
  };
  for (const column of frame.columns) {
    if (column.kind === "number") {
      for (let row = 0; row < frame.rows; row++) {
        const value = column.values[row]!;
        // One word for every NaN, and for both zeros.
        view.setFloat32(0, Number.isNaN(value) ? Number.NaN : value + 0);
        add(row, view.getInt32(0));
      }
    } else {
      // By their text: the place of a level changes when others come.
      const words = column.levels.map(textHash);
      for (let row = 0; row < frame.rows; row++) add(row, words[column.codes[row]!] ?? 0);
    }
  }
  for (let row = 0; row < frame.rows; row++) {
    view.setFloat64(0, target[row]!);
    add(row, view.getInt32(0));
    add(row, view.getInt32(4));
  }
  return Float64Array.from(hashes, (hash) => (mixed(hash, 0) >>> 0) / 4_294_967_296);
};

/** Two words into one, by the finishing steps of MurmurHash3 (Appleby 2011). */
const mixed = (hash: number, word: number): number => {
  let h = Math.imul(hash ^ word, 0x85ebca6b) + 0x9e3779b9;
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
};

const textHash = (text: string): number => {
  let hash = text.length;
  for (let i = 0; i < text.length; i++) hash = mixed(hash, text.charCodeAt(i));
  return hash;
};

/** The rows of a sample in the order of the indices. */
export const rowsOf = ({ frame, target, weight }: Sample, rows: Int32Array): Sample => ({
  frame: framed(frame, rows),
  target: Float64Array.from(rows, (row) => target[row]!),
  weight: weight === null ? null : Float64Array.from(rows, (row) => weight[row]!),
});

/** The rows of a frame in the order of the indices. */
export const framed = (frame: Frame, rows: Int32Array): Frame => ({
  rows: rows.length,
  columns: frame.columns.map((column) => {
    if (column.kind === "number") {
      return { ...column, values: Float32Array.from(rows, (row) => column.values[row]!) };
    }
    return { ...column, codes: Int32Array.from(rows, (row) => column.codes[row]!) };
  }),
});
