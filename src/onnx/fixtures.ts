/*
 * Models and sessions for tests: random trees, a plain walk of them, and ONNX Runtime.
 */
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { ColumnShape, Frame, Model, Tree, TreeModel } from "../learn/types.ts";
import { intOf, makeGraph } from "./graph.ts";
import { matrixOf } from "./matrix.ts";

/** Numbers in [0, 1) from a seed (xorshift). */
export const randomOf = (seed: number): (() => number) => {
  let state = (seed * 2_654_435_761) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
};

export const LEVELS = Array.from({ length: 45 }, (_, code) => `level ${code}`);

/** `numbers` number columns, then `categories` category columns of 45 levels. */
export const columnsOf = (numbers: number, categories = 0): readonly ColumnShape[] => [
  ...Array.from({ length: numbers }, (_, n) => ({ name: `x${n}`, kind: "number" as const })),
  ...Array.from({ length: categories }, (_, n) => ({
    name: `c${n}`,
    kind: "category" as const,
    levels: LEVELS,
  })),
];

/** A node as written by hand: a leaf's value, or a split. */
export type Branch =
  | number
  | {
      readonly feature: number;
      readonly threshold?: number;
      readonly set?: readonly number[];
      readonly missingLeft?: boolean;
      readonly left: Branch;
      readonly right: Branch;
    };

/** Lays a tree out in flat arrays, each parent before its children. */
export const treeOf = (root: Branch): Tree => {
  const nodes: Branch[] = [];
  const collect = (branch: Branch): void => {
    nodes.push(branch);
    if (typeof branch === "number") return;
    collect(branch.left);
    collect(branch.right);
  };
  collect(root);
  const left = new Int32Array(nodes.length).fill(-1);
  const right = new Int32Array(nodes.length).fill(-1);
  let next = 0;
  const place = (branch: Branch): number => {
    const at = next++;
    if (typeof branch !== "number") {
      left[at] = place(branch.left);
      right[at] = place(branch.right);
    }
    return at;
  };
  place(root);
  const split = (branch: Branch) => (typeof branch === "number" ? null : branch);
  return {
    feature: Int32Array.from(nodes, (branch) => split(branch)?.feature ?? -1),
    threshold: Float32Array.from(nodes, (branch) => split(branch)?.threshold ?? 0),
    categories: nodes.map((branch) => split(branch)?.set ?? null),
    missingLeft: Uint8Array.from(nodes, (branch) => (split(branch)?.missingLeft ? 1 : 0)),
    left,
    right,
    value: Float64Array.from(nodes, (branch) => (typeof branch === "number" ? branch : 0)),
    gain: new Float64Array(nodes.length),
    cover: new Float64Array(nodes.length),
  };
};

/** Covers as a fit would leave them: each node's is the sum of its children's. */
export const covered = (model: TreeModel, seed: number): TreeModel => {
  const random = randomOf(seed);
  const trees = model.trees.map((tree) => {
    const cover = new Float64Array(tree.feature.length);
    const fill = (node: number): number => {
      cover[node] =
        tree.feature[node] === -1
          ? Math.fround(1 + 50 * random())
          : fill(tree.left[node]!) + fill(tree.right[node]!);
      return cover[node];
    };
    fill(0);
    return { ...tree, cover };
  });
  return { ...model, trees };
};

/** A model of random trees over the columns; every tenth of them is only a leaf. */
export const randomTrees = (
  columns: readonly ColumnShape[],
  trees: number,
  seed: number,
  size = 0.05,
): TreeModel => {
  const random = randomOf(seed);
  const branch = (depth: number): Branch => {
    if (depth === 0 || random() < 0.1) return (random() - 0.5) * size;
    const feature = Math.floor(random() * columns.length);
    const rest = { missingLeft: random() < 0.5, left: branch(depth - 1), right: branch(depth - 1) };
    if (columns[feature]!.kind === "number") {
      return { feature, threshold: Math.fround((random() - 0.5) * 4), ...rest };
    }
    const share = random();
    return { feature, set: LEVELS.flatMap((_, code) => (random() < share ? [code] : [])), ...rest };
  };
  return {
    kind: "trees",
    objective: "log_loss",
    base: random() - 0.5,
    trees: Array.from({ length: trees }, () => treeOf(branch(5))),
    columns,
  };
};

