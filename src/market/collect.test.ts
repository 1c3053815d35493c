import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { SluiceError } from "../errors.ts";
import type { CandleStore } from "../store/candles.ts";
import { UNIT_MS } from "../types.ts";
import { makeCollector } from "./collect.ts";
import { type FakeExchange, fakeExchange, memoryStore, range, row, T } from "./fixture.ts";

const GRACE = 5_000;

let memory: Awaited<ReturnType<typeof memoryStore>>;
let store: CandleStore;
beforeAll(async () => {
  memory = await memoryStore();
  store = memory.store;
});
afterAll(() => memory.close());

let market = "";
let markets = 0;
beforeEach(() => {
  market = `KRW-C${++markets}`;
});

/** A valid row of this test's market. */
const r = (n: number, changes: Record<string, unknown> = {}) => row(n, { market, ...changes });
const rows = (...ns: number[]) => ns.map((n) => r(n));
const numbers = (starts: readonly number[]) => starts.map((t) => (t - T(0)) / UNIT_MS);

function rig(exchange: FakeExchange, now: number) {
  const clock = { t: now, now: () => clock.t };
  const slept: number[] = [];
  const sleep = async (ms: number) => {
    slept.push(ms);
  };
  const collector = makeCollector({ client: exchange, store, clock, sleep });
  const collect = (since = T(0)) => collector.collect(market, { since });
  const audit = (pages = 5) => collector.audit(market, { pages });
  return { clock, slept, collector, collect, audit };
}

const stored = async () => numbers(await store.startsOf(market));
const holes = async () =>
  (await store.holesOf(market)).map((h) => `${numbers([h.start])[0]} ${h.state}`);
const closeAt = async (n: number, asOf?: number) => {
  const options = { from: T(n), to: T(n + 1) };
  return (await store.read(market, asOf === undefined ? options : { ...options, asOf }))[0]?.close;
};

async function failure(work: Promise<unknown>): Promise<SluiceError> {
  const thrown = await work.then(
    () => null,
    (e: unknown) => e,
  );
  if (thrown instanceof SluiceError) return thrown;
  throw new Error(`no SluiceError but ${thrown}`);
}

