/*
 * Our SHAP values on the very trees of LightGBM (whose cover is a count of rows) and XGBoost (whose
 * cover is the sum of hessian, as ours), beside their own. Wants a Python with both and with shap.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { contributions } from "./shap.ts";
import { numbers as numberColumn } from "./testing.ts";
import type { CategoryColumn, Frame, Tree, TreeModel } from "./types.ts";

interface LightNode {
  readonly split_feature?: number;
  readonly threshold: number | string;
  readonly decision_type: "<=" | "==";
  readonly default_left: boolean;
  readonly left_child: LightNode;
  readonly right_child: LightNode;
  readonly leaf_value: number;
  readonly internal_count: number;
  readonly leaf_count: number;
}

interface BoostNode {
  readonly nodeid: number;
  readonly split: string;
  readonly split_condition: number;
  readonly yes: number;
  readonly missing: number;
  readonly cover: number;
  readonly leaf?: number;
  readonly children: readonly [BoostNode, BoostNode];
}

interface Peers {
  readonly numbers: readonly (readonly (number | null)[])[];
  readonly categories: readonly (readonly number[])[];
  readonly lightgbm: {
    readonly model: { readonly tree_info: readonly { readonly tree_structure: LightNode }[] };
    readonly values: readonly (readonly number[])[];
  };
  readonly xgboost: {
    readonly trees: readonly BoostNode[];
    readonly base_score: string;
    readonly values: readonly (readonly number[])[];
    readonly shap: readonly (readonly number[])[];
  };
}

/** A node as ours, its children inside. */
interface Nested {
  readonly column: number;
  readonly threshold: number;
  readonly set: readonly number[] | null;
  readonly missingLeft: boolean;
  readonly value: number;
  readonly cover: number;
  readonly children: readonly Nested[];
}

const python = process.env["SLUICE_TEST_PYTHON"];
if (python === undefined) {
  console.log("skipped: 3 tests beside LightGBM, XGBoost and shap, no SLUICE_TEST_PYTHON");
}

describe.if(python !== undefined)("on the same trees", () => {
  let peers: Peers;
  let frame: Frame;

  beforeAll(async () => {
    const script = fileURLToPath(new URL("../../tests/peers/shap_values.py", import.meta.url));
    const child = Bun.spawn([python ?? "", script], { stdout: "pipe", stderr: "pipe" });
    const [text, errors] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    if ((await child.exited) !== 0) throw new Error(errors);
    peers = JSON.parse(text) as Peers;
    frame = frameOf(peers);
  }, 120_000);

  test("LightGBM's pred_contrib, with categories and missing values, by counts", () => {
    const trees = peers.lightgbm.model.tree_info.map((info) =>
      flat(fromLight(info.tree_structure)),
    );
    expect(furthest(modelOf(trees, 0, frame), frame, peers.lightgbm.values)).toBeLessThan(1e-9);
  });

  test("XGBoost's pred_contribs, by sums of hessian", () => {
    const { trees, base_score, values } = peers.xgboost;
    const share = Number(base_score.replace(/[[\]]/g, ""));
    const four = { rows: frame.rows, columns: frame.columns.slice(0, 4) };
    const model = modelOf(
      trees.map((t) => flat(fromBoost(t))),
      Math.log(share / (1 - share)),
      four,
    );
    // Its numbers are float32, hence not nearer.
    expect(
      furthest(
        model,
        four,
        values.map((row) => row.slice(0, 4)),
      ),
    ).toBeLessThan(1e-6);
  });

  test("the shap package says what XGBoost says", () => {
    const model = modelOf(
      peers.xgboost.trees.map((t) => flat(fromBoost(t))),
      0,
      {
        rows: frame.rows,
        columns: frame.columns.slice(0, 4),
      },
    );
    const four = { rows: frame.rows, columns: frame.columns.slice(0, 4) };
    expect(furthest(model, four, peers.xgboost.shap)).toBeLessThan(1e-6);
  });
});

