import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SluiceError } from "../errors.ts";
import type { TableFacts } from "../serve/table.ts";
import { MAX_ROWS } from "./instances.ts";
import { rowsOfTableCsv, rowsOfTableJson } from "./table-rows.ts";

const FACTS: TableFacts = {
  kind: "table",
  model: "income",
  task: "binary",
  target: "pay",
  columns: [
    { name: "age", type: "number", min: 0, max: 120, integer: true, required: false },
    { name: "hours", type: "number", integer: false, required: true },
    { name: "work", type: "category", required: false, seen: ["private", "state"] },
    { name: "sex", type: "category", required: false, levels: ["f", "m"], seen: ["f", "m"] },
  ],
  ignored: ["weight"],
  form: { delimiter: ",", quote: '"', trim: true, decimal: ".", missing: ["?", "NaN"] },
  unseen: "missing",
  classes: ["low", "high"],
  quantiles: [],
  threshold: 0.5,
  calibration: { slope: 1, intercept: 0 },
  trainer: "gbdt",
  dataset_digest: "d",
};
const ROW = { age: 30, hours: 40.5, work: "state", sex: "f" };

async function faultsOf(work: () => unknown): Promise<readonly string[]> {
  try {
    await work();
  } catch (thrown) {
    if (!(thrown instanceof SluiceError)) throw thrown;
    expect([thrown.status, thrown.code]).toEqual([422, "invalid_instances"]);
    return thrown.faults.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}
const jsonFaults = (instances: unknown, facts = FACTS) =>
  faultsOf(() => rowsOfTableJson({ instances }, facts));
const csvFaults = (text: string) =>
  faultsOf(() => rowsOfTableCsv(new TextEncoder().encode(text), FACTS));
/** Values and codes of each column. */
const cellsOf = ({ frame }: Awaited<ReturnType<typeof rowsOfTableCsv>>) =>
  frame.columns.map((column) => [...(column.kind === "number" ? column.values : column.codes)]);

describe("rows as JSON", () => {
  test("become typed columns in the order of the model, whatever theirs", () => {
    const other = { sex: "m", weight: 77_516, work: "private", hours: 0, age: 120 };
    const { frame, warnings } = rowsOfTableJson({ instances: [ROW, other] }, FACTS);
    expect(frame.columns.map(({ name }) => name)).toEqual(["age", "hours", "work", "sex"]);
    expect(cellsOf({ frame, warnings })).toEqual([
      [30, 120],
      [40.5, 0],
      [1, 0],
      [0, 1],
    ]);
    expect(warnings.size).toBe(0);
  });

  test("D12: everything that means missing is the same, and said where it was left out", () => {
    const without: Partial<typeof ROW> = { ...ROW };
    delete without.work;
    const forms = ["?", null, "", "NaN", " ? "].map((work) => ({ ...ROW, work }));
    const { frame, warnings } = rowsOfTableJson({ instances: [...forms, without] }, FACTS);
    expect(cellsOf({ frame, warnings })[2]).toEqual([-1, -1, -1, -1, -1, -1]);
    expect([...warnings.keys()]).toEqual([5]);
    expect(warnings.get(5)).toEqual(["work was not given; taken as missing"]);
  });

  test("D13: a level never seen is missing and told, or refused where the file says so", async () => {
    const instances = ["zzz", "Private", " private"].map((work) => ({ ...ROW, work }));
    const rows = rowsOfTableJson({ instances }, FACTS);
    // Spaces counted for nothing when the table was read, and do not here.
    expect(cellsOf(rows)[2]).toEqual([-1, -1, 0]);
    expect(rows.warnings.get(0)).toEqual([
      'work: "zzz" was not there to learn from; taken as missing',
    ]);
    expect(rows.warnings.has(2)).toBe(false);
    expect(await jsonFaults(instances, { ...FACTS, unseen: "error" })).toEqual([
      'instances[0].work: "zzz" was not there to learn from',
      'instances[1].work: "Private" was not there to learn from',
    ]);
  });

  test("D15: each fault of each row is told with its path", async () => {
    const two53 = 2 ** 53;
    expect(
      await jsonFaults([
        { ...ROW, age: 5.5 },
        { ...ROW, age: "5" },
        { ...ROW, age: true, hours: two53 },
        { ...ROW, extra: 1, pay: "high" },
        { age: 30 },
        { ...ROW, sex: "x", age: -1 },
        {},
        [],
        { ...ROW, work: { a: 1 }, hours: null },
      ]),
    ).toEqual([
      "instances[0].age: expected a whole number, not 5.5",
      'instances[1].age: expected a number or null, not "5"',
      "instances[2].age: expected a number or null, not true",
      "instances[2].hours: expected a finite number within 2^53, not 9007199254740992",
      "instances[3].extra: is no column of the model",
      "instances[3].pay: is what the model foretells",
      "instances[4].hours: is missing and is required",
      "instances[5].age: expected at least 0 and at most 120, not -1",
      'instances[5].sex: expected one of f, m, not "x"',
      "instances[6].hours: is missing and is required",
      "instances[6]: names no column that the model learned from",
      "instances[7]: expected an object of columns, not an array",
      "instances[8].hours: expected a value, found none",
      'instances[8].work: expected a text or null, not {"a":1}',
    ]);
  });

  test("names of an object's own are no columns", async () => {
    for (const name of ["__proto__", "constructor", "toString"]) {
      const row = JSON.parse(`{"hours":1,"${name}":1}`);
      expect((await jsonFaults([row]))[0]).toContain(`${name}: is no column`);
    }
  });

  test("no rows, no body and too many rows", async () => {
    expect(await jsonFaults([])).toEqual(["instances: expected at least one row"]);
    expect(await faultsOf(() => rowsOfTableJson(null, FACTS))).toHaveLength(1);
    const many = Array.from({ length: MAX_ROWS + 1 }, () => ROW);
    expect(() => rowsOfTableJson({ instances: many }, FACTS)).toThrow(
      expect.objectContaining({ status: 413, code: "too_many_rows" }),
    );
  });

  test("whatever comes, it is rows or faults", () => {
    fc.assert(
      fc.property(fc.anything(), (given) => {
        try {
          rowsOfTableJson({ instances: [given] }, FACTS);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(SluiceError);
          expect((thrown as SluiceError).status).toBe(422);
        }
      }),
    );
  });
});

describe("rows as CSV", () => {
  test("columns in any order, a BOM, CRLF, quotes, a column that is passed over", async () => {
    const text = '\uFEFFsex,work,weight,age,hours\r\nf," state ",9,30,40.5\r\nm,?,,NaN,"0"\r\n';
    const rows = await rowsOfTableCsv(new TextEncoder().encode(text), FACTS);
    const [age, ...rest] = cellsOf(rows);
    expect(age).toEqual([30, Number.NaN]);
    expect(rest).toEqual([
      [40.5, 0],
      [1, -1],
      [0, 1],
    ]);
    expect(rows.warnings.size).toBe(0);
  });

  test("in the form of the table's own files", async () => {
    const form = { ...FACTS.form, delimiter: ";", decimal: "," as const };
    const text = new TextEncoder().encode("age;hours;work;sex\n30;40,5;state;f\n");
    const rows = await rowsOfTableCsv(text, { ...FACTS, form });
    expect(cellsOf(rows)[1]).toEqual([40.5]);
  });

  test("every fault is told with its line", async () => {
    expect(await csvFaults("age,hours,work,sex,sex,pay\n")).toEqual([
      "line 1: sex: is named twice",
      "line 1: pay: is what the model foretells",
      "line 2: expected at least one row under the header",
    ]);
    expect(await csvFaults("age,hours,work\n1,2,state\n")).toEqual([
      "line 1: sex: is missing in the header",
    ]);
    expect(await csvFaults("age,hours,work,sex\n0x10,2,state,f\n1,,a,f\n1,2\n")).toEqual([
      'line 2: age: expected a number, not "0x10"',
      "line 3: hours: expected a value, found none",
      "line 4: expected 4 cells, found 2",
    ]);
  });
});
