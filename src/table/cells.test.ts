import { describe, expect, test } from "bun:test";
import type { TableColumn } from "../models/table-columns.ts";
import { type CellForm, isRefusal, readJson, readText } from "./cells.ts";
import { parseNumber } from "./number.ts";

const form: CellForm = { trim: true, decimal: ".", missing: new Set(["", "?", "NaN"]) };
const number = (more: object = {}): TableColumn => ({
  ...{ name: "n", type: "number", integer: false, required: false },
  ...more,
});
const category = (more: object = {}): TableColumn => ({
  ...{ name: "c", type: "category", required: false },
  ...more,
});

/** The cell, or the reason of the refusal. */
const text = (column: TableColumn, given: string, as: Partial<CellForm> = {}) => {
  const cell = readText(column, given, { ...form, ...as });
  return isRefusal(cell) ? cell.reason : cell;
};
const json = (column: TableColumn, given: unknown) => {
  const cell = readJson(column, given, form);
  return isRefusal(cell) ? cell.reason : cell;
};

describe("numbers as text", () => {
  const good: [string, number][] = [
    ...([
      ["5", 5],
      ["-5", -5],
      ["+5.", 5],
      [".5", 0.5],
      ["1e3", 1000],
      ["1E-3", 0.001],
    ] as const),
    ...([
      ["007", 7],
      ["-0", 0],
      ["9007199254740993", 9007199254740992],
    ] as const),
  ].map(([given, value]) => [given, value]);
  test.each(good)("%p is %p", (given, value) => {
    expect(Object.is(parseNumber(given), value)).toBe(true);
  });

  test.each([
    ...["", " ", "0x10", "1e999", "-1e999", "NaN", "Infinity", "1,5", "1_000", "1 000", "5-", "e5"],
    ...[".", "٣", "１", "1e", "true", "null", "--1", "1.2.3"],
  ])("%p is none", (given) => {
    expect(parseNumber(given)).toBeNull();
  });

  test("with a decimal comma, the point is none", () => {
    expect(parseNumber("1,5", ",")).toBe(1.5);
    expect(parseNumber(",5e1", ",")).toBe(5);
    expect(parseNumber("1.5", ",")).toBeNull();
    expect(parseNumber("1.000,5", ",")).toBeNull();
  });
});

test("D12: what stands for a missing value is the same in a file and in a request", () => {
  for (const column of [number(), category()]) {
    for (const given of ["", " ", "?", " ? ", "NaN"]) expect(text(column, given)).toBeNull();
    for (const given of ["", "?", "NaN", null, undefined]) expect(json(column, given)).toBeNull();
  }
  expect(text(category(), "nan")).toBe("nan");
  expect(text(category({ required: true }), "?")).toBe("missing_value");
  expect(json(number({ required: true }), null)).toBe("missing_value");
});

test("a number has its range", () => {
  const age = number({ min: 0, max: 120, integer: true });
  expect(text(age, " 17 ")).toBe(17);
  expect(text(age, "120.0")).toBe(120);
  expect(text(age, "17.5")).toBe("not_whole");
  expect(text(age, "-1")).toBe("out_of_range");
  expect(text(age, "121")).toBe("out_of_range");
  expect(text(age, "old")).toBe("bad_number");
  expect(text(number(), "9007199254740993")).toBe("out_of_range");
  expect(text(number(), "1e999")).toBe("bad_number");
});

test("D15: six values of a request, each with a defined answer", () => {
  const column = number({ integer: true });
  expect(json(column, 5)).toBe(5);
  expect(json(column, "5")).toBe("bad_number");
  expect(json(column, true)).toBe("bad_number");
  expect(json(column, 5.5)).toBe("not_whole");
  expect(json(column, 2 ** 53 + 2)).toBe("out_of_range");
  expect(json(column, [5])).toBe("bad_number");
  expect(json(number(), Number.POSITIVE_INFINITY)).toBe("out_of_range");
  expect(Object.is(json(number(), -0), 0)).toBe(true);
});

test("a category is a text, or the digits of a whole number", () => {
  expect(json(category(), "a")).toBe("a");
  expect(json(category(), " a ")).toBe("a");
  expect(json(category(), 1040)).toBe("1040");
  for (const value of [true, 1.5, {}, [], 2 ** 60]) {
    expect(json(category(), value)).toBe("unknown_level");
  }
});

test("D13: declared levels are all there are, letter by letter", () => {
  const city = category({ levels: ["a", "b"] });
  expect(text(city, " a")).toBe("a");
  expect(text(city, "A")).toBe("unknown_level");
  expect(text(city, "zzz")).toBe("unknown_level");
  expect(text(city, " a", { trim: false })).toBe("unknown_level");
});
