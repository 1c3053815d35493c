import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseInstant } from "./instant.ts";

describe("parseInstant", () => {
  test.each([
    ["2025-01-01T00:00:00Z", Date.UTC(2025, 0, 1)],
    ["2025-01-01T00:00Z", Date.UTC(2025, 0, 1)],
    ["2025-01-01T09:00:00+09:00", Date.UTC(2025, 0, 1)],
    ["2024-12-31T19:30:00-04:30", Date.UTC(2025, 0, 1)],
    ["2025-01-01T00:00:00.25Z", Date.UTC(2025, 0, 1) + 250],
    ["2024-02-29T00:00:00Z", Date.UTC(2024, 1, 29)],
  ])("%s", (text, instant) => {
    expect(parseInstant(text)).toBe(instant);
  });

  test.each([
    "",
    "2025-01-01",
    "2025-01-01T00:00:00",
    "2025-01-01 00:00:00Z",
    "2025-01-01T00:00:00z ",
    "2025-02-30T00:00:00Z",
    "2025-02-29T00:00:00Z",
    "2025-13-01T00:00:00Z",
    "2025-00-01T00:00:00Z",
    "2025-01-01T24:00:00Z",
    "2025-01-01T00:60:00Z",
    "2025-01-01T00:00:00+25:00",
    "2025-01-01T00:00:00 09:00",
    "1735689600000",
    "now",
    "20250101T000000Z",
  ])("%s is none", (text) => {
    expect(parseInstant(text)).toBeNull();
  });

  test("gives back what toISOString writes", () => {
    const instants = fc.integer({ min: Date.UTC(1970, 0, 1), max: Date.UTC(2099, 0, 1) });
    fc.assert(
      fc.property(instants, (instant) => {
        expect(parseInstant(new Date(instant).toISOString())).toBe(instant);
      }),
    );
  });
});
