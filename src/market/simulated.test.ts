import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { CandleStore } from "../store/candles.ts";
import { newestClosed, UNIT_MS } from "../types.ts";
import { makeClient } from "./client.ts";
import { makeCollector } from "./collect.ts";
import { memoryStore, range, T } from "./fixture.ts";
import { makeLimiter } from "./limiter.ts";
import { type SimulatedExchange, simulatedExchange, simulatedNote } from "./simulated.ts";
import { verifyMarket } from "./verify.ts";
import { makeWalk } from "./walk.ts";

const NOW = T(0) + 5_000;
const BTC = "KRW-BTC";

let exchange: SimulatedExchange;
beforeAll(() => {
  exchange = simulatedExchange({ seed: 3, now: NOW });
});
afterAll(() => exchange.stop());
beforeEach(() => {
  exchange.setNow(NOW);
  exchange.faults.length = 0;
});

type Row = Record<string, unknown> & { candle_date_time_utc: string };
const get = (query: string) => fetch(`${exchange.url}/v1/candles/minutes/240?${query}`);
const rowsOf = async (query: string) => (await (await get(query)).json()) as Row[];
const startsOf = (rows: Row[]) => rows.map((r) => Date.parse(`${r.candle_date_time_utc}Z`));

describe("the contract", () => {
  test("newest first, the open candle included, one row unless told otherwise", async () => {
    exchange.setNow(T(0) + 3_600_000);
    const [row, ...rest] = await rowsOf(`market=${BTC}`);
    expect(rest).toEqual([]);
    expect(row).toMatchObject({
      market: BTC,
      unit: 240,
      candle_date_time_utc: "2025-07-01T00:00:00",
    });
    expect(row?.["timestamp"]).toBe(exchange.now());
  });

  test("to is exclusive, in each of its forms, and counts are clamped at 200", async () => {
    for (const to of [
      "2025-06-01T00:00:00Z",
      "2025-06-01 00:00:00",
      encodeURIComponent("2025-06-01T09:00:00+09:00"),
    ]) {
      const rows = await rowsOf(`market=${BTC}&to=${to}&count=2`);
      expect(startsOf(rows)[0]).toBe(Date.parse("2025-05-31T20:00:00Z"));
    }
    expect(await rowsOf(`market=${BTC}&count=500`)).toHaveLength(200);
  });

  test("its Date is the virtual time, and headers tell what is left", async () => {
    const answer = await get(`market=${BTC}`);
    expect(answer.headers.get("date")).toBe("Tue, 01 Jul 2025 00:00:05 GMT");
    expect(answer.headers.get("remaining-req")).toMatch(/^group=candles; min=600; sec=\d$/);
    exchange.advance(UNIT_MS);
    const later = await get(`market=${BTC}`);
    expect(later.headers.get("date")).toBe("Tue, 01 Jul 2025 04:00:05 GMT");
  });

  test("history begins 2,000 candles before, and before it is nothing", async () => {
    const to = new Date(exchange.start).toISOString().slice(0, 19);
    expect(exchange.start).toBe(T(-2_000));
    expect(await rowsOf(`market=${BTC}&to=${to}&count=5`)).toEqual([]);
  });

  test("refusals", async () => {
    await Bun.sleep(1_000);
    for (const [query, status] of [
      ["market=KRW-NOPE", 404],
      [`market=${BTC}&count=0`, 400],
      [`market=${BTC}&count=x`, 400],
      [`market=${BTC}&to=noon`, 400],
    ] as const) {
      expect((await get(query)).status).toBe(status);
    }
    expect((await fetch(`${exchange.url}/v1/other`)).status).toBe(404);
  });

  test("the list of markets", async () => {
    const list = (await (await fetch(`${exchange.url}/v1/market/all`)).json()) as Row[];
    expect(list.map((m) => m["market"])).toEqual([BTC, "KRW-ETH", "KRW-ADA"]);
  });

  test("more than ten a second are refused", async () => {
    const all = await Promise.all(range(0, 40).map(() => get(`market=${BTC}`)));
    expect(all.filter((a) => a.status === 429).length).toBeGreaterThan(10);
    expect(exchange.stats.peakPerSecond).toBeGreaterThan(10);
  });

  test("the clock runs at a speed when told to", async () => {
    exchange.setSpeed(10_000);
    await Bun.sleep(60);
    exchange.setSpeed(0);
    const passed = exchange.now() - NOW;
    expect(passed).toBeGreaterThan(500_000);
    expect(exchange.now()).toBe(NOW + passed);
  });

  test("it says what it is", () => expect(simulatedNote(exchange)).toContain("SIMULATED"));
});

describe("collected", () => {
  let memory: Awaited<ReturnType<typeof memoryStore>>;
  let store: CandleStore;
  beforeAll(async () => {
    memory = await memoryStore();
    store = memory.store;
  });
  afterAll(() => memory.close());

  test("every candle under every fault, and a report that passes", async () => {
    const faulty = simulatedExchange({ seed: 3, now: NOW, start: T(-700) });
    const limiter = makeLimiter();
    const sleep = () => Bun.sleep(20);
    const client = makeClient({ url: faulty.url, limiter, timeoutMs: 1_000, sleep });
    const collector = makeCollector({ client, store, clock: faulty, sleep });
    const wire = ["500", "503-html", "empty-body", "truncated-json", "not-an-array"] as const;
    const more = ["reset", "redirect", "429"] as const;
    faulty.faults.push(...[...wire, ...more].map((kind) => ({ kind })), { kind: "418", ms: 500 });
    const rows = ["duplicate", "unsorted", "conflict", "null-price", "kst-mismatch"] as const;
    faulty.faults.push(...rows.map((kind, i) => ({ kind, at: T(-20 - i) })));
    faulty.faults.push({ kind: "empty-page" }, { kind: "stall" }, { kind: "slow", ms: 50 });
    const since = T(-700);
    const done = await collector.collect(BTC, { since });
    expect(faulty.faults).toEqual([]);

    const walk = makeWalk(3, BTC);
    const truth = range(-700, 0).flatMap((n) => walk.candle(T(n)) ?? []);
    expect(await store.read(BTC)).toEqual(truth);
    expect(done.holes).toEqual({ unknown: 0, empty: 700 - truth.length });
    expect((await store.quarantined({ market: BTC })).length).toBe(4);
    expect(faulty.stats.peakPerSecond).toBeLessThanOrEqual(10);
    expect(faulty.stats.withOrigin).toBe(0);
    expect(faulty.stats.asked.every((to) => to.endsWith(":00Z"))).toBe(true);
    const report = await verifyMarket(store, BTC, { since, now: NOW });
    expect(report.verdict).not.toBe("fail");
    expect(report.to).toBe(newestClosed(NOW));
    await faulty.stop();
  }, 40_000);
});
