import { describe, expect, test } from "bun:test";
import { gbdt } from "./gbdt/fit.ts";
import { importanceOf } from "./importance.ts";
import { frameOf, mixedSample, numbers, sampleOf } from "./testing.ts";
import type { TreeModel } from "./types.ts";

const fit = (sample: Parameters<typeof gbdt.fit>[0]) =>
  gbdt.fit(sample, { ...gbdt.defaults, rounds: 20, leaves: 8 }, 1) as TreeModel;

describe("importanceOf", () => {
  test("puts columns that matter before noise, shares adding up to 1", () => {
    const found = importanceOf(fit(mixedSample(2000, 1)));
    expect(found.map(({ name }) => name).at(-1)).toBe("noise");
    expect(found.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 12);
    const gains = found.map(({ gain }) => gain);
    expect(gains).toEqual(gains.toSorted((a, b) => b - a));
  });

  test("counts every split once", () => {
    const model = fit(mixedSample(500, 2));
    const splits = model.trees.reduce((sum, { feature }) => sum + (feature.length - 1) / 2, 0);
    expect(importanceOf(model).reduce((sum, each) => sum + each.splits, 0)).toBe(splits);
  });

  test("of several classes is that of all their trees together", () => {
    const one = fit(mixedSample(500, 2));
    const both = { kind: "softmax", models: [one, one], columns: one.columns } as const;
    const doubled = importanceOf(one).map((each) => ({
      ...each,
      gain: 2 * each.gain,
      splits: 2 * each.splits,
    }));
    for (const [i, found] of importanceOf(both).entries()) {
      const { name, splits, gain, share } = doubled[i]!;
      expect(found).toMatchObject({ name, splits });
      expect(found.gain).toBeCloseTo(gain, 6);
      expect(found.share).toBeCloseTo(share, 9);
    }
  });

  test("of a model without trees is 0, in the columns' order", () => {
    const frame = frameOf(numbers("b", [1, 2]), numbers("a", [1, 2]));
    expect(importanceOf(fit(sampleOf(frame, [1, 1])))).toEqual([
      { name: "b", gain: 0, share: 0, splits: 0 },
      { name: "a", gain: 0, share: 0, splits: 0 },
    ]);
  });
});
