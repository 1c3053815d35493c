/*
 * A backtest's figures: month by month and in all, and what they come to in a plain sentence.
 */
import { BASELINE_NAMES, type Baselines } from "./baseline.ts";
import { brierLosses, hits, logLosses } from "./metrics.ts";
import { gainOf, type Profit } from "./profit.ts";
import type { OutOfFold } from "./recipe.ts";
import type { MarketReport } from "./report.ts";

/** A stretch of answers. Losses are means; profits are shares after costs. */
export interface BacktestRow {
  /** Such as `2025-07`, or `all`. */
  readonly month: string;
  readonly rows: number;
  readonly hit_rate: number;
  readonly log_loss: number;
  readonly baselines: Readonly<Record<keyof Baselines, number>>;
  readonly brier: number;
  readonly coverage: number;
  readonly profit: number;
  readonly hold: number;
}

/** One line a month (UTC), then one over all rows, which must be at least one. */
export const backtestRows = (answers: OutOfFold, profit: Profit): BacktestRow[] => {
  const { slots, up, returns, low, high, probability } = answers;
  const losses = logLosses(probability, up);
  const briers = brierLosses(probability, up);
  const right = hits(probability, up);
  const covered = returns.map((r, i) => (r >= low[i]! && r <= high[i]! ? 1 : 0));
  const baselines = BASELINE_NAMES.map(
    (name) => [name, logLosses(answers.baselines[name], up)] as const,
  );
  const rowOf = (month: string, from: number, to: number): BacktestRow => {
    const mean = (values: Float64Array) =>
      values.subarray(from, to).reduce((sum, value) => sum + value, 0) / (to - from);
    return {
      month,
      rows: to - from,
      hit_rate: mean(right),
      log_loss: mean(losses),
      baselines: Object.fromEntries(
        baselines.map(([name, values]) => [name, mean(values)]),
      ) as Record<keyof Baselines, number>,
      brier: mean(briers),
      coverage: mean(covered),
      profit: gainOf(profit.followed.subarray(from, to)),
      hold: gainOf(profit.held.subarray(from, to)),
    };
  };
  const rows: BacktestRow[] = [];
  for (let from = 0, to = 0; from < slots.length; from = to) {
    const month = monthOf(slots[from]!);
    while (to < slots.length && monthOf(slots[to]!) === month) to++;
    rows.push(rowOf(month, from, to));
  }
  return [...rows, rowOf("all", 0, slots.length)];
};

const monthOf = (slot: number): string => new Date(slot).toISOString().slice(0, 7);

/** The start of each row's month: groups of answers as folds are. */
export const monthStarts = (slots: Float64Array): Float64Array =>
  slots.map((slot) => Date.parse(`${monthOf(slot)}-01T00:00:00Z`));

/** What a backtest says about a model. */
export interface Verdict {
  readonly verdict: "skill" | "no_skill" | "worse" | "leak" | "too_few";
  readonly sentence: string;
}

/** A direction four hours ahead that is right more often than this was looked up, not foretold. */
const MOST_RIGHT = 0.6;
const LEAST_ROWS = 100;

/** The verdict on the answers that a report is about. */
export const verdictOf = ({ metrics, summary }: MarketReport): Verdict => {
  const rows = metrics["rows"] ?? 0;
  const right = metrics["accuracy"] ?? 0;
  if (rows < LEAST_ROWS) {
    return { verdict: "too_few", sentence: `Too few candles to judge: ${rows}. ${summary}` };
  }
  if (right > MOST_RIGHT) {
    const share = `${(100 * right).toFixed(1)} % of the directions were right`;
    const sentence = `Looks like a leak: ${share}; expect 51 to 54 % and look for the fault first.`;
    return { verdict: "leak", sentence };
  }
  const high = metrics["against_baseline_high"];
  const low = metrics["against_baseline_low"];
  const verdict =
    high !== undefined && high < 0 ? "skill" : low !== undefined && low > 0 ? "worse" : "no_skill";
  return { verdict, sentence: summary };
};
