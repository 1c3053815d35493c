import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type SQL, sql } from "drizzle-orm";
import fc from "fast-check";
import { UNIT_MS } from "../types.ts";
import { type CandleStore, makeCandleStore } from "./candles.ts";
import type { PageWrite, SeenCandle } from "./candles-write.ts";
import type { Database, Orm } from "./database.ts";
import { makeForecasts } from "./forecasts.ts";
import { openScratch, testDatabases } from "./testing.ts";

/*
 * What must hold however much is stored: a write takes so many statements and no more, a page
 * follows the page before, and what a forecast asks for does not go through the history.
 */

const T0 = Date.parse("2025-07-01T00:00:00Z");
const T = (n: number) => T0 + n * UNIT_MS;

const seen = (market: string, n: number, close = 105): SeenCandle => {
  const prices = { open: 100, high: 110, low: 90, close };
  return {
    candle: { market, start: T(n), ...prices, volume: 10, turnover: 1_050 },
    lastTradeAt: T(n + 1) - 1_000,
  };
};

const page = (change: Partial<PageWrite>): PageWrite => ({
  ...{ fresh: [], revised: [], refused: [], missing: [], at: T(100) },
  ...change,
});

const range = (from: number, to: number) =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

/** A database that keeps every statement, of drizzle's own making too. */
function listening(database: Database) {
  const statements: SQL[] = [];
  const listen = (orm: Orm): Orm =>
    new Proxy(orm, {
      get: (target, name) => {
        if (name === "transaction") {
          return (work: (tx: Orm) => Promise<unknown>) =>
            target.transaction((tx) => work(listen(tx)));
        }
        const value = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        return (...given: unknown[]) => {
          if (["execute", "insert", "update", "delete", "select"].includes(String(name))) {
            statements.push(given[0] as SQL);
          }
          return value.apply(target, given);
        };
      },
    });
  const orm = listen(database.orm);
  const rows: Database["rows"] = (statement, within = orm) => database.rows(statement, within);
  return { database: { ...database, orm, rows }, statements };
}

