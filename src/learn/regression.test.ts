import { expect, test } from "bun:test";
import { mae, poissonDeviances, r2, rmse, shareBelow } from "./regression.ts";

const of = (...values: number[]) => Float64Array.from(values);

test("known values", () => {
  // scikit-learn: r2_score([3, -0.5, 2, 7], [2.5, 0, 2, 8]) = 0.948608…, MSE 0.375, MAE 0.5.
  const [forecast, target] = [of(2.5, 0, 2, 8), of(3, -0.5, 2, 7)];
  expect(rmse(forecast, target)).toBeCloseTo(Math.sqrt(0.375), 12);
  expect(mae(forecast, target)).toBe(0.5);
  expect(r2(forecast, target)).toBeCloseTo(0.9486081370449679, 12);
});

test("the deviance of counts is scikit-learn's, row by row", () => {
  // mean_poisson_deviance([2, 0, 1, 4], [0.5, 0.5, 2, 2]) = 1.4260…
  const deviances = poissonDeviances(of(0.5, 0.5, 2, 2), of(2, 0, 1, 4));
  expect(deviances.reduce((sum, v) => sum + v, 0) / 4).toBeCloseTo(1.4260151319598084, 12);
  expect(poissonDeviances(of(3), of(3))[0]).toBeCloseTo(0, 12);
  expect(Number.isFinite(poissonDeviances(of(-1), of(3))[0])).toBe(true);
});

test("what cannot be told is null", () => {
  expect(rmse(of(), of())).toBeNull();
  expect(r2(of(1, 2), of(3, 3))).toBeNull();
});

test("the share below a quantile forecast", () => {
  expect(shareBelow(of(1, 1, 1, 1), of(0, 1, 2, 3))).toBe(0.5);
});
