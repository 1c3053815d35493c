/*
 * How the loss of a sum of models goes as the trees among them are added round by round, on rows
 * that none of them has seen.
 */
import { curveOf, lowest, type RoundCurve } from "./curve.ts";
import { addTree } from "./gbdt/predict.ts";
import { softplus } from "./math.ts";
import { marginsOf } from "./predict.ts";
import type { MarketRows } from "./recipe.ts";
import type { SumModel, Tree, TreeModel } from "./types.ts";

/**
 * Gathers the log-loss of directions on the rows of their folds, before calibration, with 0, 1, 2…
 * rounds of their trees; a fold that ended earlier stays as it was. `curve` is the mean over all
 * rows, null where nothing had trees.
 */
export const makeStaged = () => {
  const sums: Float64Array[] = [];
  let rows = 0;
  return {
    add: (direction: SumModel, { frame, up }: MarketRows): void => {
      const grown = direction.parts.flatMap(({ weight, model }) =>
        model.kind === "trees" ? [{ weight, model }] : [],
      );
      if (grown.length === 0 || frame.rows === 0) return;
      rows += frame.rows;
      sums.push(lossesOf(direction, grown, frame, up));
    },
    curve: (): RoundCurve | null => {
      const rounds = Math.max(0, ...sums.map(({ length }) => length));
      if (rounds === 0) return null;
      const losses = Float64Array.from(
        { length: rounds },
        (_, round) =>
          sums.reduce((sum, own) => sum + own[Math.min(round, own.length - 1)]!, 0) / rows,
      );
      const best = lowest(losses);
      const train: RoundCurve["train"] = [];
      return { validation: curveOf(losses), train, best: { round: best, loss: losses[best]! } };
    },
  };
};

/** The sum of the rows' losses after each number of rounds. */
const lossesOf = (
  direction: SumModel,
  grown: readonly { readonly weight: number; readonly model: TreeModel }[],
  frame: MarketRows["frame"],
  up: Float64Array,
): Float64Array => {
  const rest = direction.parts.filter(({ model }) => model.kind !== "trees");
  const margins = marginsOf({ ...direction, parts: rest }, frame);
  for (const { weight, model } of grown) {
    for (let row = 0; row < margins.length; row++) margins[row]! += weight * model.base;
  }
  const rounds = Math.max(...grown.map(({ model }) => model.trees.length));
  const losses = new Float64Array(rounds + 1);
  const step = new Float64Array(frame.rows);
  losses[0] = lossOf(margins, up);
  for (let round = 0; round < rounds; round++) {
    for (const { weight, model } of grown) {
      const tree: Tree | undefined = model.trees[round];
      if (tree === undefined) continue;
      step.fill(0);
      addTree(tree, frame, step);
      for (let row = 0; row < margins.length; row++) margins[row]! += weight * step[row]!;
    }
    losses[round + 1] = lossOf(margins, up);
  }
  return losses;
};

const lossOf = (margins: Float64Array, up: Float64Array): number =>
  margins.reduce((sum, margin, row) => sum + softplus(up[row] === 1 ? -margin : margin), 0);
