/*
 * Which way a candle goes: a mean of several models' margins, learned from the rows of all markets
 * together. A four-hour candle's direction is so near to chance that what matters most is to learn
 * little: few choices, strong penalties, several models that err differently, and three times the
 * rows, with those of other markets counting less.
 */
import { pickColumns, widened } from "./columns.ts";
import { gbdt } from "./gbdt/fit.ts";
import { logistic, ridge } from "./linear.ts";
import { clamp, exp, logit } from "./math.ts";
import type { MarketRecipe, MarketRows, Pool } from "./recipe.ts";
import { shapesOf, weightedMean } from "./sample.ts";
import type { ConstantModel, Frame, LinearModel, Model, SumModel } from "./types.ts";

/**
 * Returns in units of their volatility are held within this: it takes the size of a usual candle
 * for news and that of a jump for chance.
 */
const MOST_SCALED = 2.5;
/**
 * Margin of a bounded return's mean: 4 x the normal density at 0 (the slope of up at even odds),
 * over the share of returns within the bound, which alone move with the mean.
 */
const MARGIN_OF_SCALED = 1.6;
/** The curvature of squared error over that of log-loss at even odds: penalties grow with it. */
const CURVATURE = 4;

/**
 * margin of up = log-odds of up among candles that moved (drawn to even odds)
 *   + mean over the trainers of how far the row lies off it
 *   - 2 x the chance that the price stands still (log((1 - s) / (1 + s)), near 0).
 * Classes are weighted to be even in every market, so that the trainers learn no market's own rate.
 */
export const fitDirection = ({ own, others }: Pool, recipe: MarketRecipe): SumModel => {
  const columns = shapesOf(own.frame);
  const newest = own.slots.at(-1) ?? 0;
  const markets = [own, ...others]
    .filter(({ slots }) => slots.length > 0)
    .map((rows) => ({ rows, age: recencyOf(rows.slots, newest, recipe.halfLifeMs) }));
  const parts: { weight: number; model: Model }[] = [
    { weight: 1, model: constantOf(columns, baseMargin(own, markets[0]!.age, recipe.baseRows)) },
  ];
  const still = stillModel(markets, recipe, columns);
  if (still !== null) parts.push({ weight: 1, model: still });

  const weighted = markets.map(({ rows, age }) => ({
    rows,
    weight: rows === own ? age : age.map((w) => w * recipe.othersWeight),
  }));
  const signs = joinSamples(weighted.map((one) => evenSample(one, recipe.direction)));
  const scaled = joinSamples(weighted.map((one) => scaledSample(one, recipe)));
  for (const name of recipe.trainers) {
    const isReturn = name === "ridge" || name === "gbdt_return";
    const sample = isReturn ? scaled : signs;
    if (sample === null) continue;
    const weight = (isReturn ? MARGIN_OF_SCALED : 1) / recipe.trainers.length;
    parts.push({ weight, model: fitOne(name, sample, recipe) });
  }
  return {
    kind: "sum",
    parts: parts.map(({ weight, model }) => ({ weight, model: widened(model, columns) })),
    columns,
  };
};

const fitOne = (
  name: MarketRecipe["trainers"][number],
  sample: Samples,
  { gbdt: trees, logistic: odds, ridge: squares, seed }: MarketRecipe,
): Model => {
  if (name === "logistic") return logistic.fit(sample, odds, seed);
  if (name === "ridge") return ridge.fit(sample, squares, seed);
  if (name === "gbdt") return gbdt.fit(sample, { ...trees, objective: "log_loss" }, seed);
  const l2 = CURVATURE * trees.l2;
  return gbdt.fit(sample, { ...trees, l2, objective: "squared_error" }, seed);
};

/** Newer rows count more: the weight halves with every half-life of age. */
export const recencyOf = (slots: Float64Array, newest: number, halfLifeMs: number): Float64Array =>
  slots.map((slot) => exp((-Math.LN2 * (newest - slot)) / halfLifeMs));

interface Weighted {
  readonly rows: MarketRows;
  readonly weight: Float64Array;
}

interface Samples {
  readonly frame: Frame;
  readonly target: Float64Array;
  readonly weight: Float64Array;
}

/** Log-odds of up among moved candles, as if `baseRows` even ones had been seen besides. */
const baseMargin = (rows: MarketRows, age: Float64Array, baseRows: number): number => {
  let [ups, all] = [baseRows / 2, baseRows];
  for (let i = 0; i < age.length; i++) {
    if (rows.returns[i] === 0) continue;
    ups += age[i]! * rows.up[i]!;
    all += age[i]!;
  }
  const least = 1 / (rows.up.length + 2);
  return all > 0 ? logit(clamp(ups / all, least, 1 - least)) : 0;
};

/**
 * Standing still takes from up alone ("unchanged" is not up). Its chance is proportional to the
 * price step in units of volatility, with one factor for all markets.
 */