/** Rows that are hard on splits: the thresholds themselves, NaN, infinities, both zeros. */
export const hardFrame = (models: readonly Model[], rows: number, seed: number): Frame => {
  const random = randomOf(seed);
  const thresholds = models.flatMap((model) =>
    model.kind === "trees" ? model.trees.flatMap((tree) => [...tree.threshold]) : [],
  );
  const odd = [Number.NaN, Infinity, -Infinity, 0, -0, 3.4e38, 1e-45];
  const pick = <V>(from: readonly V[]): V => from[Math.floor(random() * from.length)]!;
  const number = (): number => {
    const kind = random();
    if (kind < 0.4 && thresholds.length > 0) return pick(thresholds);
    return kind < 0.6 ? pick(odd) : (random() - 0.5) * 5;
  };
  const columns = models[0]!.columns.map((column) =>
    column.kind === "number"
      ? {
          name: column.name,
          kind: column.kind,
          values: Float32Array.from({ length: rows }, number),
        }
      : {
          name: column.name,
          kind: column.kind,
          levels: LEVELS,
          codes: Int32Array.from({ length: rows }, () => Math.floor(random() * 46) - 1),
        },
  );
  return { rows, columns };
};

/** The margin of one row, node by node: the contract of a tree, word by word. */
export const walkTrees = (model: TreeModel, frame: Frame, row: number): number => {
  let sum = model.base;
  for (const tree of model.trees) {
    let node = 0;
    while (tree.feature[node] !== -1) {
      const column = frame.columns[tree.feature[node]!]!;
      const value = column.kind === "number" ? column.values[row]! : column.codes[row]!;
      const missing = column.kind === "number" ? Number.isNaN(value) : value === -1;
      const set = tree.categories[node];
      const goes = set ? set.includes(value) : value <= tree.threshold[node]!;
      node = (missing ? tree.missingLeft[node] === 1 : goes) ? tree.left[node]! : tree.right[node]!;
    }
    sum += tree.value[node]!;
  }
  return sum;
};

/** Runs ONNX bytes that take one input a column: numbers, and texts ("" where missing). */
export const runTable = async (
  bytes: Uint8Array,
  frame: Frame,
): Promise<Readonly<Record<string, Float32Array>>> => {
  const dims = [frame.rows, 1];
  const feeds = frame.columns.map((column) => [
    column.name,
    column.kind === "number"
      ? new Tensor("float32", column.values, dims)
      : new Tensor(
          "string",
          Array.from(column.codes, (code) => column.levels[code] ?? ""),
          dims,
        ),
  ]);
  return runFeeds(bytes, Object.fromEntries(feeds));
};

/** Runs ONNX bytes on a frame and gives each output's values by name; the session is released. */
export const runOnnx = async (
  bytes: Uint8Array,
  frame: Frame,
): Promise<Readonly<Record<string, Float32Array>>> => {
  const input = new Tensor("float32", matrixOf(frame), [frame.rows, frame.columns.length]);
  return runFeeds(bytes, { features: input });
};

const runFeeds = async (
  bytes: Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Readonly<Record<string, Float32Array>>> => {
  const session = await InferenceSession.create(bytes, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: "sequential",
  });
  try {
    const outputs = await session.run(feeds);
    return Object.fromEntries(
      Object.entries(outputs).map(([name, tensor]) => [name, tensor.data as Float32Array]),
    );
  } finally {
    await session.release();
  }
};

/** Largest difference of two lists of numbers; infinite where either of them has a NaN. */
export const distanceOf = (found: ArrayLike<number>, wanted: ArrayLike<number>): number => {
  if (found.length !== wanted.length) return Number.POSITIVE_INFINITY;
  let most = 0;
  for (let index = 0; index < found.length; index += 1) {
    const apart = Math.abs(found[index]! - wanted[index]!);
    if (Number.isNaN(apart)) return Number.POSITIVE_INFINITY;
    most = Math.max(most, apart);
  }
  return most;
};

/** A file of some hundred bytes that makes a tensor of so many gigabytes of itself. */
export function greedyBytes(gigabytes: number): Uint8Array {
  const graph = makeGraph("greedy");
  graph.input("x", "float32", ["N", 1]);
  const attributes = { to: intOf(7) };
  const size = graph.node("Cast", [graph.constant([gigabytes * 2.5e8], [1])], { attributes });
  const zeros = graph.node("ConstantOfShape", [size]);
  const most = graph.node("ReduceMax", [zeros], { attributes: { keepdims: intOf(0) } });
  graph.node("Add", ["x", most], { as: "y" });
  graph.output("y", "float32", ["N", 1]);
  return graph.encode({});
}
