import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { candleAt, range, row, T } from "./fixture.ts";
import { type Checked, candleFault, checkPage, checkRow, sameCandle } from "./rules.ts";

const SHARED = new URL("../../../shared/", import.meta.url).pathname;

describe("checkRow", () => {
  test("a valid row becomes a candle that starts in UTC", () => {
    expect(checkRow(row(0), "KRW-BTC")).toEqual({
      candle: candleAt(0),
      lastTradeAt: T(1) - 1_000,
    });
  });

  test("the number forms of the wire are read, exponents too", () => {
    const text = JSON.stringify(row(0))
      .replace('"opening_price":100', '"opening_price":100.00000000')
      .replace('"high_price":110', '"high_price":1.1E+2')
      .replace('"low_price":90', '"low_price":9.0E1')
      .replace('"candle_acc_trade_volume":10', '"candle_acc_trade_volume":1.0E-8')
      .replace('"candle_acc_trade_price":1050', '"candle_acc_trade_price":1.05E-6');
    const checked = checkRow(JSON.parse(text), "KRW-BTC") as Checked;
    expect(checked.candle).toEqual(candleAt(0, { volume: 1e-8, turnover: 1.05e-6 }));
  });

  const bad: [string, Record<string, unknown>, string, string][] = [
    ["null price", { trade_price: null }, "wrong_shape", "trade_price"],
    ["price as text", { high_price: "110" }, "wrong_shape", "high_price"],
    ["infinite price", { high_price: Number.POSITIVE_INFINITY }, "wrong_shape", "high_price"],
    ["no volume", { candle_acc_trade_volume: undefined }, "wrong_shape", "volume"],
    ["no last trade", { timestamp: 1.5 }, "wrong_shape", "timestamp"],
    ["another market", { market: "KRW-XRP" }, "wrong_market", "KRW-XRP"],
    ["another unit", { unit: 60 }, "wrong_unit", "60"],
    ["a zone", { candle_date_time_utc: "2025-07-01T00:00:00Z" }, "bad_time", "00:00Z"],
    ["no such day", { candle_date_time_utc: "2025-02-30T00:00:00" }, "bad_time", "02-30"],
    ["off grid", { candle_date_time_utc: "2025-07-01T00:00:01" }, "off_grid", "00:00:01"],
    ["KST as UTC", { candle_date_time_utc: "2025-07-01T09:00:00" }, "off_grid", "09:00"],
    ["UTC as KST", { candle_date_time_kst: "2025-07-01T00:00:00" }, "kst_mismatch", "KST"],
    ["KST unreadable", { candle_date_time_kst: "soon" }, "kst_mismatch", "soon"],
    ["zero price", { low_price: 0 }, "bad_price", "low is 0"],
    ["negative price", { opening_price: -1 }, "bad_price", "open is -1"],
    ["high below low", { high_price: 80 }, "bad_range", "high 80"],
    ["close above high", { trade_price: 111 }, "bad_range", "close 111"],
    ["open below low", { opening_price: 89 }, "bad_range", "open 89"],
    ["negative volume", { candle_acc_trade_volume: -1 }, "bad_amount", "volume is -1"],
    ["negative turnover", { candle_acc_trade_price: -1 }, "bad_amount", "turnover is -1"],
    ["turnover too high", { candle_acc_trade_price: 1_123 }, "turnover_mismatch", "1123"],
    ["turnover too low", { candle_acc_trade_price: 881 }, "turnover_mismatch", "881"],
    ["turnover of nothing", { candle_acc_trade_volume: 0 }, "turnover_mismatch", "volume 0"],
    ["trade before the start", { timestamp: T(0) - 1 }, "late_trade", String(T(0) - 1)],
    ["trade long after", { timestamp: T(1) + 60_000 }, "late_trade", String(T(1) + 60_000)],
  ];
  for (const [name, changes, reason, told] of bad) {
    test(`refused: ${name}`, () => {
      const refused = checkRow(row(0, changes), "KRW-BTC");
      expect(refused).toMatchObject({ reason, detail: expect.stringContaining(told) });
      expect(refused).toHaveProperty("raw", JSON.stringify(row(0, changes)));
    });
  }

  test("at the edge of a rule: accepted", () => {
    const edges = [
      { timestamp: T(0) },
      { timestamp: T(1) + 42_000 },
      { opening_price: 90, trade_price: 110 },
      { candle_acc_trade_price: 882 },
      { candle_acc_trade_price: 1_122 },
      { candle_acc_trade_volume: 0, candle_acc_trade_price: 0 },
      { more: "fields" },
    ];
    for (const changes of edges) {
      expect(checkRow(row(0, changes), "KRW-BTC")).toHaveProperty("candle");
    }
  });

  test("a refused row keeps the slot it seems to belong to", () => {
    const place = (raw: unknown) => (checkRow(raw, "KRW-BTC") as { start: number | null }).start;
    expect(place(row(3, { trade_price: null }))).toBe(T(3));
    expect(place(row(3, { candle_date_time_utc: "2025-07-01T12:00:01" }))).toBe(T(3));
    expect(place(row(3, { candle_date_time_utc: "?" }))).toBeNull();
    for (const raw of [null, 7, "text", [], {}, undefined]) expect(place(raw)).toBeNull();
  });

  test("anything at all is answered, never thrown at", () => {
    fc.assert(
      fc.property(fc.anything(), (raw) => {
        expect(checkRow(raw, "KRW-BTC")).toHaveProperty("reason");
      }),
    );
  });

  test("what passes obeys the rules", () => {
    const price = fc.oneof(fc.double({ min: -10, max: 200 }), fc.constantFrom(90, 100, 110));
    fc.assert(
      fc.property(price, price, price, price, (o, h, l, c) => {
        const raw = row(0, { opening_price: o, high_price: h, low_price: l, trade_price: c });
        const valid = l > 0 && l <= o && o <= h && l <= c && c <= h;
        const checked = checkRow(raw, "KRW-BTC");
        if ("candle" in checked) expect(valid).toBe(true);
        else if (valid) expect(checked.reason).toBe("turnover_mismatch");
      }),
      { numRuns: 500 },
    );
  });
});

