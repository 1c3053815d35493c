/*
 * Databases as each version of the schema had them are brought forward to this one, and no row is
 * lost. The files are made by scripts/schema-fixture.ts and never changed.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { namedArtifacts } from "../src/registry/named.ts";
import { checkBackup } from "../src/store/backup/read.ts";
import { restoreBackup } from "../src/store/backup/restore.ts";
import { takeBackup } from "../src/store/backup/take.ts";
import { type Database, openEmbedded } from "../src/store/database.ts";
import { migrate } from "../src/store/migrate.ts";
import { migrations } from "../src/store/migrations.ts";
import { testDatabases } from "../src/store/testing.ts";
import { launch, run } from "./served.ts";
import { only } from "./stores.ts";

const folder = join(import.meta.dir, "fixtures");
const fixtures = readdirSync(folder).filter((name) => /^schema-.*\.sql$/.test(name));
const statementsOf = (file: string): string[] =>
  readFileSync(join(folder, file), "utf8").split("--> statement-breakpoint");

/** Every row of every table as JSON of its columns, by table. */
async function contents(database: Database): Promise<Map<string, Record<string, unknown>[]>> {
  const tables = await database.rows<{ name: string }>(sql`
    select table_name::text as name from information_schema.tables
    where table_schema = 'public' and table_name <> 'sluice_migrations'`);
  const all = new Map<string, Record<string, unknown>[]>();
  for (const { name } of tables) {
    const rows = await database.rows<{ line: string }>(
      sql`select row_to_json(t)::text as line from ${sql.identifier(name)} t`,
    );
    all.set(
      name,
      rows.map(({ line }) => JSON.parse(line)),
    );
  }
  return all;
}

const scratch = mkdtempSync(join(tmpdir(), "sluice-upgrade-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** The rows are what matters here: their artifacts are nowhere. */
const none = {
  has: async () => false,
  size: () => Promise.reject(new Error("There is none.")),
  read: () => {
    throw new Error("There is none.");
  },
  stage: () => Promise.reject(new Error("There is none.")),
};

async function writeBackup(database: Database, path: string): Promise<void> {
  const backup = await takeBackup(
    {
      ...{ database, objects: none, named: namedArtifacts, folder: join(scratch, "aside") },
      ...{ config: {}, models: new Map(), version: "0.1.0", now: Date.now },
    },
    { skipMissing: true },
  );
  writeFileSync(path, Buffer.concat(await Array.fromAsync(backup.bytes())));
}

test("there is one for each schema", () => {
  expect(fixtures.sort()).toEqual(migrations.map(({ name }) => `schema-${name}.sql`));
});

describe.each(testDatabases())("on $name", ({ open }) => {
  let database: Database;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());

  const empty = async (): Promise<void> => {
    await database.orm.execute(sql`drop schema public cascade`);
    await database.orm.execute(sql`create schema public`);
  };

  test.each(fixtures)("%s comes forward with every row, also out of a backup", async (file) => {
    await empty();
    for (const statement of statementsOf(file)) await database.orm.execute(sql.raw(statement));
    const before = await contents(database);
    for (const [table, rows] of before) expect([table, rows.length > 0]).toEqual([table, true]);
    const path = join(scratch, `${database.kind}-${file}.tar`);
    await writeBackup(database, path);

    const at = migrations.findIndex(({ name }) => file === `schema-${name}.sql`);
    const later = migrations.slice(at + 1).map(({ name }) => name);
    expect(await migrate(database)).toEqual(later);
    await expectRows(before);
    expect(await migrate(database)).toEqual([]);

    await empty();
    const manifest = await checkBackup(path);
    expect(manifest.schema.map(({ id }) => id)).toEqual([...Array(at + 1).keys()]);
    expect(await restoreBackup({ database, objects: none }, path, manifest)).toEqual(later);
    await expectRows(before);
  });

  async function expectRows(before: Awaited<ReturnType<typeof contents>>): Promise<void> {
    const after = await contents(database);
    for (const [table, rows] of before) {
      const found = after.get(table) ?? [];
      expect([table, found.length]).toEqual([table, rows.length]);
      // Columns that came since may have any value.
      for (const row of rows) expect(found).toContainEqual(expect.objectContaining(row));
    }
  }
});

test(`a program that is older than the database does not start, and says what to do ${only("embedded", "what it asks is the same SQL")}`, async () => {
  const data = join(scratch, "data");
  const database = await openEmbedded(join(data, "db"));
  await migrate(database, [
    ...migrations,
    { id: migrations.length, name: "of_tomorrow", sql: "select 1" },
  ]);
  await database.close();
  const env = { SLUICE_DATA: data, UPBIT_URL: "http://127.0.0.1:9" };
  const server = launch({ cwd: scratch, env });
  expect(await server.exited).toBe(1);
  const newest = migrations.length - 1;
  const sentence = `The database has migration ${newest + 1}; this program knows them up to ${newest}.`;
  expect(server.log).toContainEqual(
    expect.objectContaining({ event: "start_failed", reason: sentence }),
  );
  const backup = await run({ args: ["backup", "new.tar"], cwd: scratch, env });
  expect([backup.code, backup.errors]).toEqual([1, expect.stringContaining(sentence)]);
  expect(backup.errors).toContain("Run the newer version of Sluice");
}, 600_000);
