/*
 * A guard against learning from the future: what is computed is tried, by changing the future and
 * looking whether anything moved. What a spec asks for is checked in `check.ts`.
 */
import type { Instant } from "../types.ts";
import type { Series } from "./candles.ts";
import { BAR_FIELDS, emptyBars, placeOf } from "./candles.ts";
import { featureNames, featuresAt } from "./features.ts";
import type { FeatureSpec } from "./spec.ts";

/** A feature that moved at a slot when only candles from that slot on were changed. */
export interface Leak {
  readonly slot: Instant;
  readonly feature: string;
}

/**
 * Recomputes the rows of sample slots after every candle that starts at or after the slot, in all
 * markets, was replaced by wild values (a third of them dropped, a few added after the end), and
 * once more with all of them gone. Gives each feature that moved; the list must be empty.
 * `compute` is what is tried, normally the features of the project.
 */
export const perturbationLeaks = (
  spec: FeatureSpec,
  series: ReadonlyMap<string, Series>,
  market: string,
  slots: Iterable<Instant>,
  compute: typeof featuresAt = featuresAt,
): readonly Leak[] => {
  const names = featureNames(spec);
  const leaks: Leak[] = [];
  for (const slot of slots) {
    const before = compute(spec, series, market, slot);
    const futures = [withFuture(series, slot, wildValue), withFuture(series, slot, nothing)];
    const after = futures.map((future) => compute(spec, future, market, slot));
    names.forEach((feature, index) => {
      // Object.is: NaN equals NaN here, and a feature that turns into NaN has moved.
      if (!after.every((row) => Object.is(row[index], before[index])))
        leaks.push({ slot, feature });
    });
  }
  return leaks;
};

/** A value for a candle's field, `ahead` candles after the slot; NaN leaves a hole. */
type Future = (ahead: number, field: number) => number;

/** Spread over thirteen powers of ten, so that no formula can be blind to all of them. */
const wildValue: Future = (ahead, field) =>
  ahead % 3 === 2 ? Number.NaN : (1 + field / 10) * 10 ** (((ahead * 7 + 5) % 13) - 6);

const nothing: Future = () => Number.NaN;

/** How far the perturbed future reaches at least, also where the series ends at the slot. */
const FUTURE_CANDLES = 8;

function withFuture(
  series: ReadonlyMap<string, Series>,
  slot: Instant,
  future: Future,
): ReadonlyMap<string, Series> {
  return new Map([...series].map(([market, one]) => [market, futureOf(one, slot, future)]));
}

function futureOf(series: Series, slot: Instant, future: Future): Series {
  const from = Math.max(0, placeOf(series, slot));
  const bars = emptyBars(Math.max(series.close.length, from + FUTURE_CANDLES));
  BAR_FIELDS.forEach((name, field) => {
    bars[name].set(series[name].subarray(0, from));
    for (let place = from; place < bars.close.length; place += 1) {
      bars[name][place] = future(place - from, field);
    }
  });
  return { market: series.market, first: series.first, ...bars };
}

/** Evenly spread sample slots for the perturbation test, the first and the last among them. */
export const sampleSlots = (slots: Float64Array, count: number): readonly Instant[] => {
  const step = Math.max(1, (slots.length - 1) / Math.max(1, count - 1));
  const picked = new Set<Instant>();
  for (let at = 0; at <= slots.length - 1 + 1e-9; at += step) picked.add(slots[Math.round(at)]!);
  return [...picked];
};
