import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Candle, UNIT_MS } from "../types.ts";
import { type CandleStore, makeCandleStore } from "./candles.ts";
import type { PageWrite, SeenCandle } from "./candles-write.ts";
import type { Database } from "./database.ts";
import { migrate } from "./migrate.ts";
import { openScratch } from "./testing.ts";

const T = (n: number) => Date.parse("2025-07-01T00:00:00Z") + n * UNIT_MS;

let database: Database;
let store: CandleStore;
beforeAll(async () => {
  database = await openScratch();
  await migrate(database);
  store = makeCandleStore(database);
});
afterAll(() => database.close());

let markets = 0;
/** A market of its own for each test, so that one database serves all. */
const newMarket = () => `KRW-T${++markets}`;

function seen(market: string, n: number, close = 105): SeenCandle {
  const prices = { open: 100, high: 110, low: 90, close };
  const candle: Candle = { market, start: T(n), ...prices, volume: 10, turnover: 1_050 };
  return { candle, lastTradeAt: T(n + 1) - 1_000 };
}

const page = (change: Partial<PageWrite>): PageWrite => ({
  ...{ fresh: [], revised: [], refused: [], missing: [], at: T(100) },
  ...change,
});

const NOTHING = { stored: 0, revised: 0, quarantined: 0, filled: 0, missing: 0 };

describe("storePage", () => {
  test("what is stored comes back as it was, oldest first", async () => {
    const market = newMarket();
    const odd = seen(market, 2);
    const precise = { ...odd.candle, volume: 97_831_196.05393483, turnover: 2304644374164.456 };
    const fresh = [seen(market, 3), { ...odd, candle: precise }, seen(market, 0)];
    const counts = await store.storePage(market, page({ fresh }));
    expect(counts).toEqual({ ...NOTHING, stored: 3 });
    const read = await store.read(market);
    expect(read).toEqual([seen(market, 0).candle, precise, seen(market, 3).candle]);
    expect(await store.startsOf(market)).toEqual([T(0), T(2), T(3)]);
    expect(await store.newest(market)).toBe(T(3));
    expect(await store.oldest(market)).toBe(T(0));
    expect(await store.countOf(market)).toBe(3);
  });

  test("the same page again changes nothing", async () => {
    const market = newMarket();
    const refused = [{ start: T(1), reason: "bad_price", detail: "close is -1", raw: "{}" }];
    const write = page({ fresh: [seen(market, 0)], refused, missing: [T(1)] });
    await store.storePage(market, write);
    const again = await store.storePage(market, { ...write, at: T(101) });
    expect(again).toEqual(NOTHING);
    expect(await store.countOf(market)).toBe(1);
    expect(await store.holesOf(market)).toEqual([{ start: T(1), state: "unknown", asked: 1 }]);
  });

  test("twenty replicas that store the same page store it once", async () => {
    const market = newMarket();
    const fresh = [0, 1, 2].map((n) => seen(market, n));
    const write = page({ fresh, missing: [T(5)] });
    const all = await Promise.all(Array.from({ length: 20 }, () => store.storePage(market, write)));
    expect(all.reduce((sum, c) => sum + c.stored, 0)).toBe(3);
    expect(await store.countOf(market)).toBe(3);
  });

  test("a revision closes the old version and keeps it", async () => {
    const market = newMarket();
    await store.storePage(market, page({ fresh: [seen(market, 7)], at: T(8) }));
    const revised = [{ row: seen(market, 7, 95), replaces: T(8) }];
    const counts = await store.storePage(market, page({ revised, at: T(20) }));
    expect(counts.revised).toBe(1);
    const closes = async (asOf?: number) =>
      (await store.read(market, asOf === undefined ? {} : { asOf })).map((c) => c.close);
    expect(await closes()).toEqual([95]);
    expect(await closes(T(10))).toEqual([105]);
    expect(await closes(T(20) - 1)).toEqual([105]);
    expect(await closes(T(20))).toEqual([95]);
    expect(await closes(T(8) - 1)).toEqual([]);
    expect(await store.revisionsOf(market)).toEqual([
      { candle: seen(market, 7).candle, knownFrom: T(8), knownTo: T(20) },
    ]);
    expect((await store.inForce(market))[0]?.knownFrom).toBe(T(20));
  });

  test("a revision of a version that is no longer in force is left alone", async () => {
    const market = newMarket();
    await store.storePage(market, page({ fresh: [seen(market, 7)], at: T(8) }));
    const write = (close: number) =>
      page({ revised: [{ row: seen(market, 7, close), replaces: T(8) }], at: T(9) });
    const both = await Promise.all([
      store.storePage(market, write(95)),
      store.storePage(market, write(96)),
    ]);
    expect(both.map((c) => c.revised).sort()).toEqual([0, 1]);
    expect(await store.revisionsOf(market)).toHaveLength(1);
  });

  test("on a clock that stands still the versions keep their order", async () => {
    const market = newMarket();
    await store.storePage(market, page({ fresh: [seen(market, 0)], at: T(8) }));
    for (const close of [95, 96, 97]) {
      const [current] = await store.inForce(market);
      const replaces = current?.knownFrom ?? 0;
      const revised = [{ row: seen(market, 0, close), replaces }];
      await store.storePage(market, page({ revised, at: T(8) }));
    }
    const versions = await store.revisionsOf(market);
    expect(versions.map((v) => v.candle.close)).toEqual([105, 95, 96]);
    expect(versions.map((v) => v.knownFrom - T(8))).toEqual([0, 1, 2]);
    expect((await store.read(market))[0]?.close).toBe(97);
  });
});

