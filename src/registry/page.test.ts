import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import * as v from "valibot";
import { SluiceError } from "../errors.ts";
import { keysIn, pageLimit, pageOf } from "./page.ts";

const keys = v.strictTuple([v.number(), v.string()]);

const tokenFor = (...parts: unknown[]): string => pageOf([parts, parts], 1, (part) => part).next!;

describe("tokens", () => {
  test("give back the keys they were made of", () => {
    fc.assert(
      fc.property(fc.integer(), fc.string(), (number, text) => {
        expect(keysIn(tokenFor(number, text), keys)).toEqual([number, text]);
      }),
    );
  });

  test("no token is the first page", () => {
    expect(keysIn(undefined, keys)).toBeNull();
  });

  test.each(["", "x", "%%%", "null", tokenFor(1), tokenFor("1", "a"), tokenFor(1, "a", 2)])(
    "%j is refused",
    (token) => {
      try {
        keysIn(token, keys);
        throw new Error("it was taken");
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(SluiceError);
        expect(thrown).toMatchObject({ code: "bad_token", status: 422 });
      }
    },
  );
});

describe("pageOf", () => {
  const rows = [1, 2, 3];

  test("has a next only when there are more rows than the limit", () => {
    expect(pageOf(rows, 3, (row) => [row])).toEqual({ items: rows, next: null });
    const page = pageOf(rows, 2, (row) => [row]);
    expect(page.items).toEqual([1, 2]);
    expect(keysIn(page.next!, v.strictTuple([v.number()]))).toEqual([2]);
    expect(pageOf([], 2, (row) => [row])).toEqual({ items: [], next: null });
  });
});

describe("pageLimit", () => {
  test.each([0, -1, 1.5, Number.NaN, 1_001, Number.POSITIVE_INFINITY])("refuses %p", (limit) => {
    expect(() => pageLimit(limit)).toThrow(`A page of ${limit} items was asked for.`);
  });

  test.each([1, 1_000])("takes %p", (limit) => {
    expect(pageLimit(limit)).toBe(limit);
  });
});
