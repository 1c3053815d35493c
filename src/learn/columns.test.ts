import { describe, expect, test } from "bun:test";
import { pickColumns, widened } from "./columns.ts";
import { gbdt } from "./gbdt/fit.ts";
import { logistic } from "./linear.ts";
import { marginsOf } from "./predict.ts";
import { shapesOf } from "./sample.ts";
import { frameOf, normals, numbers } from "./testing.ts";
import type { ConstantModel } from "./types.ts";

const names = ["a", "b", "c", "d"];
const frame = frameOf(
  ...names.map((name, c) =>
    numbers(
      name,
      normals(400, 10 + c).map((x, i) => (i % 17 === c ? Number.NaN : x)),
    ),
  ),
);
const target = normals(400, 10).map((x) => (x > 0.2 ? 1 : 0));
const wide = shapesOf(frame);

describe("pickColumns", () => {
  test("gives the columns named, in the order of the names", () => {
    const picked = pickColumns(frame, ["d", "a"]);
    expect(picked.rows).toBe(400);
    expect(picked.columns).toEqual([frame.columns[3]!, frame.columns[0]!]);
  });

  test("refuses a name that is not there, with those that are", () => {
    expect(() => pickColumns(frame, ["a", "e"])).toThrow(/column e is not among a, b, c, d/);
  });
});

describe("widened", () => {
  const some = pickColumns(frame, ["c", "a"]);
  const sample = { frame: some, target, weight: null };
  const models = {
    trees: gbdt.fit(sample, { ...gbdt.defaults, rounds: 8 }, 1),
    linear: logistic.fit(sample, { l2: 3, rounds: 20 }, 1),
    indicators: logistic.fit(sample, { l2: 3, rounds: 20, indicators: true }, 1),
    constant: { kind: "constant", objective: "log_loss", bias: 0.3, columns: shapesOf(some) },
  } as const;

  test.each(Object.keys(models) as (keyof typeof models)[])(
    "%s answers rows of all columns as rows of its own",
    (name) => {
      const model = models[name];
      const answers = marginsOf(widened(model, wide), frame);
      // A wide linear model may add its columns in another order.
      const wanted = marginsOf(model, some);
      answers.forEach((answer, row) => {
        expect(answer).toBeCloseTo(wanted[row]!, 12);
      });
      expect(new Set(answers).size > 1).toBe(name !== "constant");
    },
  );

  test("columns that were not learned from say nothing", () => {
    const turned = {
      ...frame,
      columns: frame.columns.map((column) =>
        column.kind === "number" && "bd".includes(column.name)
          ? { ...column, values: column.values.map((x) => 5 - x) }
          : column,
      ),
    };
    const model = widened(models.trees, wide);
    expect([...marginsOf(model, turned)]).toEqual([...marginsOf(model, frame)]);
  });

  test("refuses columns among which one of its own is missing", () => {
    const lacking = wide.filter(({ name }) => name !== "c");
    expect(() => widened(models.linear, lacking)).toThrow(/column c is not among/);
    expect(widened(models.constant as ConstantModel, lacking).columns).toEqual(lacking);
  });
});
