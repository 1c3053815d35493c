/*
 * Linear models on standardised numbers and one-hot categories (design.ts): logistic and Poisson
 * regression by Newton's method, and ridge regression, which is one such step. All penalise l2 / 2
 * times the squared weights, not the bias.
 */
import { SluiceError } from "../errors.ts";
import { type Design, designOf } from "./design.ts";
import { exp, log, logit, sigmoid, softplus } from "./math.ts";
import { baseRate, checkSample, isSingleClass, weightedMean } from "./sample.ts";
import { solve } from "./solve.ts";
import type { Frame, LinearModel, OnRound, Sample, Trainer } from "./types.ts";

export interface LinearOptions {
  /** Penalty on the squared weights of standardised columns, in rows: 0 or more. */
  readonly l2: number;
  /** Newton steps at most; ridge takes one whatever is given. */
  readonly rounds: number;
  /** Whether a missing number has a weight of its own; else it counts as the column's mean. */
  readonly indicators?: boolean;
}

/** Logistic regression for 0/1 targets. */
export const logistic: Trainer<LinearOptions> = {
  name: "logistic",
  defaults: { l2: 1, rounds: 25 },
  fit: (sample, options, _seed, onRound) => fitNewton(sample, options, LOG_ODDS, onRound),
};

/** Poisson regression for counts: the margin is the logarithm of the expected count. */
export const poisson: Trainer<LinearOptions> = {
  name: "poisson",
  defaults: { l2: 1, rounds: 25 },
  fit: (sample, options, _seed, onRound) => fitNewton(sample, options, LOG_COUNT, onRound),
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

/** What a margin means: the mean it stands for, and the loss of a target under it. */
interface Link {
  readonly objective: LinearModel["objective"];
  /** The margin that is right without columns. */
  base(target: Float64Array, weight: Float64Array | null): number;
  mean(margin: number): number;
  loss(margin: number, mean: number, y: number): number;
  /** The second derivative of the loss; the first is the mean minus the target. */
  curvature(mean: number): number;
}

const LOG_ODDS: Link = {
  objective: "log_loss",
  base: (target, weight) => logit(baseRate(target, weight)),
  mean: sigmoid,
  loss: (margin, _, y) => softplus(y === 1 ? -margin : margin),
  curvature: (mean) => mean * (1 - mean),
};

const LOG_COUNT: Link = {
  objective: "poisson",
  // As if half a row more had counted one: the logarithm of 0 is no margin.
  base: (target, weight) => log(Math.max(weightedMean(target, weight), 0.5 / target.length)),
  mean: exp,
  loss: (margin, mean, y) => mean - y * margin,
  curvature: (mean) => mean,
};

const fitNewton = (
  sample: Sample,
  options: LinearOptions,
  link: Link,
  onRound: OnRound | undefined,
): LinearModel => {
  checkLinear(sample, options, link.objective);
  const { target, weight } = sample;
  const design = designOf(sample, options.indicators ?? false);
  const l2 = Math.max(options.l2, LEAST_L2);
  let beta = new Float64Array(design.width);
  beta[0] = link.base(target, weight);
  if (isSingleClass(target)) return design.model(beta, link.objective);

  const means = new Float64Array(target.length);
  const of = (i: number) => (weight === null ? 1 : weight[i]!);
  const lossOf = (candidate: Float64Array): number => {
    let loss = penalty(candidate, l2);
    for (let i = 0; i < target.length; i++) {
      const margin = design.margin(candidate, i);
      const mean = link.mean(margin);
      means[i] = mean;
      loss += of(i) * link.loss(margin, mean, target[i]!);
    }
    return loss;
  };
  let loss = lossOf(beta);
  for (let round = 0; round < options.rounds; round++) {
    onRound?.(round, options.rounds);
    const step = newtonStep(
      design,
      beta,
      l2,
      (i) => of(i) * (target[i]! - means[i]!),
      (i) => of(i) * link.curvature(means[i]!),
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
  return design.model(beta, link.objective);
};

const fitRidge = (
  sample: Sample,
  options: LinearOptions,
  onRound: OnRound | undefined,
): LinearModel => {
  checkLinear(sample, options, "squared_error");
  const { target, weight } = sample;
  const design = designOf(sample, options.indicators ?? false);
  onRound?.(0, 1);
  const beta = new Float64Array(design.width);
  beta[0] = weightedMean(target, weight);
  const of = (i: number) => (weight === null ? 1 : weight[i]!);
  const l2 = Math.max(options.l2, LEAST_L2);
  const step = newtonStep(design, beta, l2, (i) => of(i) * (target[i]! - beta[0]!), of);
  return design.model(step === null ? beta : beta.map((b, j) => b + step[j]!), "squared_error");
};

/** Solves (X' C X + l2 I) step = X' r - l2 beta for residuals r and curvatures C, one a row. */
const newtonStep = (
  { width, cells, dense, places, categories }: Design,
  beta: Float64Array,
  l2: number,
  residual: (row: number) => number,
  curvature: (row: number) => number,
): Float64Array | null => {
  const matrix = new Float64Array(width * width);
  const right = beta.map((b, j) => (j === 0 ? 0 : -l2 * b));
  for (let row = 0, at = 0; at < cells.length; row++, at += dense) {
    const r = residual(row);
    const c = curvature(row);
    for (let i = 0; i < dense; i++) {
      const x = cells[at + i]!;
      right[i]! += r * x;
      const cx = c * x;
      for (let j = 0; j <= i; j++) matrix[i * width + j]! += cx * cells[at + j]!;
    }
    // A level's cell is 1 where the row has it, and 0 elsewhere.
    for (let i = row * categories; i < (row + 1) * categories; i++) {
      const place = places[i]!;
      const line = place * width;
      right[place]! += r;
      for (let j = 0; j < dense; j++) matrix[line + j]! += c * cells[at + j]!;
      for (let j = row * categories; j <= i; j++) matrix[line + places[j]!]! += c;
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

/**
 * The margins of a linear model, one a row. What is missing adds its own weight, or 0 where the
 * model has none; so does a code that the model has no level for.
 */
export const linearMargins = (model: LinearModel, frame: Frame): Float64Array => {
  const margins = new Float64Array(frame.rows).fill(model.bias);
  for (const c of frame.columns.keys()) addTerm(model, frame, c, margins, 0, 1);
  return margins;
};

/** What each column adds to each row's margin: rows x columns, row by row. */
export const linearTerms = (model: LinearModel, frame: Frame): Float64Array => {
  const width = frame.columns.length;
  const terms = new Float64Array(frame.rows * width);
  for (const c of frame.columns.keys()) addTerm(model, frame, c, terms, c, width);
  return terms;
};

/** Adds a column's terms to every `step`-th of the sums, from the `first` on. */
const addTerm = (
  model: LinearModel,
  frame: Frame,
  c: number,
  sums: Float64Array,
  first: number,
  step: number,
): void => {
  const column = frame.columns[c]!;
  const missing = model.missing?.[c] ?? 0;
  if (column.kind === "category") {
    const levels = model.levels?.[c] ?? null;
    for (let row = 0; row < frame.rows; row++) {
      sums[first + row * step]! += levels?.[column.codes[row]!] ?? missing;
    }
    return;
  }
  const weight = model.weights[c]! / model.scales[c]!;
  if (weight === 0 && missing === 0) return;
  const mean = model.means[c]!;
  for (let row = 0; row < frame.rows; row++) {
    const x = column.values[row]!;
    // Not 0 x the value, which is no number where the value is infinite.
    sums[first + row * step]! += Number.isNaN(x) ? missing : weight === 0 ? 0 : weight * (x - mean);
  }
};

const checkLinear = (
  sample: Sample,
  options: LinearOptions,
  objective: LinearModel["objective"],
): void => {
  checkSample(sample, objective);
  const { l2, rounds } = options;
  if (l2 >= 0 && l2 < Number.POSITIVE_INFINITY && Number.isInteger(rounds) && rounds >= 0) return;
  throw new SluiceError({
    code: "bad_option",
    status: 422,
    detail: `linear options l2 ${l2}, rounds ${rounds}`,
    fix: "Give l2 as a finite number from 0 and rounds as an integer from 0.",
  });
};