describe("collect", () => {
  test("back-fills page by page and asks for whole slots only", async () => {
    const exchange = fakeExchange(range(0, 600).map((n) => r(n)));
    const { collect } = rig(exchange, T(600) + GRACE);
    const done = await collect();
    expect(await stored()).toEqual(range(0, 600));
    expect(numbers(exchange.asked)).toEqual([600, 400, 200]);
    expect(done).toEqual({
      ...{ market, stored: 600, revised: 0, quarantined: 0, filled: 0 },
      ...{ holes: { unknown: 0, empty: 0 }, requests: 3, from: T(0), to: T(599) },
    });
  });

  test("asked again, only the newest page is fetched", async () => {
    const exchange = fakeExchange(range(0, 600).map((n) => r(n)));
    const { collect, clock } = rig(exchange, T(600) + GRACE);
    await collect();
    exchange.rows.push(r(600));
    clock.t = T(601) + GRACE;
    exchange.asked.length = 0;
    expect(await collect()).toMatchObject({ stored: 1, requests: 1, to: T(600) });
  });

  test("a run that died goes on where it stopped", async () => {
    const exchange = fakeExchange(range(0, 1_000).map((n) => r(n)));
    const { collect } = rig(exchange, T(1_000) + GRACE);
    exchange.meddle = (page, request) => {
      if (request === 3) throw new Error("killed");
      return page;
    };
    await expect(collect()).rejects.toThrow("killed");
    expect(await stored()).toEqual(range(600, 1_000));
    exchange.meddle = (page) => page;
    exchange.asked.length = 0;
    expect(await collect()).toMatchObject({ stored: 600 });
    expect(numbers(exchange.asked)).toEqual([1_000, 600, 400, 200]);
  });

  test("nothing before since is stored; an earlier since later fills up", async () => {
    const exchange = fakeExchange(range(0, 50).map((n) => r(n)));
    const { collect } = rig(exchange, T(50) + GRACE);
    expect((await collect(T(30) - 1)).from).toBe(T(30));
    expect(await stored()).toEqual(range(30, 50));
    await collect(T(10));
    expect(await stored()).toEqual(range(10, 50));
  });

  test("a since in the future asks for nothing", async () => {
    const exchange = fakeExchange(rows(0, 1));
    const { collect } = rig(exchange, T(2) + GRACE);
    expect(await collect(T(9))).toMatchObject({ stored: 0, requests: 0 });
  });

  test("progress tells how much of what was open is done", async () => {
    const exchange = fakeExchange(range(0, 600).map((n) => r(n)));
    const { collector } = rig(exchange, T(600) + GRACE);
    const told: string[] = [];
    const onProgress = (p: { done: number; total: number }) => told.push(`${p.done}/${p.total}`);
    await collector.collect(market, { since: T(0), onProgress });
    expect(told).toEqual(["200/600", "400/600", "600/600"]);
  });

  test("two calls at once share one run; an earlier since has a run of its own", async () => {
    const exchange = fakeExchange(range(0, 300).map((n) => r(n)));
    const { collect } = rig(exchange, T(300) + GRACE);
    const [a, b] = await Promise.all([collect(T(150)), collect(T(160))]);
    expect(b).toBe(a);
    expect(exchange.asked).toHaveLength(1);
    await Promise.all([collect(T(150)), collect(T(0))]);
    expect(await stored()).toEqual(range(0, 300));
  });

  test("a call after a candle has closed does not share the run of before", async () => {
    const exchange = fakeExchange(range(0, 300).map((n) => r(n)));
    const { collect, clock } = rig(exchange, T(300) + GRACE);
    let later: ReturnType<typeof collect> | null = null;
    exchange.meddle = (page, request) => {
      // The newest page is on its way when the next candle closes.
      if (request === 1) {
        exchange.rows.push(r(300));
        clock.t = T(301) + GRACE;
        later = collect();
      }
      return page;
    };
    expect((await collect()).to).toBe(T(299));
    expect((await later!).to).toBe(T(300));
    expect(await stored()).toEqual(range(0, 301));
  });

  test("two replicas at once store every candle once", async () => {
    const exchange = fakeExchange(range(0, 600).map((n) => r(n)));
    const one = rig(exchange, T(600) + GRACE);
    const two = rig(exchange, T(600) + GRACE);
    const [a, b] = await Promise.all([one.collect(), two.collect()]);
    expect(a.stored + b.stored).toBe(600);
    expect(await stored()).toEqual(range(0, 600));
  });
});

describe("open candles (D2)", () => {
  test("a candle is stored once, after its close and a grace, with its last value", async () => {
    const exchange = fakeExchange([...rows(3, 4), r(5)]);
    // An exchange that does not care for `to` hands the open candle out all the same.
    exchange.meddle = () => [...exchange.rows].reverse();
    const { collect, clock } = rig(exchange, T(5) + 2 * 3_600_000);
    await collect(T(3));
    expect(await stored()).toEqual([3, 4]);
    exchange.rows = [...rows(3, 4), r(5, { trade_price: 99 })];
    clock.t += 300_000;
    await collect(T(3));
    clock.t = T(6) + GRACE - 1;
    await collect(T(3));
    expect(await stored()).toEqual([3, 4]);
    exchange.rows = [...rows(3, 4), r(5, { trade_price: 101 })];
    clock.t = T(6) + GRACE;
    expect(await collect(T(3))).toMatchObject({ stored: 1, revised: 0 });
    expect(await closeAt(5)).toBe(101);
  });

  test("the answer's Date must agree: our clock may be ahead, or years away", async () => {
    const exchange = fakeExchange(rows(0, 1, 2, 3));
    exchange.date = T(3) + 60_000;
    const { collect, clock } = rig(exchange, T(4) + GRACE);
    await collect();
    expect(await stored()).toEqual([0, 1, 2]);
    clock.t = T(4_000);
    await collect();
    expect(await stored()).toEqual([0, 1, 2]);
    expect(await holes()).toEqual([]);
  });
});

