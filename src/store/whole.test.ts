import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { exactJson, isWholeText, jsonWhole, wholeOf } from "./whole.ts";

const MAX = 2n ** 63n - 1n;
const MIN = -(2n ** 63n);
const SAFE = BigInt(Number.MAX_SAFE_INTEGER);
/** Any of 64 bits, and those about 2^53, where the kind changes. */
const any = fc.oneof(
  fc.bigInt(MIN, MAX),
  fc.bigInt(SAFE - 3n, SAFE + 3n),
  fc.bigInt(-SAFE - 3n, -SAFE + 3n),
  fc.bigInt(-3n, 3n),
);

describe("whole numbers of 64 bits", () => {
  test("are numbers while those are exact, and keep all digits on every way", () => {
    fc.assert(
      fc.property(any, (value) => {
        const whole = wholeOf(String(value));
        expect(BigInt(whole)).toBe(value);
        expect(typeof whole).toBe(value >= -SAFE && value <= SAFE ? "number" : "bigint");
        expect(wholeOf(value)).toBe(whole);
        expect(JSON.stringify([jsonWhole(whole)])).toBe(`[${value}]`);
        expect(exactJson(`{"a":[${value}, 0.5]}`)).toEqual({ a: [whole, 0.5] });
        expect(isWholeText(String(value))).toBeTrue();
      }),
    );
  });

  test("have one order, whatever kind they are", () => {
    fc.assert(
      fc.property(any, any, (a, b) => {
        expect([wholeOf(a) < wholeOf(b), wholeOf(a) === wholeOf(b)]).toEqual([a < b, a === b]);
      }),
    );
  });

  test("in JSON are those that are written so; other numbers stay what they are", () => {
    const text =
      '[1e18, 1e300, -1e19, 9007199254740993.0, 18446744073709551615, "9007199254740993"]';
    expect(exactJson(text)).toEqual([
      ...[10n ** 18n, 1e300, -(10n ** 19n), 2n ** 53n, 2n ** 64n - 1n, "9007199254740993"],
    ]);
  });

  test.each(["", "-", "+1", "1.5", "1e3", "0x1", " 1", "9223372036854775808", "9".repeat(30)])(
    "%p is none",
    (text) => expect(isWholeText(text)).toBeFalse(),
  );
});
