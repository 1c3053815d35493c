/*
 * What a market model is made from, and what comes of walking it forward.
 */
import type { Baselines } from "./baseline.ts";
import type { GbdtOptions } from "./gbdt/options.ts";
import type { LinearOptions } from "./linear.ts";
import type { Frame } from "./types.ts";

/** Rows in time order; one entry a row in every array. */
export interface MarketRows {
  readonly slots: Float64Array;
  readonly frame: Frame;
  /** 1 when the row's candle closed above the one before. */
  readonly up: Float64Array;
  /** The row's log return; 0 where the price stood still. */
  readonly returns: Float64Array;
  /** 1 when the candle before the row's closed above the one before it. */
  readonly lastUp: Uint8Array;
}

/** Rows known at one instant: the market's own, and those of other markets up to the same instant. */
export interface Pool {
  readonly own: MarketRows;
  readonly others: readonly MarketRows[];
}

export interface MarketRecipe {
  readonly seed: number;
  /**
   * Whose margins are averaged for the direction: the first two learn whether a candle went up, the
   * other two its return.
   */
  readonly trainers: readonly ("gbdt" | "logistic" | "gbdt_return" | "ridge")[];
  readonly gbdt: GbdtOptions;
  readonly logistic: LinearOptions;
  readonly ridge: LinearOptions;
  /** Of the spread that the quantiles are multiples of. */
  readonly spread: LinearOptions;
  /** Age in milliseconds at which a row counts half. */
  readonly halfLifeMs: number;
  /** What a row of another market counts for, against one of the market's own; 0 to 1. */
  readonly othersWeight: number;
  /** Even rows that the rate of up is drawn to even odds by. */
  readonly baseRows: number;
  /** Columns that the direction is learned from, and those of the quantiles. */
  readonly direction: readonly string[];
  readonly range: readonly string[];
  /** Columns: volatility (log return) before the row, and the price step in its units. */
  readonly volatility: string | null;
  readonly step: string | null;
  /** How far a label looks past its row's slot, and the length of a fold, in milliseconds. */
  readonly horizonMs: number;
  readonly foldMs: number;
  readonly minTrainRows: number;
  /** Span of newest rows that is judged, in milliseconds. */
  readonly evaluateMs: number;
}

/** What would have been answered on rows that were not trained on, in time order. */
export interface OutOfFold {
  readonly slots: Float64Array;
  readonly up: Float64Array;
  readonly returns: Float64Array;
  readonly probability: Float64Array;
  readonly low: Float64Array;
  readonly middle: Float64Array;
  readonly high: Float64Array;
  /** Probability of up by each baseline. */
  readonly baselines: Readonly<Record<keyof Baselines, Float64Array>>;
  /** Start of the fold that each row is in. */
  readonly folds: Float64Array;
}
