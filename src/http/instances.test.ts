import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SluiceError } from "../errors.ts";
import { MAX_ROWS, rowsOfJson } from "./instances.ts";

const COLUMNS = ["a", "b"];

function faultsOf(body: unknown): readonly { path: string; message: string }[] {
  try {
    rowsOfJson(body, COLUMNS);
  } catch (thrown) {
    if (thrown instanceof SluiceError && thrown.status === 422) return thrown.faults;
    throw thrown;
  }
  return [];
}

describe("rowsOfJson", () => {
  test("puts columns in the model's order, missing ones as NaN", () => {
    const body = {
      instances: [
        { b: 2, a: 1 },
        { a: null, b: -0.5 },
      ],
    };
    const { features, rows } = rowsOfJson(body, COLUMNS);
    expect(rows).toBe(2);
    expect([...features]).toEqual([1, 2, Number.NaN, -0.5]);
  });

  test("takes any finite numbers within 2^53 as float32", () => {
    const number = fc.double({ noNaN: true, min: -(2 ** 53) + 1, max: 2 ** 53 - 1 });
    fc.assert(
      fc.property(fc.array(fc.tuple(number, number), { minLength: 1 }), (rows) => {
        const made = rowsOfJson({ instances: rows.map(([a, b]) => ({ a, b })) }, COLUMNS);
        expect([...made.features]).toEqual(rows.flat().map(Math.fround));
      }),
    );
  });

  test.each<[string, unknown]>([
    ["null", null],
    ["an array", []],
    ["a number", 5],
    ["a text", "x"],
    ["nothing in it", {}],
    ["no rows", { instances: [] }],
    ["rows that are an object", { instances: {} }],
    ["a row that is an array", { instances: [[]] }],
    ["a row that is null", { instances: [null] }],
    ["a row without columns", { instances: [{}] }],
    ["something beside", { instances: [{ a: 1, b: 1 }], explain: true }],
    ["a prototype", JSON.parse('{"instances":[{"a":1,"b":1,"__proto__":1}]}')],
    ["an inherited name", { instances: [{ a: 1, constructor: 1 }] }],
  ])("%s is refused", (_, body) => {
    expect(faultsOf(body).length).toBeGreaterThan(0);
  });

  test.each<[string, unknown]>([
    ["a text", "5"],
    ["an empty text", ""],
    ["NaN as text", "NaN"],
    ["Infinity as text", "Infinity"],
    ["true", true],
    ["an object", {}],
    ["an array", [1]],
    ["1e999", JSON.parse("1e999")],
    ["-1e999", JSON.parse("-1e999")],
    ["2^53 + 1", JSON.parse("9007199254740993")],
    ["more than float32 holds", 1e300],
  ])("%s is no number of a column", (_, value) => {
    const faults = faultsOf({
      instances: [
        { a: 1, b: 1 },
        { a: 1, b: value },
      ],
    });
    expect(faults.map(({ path }) => path)).toEqual(["instances[1].b"]);
  });

  test("tells every fault with its path", () => {
    const faults = faultsOf({ instances: [{ a: "1", c: 2 }, 7, { a: 1, b: 2 }, { b: null }] });
    expect(faults).toEqual([
      { path: "instances[0].c", message: "is no column of the model" },
      { path: "instances[0].a", message: 'expected a number or null, not "1"' },
      { path: "instances[0].b", message: "is missing; give null if not known" },
      { path: "instances[1]", message: "expected an object of columns, not 7" },
      { path: "instances[3].a", message: "is missing; give null if not known" },
    ]);
  });

  test("counts the faults beyond a thousand instead of telling them", () => {
    const faults = faultsOf({ instances: Array.from({ length: 900 }, () => ({})) });
    expect(faults.length).toBe(1_001);
    expect(faults.at(-1)).toEqual({ path: "", message: "800 more" });
  });

  test("takes as many rows as the cap, and not one more", () => {
    const rows = (n: number) => ({ instances: Array.from({ length: n }, () => ({ a: 1, b: 2 })) });
    expect(rowsOfJson(rows(MAX_ROWS), COLUMNS).rows).toBe(10_000);
    expect(() => rowsOfJson(rows(MAX_ROWS + 1), COLUMNS)).toThrow(
      expect.objectContaining({ code: "too_many_rows", status: 413 }),
    );
  });
});
