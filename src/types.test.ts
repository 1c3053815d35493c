import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { CLOSE_GRACE_MS, iso, newestClosed, slotOf, UNIT_MS } from "./types.ts";

const instants = fc.integer({
  min: Date.parse("2017-09-25T00:00:00Z"),
  max: Date.parse("2100-01-01T00:00:00Z"),
});

describe("slotOf", () => {
  test("is the boundary at 00, 04, 08, 12, 16 or 20 o'clock UTC at or before", () => {
    const at = (text: string) => iso(slotOf(Date.parse(text)));
    expect(at("2025-07-01T00:00:00Z")).toBe("2025-07-01T00:00:00Z");
    expect(at("2025-07-01T03:59:59.999Z")).toBe("2025-07-01T00:00:00Z");
    expect(at("2025-07-01T23:00:00Z")).toBe("2025-07-01T20:00:00Z");
    // 08:59:59 in Korea is the evening before.
    expect(at("2025-07-01T08:59:59+09:00")).toBe("2025-06-30T20:00:00Z");
  });

  test("of a slot is itself", () => {
    fc.assert(
      fc.property(instants, (t) => {
        const slot = slotOf(t);
        expect(slotOf(slot)).toBe(slot);
        expect(t - slot).toBeGreaterThanOrEqual(0);
        expect(t - slot).toBeLessThan(UNIT_MS);
        expect(new Date(slot).getUTCHours() % 4).toBe(0);
      }),
    );
  });
});

describe("newestClosed", () => {
  test("changes when the grace after an end is over, not before", () => {
    const end = Date.parse("2025-07-01T04:00:00Z");
    expect(newestClosed(end + CLOSE_GRACE_MS - 1)).toBe(end - 2 * UNIT_MS);
    expect(newestClosed(end + CLOSE_GRACE_MS)).toBe(end - UNIT_MS);
  });

  test("has always ended at least the grace ago", () => {
    fc.assert(
      fc.property(instants, (now) => {
        const end = newestClosed(now) + UNIT_MS;
        expect(now - end).toBeGreaterThanOrEqual(CLOSE_GRACE_MS);
        expect(now - end).toBeLessThan(UNIT_MS + CLOSE_GRACE_MS);
      }),
    );
  });
});

test("iso names the second, and the milliseconds only where there are some", () => {
  expect(iso(0)).toBe("1970-01-01T00:00:00Z");
  expect(iso(1_234)).toBe("1970-01-01T00:00:01.234Z");
  fc.assert(fc.property(instants, (t) => expect(Date.parse(iso(t))).toBe(t)));
});
