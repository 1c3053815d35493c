import { expect, test } from "bun:test";
import { GBDT_DEFAULTS } from "../../learn/gbdt/options.ts";
import { parseModel, readModels, type TableFile } from "../../models.ts";
import { SMALL, tableModel } from "../../table/fixture.ts";
import { recipeOf, trialParams } from "./recipe.ts";

test("a file that says little is trained with the trees' defaults", () => {
  const recipe = recipeOf(tableModel(SMALL), 2);
  expect(recipe.gbdt).toEqual({ ...GBDT_DEFAULTS, monotone: {} });
  expect(recipe).toMatchObject({ task: "binary", width: 1, test: "part", search: null });
});

test("what the file says goes where it belongs", () => {
  const model = tableModel(
    SMALL,
    `[train]
trainers = ["logistic", "gbdt"]
seed = 9
validation_share = 0.2
[train.gbdt]
min_rows = 5
column_share = 0.5
patience = 12
monotone = { age = 1 }
[search]
seconds = 5
trials = 4
[search.space]
min_rows = [1, 10]
rate = { log = [0.01, 0.1] }
leaves = { values = [4, 8] }
[evaluate]
test = "last"
test_share = 0.1
threshold = 0.3`,
  );
  const recipe = recipeOf(model, 2);
  expect(recipe).toMatchObject({
    ...{ trainers: ["logistic", "gbdt"], seed: 9, validationShare: 0.2, patience: 12 },
    ...{ test: "last", testShare: 0.1, threshold: 0.3 },
    gbdt: { minRows: 5, columnShare: 0.5, monotone: { age: 1 } },
  });
  expect(recipe.search).toEqual({
    method: "halving",
    trials: 4,
    space: {
      minRows: { low: 1, high: 10, scale: "linear", integer: true },
      rate: { low: 0.01, high: 0.1, scale: "log", integer: false },
      leaves: [4, 8],
    },
  });
  expect(trialParams({ minRows: 3, rate: 0.05 })).toEqual({
    "gbdt.min_rows": "3",
    "gbdt.rate": "0.05",
  });
});

test("the built-in table has a recipe", () => {
  const income = readModels(null).get("income") as TableFile;
  const { gbdt, linear } = recipeOf(income, 2);
  const { rounds, rate, min_rows: minRows } = income.train.gbdt;
  expect(gbdt).toMatchObject({ rounds, rate, minRows });
  expect(linear.l2).toBe(income.train.logistic?.l2 ?? 1);
});

test("several classes are for trees alone", () => {
  const text = `name = "a"
kind = "table"
[[table.columns]]
name = "x"
type = "number"
[[table.columns]]
name = "y"
type = "category"
[table.target]
column = "y"
kind = "multiclass"
[train]
trainers = ["gbdt", "logistic"]`;
  expect(() => parseModel("a.toml", text)).toThrow("expected gbdt alone for a multiclass target");
});
