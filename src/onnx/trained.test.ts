/* Models as the trainer makes them, on rows that are hard on their splits: trainer and runtime. */
import { describe, expect, test } from "bun:test";
import { boost } from "../learn/gbdt/fit.ts";
import { GBDT_DEFAULTS, type GbdtOptions } from "../learn/gbdt/options.ts";
import { treeMargins } from "../learn/gbdt/predict.ts";
import { boostSoftmax } from "../learn/gbdt/softmax.ts";
import { exp } from "../learn/math.ts";
import type { Frame, Sample, TreeModel } from "../learn/types.ts";
import { columnsOf, distanceOf, hardFrame, LEVELS, randomOf, runOnnx } from "./fixtures.ts";
import { type Graph, intOf, makeGraph, type Value } from "./graph.ts";
import { addTrees } from "./trees.ts";

/** Margins go to some 6, and the runtime adds sixty leaves up in float32. */
const MARGIN = 5e-6;
const ROWS = 4000;
const COLUMNS = columnsOf(3, 2);
const SMALL: GbdtOptions = { ...GBDT_DEFAULTS, rounds: 60, leaves: 15, minRows: 5 };

/** Numbers with holes and infinities, categories frequent, rare and never seen; counts 0 to 2. */
const sampleOf = (): Sample => {
  const random = randomOf(5);
  const columns = COLUMNS.map((column) => {
    if (column.kind === "category") {
      // Levels from 30 on are rare and those from 40 on are never seen.
      const code = () =>
        Math.floor(random() * (random() < 0.02 ? 40 : 30)) - (random() < 0.1 ? 30 : 0);
      const codes = Int32Array.from({ length: ROWS }, () => Math.max(-1, code()));
      return { name: column.name, kind: column.kind, levels: LEVELS, codes };
    }
    const values = Float32Array.from({ length: ROWS }, () => {
      const kind = random();
      if (kind < 0.1) return Number.NaN;
      return kind < 0.12 ? Infinity : kind < 0.14 ? -Infinity : (random() - 0.5) * 5;
    });
    return { name: column.name, kind: column.kind, values };
  });
  const target = Float64Array.from({ length: ROWS }, (_, row) => {
    const [x, , , c] = columns;
    const value = x?.kind === "number" ? x.values[row]! : 0;
    const code = c?.kind === "category" ? c.codes[row]! : 0;
    return (value > 0.3 ? 1 : 0) + (code % 3 === 1 && random() < 0.8 ? 1 : 0);
  });
  return { frame: { rows: ROWS, columns }, target, weight: null };
};
const SAMPLE = sampleOf();
const BINARY = { ...SAMPLE, target: SAMPLE.target.map((y) => Math.min(1, y)) };

/** Runs the graph of one output that `add` makes of the features. */
const run = async (frame: Frame, width: number, add: (graph: Graph, features: Value) => Value) => {
  const graph = makeGraph("trained");
  const features = graph.input("features", "float32", ["N", COLUMNS.length]);
  graph.node("Identity", [add(graph, features)], { as: "answer" });
  graph.output("answer", "float32", ["N", width]);
  return (await runOnnx(graph.encode({}), frame))["answer"]!;
};
const setsOf = ({ trees }: TreeModel) => trees.flatMap((tree) => tree.categories.filter(Boolean));

describe("trained trees on hard rows", () => {
  for (const objective of ["log_loss", "poisson", "squared_error", "quantile"] as const) {
    test(`${objective}: margins agree, with sets of categories`, async () => {
      const sample = objective === "log_loss" ? BINARY : SAMPLE;
      const model = boost(sample, { ...SMALL, objective, quantile: 0.6 }, 1).model;
      expect(setsOf(model).length).toBeGreaterThan(5);
      const frame = hardFrame([model], 3000, 8);
      const margins = treeMargins(model, frame);
      const found = await run(frame, 1, (graph, features) => addTrees(graph, model, features));
      expect(distanceOf(found, margins)).toBeLessThanOrEqual(MARGIN);
      if (objective !== "poisson") return;
      const counts = await run(frame, 1, (graph, features) =>
        graph.node("Exp", [addTrees(graph, model, features)]),
      );
      expect(distanceOf(counts, margins.map(exp))).toBeLessThanOrEqual(1e-5);
    });
  }

  test("softmax: margins side by side, and shares", async () => {
    const { model } = boostSoftmax(SAMPLE, 4, { ...SMALL, rounds: 25 }, 1); // nothing is in class 3
    const frame = hardFrame(model.models, 3000, 9);
    const margins = model.models.map((one) => treeMargins(one, frame));
    const side = (of: (row: number, k: number) => number) =>
      Float64Array.from({ length: 4 * frame.rows }, (_, i) => of(i >> 2, i % 4));
    const axis = { attributes: { axis: intOf(1) } };
    const joined = (graph: Graph, features: Value) =>
      graph.node(
        "Concat",
        model.models.map((one) => addTrees(graph, one, features)),
        axis,
      );
    const found = await run(frame, 4, joined);
    expect(
      distanceOf(
        found,
        side((row, k) => margins[k]![row]!),
      ),
    ).toBeLessThanOrEqual(MARGIN);
    const shares = await run(frame, 4, (graph, features) =>
      graph.node("Softmax", [joined(graph, features)], axis),
    );
    const share = (row: number, k: number) => {
      const sum = margins.reduce((total, one) => total + Math.exp(one[row]!), 0);
      return Math.exp(margins[k]![row]!) / sum;
    };
    expect(distanceOf(shares, side(share))).toBeLessThanOrEqual(1e-6);
  });
});