describe("checkPage", () => {
  test("any order comes out oldest first", () => {
    const page = checkPage(
      [2, 0, 3, 1].map((n) => row(n)),
      "KRW-BTC",
    );
    expect(page.good.map((g) => g.candle.start)).toEqual([0, 1, 2, 3].map(T));
    expect(page.refused).toEqual([]);
  });

  test("a row that comes twice counts once", () => {
    const page = checkPage([row(1), row(1), row(0)], "KRW-BTC");
    expect(page.good).toHaveLength(2);
    expect(page.refused).toEqual([]);
  });

  test("two rows that disagree are both refused, whatever their number", () => {
    const rows = [row(1), row(1, { trade_price: 99 }), row(1), row(0)];
    const page = checkPage(rows, "KRW-BTC");
    expect(page.good.map((g) => g.candle.start)).toEqual([T(0)]);
    expect(page.refused.map((r) => [r.reason, r.start])).toEqual([
      ["conflict", T(1)],
      ["conflict", T(1)],
      ["conflict", T(1)],
    ]);
  });

  test("a bad copy beside a good row spoils only itself", () => {
    const page = checkPage([row(1), row(1, { trade_price: null })], "KRW-BTC");
    expect(page.good).toHaveLength(1);
    expect(page.refused.map((r) => r.reason)).toEqual(["wrong_shape"]);
  });

  test("every row is either good, refused or a copy", () => {
    const one = fc.record({ n: fc.nat(5), price: fc.constantFrom(105, 99, null, -1) });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 12 }), (list) => {
        const rows = list.map(({ n, price }) => row(n, { trade_price: price }));
        const { good, refused } = checkPage(rows, "KRW-BTC");
        const starts = good.map((g) => g.candle.start);
        expect(new Set(starts).size).toBe(starts.length);
        for (const n of range(0, 6)) {
          const prices = list.filter((r) => r.n === n && (r.price ?? -1) > 0).map((r) => r.price);
          expect(starts.includes(T(n))).toBe(new Set(prices).size === 1);
          const bad = list.filter((r) => r.n === n).length - prices.length;
          const conflicts = new Set(prices).size > 1 ? prices.length : 0;
          expect(refused.filter((r) => r.start === T(n))).toHaveLength(bad + conflicts);
        }
      }),
    );
  });
});

describe("sameCandle", () => {
  test("the last digit of a printed double is no difference, a tick is", () => {
    const a = candleAt(0, { volume: 97_831_196.05393483 });
    expect(sameCandle(a, { ...a, volume: 97_831_196.05393484 })).toBe(true);
    expect(sameCandle(a, { ...a, volume: 97_831_197 })).toBe(false);
    expect(sameCandle(a, { ...a, close: 104 })).toBe(false);
    expect(sameCandle(candleAt(0, { volume: 0 }), candleAt(0, { volume: 0 }))).toBe(true);
    expect(sameCandle(candleAt(0, { volume: 0 }), candleAt(0, { volume: 1e-8 }))).toBe(false);
  });
});

describe("candleFault", () => {
  test("a candle without fault, and NaN in each field", () => {
    expect(candleFault(candleAt(0))).toBeNull();
    for (const name of ["open", "high", "low", "close", "volume", "turnover"] as const) {
      expect(candleFault(candleAt(0, { [name]: Number.NaN }))).not.toBeNull();
    }
  });
});

const present = existsSync(`${SHARED}data/upbit/krw-btc-1d.csv.gz`);
if (!present) console.log("2 tests skipped: no ../shared");

describe.skipIf(!present)("real rows", () => {
  test("the turnover of every real daily candle keeps the rule", () => {
    for (const market of ["btc", "eth", "ada"]) {
      const file = readFileSync(`${SHARED}data/upbit/krw-${market}-1d.csv.gz`);
      const lines = gunzipSync(file).toString().trim().split("\n").slice(1);
      for (const line of lines) {
        const [, open, high, low, close, turnover, volume] = line.split(",").map(Number);
        const values = { open, high, low, close, turnover, volume } as Record<string, number>;
        expect(candleFault(candleAt(0, values))).toBeNull();
      }
    }
  });

  test("no last-digit change of the real file is a revision", () => {
    const text = readFileSync(`${SHARED}data/dirty/krw-ada-240m-float-ulp-revisions.csv`, "utf8");
    const pairs = [...text.matchAll(/"([^"]+)","([^"]+)"/g)];
    expect(pairs.length).toBeGreaterThan(5);
    for (const [, before, after] of pairs) {
      const volumes = [before, after].map((s) => Number(s?.split(",")[4]));
      const [a, b] = volumes.map((volume) => candleAt(0, { volume }));
      expect(a?.volume).not.toBe(b?.volume as number);
      expect(sameCandle(a as never, b as never)).toBe(true);
    }
  });
});
