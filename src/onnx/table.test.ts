import { describe, expect, test } from "bun:test";
import { designOf } from "../learn/design.ts";
import { logistic, ridge } from "../learn/linear.ts";
import { marginsOf } from "../learn/predict.ts";
import { answersOf, type TableModel, type TableTask } from "../learn/table/answers.ts";
import { quantilesOf } from "../learn/table/quantiles.ts";
import { mixedSample } from "../learn/testing.ts";
import type { ConstantModel, Frame, LinearModel } from "../learn/types.ts";
import {
  columnsOf,
  distanceOf,
  hardFrame,
  LEVELS,
  randomOf,
  randomTrees,
  runTable,
} from "./fixtures.ts";
import { readMetadata } from "./metadata.ts";
import { encodeTableModel, type TableParts } from "./table.ts";

const COLUMNS = columnsOf(6, 8);
const TREES = randomTrees(COLUMNS, 100, 31);
const PLAIN = { slope: 1, intercept: 0 };
const partsOf = (
  model: TableModel,
  task: TableTask = "binary",
  calibration = PLAIN,
): TableParts => ({
  task,
  model,
  calibration,
});
const answers = ({ task, model, calibration }: TableParts, frame: Frame): Float64Array => {
  const width = model.kind === "softmax" ? model.models.length : 1;
  return answersOf(model, { task, width, calibration }, frame).values;
};

