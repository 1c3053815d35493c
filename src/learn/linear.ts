/*
 * Linear models on standardised columns: logistic regression by Newton's method and ridge
 * regression, which is one such step. Both penalise l2 / 2 times the squared weights, not the bias.
 */
import { SluiceError } from "../errors.ts";
import { logit, sigmoid, softplus } from "./math.ts";
import { baseRate, checkSample, isSingleClass, shapesOf, weightedMean } from "./sample.ts";
import { solve } from "./solve.ts";
import type { Frame, LinearModel, OnRound, Sample, Trainer } from "./types.ts";

export interface LinearOptions {
  /** Penalty on the squared weights of standardised columns, in rows: 0 or more. */
  readonly l2: number;
  /** Newton steps at most; ridge takes one whatever is given. */
  readonly rounds: number;
}

/** Logistic regression for 0/1 targets. */
export const logistic: Trainer<LinearOptions> = {
  name: "logistic",
  defaults: { l2: 1, rounds: 25 },
  fit: (sample, options, _seed, onRound) => fitLogistic(sample, options, onRound),
};

/** Least squares with a penalty, for real targets. */
export const ridge: Trainer<LinearOptions> = {
  name: "ridge",
  defaults: { l2: 1, rounds: 1 },
  fit: (sample, options, _seed, onRound) => fitRidge(sample, options, onRound),
};

/** A step that lowers the loss by less than this share ends the fit. */
const ENOUGH = 1e-10;
/** Keeps the matrix positive definite when l2 is 0 and columns repeat each other. */
const LEAST_L2 = 1e-6;

const fitLogistic = (
  sample: Sample,
  options: LinearOptions,
  onRound: OnRound | undefined,
): LinearModel => {
  checkLinear(sample, options, "log_loss");
  const { target, weight } = sample;
  const table = standardise(sample);
  const l2 = Math.max(options.l2, LEAST_L2);
  let beta = new Float64Array(table.width);
  beta[0] = logit(baseRate(target, weight));
  if (isSingleClass(target)) return modelOf(sample, table, beta, "log_loss");

  const probability = new Float64Array(target.length);
  const lossOf = (candidate: Float64Array): number => {
    let loss = penalty(candidate, l2);
    for (let i = 0; i < target.length; i++) {
      const margin = table.margin(candidate, i);
      probability[i] = sigmoid(margin);
      loss += (weight === null ? 1 : weight[i]!) * softplus(target[i] === 1 ? -margin : margin);
    }
    return loss;
  };
  let loss = lossOf(beta);
  for (let round = 0; round < options.rounds; round++) {
    onRound?.(round, options.rounds);
    const step = newtonStep(
      table,
      beta,
      l2,
      (i) => (weight === null ? 1 : weight[i]!) * (target[i]! - probability[i]!),
      (i) => (weight === null ? 1 : weight[i]!) * probability[i]! * (1 - probability[i]!),
    );
    if (step === null) break;
    // A full step may overshoot where the curve flattens: halve it until the loss falls.
    let share = 1;
    let next = beta.map((b, j) => b + step[j]!);
    let nextLoss = lossOf(next);
    while (!(nextLoss <= loss) && share > 1e-6) {
      share /= 2;
      next = beta.map((b, j) => b + share * step[j]!);
      nextLoss = lossOf(next);
    }
    if (!(nextLoss <= loss)) break;
    const fell = loss - nextLoss;
    beta = next;
    loss = nextLoss;
    if (fell <= ENOUGH * Math.abs(loss)) break;
  }
  return modelOf(sample, table, beta, "log_loss");
};

const fitRidge = (
  sample: Sample,
  options: LinearOptions,
  onRound: OnRound | undefined,
): LinearModel => {
  checkLinear(sample, options, "squared_error");
  const { target, weight } = sample;
  const table = standardise(sample);
  onRound?.(0, 1);
  const beta = new Float64Array(table.width);
  beta[0] = weightedMean(target, weight);
  const of = (i: number) => (weight === null ? 1 : weight[i]!);
  const l2 = Math.max(options.l2, LEAST_L2);
  const step = newtonStep(table, beta, l2, (i) => of(i) * (target[i]! - beta[0]!), of);
  return modelOf(
    sample,
    table,
    step === null ? beta : beta.map((b, j) => b + step[j]!),
    "squared_error",
  );
};

/** Standardised values, row by row, each row led by a 1 for the bias. */
interface Table {
  readonly width: number;
  readonly cells: Float64Array;
  readonly means: Float64Array;
  readonly scales: Float64Array;
  margin(beta: Float64Array, row: number): number;
}

