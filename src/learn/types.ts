/*
 * What trainers take and give. Arrays in, arrays out: nothing in this room has a clock, a disk,
 * a network or a database, and nothing calls Math.random.
 */

/** A numeric column: float32 values, one a row; NaN is missing. */
export interface NumberColumn {
  readonly name: string;
  readonly kind: "number";
  readonly values: Float32Array;
}

/** A category column: an index into `levels` a row; -1 is missing. */
export interface CategoryColumn {
  readonly name: string;
  readonly kind: "category";
  readonly codes: Int32Array;
  readonly levels: readonly string[];
}

export type Column = NumberColumn | CategoryColumn;

/** Columns of equal length. Row order is meaningful (time order, for markets). */
export interface Frame {
  readonly rows: number;
  readonly columns: readonly Column[];
}

/**
 * One tree in flat arrays. Node 0 is the root. For node i: `feature[i]` is the column index, or
 * -1 at a leaf. A number split sends x <= threshold[i] left; a category split sends codes in
 * `categories[i]` left. Missing goes left when `missingLeft[i]` is 1. `left`/`right` are node
 * indices, `value` the leaf's addition to the margin (shrinkage included), `gain` and `cover`
 * (sum of hessian) are kept for explanation.
 */
export interface Tree {
  readonly feature: Int32Array;
  readonly threshold: Float32Array;
  readonly categories: readonly (readonly number[] | null)[];
  readonly missingLeft: Uint8Array;
  readonly left: Int32Array;
  readonly right: Int32Array;
  readonly value: Float64Array;
  readonly gain: Float64Array;
  readonly cover: Float64Array;
}

/** A sum of trees: margin(row) = base + sum over trees of the leaf it falls in. */
export interface TreeModel {
  readonly kind: "trees";
  readonly objective: "log_loss" | "squared_error" | "quantile" | "poisson" | "softmax";
  readonly base: number;
  readonly trees: readonly Tree[];
  readonly columns: readonly ColumnShape[];
}

/**
 * One of several classes: probability of class k = e^(margin of models[k]) / the sum of all such.
 * Every class has a model, all of them with the same columns.
 */
export interface SoftmaxModel {
  readonly kind: "softmax";
  readonly models: readonly TreeModel[];
  readonly columns: readonly ColumnShape[];
}

/**
 * margin(row) = bias + sum over columns. A number column adds weight x (value - mean) / scale, or
 * `missing` where it is NaN. A category column adds `levels[column][code]`, or `missing` where the
 * code is -1; its weight, mean and scale are 0, 0 and 1. Without `missing` a missing value adds 0,
 * as the mean does; without `levels` there are number columns only.
 */
export interface LinearModel {
  readonly kind: "linear";
  readonly objective: "log_loss" | "squared_error" | "poisson";
  readonly bias: number;
  readonly weights: Float64Array;
  readonly means: Float64Array;
  readonly scales: Float64Array;
  readonly missing?: Float64Array;
  readonly levels?: readonly (Float64Array | null)[];
  readonly columns: readonly ColumnShape[];
}

/** margin(row) = bias, whatever the row. */
export interface ConstantModel {
  readonly kind: "constant";
  readonly objective: "log_loss" | "quantile";
  readonly bias: number;
  readonly columns: readonly ColumnShape[];
}

export type Model = TreeModel | LinearModel | ConstantModel;

/** margin(row) = sum over the parts of weight x the part's margin; all have the same columns. */
export interface SumModel {
  readonly kind: "sum";
  readonly parts: readonly { readonly weight: number; readonly model: Model }[];
  readonly columns: readonly ColumnShape[];
}

/** A column without its rows: what a model must be given to answer. */
export interface ColumnShape {
  readonly name: string;
  readonly kind: "number" | "category";
  readonly levels?: readonly string[];
}

/**
 * Rows to learn from. `target` is 0/1 for log_loss, a count for poisson, the class's index for
 * softmax, a real otherwise; `weight` null means all 1.
 */
export interface Sample {
  readonly frame: Frame;
  readonly target: Float64Array;
  readonly weight: Float64Array | null;
}

/** Told between rounds, so that a caller can report progress or stop by throwing. */
export type OnRound = (round: number, rounds: number) => void;

/** A trainer: fits a sample, deterministically for a given seed. A new trainer is one file. */
export interface Trainer<Options> {
  readonly name: string;
  readonly defaults: Options;
  fit(sample: Sample, options: Options, seed: number, onRound?: OnRound): Model;
}
