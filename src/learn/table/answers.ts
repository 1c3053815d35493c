/*
 * From the margin of a table model to what it answers, and what an answer was worth.
 */
import type { Calibration } from "../calibrate.ts";
import { classLosses } from "../classes.ts";
import { exp, sigmoid } from "../math.ts";
import { brierLosses, logLosses } from "../metrics.ts";
import { marginsOf } from "../predict.ts";
import { absoluteErrors, poissonDeviances, squaredErrors } from "../regression.ts";
import type { Frame, Model, SoftmaxModel } from "../types.ts";

/** What a table model foretells: one of two classes, one of several, a number, or a count. */
export type TableTask = "binary" | "multiclass" | "regression" | "count";

/** A model of a table: one margin a row, or one a row and class. */
export type TableModel = Model | SoftmaxModel;

/**
 * Answers, row by row, `width` numbers each: the probability of the positive class (binary), of
 * every class (multiclass), or the number itself.
 */
export interface Answers {
  readonly width: number;
  readonly values: Float64Array;
}

/** How a model's margins are read. */
export interface Reading {
  readonly task: TableTask;
  /** Classes of a multiclass target; 1 otherwise. */
  readonly width: number;
  readonly calibration: Calibration;
}

/** What a model answers about the rows of a frame; throws as `marginsOf` does. */
export const answersOf = (model: TableModel, reading: Reading, frame: Frame): Answers =>
  readMargins(tableMargins(model, frame), reading);

/** The margins of a frame, row by row, those of several classes side by side. */
export const tableMargins = (model: TableModel, frame: Frame): Float64Array => {
  if (model.kind !== "softmax") return marginsOf(model, frame);
  const width = model.models.length;
  const margins = new Float64Array(frame.rows * width);
  for (const [k, one] of model.models.entries()) {
    for (const [row, margin] of marginsOf(one, frame).entries()) margins[row * width + k] = margin;
  }
  return margins;
};

/** Margins as answers: probabilities by the calibrated sigmoid or by softmax, counts by exp. */
export const readMargins = (margins: Float64Array, reading: Reading): Answers => {
  const { task, width, calibration } = reading;
  const { slope, intercept } = calibration;
  if (task === "binary") {
    return { width, values: margins.map((m) => sigmoid(slope * m + intercept)) };
  }
  if (task === "regression") return { width, values: margins };
  if (task === "count") return { width, values: margins.map(exp) };
  return { width, values: softmax(margins, width) };
};

const softmax = (margins: Float64Array, width: number): Float64Array => {
  const values = new Float64Array(margins.length);
  for (let row = 0; row < margins.length; row += width) {
    let most = Number.NEGATIVE_INFINITY;
    for (let k = row; k < row + width; k++) most = Math.max(most, margins[k]!);
    let sum = 0;
    for (let k = row; k < row + width; k++) sum += values[k] = exp(margins[k]! - most);
    for (let k = row; k < row + width; k++) values[k]! /= sum;
  }
  return values;
};

/** A loss of each row, lower is better. */
export type LossName =
  | "log_loss"
  | "brier"
  | "error"
  | "squared_error"
  | "absolute_error"
  | "deviance";

/** The loss that a task is trained on and chosen by. */
export const TASK_LOSS: Readonly<Record<TableTask, LossName>> = {
  binary: "log_loss",
  multiclass: "log_loss",
  regression: "squared_error",
  count: "deviance",
};

/**
 * The loss of each row. `target` holds 0/1, class indices or numbers; `threshold` is the
 * probability from which a binary answer is taken as the positive class, for `error` only. The
 * deviance is Poisson's, 2 (y log(y / value) - y + value).
 */
export const lossesOf = (
  name: LossName,
  { width, values }: Answers,
  target: Float64Array,
  threshold: number,
): Float64Array => {
  const answers = { width, values };
  if (name === "log_loss") {
    return width > 1 ? classLosses(values, target) : logLosses(values, target);
  }
  if (name === "error") {
    return target.map((y, row) => (labelOf(answers, row, threshold) === y ? 0 : 1));
  }
  if (name === "brier") return brierLosses(values, target);
  if (name === "squared_error") return squaredErrors(values, target);
  if (name === "absolute_error") return absoluteErrors(values, target);
  return poissonDeviances(values, target);
};

/** The class that an answer amounts to, by index; of equal probabilities the first. */
export const labelOf = ({ width, values }: Answers, row: number, threshold: number): number => {
  if (width === 1) return values[row]! >= threshold ? 1 : 0;
  let best = 0;
  for (let k = 1; k < width; k++) {
    if (values[row * width + k]! > values[row * width + best]!) best = k;
  }
  return best;
};

/** The weighted mean of losses; `weight` null means all 1. NaN of none. */
export const meanLoss = (losses: Float64Array, weight: Float64Array | null): number => {
  let sum = 0;
  let total = 0;
  for (let row = 0; row < losses.length; row++) {
    const w = weight === null ? 1 : weight[row]!;
    sum += w * losses[row]!;
    total += w;
  }
  return sum / total;
};