describe.each(testDatabases())("candles at scale on $name", ({ open }) => {
  let database: Database;
  let store: CandleStore;
  let statements: SQL[];
  beforeAll(async () => {
    const heard = listening(await open());
    statements = heard.statements;
    database = heard.database;
    store = makeCandleStore(database);
  });
  afterAll(() => database.close());

  let markets = 0;
  const newMarket = () => `KRW-T${++markets}`;

  test("a page takes as many statements with 6,000 rows as with 8", async () => {
    const market = newMarket();
    const counted = async (write: PageWrite) => {
      statements.length = 0;
      const counts = await store.storePage(market, write);
      return { counts, statements: statements.length };
    };
    const write = (from: number, n: number, at: number): PageWrite =>
      page({
        ...{ at, fresh: range(from, from + n).map((i) => seen(market, i)) },
        missing: range(from + n, from + n + n / 2).map(T),
        refused: [{ start: T(from), reason: "bad_price", detail: "", raw: `${from}` }],
      });
    const few = await counted(write(0, 8, T(1)));
    const many = await counted(write(1_000, 6_000, T(1)));
    expect(many.counts).toMatchObject({ stored: 6_000, missing: 3_000, quarantined: 1 });
    expect(few.statements).toBeGreaterThan(0);
    expect(many.statements).toBe(few.statements);

    const revise = (from: number, n: number) =>
      page({
        revised: range(from, from + n).map((i) => ({ row: seen(market, i, 95), replaces: T(1) })),
      });
    const oneRevised = await counted(revise(0, 1));
    const manyRevised = await counted(revise(1_000, 500));
    expect(manyRevised.counts).toMatchObject({ revised: 500 });
    expect(manyRevised.statements).toBe(oneRevised.statements);
    expect(await store.countOf(market)).toBe(6_008);

    // Late candles close their holes, as many as there are, and the rest is settled at once.
    const late = await counted(page({ fresh: range(7_000, 9_000).map((i) => seen(market, i)) }));
    expect(late.counts).toMatchObject({ stored: 2_000, filled: 2_000 });
    statements.length = 0;
    const empty = range(9_000, 10_000).map(T);
    await store.settleHoles(market, { empty, open: range(8, 12).map(T) }, T(2));
    expect(statements).toHaveLength(2);
    expect(await store.holeCounts(market)).toEqual({
      ...{ unknown: 4, confirmed_empty: 1_000, filled: 2_000 },
    });
  }, 60_000);

  test("pages have no gap and no repeat while candles and revisions come in", async () => {
    const market = newMarket();
    const all = range(0, 200);
    const later = new Set(all.filter((n) => n % 3 === 0 || n >= 150));
    const before = all.filter((n) => !later.has(n));
    await store.storePage(market, page({ fresh: before.map((n) => seen(market, n)), at: T(1) }));
    const read: number[] = [];
    let after: number | undefined;
    const waiting = [...later];
    for (;;) {
      const from = after === undefined ? {} : { from: after + 1 };
      const items = await store.read(market, { ...from, limit: 17 });
      read.push(...items.map((candle) => (candle.start - T0) / UNIT_MS));
      if (items.length === 0) break;
      after = items.at(-1)!.start;
      // Behind the page and before it: some new, some revised.
      const fresh = waiting.splice(0, 9).map((n) => seen(market, n));
      const current = await store.inForce(market, { from: items[0]!.start, to: after + 1 });
      const revised = current.slice(0, 5).map(({ candle, knownFrom }) => ({
        ...{ row: { candle: { ...candle, close: candle.close + 1 }, lastTradeAt: T(2) } },
        replaces: knownFrom,
      }));
      await store.storePage(market, page({ fresh, revised }));
    }
    expect(read).toEqual([...new Set(read)].sort((a, b) => a - b));
    // What was there when the first page was read is there, each once.
    const found = new Set(read);
    expect(before.filter((n) => !found.has(n))).toEqual([]);
  });

  test("the newest open slot is the one that going through all would find", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom("candle", "hole", "filled", "revised", "none"), {
          ...{ minLength: 1, maxLength: 12 },
        }),
        async (kinds) => {
          const market = newMarket();
          const of = (...wanted: string[]) =>
            kinds.flatMap((kind, n) => (wanted.includes(kind) ? [n] : []));
          const missing = of("hole", "filled").map(T);
          await store.storePage(market, page({ missing, at: T(1) }));
          const fresh = of("candle", "filled", "revised").map((n) => seen(market, n));
          await store.storePage(market, page({ fresh, at: T(1) }));
          const revised = of("revised").map((n) => ({ row: seen(market, n, 95), replaces: T(1) }));
          await store.storePage(market, page({ revised, at: T(2) }));
          const whole = { from: T(0), to: T(kinds.length) };
          const none = of("none");
          const newest = none.at(-1);
          const wanted = newest === undefined ? null : T(newest);
          expect(await store.newestOpen(market, whole)).toBe(wanted);
          expect(await store.countOpen(market, whole)).toBe(none.length);
          // Another market's candles, and what lies outside of the range, are not among them.
          const inner = { from: T(1), to: T(kinds.length - 1) };
          const within = none.filter((n) => n >= 1 && n < kinds.length - 1).at(-1);
          expect(await store.newestOpen(market, inner)).toBe(
            within === undefined ? null : T(within),
          );
        },
      ),
      { numRuns: 15 },
    );
    expect(await store.newestOpen("KRW-NONE", { from: T(3), to: T(3) })).toBeNull();
  });
});

interface Plan {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly Plans?: readonly Plan[];
}

