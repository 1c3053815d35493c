import { describe, expect, test } from "bun:test";
import type { SluiceError } from "../errors.ts";
import type { TableFile } from "../models.ts";
import type { Cell } from "./cells.ts";
import { column, SMALL, tableModel } from "./fixture.ts";
import { loadRows, type StoredPart } from "./load.ts";

const small = tableModel(SMALL);
const partOf = (part: "train" | "test", rows: Cell[][], refused = 0): StoredPart => ({
  ...{ file: `${part}.csv`, part, refused },
  cells: rows.map((row) => JSON.stringify(row)),
});
const load = (parts: StoredPart[], { table }: TableFile = small) => loadRows(table, parts);

const TRAIN: Cell[][] = [
  [30, "b", "yes"],
  [null, null, "no"],
  [50, "a", "no"],
];

describe("typed columns", () => {
  const table = load([
    partOf("test", [
      [1, "z", "yes"],
      [2, "b", "no"],
    ]),
    partOf("train", TRAIN, 2),
  ]);

  test("the rows to learn from come first, whatever the order of the files", () => {
    expect([...table.part]).toEqual([0, 0, 0, 1, 1]);
    expect([...table.target]).toEqual([1, 0, 0, 1, 0]);
    expect(table.classes).toEqual(["no", "yes"]);
    expect(table.weight).toBeNull();
    expect(table.refused).toBe(2);
  });

  test("numbers are float32 with NaN where missing", () => {
    const [age] = table.frame.columns;
    expect(age).toMatchObject({ name: "age", kind: "number" });
    expect(age?.kind === "number" && [...age.values]).toEqual([30, NaN, 50, 1, 2]);
  });

  test("levels are sorted, of the rows to learn from alone; others are missing, and counted", () => {
    expect(table.frame.columns[1]).toEqual({
      ...{ name: "city", kind: "category", levels: ["a", "b"] },
      codes: Int32Array.of(1, -1, 0, -1, 1),
    });
    expect(table.unseen).toEqual({ city: 1 });
  });

  test("no column is the target", () => {
    expect(table.frame.columns.map(({ name }) => name)).toEqual(["age", "city"]);
  });
});

test("levels are ordered by their characters, not by a language", () => {
  const levels = ["b", "B", "a", "é", "Z", "10", "9", "\u{1F600}", "\uFF5E"];
  const table = load([
    partOf(
      "train",
      levels.map((level) => [1, level, "no"]),
    ),
  ]);
  const city = table.frame.columns[1];
  expect(city?.kind === "category" && city.levels).toEqual([...levels].sort());
});

describe("the digest", () => {
  const digest = (parts: StoredPart[], model = small) => load(parts, model).digest;
  const one = digest([partOf("train", TRAIN)]);

  test("is the same for the same rows", () => {
    expect(one).toMatch(/^[0-9a-f]{64}$/);
    expect(digest([partOf("train", structuredClone(TRAIN), 5)])).toBe(one);
  });

  test.each([
    ["a number", [[31, "b", "yes"], ...TRAIN.slice(1)]],
    ["a level", [[30, "c", "yes"], ...TRAIN.slice(1)]],
    ["a missing value", [[30, null, "yes"], ...TRAIN.slice(1)]],
    ["a label", [[30, "b", "no"], ...TRAIN.slice(1)]],
    ["the order", TRAIN.toReversed()],
    ["a row more", [...TRAIN, [1, "a", "no"]]],
  ] as [string, Cell[][]][])("changes with %s", (_, rows) => {
    expect(digest([partOf("train", rows)])).not.toBe(one);
  });

  test("changes with the part of a row, the weight, and the name of a column", () => {
    expect(digest([partOf("train", TRAIN.slice(0, 2)), partOf("test", TRAIN.slice(2))])).not.toBe(
      one,
    );
    const weighted = tableModel(`${SMALL}${column("w", "number")}`, '[table.weight]\ncolumn = "w"');
    const rows = TRAIN.map((row) => [...row, 1]);
    expect(digest([partOf("train", rows)], weighted)).not.toBe(one);
    const renamed = tableModel(SMALL.replace('"city"', '"town"'));
    expect(digest([partOf("train", TRAIN)], renamed)).not.toBe(one);
  });
});

describe("classes that the model file does not name", () => {
  const open = (kind: string) => tableModel(SMALL, `[table.target]\ncolumn = "y"\n${kind}`);
  const binary = open('kind = "binary"\npositive = "yes"');
  const multi = open('kind = "multiclass"');
  const rows = (...labels: string[]): Cell[][] => labels.map((label) => [1, "a", label]);

  test("are those of the rows to learn from", () => {
    expect(load([partOf("train", rows("yes", "never"))], binary).classes).toEqual(["never", "yes"]);
    expect(load([partOf("train", rows("c", "a", "b"))], multi).classes).toEqual(["a", "b", "c"]);
    expect(load([partOf("train", rows("yes"))], binary).classes).toEqual(["not yes", "yes"]);
  });

  test.each([
    ["a third of two", [partOf("train", rows("yes", "no", "so"))], binary],
    ["one of the test only", [partOf("train", rows("a")), partOf("test", rows("b"))], multi],
  ] as [string, StoredPart[], TableFile][])("%s is a stranger", (_, parts, model) => {
    try {
      load(parts, model);
      throw new Error("it was accepted");
    } catch (thrown) {
      expect((thrown as SluiceError).code).toBe("unknown_label");
      expect((thrown as SluiceError).status).toBe(422);
    }
  });
});

test("numbers to foretell are themselves, and rows have weights", () => {
  const model = tableModel(
    column("a", "category") + column("n", "number") + column("w", "number"),
    '[table.target]\ncolumn = "n"\nkind = "regression"\n[table.weight]\ncolumn = "w"',
  );
  const table = load(
    [
      partOf("train", [
        ["x", 1.5, 2],
        ["y", -3, 0.1],
      ]),
    ],
    model,
  );
  expect(table.classes).toEqual([]);
  expect([...table.target]).toEqual([1.5, -3]);
  expect([...(table.weight ?? [])]).toEqual([2, 0.1]);
});

test("rows that are equal in every cell, dropped ones included, are known by that", () => {
  const model = tableModel(`${SMALL}${column("id", "drop")}`);
  const rows = [["7"], ["7"], ["8"]].map(([id]) => [30, "a", "no", id ?? null]);
  const { identity, frame } = load([partOf("train", rows)], model);
  expect(identity[0]).toBe(identity[1]!);
  expect(identity[0]).not.toBe(identity[2]!);
  expect(frame.columns).toHaveLength(2);
});
