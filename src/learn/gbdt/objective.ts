/*
 * What a fit makes small. An objective gives the first margin, each row's gradient and hessian
 * at the present margin, the mean loss, and, for quantiles, each leaf's value.
 */
import { logit, sigmoid, softplus } from "../math.ts";
import { baseRate, weightedMean, weightedQuantile } from "../sample.ts";

export type ObjectiveName = "log_loss" | "squared_error" | "quantile";

export interface Objective {
  /** The best margin without any column. */
  base(target: Float64Array, weight: Float64Array | null): number;
  /** Fills gradient and hessian, one a row. */
  derive(
    margin: Float64Array,
    target: Float64Array,
    weight: Float64Array | null,
    gradient: Float64Array,
    hessian: Float64Array,
  ): void;
  /** The weighted mean loss at these margins. */
  loss(margin: Float64Array, target: Float64Array, weight: Float64Array | null): number;
  /** The share q of a leaf's residuals to lie below its value; null takes the Newton step. */
  readonly refit: number | null;
}

/** The objective of that name; `quantile` in (0, 1) counts for "quantile" only. */
export const makeObjective = (name: ObjectiveName, quantile: number): Objective =>
  name === "log_loss" ? logLoss : name === "squared_error" ? squaredError : pinball(quantile);

/** Keeps a certain row's hessian off 0, where a leaf's step would explode. */
const LEAST_HESSIAN = 1e-16;

const logLoss: Objective = {
  refit: null,
  base: (target, weight) => logit(baseRate(target, weight)),
  derive: (margin, target, weight, gradient, hessian) => {
    for (let i = 0; i < margin.length; i++) {
      const p = sigmoid(margin[i]!);
      const w = weight === null ? 1 : weight[i]!;
      gradient[i] = (p - target[i]!) * w;
      hessian[i] = (p * (1 - p) + LEAST_HESSIAN) * w;
    }
  },
  loss: (margin, target, weight) =>
    meanOf(margin, weight, (m, i) => softplus(target[i] === 1 ? -m : m)),
};

const squaredError: Objective = {
  refit: null,
  base: weightedMean,
  derive: (margin, target, weight, gradient, hessian) => {
    for (let i = 0; i < margin.length; i++) {
      const w = weight === null ? 1 : weight[i]!;
      gradient[i] = (margin[i]! - target[i]!) * w;
      hessian[i] = w;
    }
  },
  loss: (margin, target, weight) => meanOf(margin, weight, (m, i) => (m - target[i]!) ** 2),
};

// The pinball loss has no second derivative, so a Newton step has the wrong length: the trees are
// grown on the sign of the residual and each leaf is then given its residuals' quantile.
const pinball = (q: number): Objective => ({
  refit: q,
  base: (target, weight) => weightedQuantile(target, weight, q),
  derive: (margin, target, weight, gradient, hessian) => {
    for (let i = 0; i < margin.length; i++) {
      const w = weight === null ? 1 : weight[i]!;
      gradient[i] = (target[i]! > margin[i]! ? -q : 1 - q) * w;
      hessian[i] = w;
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
