/*
 * A pipeline's life, replayed: retrained at a fixed cadence on what was known, as the live one is,
 * and asked for every slot in between.
 */
import {
  answer,
  type FoldForecast,
  fitRows,
  foldsOf,
  forecastFold,
  forecastRows,
  joinAnswers,
  learnFrom,
  poolBefore,
  sliceRows,
} from "./folds.ts";
import type { MarketRecipe, OutOfFold, Pool } from "./recipe.ts";
import { type Fold, walkForward } from "./split.ts";

export interface ReplaySpan {
  /** Slots from <= t < to are answered, where there is a row to judge by. */
  readonly from: number;
  readonly to: number;
  /** How often is retrained, in milliseconds; the instants are multiples of it, as folds are. */
  readonly everyMs: number;
}

/**
 * The answers of each slot by the newest version of a pipeline that trained at every multiple of
 * `everyMs` (and promoted each time): to the bit those of `trainMarket` on the rows before that
 * instant. An instant with fewer than `recipe.minTrainRows` and one fold known answers nothing, as
 * such a training is skipped. `folds` holds the instant of each answer's training.
 */
export function replayMarket(
  pool: Pool,
  recipe: MarketRecipe,
  span: ReplaySpan,
  onProgress: (share: number, text: string) => void = () => {},
): OutOfFold {
  const { slots } = pool.own;
  const { minTrainRows, horizonMs, foldMs } = recipe;
  const trainings = walkForward({
    times: slots,
    horizonMs,
    foldMs: span.everyMs,
    minTrainRows: minTrainRows + Math.ceil(foldMs / horizonMs) + 1,
  })
    .filter((one) => one.end > span.from && one.start < span.to)
    .map((one) => within(one, slots, span));
  const earlier = makeEarlier(pool, recipe);
  return joinAnswers(
    trainings
      .filter(({ test: [from, to] }) => to > from)
      .map((training, i) => {
        onProgress(i / trainings.length, `training ${i + 1} of ${trainings.length}`);
        const known = poolBefore(pool, training.start, horizonMs);
        const before = earlier(known.own.slots, training.start);
        const rows = sliceRows(pool.own, ...training.test);
        return answer(
          forecastRows(fitRows(known, recipe), rows, training),
          learnFrom(before, recipe),
        );
      }),
  );
}

/** The part of a training's rows that lies in the span. */
const within = (training: Fold, slots: Float64Array, { from, to }: ReplaySpan): Fold => {
  let [first, end] = training.test;
  while (first < end && slots[first]! < from) first += 1;
  while (end > first && slots[end - 1]! >= to) end -= 1;
  return { ...training, test: [first, end] };
};

/** Forecasts of the folds before an instant, each made once and cut to what was known then. */
const makeEarlier = (pool: Pool, recipe: MarketRecipe) => {
  const made = new Map<number, FoldForecast>();
  const all = new Map(
    walkForward({
      times: pool.own.slots,
      horizonMs: recipe.horizonMs,
      foldMs: recipe.foldMs,
      minTrainRows: recipe.minTrainRows,
    }).map((fold) => [fold.start, fold]),
  );
  return (known: Float64Array, instant: number): FoldForecast[] =>
    foldsOf(known, recipe).map(({ start }) => {
      const fold = all.get(start);
      if (fold === undefined) throw new RangeError(`no fold starts at ${start}`);
      const forecast = made.get(start) ?? forecastFold(pool, recipe, fold);
      made.set(start, forecast);
      return cut(forecast, instant - recipe.horizonMs);
    });
};

/** A forecast's rows up to the newest whose outcome was known. */
const cut = (forecast: FoldForecast, newest: number): FoldForecast => {
  const end = forecast.slots.findIndex((slot) => slot > newest);
  if (end < 0) return forecast;
  const to = <A extends Float64Array | Uint8Array>(values: A): A => values.subarray(0, end) as A;
  return {
    ...forecast,
    slots: to(forecast.slots),
    margin: to(forecast.margin),
    low: to(forecast.low),
    middle: to(forecast.middle),
    high: to(forecast.high),
    up: to(forecast.up),
    returns: to(forecast.returns),
    lastUp: to(forecast.lastUp),
  };
};
