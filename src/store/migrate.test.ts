import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import { SluiceError } from "../errors.ts";
import { type Database, openPostgres } from "./database.ts";
import { migrate } from "./migrate.ts";
import { type Migration, migrations } from "./migrations.ts";
import * as schema from "./schema.ts";
import { openBare, testDatabases } from "./testing.ts";

const serverUrl = process.env["SLUICE_TEST_DATABASE_URL"];
const drizzle = join(import.meta.dir, "../../drizzle");

const first: Migration = { id: 0, name: "0000_a", sql: "create table a (x integer not null)" };
const second: Migration = {
  id: 1,
  name: "0001_b",
  sql: "create table b (y text);\n--> statement-breakpoint\ninsert into a (x) values (7);\n",
};

async function failureOf(work: Promise<unknown>): Promise<SluiceError> {
  const thrown = await work.then(
    () => new Error("it succeeded"),
    (reason: unknown) => reason,
  );
  if (thrown instanceof SluiceError) return thrown;
  throw thrown;
}

describe("the list", () => {
  test("names every file of drizzle/, in order, with its text", async () => {
    const files = (await readdir(drizzle)).filter((name) => name.endsWith(".sql")).sort();
    expect(migrations.map((m) => `${m.name}.sql`)).toEqual(files);
    expect(migrations.map((m) => m.id)).toEqual(files.map((_, i) => i));
    for (const migration of migrations) {
      expect(migration.sql).toBe(await readFile(join(drizzle, `${migration.name}.sql`), "utf8"));
    }
  });

  test("is as long as the journal of the generator", async () => {
    const journal = JSON.parse(await readFile(join(drizzle, "meta/_journal.json"), "utf8"));
    expect(journal.entries.map((e: { tag: string }) => e.tag)).toEqual(
      migrations.map((m) => m.name),
    );
  });
});

describe("in the embedded database", () => {
  let database: Database;
  beforeAll(async () => {
    database = await openBare();
  });
  afterAll(() => database.close());

  const tablesNow = async () =>
    (
      await database.rows<{ name: string }>(sql`
        select table_name as name from information_schema.tables
        where table_schema = 'public' order by 1`)
    ).map((row) => row.name);

  test("what is missing is applied once, then nothing, then what came since", async () => {
    expect(await migrate(database, [first])).toEqual(["0000_a"]);
    expect(await migrate(database, [first])).toEqual([]);
    expect(await migrate(database, [first, second])).toEqual(["0001_b"]);
    expect(await migrate(database, [first, second])).toEqual([]);
    expect(await tablesNow()).toEqual(["a", "b", "sluice_migrations"]);
    expect(await database.rows(sql`select x from a`)).toEqual([{ x: 7 }]);
  });

  test("a database of a newer program is refused and left as it was", async () => {
    const error = await failureOf(migrate(database, [first]));
    expect(error.code).toBe("schema_too_new");
    expect(error.message).toContain("migration 1");
    expect(error.message).toContain("up to 0");
    expect(await migrate(database, [first, second])).toEqual([]);
  });

  test("a migration whose text was changed after it was applied is named", async () => {
    const changed = { ...first, sql: `${first.sql} -- with a comment` };
    const error = await failureOf(migrate(database, [changed, second]));
    expect(error.code).toBe("migration_changed");
    expect(error.message).toContain("0000_a");
    expect(error.fix).not.toBe("");
  });

  test("one that fails leaves nothing of itself, nor of those applied beside it", async () => {
    const third: Migration = { id: 2, name: "0002_c", sql: "create table c (z integer)" };
    const bad: Migration = { id: 3, name: "0003_d", sql: "create table d (z no_such_type)" };
    await expect(migrate(database, [first, second, third, bad])).rejects.toThrow();
    expect(await tablesNow()).not.toContain("c");
    expect(await migrate(database, [first, second, third])).toEqual(["0002_c"]);
  });
});

