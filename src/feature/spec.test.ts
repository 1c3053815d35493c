import { describe, expect, test } from "bun:test";
import { featureNames } from "./features.ts";
import type { FeatureGroups, FeatureSpec } from "./spec.ts";
import { defaultSpec, depthOf, FEATURE_VERSION, lookbackOf } from "./spec.ts";

const OFF: FeatureGroups = {
  returns: [],
  lags: [],
  shape: false,
  volatility: [],
  scaled: [],
  volume: [],
  turnover: [],
  rsi: [],
  stochastic: [],
  distance: [],
  calendar: false,
  peers: [],
};
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
  });

  test("a spec with everything off reads nothing and has no names", () => {
    expect(depthOf(specOf({}))).toBe(0);
    expect(featureNames(specOf({}))).toEqual([]);
  });
});

test("lookbackOf adds the newest candle and the stretch from which a close may be carried", () => {
  expect(lookbackOf(defaultSpec([]))).toBe(84 + 1 + 3);
});

test("the default spec has 35 features of its own and two a peer, each under its own name", () => {
  expect(featureNames(defaultSpec([]))).toHaveLength(35);
  const names = featureNames(defaultSpec(["KRW-ETH", "KRW-ADA"]));
  expect(new Set(names).size).toBe(39);
  expect(names.slice(-4)).toEqual([
    "krw_eth_return_1",
    "krw_eth_return_6",
    "krw_ada_return_1",
    "krw_ada_return_6",
  ]);
  expect(defaultSpec([]).version).toBe(FEATURE_VERSION);
});
