/*
 * Quantiles of a number beside its forecast: trees for each, the interval between the outer two
 * corrected on rows that they were not fitted on, and none above the next.
 */
import { conformalOffset } from "../conformal.ts";
import { boost } from "../gbdt/fit.ts";
import type { GbdtOptions } from "../gbdt/options.ts";
import { marginsOf } from "../predict.ts";
import { weightedQuantile } from "../sample.ts";
import type { Frame, Sample, TreeModel } from "../types.ts";

export interface QuantileRecipe {
  /** Rising, each within (0, 1). */
  readonly levels: readonly number[];
  /** Options of their trees that differ from those of the forecast itself. */
  readonly gbdt: Partial<GbdtOptions>;
  /** As the recipe's own, for their trees. */
  readonly patience: number;
}

export interface QuantileFit {
  readonly levels: readonly number[];
  /** One a level, all with the same columns. */
  readonly models: readonly TreeModel[];
  /** Taken off the lowest and added to the highest quantile, so that they hold what they promise. */
  readonly offset: number;
}

/** What quantiles came to on the rows that judge. */
export interface JudgedQuantiles {
  readonly levels: readonly number[];
  /** Rows x levels, row by row. */
  readonly values: Float64Array;
  /** The quantiles of the target in the rows learned from: what no column would give. */
  readonly base: readonly number[];
}

/** Rows to fit on, rows to choose by, and both. */
interface Rows {
  readonly fitted: Sample;
  readonly choosing: Sample;
  readonly whole: Sample;
}

/**
 * Fits a model a level, with these options and the recipe's over them. On the rows that choose,
 * their number of trees is found where there is patience, and the offset that makes the outer two
 * cover their share of the targets; then they are fitted on all rows. Monotone columns are those
 * of the forecast alone: a leaf's quantile cannot be held to bounds that gradients give. Throws as
 * `boost` does.
 */
export const fitQuantiles = (
  { fitted, choosing, whole }: Rows,
  options: GbdtOptions,
  { levels, gbdt, patience }: QuantileRecipe,
  seed: number,
): QuantileFit => {
  const stops = patience > 0 && choosing.frame.rows > 0;
  const of = (quantile: number, rounds?: number): GbdtOptions => ({
    ...options,
    ...gbdt,
    ...(rounds === undefined ? {} : { rounds }),
    ...{ objective: "quantile", quantile, monotone: {} },
  });
  const extras = stops ? { validation: choosing, patience } : {};
  const tried = levels.map((level) => boost(fitted, of(level), seed, extras).model);
  const models = levels.map((level, k) => {
    const rounds = stops ? Math.max(1, tried[k]?.trees.length ?? 1) : undefined;
    return boost(whole, of(level, rounds), seed).model;
  });
  return { levels, models, offset: offsetOf(tried, levels, choosing) };
};

/** 0 where the outer two are not an interval around the middle, or nothing tells how wide it is. */
const offsetOf = (
  models: readonly TreeModel[],
  levels: readonly number[],
  { frame, target }: Sample,
): number => {
  const [low, high] = [levels[0] ?? 0.5, levels.at(-1) ?? 0.5];
  const [below, above] = [models[0], models.at(-1)];
  if (below === undefined || above === undefined || !(low < 0.5 && high > 0.5)) return 0;
  return conformalOffset(marginsOf(below, frame), marginsOf(above, frame), target, high - low) ?? 0;
};

/** The quantiles of each row of a frame, rows x levels: the outer two corrected, none crossing. */
export const quantilesOf = (
  { levels, models, offset }: QuantileFit,
  frame: Frame,
): Float64Array => {
  const width = levels.length;
  const values = new Float64Array(frame.rows * width);
  for (const [k, model] of models.entries()) {
    const moved = shiftOf(k, width, offset);
    for (const [row, margin] of marginsOf(model, frame).entries()) {
      values[row * width + k] = margin + moved;
    }
  }
  const middle = middleOf(levels);
  for (let from = 0; from < values.length; from += width) {
    for (let k = middle - 1; k >= 0; k--) {
      values[from + k] = Math.min(values[from + k]!, values[from + k + 1]!);
    }
    for (let k = middle + 1; k < width; k++) {
      values[from + k] = Math.max(values[from + k]!, values[from + k - 1]!);
    }
  }
  return values;
};

/** What is added to the quantile at a place; nothing to a quantile alone. */
export const shiftOf = (place: number, width: number, offset: number): number =>
  width < 2 ? 0 : place === 0 ? -offset : place === width - 1 ? offset : 0;

/** The place of the level nearest to a half: it stays, and the others are bounded by it. */
export const middleOf = (levels: readonly number[]): number =>
  levels.reduce((best, level, k) => {
    return Math.abs(level - 0.5) < Math.abs(levels[best]! - 0.5) ? k : best;
  }, 0);

/** What no column would give: the quantiles of the target itself. */
export const baseQuantiles = ({ target, weight }: Sample, levels: readonly number[]): number[] =>
  levels.map((level) => weightedQuantile(target, weight, level));

/** What a quantile is called: p10 for 0.1, p2.5 for 0.025. */
export const quantileName = (level: number): string => `p${Number((100 * level).toFixed(6))}`;
