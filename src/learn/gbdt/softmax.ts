/*
 * Trees for one of several classes: a margin a class, and probabilities by softmax. Each round
 * grows a tree a class, all of them on the derivatives at the margins before the round.
 */
import type { RoundLoss } from "../curve.ts";
import { exp, log } from "../math.ts";
import { checkColumns, checkSample, isSingleClass, shapesOf, weightedMean } from "../sample.ts";
import type { Sample, SoftmaxModel } from "../types.ts";
import { checkOptions, type GbdtOptions, signsOf } from "./options.ts";
import { goRounds, type RoundExtras, type Task } from "./rounds.ts";

/** Options of trees; what they are grown on is settled. */
export type SoftmaxOptions = Omit<GbdtOptions, "objective" | "quantile">;

export interface SoftmaxExtras extends RoundExtras {
  /** A model to go on from: its trees stay, and at most `rounds` more a class are added. */
  readonly from?: SoftmaxModel | undefined;
}

/** A model, and losses by round as `Boosted` has them. */
export interface BoostedSoftmax {
  readonly model: SoftmaxModel;
  readonly losses: readonly number[];
  readonly followed: readonly RoundLoss[];
}

/** Keeps a certain row's hessian off 0, where a leaf's step would explode. */
const LEAST_HESSIAN = 1e-16;

/**
 * Fits trees for so many classes; a target is the class's index. As `boost` otherwise, and throws
 * what it throws; a class that has no row keeps a small share.
 */
export const boostSoftmax = (
  sample: Sample,
  classes: number,
  options: SoftmaxOptions,
  seed: number,
  extras: SoftmaxExtras = {},
): BoostedSoftmax => {
  const { frame, target, weight } = sample;
  const { validation, from } = extras;
  const all: GbdtOptions = { ...options, objective: "log_loss" };
  checkOptions(all);
  checkSample(sample, "softmax", classes);
  if (validation !== undefined) {
    checkSample(validation, "softmax", classes);
    checkColumns(shapesOf(frame), validation.frame);
  }
  if (from !== undefined) checkColumns(from.columns, frame);
  const bases = Array.from(
    { length: classes },
    (_, k) => from?.models[k]?.base ?? log(shareOf(k, target, weight, classes)),
  );
  const { trees, losses, followed } = goRounds(
    sample,
    isSingleClass(target) ? { ...all, rounds: 0 } : all,
    signsOf(all, frame.columns),
    seed,
    extras,
    taskOf(
      bases,
      bases.map((_, k) => from?.models[k]?.trees ?? []),
    ),
  );
  const columns = shapesOf(frame);
  const models = bases.map((base, k) => ({
    kind: "trees" as const,
    objective: "softmax" as const,
    base,
    trees: trees[k]!,
    columns,
  }));
  return { model: { kind: "softmax", models, columns }, losses, followed };
};

/** The class's share of the weight, drawn a little towards all shares being equal. */
const shareOf = (
  k: number,
  target: Float64Array,
  weight: Float64Array | null,
  classes: number,
): number => {
  const share = weightedMean(
    target.map((y) => (y === k ? 1 : 0)),
    weight,
  );
  return (share * target.length + 1) / (target.length + classes);
};

const taskOf = (bases: readonly number[], from: Task["from"]): Task => {
  const classes = bases.length;
  const p = new Float64Array(classes);
  /** Fills p with the probabilities of a row. */
  const look = (margins: readonly Float64Array[], row: number): void => {
    let most = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < classes; k++) most = Math.max(most, margins[k]![row]!);
    let sum = 0;
    for (let k = 0; k < classes; k++) {
      p[k] = exp(margins[k]![row]! - most);
      sum += p[k]!;
    }
    for (let k = 0; k < classes; k++) p[k]! /= sum;
  };
  // The classes' margins are one too many, so a step for each of them alone would be too long by
  // this (Friedman 2001, algorithm 6).
  const stretch = classes / (classes - 1);
  return {
    bases,
    from,
    refit: null,
    derive: (margins, target, weight, pairs) => {
      for (let row = 0; row < target.length; row++) {
        look(margins, row);
        const w = weight === null ? 1 : weight[row]!;
        for (let k = 0; k < classes; k++) {
          pairs[k]![2 * row] = (p[k]! - (target[row] === k ? 1 : 0)) * w;
          pairs[k]![2 * row + 1] = (stretch * p[k]! * (1 - p[k]!) + LEAST_HESSIAN) * w;
        }
      }
    },
    loss: (margins, target, weight) =>
      weightedMean(
        target.map((y, row) => {
          look(margins, row);
          return -log(Math.max(p[y]!, Number.MIN_VALUE));
        }),
        weight,
      ),
  };
};
