/*
 * Trees for whatever a table foretells.
 */
import { curveOf, lowest, type RoundCurve } from "../curve.ts";
import { boost } from "../gbdt/fit.ts";
import type { ObjectiveName } from "../gbdt/objective.ts";
import type { GbdtOptions } from "../gbdt/options.ts";
import type { RoundExtras } from "../gbdt/rounds.ts";
import { boostSoftmax } from "../gbdt/softmax.ts";
import type { Sample } from "../types.ts";
import type { TableModel } from "./answers.ts";
import type { TableRecipe } from "./recipe.ts";

/** What the trees of a task with one margin a row are grown on. */
const OBJECTIVES = {
  binary: "log_loss",
  regression: "squared_error",
  count: "poisson",
} as const satisfies Readonly<Record<string, ObjectiveName>>;

/** A fit: the model, the rounds in it, and the mean validation loss after 0, 1, 2… of them. */
export interface FittedTrees {
  readonly model: TableModel;
  readonly rounds: number;
  readonly losses: readonly number[];
  /** The same to look at; null without validation. */
  readonly curve: RoundCurve | null;
}

/** Fits trees with these options instead of the recipe's; throws as `boost` does. */
export const fitTrees = (
  sample: Sample,
  { task, width, seed }: TableRecipe,
  options: GbdtOptions,
  extras: RoundExtras = {},
): FittedTrees => {
  if (task === "multiclass") {
    const { model, losses, followed } = boostSoftmax(sample, width, options, seed, extras);
    const rounds = model.models.reduce((most, { trees }) => Math.max(most, trees.length), 0);
    return { model, rounds, losses, curve: curveFrom(losses, followed) };
  }
  const objective = OBJECTIVES[task];
  const { model, losses, followed } = boost(sample, { ...options, objective }, seed, extras);
  return { model, rounds: model.trees.length, losses, curve: curveFrom(losses, followed) };
};

const curveFrom = (losses: readonly number[], train: RoundCurve["train"]): RoundCurve | null => {
  if (losses.length === 0) return null;
  const round = lowest(losses);
  return { validation: curveOf(losses), train, best: { round, loss: losses[round]! } };
};
