/*
 * The exact rows that a training sees: features, labels and what was left out, and why.
 */
import type { Frame } from "../learn/types.ts";
import type { Instant } from "../types.ts";
import { slotOf, UNIT_MS } from "../types.ts";
import type { Series } from "./candles.ts";
import { closeAt } from "./candles.ts";
import { checkSpec } from "./check.ts";
import { featureFrame, seriesIn } from "./features.ts";
import type { Label } from "./labels.ts";
import { labelAt } from "./labels.ts";
import type { FeatureSpec } from "./spec.ts";
import { depthOf } from "./spec.ts";
import { fillWindow, makeWindow } from "./window.ts";

/** Rows in time order; every array has one entry a row. */
export interface Dataset {
  readonly slots: Float64Array;
  readonly frame: Frame;
  /** 1 when the candle closed above the one before, else 0. */
  readonly up: Float64Array;
  /** Log return of the candle. */
  readonly returns: Float64Array;
  readonly unchanged: Uint8Array;
  /** 1 when the newest closed candle before the slot was up: for the baselines. */
  readonly lastUp: Uint8Array;
  /** How many slots of the range were left out, by reason. */
  readonly dropped: Readonly<Record<DropReason, number>>;
}

/** Why a slot has no row: no candle there, none before it, or too little known before it. */
export type DropReason = "no_candle" | "no_candle_before" | "short_history";

export interface DatasetRequest {
  readonly spec: FeatureSpec;
  readonly series: ReadonlyMap<string, Series>;
  readonly market: string;
  /** First slot that may have a row. */
  readonly from: Instant;
  /** The slot after the last one that may have a row. */
  readonly to: Instant;
}

/**
 * Builds the dataset of a market over slots from <= t < to. The series must hold closed candles
 * only, as known at the wanted instant. A row needs a label, and at least the spec's share of
 * known candles in the stretch that its longest feature looks back over.
 */
export const buildDataset = (request: DatasetRequest): Dataset => {
  const { spec, series, market } = request;
  checkSpec(spec);
  const own = seriesIn(series, market);
  const enough = enoughHistory(spec, own);
  const slots: Instant[] = [];
  const labels: Label[] = [];
  const dropped = { no_candle: 0, no_candle_before: 0, short_history: 0 };
  for (let slot = slotOf(request.from + UNIT_MS - 1); slot < request.to; slot += UNIT_MS) {
    const label = labelAt(own, slot);
    if (label === null) {
      dropped[Number.isNaN(closeAt(own, slot)) ? "no_candle" : "no_candle_before"] += 1;
    } else if (!enough(slot)) {
      dropped.short_history += 1;
    } else {
      slots.push(slot);
      labels.push(label);
    }
  }
  const times = Float64Array.from(slots);
  return {
    slots: times,
    frame: featureFrame(spec, series, market, times),
    up: Float64Array.from(labels, (label) => (label.up ? 1 : 0)),
    returns: Float64Array.from(labels, (label) => label.return),
    unchanged: Uint8Array.from(labels, (label) => (label.unchanged ? 1 : 0)),
    lastUp: lastUpOf(own, times, spec.holes.within),
    dropped,
  };
};

/** 1 for each slot whose newest closed candle closed above the one before it. */
const lastUpOf = (series: Series, slots: Float64Array, within: number): Uint8Array => {
  const window = makeWindow(1);
  return Uint8Array.from(slots, (slot) => {
    fillWindow(window, series, slot, within);
    return window.close[0]! > window.close[1]! ? 1 : 0;
  });
};

const enoughHistory = (spec: FeatureSpec, series: Series): ((slot: Instant) => boolean) => {
  const window = makeWindow(depthOf(spec));
  const needed = spec.holes.share * window.close.length;
  return (slot) => {
    fillWindow(window, series, slot, spec.holes.within);
    let known = 0;
    for (const close of window.close) if (!Number.isNaN(close)) known += 1;
    return known >= needed;
  };
};
