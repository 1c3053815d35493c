import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { CandleStore } from "../store/candles.ts";
import type { PageWrite } from "../store/candles-write.ts";
import type { Candle } from "../types.ts";
import { candleAt, memoryStore, range, T } from "./fixture.ts";
import { reportText, type VerifyReport, verifyMarket } from "./verify.ts";

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
  market = `KRW-V${++markets}`;
});

const LENGTH = 600;
const NOW = T(LENGTH) + 5_000;

/** Stores candles of these slots, some of them otherwise. */
async function given(slots: number[], changes: Record<number, Partial<Candle>> = {}) {
  const fresh = slots.map((n) => {
    return { candle: candleAt(n, { market, ...changes[n] }), lastTradeAt: T(n) };
  });
  await write({ fresh });
}

async function write(change: Partial<PageWrite>) {
  const nothing = { fresh: [], revised: [], refused: [], missing: [] };
  await store.storePage(market, { ...nothing, at: NOW, ...change });
}

const verify = (since = T(0)) => verifyMarket(store, market, { since, now: NOW });
const of = (report: VerifyReport, name: string) => report.checks.find((c) => c.name === name);
const all = range(0, LENGTH);
const without = (...gone: number[]) => all.filter((n) => !gone.includes(n));

describe("verifyMarket", () => {
  test("a whole market passes every check", async () => {
    await given(all);
    const report = await verify();
    expect(report).toMatchObject({ market, verdict: "pass", from: T(0), to: T(LENGTH - 1) });
    expect(report.checks.map((c) => c.name)).toEqual([
      ...["listed", "fresh", "settled", "complete", "sane", "jumps", "quarantine", "revisions"],
    ]);
    expect(of(report, "complete")?.value).toBe(1);
  });

  test("nothing stored fails", async () => {
    const report = await verify();
    expect(report.verdict).toBe("fail");
    expect(of(report, "fresh")).toMatchObject({ verdict: "fail", value: null });
  });

  test("the newest closed candle missing fails, confirmed empty warns", async () => {
    await given(without(LENGTH - 1));
    expect(of(await verify(), "fresh")).toMatchObject({
      verdict: "fail",
      value: new Date(T(LENGTH - 2)).toISOString().replace(".000", ""),
    });
    await write({ missing: [T(LENGTH - 1)] });
    await store.settleHoles(market, { empty: [T(LENGTH - 1)], open: [] }, NOW);
    const report = await verify();
    expect(of(report, "fresh")?.verdict).toBe("warn");
    expect(report.verdict).toBe("warn");
  });

  test("an unknown slot fails among the newest 90 and not before", async () => {
    await given(without(LENGTH - 91));
    expect(of(await verify(), "settled")?.verdict).toBe("pass");
    market = `${market}B`;
    await given(without(LENGTH - 90));
    expect(of(await verify(), "settled")).toMatchObject({ verdict: "fail", value: 1 });
    await write({ missing: [T(LENGTH - 90)] });
    await store.settleHoles(market, { empty: [T(LENGTH - 90)], open: [] }, NOW);
    expect(of(await verify(), "settled")?.verdict).toBe("pass");
  });

  test("at least 98 of 100 recent slots must have a candle", async () => {
    const gone = range(200, 210);
    await given(without(...gone));
    expect(of(await verify(), "complete")).toMatchObject({ verdict: "pass", value: 0.98 });
    market = `${market}B`;
    await given(without(...gone, 210));
    expect(of(await verify(), "complete")?.verdict).toBe("fail");
  });

  test("a young market is measured from its first candle", async () => {
    await given(range(LENGTH - 100, LENGTH));
    expect((await verify()).verdict).toBe("fail");
    await store.setState(market, { firstStart: T(LENGTH - 100) });
    expect(await verify()).toMatchObject({ verdict: "pass", from: T(LENGTH - 100) });
  });

  test("a candle against the rules fails, however old", async () => {
    await given(all, { 3: { high: 95 } });
    const report = await verify();
    expect(of(report, "sane")).toMatchObject({ verdict: "fail", value: 1 });
    expect(of(report, "sane")?.detail).toContain("2025-07-01T12:00:00Z: open 100, high 95");
  });

  const at = (price: number) => {
    const prices = { open: price, high: price, low: price, close: price };
    return { ...prices, turnover: price * 10 };
  };
  const shift = (n: number, price: number) =>
    Object.fromEntries(range(n, LENGTH).map((i) => [i, at(price)]));

  test("a move of a third warns, a price that tears away fails", async () => {
    await given(all, shift(500, 140));
    const odd = of(await verify(), "jumps");
    expect(odd).toMatchObject({ verdict: "warn", value: 0.2877 });
    expect(odd?.detail).toContain("33.3 %");
    market = `${market}B`;
    await given(all, shift(500, 1_000));
    expect(of(await verify(), "jumps")).toMatchObject({ verdict: "fail" });
  });

  test("a crash that was traded through warns; an old one is history", async () => {
    const crash = { open: 105, high: 105, low: 40, close: 45, turnover: 700 };
    await given(all, { ...shift(501, 45), 500: crash });
    expect(of(await verify(), "jumps")?.verdict).toBe("warn");
    market = `${market}B`;
    await given(all, shift(50, 1_000));
    expect(of(await verify(), "jumps")?.verdict).toBe("pass");
  });

  test("a refused row warns until its slot has a good one", async () => {
    await given(without(300));
    const refused = [{ start: T(300), reason: "bad_price", detail: "close is -1", raw: "{}" }];
    await write({ refused });
    expect(of(await verify(), "quarantine")).toMatchObject({ verdict: "warn", value: 1 });
    await given([300]);
    expect(of(await verify(), "quarantine")?.verdict).toBe("pass");
  });

  test("revisions are counted and harmless", async () => {
    await given(all);
    const row = { candle: candleAt(400, { market, close: 95 }), lastTradeAt: T(400) };
    await write({ revised: [{ row, replaces: NOW }], at: NOW + 1 });
    const report = await verify();
    expect(of(report, "revisions")).toMatchObject({ verdict: "pass", value: 1 });
    expect(report.verdict).toBe("pass");
  });

  test("a market that the exchange does not know fails", async () => {
    await given(all);
    await store.setState(market, { trouble: "404: Code not found", troubleAt: NOW });
    expect(of(await verify(), "listed")).toMatchObject({ verdict: "fail" });
  });
});

test("reportText tells the verdict first and what was accepted where something was not", async () => {
  await given(without(LENGTH - 1));
  const text = reportText(await verify());
  const lines = text.split("\n");
  expect(lines[0]).toBe(`${market}: fail, 2025-07-01T00:00:00Z to 2025-10-08T20:00:00Z`);
  expect(lines).toHaveLength(9);
  expect(text).toContain("fail  fresh       The newest closed candle, 2025-10-08T20:00:00Z, is");
  expect(text).toContain("(accepted: 0 unknown)");
});
