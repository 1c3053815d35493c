/*
 * The real Adult files, where they lie beside the project; without them it is said that the tests
 * were left out.
 */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readModels, type TableFile } from "../models.ts";
import { migrate } from "../store/migrate.ts";
import { makeTableStore } from "../store/tables.ts";
import { openScratch } from "../store/testing.ts";
import { checkTable } from "./checks.ts";
import { pieces } from "./fixture.ts";
import { makeImports } from "./import.ts";

const FOLDER = fileURLToPath(new URL("../../../shared/data/adult", import.meta.url));
const present = existsSync(FOLDER);
if (!present) console.log("skipped: 1 test of tables on the real Adult files, no ../shared");

test.skipIf(!present)("income, from its files to rows that may be learned from", async () => {
  const model = readModels(null).get("income") as TableFile;
  const database = await openScratch();
  try {
    await migrate(database);
    const imports = makeImports({ store: makeTableStore(database), clock: { now: () => 1 } });
    const reports = [];
    for (const { name, sha256 } of model.table.files) {
      const bytes = Bun.gunzipSync(await Bun.file(`${FOLDER}/${name}.gz`).bytes());
      const source = pieces(bytes, 1 << 16);
      const imported = await imports.take({ model, file: name, part: null, source, actor: "me" });
      expect(imported.sha256).toBe(sha256!);
      reports.push(imported.report);
    }
    expect(reports).toMatchObject([
      { rows: 32_561, refused: 0, blank_lines: 1, comment_lines: 0 },
      { rows: 16_281, refused: 0, blank_lines: 1, comment_lines: 1 },
    ]);
    // As the description of the data counts them.
    const missing = reports.map(({ columns }) =>
      columns.filter(({ missing: n }) => n > 0).map(({ name, missing: n }) => [name, n]),
    );
    expect(missing).toEqual([
      [
        ["workclass", 1_836],
        ["occupation", 1_843],
        ["native-country", 583],
      ],
      [
        ["workclass", 963],
        ["occupation", 966],
        ["native-country", 274],
      ],
    ]);
    const table = await imports.load(model);
    expect(table.frame.rows).toBe(48_842);
    expect(table.classes).toEqual(["<=50K", ">50K"]);
    const positive = (part: number) =>
      table.target.reduce((n, y, i) => n + (table.part[i] === part ? y : 0), 0);
    expect([positive(0), positive(1)]).toEqual([7_841, 3_846]);
    expect(table.frame.columns).toHaveLength(13);
    expect(table.unseen).toEqual({});
    const country = table.frame.columns.at(-1);
    expect(country?.kind === "category" && country.levels.length).toBe(41);
    const checks = checkTable(table, model.checks);
    expect(checks.filter(({ verdict }) => verdict !== "pass")).toEqual([]);
    expect(checks.find(({ name }) => name === "duplicates")?.detail).toStartWith("24 rows");
  } finally {
    await database.close();
  }
});
