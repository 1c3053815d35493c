import { describe, expect, test } from "bun:test";
import { calledClasses } from "../classes.ts";
import { exp, sigmoid } from "../math.ts";
import { marginsOf } from "../predict.ts";
import { makeRandom } from "../random.ts";
import { frameOf, mixedSample, normals, numbers, sampleOf } from "../testing.ts";
import type { Frame, Sample, SoftmaxModel } from "../types.ts";
import { boost } from "./fit.ts";
import { GBDT_DEFAULTS } from "./options.ts";
import { boostSoftmax } from "./softmax.ts";

const SMALL = { ...GBDT_DEFAULTS, rounds: 20, leaves: 8 };

/** Rows of three classes by where x and y lie, one in ten of them at random. */
const threeClasses = (rows: number, seed: number): Sample => {
  const [x, y, random] = [normals(rows, seed), normals(rows, seed + 1), makeRandom(seed + 2)];
  const target = x.map((v, i) =>
    random.next() < 0.1 ? random.integer(3) : v > 0.5 ? 0 : y[i]! > 0 ? 1 : 2,
  );
  return sampleOf(frameOf(numbers("x", x), numbers("y", y)), target);
};

/** Probabilities, row by row. */
const probabilities = (model: SoftmaxModel, frame: Frame): Float64Array => {
  const margins = model.models.map((one) => marginsOf(one, frame));
  const k = margins.length;
  const p = Float64Array.from({ length: frame.rows * k }, (_, i) =>
    exp(margins[i % k]![Math.floor(i / k)]!),
  );
  return p.map((e, i) => {
    const from = i - (i % k);
    return e / p.subarray(from, from + k).reduce((sum, v) => sum + v, 0);
  });
};

describe("several classes", () => {
  const train = threeClasses(3000, 1);
  const later = threeClasses(2000, 50);

  test("are told apart on rows that were not seen", () => {
    const { model } = boostSoftmax(train, 3, SMALL, 1);
    const called = calledClasses(probabilities(model, later.frame), 3);
    const right = called.filter((k, row) => k === later.target[row]).length;
    expect(right / 2000).toBeGreaterThan(0.89); // 0.933 can be known
    expect(model.models.map((one) => one.trees.length)).toEqual([20, 20, 20]);
  });

  test("every round lowers the loss on the rows it learns from", () => {
    const { losses } = boostSoftmax(train, 3, SMALL, 1, { validation: train, patience: 1000 });
    expect(losses).toHaveLength(21);
    for (let i = 1; i < losses.length; i++) expect(losses[i]!).toBeLessThan(losses[i - 1]!);
  });

  test("stopping early keeps the round of lowest loss, for all classes", () => {
    const options = { ...SMALL, rounds: 300, rate: 0.5, minRows: 5 };
    const { model, losses } = boostSoftmax(train, 3, options, 1, {
      validation: later,
      patience: 9,
    });
    const best = losses.indexOf(Math.min(...losses));
    expect(losses).toHaveLength(best + 10);
    for (const { trees } of model.models) expect(trees.length).toBeLessThanOrEqual(best);
    const p = probabilities(model, later.frame);
    const loss = later.target.reduce((sum, y, row) => sum - Math.log(p[3 * row + y]!), 0) / 2000;
    expect(loss).toBeCloseTo(losses[best]!, 9);
  });

  test("going on from a model is one fit of all rounds", () => {
    const whole = boostSoftmax(train, 3, SMALL, 1).model;
    const begun = boostSoftmax(train, 3, { ...SMALL, rounds: 8 }, 1).model;
    expect(boostSoftmax(train, 3, { ...SMALL, rounds: 12 }, 1, { from: begun }).model).toEqual(
      whole,
    );
  });

  test("two of them are what log-loss makes of them", () => {
    const sample = mixedSample(2000, 8);
    const { model } = boostSoftmax(sample, 2, SMALL, 1);
    const one = boost(sample, SMALL, 1).model;
    const p = probabilities(model, sample.frame);
    const q = marginsOf(one, sample.frame).map(sigmoid);
    const apart = q.reduce((sum, v, row) => sum + Math.abs(v - p[2 * row + 1]!), 0) / 2000;
    expect(apart).toBeLessThan(0.03);
  });

  test("a class without rows keeps a small share, and one class alone needs no trees", () => {
    const p = probabilities(boostSoftmax(train, 4, SMALL, 1).model, later.frame);
    for (let row = 0; row < 2000; row++) {
      expect(p[4 * row + 3]!).toBeGreaterThan(0);
      expect(p[4 * row + 3]!).toBeLessThan(0.01);
    }
    const single = sampleOf(train.frame, new Float64Array(3000).fill(2));
    const { model } = boostSoftmax(single, 3, SMALL, 1);
    expect(model.models.flatMap((one) => one.trees)).toEqual([]);
  });

  test("targets that are no class are refused", () => {
    for (const bad of [3, -1, 0.5, Number.NaN]) {
      const sample = sampleOf(frameOf(numbers("x", [1, 2])), [0, bad]);
      expect(() => boostSoftmax(sample, 3, SMALL, 1)).toThrow(`target ${bad} in row 1`);
    }
  });
});