describe.each(testDatabases())("the schema on $name", ({ open }) => {
  let database: Database;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());

  const tables = (Object.values(schema) as unknown[])
    .filter((value): value is PgTable => value instanceof PgTable)
    .map(getTableConfig)
    .sort((a, b) => (a.name < b.name ? -1 : 1));

  test("is migrated, and doing so again changes nothing", async () => {
    expect(await migrate(database)).toEqual([]);
  });

  test("has the tables that the program knows, and no others", async () => {
    const found = await database.rows<{ name: string }>(sql`
      select table_name as name from information_schema.tables
      where table_schema = 'public' and table_name <> 'sluice_migrations'`);
    expect(found.map((row) => row.name).sort()).toEqual(tables.map((t) => t.name));
  });

  test("has every column with its type, whether it may be null, and a default", async () => {
    const found = await database.rows<Record<string, string | null>>(sql`
      select c.table_name as "table", c.column_name as "column",
        format_type(a.atttypid, a.atttypmod) as type, c.is_nullable as nullable,
        (c.column_default is not null or c.is_identity = 'YES')::text as defaulted
      from information_schema.columns c
      join pg_attribute a on a.attrelid = format('public.%I', c.table_name)::regclass
        and a.attname = c.column_name
      where c.table_schema = 'public' and c.table_name <> 'sluice_migrations'`);
    const lines = found.map(
      (c) => `${c["table"]}.${c["column"]} ${c["type"]} ${c["nullable"]} ${c["defaulted"]}`,
    );
    // Drizzle writes "timestamp (3) with time zone", Postgres without the space.
    const known = tables.flatMap((table) =>
      table.columns.map((c) => {
        const type = c.getSQLType().replace("timestamp (", "timestamp(");
        const defaulted = c.hasDefault || c.generatedIdentity !== undefined;
        return `${table.name}.${c.name} ${type} ${c.notNull ? "NO" : "YES"} ${defaulted}`;
      }),
    );
    expect(lines.sort()).toEqual(known.sort());
  });

  test("has every index, unique or not, over the same columns", async () => {
    const found = await database.rows<{ name: string; unique: boolean; partial: boolean }>(sql`
      select i.relname as name, x.indisunique as "unique", x.indpred is not null as partial
      from pg_index x
      join pg_class i on i.oid = x.indexrelid
      join pg_namespace n on n.oid = i.relnamespace
      where n.nspname = 'public'
        and not exists (select 1 from pg_constraint k where k.conindid = x.indexrelid)`);
    const known = tables.flatMap((table) =>
      table.indexes.map(({ config }) => ({
        name: String(config.name),
        unique: config.unique,
        partial: config.where !== undefined,
      })),
    );
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    expect(found.sort(byName)).toEqual(known.sort(byName));
  });

  test("has every primary key and foreign key", async () => {
    const found = await database.rows<{ table: string; kind: string; n: number }>(sql`
      select r.relname as "table", k.contype as kind, count(*)::int as n
      from pg_constraint k join pg_class r on r.oid = k.conrelid
      join pg_namespace n on n.oid = r.relnamespace
      where n.nspname = 'public' and k.contype in ('p', 'f') and r.relname <> 'sluice_migrations'
      group by 1, 2`);
    const known = tables.flatMap((table) => {
      const primary = table.primaryKeys.length + table.columns.filter((c) => c.primary).length;
      const keys = [{ table: table.name, kind: "p", n: primary }];
      const foreign = table.foreignKeys.length;
      return foreign === 0 ? keys : [...keys, { table: table.name, kind: "f", n: foreign }];
    });
    const line = (k: { table: string; kind: string; n: number }) => `${k.table} ${k.kind} ${k.n}`;
    expect(found.map(line).sort()).toEqual(known.map(line).sort());
  });
});

describe.skipIf(!serverUrl)("two processes that start at once on Postgres", () => {
  test("one migrates, the other finds it done", async () => {
    const server = openPostgres(serverUrl ?? "");
    const name = `sluice_test_migrate_${process.pid}_${Date.now()}`;
    await server.orm.execute(sql.raw(`create database ${name}`));
    const own = new URL(serverUrl ?? "");
    own.pathname = `/${name}`;
    const replicas = Array.from({ length: 4 }, () => openPostgres(own.href));
    try {
      const applied = await Promise.all(replicas.map((replica) => migrate(replica)));
      const names = migrations.map((m) => m.name);
      expect(applied.filter((list) => list.length > 0)).toEqual([names]);
      const [one] = replicas;
      const rows = await one!.rows<{ n: number }>(
        sql`select count(*)::int as n from sluice_migrations`,
      );
      expect(rows).toEqual([{ n: names.length }]);
    } finally {
      await Promise.all(replicas.map((replica) => replica.close()));
      await server.orm.execute(sql.raw(`drop database ${name} with (force)`));
      await server.close();
    }
  });
});