describe("holes (D4)", () => {
  test("unknown, asked again, confirmed empty, and not asked for ever", async () => {
    const exchange = fakeExchange(rows(0, 1, 3, 4));
    const { collect, clock } = rig(exchange, T(6) + 120_000);
    exchange.rows.push(r(5));
    expect((await collect()).holes).toEqual({ unknown: 0, empty: 1 });
    expect(await holes()).toEqual(["2 confirmed_empty"]);
    expect(numbers(exchange.asked)).toEqual([6, 3]);
    exchange.asked.length = 0;
    await collect();
    expect(numbers(exchange.asked)).toEqual([6]);

    exchange.rows.push(r(2));
    clock.t += 60_000;
    expect(await collect()).toMatchObject({ stored: 1, filled: 1 });
    expect(await holes()).toEqual(["2 filled"]);
    expect(await stored()).toEqual(range(0, 6));
  });

  test("a row that one answer left out is filled by the second", async () => {
    const exchange = fakeExchange(rows(0, 1, 2, 3));
    exchange.meddle = (page, n) => (n === 1 ? page.toSpliced(1, 1) : page);
    const { collect } = rig(exchange, T(4) + 120_000);
    expect(await collect()).toMatchObject({ stored: 4, filled: 1 });
    expect(await holes()).toEqual(["2 filled"]);
  });

  test("the newest slot gets some seconds before it counts as empty", async () => {
    const exchange = fakeExchange(rows(0, 1));
    const { collect, slept } = rig(exchange, T(3) + GRACE);
    exchange.meddle = (page, n) => (n === 4 ? [r(2), ...page] : page);
    expect(await collect()).toMatchObject({ stored: 3, filled: 1 });
    expect(slept).toEqual([5_000, 5_000, 5_000]);

    market = `${market}B`;
    const silent = fakeExchange(rows(0, 1));
    const again = rig(silent, T(3) + GRACE);
    expect((await again.collect()).holes).toEqual({ unknown: 0, empty: 1 });
    expect(again.slept).toEqual([5_000, 5_000, 5_000]);
  });

  test("many holes are asked for in as few pages as they span", async () => {
    const odd = range(0, 600).filter((n) => n % 2 === 1);
    const exchange = fakeExchange(odd.map((n) => r(n)));
    const { collect } = rig(exchange, T(600) + GRACE);
    const done = await collect();
    // The first slot has no candle before it: history begins after it, so it is no hole.
    expect(done).toMatchObject({ stored: 300, from: T(1), holes: { unknown: 0, empty: 299 } });
    expect(exchange.asked.length).toBeLessThanOrEqual(8);
  });
});

describe("the end of history (D5)", () => {
  test("a short page is not the end, an empty one told twice is", async () => {
    const all = range(100, 900).map((n) => r(n));
    const exchange = fakeExchange(all);
    exchange.meddle = (page) => page.slice(0, 137);
    const { collect } = rig(exchange, T(900) + GRACE);
    const done = await collect(T(0));
    expect(await stored()).toEqual(range(100, 900));
    expect(done.from).toBe(T(100));
    expect((await store.stateOf(market)).firstStart).toBe(T(100));
    expect(numbers(exchange.asked).slice(-2)).toEqual([100, 100]);
    exchange.asked.length = 0;
    await collect(T(0));
    expect(exchange.asked).toHaveLength(1);
  });

  test("one wrong empty page does not cut history off", async () => {
    const exchange = fakeExchange(range(0, 500).map((n) => r(n)));
    exchange.meddle = (page, n) => (n === 2 ? [] : page);
    const { collect } = rig(exchange, T(500) + GRACE);
    expect((await collect()).stored).toBe(500);
    expect((await store.stateOf(market)).firstStart).toBeNull();
  });

  test("the same page for ever ends with an error after two repeats", async () => {
    const exchange = fakeExchange(range(0, 500).map((n) => r(n)));
    exchange.meddle = () => range(300, 500).map((n) => r(n));
    const { collect } = rig(exchange, T(500) + GRACE);
    const thrown = await failure(collect());
    expect(thrown.code).toBe("upstream_no_progress");
    expect(thrown.message).toContain(market);
    expect(exchange.asked).toHaveLength(4);
    expect(await stored()).toEqual(range(300, 500));
  });

  test("an empty answer where candles are known is not believed", async () => {
    const exchange = fakeExchange(rows(0, 1, 2));
    const { collect, clock } = rig(exchange, T(3) + GRACE);
    await collect();
    exchange.meddle = () => [];
    clock.t = T(4) + GRACE;
    expect((await failure(collect())).code).toBe("upstream_no_progress");
    expect(await holes()).toEqual([]);
  });

  test("a market without any candle yet is empty, not an error", async () => {
    const { collect } = rig(fakeExchange(), T(3) + GRACE);
    expect(await collect()).toMatchObject({ stored: 0, requests: 2 });
    expect(await holes()).toEqual([]);
  });
});

