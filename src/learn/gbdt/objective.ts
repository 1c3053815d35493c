/*
 * What a fit makes small. An objective gives the first margin, each row's gradient and hessian
 * at the present margin, the mean loss, and, for quantiles, each leaf's value.
 */
import { exp, log, logit, softplus } from "../math.ts";
import { baseRate, weightedMean, weightedQuantile } from "../sample.ts";
import type { TreeModel } from "../types.ts";
import type { Kernels } from "./kernels.ts";

export type ObjectiveName = TreeModel["objective"];

export const OBJECTIVES: readonly ObjectiveName[] = [
  "log_loss",
  "squared_error",
  "quantile",
  "poisson",
];

export interface Objective {
  /** The best margin without any column. */
  base(target: Float64Array, weight: Float64Array | null): number;
  /** Fills `pairs` with gradient and hessian, row by row. */
  derive(
    margin: Float64Array,
    target: Float64Array,
    weight: Float64Array | null,
    pairs: Float32Array,
    kernels: Kernels,
  ): void;
  /** The weighted mean loss at these margins. */
  loss(margin: Float64Array, target: Float64Array, weight: Float64Array | null): number;
  /** The share q of a leaf's residuals to lie below its value; null takes the Newton step. */
  readonly refit: number | null;
}

/** The objective of that name; `quantile` in (0, 1) counts for "quantile" only. */
export const makeObjective = (name: ObjectiveName, quantile: number): Objective =>
  name === "log_loss"
    ? logLoss
    : name === "squared_error"
      ? squaredError
      : name === "poisson"
        ? poisson
        : pinball(quantile);

const logLoss: Objective = {
  refit: null,
  base: (target, weight) => logit(baseRate(target, weight)),
  derive: (margin, target, weight, pairs, kernels) => {
    kernels.logLoss(margin, target, weight, pairs);
  },
  loss: (margin, target, weight) =>
    meanOf(margin, weight, (m, i) => softplus(target[i] === 1 ? -m : m)),
};

const squaredError: Objective = {
  refit: null,
  base: weightedMean,
  derive: (margin, target, weight, pairs) => {
    for (let i = 0; i < margin.length; i++) {
      const w = weight === null ? 1 : weight[i]!;
      pairs[2 * i] = (margin[i]! - target[i]!) * w;
      pairs[2 * i + 1] = w;
    }
  },
  loss: (margin, target, weight) => meanOf(margin, weight, (m, i) => (m - target[i]!) ** 2),
};

/** Keeps the step of a leaf whose expected counts are next to 0 from overshooting. */
const LARGEST_STEP = 0.7;
/** A mean count below this is taken for this, so that its logarithm stays finite. */
const LEAST_COUNT = 1e-9;

// The margin is the logarithm of the expected count. Newton's hessian e^m is too small where the
// model expects nothing and something comes; e^(m + 0.7) holds each step to about e^0.7 = 2.
const poisson: Objective = {
  refit: null,
  base: (target, weight) => log(Math.max(weightedMean(target, weight), LEAST_COUNT)),
  derive: (margin, target, weight, pairs) => {
    for (let i = 0; i < margin.length; i++) {
      const w = weight === null ? 1 : weight[i]!;
      pairs[2 * i] = (exp(margin[i]!) - target[i]!) * w;
      pairs[2 * i + 1] = exp(margin[i]! + LARGEST_STEP) * w;
    }
  },
  // The part of the deviance that depends on the margin.
  loss: (margin, target, weight) => meanOf(margin, weight, (m, i) => exp(m) - target[i]! * m),
};

// The pinball loss has no second derivative, so a Newton step has the wrong length: the trees are
// grown on the sign of the residual and each leaf is then given its residuals' quantile.
const pinball = (q: number): Objective => ({
  refit: q,
  base: (target, weight) => weightedQuantile(target, weight, q),
  derive: (margin, target, weight, pairs) => {
    for (let i = 0; i < margin.length; i++) {
      const w = weight === null ? 1 : weight[i]!;
      pairs[2 * i] = (target[i]! > margin[i]! ? -q : 1 - q) * w;
      pairs[2 * i + 1] = w;
    }
  },
  loss: (margin, target, weight) =>
    meanOf(margin, weight, (m, i) => {
      const residual = target[i]! - m;
      return residual > 0 ? q * residual : (q - 1) * residual;
    }),
});

const meanOf = (
  margin: Float64Array,
  weight: Float64Array | null,
  lossAt: (margin: number, row: number) => number,
): number => weightedMean(margin.map(lossAt), weight);
