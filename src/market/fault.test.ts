import { describe, expect, test } from "bun:test";
import { type Fault, isWireFault, spoil } from "./fault.ts";
import { candleAt, range, row, T } from "./fixture.ts";
import { checkPage } from "./rules.ts";
import { type WireCandle, wireText, wireTime } from "./wire.ts";

const page: WireCandle[] = [3, 2, 1, 0].map((n) => ({
  candle: candleAt(n),
  lastTradeAt: T(n + 1) - 1_000,
}));

const parsed = (rows: readonly WireCandle[]) => JSON.parse(wireText(rows)) as unknown[];
const reasonsOf = (fault: Fault) => {
  const { good, refused } = checkPage(parsed(spoil(page, fault)), "KRW-BTC");
  return { good: good.length, reasons: refused.map((r) => r.reason) };
};

describe("wireText", () => {
  test("is the exchange's form, and reads back as the rows", () => {
    expect(parsed(page)).toEqual([3, 2, 1, 0].map((n) => row(n)));
    expect(wireText(page)).toContain('"opening_price":100.00000000,');
    expect(wireText(page)).toContain('"candle_date_time_kst":"2025-07-01T21:00:00"');
    expect(wireText(page)).toContain('"unit":240}');
    expect(wireText([])).toBe("[]");
    expect(wireTime(T(1))).toBe("2025-07-01T04:00:00");
  });
});

describe("spoil", () => {
  const table: [Fault["kind"], number, string[]][] = [
    ["drop", 3, []],
    ["duplicate", 4, []],
    ["unsorted", 4, []],
    ["revise", 4, []],
    ["conflict", 3, ["conflict", "conflict"]],
    ["high-below-low", 3, ["bad_range"]],
    ["null-price", 3, ["wrong_shape"]],
    ["negative-volume", 3, ["bad_amount"]],
    ["off-grid", 3, ["off_grid"]],
    ["no-time", 3, ["bad_time"]],
    ["kst-mismatch", 3, ["kst_mismatch"]],
    ["wrong-market", 0, ["wrong_market", "wrong_market", "wrong_market", "wrong_market"]],
  ];
  for (const [kind, good, reasons] of table) {
    test(`${kind}: ${good} good rows, refused ${reasons.join(", ") || "none"}`, () => {
      expect(isWireFault({ kind })).toBe(false);
      expect(reasonsOf({ kind, at: T(1) })).toEqual({ good, reasons } as never);
    });
  }

  test("revise tells another close, twice over the first", () => {
    const once = spoil(page, { kind: "revise", at: T(2) });
    expect(once[1]?.changes).toEqual({ trade_price: 90 });
    expect(once.toSpliced(1, 1)).toEqual(page.toSpliced(1, 1));
  });

  test("without a start it is the second row; a start that is not there spoils nothing", () => {
    expect(spoil(page, { kind: "drop" })).toEqual(page.toSpliced(1, 1));
    expect(spoil(page, { kind: "drop", at: T(9) })).toEqual(page);
    expect(spoil([], { kind: "drop" })).toEqual([]);
  });

  test("the page that was given is never changed", () => {
    const before = wireText(page);
    for (const [kind] of table) for (const n of range(0, 4)) spoil(page, { kind, at: T(n) });
    expect(wireText(page)).toBe(before);
  });

  test("wire faults leave the rows alone", () => {
    for (const kind of ["429", "418", "500", "reset", "slow", "stall", "redirect"] as const) {
      expect(isWireFault({ kind })).toBe(true);
      expect(spoil(page, { kind, at: T(1) })).toEqual(page);
    }
  });
});
