/*
 * A backtest of a market model: what its pipeline would have answered over a span of the past,
 * retrained as it went, and what that was worth.
 */

import { SluiceError } from "../errors.ts";
import { type BacktestRow, backtestRows, monthStarts, verdictOf } from "../learn/backtest.ts";
import type { Baselines } from "../learn/baseline.ts";
import { gainOf, profitOf } from "../learn/profit.ts";
import type { OutOfFold } from "../learn/recipe.ts";
import { replayMarket } from "../learn/replay.ts";
import { marketReport } from "../learn/report.ts";
import type { MarketFile } from "../models.ts";
import { marketReportJson } from "../report/market.ts";
import { marketReportPage } from "../report/market-page.ts";
import { type Candle, type Instant, iso, UNIT_MS } from "../types.ts";
import { rowsOf } from "./rows.ts";
import type { OnProgress } from "./trainer.ts";
import { recipeOf } from "./training.ts";

export interface BacktestRequest {
  readonly model: MarketFile;
  /** Closed candles by market, oldest first, from the model's `since` and a look-back before. */
  readonly candles: Readonly<Record<string, readonly Candle[]>>;
  /** Slots from <= t < to are judged. */
  readonly from: Instant;
  readonly to: Instant;
  /** Candles between two trainings. */
  readonly every: number;
  /** Share of the amount that buying or selling costs. */
  readonly cost: number;
}

/** The figures of a backtest, as `--json` prints them. */
export interface BacktestJson {
  readonly model: string;
  readonly market: string;
  /** The first and the last slot that was judged. */
  readonly from: string;
  readonly to: string;
  readonly retrained_every_candles: number;
  readonly cost: number;
  readonly rule: string;
  readonly verdict: string;
  readonly sentence: string;
  /** Log-loss minus the best baseline's: mean, 95 % interval and t; below 0 is better. */
  readonly against_baseline: {
    readonly baseline: string;
    readonly mean: number | null;
    readonly low: number | null;
    readonly high: number | null;
    readonly t: number | null;
  };
  readonly calibration_slope: number | null;
  readonly months: readonly BacktestRow[];
  readonly all: BacktestRow;
  /** Every figure of the report, with its interval where there is one. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Every answer, by which the figures can be computed again. */
  readonly answers: {
    readonly slots: readonly string[];
    readonly up: readonly number[];
    readonly returns: readonly number[];
    readonly probability: readonly number[];
    readonly p10: readonly number[];
    readonly p90: readonly number[];
    readonly trained_at: readonly string[];
    /** Probability of up by each baseline. */
    readonly baselines: Readonly<Record<keyof Baselines, readonly number[]>>;
  };
}

export interface Backtest {
  readonly json: BacktestJson;
  /** The same as one HTML page. */
  readonly page: string;
}

/** Replays the pipeline over the span. Throws `nothing_to_judge` when nothing can be judged. */
export function backtest(request: BacktestRequest, onProgress: OnProgress): Backtest {
  const { model, from, to, every, cost } = request;
  onProgress(0, "building the dataset");
  const { pool } = rowsOf(model, request.candles, to);
  const span = { from, to, everyMs: every * UNIT_MS };
  const answers = replayMarket(pool, recipeOf(model), span, onProgress);
  if (answers.slots.length === 0) throw nothingToJudge(request, pool.own.slots.length);
  const report = marketReport(answers);
  const profit = profitOf(answers.probability, answers.returns, cost);
  const rows = backtestRows(answers, profit);
  const verdict = verdictOf(report);
  const months = rows.slice(0, -1);
  const how = `walked forward, trained anew every ${every} candles`;
  const byMonth = { ...answers, folds: monthStarts(answers.slots) };
  const page = marketReportPage(
    marketReportJson(
      {
        model: model.name,
        market: model.collect.market,
        run: null,
        version: null,
        trainer: model.train.trainers.join(", "),
        made_at: null,
        how,
        dataset: null,
        params: { every, cost, ...ruleParams(profit, cost) },
      },
      byMonth,
      { ...marketReport(byMonth), summary: verdict.sentence },
      [
        { name: "profit after costs", values: months.map((row) => row.profit) },
        { name: "buy and hold", values: months.map((row) => row.hold) },
      ],
    ),
  );
  const { metrics } = report;
  const figure = (name: string) => metrics[name] ?? null;
  return {
    page,
    json: {
      model: model.name,
      market: model.collect.market,
      from: iso(answers.slots[0]!),
      to: iso(answers.slots.at(-1)!),
      retrained_every_candles: every,
      cost,
      rule: RULE,
      ...verdict,
      against_baseline: {
        baseline: report.baseline,
        mean: figure("against_baseline"),
        low: figure("against_baseline_low"),
        high: figure("against_baseline_high"),
        t: figure("against_baseline_t"),
      },
      calibration_slope: figure("calibration_slope"),
      months,
      all: rows.at(-1)!,
      metrics,
      answers: answersJson(answers),
    },
  };
}

const RULE =
  "in the market during a candle whose probability of up is above 0.5, out of it otherwise; " +
  "buying and selling cost `cost` of the amount each";

const ruleParams = (profit: { followed: Float64Array; held: Float64Array }, cost: number) => ({
  profit_after_costs: gainOf(profit.followed),
  buy_and_hold: gainOf(profit.held),
  rule: RULE.replace("`cost`", `${cost}`),
});

const answersJson = (answers: OutOfFold): BacktestJson["answers"] => {
  const { slots, up, returns, probability, low, high, folds, baselines } = answers;
  return {
    slots: Array.from(slots, iso),
    up: [...up],
    returns: [...returns],
    probability: [...probability],
    p10: [...low],
    p90: [...high],
    trained_at: Array.from(folds, iso),
    baselines: {
      base_rate: [...baselines.base_rate],
      last_direction: [...baselines.last_direction],
      contrarian: [...baselines.contrarian],
    },
  };
};

function nothingToJudge({ model, from, to }: BacktestRequest, rows: number): SluiceError {
  const { min_train_candles: least, fold_candles: fold } = model.evaluate;
  return new SluiceError({
    code: "nothing_to_judge",
    status: 409,
    detail:
      `${model.name}: no candle from ${iso(from)} to ${iso(to)} can be judged. ${rows} candles ` +
      `before ${iso(to)} can be learned from, and ${least + fold + 1} must come before the first.`,
    fix: "Collect more history (`sluice collect`), or give a later span with --from and --to.",
  });
}