describe("bad rows", () => {
  test("a refused row is kept in quarantine and its slot asked for again", async () => {
    const exchange = fakeExchange(rows(0, 1, 2, 3));
    exchange.meddle = (page, n) => page.map((x) => (n === 1 ? spoil(x) : x));
    const spoil = (x: Record<string, unknown>) =>
      x["timestamp"] === r(2)["timestamp"] ? { ...x, trade_price: null } : x;
    const { collect } = rig(exchange, T(4) + 120_000);
    expect(await collect()).toMatchObject({ stored: 4, quarantined: 1, filled: 1 });
    const [kept] = await store.quarantined({ market });
    expect(kept).toMatchObject({ start: T(2), reason: "wrong_shape", seen: 1 });
    expect(JSON.parse(kept?.raw ?? "")).toEqual(r(2, { trade_price: null }));
  });

  test("one that stays bad keeps its slot unknown, and the asking is bounded", async () => {
    const exchange = fakeExchange([...rows(0, 1, 3), r(2, { high_price: 1 })]);
    const { collect } = rig(exchange, T(4) + 120_000);
    expect(await collect()).toMatchObject({ stored: 3, holes: { unknown: 1, empty: 0 } });
    expect(exchange.asked).toHaveLength(4);
    expect((await store.quarantined({ market }))[0]).toMatchObject({ seen: 4 });
  });

  test("a row without a readable time keeps every hole of its page unknown", async () => {
    const exchange = fakeExchange(rows(0, 1, 3));
    exchange.meddle = (page) => [...page, r(2, { candle_date_time_utc: "soon" })];
    const { collect } = rig(exchange, T(4) + 120_000);
    expect((await collect()).holes).toEqual({ unknown: 1, empty: 0 });
  });

  test("a page of another market is asked for again, then given up", async () => {
    const exchange = fakeExchange(rows(0, 1, 2));
    const foreign = (page: Record<string, unknown>[]) =>
      page.map((x) => ({ ...x, market: "KRW-XRP" }));
    exchange.meddle = (page, n) => (n === 1 ? foreign(page) : page);
    const { collect, clock } = rig(exchange, T(3) + 120_000);
    expect(await collect()).toMatchObject({ stored: 3, quarantined: 3 });
    exchange.meddle = foreign;
    clock.t += UNIT_MS;
    expect((await failure(collect())).message).toContain("none of its 3 rows can be used");
  });

  test("a bad row of a candle that is still open is nobody's business", async () => {
    const exchange = fakeExchange([...rows(0, 1), r(2, { trade_price: null })]);
    exchange.meddle = () => [...exchange.rows].reverse();
    const { collect } = rig(exchange, T(2) + GRACE);
    expect(await collect()).toMatchObject({ stored: 2, quarantined: 0 });
  });
});