/** Weighted mean and spread of each column; what is not finite counts as the mean. */
const standardise = ({ frame, weight }: Sample): Table => {
  const width = frame.columns.length + 1;
  const cells = new Float64Array(frame.rows * width);
  const means = new Float64Array(width - 1);
  const scales = new Float64Array(width - 1).fill(1);
  for (let row = 0; row < frame.rows; row++) cells[row * width] = 1;
  for (const [c, column] of frame.columns.entries()) {
    if (column.kind !== "number") continue; // refused before
    const present = column.values.map((x) => (Number.isFinite(x) ? 1 : 0));
    const own = Float64Array.from(present, (is, i) => is * (weight === null ? 1 : weight[i]!));
    const values = Float64Array.from(column.values, (x, i) => (present[i] === 1 ? x : 0));
    const mean = weightedMean(values, own);
    const variance = weightedMean(
      values.map((x) => (x - mean) ** 2),
      own,
    );
    means[c] = mean;
    // A constant column's spread is rounding noise: it stays at scale 1 and all its cells at 0.
    if (!(Math.sqrt(variance) > Math.abs(mean) * 1e-12)) continue;
    scales[c] = Math.sqrt(variance);
    for (let row = 0; row < frame.rows; row++) {
      if (present[row] === 1) cells[row * width + c + 1] = (values[row]! - mean) / scales[c]!;
    }
  }
  const margin = (beta: Float64Array, row: number): number => {
    let sum = 0;
    for (let j = 0; j < width; j++) sum += beta[j]! * cells[row * width + j]!;
    return sum;
  };
  return { width, cells, means, scales, margin };
};

/** Solves (X' C X + l2 I) step = X' r - l2 beta for residuals r and curvatures C, one a row. */
const newtonStep = (
  { width, cells }: Table,
  beta: Float64Array,
  l2: number,
  residual: (row: number) => number,
  curvature: (row: number) => number,
): Float64Array | null => {
  const matrix = new Float64Array(width * width);
  const right = beta.map((b, j) => (j === 0 ? 0 : -l2 * b));
  for (let row = 0, at = 0; at < cells.length; row++, at += width) {
    const r = residual(row);
    const c = curvature(row);
    for (let i = 0; i < width; i++) {
      const x = cells[at + i]!;
      right[i]! += r * x;
      const cx = c * x;
      for (let j = 0; j <= i; j++) matrix[i * width + j]! += cx * cells[at + j]!;
    }
  }
  for (let i = 1; i < width; i++) matrix[i * width + i]! += l2;
  return solve(matrix, right);
};

const penalty = (beta: Float64Array, l2: number): number => {
  let sum = 0;
  for (let j = 1; j < beta.length; j++) sum += beta[j]! * beta[j]!;
  return (l2 / 2) * sum;
};

const modelOf = (
  { frame }: Sample,
  { means, scales }: Table,
  beta: Float64Array,
  objective: LinearModel["objective"],
): LinearModel => ({
  kind: "linear",
  objective,
  bias: beta[0]!,
  weights: beta.slice(1),
  means,
  scales,
  columns: shapesOf(frame),
});

/**
 * The margins of a linear model, one a row. A missing value adds 0, and so does any value of a
 * column without weight.
 */
export const linearMargins = (model: LinearModel, frame: Frame): Float64Array => {
  const margins = new Float64Array(frame.rows).fill(model.bias);
  for (const [c, column] of frame.columns.entries()) {
    const weight = model.weights[c]! / model.scales[c]!;
    if (column.kind !== "number" || weight === 0) continue;
    const mean = model.means[c]!;
    for (let row = 0; row < margins.length; row++) {
      const x = column.values[row]!;
      if (!Number.isNaN(x)) margins[row]! += weight * (x - mean);
    }
  }
  return margins;
};

const checkLinear = (
  sample: Sample,
  options: LinearOptions,
  objective: LinearModel["objective"],
): void => {
  checkSample(sample, objective);
  const category = sample.frame.columns.find((column) => column.kind === "category");
  if (category !== undefined) {
    throw new SluiceError({
      code: "bad_sample",
      status: 422,
      detail: `column ${category.name} is a category`,
      fix: "A linear model takes number columns only: leave it out, or train gbdt.",
    });
  }
  const { l2, rounds } = options;
  if (l2 >= 0 && l2 < Number.POSITIVE_INFINITY && Number.isInteger(rounds) && rounds >= 0) return;
  throw new SluiceError({
    code: "bad_option",
    status: 422,
    detail: `linear options l2 ${l2}, rounds ${rounds}`,
    fix: "Give l2 as a finite number from 0 and rounds as an integer from 0.",
  });
};
