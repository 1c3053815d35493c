import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Candle } from "../types.ts";
import { buildDataset } from "./dataset.ts";
import { canonicalJson, datasetDigest, featureDigest } from "./digest.ts";
import { fullSpec, mapOf, T, walk } from "./fixtures.ts";
import type { FeatureSpec } from "./spec.ts";

const SPEC = fullSpec(["KRW-ETH", "KRW-ADA"]);

describe("canonicalJson", () => {
  test("does not depend on the order of keys, and keeps the order of lists", () => {
    expect(canonicalJson({ b: [2, 1], a: { d: 1, c: null } })).toBe(
      '{"a":{"c":null,"d":1},"b":[2,1]}',
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const reversed = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalJson(reversed)).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

describe("featureDigest", () => {
  test("is sha256 in hex and the same for equal specs", () => {
    expect(featureDigest(SPEC)).toMatch(/^[0-9a-f]{64}$/);
    const copy = JSON.parse(JSON.stringify(SPEC)) as FeatureSpec;
    expect(featureDigest(copy)).toBe(featureDigest(SPEC));
  });

  test("changes with the version, the order, the groups and the hole policy", () => {
    const { groups } = SPEC;
    const others: readonly FeatureSpec[] = [
      SPEC,
      { ...SPEC, version: SPEC.version + 1 },
      { ...SPEC, peers: ["KRW-ADA", "KRW-ETH"] },
      { ...SPEC, groups: { ...groups, returns: groups.returns.toReversed() } },
      { ...SPEC, groups: { ...groups, returns: [...groups.returns, 126] } },
      { ...SPEC, groups: { ...groups, calendar: false } },
      { ...SPEC, holes: { ...SPEC.holes, within: 2 } },
      { ...SPEC, holes: { ...SPEC.holes, share: 0.5 } },
    ];
    expect(new Set(others.map(featureDigest)).size).toBe(others.length);
  });
});

describe("datasetDigest", () => {
  const spec = fullSpec([]);
  const candles = walk(200, 41);
  const digest = (list: readonly Candle[], from = 120, to = 200) => {
    const market = "KRW-BTC";
    const data = buildDataset({ spec, series: mapOf(list), market, from: T(from), to: T(to) });
    return datasetDigest(data, spec);
  };
  const whole = digest(candles);

  test("is the same for the same candles, in whatever order they came", () => {
    expect(digest(candles.toReversed())).toBe(whole);
  });

  test("a late correction makes another dataset, and the old one can be had again", () => {
    const corrected = candles.map((one, n) =>
      n === 150 ? { ...one, close: one.close * 0.9 } : one,
    );
    expect(digest(corrected)).not.toBe(whole);
    expect(digest(corrected.with(150, candles[150]!))).toBe(whole);
  });

  test("a candle that is not looked at does not change it", () => {
    expect(digest([...candles, { ...candles[199]!, start: T(200) }])).toBe(whole);
    expect(digest(candles.slice(20))).toBe(whole);
  });

  test("a filled hole, another range, a label, a column's order: each changes it", () => {
    const data = buildDataset({
      spec,
      series: mapOf(candles),
      market: "KRW-BTC",
      from: T(120),
      to: T(200),
    });
    const columns = data.frame.columns;
    const swapped = [columns[1]!, columns[0]!, ...columns.slice(2)];
    const digests = [
      whole,
      digest(candles.filter((_, n) => n !== 150)),
      digest(candles, 121),
      digest(candles, 120, 199),
      datasetDigest({ ...data, up: data.up.with(0, 1 - data.up[0]!) }, spec),
      datasetDigest({ ...data, unchanged: data.unchanged.with(3, 1) }, spec),
      datasetDigest({ ...data, frame: { ...data.frame, columns: swapped } }, spec),
    ];
    expect(new Set(digests).size).toBe(digests.length);
  });
});
