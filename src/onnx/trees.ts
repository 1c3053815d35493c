/*
 * Trees -> one `TreeEnsemble` node (ai.onnx.ml, opset 5). The older TreeEnsembleClassifier is not
 * used: its labels disagree with its probabilities in several shapes of trees.
 */
import { SluiceError } from "../errors.ts";
import type { Tree, TreeModel } from "../learn/types.ts";
import type { Graph, Value } from "./graph.ts";
import { bytesOf, floatsOf, intOf, intsOf } from "./graph.ts";

/** Modes of an interior node, by the operator's documentation. */
const BRANCH_LEQ = 0;
const BRANCH_MEMBER = 6;

/** Codes are 0 and up and a missing one is NaN, so this sends no row to the left. */
const NO_CODE = -1;

/** The operator's attributes: the interior nodes of all trees in a row, and their leaves. */
interface Forest {
  readonly roots: number[];
  readonly features: number[];
  readonly modes: number[];
  readonly splits: number[];
  readonly members: number[];
  readonly missingTrue: number[];
  readonly trueIds: number[];
  readonly trueLeafs: number[];
  readonly falseIds: number[];
  readonly falseLeafs: number[];
  readonly weights: number[];
}

/**
 * Adds a tree model: [N, F] float32 in, its margin [N, 1] out. Category columns carry their code
 * as a float; NaN is missing in any column. Throws `model_not_finite` for a leaf that is no number.
 */
export const addTrees = (graph: Graph, model: TreeModel, features: Value): Value => {
  const forest = forestOf(model);
  return graph.node("TreeEnsemble", [features], {
    domain: "ai.onnx.ml",
    attributes: {
      // 1 = sum over the trees; 0 = no transform of the sum.
      aggregate_function: intOf(1),
      post_transform: intOf(0),
      n_targets: intOf(1),
      tree_roots: intsOf(forest.roots),
      nodes_featureids: intsOf(forest.features),
      nodes_modes: bytesOf(Uint8Array.from(forest.modes)),
      nodes_splits: floatsOf(Float32Array.from(forest.splits)),
      nodes_missing_value_tracks_true: intsOf(forest.missingTrue),
      nodes_truenodeids: intsOf(forest.trueIds),
      nodes_trueleafs: intsOf(forest.trueLeafs),
      nodes_falsenodeids: intsOf(forest.falseIds),
      nodes_falseleafs: intsOf(forest.falseLeafs),
      leaf_targetids: intsOf(forest.weights.map(() => 0)),
      leaf_weights: floatsOf(Float32Array.from(forest.weights)),
      ...(forest.members.length === 0
        ? {}
        : { membership_values: floatsOf(Float32Array.from(forest.members)) }),
    },
  });
};

function forestOf(model: TreeModel): Forest {
  const forest: Forest = {
    roots: [],
    features: [],
    modes: [],
    splits: [],
    members: [],
    missingTrue: [],
    trueIds: [],
    trueLeafs: [],
    falseIds: [],
    falseLeafs: [],
    weights: [],
  };
  // The operator has no base; the first tree's leaves carry it. No trees are one leaf of it.
  if (model.trees.length === 0) addLeaf(forest, finite(model.base, "base"));
  model.trees.forEach((tree, index) => {
    addTree(forest, tree, index === 0 ? finite(model.base, "base") : 0, `tree ${index}`);
  });
  return forest;
}

function addTree(forest: Forest, tree: Tree, base: number, place: string): void {
  const leaf = (node: number): number => finite(tree.value[node]! + base, `${place}, leaf ${node}`);
  if (tree.feature[0] === -1) {
    addLeaf(forest, leaf(0));
    return;
  }
  // Two passes: children may stand before or after their parent.
  const ids = new Int32Array(tree.feature.length);
  let nodes = forest.features.length;
  for (let node = 0; node < ids.length; node += 1) {
    if (tree.feature[node] === -1) ids[node] = forest.weights.push(leaf(node)) - 1;
    else ids[node] = nodes++;
  }
  forest.roots.push(ids[0]!);
  for (let node = 0; node < ids.length; node += 1) {
    if (tree.feature[node] === -1) continue;
    const [left, right] = [tree.left[node]!, tree.right[node]!];
    const set = tree.categories[node] ?? null;
    forest.features.push(tree.feature[node]!);
    forest.modes.push(set === null ? BRANCH_LEQ : BRANCH_MEMBER);
    forest.splits.push(set === null ? tree.threshold[node]! : 0);
    if (set !== null) forest.members.push(...(set.length === 0 ? [NO_CODE] : set), Number.NaN);
    forest.missingTrue.push(tree.missingLeft[node]!);
    forest.trueIds.push(ids[left]!);
    forest.trueLeafs.push(tree.feature[left] === -1 ? 1 : 0);
    forest.falseIds.push(ids[right]!);
    forest.falseLeafs.push(tree.feature[right] === -1 ? 1 : 0);
  }
}

/** A tree that is only a leaf: the operator wants an interior node whose branches share it. */
function addLeaf(forest: Forest, weight: number): void {
  const leaf = forest.weights.push(weight) - 1;
  forest.roots.push(forest.features.length);
  forest.features.push(0);
  forest.modes.push(BRANCH_LEQ);
  forest.splits.push(0);
  forest.missingTrue.push(0);
  forest.trueIds.push(leaf);
  forest.trueLeafs.push(1);
  forest.falseIds.push(leaf);
  forest.falseLeafs.push(1);
}

/** Gives a number back, or throws `model_not_finite` naming where it was. */
export const finite = (value: number, place: string): number => {
  if (Number.isFinite(Math.fround(value))) return value;
  throw new SluiceError({
    code: "model_not_finite",
    detail: `a model to be exported has ${value} at ${place}`,
    fix: "Only finite float32 numbers can be exported; look at the training that made it.",
  });
};
