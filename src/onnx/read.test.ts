import { describe, expect, test } from "bun:test";
import { logistic } from "../learn/linear.ts";
import { marginsOf } from "../learn/predict.ts";
import { contributions } from "../learn/shap.ts";
import type { TableModel, TableTask } from "../learn/table/answers.ts";
import { mixedSample } from "../learn/testing.ts";
import type { LinearModel, Model, TreeModel } from "../learn/types.ts";
import { columnsOf, covered, distanceOf, hardFrame, randomTrees, treeOf } from "./fixtures.ts";
import { modelMetadata, readModel } from "./read.ts";
import { encodeTableModel } from "./table.ts";

const COLUMNS = columnsOf(5, 3);
const again = (model: Model): Model => readAgain(model, "binary") as Model;
const readAgain = (model: TableModel, task: TableTask): TableModel => {
  const parts = { task, model, calibration: { slope: 1, intercept: 0 } };
  return readModel(encodeTableModel(parts, modelMetadata(model)), model.columns)!;
};

describe("readModel", () => {
  const model = covered(randomTrees(COLUMNS, 60, 41), 42);
  const read = again(model);
  const frame = hardFrame([model], 500, 43);

  test("gives trees back that answer as those that were written", () => {
    expect(distanceOf(marginsOf(read, frame), marginsOf(model, frame))).toBeLessThan(1e-6);
  });

  test("gives them back with their covers, so that they explain the same", () => {
    const [found, wanted] = [contributions(read, frame), contributions(model, frame)];
    expect(found.base).toBeCloseTo(wanted.base, 6);
    expect(distanceOf(found.values, wanted.values)).toBeLessThan(1e-6);
  });

  test("trees of quantiles in the same graph are not taken for classes", () => {
    const models = [1, 2, 3].map((seed) => randomTrees(COLUMNS, 4, seed));
    const quantiles = { levels: [0.1, 0.5, 0.9], models, offset: 0.1 };
    const calibration = { slope: 1, intercept: 0 };
    const bytes = encodeTableModel(
      { task: "regression", model, calibration, quantiles },
      modelMetadata(model),
    );
    expect(readModel(bytes, COLUMNS)).toEqual(readAgain(model, "regression"));
  });

  test("lone leaves, empty sets and no trees at all are as they were", () => {
    const odd = covered(
      {
        ...model,
        trees: [
          treeOf(0.5),
          treeOf({ feature: 5, set: [], missingLeft: true, left: 1, right: 2 }),
          treeOf(-0.25),
          treeOf({
            feature: 5,
            set: [3, 1],
            left: { feature: 6, set: [2], left: 3, right: 4 },
            right: 5,
          }),
        ],
      },
      44,
    );
    const back = again(odd) as TreeModel;
    expect(back.trees.map((tree) => tree.feature.length)).toEqual([1, 3, 1, 5]);
    expect(back.trees.map((tree) => [...tree.cover])).toEqual(
      odd.trees.map((tree) => [...tree.cover].map(Math.fround)),
    );
    expect(distanceOf(marginsOf(back, frame), marginsOf(odd, frame))).toBeLessThan(1e-6);
    const none = again({ ...model, trees: [] });
    expect(marginsOf(none, frame)[0]).toBeCloseTo(model.base, 6);
  });

  test("gives the trees of each class back, in their order", () => {
    const models = [46, 47, 48].map((seed) => covered(randomTrees(COLUMNS, 20, seed), seed));
    const back = readAgain({ kind: "softmax", models, columns: COLUMNS }, "multiclass");
    if (back.kind !== "softmax") throw new Error(back.kind);
    for (const [k, one] of back.models.entries()) {
      expect(distanceOf(marginsOf(one, frame), marginsOf(models[k]!, frame))).toBeLessThan(1e-6);
      expect(contributions(one, frame).base).toBeCloseTo(contributions(models[k]!, frame).base, 6);
    }
  });

  test("gives a linear model back as it was", () => {
    const sample = mixedSample(300, 45);
    const linear = logistic.fit(sample, { l2: 1, rounds: 20, indicators: true }, 0);
    const back = again(linear) as LinearModel;
    expect(back).toEqual(linear as LinearModel);
  });

  test("says nothing of a model that it does not know, and refuses what is none", () => {
    const constant = {
      kind: "constant",
      objective: "log_loss",
      bias: 1,
      columns: COLUMNS,
    } as const;
    expect(marginsOf(again(constant), frame)[0]).toBe(1);
    expect(() => readModel(new TextEncoder().encode("{}{}{}"), COLUMNS)).toThrow(
      expect.objectContaining({ code: "artifact_corrupt" }),
    );
  });
});
