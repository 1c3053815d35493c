import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { silentLog } from "../log.ts";
import type { CandleStore } from "../store/candles.ts";
import { UNIT_MS } from "../types.ts";
import { type FakeExchange, fakeExchange, memoryStore, range, row, T } from "./fixture.ts";
import { settle } from "./hole.ts";
import { look, newRun } from "./look.ts";

let memory: Awaited<ReturnType<typeof memoryStore>>;
let store: CandleStore;
beforeAll(async () => {
  memory = await memoryStore();
  store = memory.store;
});
afterAll(() => memory.close());

let market = "";
let markets = 0;
const nextMarket = () => {
  market = `KRW-L${++markets}`;
};
beforeEach(nextMarket);

const r = (n: number, changes: Record<string, unknown> = {}) => row(n, { market, ...changes });
const numbers = (starts: Iterable<number>) =>
  [...starts].map((t) => (t - T(0)) / UNIT_MS).sort((a, b) => a - b);

/** The edges over an exchange at T(10) and a minute; `events` is what was logged. */
function rig(exchange: FakeExchange, since = T(0)) {
  const events: string[] = [];
  const note = (event: string) => events.push(event);
  const log = { ...silentLog, info: note, warn: note };
  const clock = { now: () => T(10) + 120_000 };
  const edges = { client: exchange, store, clock, log };
  const run = newRun(market, since, undefined);
  return { edges, run, events, see: (to: number) => look(edges, run, T(to)) };
}

const holes = async (state?: "unknown" | "confirmed_empty") =>
  numbers((await store.holesOf(market, {}, state && [state])).map((h) => h.start));

describe("look", () => {
  test("tells how far the answer goes back and which slots it has a row for", async () => {
    const exchange = fakeExchange([r(2), r(3), r(5, { trade_price: null }), r(6)]);
    const { see, run } = rig(exchange);
    const seen = await see(8);
    expect(seen).toMatchObject({ rows: 4, oldest: T(2), unplaced: 0 });
    expect(numbers(seen.present)).toEqual([2, 3, 5, 6]);
    expect(run).toMatchObject({ requests: 1, counts: { stored: 3, quarantined: 1 } });
    expect(await holes("unknown")).toEqual([4, 5, 7]);
  });

  test("what is older than since is neither stored nor missed nor kept in quarantine", async () => {
    const exchange = fakeExchange([r(0), r(1, { trade_price: -1 }), r(3), r(5)]);
    const { see } = rig(exchange, T(4));
    await see(7);
    expect(numbers(await store.startsOf(market))).toEqual([5]);
    expect(await holes()).toEqual([4, 6]);
    expect(await store.quarantined({ market })).toEqual([]);
  });

  test("but a revision of what is stored counts, however old", async () => {
    const exchange = fakeExchange([r(0), r(5)]);
    await rig(exchange).see(6);
    exchange.rows = [r(0, { trade_price: 95 }), r(5)];
    const late = rig(exchange, T(4));
    await late.see(6);
    expect(late.run.counts).toMatchObject({ stored: 0, revised: 1 });
    expect(late.events).toEqual(["candles_revised"]);
  });

  test("a page of nothing but bad rows still goes back by their slots", async () => {
    const exchange = fakeExchange([r(2, { high_price: 1 }), r(3, { high_price: 1 })]);
    const seen = await rig(exchange).see(4);
    expect(seen.oldest).toBe(T(2));
    expect(await holes("unknown")).toEqual([2, 3]);
  });

  test("an exchange that ignores `to` is asked three times, then it is an error", async () => {
    const exchange = fakeExchange([]);
    exchange.meddle = () => [r(6), r(5)];
    const { see, events } = rig(exchange);
    await expect(see(5)).rejects.toMatchObject({ code: "upstream_no_progress", status: 502 });
    expect(exchange.asked).toHaveLength(3);
    expect(events.filter((e) => e === "page_refused")).toHaveLength(3);
    // The rows themselves are true and were kept.
    expect(numbers(await store.startsOf(market))).toEqual([5, 6]);
  });

  test("whatever rows come, each wanted slot is stored, or a hole; none is both", async () => {
    const kinds = fc.constantFrom("good", "null", "off", "none", "twice", "conflict");
    await fc.assert(
      fc.asyncProperty(fc.array(kinds, { minLength: 9, maxLength: 9 }), async (list) => {
        nextMarket();
        const rows = list.flatMap((kind, i) => {
          const n = i + 1;
          if (kind === "none") return [];
          if (kind === "null") return [r(n, { trade_price: null })];
          if (kind === "off") return [r(n, { timestamp: T(n) - 1 })];
          if (kind === "twice") return [r(n), r(n)];
          return kind === "conflict" ? [r(n), r(n, { trade_price: 95 })] : [r(n)];
        });
        const exchange = fakeExchange([r(0), ...rows]);
        await rig(exchange).see(10);
        const good = list.flatMap((k, i) => (k === "good" || k === "twice" ? [i + 1] : []));
        expect(numbers(await store.startsOf(market))).toEqual([0, ...good]);
        const open = range(1, 10).filter((n) => !good.includes(n));
        expect(await holes("unknown")).toEqual(open);
      }),
      { numRuns: 12 },
    );
  });
});

describe("settle", () => {
  const noSleep = async () => {};

  test("confirms what a second answer leaves out, fills what it brings", async () => {
    const exchange = fakeExchange([r(0), r(4)]);
    const { see, edges, run, events } = rig(exchange);
    await see(5);
    expect(await holes("unknown")).toEqual([1, 2, 3]);
    exchange.rows.push(r(2));
    await settle(edges, run, noSleep);
    expect(await holes("confirmed_empty")).toEqual([1, 3]);
    expect(await holes("unknown")).toEqual([]);
    expect(run.counts).toMatchObject({ stored: 3, filled: 1 });
    expect(events).toEqual(["holes_filled", "holes_confirmed"]);
  });

  test("a refused row keeps its slot unknown, after three tries", async () => {
    const exchange = fakeExchange([r(0), r(1, { high_price: 1 }), r(3)]);
    const { see, edges, run } = rig(exchange);
    await see(4);
    await settle(edges, run, noSleep);
    expect(await holes("confirmed_empty")).toEqual([2]);
    expect(await holes("unknown")).toEqual([1]);
    expect(exchange.asked).toHaveLength(4);
  });

  test("nothing unknown, nothing asked", async () => {
    const exchange = fakeExchange([r(0)]);
    const { edges, run } = rig(exchange);
    await settle(edges, run, noSleep);
    expect(exchange.asked).toEqual([]);
  });
});