const stillModel = (
  markets: readonly { readonly rows: MarketRows; readonly age: Float64Array }[],
  { step }: MarketRecipe,
  columns: SumModel["columns"],
): LinearModel | null => {
  const place = columns.findIndex(({ name }) => name === step);
  if (place < 0) return null;
  let [stood, steps] = [0, 0];
  for (const { rows, age } of markets) {
    const values = numbersOf(rows.frame, place);
    for (let i = 0; i < age.length; i++) {
      if (!Number.isFinite(values[i]!)) continue;
      steps += age[i]! * values[i]!;
      if (rows.returns[i] === 0) stood += age[i]!;
    }
  }
  if (!(steps > 0)) return null;
  const only = (value: number, other: number): Float64Array =>
    Float64Array.from(columns, (_, c) => (c === place ? value : other));
  return {
    kind: "linear",
    objective: "log_loss",
    bias: 0,
    weights: only((-2 * stood) / steps, 0),
    means: only(0, 0),
    scales: only(1, 1),
    columns,
  };
};

/** The rows that moved, each class with half of the market's weight; null where one is missing. */
const evenSample = ({ rows, weight }: Weighted, names: readonly string[]): Samples | null => {
  const kept = indicesOf(weight.length, (i) => rows.returns[i] !== 0);
  const target = figuresOf(kept, (i) => rows.up[i]!);
  const own = figuresOf(kept, (i) => weight[i]!);
  const share = weightedMean(target, own);
  if (!(share > 0 && share < 1)) return null;
  return {
    frame: rowsOf(pickColumns(rows.frame, names), kept),
    target,
    weight: own.map((w, i) => w / (2 * (target[i] === 1 ? share : 1 - share))),
  };
};

/** Returns in units of the volatility before them, about the market's mean. */
const scaledSample = ({ rows, weight }: Weighted, recipe: MarketRecipe): Samples | null => {
  const { frame, returns } = rows;
  const place = frame.columns.findIndex(({ name }) => name === recipe.volatility);
  const usual = rootMeanSquare(returns);
  const spread = numbersOf(frame, place);
  const spreadOf = (i: number): number => (place < 0 ? usual : spread[i]!);
  const kept = indicesOf(weight.length, (i) => spreadOf(i) > 0);
  if (kept.length === 0) return null;
  const target = figuresOf(kept, (i) =>
    clamp(returns[i]! / spreadOf(i), -MOST_SCALED, MOST_SCALED),
  );
  const own = figuresOf(kept, (i) => weight[i]!);
  const middle = weightedMean(target, own);
  return {
    frame: rowsOf(pickColumns(frame, recipe.direction), kept),
    target: target.map((value) => value - middle),
    weight: own,
  };
};

const rootMeanSquare = (values: Float64Array): number =>
  Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / Math.max(values.length, 1));

const numbersOf = ({ columns }: Frame, place: number): Float32Array => {
  const column = columns[place];
  return column?.kind === "number" ? column.values : new Float32Array(0);
};

const indicesOf = (rows: number, isKept: (row: number) => boolean): Int32Array => {
  const kept = new Int32Array(rows);
  let count = 0;
  for (let row = 0; row < rows; row++) if (isKept(row)) kept[count++] = row;
  return kept.subarray(0, count);
};

const figuresOf = (kept: Int32Array, of: (row: number) => number): Float64Array => {
  const figures = new Float64Array(kept.length);
  for (let i = 0; i < kept.length; i++) figures[i] = of(kept[i]!);
  return figures;
};

const rowsOf = ({ columns }: Frame, kept: Int32Array): Frame => ({
  rows: kept.length,
  columns: columns.map((column) => {
    if (column.kind === "category") {
      return { ...column, codes: Int32Array.from(kept, (i) => column.codes[i]!) };
    }
    const values = new Float32Array(kept.length);
    for (let i = 0; i < kept.length; i++) values[i] = column.values[kept[i]!]!;
    return { ...column, values };
  }),
});

/** The samples one below the other; null of none. */
const joinSamples = (samples: readonly (Samples | null)[]): Samples | null => {
  const given = samples.filter((sample) => sample !== null);
  const [first] = given;
  if (first === undefined) return null;
  const rows = given.reduce((sum, { frame }) => sum + frame.rows, 0);
  const joined = <A extends Float32Array | Float64Array>(all: A, of: (one: Samples) => A): A => {
    let at = 0;
    for (const sample of given) {
      all.set(of(sample), at);
      at += sample.frame.rows;
    }
    return all;
  };
  const columns = first.frame.columns.map((column, c) =>
    column.kind === "number"
      ? { ...column, values: joined(new Float32Array(rows), ({ frame }) => numbersOf(frame, c)) }
      : column,
  );
  return {
    frame: { rows, columns },
    target: joined(new Float64Array(rows), (sample) => sample.target),
    weight: joined(new Float64Array(rows), (sample) => sample.weight),
  };
};

const constantOf = (columns: SumModel["columns"], bias: number): ConstantModel => ({
  kind: "constant",
  objective: "log_loss",
  bias,
  columns,
});
