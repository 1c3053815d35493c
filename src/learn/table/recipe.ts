/*
 * What a table's training is told: how to part the rows, what to try, and what is searched.
 */
import type { ThresholdRule } from "../confusion.ts";
import type { GbdtOptions } from "../gbdt/options.ts";
import type { LinearOptions } from "../linear.ts";
import type { Space } from "../search.ts";
import type { QuantileRecipe } from "./quantiles.ts";
import type { SplitOptions } from "./split.ts";

/** `linear` is ridge regression of a number, and Poisson regression of a count. */
export type TrainerName = "gbdt" | "logistic" | "linear";

export interface TableRecipe extends SplitOptions {
  /** Classes of a multiclass target; 1 otherwise. */
  readonly width: number;
  /** Candidates; the one with the least validation loss is used, the first where none chooses. */
  readonly trainers: readonly TrainerName[];
  readonly gbdt: GbdtOptions;
  /** Rounds without a lower validation loss after which boosting ends; 0: all rounds are run. */
  readonly patience: number;
  /** Of the linear trainer: logistic, ridge or Poisson regression, by the task. */
  readonly linear: LinearOptions;
  /** Regression: quantiles that are foretold besides, or null for none. */
  readonly quantiles: QuantileRecipe | null;
  readonly threshold: ThresholdRule;
  /** Which options of the trees are searched, or null for none. */
  readonly search: TableSearch | null;
}

export interface TableSearch {
  readonly space: Space;
  readonly method: "random" | "halving";
  readonly trials: number;
}
