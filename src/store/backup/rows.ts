/*
 * Rows out of a database and into one, as the text that Postgres itself makes of them: no value
 * passes through a number of JavaScript, so each comes back to the last bit, on either engine.
 */
import { type SQL, sql } from "drizzle-orm";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import type { Database, Orm } from "../database.ts";
import * as schema from "../schema.ts";

/** Rows fetched at once. */
const FETCH = 5_000;

/** A table of ours, with the columns of its key. */
export interface TableName {
  readonly name: string;
  readonly key: readonly string[];
}

/** What rows refer to without a foreign key, which databases of earlier versions still have. */
const REFERRED: Readonly<Record<string, readonly string[]>> = {
  latest_metrics: ["runs"],
  metrics: ["runs"],
  model_versions: ["runs"],
};

/** Every table, each after those that its rows refer to. */
export function tablesInOrder(): TableName[] {
  const left = (Object.values(schema) as unknown[])
    .filter((value): value is PgTable => value instanceof PgTable)
    .map(getTableConfig)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const ordered: TableName[] = [];
  const done = new Set<string>();
  while (left.length > 0) {
    const at = left.findIndex(({ name, foreignKeys }) =>
      [
        ...foreignKeys.map((key) => getTableConfig(key.reference().foreignTable).name),
        ...(REFERRED[name] ?? []),
      ].every((referred) => done.has(referred)),
    );
    const [table] = left.splice(at, 1);
    if (at < 0 || table === undefined) throw new Error("Tables refer to each other in a circle.");
    const whole = table.primaryKeys[0]?.columns ?? table.columns.filter((c) => c.primary);
    ordered.push({ name: table.name, key: whole.map((column) => column.name) });
    done.add(table.name);
  }
  return ordered;
}

/** The names of all tables that a database has. */
export async function tableNames(database: Database, within?: Orm): Promise<ReadonlySet<string>> {
  const rows = await database.rows<{ name: string }>(
    sql`select table_name::text as name from information_schema.tables
      where table_schema = 'public' and table_type = 'BASE TABLE'`,
    within,
  );
  return new Set(rows.map((row) => row.name));
}

/** The rows of a table, some lines of JSON at a time, in the order of its key. */
export async function* linesOf(
  database: Database,
  tx: Orm,
  { name, key }: TableName,
): AsyncGenerator<string[]> {
  const order = sql.join(
    key.map((column) => sql.identifier(column)),
    sql`, `,
  );
  await tx.execute(sql`
    declare backup_rows no scroll cursor for
    select row_to_json(t)::text as line from ${tableOf(name)} t order by ${order}`);
  const next = sql`fetch ${sql.raw(String(FETCH))} from backup_rows`;
  for (;;) {
    const rows = await database.rows<{ line: string }>(next, tx);
    if (rows.length > 0) yield rows.map((row) => row.line);
    if (rows.length < FETCH) break;
  }
  await tx.execute(sql`close backup_rows`);
}

/** Inserts rows as `linesOf` gave them; returns how many came in. */
export async function insertLines(
  database: Database,
  tx: Orm,
  table: string,
  lines: readonly string[],
): Promise<number> {
  const name = tableOf(table);
  const [row] = await database.rows<{ n: number }>(
    sql`with added as (
        insert into ${name} overriding system value
        select * from json_populate_recordset(null::${name}, ${`[${lines.join(",")}]`}::text::json)
        returning 1
      ) select count(*)::int as n from added`,
    tx,
  );
  return row?.n ?? 0;
}

export interface Sequence {
  readonly table: string;
  readonly column: string;
  readonly last: number;
}

/** The last number of every identity column of these tables that has given one. */
export async function sequencesOf(
  database: Database,
  tx: Orm,
  tables: readonly TableName[],
): Promise<Sequence[]> {
  const found = await database.rows<{ table: string; column: string; sequence: string }>(
    sql`select table_name::text as "table", column_name::text as "column",
        pg_get_serial_sequence(format('public.%I', table_name), column_name) as sequence
      from information_schema.columns
      where table_schema = 'public' and is_identity = 'YES' order by 1, 2`,
    tx,
  );
  const ours = new Set(tables.map(({ name }) => name));
  const sequences: Sequence[] = [];
  for (const { table, column, sequence } of found) {
    if (!ours.has(table)) continue;
    // The name comes from Postgres, quoted where it must be.
    const [row] = await database.rows<{ last: string; given: boolean }>(
      sql`select last_value::text as last, is_called as given from ${sql.raw(sequence)}`,
      tx,
    );
    if (row?.given === true) sequences.push({ table, column, last: Number(row.last) });
  }
  return sequences;
}

/** Lets an identity column go on after this number, and after what is there. */
export async function setSequence(tx: Orm, { table, column, last }: Sequence): Promise<void> {
  const highest = sql`select max(${sql.identifier(column)}) from ${tableOf(table)}`;
  await tx.execute(sql`
    select setval(pg_get_serial_sequence(${`public."${table}"`}, ${column}),
      greatest(${last}::bigint, (${highest})))`);
}

export const tableOf = (name: string): SQL => sql`public.${sql.identifier(name)}`;
