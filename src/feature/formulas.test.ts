import { describe, expect, test } from "bun:test";
import { RSI, SMA } from "trading-signals";
import type { Candle } from "../types.ts";
import { featureNames, featuresAt } from "./features.ts";
import { candleAt, fullSpec, mapOf, T, walk } from "./fixtures.ts";
import type { FeatureGroups, FeatureSpec } from "./spec.ts";

const SPEC = fullSpec(["KRW-ETH"]);
const BTC = walk(200, 11);
const ETH = walk(200, 12, "KRW-ETH");

/** Features by name at T(n), of candles that are given whole. */
const named = (n: number, candles: readonly Candle[] = BTC, spec: FeatureSpec = SPEC) => {
  const row = featuresAt(spec, mapOf(candles, ETH), "KRW-BTC", T(n));
  return Object.fromEntries(featureNames(spec).map((name, index) => [name, row[index]!]));
};
const close = (n: number) => BTC[n]!.close;
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const newest = <V>(count: number, n: number, pick: (candle: Candle) => V): V[] =>
  BTC.slice(n - count, n).map(pick);

describe("each formula against its definition, at T(150)", () => {
  const n = 150;
  const row = named(n);
  const volatility = (w: number) =>
    Math.sqrt(mean(newest(w, n, ({ start }) => start).map((_, k) => logReturn(n - 1 - k, 1) ** 2)));
  const logReturn = (at: number, lag: number) => Math.log(close(at) / close(at - lag));
  const place = ({ high, low, close: last }: Candle) => (last - low) / (high - low);
  const hourOf = (at: number) => (2 * Math.PI * ((T(at) / 3_600_000) % 24)) / 24;
  const cases: readonly (readonly [string, number])[] = [
    ...[1, 2, 3, 6, 12, 18, 42, 84].map((l) => [`return_${l}`, logReturn(n - 1, l)] as const),
    ...[1, 2, 3, 4, 5].map((k) => [`lag_${k}`, logReturn(n - 1 - k, 1)] as const),
    ["range", Math.log(BTC[n - 1]!.high / BTC[n - 1]!.low)],
    ["body", Math.log(close(n - 1) / BTC[n - 1]!.open)],
    ...[6, 18, 42].map((w) => [`volatility_${w}`, volatility(w)] as const),
    ["scaled_1_42", logReturn(n - 1, 1) / volatility(42)],
    ["scaled_6_42", logReturn(n - 1, 6) / (volatility(42) * Math.sqrt(6))],
    ["scaled_lag_3_42", logReturn(n - 4, 1) / volatility(42)],
    ["bounded_1_42", Math.tanh(logReturn(n - 1, 1) / volatility(42))],
    ["volatility_ratio_6_42", Math.log(volatility(6) / volatility(42))],
    ["scaled_range_42", Math.log(BTC[n - 1]!.high / BTC[n - 1]!.low) / volatility(42)],
    [
      "scaled_distance_6_42",
      Math.log(close(n - 1) / mean(newest(6, n, (c) => c.close))) / volatility(42),
    ],
    ["others_close_place", place(ETH[n - 1]!)],
    ["place_hour_cos", ((place(BTC[n - 1]!) + place(ETH[n - 1]!)) / 2 - 0.5) * Math.cos(hourOf(n))],
    ...[6, 42].map(
      (w) =>
        [
          `volume_${w}`,
          Math.log(BTC[n - 1]!.volume / mean(newest(w, n, (c) => c.volume))),
        ] as const,
    ),
    ["turnover_6", Math.log(BTC[n - 1]!.turnover / mean(newest(6, n, (c) => c.turnover)))],
    ["distance_18", Math.log(close(n - 1) / mean(newest(18, n, (c) => c.close)))],
    ["krw_eth_return_1", Math.log(ETH[n - 1]!.close / ETH[n - 2]!.close)],
    ["krw_eth_return_6", Math.log(ETH[n - 1]!.close / ETH[n - 7]!.close)],
  ];
  for (const [name, value] of cases) {
    test(name, () => {
      expect(row[name]).toBeCloseTo(value, 6);
    });
  }

  test("stochastic_18 is the place of the close between lowest low and highest high", () => {
    const low = Math.min(...newest(18, n, (c) => c.low));
    const high = Math.max(...newest(18, n, (c) => c.high));
    expect(row["stochastic_18"]).toBeCloseTo((close(n - 1) - low) / (high - low), 6);
  });

  test("rsi_14 is the RSI over plain sums of its own fifteen closes", () => {
    const rsi = new RSI(14, SMA);
    for (const value of newest(15, n, (c) => c.close)) rsi.add(value);
    expect(row["rsi_14"]).toBeCloseTo(rsi.getResultOrThrow() / 100, 6);
  });
});

describe("the calendar", () => {
  test("is of the slot that is forecast, in UTC, on the circle", () => {
    // T(2) = Tuesday 2025-07-01 08:00Z: a third of the day, the fifth day after a Thursday.
    const row = named(2);
    expect(row["hour_sin"]).toBeCloseTo(Math.sin((2 * Math.PI * 8) / 24), 6);
    expect(row["hour_cos"]).toBeCloseTo(Math.cos((2 * Math.PI * 8) / 24), 6);
    expect(row["weekday_sin"]).toBeCloseTo(Math.sin((2 * Math.PI * 5) / 7), 6);
    expect(row["weekday_cos"]).toBeCloseTo(Math.cos((2 * Math.PI * 5) / 7), 6);
  });

  test("repeats after a week and changes within a day", () => {
    const hour = (n: number) => [named(n)["hour_sin"], named(n)["hour_cos"]];
    const day = (n: number) => [named(n)["weekday_sin"], named(n)["weekday_cos"]];
    expect(hour(5)).toEqual(hour(11));
    expect(day(0)).toEqual(day(5));
    expect(day(5)).not.toEqual(day(6));
    expect(day(3)).toEqual(day(45));
  });
});

