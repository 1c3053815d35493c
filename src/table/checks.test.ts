import { describe, expect, test } from "bun:test";
import { makeRandom } from "../learn/random.ts";
import type { Column } from "../learn/types.ts";
import type { TableFile } from "../models.ts";
import { CHECKS, type CheckName, checkTable } from "./checks.ts";
import { stabilityIndex } from "./drift.ts";
import { SMALL, tableModel } from "./fixture.ts";
import { toldBy } from "./leak.ts";
import type { LoadedTable } from "./rows.ts";

const usual = tableModel(SMALL).checks;
const checks = (text: string): TableFile["checks"] => tableModel(SMALL, `[checks]\n${text}`).checks;

const numbers = (name: string, values: ArrayLike<number>): Column => ({
  ...{ name, kind: "number", values: Float32Array.from(values) },
});
const levels = (name: string, codes: ArrayLike<number>): Column => ({
  ...{ name, kind: "category", codes: Int32Array.from(codes) },
  levels: Array.from({ length: Math.max(0, ...Array.from(codes)) + 1 }, (_, i) => `level ${i}`),
});

const ROWS = 600;
const TRAIN = 400;
const random = makeRandom(3);
const drawn = (make: () => number) => Array.from({ length: ROWS }, make);
const label = drawn(() => (random.next() < 0.3 ? 1 : 0));
const noise = () =>
  numbers(
    "noise",
    drawn(() => random.next()),
  );

/** A table in order, with columns and more put in place. */
const tableOf = (columns: Column[], more: Partial<LoadedTable> = {}): LoadedTable => ({
  frame: { rows: ROWS, columns },
  target: Float64Array.from(label),
  weight: null,
  part: Uint8Array.from({ length: ROWS }, (_, i) => (i < TRAIN ? 0 : 1)),
  classes: ["no", "yes"],
  digest: "",
  identity: BigUint64Array.from({ length: ROWS }, (_, i) => BigInt(i)),
  unseen: {},
  refused: 0,
  ...more,
});

const check = (name: CheckName, table: LoadedTable, section = usual) => {
  const found = checkTable(table, section).find((one) => one.name === name);
  if (found === undefined) throw new Error(`${name} was not looked at`);
  return found;
};

test("rows that are in order pass every check, each with what it saw", () => {
  const found = checkTable(
    tableOf([
      noise(),
      levels(
        "city",
        drawn(() => random.integer(5)),
      ),
    ]),
    usual,
  );
  expect(found.map(({ name }) => name)).toEqual([...CHECKS]);
  for (const { name, verdict, detail, columns } of found) {
    expect([name, verdict, columns]).toEqual([name, "pass", []]);
    expect(detail).toMatch(/^[A-Z0-9].*\.$/);
  }
});

describe("the target", () => {
  test("T5: one class fails", () => {
    const target = new Float64Array(ROWS);
    expect(check("one_class", tableOf([noise()], { target }))).toMatchObject({
      ...{ verdict: "fail", detail: "All 400 rows to learn from have no." },
    });
    // Classes that only rows to be tested on have are not learned.
    target.fill(1, TRAIN);
    expect(check("one_class", tableOf([noise()], { target })).verdict).toBe("fail");
  });

  test("T5: one row among 399 is told", () => {
    const target = new Float64Array(ROWS);
    target[5] = 1;
    const table = tableOf([noise()], { target });
    expect(check("one_class", table).verdict).toBe("pass");
    expect(check("rare_class", table)).toMatchObject({ verdict: "warn" });
    expect(check("rare_class", table).detail).toContain("yes 1");
  });

  test("a number that never changes fails like one class", () => {
    const table = tableOf([noise()], { target: new Float64Array(ROWS).fill(7), classes: [] });
    expect(check("one_class", table)).toMatchObject({ verdict: "fail" });
    expect(check("rare_class", table).verdict).toBe("pass");
  });

  test("no rows at all", () => {
    const part = new Uint8Array(ROWS).fill(1);
    expect(check("one_class", tableOf([noise()], { part })).verdict).toBe("fail");
  });
});

describe("columns that say nothing", () => {
  const empty = numbers(
    "empty",
    drawn(() => Number.NaN),
  );
  const same = levels(
    "same",
    drawn(() => 0),
  );
  const holed = numbers(
    "holed",
    Array.from({ length: ROWS }, (_, i) => (i % 3 === 0 ? NaN : 1)),
  );

  test("are named, a column that is missing in some rows is not", () => {
    const table = tableOf([noise(), empty, same, holed]);
    expect(check("all_missing", table)).toMatchObject({ verdict: "warn", columns: ["empty"] });
    expect(check("constant", table)).toMatchObject({ verdict: "warn", columns: ["same"] });
  });

  test("identifiers are named: levels that never come again, and numbers that count", () => {
    const ids = levels(
      "id",
      Array.from({ length: ROWS }, (_, i) => i),
    );
    const counted = numbers(
      "row",
      Array.from({ length: ROWS }, (_, i) => 10 + i),
    );
    const table = tableOf([noise(), ids, counted]);
    expect(check("identifier", table)).toMatchObject({ verdict: "warn", columns: ["id", "row"] });
    // What never comes again cannot tell the target out of sample.
    expect(check("leak", table).verdict).toBe("pass");
  });
});

