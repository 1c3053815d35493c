import { describe, expect, test } from "bun:test";
import { makeRandom } from "../random.ts";
import { mixedSample, normals } from "../testing.ts";
import type { Tree } from "../types.ts";
import { binFrame } from "./bins.ts";
import { gridOf } from "./grid.ts";
import { addGrown, type GrowRules, makeGrower } from "./grow.ts";
import { plain } from "./plain.ts";
import { addTree } from "./predict.ts";

const N = 1500;
const { frame, target } = mixedSample(N, 1);
const binned = binFrame(frame, 63);
const COLUMNS = Int32Array.of(0, 1, 2, 3);
const RULES: GrowRules = {
  leaves: 12,
  depth: 0,
  minRows: 10,
  minHessian: 0,
  l1: 0,
  l2: 1,
  minGain: 0,
  signs: null,
};
const GRID = gridOf(N, 1, 1);
const gradient = target.map((y) => 0.5 - y);
const hessian = new Float64Array(N).fill(0.25);

/** Gradients and hessians side by side, on the grid. */
const pairsOf = (gradients: Float64Array) => {
  const pairs = Float32Array.from({ length: 2 * N }, (_, i) =>
    i % 2 === 0 ? gradients[i >> 1]! : hessian[i >> 1]!,
  );
  plain.snap(pairs, GRID);
  return pairs;
};
const PAIRS = pairsOf(gradient);
const drawn = (columns: Int32Array) => ({ columns, groups: new Uint8Array(1).fill(1) });

const growOn = (rows: Int32Array, rules: Partial<GrowRules> = {}, columns = COLUMNS) => {
  const grow = makeGrower(binned, { ...RULES, ...rules }, plain, plain.arena());
  const grown = grow(rows, drawn(columns), PAIRS, GRID);
  // Give each leaf a value of its own, so that it can be told where a row went.
  for (const { node } of grown.leaves) grown.tree.value[node] = node;
  return grown;
};
const all = () => Int32Array.from({ length: N }, (_, i) => i);

/** The longest way from the root to a leaf. */
const depthOf = ({ feature, left, right }: Tree, node = 0): number =>
  feature[node]! < 0
    ? 0
    : 1 +
      Math.max(
        depthOf({ feature, left, right } as Tree, left[node]!),
        depthOf({ feature, left, right } as Tree, right[node]!),
      );

describe("growing", () => {
  test("each row's leaf by its bins is its leaf by its values", () => {
    const rows = all();
    const { tree, leaves } = growOn(rows);
    const reached = new Float64Array(N);
    addTree(tree, frame, reached);
    for (const { node, from, to } of leaves) {
      for (let i = from; i < to; i++) expect(reached[rows[i]!]).toBe(node);
    }
  });

  test("the leaves hold every row once, and their sums are right", () => {
    const rows = all();
    const { leaves } = growOn(rows);
    expect([...rows].sort((a, b) => a - b)).toEqual([...all()]);
    let covered = 0;
    for (const { from, to, sums } of leaves.toSorted((a, b) => a.from - b.from)) {
      expect(from).toBe(covered);
      covered = to;
      expect(sums.rows).toBe(to - from);
      const sum = rows.slice(from, to).reduce((s, row) => s + gradient[row]!, 0);
      expect(sums.gradient).toBe(sum);
      expect(sums.hessian).toBe((to - from) / 4);
    }
    expect(covered).toBe(N);
  });

  test("rows within a leaf keep their order", () => {
    const rows = all();
    for (const { from, to } of growOn(rows).leaves) {
      for (let i = from + 1; i < to; i++) expect(rows[i]!).toBeGreaterThan(rows[i - 1]!);
    }
  });

  test("stops at the leaves, depth and rows allowed", () => {
    for (const leaves of [1, 2, 3, 7, 12]) {
      const grown = growOn(all(), { leaves });
      expect(grown.leaves).toHaveLength(leaves);
      expect(grown.tree.feature).toHaveLength(2 * leaves - 1);
    }
    expect(depthOf(growOn(all()).tree)).toBeGreaterThan(2);
    expect(depthOf(growOn(all(), { depth: 2 }).tree)).toBe(2);
    expect(growOn(all(), { depth: 1 }).leaves).toHaveLength(2);
    const { leaves } = growOn(all(), { minRows: 300, leaves: 50 });
    for (const { sums } of leaves) expect(sums.rows).toBeGreaterThanOrEqual(300);
    expect(growOn(all(), { minRows: 1000 }).leaves).toHaveLength(1);
    expect(growOn(all(), { minGain: 1e9 }).leaves).toHaveLength(1);
  });

  test("the best split is made first: fewer leaves are the beginning of more", () => {
    const few = growOn(all(), { leaves: 4 }).tree;
    const many = growOn(all(), { leaves: 9 }).tree;
    for (let node = 0; node < few.feature.length; node++) {
      if (few.feature[node]! < 0) continue;
      expect(many.feature[node]).toBe(few.feature[node]!);
      expect(many.threshold[node]).toBe(few.threshold[node]!);
    }
  });

  test("a node's cover is its children's together, down from the sum of hessian", () => {
    const { feature, left, right, cover } = growOn(all()).tree;
    expect(cover[0]).toBeCloseTo(N / 4, 9);
    for (const [node, column] of feature.entries()) {
      if (column < 0) continue;
      expect(cover[left[node]!]! + cover[right[node]!]!).toBeCloseTo(cover[node]!, 9);
    }
  });

  test("splits on the columns given only", () => {
    const { tree } = growOn(all(), {}, Int32Array.of(1, 2));
    for (const column of tree.feature) expect([-1, 1, 2]).toContain(column);
  });

  test("one grower grows the same tree again and again", () => {
    const grow = makeGrower(binned, RULES, plain, plain.arena());
    const [first, second] = [0, 1].map(() => grow(all(), drawn(COLUMNS), PAIRS, GRID).tree);
    grow(all(), drawn(COLUMNS), pairsOf(normals(N, 9)), gridOf(N, 8, 1));
    const third = grow(all(), drawn(COLUMNS), PAIRS, GRID).tree;
    expect(second).toEqual(first!);
    expect(third).toEqual(first!);
  });

  test("one row and no columns are a single leaf", () => {
    expect(growOn(Int32Array.of(5)).leaves).toHaveLength(1);
    expect(growOn(all(), {}, new Int32Array(0)).leaves).toHaveLength(1);
  });
});

describe("addGrown", () => {
  test("gives rows that the tree did not grow on the leaf that their values lead to", () => {
    const rows = makeRandom(4).choose(700, N);
    const grown = growOn(rows);
    const margins = new Float64Array(N).fill(100);
    addGrown(grown, binned, rows, margins, plain);
    const expected = new Float64Array(N).fill(100);
    addTree(grown.tree, frame, expected);
    expect(margins).toEqual(expected);
  });

  test("adds each row's leaf once where the tree grew on all", () => {
    const rows = all();
    const grown = growOn(rows);
    const margins = new Float64Array(N);
    addGrown(grown, binned, rows, margins, plain);
    const expected = new Float64Array(N);
    addTree(grown.tree, frame, expected);
    expect(margins).toEqual(expected);
  });
});
