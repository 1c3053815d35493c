import { describe, expect, test } from "bun:test";
import { UNIT_MS } from "../types.ts";
import { closeAt } from "./candles.ts";
import type { featuresAt } from "./features.ts";
import { featuresAt as compute, featureNames } from "./features.ts";
import { fullSpec, mapOf, T, walk } from "./fixtures.ts";
import { perturbationLeaks, sampleSlots } from "./leak.ts";

const SPEC = fullSpec(["KRW-ETH"]);
const SERIES = mapOf(
  walk(200, 51).filter((_, n) => n % 37 !== 5),
  walk(200, 52, "KRW-ETH"),
);
const SLOTS = [T(0), T(1), T(90), T(116), T(150), T(199), T(200), T(203)];

describe("perturbationLeaks", () => {
  test("finds none in the features, also at the ends of the series and beside holes", () => {
    expect(perturbationLeaks(SPEC, SERIES, "KRW-BTC", SLOTS)).toEqual([]);
  });

  /** The features with one of them replaced by what a closure gives. */
  const spoiled = (name: string, value: (...args: Parameters<typeof featuresAt>) => number) => {
    const spoil: typeof featuresAt = (...args) => {
      const row = compute(...args);
      row[featureNames(SPEC).indexOf(name)] = value(...args);
      return row;
    };
    return perturbationLeaks(SPEC, SERIES, "KRW-BTC", [T(90), T(150)], spoil);
  };

  test("finds a feature that reads the candle to be forecast", () => {
    const leaks = spoiled("return_1", (_spec, series, market, slot) =>
      Math.log(closeAt(series.get(market)!, slot) / closeAt(series.get(market)!, slot - UNIT_MS)),
    );
    expect(leaks).toEqual([
      { slot: T(90), feature: "return_1" },
      { slot: T(150), feature: "return_1" },
    ]);
  });

  test("finds one that reads a peer's candle far ahead, or the length of the series", () => {
    const peer = spoiled("krw_eth_return_1", (_spec, series, _market, slot) =>
      closeAt(series.get("KRW-ETH")!, slot + 7 * UNIT_MS),
    );
    expect(peer.map((leak) => leak.feature)).toEqual(["krw_eth_return_1", "krw_eth_return_1"]);
    const whole = spoiled(
      "distance_42",
      (_spec, series, market) =>
        series.get(market)!.close.filter((close) => !Number.isNaN(close)).length,
    );
    expect(whole).toHaveLength(2);
  });

  test("finds one that turns into NaN only when the candle is gone", () => {
    const leaks = spoiled("rsi_14", (_spec, series, market, slot) =>
      closeAt(series.get(market)!, slot) > 0 ? 0.5 : Number.NaN,
    );
    expect(leaks).toHaveLength(2);
  });
});

test("sampleSlots are spread evenly, with the ends, without repeats", () => {
  const slots = Float64Array.from({ length: 101 }, (_, n) => T(n));
  expect(sampleSlots(slots, 5)).toEqual([T(0), T(25), T(50), T(75), T(100)]);
  expect(sampleSlots(slots.subarray(0, 3), 50)).toEqual([T(0), T(1), T(2)]);
  expect(sampleSlots(new Float64Array(0), 5)).toEqual([]);
  expect(sampleSlots(slots, 1)).toEqual([T(0), T(100)]);
});
