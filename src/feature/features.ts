/*
 * Candles -> rows of features. Training, backtest and serving all come through `rowMaker`; there
 * is no second path that could drift away from it.
 */
import { SluiceError } from "../errors.ts";
import type { Frame, NumberColumn } from "../learn/types.ts";
import type { Instant } from "../types.ts";
import { UNIT_MS } from "../types.ts";
import type { Series } from "./candles.ts";
import type { View } from "./formulas.ts";
import { formulasOf } from "./formulas.ts";
import type { FeatureSpec } from "./spec.ts";
import { depthOf, peerDepthOf } from "./spec.ts";
import { fillWindow, makeWindow } from "./window.ts";

/** Names of a spec's features, in the order of the columns. */
export const featureNames = (spec: FeatureSpec): readonly string[] =>
  formulasOf(spec).map((formula) => formula.name);

/** Writes the features of a slot into `row`, which holds one float32 a feature. */
export type RowMaker = (slot: Instant, row: Float32Array) => void;

/**
 * The one code that computes features: prepared for a market, then called a slot at a time. The
 * row at slot t reads only candles with start <= t - UNIT_MS, of the market and of the peers.
 * Throws `unknown_market` for a market without a series, `bad_slot` for a slot off the grid.
 */
export const rowMaker = (
  spec: FeatureSpec,
  series: ReadonlyMap<string, Series>,
  market: string,
): RowMaker => {
  const formulas = formulasOf(spec);
  const { within } = spec.holes;
  const depth = depthOf(spec);
  const ownSeries = seriesIn(series, market);
  const peerSeries = spec.peers.map((peer) => seriesIn(series, peer));
  const peers = spec.peers.map(() => makeWindow(peerDepthOf(spec)));
  const others = peers.filter((_, index) => spec.peers[index] !== market);
  const view: View = { slot: 0, own: makeWindow(depth), peers, others };
  return (slot, row) => {
    checkSlot(market, slot);
    view.slot = slot;
    fillWindow(view.own, ownSeries, slot, within);
    peers.forEach((window, index) => {
      fillWindow(window, peerSeries[index]!, slot, within);
    });
    for (let index = 0; index < formulas.length; index += 1) {
      const value = formulas[index]!.at(view);
      // One kind of "unknown" for trees, linear models and the runtime alike.
      row[index] = Number.isFinite(value) ? value : Number.NaN;
    }
  };
};

/** The features of one market at one slot: float32, one a name of the spec, NaN is unknown. */
export const featuresAt = (
  spec: FeatureSpec,
  series: ReadonlyMap<string, Series>,
  market: string,
  slot: Instant,
): Float32Array => {
  const row = new Float32Array(featureNames(spec).length);
  rowMaker(spec, series, market)(slot, row);
  return row;
};

/** The features of many slots as a frame: a row a slot, in the order given. */
export const featureFrame = (
  spec: FeatureSpec,
  series: ReadonlyMap<string, Series>,
  market: string,
  slots: Float64Array,
): Frame => {
  const columns = featureNames(spec).map(
    (name): NumberColumn => ({ name, kind: "number", values: new Float32Array(slots.length) }),
  );
  const make = rowMaker(spec, series, market);
  const row = new Float32Array(columns.length);
  for (let index = 0; index < slots.length; index += 1) {
    make(slots[index]!, row);
    for (let column = 0; column < columns.length; column += 1) {
      columns[column]!.values[index] = row[column]!;
    }
  }
  return { rows: slots.length, columns };
};

/** The series of a market. Throws `unknown_market` when there is none. */
export const seriesIn = (series: ReadonlyMap<string, Series>, market: string): Series => {
  const found = series.get(market);
  if (found !== undefined) return found;
  const given = [...series.keys()].join(", ") || "none";
  throw new SluiceError({
    code: "unknown_market",
    status: 422,
    detail: `features: no candles were given for ${market}, only for ${given}`,
    fix: "Give a series (it may be empty) for the market and for each peer of the spec.",
  });
};

function checkSlot(market: string, slot: Instant): void {
  if (Number.isSafeInteger(slot) && slot % UNIT_MS === 0) return;
  throw new SluiceError({
    code: "bad_slot",
    status: 422,
    detail: `features of ${market}: ${slot} is not a slot`,
    fix: "Give milliseconds since 1970 at a 4-hour boundary: 00, 04, 08, 12, 16 or 20 h UTC.",
  });
}
