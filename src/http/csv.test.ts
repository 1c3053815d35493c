import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SluiceError } from "../errors.ts";
import { stopwatch } from "../testing.ts";
import { rowsOfCsv } from "./csv.ts";
import { rowsOfJson } from "./instances.ts";

const COLUMNS = ["a", "b"];

function faultsOf(text: string): readonly { path: string; message: string }[] {
  try {
    rowsOfCsv(text, COLUMNS);
  } catch (thrown) {
    if (thrown instanceof SluiceError && thrown.status === 422) return thrown.faults;
    throw thrown;
  }
  return [];
}

const valuesOf = (text: string): number[] => [...rowsOfCsv(text, COLUMNS).features];

describe("rowsOfCsv", () => {
  test.each([
    ["line feeds", "a,b\n1,2\n3,4\n"],
    ["carriage returns too", "a,b\r\n1,2\r\n3,4\r\n"],
    ["no break at the end", "a,b\n1,2\n3,4"],
    ["another order of columns", "b,a\n2,1\n4,3\n"],
    ["quotation marks", '"a","b"\n"1",2\n3,"4"\n'],
    ["spaces around", "a, b\n 1,2 \n3 ,4\n"],
    ["other forms of numbers", "a,b\n+1,2.\n3e0,.4E1\n"],
  ])("%s", (_, text) => {
    expect(valuesOf(text)).toEqual([1, 2, 3, 4]);
  });

  test("an empty cell is missing and not 0", () => {
    expect(valuesOf('a,b\n,2\n"",\n')).toEqual([Number.NaN, 2, Number.NaN, Number.NaN]);
  });

  test.each([
    "0x10",
    "NaN",
    "Infinity",
    "1e999",
    "1,5",
    "1_000",
    "true",
    "-",
    ".",
    "e5",
    "9007199254740993",
    "１",
  ])("%s is no number", (cell) => {
    expect(faultsOf(`a,b\n1,"${cell}"\n`)).toEqual([
      { path: "line 2: b", message: "expected a finite number within 2^53, or nothing" },
    ]);
  });

  test.each([
    ["nothing", "", "line 1: a"],
    ["only a header", "a,b\n", "line 2"],
    ["a missing column", "a\n1\n", "line 1: b"],
    ["an unknown column", "a,b,c\n1,2,3\n", "line 1: c"],
    ["a column twice", "a,b,a\n1,2,3\n", "line 1: a"],
    ["a cell too few", "a,b\n1\n", "line 2"],
    ["a cell too many", "a,b\n1,2,3\n", "line 2"],
    ["an empty line", "a,b\n1,2\n\n3,4\n", "line 3"],
    ["a torn quotation", 'a,b\n"1,2\n', "line 2"],
    ["something behind a quotation", 'a,b\n"1"2,3\n', "line 2"],
  ])("%s is told with its line", (_, text, path) => {
    expect(faultsOf(text).map((fault) => fault.path)).toContain(path);
  });

  test("reads as the same rows in JSON do", () => {
    const cell = fc.option(fc.double({ noNaN: true, min: -1e15, max: 1e15 }), { nil: null });
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 20 }), (rows) => {
        const text = ["a,b", ...rows.map((row) => row.map((x) => x ?? "").join(","))].join("\r\n");
        const json = rowsOfJson({ instances: rows.map(([a, b]) => ({ a, b })) }, COLUMNS);
        // -0 is written as 0 by String.
        expect(valuesOf(text).map((x) => x + 0)).toEqual([...json.features].map((x) => x + 0));
      }),
    );
  });

  test("refuses more rows than the cap", () => {
    expect(() => rowsOfCsv(`a,b\n${"1,2\n".repeat(10_001)}`, COLUMNS)).toThrow(
      expect.objectContaining({ code: "too_many_rows", status: 413 }),
    );
  });
});

test("what is no table is refused before it is read whole", () => {
  const size = 4 << 20;
  for (const text of [",".repeat(size), `a\n"${'""'.repeat(size >> 1)}`, "a\n".repeat(size >> 1)]) {
    const watch = stopwatch();
    expect(() => rowsOfCsv(text, ["a"])).toThrow();
    expect(watch.ms()).toBeLessThan(watch.promised(500));
  }
});
