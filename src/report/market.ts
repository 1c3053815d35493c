/*
 * The report of a market model's answers, live or walked forward (`backtest`): what they were worth
 * beside the baselines, in all and as time went on. Plain JSON; `market-page.ts` makes the page.
 */
import { calibrationSlope } from "../learn/calibrate.ts";
import type { RoundCurve } from "../learn/curve.ts";
import { histogramOf } from "../learn/evaluate/figures.ts";
import type { Importance } from "../learn/importance.ts";
import { logLosses } from "../learn/metrics.ts";
import type { OutOfFold } from "../learn/recipe.ts";
import { calibrationCurve, type ReliabilityBin, shareInterval } from "../learn/reliability.ts";
import type { MarketReport } from "../learn/report.ts";

/** Where the answers are from; null is not known (yet). */
export interface MarketAbout {
  readonly model: string;
  readonly market: string;
  readonly run: string | null;
  readonly version: string | null;
  readonly trainer: string | null;
  readonly made_at: string | null;
  /** How they came about, such as `walk-forward, retrained every 252 candles`. */
  readonly how: string;
  readonly dataset: string | null;
  readonly params: Readonly<Record<string, number | string | boolean | null>>;
}

/** A stretch of judged rows, and what it came to. Losses are means; the start is in epoch ms. */
export interface MarketStretch {
  readonly start: number;
  readonly rows: number;
  readonly log_loss: number;
  readonly baseline_log_loss: number;
  /** Share of rows whose direction was right, and of outcomes within p10 and p90. */
  readonly hit_rate: number;
  readonly coverage: number;
  readonly coverage_low: number;
  readonly coverage_high: number;
  readonly up_rate: number;
}

/** A figure of each stretch besides, such as the profit after costs; null where there is none. */
export interface MarketColumn {
  readonly name: string;
  readonly values: readonly (number | null)[];
}

export interface MarketReportJson {
  readonly report: "market";
  readonly about: MarketAbout;
  readonly summary: string;
  readonly better: boolean;
  readonly baseline: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly stretches: readonly MarketStretch[];
  readonly columns: readonly MarketColumn[];
  /** Baseline's log-loss minus the model's, added up: rising where the model is better. */
  readonly skill: readonly { readonly at: number; readonly total: number }[];
  readonly calibration: readonly ReliabilityBin[];
  readonly calibration_line: { readonly slope: number; readonly intercept: number } | null;
  readonly histogram: {
    readonly low: number;
    readonly high: number;
    readonly counts: readonly number[];
  };
  /** Of one training: how the loss went as trees were added, and what columns did. */
  readonly rounds?: RoundCurve | null;
  readonly importance?: readonly Importance[];
}

/** Points of the skill's line at most. */
const POINTS = 300;

/**
 * Puts the report together from the answers and the figures that `marketReport` made of them.
 * `columns` have a value for each fold, in the order of `report.folds`.
 */
export const marketReportJson = (
  about: MarketAbout,
  answers: OutOfFold,
  report: MarketReport,
  columns: readonly MarketColumn[] = [],
): MarketReportJson => {
  const { up, probability, slots } = answers;
  const losses = logLosses(probability, up);
  const baseline = logLosses(answers.baselines[report.baseline], up);
  const line = calibrationSlope(probability, up);
  const low = probability.reduce((least, p) => Math.min(least, p), 1);
  const high = probability.reduce((most, p) => Math.max(most, p), 0);
  return {
    report: "market",
    about,
    summary: report.summary,
    better: report.better,
    baseline: report.baseline,
    metrics: report.metrics,
    stretches: stretchesOf(answers, losses, baseline),
    columns,
    skill: skillOf(slots, losses, baseline),
    calibration: calibrationCurve(probability, up),
    calibration_line: line === null ? null : { slope: line.slope, intercept: line.intercept },
    histogram: { low, high, counts: histogramOf(probability, low, high, 20) },
  };
};

/** Fold by fold, as `marketReport` has them. */
const stretchesOf = (
  { folds, up, probability, returns, low, high }: OutOfFold,
  losses: Float64Array,
  baseline: Float64Array,
): MarketStretch[] => {
  const stretches: MarketStretch[] = [];
  for (let from = 0, to = 0; from < folds.length; from = to) {
    while (to < folds.length && folds[to] === folds[from]) to++;
    const rows = to - from;
    const meanOf = (valueAt: (i: number) => number): number => {
      let sum = 0;
      for (let i = from; i < to; i++) sum += valueAt(i);
      return sum / rows;
    };
    const inside = meanOf((i) => (returns[i]! >= low[i]! && returns[i]! <= high[i]! ? 1 : 0));
    const held = shareInterval(Math.round(inside * rows), rows);
    stretches.push({
      start: folds[from]!,
      rows,
      log_loss: meanOf((i) => losses[i]!),
      baseline_log_loss: meanOf((i) => baseline[i]!),
      hit_rate: meanOf((i) => (probability[i]! >= 0.5 === (up[i] === 1) ? 1 : 0)),
      coverage: inside,
      coverage_low: held.low,
      coverage_high: held.high,
      up_rate: meanOf((i) => up[i]!),
    });
  }
  return stretches;
};

const skillOf = (slots: Float64Array, losses: Float64Array, baseline: Float64Array) => {
  const step = Math.max(1, Math.ceil(slots.length / POINTS));
  const skill: { at: number; total: number }[] = [];
  let total = 0;
  for (const [i, slot] of slots.entries()) {
    total += baseline[i]! - losses[i]!;
    if ((i + 1) % step === 0 || i === slots.length - 1) skill.push({ at: slot, total });
  }
  return skill;
};
