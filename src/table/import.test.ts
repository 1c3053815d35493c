import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { SluiceError } from "../errors.ts";
import type { TableFile } from "../models.ts";
import type { Database } from "../store/database.ts";
import { makeTableStore } from "../store/tables.ts";
import { testDatabases } from "../store/testing.ts";
import { pieces, SMALL, tableModel, wideCsv, wideModel } from "./fixture.ts";
import { type Imports, makeImports } from "./import.ts";

const small = tableModel(SMALL);
const GOOD = "age,city,y\n30,a,yes\n40,b,no\n50,?,no\n";

async function failureOf(work: Promise<unknown>): Promise<SluiceError> {
  const thrown = await work.then(
    () => new Error("it succeeded"),
    (reason: unknown) => reason,
  );
  if (thrown instanceof SluiceError) return thrown;
  throw thrown;
}

describe.each(testDatabases())("imports on $name", ({ open }) => {
  let database: Database;
  let imports: Imports;
  let now = 1_000;
  beforeAll(async () => {
    database = await open();
    imports = makeImports({ store: makeTableStore(database), clock: { now: () => now } });
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    now += 1_000;
    await database.orm.execute(sql`truncate table_imports, table_rows`);
  });

  const take = (
    text: string | Uint8Array,
    {
      file = "a.csv",
      part = "train",
      model = small,
    }: {
      file?: string;
      part?: "train" | "test" | null;
      model?: TableFile;
    } = {},
  ) => imports.take({ model, file, part, source: pieces(text), actor: "me" });
  const rowsThere = async () =>
    (await database.rows<{ n: number }>(sql`select count(*)::integer as n from table_rows`))[0]?.n;

  test("rows are stored with their lines, and told", async () => {
    const imported = await take(GOOD);
    expect(imported).toMatchObject({
      ...{ model: "small", file: "a.csv", part: "train", unchanged: false, replaced: null },
      report: { rows: 3, stored: 3, refused: 0, blank_lines: 0, refusals: [] },
    });
    expect(imported.sha256).toBe(new Bun.CryptoHasher("sha256").update(GOOD).digest("hex"));
    expect(imported.report.columns).toMatchObject([
      { name: "age", missing: 0, levels: null, min: 30, max: 50, mean: 40 },
      {
        name: "city",
        missing: 1,
        levels: 2,
        most: [
          { level: "a", count: 1 },
          { level: "b", count: 1 },
        ],
      },
      {
        name: "y",
        missing: 0,
        levels: 2,
        most: [
          { level: "no", count: 2 },
          { level: "yes", count: 1 },
        ],
      },
    ]);
    const rows = await database.rows<{ line: number; cells: string }>(
      sql`select line, cells from table_rows order by line`,
    );
    expect(rows).toEqual([
      { line: 2, cells: '[30,"a","yes"]' },
      { line: 3, cells: '[40,"b","no"]' },
      { line: 4, cells: '[50,null,"no"]' },
    ]);
    const [listed] = await imports.list("small", 10, null);
    expect(listed).toMatchObject({ rows: 3, refused: 0, actor: "me", at: now, replacedAt: null });
  });

  test("the same bytes again change nothing, and are told so", async () => {
    const first = await take(GOOD);
    now += 1_000;
    const again = await take(GOOD);
    expect(again).toMatchObject({ id: first.id, unchanged: true, replaced: null });
    expect(await imports.list("small", 10, null)).toHaveLength(1);
    expect(await rowsThere()).toBe(3);
  });

  test("other bytes of the same name replace the rows; the list keeps both", async () => {
    const first = await take(GOOD);
    const second = await take("age,city,y\n1,z,yes\n");
    expect(second).toMatchObject({ unchanged: false, replaced: first.id });
    expect(await rowsThere()).toBe(1);
    const listed = await imports.list("small", 10, null);
    expect(listed.map(({ id, replacedAt }) => [id, replacedAt])).toEqual([
      [second.id, null],
      [first.id, now],
    ]);
    expect(await imports.list("small", 1, second.id)).toMatchObject([{ id: first.id }]);
  });

  test("the same name for another part, or read otherwise, is a new import", async () => {
    const first = await take(GOOD);
    const moved = await take(GOOD, { part: "test" });
    expect(moved).toMatchObject({ part: "test", replaced: first.id, unchanged: false });
    const model = tableModel(SMALL, "", 'missing = ["a"]');
    expect(await take(GOOD, { part: "test", model })).toMatchObject({ unchanged: false });
    expect(await rowsThere()).toBe(3);
  });

  test("other names add; the same bytes under another name are refused", async () => {
    await take(GOOD);
    await take("age,city,y\n1,z,yes\n", { file: "b.csv" });
    expect(await rowsThere()).toBe(4);
    const error = await failureOf(take(GOOD, { file: "c.csv", part: "test" }));
    expect(error).toMatchObject({ code: "already_imported", status: 409 });
    expect(error.message).toContain("a.csv");
    expect(await rowsThere()).toBe(4);
  });

  test("D11: a comment line, spaces and a full stop at the label's end", async () => {
    const model = tableModel(
      SMALL,
      '[table.target]\ncolumn = "y"\nkind = "binary"\npositive = ">50K"\nlabels = { "<=50K." = "<=50K", ">50K." = ">50K" }',
      'header = false\ncomment = "|"',
    );
    const train = await take("30, a, <=50K\n40, b, >50K\n", { model });
    const text = "|1x3 Cross validator\n31, a, <=50K.\n41, b, >50K.\n\n";
    const tested = await take(text, { model, file: "t.csv", part: "test" });
    expect(train.report.refused).toBe(0);
    expect(tested.report).toMatchObject({ rows: 2, refused: 0, comment_lines: 1, blank_lines: 1 });
    const table = await imports.load(model);
    expect(table.classes).toEqual(["<=50K", ">50K"]);
    expect([...table.target]).toEqual([0, 1, 0, 1]);
    expect([...table.part]).toEqual([0, 0, 1, 1]);
  });

  test("refused rows are told with reason, line, column and value, and the others stay", async () => {
    const model = tableModel(SMALL, "", "max_refused = 0.9");
    const text = `age,city,y\n${[
      ...[
        "30,a,yes",
        "x,a,yes",
        "30,a",
        "200,a,no",
        '30,5" b,no',
        "30,a,maybe",
        "-1,b,no",
        "31,b,no",
      ],
    ].join("\n")}`;
    const { report } = await take(text, { model });
    expect(report).toMatchObject({ rows: 8, stored: 2, refused: 6 });
    const told = report.refusals.map(({ reason, count, lines }) => [reason, count, lines]);
    expect(told).toEqual([
      ["out_of_range", 2, [5, 8]],
      ["bad_number", 1, [3]],
      ["wrong_width", 1, [4]],
      ["torn_quote", 1, [6]],
      ["unknown_label", 1, [7]],
    ]);
    expect(report.refusals[1]?.samples).toEqual([
      { line: 3, column: "age", value: "x", message: 'expected a number, not "x"' },
    ]);
    expect(await rowsThere()).toBe(2);
  });

  test("too many refused rows fail the whole, told by line, and nothing is stored", async () => {
    await take(GOOD);
    const bad = `age,city,y\n${"30,a,yes\n".repeat(98)}x,a,yes\ny,a,yes\n`;
    const error = await failureOf(take(bad));
    expect(error).toMatchObject({ code: "too_many_refused", status: 422 });
    expect(error.message).toContain("2 of 100 rows");
    expect(error.message).toContain("line 100, 101");
    expect(error.faults).toContainEqual({
      path: "line 100: age",
      message: 'expected a number, not "x"',
    });
    expect(await rowsThere()).toBe(3);
    expect(await imports.list("small", 10, null)).toHaveLength(1);
    // One in a hundred is what the model file allows by itself.
    expect((await take(bad.replace("y,a,yes", "9,a,yes"))).report).toMatchObject({ refused: 1 });
  });

  const faults: [string, string | Uint8Array, string][] = [
    ["nothing at all", "", "empty_table"],
    ["a header alone", "age,city,y\n", "empty_table"],
    ["a header that lacks a column", "age,y\n1,yes\n", "bad_header"],
    [
      "D10: a header with a byte order mark of UTF-16",
      new Uint8Array([0xff, 0xfe, 0x61, 0]),
      "bad_csv",
    ],
    ["a quotation mark that swallows the end", `${GOOD}"1,a,yes\n2,b,no\n`, "bad_csv"],
    ["D15: a column that is named twice", "age,age,city,y\n1,1,a,yes\n", "bad_header"],
    ["a row without an end", `age,city,y\n${"1".repeat(2 << 20)}`, "bad_csv"],
  ];
  test.each(faults)("%s is refused, and nothing is stored", async (_, text, code) => {
    const error = await failureOf(take(text));
    expect(error.code).toBe(code);
    expect(error.status).toBe(422);
    expect(error.fix).not.toBe("");
    expect(await rowsThere()).toBe(0);
  });

  test("which part a file is comes from its name, or has to be said", async () => {
    const named = tableModel(SMALL, '[[table.files]]\nname = "t.csv"\npart = "test"');
    expect(await take(GOOD, { model: named, file: "t.csv", part: null })).toMatchObject({
      part: "test",
    });
    const error = await failureOf(take(GOOD, { model: named, part: null }));
    expect(error).toMatchObject({ code: "unknown_part", status: 422 });
    const split = tableModel(SMALL, '[evaluate]\ntest = "split"');
    expect(await take(GOOD, { model: split, file: "o.csv", part: null }).catch((e) => e.code)).toBe(
      "already_imported",
    );
    expect(
      await take(`${GOOD}1,a,no\n`, { model: split, file: "o.csv", part: null }),
    ).toMatchObject({ part: "train" });
  });

  test("two imports of one name at once leave the rows of one", async () => {
    const texts = [1, 2, 3, 4].map((n) => `age,city,y\n${`${n},a,yes\n`.repeat(n)}`);
    const done = await Promise.all(texts.map((text) => take(text)));
    const standing = await imports.list("small", 10, null);
    expect(standing.filter(({ replacedAt }) => replacedAt === null)).toHaveLength(1);
    expect(new Set(done.map(({ replaced }) => replaced)).size).toBe(4);
    expect(await rowsThere()).toBe(standing.find(({ replacedAt }) => replacedAt === null)?.rows);
  });

  test("a source that breaks off stores nothing", async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield* pieces(GOOD);
      throw new Error("the connection was cut");
    }
    const order = { model: small, file: "a.csv", part: "train", actor: "me" } as const;
    await expect(imports.take({ ...order, source: broken() })).rejects.toThrow("was cut");
    expect(await rowsThere()).toBe(0);
  });

  test("rows cannot be loaded before there are any, nor after the model file changed", async () => {
    await take(GOOD, { part: "test" });
    expect(await failureOf(imports.load(small))).toMatchObject({ code: "not_imported" });
    await take("age,city,y\n1,z,yes\n", { file: "b.csv" });
    expect((await imports.load(small)).frame.rows).toBe(4);
    const changed = tableModel(
      SMALL.replace('"number"', '"category"').replace(/min.*\nmax.*\n/, ""),
    );
    const error = await failureOf(imports.load(changed));
    expect(error).toMatchObject({ code: "import_outdated", status: 409 });
    expect(error.fix).toContain("sluice import small a.csv b.csv");
    // What does not decide how rows are read may change.
    const more = tableModel(SMALL, '[promote]\nrule = "better"', "max_refused = 0.5");
    expect((await imports.load(more)).frame.rows).toBe(4);
  });

  test("what is loaded does not hang on the order of the imports", async () => {
    const other = "age,city,y\n60,c,yes\n70,a,no\n";
    await take(GOOD);
    await take(other, { file: "b.csv" });
    const first = await imports.load(small);
    await take("age,city,y\n0,x,yes\n");
    await take(other, { file: "b.csv" });
    await take(GOOD);
    const second = await imports.load(small);
    expect(second.digest).toBe(first.digest);
    expect([...second.target]).toEqual([1, 0, 0, 1, 0]);
  });

  test("a table of another shape is only another model file", async () => {
    const model = wideModel();
    const text = wideCsv(2_500);
    const { report } = await take(text, { model, file: "wide.csv", part: null });
    expect(report).toMatchObject({ rows: 2_500, stored: 2_500, refused: 0 });
    const table = await imports.load(model);
    expect(table.frame.rows).toBe(2_500);
    expect(table.frame.columns).toHaveLength(40);
    expect(table.classes).toEqual(["blue", "green", "red"]);
    expect(table.weight?.every((w) => w >= 0.5 && w <= 1.5)).toBe(true);
    const [number, category] = table.frame.columns;
    if (number?.kind !== "number" || category?.kind !== "category") throw new Error("other kinds");
    expect(category.levels).toHaveLength(200);
    expect(category.levels).toContain("level; 0");
    const missing = number.values.filter((value) => Number.isNaN(value)).length / 2_500;
    expect(missing).toBeGreaterThan(0.25);
    expect(missing).toBeLessThan(0.35);
  });
});
