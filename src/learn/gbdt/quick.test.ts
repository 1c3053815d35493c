import { beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { mixedSample } from "../testing.ts";
import type { Frame, Tree, TreeModel } from "../types.ts";
import { gbdt } from "./fit.ts";
import { moduleForTests } from "./fixture.ts";
import { treeMargins } from "./predict.ts";
import { makeQuick, plainQuick, type QuickEngine } from "./quick.ts";
import { makeWasmQuick } from "./quick-wasm.ts";

let module: WebAssembly.Module;
beforeAll(async () => {
  module = await moduleForTests();
});

const fit = (options: Partial<typeof gbdt.defaults>): TreeModel =>
  gbdt.fit(
    mixedSample(1_500, 3),
    { ...gbdt.defaults, rounds: 37, minRows: 2, ...options },
    1,
  ) as TreeModel;

/** Numbers and levels, some missing; other rows than were learned from. */
const { frame } = mixedSample(900, 8);

describe.each([
  ["plain", (): QuickEngine => plainQuick],
  ["wasm", (): QuickEngine => makeWasmQuick(module)],
])("%s", (_, engine) => {
  test.each([2, 7, 31, 32, 33, 64, 200])("trees of %i leaves: the margins of a walk", (leaves) => {
    const model = fit({ leaves });
    expect(Math.max(...model.trees.map(({ left }) => left.length))).toBeGreaterThan(leaves);
    const quick = makeQuick(model, engine());
    expect(quick?.margins(frame)).toEqual(treeMargins(model, frame));
  });

  test("rows at every edge, beyond all, and missing", () => {
    const model = fit({ leaves: 16 });
    const quick = makeQuick(model, engine())!;
    const probe = quick.probe();
    expect(quick.margins(probe)).toEqual(treeMargins(model, probe));
    for (const [place, column] of probe.columns.entries()) {
      if (column.kind !== "number") continue;
      const edges = model.trees.flatMap(({ feature, threshold }) =>
        [...threshold].filter((_, node) => feature[node] === place),
      );
      expect(edges.filter((edge) => !column.values.includes(edge))).toEqual([]);
      expect(column.values.some((value) => value > Math.max(...edges))).toBe(true);
      expect(column.values.some(Number.isNaN)).toBe(true);
    }
  });

  test("one row at a time and all together are the same", () => {
    const model = fit({ leaves: 31 });
    const quick = makeQuick(model, engine())!;
    const whole = quick.margins(frame);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: frame.rows - 1 }), (row) => {
        expect(quick.margins(rowOf(frame, row))).toEqual(whole.slice(row, row + 1));
      }),
    );
  });

  test("a model of no trees, and one whose trees are leaves, are their base and values", () => {
    const model = fit({ leaves: 4 });
    const none = { ...model, trees: [], base: 0.25 };
    expect(makeQuick(none, engine())?.margins(frame)).toEqual(treeMargins(none, frame));
    const lone = { ...model, trees: [leaf(0.5), leaf(-0.125)], base: 1 };
    expect(makeQuick(lone, engine())?.margins(frame)).toEqual(treeMargins(lone, frame));
  });
});

test("tables that would be too large are not made", () => {
  const tree = fit({ leaves: 200 }).trees[0]!;
  const model = fit({ leaves: 200 });
  const many = { ...model, trees: Array.from({ length: 20_000 }, () => tree) };
  expect(makeQuick(many, plainQuick)).toBeNull();
});

const leaf = (value: number): Tree => ({
  feature: Int32Array.of(-1),
  threshold: Float32Array.of(0),
  categories: [null],
  missingLeft: Uint8Array.of(0),
  left: Int32Array.of(-1),
  right: Int32Array.of(-1),
  value: Float64Array.of(value),
  gain: Float64Array.of(0),
  cover: Float64Array.of(1),
});

const rowOf = ({ columns }: Frame, row: number): Frame => ({
  rows: 1,
  columns: columns.map((column) =>
    column.kind === "number"
      ? { ...column, values: column.values.slice(row, row + 1) }
      : { ...column, codes: column.codes.slice(row, row + 1) },
  ),
});
