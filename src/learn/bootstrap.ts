/*
 * How far a figure would move with other rows of the same kind: it is computed again on rows drawn
 * from the given ones with replacement (Efron 1979), each row as often as it was drawn.
 */
import { makeRandom } from "./random.ts";

/** A figure of rows that count as often as `counts` says, one entry a row; null where there is none. */
export type Weighed = (counts: Int32Array) => number | null;

/** The 2.5 % and 97.5 % points of the drawn figures, and their standard deviation. */
export interface BootstrapInterval {
  readonly low: number;
  readonly high: number;
  readonly se: number;
  /** Draws for which there was a figure. */
  readonly draws: number;
}

export interface BootstrapOptions {
  readonly seed: number;
  /** 400 unless given. */
  readonly draws?: number;
  /** Rows of equal stratum are drawn among themselves (the outcome, say, so that its rate stays). */
  readonly strata?: ArrayLike<number>;
}

/**
 * Intervals of several figures, all from the same draws of `rows` rows; null for a figure that
 * exists in fewer than half of the draws.
 */
export const bootstrap = <Name extends string>(
  rows: number,
  figures: Readonly<Record<Name, Weighed>>,
  { seed, draws = 400, strata }: BootstrapOptions,
): Record<Name, BootstrapInterval | null> => {
  const random = makeRandom(seed);
  const groups = groupsOf(rows, strata);
  const names = Object.keys(figures) as Name[];
  const drawn = new Map<Name, number[]>(names.map((name) => [name, []]));
  const counts = new Int32Array(rows);
  for (let draw = 0; draw < draws; draw++) {
    counts.fill(0);
    for (const group of groups) {
      for (let i = 0; i < group.length; i++) counts[group[random.integer(group.length)]!]! += 1;
    }
    for (const name of names) {
      const figure = figures[name](counts);
      if (figure !== null && Number.isFinite(figure)) drawn.get(name)?.push(figure);
    }
  }
  return Object.fromEntries(
    names.map((name) => [name, intervalOf(Float64Array.from(drawn.get(name) ?? []), draws)]),
  ) as Record<Name, BootstrapInterval | null>;
};

const groupsOf = (rows: number, strata: ArrayLike<number> | undefined): Int32Array[] => {
  const groups = new Map<number, number[]>();
  for (let row = 0; row < rows; row++) {
    const stratum = strata?.[row] ?? 0;
    const group = groups.get(stratum);
    if (group === undefined) groups.set(stratum, [row]);
    else group.push(row);
  }
  return [...groups.values()].map((group) => Int32Array.from(group));
};

const intervalOf = (figures: Float64Array, draws: number): BootstrapInterval | null => {
  const n = figures.length;
  if (n < 2 || n < draws / 2) return null;
  figures.sort();
  const mean = figures.reduce((sum, v) => sum + v, 0) / n;
  const variance = figures.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (n - 1);
  return {
    low: quantileOf(figures, 0.025),
    high: quantileOf(figures, 0.975),
    se: Math.sqrt(variance),
    draws: n,
  };
};

/** The q-quantile of ascending values, between neighbours by line (Hyndman and Fan's type 7). */
export const quantileOf = (ascending: Float64Array, q: number): number => {
  const place = q * (ascending.length - 1);
  const below = Math.floor(place);
  const low = ascending[below] ?? Number.NaN;
  const high = ascending[Math.min(below + 1, ascending.length - 1)] ?? Number.NaN;
  return low + (place - below) * (high - low);
};

/** The mean of values, each counting as often as it was drawn. */
export const weighedMean =
  (values: Float64Array): Weighed =>
  (counts) => {
    let sum = 0;
    let n = 0;
    for (let i = 0; i < values.length; i++) {
      sum += values[i]! * counts[i]!;
      n += counts[i]!;
    }
    return n > 0 ? sum / n : null;
  };

/** The area under the ROC curve of drawn rows, ties counting half; the scores are sorted once. */
export const weighedAuc = (score: Float64Array, target: Float64Array): Weighed => {
  if (score.some((s) => Number.isNaN(s))) return () => null;
  const order = Int32Array.from(score, (_, i) => i).sort((a, b) => score[a]! - score[b]!);
  const isOne = Uint8Array.from(order, (row) => (target[row] === 1 ? 1 : 0));
  const endsTie = Uint8Array.from(order, (row, i) =>
    i + 1 === order.length || score[order[i + 1]!] !== score[row] ? 1 : 0,
  );
  return (counts) => {
    let [zeros, ones, halves, tiedZeros, tiedOnes] = [0, 0, 0, 0, 0];
    for (let i = 0; i < order.length; i++) {
      const count = counts[order[i]!]!;
      if (isOne[i] === 1) tiedOnes += count;
      else tiedZeros += count;
      if (endsTie[i] === 0) continue;
      halves += tiedOnes * (2 * zeros + tiedZeros);
      zeros += tiedZeros;
      ones += tiedOnes;
      tiedZeros = 0;
      tiedOnes = 0;
    }
    return ones > 0 && zeros > 0 ? halves / 2 / ones / zeros : null;
  };
};
