import { expect, test } from "bun:test";
import { boost } from "./gbdt/fit.ts";
import { GBDT_DEFAULTS } from "./gbdt/options.ts";
import { logLoss } from "./metrics.ts";
import { marginsOf } from "./predict.ts";
import { shapesOf } from "./sample.ts";
import { makeStaged } from "./staged.ts";
import { mixedSample } from "./testing.ts";
import type { SumModel } from "./types.ts";

const options = { ...GBDT_DEFAULTS, objective: "log_loss", leaves: 4 } as const;
const sample = mixedSample(400, 3);
const columns = shapesOf(sample.frame);
/** A constant and two boosted models, one of which ends earlier. */
const sumOf = (rounds: readonly [number, number], seed: number): SumModel => ({
  kind: "sum",
  columns,
  parts: [
    { weight: 1, model: { kind: "constant", objective: "log_loss", bias: 0.2, columns } },
    ...rounds.map((many) => ({
      weight: 0.5,
      model: boost(mixedSample(300, seed), { ...options, rounds: many }, seed).model,
    })),
  ],
});
const rowsOf = (from: number, to: number) => {
  const all = Array.from({ length: sample.target.length }, (_, row) => row);
  const kept = Int32Array.from(all.slice(from, to));
  const frame = {
    rows: kept.length,
    columns: sample.frame.columns.map((column) =>
      column.kind === "number"
        ? { ...column, values: column.values.subarray(from, to) }
        : { ...column, codes: column.codes.subarray(from, to) },
    ),
  };
  const up = sample.target.subarray(from, to);
  return { frame, up, returns: up, slots: up, lastUp: new Uint8Array(kept.length) };
};
/** The loss of a model with so many trees of each part, the slow way. */
const lossWith = (model: SumModel, rounds: number, rows: ReturnType<typeof rowsOf>): number => {
  const cut = model.parts.map(({ weight, model: part }) => ({
    weight,
    model: part.kind === "trees" ? { ...part, trees: part.trees.slice(0, rounds) } : part,
  }));
  const margins = marginsOf({ ...model, parts: cut }, rows.frame);
  return logLoss(
    margins.map((m) => 1 / (1 + Math.exp(-m))),
    rows.up,
  )!;
};

test("each round's loss is that of the model with so many trees, over the rows of all folds", () => {
  const [one, two] = [sumOf([6, 9], 5), sumOf([4, 4], 6)];
  const [first, second] = [rowsOf(0, 150), rowsOf(150, 400)];
  const staged = makeStaged();
  staged.add(one, first);
  staged.add(two, second);
  const { validation, best, train } = staged.curve()!;
  expect(train).toEqual([]);
  expect(validation).toHaveLength(10);
  for (const { round, loss } of validation) {
    const wanted = (150 * lossWith(one, round, first) + 250 * lossWith(two, round, second)) / 400;
    expect(loss).toBeCloseTo(wanted, 12);
  }
  expect(best.loss).toBe(Math.min(...validation.map(({ loss }) => loss)));
  expect(validation[best.round]!.loss).toBe(best.loss);
});

test("without trees, and without rows, there is no curve", () => {
  const staged = makeStaged();
  const { parts, ...rest } = sumOf([1, 1], 5);
  staged.add({ ...rest, parts: parts.slice(0, 1) }, rowsOf(0, 10));
  staged.add({ ...rest, parts }, rowsOf(0, 0));
  expect(staged.curve()).toBeNull();
});
