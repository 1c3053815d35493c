import { describe, expect, test } from "bun:test";
import { featureNames } from "./features.ts";
import { OFF } from "./fixtures.ts";
import type { FeatureGroups, FeatureSpec } from "./spec.ts";
import { COLUMNS_OF, defaultSpec, depthOf, FEATURE_VERSION, lookbackOf } from "./spec.ts";

const specOf = (groups: Partial<FeatureGroups>, peers: readonly string[] = []): FeatureSpec => ({
  ...defaultSpec(peers),
  groups: { ...OFF, ...groups },
});

describe("depthOf", () => {
  test("is the oldest candle that any group reads, counted from the newest closed one", () => {
    const cases: readonly (readonly [Partial<FeatureGroups>, number])[] = [
      [{ calendar: true }, 0],
      [{ shape: true }, 0],
      [{ returns: [1, 84, 6] }, 84],
      [{ lags: [5] }, 6],
      [{ volatility: [42] }, 42],
      [{ scaled: [[1, 18]] }, 18],
      [{ scaled: [[60, 18]] }, 60],
      [{ scaledLags: [[42, 18]] }, 43],
      [{ scaledLags: [[1, 18]] }, 18],
      [{ bounded: [[1, 30]] }, 30],
      [{ volatilityRatio: [[6, 42]] }, 42],
      [{ scaledRange: [7] }, 7],
      [{ scaledDistance: [[9, 4]] }, 8],
      [{ step: [12] }, 12],
      [{ placeByHour: true }, 0],
      [{ rsi: [14] }, 14],
      [{ volume: [6] }, 5],
      [{ turnover: [42] }, 41],
      [{ stochastic: [18] }, 17],
      [{ distance: [1] }, 0],
    ];
    for (const [groups, depth] of cases) expect(depthOf(specOf(groups))).toBe(depth);
  });

  test("counts the peers' returns only when there are peers", () => {
    expect(depthOf(specOf({ shape: true, peers: [1, 6] }))).toBe(0);
    expect(depthOf(specOf({ shape: true, peers: [1, 6] }, ["KRW-ETH"]))).toBe(6);
    expect(depthOf(specOf({ shape: true, others: [9] }))).toBe(0);
    expect(depthOf(specOf({ shape: true, others: [9] }, ["KRW-ETH"]))).toBe(9);
  });

  test("a spec with everything off reads nothing and has no names", () => {
    expect(depthOf(specOf({}))).toBe(0);
    expect(featureNames(specOf({}))).toEqual([]);
  });
});

test("lookbackOf adds the newest candle and the stretch from which a close may be carried", () => {
  expect(lookbackOf(defaultSpec([]))).toBe(84 + 1 + 3);
});

test("the default spec has the same 34 names for every market, each once", () => {
  const names = featureNames(defaultSpec(["KRW-ADA", "KRW-BTC", "KRW-ETH"]));
  expect(names).toHaveLength(34);
  expect(new Set(names).size).toBe(34);
  expect(featureNames(defaultSpec([]))).toEqual(names);
  expect(defaultSpec([]).version).toBe(FEATURE_VERSION);
});

test("each part of a model learns from columns that are there", () => {
  const names = featureNames(defaultSpec([]));
  const { range, volatility, step, direction } = COLUMNS_OF;
  for (const name of [...range, volatility, step]) expect(names).toContain(name);
  expect(direction(names)).toHaveLength(24);
  for (const name of [volatility, step, "hour_sin", "range"]) {
    expect(direction(names)).not.toContain(name);
  }
});