describe("encodeTableModel", () => {
  for (const rows of [1, 2_000]) {
    test(`answers ${rows} hard raw rows as the trees do`, async () => {
      const parts = partsOf(TREES, "binary", { slope: 0.9, intercept: -0.1 });
      const frame = hardFrame([TREES], rows, 32);
      const { probability } = await runTable(encodeTableModel(parts, {}), frame);
      expect(distanceOf(probability!, answers(parts, frame))).toBeLessThanOrEqual(1e-6);
    });
  }

  for (const [task, output] of [
    ["regression", "value"],
    ["count", "value"],
    ["binary", "probability"],
  ] as const) {
    test(`gives ${output} for a ${task} model`, async () => {
      const parts = partsOf(TREES, task);
      const frame = hardFrame([TREES], 300, 33);
      const found = await runTable(encodeTableModel(parts, {}), frame);
      expect(Object.keys(found)).toEqual([output]);
      expect(distanceOf(found[output]!, answers(parts, frame))).toBeLessThanOrEqual(2e-6);
    });
  }

  test("gives the probability of every class", async () => {
    const models = [51, 52, 53, 54].map((seed) => randomTrees(COLUMNS, 30, seed, 0.5));
    const parts = partsOf({ kind: "softmax", models, columns: COLUMNS }, "multiclass");
    const frame = hardFrame(models, 500, 55);
    const bytes = encodeTableModel(parts, {});
    const { probability } = await runTable(bytes, frame);
    expect(probability).toHaveLength(2_000);
    expect(distanceOf(probability!, answers(parts, frame))).toBeLessThanOrEqual(1e-6);
    expect(readMetadata(bytes).outputs[0]!.shape).toEqual(["N", 4]);
  });

  test("an empty text, a level never seen and NaN are missing", async () => {
    const [number, category] = [columnsOf(1)[0]!, { ...columnsOf(0, 1)[0]!, levels: ["a", "b"] }];
    const model = randomTrees([number, { ...category, levels: LEVELS }], 50, 34);
    const known = { ...model, columns: [number, category] };
    const bytes = encodeTableModel(partsOf(known), {});
    const ask = async (text: string) => {
      const columns: Frame["columns"] = [
        { name: "x0", kind: "number", values: Float32Array.of(0.5) },
        { name: "c0", kind: "category", codes: Int32Array.of(0), levels: [text] },
      ];
      return (await runTable(bytes, { rows: 1, columns }))["probability"]![0]!;
    };
    const missing = await ask("");
    for (const text of ["zzz", "A", " a", "a "]) expect(await ask(text)).toBe(missing);
    expect(await ask("b")).not.toBe(missing);
  });

  test("levels of any text, and columns named as nodes are, keep their meaning", async () => {
    const levels = ["한국", "a\nb", "\u00e9", "e\u0301", "'\"\\", "0", "-1", "NaN"];
    const columns = ["constant_0", "concat_0_out", "treeensemble_0", "μ"].map((name) => ({
      name,
      kind: "category" as const,
      levels,
    }));
    const model = { ...randomTrees(columnsOf(0, 4), 60, 35), columns };
    const random = randomOf(36);
    const frame: Frame = {
      rows: 400,
      columns: columns.map((column) => ({
        ...column,
        codes: Int32Array.from({ length: 400 }, () => Math.floor(random() * 9) - 1),
      })),
    };
    const parts = partsOf(model);
    const bytes = encodeTableModel(parts, { note: "한국" });
    expect(
      distanceOf((await runTable(bytes, frame))["probability"]!, answers(parts, frame)),
    ).toBeLessThan(1e-6);
    expect(readMetadata(bytes).inputs.map(({ name, type }) => `${name} ${type}`)).toEqual(
      columns.map(({ name }) => `${name} string`),
    );
  });

  test("a linear model adds what its columns and levels weigh, missing ones too", async () => {
    const sample = mixedSample(2_000, 37);
    const options = { l2: 1, rounds: 20, indicators: true };
    for (const [trainer, task] of [
      [logistic, "binary"],
      [ridge, "regression"],
    ] as const) {
      const parts = partsOf(trainer.fit(sample, options, 0), task, PLAIN);
      expect((parts.model as LinearModel).missing!.some((w) => w !== 0)).toBe(true);
      const found = await runTable(encodeTableModel(parts, {}), sample.frame);
      const output = task === "binary" ? "probability" : "value";
      expect(distanceOf(found[output]!, answers(parts, sample.frame))).toBeLessThan(1e-6);
    }
  });

  test("an infinite number in a column without weight disturbs nothing", async () => {
    const sample = mixedSample(50, 38);
    const model = designOf(sample, true).model(new Float64Array(60), "log_loss");
    const frame: Frame = {
      rows: 2,
      columns: sample.frame.columns.map((column) =>
        column.kind === "number"
          ? { ...column, values: Float32Array.of(Infinity, -Infinity) }
          : { ...column, codes: Int32Array.of(0, -1) },
      ),
    };
    const { probability } = await runTable(encodeTableModel(partsOf(model), {}), frame);
    expect([...probability!]).toEqual([0.5, 0.5]);
    expect([...marginsOf(model, frame)]).toEqual([0, 0]);
  });

  test("a constant answers as many rows as came, and a column without levels is only missing", async () => {
    const model: ConstantModel = {
      kind: "constant",
      objective: "log_loss",
      bias: 0,
      columns: [...columnsOf(1), { name: "empty", kind: "category", levels: [] }],
    };
    const frame: Frame = {
      rows: 3,
      columns: [
        { name: "x0", kind: "number", values: new Float32Array(3) },
        { name: "empty", kind: "category", codes: Int32Array.of(-1, 0, 0), levels: ["some"] },
      ],
    };
    const { probability } = await runTable(encodeTableModel(partsOf(model), {}), frame);
    expect([...probability!]).toEqual([0.5, 0.5, 0.5]);
  });

  for (const kind of ["trees", "linear"] as const) {
    test(`gives quantiles beside the value of ${kind}, none above the next`, async () => {
      const sample = mixedSample(500, 39);
      const { columns } = ridge.fit(sample, { l2: 1, rounds: 1 }, 0);
      const trees = randomTrees(COLUMNS, 20, 41);
      const numbers = kind === "trees" ? trees : ridge.fit(sample, { l2: 1, rounds: 1 }, 0);
      const shape = kind === "trees" ? COLUMNS : columns.filter((one) => one.kind === "number");
      const levels = [0.05, 0.1, 0.5, 0.9];
      const models = levels.map((_, k) => {
        const random = randomTrees(shape, 20, 50 + k, 1);
        return { ...random, columns: numbers.columns };
      });
      const quantiles = { levels, models, offset: 0.25 };
      const frame = kind === "trees" ? hardFrame([trees], 500, 42) : sample.frame;
      const parts: TableParts = { ...partsOf(numbers, "regression"), quantiles };
      const found = await runTable(encodeTableModel(parts, {}), frame);
      expect(Object.keys(found)).toEqual(["value", "quantiles"]);
      expect(distanceOf(found["value"]!, answers(parts, frame))).toBeLessThanOrEqual(2e-6);
      expect(distanceOf(found["quantiles"]!, quantilesOf(quantiles, frame))).toBeLessThan(4e-6);
      const plain = quantilesOf({ ...quantiles, offset: 0 }, frame);
      expect(distanceOf(found["quantiles"]!, plain)).toBeGreaterThan(0.2);
      const rows = Array.from({ length: 500 }, (_, row) =>
        found["quantiles"]!.subarray(4 * row, 4 * row + 4),
      );
      expect(rows.every((row) => row.every((q, k) => k === 0 || q >= row[k - 1]!))).toBe(true);
    });
  }

  test("equal parts give equal bytes; another level, leaf or calibration others", () => {
    const hex = (parts: TableParts) =>
      Buffer.from(encodeTableModel(parts, { b: "2", a: "1" })).toString("hex");
    const wanted = hex(partsOf(TREES));
    expect(Buffer.from(encodeTableModel(partsOf(TREES), { a: "1", b: "2" })).toString("hex")).toBe(
      wanted,
    );
    const renamed = COLUMNS.map((column) =>
      column.kind === "number" ? column : { ...column, levels: LEVELS.toReversed() },
    );
    expect(hex(partsOf({ ...TREES, columns: renamed }))).not.toBe(wanted);
    expect(hex(partsOf({ ...TREES, base: TREES.base + 0.01 }))).not.toBe(wanted);
    expect(hex(partsOf(TREES, "binary", { slope: 1, intercept: 0.01 }))).not.toBe(wanted);
  });

  test("refuses a model without columns, and a column that is called as the output is", () => {
    const none = { ...TREES, columns: [] };
    expect(() => encodeTableModel(partsOf(none), {})).toThrow(/no columns/);
    const columns = [{ name: "probability", kind: "number" as const }];
    expect(() => encodeTableModel(partsOf({ ...TREES, trees: [], columns }), {})).toThrow(
      expect.objectContaining({ code: "onnx_name" }),
    );
  });
});