describe("T4: a column that is the target under another name", () => {
  const leaks: [string, Column][] = [
    ["as it is", numbers("x", label)],
    [
      "turned round",
      numbers(
        "x",
        label.map((y) => 5 - y),
      ),
    ],
    [
      "as a threshold of a number",
      numbers(
        "x",
        label.map((y) => y * 10 + random.next()),
      ),
    ],
    [
      "as levels",
      levels(
        "x",
        label.map((y) => 2 * random.integer(4) + y),
      ),
    ],
    [
      "by what is missing",
      numbers(
        "x",
        label.map((y) => (y === 1 ? NaN : random.next())),
      ),
    ],
    [
      "by stretches of a number, neither high nor low",
      numbers(
        "x",
        label.map((y) => 10 * random.integer(6) + 5 * y),
      ),
    ],
  ];
  test.each(leaks)("%s", (_, column) => {
    const found = check("leak", tableOf([noise(), column]));
    expect(found).toMatchObject({ verdict: "fail", columns: ["x"] });
    expect(found.detail).toContain("AUC alone");
  });

  test("one that tells a lot is none", () => {
    const column = numbers(
      "x",
      label.map((y) => y + 2 * random.next()),
    );
    const told = toldBy(column, Int32Array.from(label.keys()), {
      ...{ target: Float64Array.from(label), classes: 2 },
    });
    expect(told).toBeGreaterThan(0.8);
    expect(told).toBeLessThan(0.99);
    expect(check("leak", tableOf([column])).verdict).toBe("pass");
  });

  test("of three classes, one of them is enough", () => {
    const target = Float64Array.from(drawn(() => random.integer(3)));
    const column = levels(
      "x",
      target.map((y) => (y === 2 ? 1 : 0)),
    );
    const table = tableOf([noise(), column], { target, classes: ["a", "b", "c"] });
    expect(check("leak", table)).toMatchObject({ verdict: "fail", columns: ["x"] });
  });

  test("of a number, by the share of its variance", () => {
    const target = Float64Array.from(drawn(() => random.next() * 100));
    const rows = Int32Array.from(target.keys());
    const told = (column: Column) => toldBy(column, rows, { target, classes: 0 }) ?? -1;
    expect(
      told(
        levels(
          "x",
          target.map((y) => Math.floor(y / 5)),
        ),
      ),
    ).toBeGreaterThan(0.99);
    expect(told(noise())).toBeLessThan(0.1);
  });
});

describe("rows that come again", () => {
  test("among those to learn from, and in both parts", () => {
    const identity = BigUint64Array.from({ length: ROWS }, (_, i) => BigInt(i));
    for (let i = 0; i < 10; i++) identity[i] = 399n;
    for (let i = 0; i < 5; i++) identity[TRAIN + i] = 399n;
    const table = tableOf([noise()], { identity });
    expect(check("duplicates", table)).toMatchObject({ verdict: "warn" });
    expect(check("duplicates", table).detail).toContain("10 rows");
    expect(check("overlap", table)).toMatchObject({ verdict: "warn" });
    expect(check("overlap", table).detail).toContain("5 rows");
    expect(check("overlap", table, checks('overlap = "fail"')).verdict).toBe("fail");
    expect(check("overlap", table, checks("max_overlap = 0.03")).verdict).toBe("pass");
  });
});

describe("rows to be tested on that are of another kind", () => {
  const moved = numbers(
    "moved",
    Array.from({ length: ROWS }, (_, i) => random.next() + (i < TRAIN ? 0 : 1)),
  );

  test("drift is told by column", () => {
    const found = check("drift", tableOf([noise(), moved]));
    expect(found).toMatchObject({ verdict: "warn", columns: ["moved"] });
  });

  test("and of the target too", () => {
    const target = Float64Array.from({ length: ROWS }, (_, i) => (i < TRAIN ? i % 2 : 1));
    expect(check("drift", tableOf([noise()], { target })).columns).toEqual(["the target"]);
  });

  test("few rows of many levels are no drift", () => {
    const many = levels(
      "many",
      drawn(() => random.integer(80)),
    );
    const [from, to] = [
      Int32Array.from({ length: 400 }, (_, i) => i),
      Int32Array.from({ length: 60 }, (_, i) => 400 + i),
    ];
    expect(stabilityIndex(many, from, to)).toBeLessThan(0.25);
  });

  test("levels that were never learned are told where they are many", () => {
    const table = tableOf([noise()], { unseen: { city: 50, town: 1 } });
    expect(check("unseen_levels", table)).toMatchObject({ verdict: "warn", columns: ["city"] });
    expect(check("unseen_levels", table).detail).toContain("town 1");
  });

  test("without rows to be tested on there is nothing to tell", () => {
    const table = tableOf([moved], { part: new Uint8Array(ROWS), unseen: { city: 5 } });
    for (const name of ["drift", "unseen_levels", "overlap"] as const) {
      expect(check(name, table).verdict).toBe("pass");
    }
  });
});

test("refused rows are told; a check that is off is not looked at", () => {
  const table = tableOf([numbers("x", label)], { refused: 3 });
  expect(check("refused", table)).toMatchObject({ verdict: "warn" });
  expect(check("leak", table, checks('leak = "off"')).verdict).toBe("off");
  expect(check("leak", table, checks('leak = "warn"')).verdict).toBe("warn");
});
