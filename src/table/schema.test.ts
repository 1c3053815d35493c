import { describe, expect, test } from "bun:test";
import type { SluiceError } from "../errors.ts";
import { column, SMALL, tableModel } from "./fixture.ts";
import { isRefused, tableReader } from "./schema.ts";

const small = tableReader(tableModel(SMALL).table);
const row = (reader: typeof small, ...cells: string[]) => {
  const read = reader.row(cells, reader.positions);
  return isRefused(read) ? [read.reason, read.column] : [...read];
};

describe("a header", () => {
  test("may have another order, and spaces", () => {
    const layout = small.places([" y", "age ", "city"]);
    expect(small.row(["yes", "5", "a"], layout)).toEqual([5, "a", "yes"]);
  });

  test.each([
    [["age", "city"], "is missing"],
    [["age", "city", "y", "extra"], "is no column"],
    [["age", "city", "y", "age"], "named twice"],
    [["Age", "city", "y"], '"age" is missing'],
    [["1", "2", "3"], "and 1 more"],
  ])("%p is refused", (names, message) => {
    try {
      small.places(names);
      throw new Error("it was accepted");
    } catch (thrown) {
      expect((thrown as SluiceError).code).toBe("bad_header");
      expect((thrown as SluiceError).message).toContain(message);
      expect((thrown as SluiceError).faults.length).toBeGreaterThan(0);
    }
  });
});

describe("a row", () => {
  test("is refused for the first thing that is wrong with it", () => {
    expect(row(small, "5", "a", "yes")).toEqual([5, "a", "yes"]);
    expect(row(small, "5", "?", "no")).toEqual([5, null, "no"]);
    expect(row(small, "5", "a")).toEqual(["wrong_width", null]);
    expect(row(small, "5", "a", "yes", "")).toEqual(["wrong_width", null]);
    expect(row(small, "x", "a", "maybe")).toEqual(["bad_number", "age"]);
    expect(row(small, "5", "a\0", "yes")).toEqual(["control_character", "city"]);
    expect(row(small, "5", "a", "")).toEqual(["missing_target", "y"]);
    expect(row(small, "5", "a", "Yes")).toEqual(["unknown_label", "y"]);
  });

  test("D11: labels are mapped, those of Object among them are not", () => {
    const { table } = tableModel(
      SMALL,
      '[table.target]\ncolumn = "y"\nkind = "binary"\npositive = ">50K"\nlabels = { "<=50K." = "<=50K", ">50K." = ">50K" }',
    );
    const reader = tableReader(table);
    for (const label of [">50K", " >50K.", ">50K. "]) {
      expect(row(reader, "5", "a", label)).toEqual([5, "a", ">50K"]);
    }
    for (const label of ["50K", ">50k", "constructor", "__proto__"]) {
      expect(row(reader, "5", "a", label)).toEqual(["unknown_label", "y"]);
    }
  });

  test("labels that the file does not name are taken as they come", () => {
    const open = '[table.target]\ncolumn = "y"\nkind = "multiclass"';
    expect(row(tableReader(tableModel(SMALL, open).table), "5", "a", "new")).toEqual([
      5,
      "a",
      "new",
    ]);
  });

  test("counts are whole from 0, weights are from 0", () => {
    const { table } = tableModel(
      column("a", "category") + column("n", "number") + column("w", "number"),
      '[table.target]\ncolumn = "n"\nkind = "count"\n[table.weight]\ncolumn = "w"',
    );
    const reader = tableReader(table);
    expect(row(reader, "a", "3", "0.5")).toEqual(["a", 3, 0.5]);
    expect(row(reader, "a", "0", "0")).toEqual(["a", 0, 0]);
    expect(row(reader, "a", "2.5", "1")).toEqual(["bad_count", "n"]);
    expect(row(reader, "a", "-1", "1")).toEqual(["bad_count", "n"]);
    expect(row(reader, "a", "", "1")).toEqual(["missing_target", "n"]);
    expect(row(reader, "a", "1", "-1")).toEqual(["bad_weight", "w"]);
    expect(row(reader, "a", "1", "")).toEqual(["bad_weight", "w"]);
  });
});
