import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type categories, frameOf, mixedSample, numbers, sampleOf } from "../testing.ts";
import type { Frame, Tree, TreeModel } from "../types.ts";
import { gbdt } from "./fit.ts";
import { addTree, treeMargins } from "./predict.ts";

const fit = (sample: Parameters<typeof gbdt.fit>[0], leaves = 8) =>
  gbdt.fit(sample, { ...gbdt.defaults, rounds: 12, leaves, minRows: 5 }, 1) as TreeModel;

/** The contract read word by word, one row and one tree, slowly. */
const leafOf = (tree: Tree, frame: Frame, row: number): number => {
  let node = 0;
  while (tree.feature[node]! >= 0) {
    const column = frame.columns[tree.feature[node]!]!;
    const isMissing =
      column.kind === "number" ? Number.isNaN(column.values[row]!) : column.codes[row]! < 0;
    const isLeft = isMissing
      ? tree.missingLeft[node] === 1
      : column.kind === "number"
        ? column.values[row]! <= tree.threshold[node]!
        : tree.categories[node]!.includes(column.codes[row]!);
    node = isLeft ? tree.left[node]! : tree.right[node]!;
  }
  return tree.value[node]!;
};

describe("treeMargins", () => {
  const sample = mixedSample(800, 1);
  const model = fit(sample);

  test("is base plus the leaf of every tree", () => {
    const margins = treeMargins(model, sample.frame);
    for (let row = 0; row < sample.frame.rows; row += 7) {
      const sum = model.trees.reduce((s, tree) => s + leafOf(tree, sample.frame, row), model.base);
      expect(margins[row]).toBe(sum);
    }
  });

  test("also for rows on thresholds, infinite, missing and of levels never split on", () => {
    const thresholds = model.trees.flatMap((tree) =>
      [...tree.threshold].filter((_, node) => tree.feature[node] === 0),
    );
    const towns = (sample.frame.columns[3] as ReturnType<typeof categories>).levels;
    const row = fc.tuple(
      fc.oneof(
        fc.constantFrom(...thresholds),
        fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
        fc.float(),
      ),
      fc.float(),
      fc.float(),
      fc.integer({ min: -1, max: towns.length - 1 }),
    );
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 20 }), (rows) => {
        const frame = frameOf(
          ...[0, 1, 2].map((c) =>
            numbers(
              "abc"[c]!,
              rows.map((cells) => cells[c as 0 | 1 | 2]),
            ),
          ),
          {
            name: "town",
            kind: "category",
            codes: Int32Array.from(rows, ([, , , code]) => code),
            levels: towns,
          },
        );
        const margins = treeMargins(model, frame);
        for (const i of rows.keys()) {
          const sum = model.trees.reduce((s, tree) => s + leafOf(tree, frame, i), model.base);
          expect(margins[i]).toBe(sum);
        }
      }),
    );
  });

  test("a row's margin does not depend on its neighbours", () => {
    const all = treeMargins(model, sample.frame);
    for (const row of [0, 3, 7, 799]) {
      const alone: Frame = {
        rows: 1,
        columns: sample.frame.columns.map((column) =>
          column.kind === "number"
            ? { ...column, values: column.values.slice(row, row + 1) }
            : { ...column, codes: column.codes.slice(row, row + 1) },
        ),
      };
      expect(treeMargins(model, alone)[0]).toBe(all[row]!);
    }
  });

  test("without trees is the base, without rows is empty", () => {
    const bare = { ...model, trees: [] };
    expect([...treeMargins(bare, frameOf(numbers("a", [1, 2])))]).toEqual([model.base, model.base]);
    expect(treeMargins(model, frameOf(numbers("a", [])))).toHaveLength(0);
  });

  test("prices beyond 2^24 are told apart as far as float32 can", () => {
    // 148601001 is 148601008 as a float32: the row belongs with the upper price.
    const prices = Array.from({ length: 40 }, (_, i) => (i < 20 ? 148_600_992 : 148_601_008));
    const target = prices.map((price) => (price > 148_601_000 ? 1 : 0));
    const sure = fit(sampleOf(frameOf(numbers("price", prices)), target), 2);
    const [low, rounded, high] = treeMargins(
      sure,
      frameOf(numbers("price", [148_600_992, 148_601_001, 148_601_008])),
    );
    expect(low).toBeLessThan(0);
    expect(high).toBeGreaterThan(0);
    expect([low, high]).toContain(rounded);
    expect(rounded).toBe(Math.fround(148_601_001) === 148_601_008 ? high! : low!);
  });
});

test("addTree adds to the margins it is given", () => {
  const { trees } = fit(mixedSample(300, 2));
  const { frame } = mixedSample(10, 3);
  const margins = new Float64Array(10).fill(5);
  addTree(trees[0]!, frame, margins);
  for (const [row, margin] of margins.entries()) {
    expect(margin).toBe(5 + leafOf(trees[0]!, frame, row));
  }
});
