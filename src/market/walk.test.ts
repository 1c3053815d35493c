import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Candle, UNIT_MS } from "../types.ts";
import { range, T } from "./fixture.ts";
import { candleFault, sameCandle } from "./rules.ts";
import { makeWalk } from "./walk.ts";

const history = (seed: number, market: string, n = 4_000): Candle[] => {
  const walk = makeWalk(seed, market);
  return range(0, n).flatMap((i) => walk.candle(T(i)) ?? []);
};

describe("makeWalk", () => {
  test("a candle depends on seed, market and start alone, not on what was asked before", () => {
    const forward = makeWalk(7, "KRW-BTC");
    const backward = makeWalk(7, "KRW-BTC");
    const some = [0, 1, 2, 500, 3_999];
    const late = some.toReversed().map((n) => backward.candle(T(n)));
    expect(some.map((n) => forward.candle(T(n)))).toEqual(late.reverse());
    expect(makeWalk(8, "KRW-BTC").candle(T(0))).not.toEqual(forward.candle(T(0)));
    expect(makeWalk(7, "KRW-ETH").candle(T(0))?.close).not.toBe(forward.candle(T(0))?.close);
  });

  for (const [market, least, most, tick] of [
    ["KRW-BTC", 40e6, 250e6, 1_000],
    ["KRW-ETH", 1.5e6, 12e6, 1_000],
    ["KRW-ADA", 200, 2_500, 1],
    ["KRW-NEW", 3_000, 40_000, 5],
  ] as const) {
    test(`${market} keeps the rules, its tick and a plausible level`, () => {
      for (const candle of history(1, market)) {
        expect(candleFault(candle)).toBeNull();
        for (const price of [candle.open, candle.high, candle.low, candle.close]) {
          expect(price % tick).toBe(0);
          expect(price).toBeGreaterThan(least);
          expect(price).toBeLessThan(most);
        }
      }
    });
  }

  test("a candle opens where the one before it closed", () => {
    const walk = makeWalk(1, "KRW-BTC");
    expect(walk.candle(T(11))?.open).toBe(walk.candle(T(10))?.close as number);
  });

  test("some slots are empty, some of them in every market", () => {
    const empty = (market: string) => {
      const walk = makeWalk(1, market);
      return new Set(range(0, 8_000).filter((n) => walk.candle(T(n)) === null));
    };
    const [btc, ada] = [empty("KRW-BTC"), empty("KRW-ADA")];
    expect(btc.size).toBeGreaterThan(2);
    expect(btc.size).toBeLessThan(40);
    expect([...btc].some((n) => ada.has(n))).toBe(true);
    expect(btc).not.toEqual(ada);
  });

  test("ADA has closes that stay where they were", () => {
    const candles = history(1, "KRW-ADA");
    const same = candles.filter((c, i) => c.close === candles[i - 1]?.close).length;
    expect(same / candles.length).toBeGreaterThan(0.01);
    expect(same / candles.length).toBeLessThan(0.15);
  });

  test("directions turn back a little more often than they go on: something to learn", () => {
    const closes = history(1, "KRW-BTC", 6_000).map((c) => c.close);
    const signs = closes.slice(1).map((c, i) => Math.sign(c - (closes[i] ?? c)));
    const turns = signs.slice(1).filter((s, i) => s * (signs[i] ?? 0) < 0).length;
    expect(turns / (signs.length - 1)).toBeGreaterThan(0.55);
    expect(turns / (signs.length - 1)).toBeLessThan(0.65);
  });

  test("an open candle keeps the rules, does not show the end, and ends as the finished one", () => {
    const walk = makeWalk(1, "KRW-ETH");
    fc.assert(
      fc.property(fc.nat(3_000), fc.double({ min: 0.001, max: 0.999, noNaN: true }), (n, part) => {
        const whole = walk.candle(T(n));
        const open = walk.seenAt(T(n), T(n) + Math.ceil(part * UNIT_MS));
        if (whole === null || open === null) return expect(open).toBe(whole);
        expect(candleFault(open)).toBeNull();
        expect(open.volume).toBeLessThan(whole.volume);
        expect(open.high).toBeLessThanOrEqual(whole.high);
        expect(open.low).toBeGreaterThanOrEqual(whole.low);
        expect(sameCandle(walk.seenAt(T(n), T(n + 1)) ?? open, whole)).toBe(true);
      }),
    );
    expect(walk.seenAt(T(5), T(5))).toBeNull();
  });

  test("what is no slot of the walk is refused", () => {
    const walk = makeWalk(1, "KRW-BTC");
    expect(() => walk.candle(T(0) + 1)).toThrow("no slot of the walk");
    expect(() => walk.candle(Date.parse("2017-12-31T20:00:00Z"))).toThrow("from 2018 on");
  });
});
