/*
 * What a market model's walk-forward answers were worth: each figure with its 95 % interval and
 * beside the baselines. Plain numbers, so that runs can be searched by them.
 */
import { BASELINE_NAMES, type Baselines } from "./baseline.ts";
import { calibrationSlope } from "./calibrate.ts";
import { aucInterval, type Interval, meanInterval, paired } from "./interval.ts";
import { balancedAccuracy, brierLosses, hits, logLosses, pinballLosses } from "./metrics.ts";
import type { OutOfFold } from "./recipe.ts";

export interface MarketReport {
  /** Figures by name; intervals as `<name>_low` and `<name>_high`. Figures that do not exist are left out. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Log-loss of model and best baseline, fold by fold. */
  readonly folds: readonly { start: number; rows: number; logLoss: number; baseline: number }[];
  readonly baseline: keyof Baselines;
  /** Whether the model's log-loss is below the best baseline's, on the same rows. */
  readonly better: boolean;
  /** One honest sentence. */
  readonly summary: string;
}

/** The report on out-of-fold answers of at least one row. */
export function marketReport(answers: OutOfFold): MarketReport {
  const { up, returns, probability } = answers;
  const metrics: Record<string, number> = { rows: up.length };
  const losses = logLosses(probability, up);
  // The mean also where one row is too few for an interval.
  putNumber(metrics, "log_loss", meanOf(losses));
  put(metrics, "log_loss", meanInterval(losses));
  put(metrics, "brier", meanInterval(brierLosses(probability, up)));
  put(metrics, "auc", aucInterval(probability, up));
  put(metrics, "accuracy", meanInterval(hits(probability, up)));
  putNumber(metrics, "balanced_accuracy", balancedAccuracy(probability, up));
  putNumber(metrics, "calibration_slope", calibrationSlope(probability, up)?.slope);
  putNumber(metrics, "up_rate", meanOf(up));
  putNumber(metrics, "unchanged_rate", meanOf(returns.map((r) => (r === 0 ? 1 : 0))));
  put(metrics, "coverage_80", meanInterval(coveredRows(answers)));
  put(metrics, "pinball_p10", meanInterval(pinballLosses(answers.low, returns, 0.1)));
  put(metrics, "pinball_p50", meanInterval(pinballLosses(answers.middle, returns, 0.5)));
  put(metrics, "pinball_p90", meanInterval(pinballLosses(answers.high, returns, 0.9)));

  const baselineLosses = Object.fromEntries(
    BASELINE_NAMES.map((name) => [name, logLosses(answers.baselines[name], up)]),
  ) as Record<keyof Baselines, Float64Array>;
  for (const name of BASELINE_NAMES) {
    putNumber(metrics, `${name}_log_loss`, meanOf(baselineLosses[name]));
    put(metrics, `${name}_log_loss`, meanInterval(baselineLosses[name]));
    put(metrics, `${name}_accuracy`, meanInterval(hits(answers.baselines[name], up)));
  }
  const baseline = [...BASELINE_NAMES].sort(
    (a, b) => meanOf(baselineLosses[a]) - meanOf(baselineLosses[b]),
  )[0]!;
  const difference = paired(losses, baselineLosses[baseline]);
  put(metrics, "against_baseline", difference);
  putNumber(metrics, "against_baseline_t", difference?.t);
  const better = meanOf(losses) < meanOf(baselineLosses[baseline]);
  return {
    metrics,
    folds: byFold(answers.folds, losses, baselineLosses[baseline]),
    baseline,
    better,
    summary: summaryOf(metrics, baseline, difference),
  };
}

const coveredRows = ({ returns, low, high }: OutOfFold): Float64Array =>
  returns.map((r, i) => (r >= low[i]! && r <= high[i]! ? 1 : 0));

function summaryOf(
  metrics: Readonly<Record<string, number>>,
  baseline: string,
  difference: Interval | null,
): string {
  const figures = `log-loss ${fixed(metrics["log_loss"])} against ${fixed(
    metrics[`${baseline}_log_loss`],
  )} of the best baseline (${baseline}) on ${metrics["rows"]} candles`;
  if (difference === null) return `Too few candles to judge: ${figures}.`;
  if (difference.high < 0) return `Better than every baseline: ${figures}.`;
  if (difference.low > 0) return `Worse than a baseline: ${figures}.`;
  return `No skill shown beyond the baselines: ${figures}; the difference may be chance.`;
}

const fixed = (value: number | undefined): string => value?.toFixed(5) ?? "unknown";

function byFold(folds: Float64Array, losses: Float64Array, baseline: Float64Array) {
  const rows: { start: number; rows: number; logLoss: number; baseline: number }[] = [];
  for (let from = 0, to = 0; from < folds.length; from = to) {
    while (to < folds.length && folds[to] === folds[from]) to++;
    rows.push({
      start: folds[from]!,
      rows: to - from,
      logLoss: meanOf(losses.subarray(from, to)),
      baseline: meanOf(baseline.subarray(from, to)),
    });
  }
  return rows;
}

const meanOf = (values: Float64Array): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function put(metrics: Record<string, number>, name: string, interval: Interval | null): void {
  if (interval === null) return;
  putNumber(metrics, name, interval.mean);
  putNumber(metrics, `${name}_low`, interval.low);
  putNumber(metrics, `${name}_high`, interval.high);
}

/** A figure that is not finite is left out: a metric is a number or it is not there. */
function putNumber(
  metrics: Record<string, number>,
  name: string,
  value: number | null | undefined,
): void {
  if (value != null && Number.isFinite(value)) metrics[name] = value;
}
