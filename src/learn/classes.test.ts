import { expect, test } from "bun:test";
import { calledClasses, classFigures, classLosses, confusionMatrix, macroAuc } from "./classes.ts";

// Three classes, four rows.
const probability = Float64Array.of(0.7, 0.2, 0.1, 0.3, 0.3, 0.4, 0.25, 0.5, 0.25, 0.1, 0.6, 0.3);
const target = Int32Array.of(0, 2, 1, 2);

test("losses are those of the class that was", () => {
  const losses = classLosses(probability, target);
  const expected = [0.7, 0.4, 0.5, 0.3].map((p) => -Math.log(p));
  for (const [i, loss] of losses.entries()) expect(loss).toBeCloseTo(expected[i]!, 12);
  expect(classLosses(Float64Array.of(1, 0), [1])[0]).toBeCloseTo(-Math.log(1e-15), 9);
});

test("the called class is the likeliest, the first of equals", () => {
  expect([...calledClasses(probability, 3)]).toEqual([0, 2, 1, 1]);
  expect([...calledClasses(Float64Array.of(0.5, 0.5), 2)]).toEqual([0]);
});

test("the matrix counts class by call", () => {
  expect([...confusionMatrix([0, 2, 1, 1], target, 3)]).toEqual([1, 0, 0, 0, 1, 0, 0, 1, 1]);
});

test("figures of each class against the others", () => {
  const figures = classFigures(probability, target);
  expect(figures).toMatchObject([
    { rows: 1, called: 1, precision: 1, recall: 1, auc: 1 },
    { rows: 1, called: 2, precision: 0.5, recall: 1 },
    { rows: 2, called: 1, precision: 1, recall: 0.5, auc: 1 },
  ]);
  // Class 1: its row has 0.5; the others 0.2, 0.3, 0.6.
  expect(figures[1]!.auc).toBeCloseTo(2 / 3, 12);
  expect(macroAuc(figures)).toBeCloseTo(8 / 9, 12);
});

test("a class without rows has no recall and no AUC, and is left out of the mean", () => {
  const figures = classFigures(Float64Array.of(0.6, 0.3, 0.1, 0.2, 0.7, 0.1), [0, 1]);
  expect(figures[2]).toMatchObject({ rows: 0, recall: null, precision: null, auc: null });
  expect(macroAuc(figures)).toBe(1);
  expect(macroAuc([])).toBeNull();
});
