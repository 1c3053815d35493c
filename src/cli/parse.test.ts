import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { parseDate, parsePostgres, parseScopes, parseWhole } from "./parse.ts";

describe("parseDate", () => {
  test.each([
    ["2024-01-01", Date.UTC(2024, 0, 1)],
    ["2024-02-29", Date.UTC(2024, 1, 29)],
    ["2024-01-01T04:00Z", Date.UTC(2024, 0, 1, 4)],
    ["2024-01-01T04:00:00Z", Date.UTC(2024, 0, 1, 4)],
  ])("%s", (text, instant) => {
    expect(parseDate(text)).toBe(instant);
  });

  test.each(["", "2024-02-30", "2023-02-29", "2024-13-01", "01.02.2024", "2024", "yesterday"])(
    "%p is refused",
    (text) => {
      expect(() => parseDate(text)).toThrow("Expected a UTC day in the past");
    },
  );

  test("a time without a zone is refused: it would be the reader's own", () => {
    expect(() => parseDate("2024-01-01T04:00:00")).toThrow();
  });

  test("the future is refused", () => {
    expect(() => parseDate("2999-01-01")).toThrow("in the past");
  });

  test("every past day is read as its UTC midnight", () => {
    const min = new Date("2017-09-01");
    fc.assert(
      fc.property(fc.date({ min, max: new Date("2025-01-01"), noInvalidDate: true }), (date) => {
        const day = date.toISOString().slice(0, 10);
        expect(parseDate(day)).toBe(Date.parse(`${day}T00:00:00Z`));
      }),
    );
  });
});

describe("parseWhole", () => {
  test("takes whole numbers of the range", () => {
    expect(parseWhole(1)("12")).toBe(12);
    expect(parseWhole(1, 1_000)("1000")).toBe(1_000);
  });

  test.each(["0", "-1", "1.5", "1e3", "", " 1", "x", "99999999999999999999"])(
    "%p is refused",
    (text) => {
      expect(() => parseWhole(1)(text)).toThrow("Expected a whole number from 1 up.");
    },
  );

  test("the message tells the range", () => {
    expect(() => parseWhole(1, 10)("11")).toThrow("Expected a whole number from 1 to 10.");
  });
});

describe("parseScopes", () => {
  test("takes them one by one, by commas, and each once", () => {
    expect(parseScopes("read")).toEqual(["read"]);
    expect(parseScopes("read, predict", ["admin", "read"])).toEqual(["admin", "read", "predict"]);
  });

  test.each(["root", "", "read,", "READ"])("%p is refused", (text) => {
    expect(() => parseScopes(text)).toThrow("Expected one of read, predict, track, admin.");
  });
});

test("parsePostgres takes the address of a Postgres and no other", () => {
  for (const text of ["postgres://u:p@host:5432/name", "postgresql://host/name"]) {
    expect(parsePostgres(text)).toBe(text);
  }
  for (const text of ["mysql://host/name", "host/name", ""]) {
    expect(() => parsePostgres(text)).toThrow("Expected an address such as postgres://");
  }
});