describe("of a long history", () => {
  const MARKETS = ["KRW-BTC", "KRW-XRP"];
  const HISTORY = 12_000;
  const end = T(0);
  const start = end - HISTORY * UNIT_MS;
  let database: Database;
  let statements: SQL[];
  beforeAll(async () => {
    const plain = await openScratch();
    for (const market of MARKETS) await fill(plain, market);
    await plain.orm.execute(sql`analyze`);
    const heard = listening(plain);
    database = heard.database;
    statements = heard.statements;
  }, 60_000);
  afterAll(() => database.close());

  /** Candles of a market, a forecast for each with its outcome, and a revised one now and then. */
  async function fill(plain: Database, market: string): Promise<void> {
    const from = new Date(start).toISOString();
    const slots = sql`generate_series(0, ${HISTORY - 1}::integer) as n`;
    const at = sql`${from}::timestamptz + n * interval '4 hours'`;
    await plain.orm.execute(sql`
      insert into candles (market, unit, start, open, high, low, close, volume, turnover,
        known_from)
      select ${market}::text, 240, ${at}, 100, 110, 90, 100 + n % 7, 1, 100,
        ${at} + interval '4 hours' from ${slots}`);
    await plain.orm.execute(sql`
      insert into forecasts (id, model, version, model_digest, inputs_digest, market,
        target_start, made_at, answer, up, outcome, outcome_return, outcome_at)
      select ${market}::text || n, ${market}::text, 1, 'd', 'i' || n, ${market}::text, ${at},
        ${at}, '{}', 0.5, 'up', 0.1, ${at} + interval '4 hours' from ${slots}`);
    await plain.orm.execute(sql`
      insert into candles (market, unit, start, open, high, low, close, volume, turnover,
        known_from, known_to)
      select market, unit, start, open, high, low, 99, volume, turnover,
        known_from - interval '1 hour', known_from
      from candles where market = ${market}::text
        and extract(epoch from start)::bigint / 14400 % 2000 = 0`);
  }

  /** How many rows of tables the statements of some work go through. */
  async function rowsRead(work: () => Promise<unknown>): Promise<number> {
    statements.length = 0;
    await work();
    const said = [...statements];
    let read = 0;
    for (const statement of said) {
      const explained = await database.rows<{ "QUERY PLAN": [{ Plan: Plan }] | string }>(
        sql`explain (analyze, format json) ${statement}`,
      );
      const told = explained[0]!["QUERY PLAN"];
      const [{ Plan: plan }] = (typeof told === "string" ? JSON.parse(told) : told) as [
        { Plan: Plan },
      ];
      read += readIn(plan);
    }
    expect(said.length).toBeGreaterThan(0);
    return read;
  }

  function readIn(plan: Plan): number {
    const removed = plan["Rows Removed by Filter"] ?? 0;
    const own = plan["Relation Name"] === undefined ? 0 : plan["Actual Rows"] + removed;
    const below = (plan.Plans ?? []).map(readIn).reduce((sum, n) => sum + n, 0);
    return own * plan["Actual Loops"] + below;
  }

  const market = "KRW-BTC";

  test("the candles that a forecast looks at are read, and no others", async () => {
    const store = makeCandleStore(database);
    const lookback = { from: end - 200 * UNIT_MS, to: end };
    expect(await rowsRead(() => store.read(market, lookback))).toBe(200);
    expect(await rowsRead(() => store.read(market, { ...lookback, asOf: end }))).toBeLessThan(210);
  });

  test("a page of candles reads its own rows, at either end of the history", async () => {
    const store = makeCandleStore(database);
    const read = (from: number) => rowsRead(() => store.read(market, { from, limit: 201 }));
    expect(await read(start)).toBe(201);
    expect(await read(end - 201 * UNIT_MS)).toBe(201);
    expect(await rowsRead(() => store.read(market, { limit: 201, asOf: end }))).toBeLessThan(205);
  });

  test("the newest gap is found without going beyond it", async () => {
    const store = makeCandleStore(database);
    const gap = end - 50 * UNIT_MS;
    await database.orm.execute(sql`
      delete from candles where market = 'KRW-XRP' and start = ${new Date(gap).toISOString()}`);
    const whole = { from: start, to: end };
    expect(await store.newestOpen("KRW-XRP", whole)).toBe(gap);
    expect(await rowsRead(() => store.newestOpen("KRW-XRP", whole))).toBeLessThan(200);
  });

  test("outcomes are joined without going through the forecasts that have theirs", async () => {
    const forecasts = makeForecasts(database, { now: () => end + UNIT_MS });
    const [first] = await forecasts.list(market, 1, null);
    const last = { ...first!, id: "open", inputsDigest: "open", outcome: null, outcomeAt: null };
    await forecasts.store(last);
    expect(await rowsRead(() => forecasts.joinOutcomes())).toBeLessThan(200);
    expect(await forecasts.open()).toBe(0);
  });
});
