/*
 * A search for options of the trees, judged on the rows that choose. A trial on a small budget fits
 * a drawn share of the rows; boosting ends by itself when more trees no longer help.
 */
import { lowest } from "../curve.ts";
import type { GbdtOptions } from "../gbdt/options.ts";
import { search, type Trial } from "../search.ts";
import type { Sample } from "../types.ts";
import type { TableRecipe, TableSearch } from "./recipe.ts";
import { rowsOf, splitRows } from "./split.ts";
import { fitTrees } from "./trees.ts";

/** Rounds without a lower loss after which a trial ends, where the model file does not say. */
const PATIENCE = 30;

/** The best options found, with the rounds that were enough for them, and all trials. */
export const searchTrees = (
  fitted: Sample,
  choosing: Sample,
  recipe: TableRecipe,
  { space, method, trials: draws }: TableSearch,
  onProgress: (share: number, text: string) => void,
  isOver?: () => boolean,
): { options: GbdtOptions; trials: readonly Trial[] } => {
  const shares = new Map<number, Sample>([[1, fitted]]);
  const sampleOf = (budget: number): Sample => {
    const known = shares.get(budget);
    if (known !== undefined) return known;
    // Drawn as a test of that size would be: the smaller shares are parts of the larger ones.
    // Another seed than that of the test: its rows are those that were lucky once already.
    const drawing = {
      ...recipe,
      seed: ~recipe.seed,
      test: "split" as const,
      testShare: budget,
      validationShare: 0,
    };
    const part = new Uint8Array(fitted.target.length);
    const drawn = rowsOf(fitted, splitRows(fitted, part, drawing).test);
    shares.set(budget, drawn);
    return drawn;
  };
  const patience = recipe.patience > 0 ? recipe.patience : PATIENCE;
  const rounds = new Map<object, number>();
  const found = search({
    space,
    method,
    trials: draws,
    seed: recipe.seed,
    first: Object.fromEntries(
      Object.keys(space).map((name) => [name, recipe.gbdt[name as keyof GbdtOptions] as number]),
    ),
    loss: (options, budget) => {
      const extras = { validation: choosing, patience };
      const tried = { ...recipe.gbdt, ...options };
      const { losses } = fitTrees(sampleOf(budget), recipe, tried, extras);
      const least = lowest(losses);
      rounds.set(options, Math.max(1, least));
      return losses[least] ?? null;
    },
    ...(isOver === undefined ? {} : { isOver }),
    onTrial: ({ number, loss }) =>
      onProgress(
        Math.min(1, number / draws),
        `trial ${number + 1}: ${loss?.toFixed(5) ?? "failed"}`,
      ),
  });
  if (found.best === null) return { options: recipe.gbdt, trials: found.trials };
  const options = { ...recipe.gbdt, ...found.best.options };
  return {
    options: { ...options, rounds: rounds.get(found.best.options) ?? options.rounds },
    trials: found.trials,
  };
};
