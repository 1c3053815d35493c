/*
 * The live schema held against what the migrations make. They are run once more, into a schema of
 * its own within a transaction that is rolled back, so that both are described by the same server
 * in the same words.
 */
import { sql } from "drizzle-orm";
import type { Database, Orm } from "./database.ts";
import { digestOf } from "./migrate.ts";
import { type Migration, migrations } from "./migrations.ts";

/** Columns, indexes and constraints by name, such as `index candles_in_force of candles`. */
export interface Drift {
  readonly missing: readonly string[];
  /** There, but otherwise than the migrations make it: `name: what it is, not what it should be`. */
  readonly changed: readonly string[];
  /** On a table of Sluice, but not made by any migration. */
  readonly unknown: readonly string[];
}

/** Which migrations the database has had. */
export interface SchemaVersion {
  /** Number of the newest that was applied; null in a database that has had none. */
  readonly applied: number | null;
  /** Number of the newest that this program has. */
  readonly newest: number;
  /** Names of those that are still to be applied. */
  readonly missing: readonly string[];
  /** Names or numbers of those that this program does not have, or has with another text. */
  readonly foreign: readonly string[];
}

type AppliedRow = { id: number; name: string; digest: string };

async function appliedRows({ rows }: Pick<Database, "rows">): Promise<AppliedRow[]> {
  const [there] = await rows<{ there: boolean }>(
    sql`select to_regclass('sluice_migrations') is not null as there`,
  );
  if (there?.there !== true) return [];
  return rows<AppliedRow>(sql`select id, name, digest from sluice_migrations order by id`);
}

/** The schema's version, read without changing anything. */
export async function schemaVersion(
  database: Pick<Database, "rows">,
  list: readonly Migration[] = migrations,
): Promise<SchemaVersion> {
  const applied = await appliedRows(database);
  const had = new Map(applied.map((row) => [row.id, row]));
  const known = new Map(list.map((migration) => [migration.id, digestOf(migration)]));
  return {
    applied: applied.at(-1)?.id ?? null,
    newest: list.at(-1)?.id ?? -1,
    missing: list.filter(({ id }) => !had.has(id)).map(({ name }) => name),
    foreign: applied.filter(({ id, digest }) => known.get(id) !== digest).map(({ name }) => name),
  };
}

/** How the live schema differs from what the migrations that were applied make. */
export async function schemaDrift(
  database: Pick<Database, "orm" | "rows">,
  list: readonly Migration[] = migrations,
): Promise<Drift> {
  const applied = new Set((await appliedRows(database)).map(({ id }) => id));
  const aside = `sluice_doctor_${crypto.randomUUID().slice(0, 8)}`;
  let drift: Drift | null = null;
  await database.orm
    .transaction(async (tx) => {
      const [at] = await database.rows<{ live: string }>(sql`select current_schema() as live`, tx);
      const live = at?.live ?? "public";
      await tx.execute(sql.raw(`create schema ${aside}`));
      await tx.execute(sql.raw(`set local search_path to ${aside}`));
      for (const migration of list.filter(({ id }) => applied.has(id))) {
        // Migrations name the usual schema where a table refers to another.
        const text = migration.sql.replaceAll('"public".', "");
        for (const statement of text.split("--> statement-breakpoint")) {
          await tx.execute(sql.raw(statement));
        }
      }
      const wanted = await described(database, tx, aside);
      drift = compare(wanted, await described(database, tx, live));
      tx.rollback();
    })
    .catch((thrown) => {
      if (drift === null) throw thrown;
    });
  return drift ?? { missing: [], changed: [], unknown: [] };
}

interface Described {
  readonly table: string;
  readonly name: string;
  readonly text: string;
}

/** Every column, index and constraint of a schema's tables, by name, in the server's own words. */
async function described(
  { rows }: Pick<Database, "rows">,
  tx: Orm,
  schema: string,
): Promise<Map<string, Described>> {
  const found = await rows<Described>(
    sql`
      with tables as (
        select c.oid, c.relname::text as name from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = ${schema} and c.relkind = 'r')
      select t.name as "table", 'column ' || t.name || '.' || a.attname as name,
        format_type(a.atttypid, a.atttypmod) || case when a.attnotnull then ' not null' else '' end
          || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
          || case when a.attidentity = '' then '' else ' identity' end as text
      from tables t join pg_attribute a on a.attrelid = t.oid
        left join pg_attrdef d on d.adrelid = t.oid and d.adnum = a.attnum
      where a.attnum > 0 and not a.attisdropped
      union all
      select t.name, 'index ' || c.relname || ' of ' || t.name,
        pg_get_indexdef(i.indexrelid) || case when i.indisvalid then '' else ' (not valid)' end
      from tables t join pg_index i on i.indrelid = t.oid join pg_class c on c.oid = i.indexrelid
      union all
      select t.name, 'constraint ' || o.conname || ' of ' || t.name,
        pg_get_constraintdef(o.oid)
      from tables t join pg_constraint o on o.conrelid = t.oid
      where o.contype in ('p', 'u', 'f', 'c', 'x')`,
    tx,
  );
  const plain = (text: string) => text.replaceAll(`${schema}.`, "");
  return new Map(found.map((row) => [row.name, { ...row, text: plain(row.text) }]));
}

/** Tables of others in the same schema are none of our business. */
function compare(wanted: Map<string, Described>, live: Map<string, Described>): Drift {
  const tables = new Set([...wanted.values()].map(({ table }) => table));
  const there = new Set([...live.values()].map(({ table }) => table));
  const gone = [...tables].filter((table) => !there.has(table)).map((table) => `table ${table}`);
  const missing = [...wanted.values()]
    .filter(({ table, name }) => there.has(table) && !live.has(name))
    .map(({ name }) => name);
  const changed = [...wanted.values()].flatMap(({ name, text }) => {
    const is = live.get(name)?.text ?? text;
    return is === text ? [] : `${name}: ${is}, not ${text}`;
  });
  const unknown = [...live.values()]
    .filter(({ table, name }) => tables.has(table) && !wanted.has(name))
    .map(({ name }) => name);
  return {
    missing: [...gone, ...missing].sort(),
    changed: changed.sort(),
    unknown: unknown.sort(),
  };
}
