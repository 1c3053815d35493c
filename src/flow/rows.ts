/*
 * The rows that a market model learns from, of its own market and of the others, from candles: the
 * one way for trainings and backtests.
 */
import { type Series, seriesOf } from "../feature/candles.ts";
import { buildDataset, type Dataset } from "../feature/dataset.ts";
import { defaultSpec, type FeatureSpec } from "../feature/spec.ts";
import type { Pool } from "../learn/recipe.ts";
import type { MarketFile } from "../models.ts";
import type { Candle, Instant } from "../types.ts";

export interface ModelRows {
  readonly spec: FeatureSpec;
  readonly series: ReadonlyMap<string, Series>;
  readonly own: Dataset;
  readonly pool: Pool;
}

/** Rows of the slots from the model's `since` up to `slot`, which is not among them. */
export function rowsOf(
  { collect }: MarketFile,
  candles: Readonly<Record<string, readonly Candle[]>>,
  slot: Instant,
): ModelRows {
  const { market, others, since } = collect;
  const spec = defaultSpec([market, ...others].sort());
  const series = new Map(
    Object.entries(candles).map(([name, list]) => [name, seriesOf(name, list)]),
  );
  const datasetOf = (name: string) =>
    buildDataset({ spec, series, market: name, from: since, to: slot });
  const own = datasetOf(market);
  return { spec, series, own, pool: { own, others: others.map(datasetOf) } };
}
