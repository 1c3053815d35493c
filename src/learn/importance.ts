import type { SoftmaxModel, TreeModel } from "./types.ts";

/** What a column did for a model: `share` is its part of the whole gain, 0 where nothing gained. */
export interface Importance {
  readonly name: string;
  readonly gain: number;
  readonly share: number;
  readonly splits: number;
}

/**
 * Columns by how much their splits lowered the training loss, largest first, then in order; of
 * several classes, over the trees of all.
 */
export const importanceOf = (model: TreeModel | SoftmaxModel): Importance[] => {
  const gains = new Float64Array(model.columns.length);
  const splits = new Int32Array(model.columns.length);
  const trees = model.kind === "trees" ? model.trees : model.models.flatMap((one) => one.trees);
  for (const tree of trees) {
    for (const [node, column] of tree.feature.entries()) {
      if (column < 0) continue;
      gains[column]! += tree.gain[node]!;
      splits[column]! += 1;
    }
  }
  const total = gains.reduce((sum, gain) => sum + gain, 0);
  return model.columns
    .map(({ name }, c) => ({
      name,
      gain: gains[c]!,
      share: total > 0 ? gains[c]! / total : 0,
      splits: splits[c]!,
    }))
    .sort((a, b) => b.gain - a.gain); // the sort is stable
};