describe("revisions (D7)", () => {
  test("as of then the old value, now the new one, and both are kept", async () => {
    const exchange = fakeExchange(range(0, 8).map((n) => r(n)));
    const { collect, clock } = rig(exchange, T(8) + GRACE);
    await collect();
    exchange.rows = range(0, 20).map((n) => r(n, n === 7 ? { trade_price: 95 } : {}));
    clock.t = T(20) + GRACE;
    expect(await collect()).toMatchObject({ stored: 12, revised: 1 });
    expect(await closeAt(7, T(10))).toBe(105);
    expect(await closeAt(7)).toBe(95);
    expect(await store.revisionsOf(market)).toHaveLength(1);
  });

  test("last digits that differ are no revision", async () => {
    const volume = 1 / 3;
    const price = { candle_acc_trade_price: 105 * volume };
    const exchange = fakeExchange([r(0, { candle_acc_trade_volume: volume, ...price })]);
    const { collect } = rig(exchange, T(1) + GRACE);
    await collect();
    const printed = { candle_acc_trade_volume: volume * (1 + 2e-16), ...price };
    exchange.rows = [r(0, printed)];
    expect((await collect()).revised).toBe(0);
  });
});

describe("an unknown market (D6)", () => {
  test("is trouble of that market alone, until it answers again", async () => {
    const exchange = fakeExchange(rows(0, 1));
    const gone = new SluiceError({ code: "upstream_rejected", status: 404, detail: "not there" });
    exchange.meddle = () => {
      throw gone;
    };
    const { collect, clock } = rig(exchange, T(2) + GRACE);
    expect((await failure(collect())).status).toBe(404);
    const trouble = { trouble: "not there", troubleAt: clock.t };
    expect(await store.stateOf(market)).toMatchObject(trouble);
    expect((await store.stateOf("KRW-OTHER")).trouble).toBeNull();
    exchange.meddle = (page) => page;
    await collect();
    expect((await store.stateOf(market)).trouble).toBeNull();
  });

  test("any other failure leaves no mark on the market", async () => {
    const exchange = fakeExchange(rows(0));
    exchange.meddle = () => {
      throw new SluiceError({ code: "upstream_error", status: 503, detail: "busy" });
    };
    const { collect } = rig(exchange, T(2) + GRACE);
    await failure(collect());
    expect((await store.stateOf(market)).trouble).toBeNull();
  });
});

describe("audit", () => {
  test("a value that was wrong when it was read becomes a revision", async () => {
    const exchange = fakeExchange(range(0, 900).map((n) => r(n)));
    exchange.meddle = (page, n) =>
      n === 4 ? page.map((x, i) => (i === 50 ? { ...x, trade_price: 95 } : x)) : page;
    const { collect, audit, clock } = rig(exchange, T(900) + GRACE);
    await collect();
    expect(await closeAt(249)).toBe(95);
    expect(await audit(2)).toMatchObject({ done: false, auditedTo: T(500), requests: 2 });
    expect(await audit(2)).toMatchObject({ done: false, auditedTo: T(100), revised: 1 });
    expect(await audit(2)).toMatchObject({ done: true, auditedTo: T(0), requests: 1 });
    expect(await closeAt(249)).toBe(105);

    expect(await audit(2)).toMatchObject({ done: true, requests: 0 });
    clock.t += 7 * 86_400_000;
    exchange.date = T(900) + GRACE;
    expect(await audit(2)).toMatchObject({ done: false });
  });

  test("goes on downwards when older history came in", async () => {
    const exchange = fakeExchange(range(0, 400).map((n) => r(n)));
    const { collect, audit } = rig(exchange, T(400) + GRACE);
    await collect(T(200));
    expect(await audit()).toMatchObject({ done: true, auditedTo: T(200) });
    await collect(T(0));
    expect(await audit()).toMatchObject({ done: true, auditedTo: T(0), requests: 1 });
  });

  test("a beginning of history that was told wrongly is forgotten", async () => {
    const exchange = fakeExchange(range(0, 400).map((n) => r(n)));
    exchange.meddle = (page, n) => (n === 2 || n === 3 ? [] : page);
    const { collect, audit } = rig(exchange, T(400) + GRACE);
    await collect();
    expect((await store.stateOf(market)).firstStart).toBe(T(200));
    expect((await audit()).done).toBe(true);
    expect((await store.stateOf(market)).firstStart).toBeNull();
    await collect();
    expect(await stored()).toEqual(range(0, 400));
  });

  test("nothing stored, nothing to look at", async () => {
    const { audit } = rig(fakeExchange(), T(3));
    expect(await audit()).toMatchObject({ done: true, auditedTo: null, requests: 0 });
  });
});