/** The largest distance of our values from theirs; a last entry more than columns is the base. */
const furthest = (
  model: TreeModel,
  frame: Frame,
  theirs: readonly (readonly number[])[],
): number => {
  const { base, values } = contributions(model, frame);
  const width = frame.columns.length;
  let most = 0;
  for (const [row, expected] of theirs.entries()) {
    for (const [c, value] of expected.entries()) {
      const ours = c < width ? values[row * width + c]! : base;
      most = Math.max(most, Math.abs(ours - value));
    }
  }
  return most;
};

const frameOf = ({ numbers, categories }: Peers): Frame => ({
  rows: numbers.length,
  columns: [
    ...[0, 1, 2, 3].map((c) =>
      numberColumn(
        `n${c}`,
        numbers.map((row) => row[c] ?? Number.NaN),
      ),
    ),
    ...[0, 1].map(
      (c): CategoryColumn => ({
        name: `c${c}`,
        kind: "category",
        codes: Int32Array.from(categories, (row) => row[c]!),
        levels: Array.from({ length: 40 }, (_, code) => `${code}`),
      }),
    ),
  ],
});

const modelOf = (trees: readonly Tree[], base: number, { columns }: Frame): TreeModel => ({
  kind: "trees",
  objective: "log_loss",
  base,
  trees,
  columns: columns.map((column) =>
    column.kind === "number"
      ? { name: column.name, kind: column.kind }
      : { name: column.name, kind: column.kind, levels: column.levels },
  ),
});

/** The largest float32 that is at most x, or below x: then float32 rows part as at x. */
const floor32 = (x: number, isBelow: boolean): number => {
  const cast = new Float32Array([x]);
  const isLow = isBelow ? cast[0]! < x : cast[0]! <= x;
  if (isLow) return cast[0]!;
  if (cast[0] === 0) return -1.401298464324817e-45;
  const bits = new Int32Array(cast.buffer);
  bits[0]! += cast[0]! > 0 ? -1 : 1;
  return cast[0]!;
};

const fromLight = (node: LightNode): Nested => {
  const isLeaf = node.split_feature === undefined;
  const isSet = !isLeaf && node.decision_type === "==";
  return {
    column: node.split_feature ?? -1,
    threshold: isLeaf || isSet ? 0 : floor32(Number(node.threshold), false),
    set: isSet ? `${node.threshold}`.split("||").map(Number) : null,
    missingLeft: !isSet && node.default_left,
    value: isLeaf ? node.leaf_value : 0,
    cover: isLeaf ? node.leaf_count : node.internal_count,
    children: isLeaf ? [] : [fromLight(node.left_child), fromLight(node.right_child)],
  };
};

const fromBoost = (node: BoostNode): Nested => {
  const isLeaf = node.leaf !== undefined;
  const [one, other] = node.children ?? [];
  const [left, right] = one?.nodeid === node.yes ? [one, other] : [other, one];
  return {
    column: isLeaf ? -1 : Number(node.split.slice(1)),
    // It sends x < condition left.
    threshold: isLeaf ? 0 : floor32(Math.fround(node.split_condition), true),
    set: null,
    missingLeft: node.missing === node.yes,
    value: node.leaf ?? 0,
    cover: node.cover,
    children: left === undefined || right === undefined ? [] : [fromBoost(left), fromBoost(right)],
  };
};

const flat = (root: Nested): Tree => {
  const nodes: Nested[] = [];
  const [left, right]: [number[], number[]] = [[], []];
  const add = (node: Nested): number => {
    const at = nodes.push(node) - 1;
    const [first, second] = node.children;
    left[at] = first === undefined ? -1 : add(first);
    right[at] = second === undefined ? -1 : add(second);
    return at;
  };
  add(root);
  return {
    feature: Int32Array.from(nodes, (node) => node.column),
    threshold: Float32Array.from(nodes, (node) => node.threshold),
    categories: nodes.map((node) => node.set),
    missingLeft: Uint8Array.from(nodes, (node) => (node.missingLeft ? 1 : 0)),
    left: Int32Array.from(left),
    right: Int32Array.from(right),
    value: Float64Array.from(nodes, (node) => node.value),
    gain: new Float64Array(nodes.length),
    cover: Float64Array.from(nodes, (node) => node.cover),
  };
};
