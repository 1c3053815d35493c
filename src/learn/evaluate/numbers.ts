/* What a forecast of numbers (or counts) is worth on rows that nothing was learned from. */
import { bootstrap, quantileOf, weighedMean } from "../bootstrap.ts";
import { type Difference, paired } from "../interval.ts";
import { coverage, mean, pinball } from "../metrics.ts";
import { absoluteErrors, poissonDeviances, r2, shareBelow, squaredErrors } from "../regression.ts";
import { type JudgedQuantiles, quantileName } from "../table/quantiles.ts";
import {
  histogramOf,
  type Metrics,
  put,
  putDifference,
  type Verdict,
  verdictOf,
} from "./figures.ts";

export interface NumberAnswers {
  /** One a row, in the target's unit. */
  readonly forecast: Float64Array;
  readonly target: Float64Array;
  /** "count": the loss that versions are compared by is the Poisson deviance, else squared error. */
  readonly kind: "regression" | "count";
  /** The mean target of the rows learned from. */
  readonly baseMean: number;
  /** An interval that should hold the share `coverage` of the targets, if there is one. */
  readonly interval?: {
    readonly low: Float64Array;
    readonly high: Float64Array;
    readonly coverage: number;
  };
  /** Quantiles that are foretold besides, if there are any. */
  readonly quantiles?: JudgedQuantiles | null;
  readonly champion: Float64Array | null;
  readonly seed: number;
  readonly draws?: number;
}

/** Rows of like forecast: mean forecast and mean target. */
export interface ForecastBin {
  readonly rows: number;
  readonly meanForecast: number;
  readonly meanTarget: number;
}

export interface NumberEvaluation {
  readonly metrics: Metrics;
  readonly bins: readonly ForecastBin[];
  /** Forecast minus target in bins of equal width from low to high (the middle 99 % of them). */
  readonly residuals: {
    readonly low: number;
    readonly high: number;
    readonly counts: readonly number[];
  };
  readonly champion: {
    readonly loss: Difference | null;
    readonly championLoss: number | null;
    readonly verdict: Verdict;
  } | null;
}

/** Evaluates forecasts of numbers; the rows are taken to be independent. */
export const evaluateNumbers = (answers: NumberAnswers): NumberEvaluation => {
  const { forecast, target, kind, baseMean, interval, champion, seed, draws = 200 } = answers;
  const { quantiles = null } = answers;
  const squared = squaredErrors(forecast, target);
  const absolute = absoluteErrors(forecast, target);
  const lossesOf = kind === "count" ? poissonDeviances : squaredErrors;
  const losses = lossesOf(forecast, target);
  const meanSquared = weighedMean(squared);
  const intervals = bootstrap(
    target.length,
    {
      rmse: (counts) => {
        const error = meanSquared(counts);
        return error === null ? null : Math.sqrt(error);
      },
      mae: weighedMean(absolute),
      deviance: weighedMean(losses),
    },
    { seed, draws },
  );
  const metrics: Metrics = { rows: target.length };
  const squaredError = mean(squared);
  put(metrics, "rmse", squaredError === null ? null : Math.sqrt(squaredError), intervals.rmse);
  put(metrics, "squared_error", squaredError);
  put(metrics, "mae", mean(absolute), intervals.mae);
  put(metrics, "r2", r2(forecast, target));
  put(metrics, "mean_target", mean(target));
  put(metrics, "mean_forecast", mean(forecast));
  const base = new Float64Array(target.length).fill(baseMean);
  const baseError = mean(squaredErrors(base, target));
  put(metrics, "base_mean_rmse", baseError === null ? null : Math.sqrt(baseError));
  put(metrics, "base_mean_mae", mean(absoluteErrors(base, target)));
  if (kind === "count") {
    put(metrics, "deviance", mean(losses), intervals.deviance);
    put(metrics, "base_mean_deviance", mean(poissonDeviances(base, target)));
  }
  if (interval !== undefined) {
    const wanted = Math.round(interval.coverage * 100);
    put(metrics, `coverage_${wanted}`, coverage(interval.low, interval.high, target));
    put(metrics, "interval_width", mean(interval.high.map((h, i) => h - interval.low[i]!)));
  }
  if (quantiles !== null) putQuantiles(metrics, quantiles, target);
  const championLosses = champion === null ? null : lossesOf(champion, target);
  const difference = championLosses === null ? null : paired(losses, championLosses, 0);
  if (championLosses !== null) {
    put(metrics, "champion_loss", mean(championLosses));
    putDifference(metrics, "against_champion", difference);
  }
  return {
    metrics,
    bins: binsOf(forecast, target, 10),
    residuals: residualsOf(forecast, target),
    champion:
      championLosses === null
        ? null
        : { loss: difference, championLoss: mean(championLosses), verdict: verdictOf(difference) },
  };
};

/** The pinball loss of each quantile, what no column would give, and the share of rows below. */
const putQuantiles = (
  metrics: Metrics,
  { levels, values, base }: JudgedQuantiles,
  target: Float64Array,
): void => {
  for (const [k, level] of levels.entries()) {
    const name = quantileName(level);
    const forecast = target.map((_, row) => values[row * levels.length + k]!);
    put(metrics, `pinball_${name}`, pinball(forecast, target, level));
    const none = new Float64Array(target.length).fill(base[k]!);
    put(metrics, `base_pinball_${name}`, pinball(none, target, level));
    put(metrics, `share_below_${name}`, shareBelow(forecast, target));
  }
};

/** Rows by rising forecast in `bins` groups of about equally many. */
const binsOf = (forecast: Float64Array, target: Float64Array, bins: number): ForecastBin[] => {
  const order = Array.from(forecast, (_, i) => i).sort(
    (a, b) => forecast[a]! - forecast[b]! || a - b,
  );
  return Array.from({ length: bins }, (_, bin) => {
    const from = Math.round((bin * order.length) / bins);
    const rows = order.slice(from, Math.round(((bin + 1) * order.length) / bins));
    return {
      rows: rows.length,
      meanForecast: rows.reduce((sum, row) => sum + forecast[row]!, 0) / rows.length,
      meanTarget: rows.reduce((sum, row) => sum + target[row]!, 0) / rows.length,
    };
  }).filter((bin) => bin.rows > 0);
};

const residualsOf = (forecast: Float64Array, target: Float64Array) => {
  const residuals = forecast.map((f, i) => f - target[i]!).sort();
  const [low, high] = [quantileOf(residuals, 0.005), quantileOf(residuals, 0.995)];
  if (!Number.isFinite(low) || !Number.isFinite(high)) return { low: 0, high: 0, counts: [] };
  return { low, high, counts: histogramOf(residuals, low, high, 20) };
};
