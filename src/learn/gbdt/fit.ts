/*
 * Gradient-boosted trees with one margin a row (Friedman 2001), grown leaf by leaf on histograms.
 */
import { SluiceError } from "../../errors.ts";
import type { RoundLoss } from "../curve.ts";
import { checkColumns, checkSample, isSingleClass, shapesOf } from "../sample.ts";
import type { Sample, Trainer, TreeModel } from "../types.ts";
import { makeObjective } from "./objective.ts";
import { checkOptions, GBDT_DEFAULTS, type GbdtOptions, signsOf } from "./options.ts";
import { goRounds, type RoundExtras } from "./rounds.ts";

/** What `boost` may be given besides sample, options and seed. */
export interface BoostExtras extends RoundExtras {
  /** A model to go on from: its trees stay, and at most `rounds` more are added. */
  readonly from?: TreeModel | undefined;
}

/**
 * A model, the mean validation loss after 0, 1, 2… rounds (empty without validation), and the
 * sample's own where it was followed.
 */
export interface Boosted {
  readonly model: TreeModel;
  readonly losses: readonly number[];
  readonly followed: readonly RoundLoss[];
}

/** Gradient-boosted trees; for early stopping call `boost`. */
export const gbdt: Trainer<GbdtOptions> = {
  name: "gbdt",
  defaults: GBDT_DEFAULTS,
  fit: (sample, options, seed, onRound) => boost(sample, options, seed, { onRound }).model,
};

/**
 * Fits trees to the sample; with a validation sample the model ends at the round of lowest loss
 * there. Rows that cannot be told apart (one class, constant columns, too few) give a model of
 * no trees. Going on from a model without sampling gives what one fit of all rounds would.
 * Throws `bad_sample`, `bad_option`, or `column_mismatch` for a validation sample or a model to go
 * on from that has other columns.
 */
export const boost = (
  sample: Sample,
  options: GbdtOptions,
  seed: number,
  extras: BoostExtras = {},
): Boosted => {
  const { frame, target, weight } = sample;
  const { validation, from } = extras;
  checkOptions(options);
  checkSample(sample, options.objective);
  if (validation !== undefined) {
    checkSample(validation, options.objective);
    checkColumns(shapesOf(frame), validation.frame);
  }
  if (from !== undefined) checkFrom(from, options, sample);
  const objective = makeObjective(options.objective, options.quantile ?? 0.5);
  const base = from?.base ?? objective.base(target, weight);
  const { trees, losses, followed } = goRounds(
    sample,
    isSingleClass(target) ? { ...options, rounds: 0 } : options,
    signsOf(options, frame.columns),
    seed,
    extras,
    {
      bases: [base],
      from: [from?.trees ?? []],
      derive: ([margins], ys, ws, [pairs], kernels) =>
        objective.derive(margins!, ys, ws, pairs!, kernels),
      loss: ([margins], ys, ws) => objective.loss(margins!, ys, ws),
      refit: objective.refit,
    },
  );
  const columns = shapesOf(frame);
  return {
    model: { kind: "trees", objective: options.objective, base, trees: trees[0]!, columns },
    losses,
    followed,
  };
};

const checkFrom = (from: TreeModel, { objective }: GbdtOptions, { frame }: Sample): void => {
  checkColumns(from.columns, frame);
  if (from.objective === objective) return;
  throw new SluiceError({
    code: "bad_option",
    status: 422,
    detail: `gbdt option objective is ${objective}, the model to go on from has ${from.objective}`,
    fix: "Go on with the objective that the model was begun with.",
  });
};