describe("read", () => {
  test("from belongs to the range, to does not; limit and order", async () => {
    const market = newMarket();
    const fresh = [0, 1, 2, 3, 4].map((n) => seen(market, n));
    await store.storePage(market, page({ fresh }));
    const starts = async (options: Parameters<CandleStore["read"]>[1]) =>
      (await store.read(market, options)).map((c) => (c.start - T(0)) / UNIT_MS);
    expect(await starts({ from: T(1), to: T(3) })).toEqual([1, 2]);
    expect(await starts({ limit: 2 })).toEqual([0, 1]);
    expect(await starts({ limit: 2, order: "desc" })).toEqual([4, 3]);
    expect(await store.countOf(market, { from: T(1), to: T(3) })).toBe(2);
    expect(await store.read(newMarket())).toEqual([]);
    expect(await store.newest(newMarket())).toBeNull();
  });
});

describe("holes", () => {
  test("unknown, then confirmed, then filled by a late candle", async () => {
    const market = newMarket();
    await store.storePage(market, page({ missing: [T(1), T(2)] }));
    await store.settleHoles(market, { empty: [T(1)], open: [T(2)] }, T(101));
    expect(await store.holesOf(market)).toEqual([
      { start: T(1), state: "confirmed_empty", asked: 2 },
      { start: T(2), state: "unknown", asked: 2 },
    ]);
    const late = page({ fresh: [seen(market, 1)], missing: [T(1), T(2)], at: T(102) });
    expect((await store.storePage(market, late)).filled).toBe(1);
    expect(await store.holesOf(market, {}, ["filled"])).toEqual([
      { start: T(1), state: "filled", asked: 2 },
    ]);
    expect(await store.holesOf(market, { from: T(2) }, ["unknown"])).toHaveLength(1);
  });

  test("a hole that a candle has filled is not confirmed empty afterwards", async () => {
    const market = newMarket();
    await store.storePage(market, page({ missing: [T(1)] }));
    await store.storePage(market, page({ fresh: [seen(market, 1)] }));
    await store.settleHoles(market, { empty: [T(1)], open: [] }, T(101));
    expect((await store.holesOf(market))[0]?.state).toBe("filled");
  });

  test("years without a trade are more holes than one statement takes", async () => {
    const market = newMarket();
    const missing = Array.from({ length: 12_000 }, (_, n) => T(n));
    await store.storePage(market, page({ missing }));
    await store.settleHoles(market, { empty: missing, open: [] }, T(101));
    expect(await store.holesOf(market, {}, ["confirmed_empty"])).toHaveLength(12_000);
  });
});

describe("quarantine", () => {
  test("a row that comes again is counted, newest first, page by page", async () => {
    const market = newMarket();
    const bad = (n: number | null, reason = "bad_price") => {
      const start = n === null ? null : T(n);
      return { start, reason, detail: "close is -1", raw: `{"n":${n}}` };
    };
    const first = page({ refused: [bad(1), bad(1), bad(2)], at: T(100) });
    expect((await store.storePage(market, first)).quarantined).toBe(2);
    const again = page({ refused: [bad(1), bad(1, "bad_range"), bad(null)], at: T(101) });
    expect((await store.storePage(market, again)).quarantined).toBe(2);
    const rows = await store.quarantined({ market });
    expect(rows).toHaveLength(4);
    const once = rows.find((r) => r.start === T(1) && r.reason === "bad_price");
    expect(once).toMatchObject({ seen: 2, firstSeenAt: T(100), lastSeenAt: T(101) });
    expect(once).toMatchObject({ market, raw: '{"n":1}', detail: "close is -1" });
    const ids = rows.map((r) => r.id);
    expect(ids).toEqual([...ids].sort((a, b) => b - a));
    const [a, b] = await store.quarantined({ market, limit: 2 });
    const rest = await store.quarantined({ market, before: b?.id ?? 0 });
    expect([a, b, ...rest].map((r) => r?.id)).toEqual(ids);
    expect(await store.quarantined({ market, from: T(2), to: T(3) })).toHaveLength(1);
  });
});

describe("state of a market", () => {
  test("is empty at first, and each change leaves the rest", async () => {
    const market = newMarket();
    const empty = { firstStart: null, auditedTo: null, auditedAt: null };
    expect(await store.stateOf(market)).toEqual({ ...empty, trouble: null, troubleAt: null });
    await store.setState(market, { firstStart: T(3) });
    await store.setState(market, { trouble: "404", troubleAt: T(9) });
    await store.setState(market, {});
    expect(await store.stateOf(market)).toEqual({
      ...{ ...empty, firstStart: T(3) },
      ...{ trouble: "404", troubleAt: T(9) },
    });
  });
});
