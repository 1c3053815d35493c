import { SluiceError } from "../errors.ts";
import { clamp } from "./math.ts";
import type { ColumnShape, Frame, Sample } from "./types.ts";

/** The columns of a frame without their rows. */
export const shapesOf = (frame: Frame): ColumnShape[] =>
  frame.columns.map((column) =>
    column.kind === "category"
      ? { name: column.name, kind: column.kind, levels: [...column.levels] }
      : { name: column.name, kind: column.kind },
  );

interface Accepted {
  has(target: number, classes: number): boolean;
  readonly fix: string;
}

const FINITE: Accepted = { has: Number.isFinite, fix: "Targets must be finite numbers." };
/** What objectives accept as targets; those that are not here take any finite number. */
const ACCEPTED: Readonly<Record<string, Accepted>> = {
  log_loss: { has: (y) => y === 0 || y === 1, fix: "log_loss takes 0 and 1." },
  poisson: {
    has: (y) => y >= 0 && y < Number.POSITIVE_INFINITY,
    fix: "poisson takes counts: finite numbers from 0.",
  },
  softmax: {
    has: (y, classes) => Number.isInteger(y) && y >= 0 && y < classes,
    fix: "softmax takes the index of a class: 0, 1 and so on, below the number of classes.",
  },
};

/**
 * Throws `bad_sample` unless the sample can be learnt from: at least one row, arrays of equal
 * length, targets that the objective accepts (finite ones at least; for softmax below `classes`),
 * and weights finite, not negative, not all zero.
 */
export const checkSample = (sample: Sample, objective: string, classes = 2): void => {
  const { frame, target, weight } = sample;
  if (frame.rows === 0) bad("the sample has no rows", "Give at least one row.");
  for (const column of frame.columns) {
    const length = column.kind === "number" ? column.values.length : column.codes.length;
    if (length !== frame.rows) {
      bad(`column ${column.name} has ${length} rows, the frame ${frame.rows}`, "Make them equal.");
    }
  }
  if (target.length !== frame.rows || (weight !== null && weight.length !== frame.rows)) {
    bad(
      `${frame.rows} rows, ${target.length} targets, ${weight?.length ?? "no"} weights`,
      "Give one target (and one weight, or none at all) a row.",
    );
  }
  const accepted = ACCEPTED[objective] ?? FINITE;
  const refused = target.findIndex((y) => !accepted.has(y, classes));
  if (refused >= 0) bad(`target ${target[refused]} in row ${refused}`, accepted.fix);
  if (weight === null) return;
  const wrong = weight.findIndex((w) => !(w >= 0 && w < Number.POSITIVE_INFINITY));
  if (wrong >= 0) bad(`weight ${weight[wrong]} in row ${wrong}`, "Weights are finite and >= 0.");
  if (weight.every((w) => w === 0)) bad("every weight is 0", "Give some row a weight above 0.");
};

/**
 * Throws `column_mismatch` unless the frame's columns are these, in their order and with their
 * levels: a frame of other columns would give an answer too, and a wrong one.
 */
export const checkColumns = (shapes: readonly ColumnShape[], frame: Frame): void => {
  for (let c = 0; c < Math.max(shapes.length, frame.columns.length); c++) {
    const shape = shapes[c];
    const column = frame.columns[c];
    const isSame =
      shape !== undefined &&
      column !== undefined &&
      shape.name === column.name &&
      shape.kind === column.kind &&
      (column.kind === "number" || isEqual(shape.levels ?? [], column.levels));
    if (isSame) continue;
    throw new SluiceError({
      code: "column_mismatch",
      status: 409,
      detail: `column ${c} is ${named(column)}, the model was trained on ${named(shape)}`,
      fix: "Give the columns that the model was trained on, in that order, with the same levels.",
    });
  }
};

/** Whether all targets are the same, so that there is nothing to tell apart. */
export const isSingleClass = (target: ArrayLike<number>): boolean => {
  for (let i = 1; i < target.length; i++) if (target[i] !== target[0]) return false;
  return true;
};

/** The weighted mean; 0 where there is no weight at all. `weight` null means all 1. */
export const weightedMean = (values: Float64Array, weight: Float64Array | null): number => {
  let sum = 0;
  let total = 0;
  for (let i = 0; i < values.length; i++) {
    const w = weight === null ? 1 : weight[i]!;
    sum += w * values[i]!;
    total += w;
  }
  return total > 0 ? sum / total : 0;
};

/**
 * The share of ones, held within [1, n + 1] / (n + 2): where one class was never seen it is
 * Laplace's rule of succession, so that its log-odds stay finite.
 */
export const baseRate = (target: Float64Array, weight: Float64Array | null): number => {
  const least = 1 / (target.length + 2);
  return clamp(weightedMean(target, weight), least, 1 - least);
};

/**
 * The smallest value whose share of weight at or below reaches `q`; 0 of none. `weight` null
 * means all 1.
 */
export const weightedQuantile = (
  values: Float64Array,
  weight: Float64Array | null,
  q: number,
): number => {
  if (weight === null) {
    const sorted = values.slice().sort();
    return sorted[clamp(Math.ceil(q * sorted.length) - 1, 0, sorted.length - 1)] ?? 0;
  }
  const order = Array.from(values, (_, i) => i).sort((a, b) => values[a]! - values[b]! || a - b);
  let total = 0;
  for (const i of order) total += weight[i]!;
  let below = 0;
  for (const i of order) {
    below += weight[i]!;
    if (below > 0 && below >= q * total) return values[i]!;
  }
  return values[order.at(-1) ?? 0] ?? 0;
};

const bad = (detail: string, fix: string): never => {
  throw new SluiceError({ code: "bad_sample", status: 422, detail, fix });
};

const isEqual = (a: readonly string[], b: readonly string[]): boolean =>
  a === b || (a.length === b.length && a.every((level, i) => level === b[i]));

const named = (column: { name: string; kind: string } | undefined): string =>
  column === undefined ? "absent" : `${column.name} (${column.kind})`;