describe("odd candles", () => {
  test("a price that stands still gives no NaN, no infinity and no direction (as ADA does)", () => {
    const still = Array.from({ length: 120 }, (_, n) => ({
      ...candleAt(n, 300),
      open: 300,
      high: 300,
      low: 300,
    }));
    const row = named(120, still);
    for (const [name, value] of Object.entries(row)) {
      expect(`${name} ${Number.isFinite(value)}`).toBe(`${name} true`);
    }
    for (const name of ["return_1", "return_84", "range", "volatility_42", "scaled_1_42"]) {
      expect(row[name]).toBe(0);
    }
    for (const name of ["rsi_14", "close_place", "stochastic_18"]) expect(row[name]).toBe(0.5);
  });

  test("prices on another scale give the same row: nothing is a level", () => {
    const scaled = BTC.map((candle) => ({
      ...candle,
      open: candle.open * 4096,
      high: candle.high * 4096,
      low: candle.low * 4096,
      close: candle.close * 4096,
      volume: candle.volume * 512,
      turnover: candle.turnover * 4096 * 512,
    }));
    const [small, large] = [named(150), named(150, scaled)];
    for (const name of Object.keys(small)) expect(large[name]).toBeCloseTo(small[name]!, 6);
  });

  test("a candle without volume is held at a thousandth of the mean", () => {
    const quiet = BTC.map((candle, n) => (n === 149 ? { ...candle, volume: 0 } : candle));
    expect(named(150, quiet)["volume_42"]).toBeCloseTo(Math.log(1e-3), 5);
    const dead = BTC.map((candle) => ({ ...candle, volume: 0 }));
    expect(named(150, dead)["volume_42"]).toBeNaN();
  });

  test("a market without turnover has NaN there and nowhere else", () => {
    const row = named(
      150,
      BTC.map((candle) => ({ ...candle, turnover: Number.NaN })),
    );
    const unknown = Object.keys(row).filter((name) => Number.isNaN(row[name]));
    expect(unknown).toEqual(["turnover_6", "turnover_42"]);
  });
});

describe("the price step", () => {
  /** Closes near 400 that lie on a step, and one in ten that stands still. */
  const stepped = (step: number, from = 0) =>
    BTC.map((candle, n) => {
      const close = 400 + Math.round(Math.log(candle.close / 50_000_000) * 400);
      return { ...candle, close: n < from ? close + 0.1 : Math.round(close / step) * step };
    });
  const stepAt = (candles: readonly Candle[]) => named(150, candles)["step_42"]!;

  test("is the largest one that all closes lie on, in units of the volatility", () => {
    const whole = stepped(1);
    const expected = 1 / whole[149]!.close / named(150, whole)["volatility_42"]!;
    expect(stepAt(whole)).toBeCloseTo(expected, 5);
    const five = stepped(5);
    expect(stepAt(five)).toBeCloseTo(
      Math.min(5 / five[149]!.close / named(150, five)["volatility_42"]!, 0.6),
      5,
    );
  });

  test("one close in the window on a finer step makes it the finer one", () => {
    const [old, fresh] = [stepped(1, 108), stepped(1, 109)];
    expect(stepAt(fresh)).toBeCloseTo(stepAt(old) / 10, 2);
  });

  test("is at most 0.6, also where the price never moved", () => {
    const still = BTC.map((candle) => ({ ...candle, close: 300 }));
    expect(stepAt(still)).toBeCloseTo(0.6, 6);
  });
});

describe("windows that lack candles", () => {
  const without = (lost: readonly number[]) => BTC.filter((_, n) => !lost.includes(n));

  test("returns are over time, not over rows, when a candle is missing", () => {
    const row = named(150, without([148]));
    expect(row["return_2"]).toBeCloseTo(Math.log(close(149) / close(147)), 6);
    expect(row["return_1"]).toBeCloseTo(Math.log(close(149) / close(147)), 6);
    expect(row["lag_1"]).toBe(0);
    expect(row["return_3"]).toBeCloseTo(Math.log(close(149) / close(146)), 6);
  });

  test("a statistic stands while three quarters of its window are known", () => {
    const lost = Array.from({ length: 8 }, (_, k) => 128 + k);
    // Eight holes, three of them carried: of the last 18, 4 closes and 5 steps are unknown.
    const row = named(150, without(lost));
    expect(Number.isFinite(row["volatility_42"])).toBe(true);
    expect(row["volatility_18"]).toBeNaN();
    expect(Number.isFinite(row["distance_18"])).toBe(true);
    expect(Number.isFinite(row["volatility_6"])).toBe(true);
  });

  test("the RSI needs its whole window", () => {
    expect(named(150, without([140, 141, 142, 143]))["rsi_14"]).toBeNaN();
    expect(Number.isFinite(named(150, without([140, 141, 142]))["rsi_14"])).toBe(true);
  });
});

test("a group that is off gives no column, and the others keep their order", () => {
  const off: FeatureGroups = { ...SPEC.groups, shape: false, calendar: false, rsi: [], peers: [] };
  const left = featureNames({ ...SPEC, groups: off });
  expect(left).toHaveLength(featureNames(SPEC).length - 3 - 4 - 1 - 2);
  expect(featureNames(SPEC).filter((name) => left.includes(name))).toEqual([...left]);
});
