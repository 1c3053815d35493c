import type { Frame, Tree, TreeModel } from "../types.ts";

/**
 * The margins of a tree model, one a row: base plus every tree's leaf. Values and thresholds are
 * float32 on both sides of x <= threshold, as ONNX Runtime compares them. The frame's columns
 * must be the model's, in order; `marginsOf` checks that.
 */
export const treeMargins = (model: TreeModel, frame: Frame): Float64Array => {
  const margins = new Float64Array(frame.rows).fill(model.base);
  for (const tree of model.trees) addTree(tree, frame, margins);
  return margins;
};

/** Adds the value of the leaf that each row falls in to its margin. */
export const addTree = (tree: Tree, frame: Frame, margins: Float64Array): void => {
  const { feature, threshold, missingLeft, left, right, value } = tree;
  const numbers = frame.columns.map((c) => (c.kind === "number" ? c.values : null));
  const codes = frame.columns.map((c) => (c.kind === "category" ? c.codes : null));
  const isMember = tree.categories.map((set) => (set === null ? null : membership(set)));
  for (let row = 0; row < margins.length; row++) {
    let node = 0;
    for (let column = feature[0]!; column >= 0; column = feature[node]!) {
      const values = numbers[column]!;
      let goesLeft: boolean;
      if (values !== null) {
        const x = values[row]!;
        goesLeft = x <= threshold[node]! || (Number.isNaN(x) && missingLeft[node] === 1);
      } else {
        const code = codes[column]![row]!;
        goesLeft = code < 0 ? missingLeft[node] === 1 : isMember[node]![code] === 1;
      }
      node = goesLeft ? left[node]! : right[node]!;
    }
    margins[row]! += value[node]!;
  }
};

/** 1 at the codes of the set; codes beyond its end are not in it either. */
const membership = (set: readonly number[]): Uint8Array => {
  const isMember = new Uint8Array(Math.max(-1, ...set) + 1);
  for (const code of set) isMember[code] = 1;
  return isMember;
};
