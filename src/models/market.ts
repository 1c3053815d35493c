/*
 * The file of a market model: the direction and range of the next candle.
 */
import * as v from "valibot";
import { cron, date, modelName, real, seed, whole } from "./fields.ts";

const market = v.pipe(
  v.string(),
  v.regex(/^[A-Z0-9]{2,10}-[A-Z0-9]{1,15}$/, "expected a market such as KRW-BTC"),
);

/** Averaged for the direction, so none counts twice. */
const trainers = v.pipe(
  v.array(v.picklist(["gbdt", "logistic", "gbdt_return", "ridge"])),
  v.minLength(1),
  v.check((names) => new Set(names).size === names.length, "expected each trainer once"),
);

const trees = {
  rounds: v.optional(whole(1, 5_000), 120),
  rate: v.optional(real(0.0001, 1), 0.05),
  leaves: v.optional(whole(2, 1_024), 7),
  depth: v.optional(whole(1, 32), 4),
  min_rows: v.optional(whole(1, 1_000_000), 60),
  l2: v.optional(real(0, 1e6), 1),
  row_share: v.optional(real(0.05, 1), 1),
  column_share: v.optional(real(0.05, 1), 1),
};

export const marketModel = v.strictObject({
  name: modelName,
  kind: v.literal("market"),
  description: v.optional(v.string(), ""),
  collect: v.pipe(
    v.strictObject({ market, others: v.optional(v.array(market), []), since: date }),
    v.forward(
      v.check(
        ({ market: own, others }) => new Set([own, ...others]).size === 1 + others.length,
        "expected other markets, each once",
      ),
      ["others"],
    ),
  ),
  schedule: v.strictObject({ cron }),
  train: v.strictObject({
    seed,
    half_life_days: v.optional(real(1, 100_000), 365),
    others_weight: v.optional(real(0, 1), 0.3),
    base_rows: v.optional(real(0, 1e9), 2_000),
    trainers,
    gbdt: v.optional(v.strictObject(trees), {}),
    logistic: v.optional(v.strictObject({ l2: v.optional(real(0, 1e9), 600) }), {}),
    ridge: v.optional(v.strictObject({ l2: v.optional(real(0, 1e9), 2_400) }), {}),
    spread: v.optional(v.strictObject({ l2: v.optional(real(0, 1e9), 50) }), {}),
  }),
  evaluate: v.strictObject({
    fold_candles: v.optional(whole(6, 100_000), 252),
    min_train_candles: v.optional(whole(50, 1_000_000), 1_000),
    candles: v.optional(whole(50, 1_000_000), 3_780),
  }),
  promote: v.strictObject({
    rule: v.optional(v.picklist(["not_worse", "better"]), "not_worse"),
    tolerance: v.optional(real(0, 1), 0.002),
    max_auc: v.optional(real(0.5, 1), 0.99),
  }),
});

/** A market model's file, checked, with defaults filled in. */
export type MarketFile = v.InferOutput<typeof marketModel>;
