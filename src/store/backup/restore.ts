/*
 * Putting a backup into an empty place, of either kind: artifacts first, then all rows in one
 * transaction, so that there is either all of it or nothing.
 */
import { Readable } from "node:stream";
import { createZstdDecompress } from "node:zlib";
import { sql } from "drizzle-orm";
import { SluiceError } from "../../errors.ts";
import type { Database, Orm } from "../database.ts";
import { appliedMigrations, applyMissing, assertKnown, lockMigrations } from "../migrate.ts";
import { type Migration, migrations } from "../migrations.ts";
import type { Objects } from "../objects.ts";
import { damaged, type Manifest, objectPart, rowsPart } from "./manifest.ts";
import { eachPart } from "./read.ts";
import { insertLines, setSequence, tableNames, tableOf, tablesInOrder } from "./rows.ts";

export interface RestoreDeps {
  readonly database: Database;
  readonly objects: Pick<Objects, "stage">;
  /** The migrations of this program; those of a test. */
  readonly list?: readonly Migration[];
}

/** Rows are inserted together up to this many characters. */
const BATCH_CHARACTERS = 1_000_000;

/**
 * Restores a backup that `checkBackup` found whole, and returns the migrations that were applied
 * to its rows. Throws `schema_too_new`, `migration_changed`, `target_not_empty`; the database is
 * then as it was. Artifacts that were put before a failure are orphans, which do no harm.
 */
export async function restoreBackup(
  { database, objects, list = migrations }: RestoreDeps,
  path: string,
  manifest: Manifest,
): Promise<string[]> {
  const { schema, tables, sequences } = manifest;
  assertKnown(new Map(schema.map(({ id, digest }) => [id, digest])), list);
  await database.orm.transaction((tx) => assertEmpty(database, tx, list));
  const stored = new Map(
    manifest.parts.map(({ name, sha256 }) => [name, name === objectPart(sha256) ? sha256 : null]),
  );
  await eachPart(path, async (name, body) => {
    const digest = stored.get(name);
    if (typeof digest !== "string") return;
    const staged = await objects.stage(body);
    try {
      if (staged.digest !== digest) {
        throw damaged(path, `the part ${name} changed while it was read`);
      }
      await staged.keep();
    } finally {
      await staged.drop();
    }
  });
  return database.orm.transaction(async (tx) => {
    await lockMigrations(tx);
    await clear(database, tx, list);
    const newest = Math.max(-1, ...schema.map(({ id }) => id));
    const before = list.filter(({ id }) => id <= newest);
    await applyMissing(database, tx, before);
    const there = await tableNames(database, tx);
    // What the schema itself brings along is in the backup too.
    for (const { name } of tablesInOrder().reverse()) {
      if (there.has(name)) await tx.execute(sql`delete from ${tableOf(name)}`);
    }
    const waiting = new Map(tables.map(({ name, rows }) => [rowsPart(name), { name, rows }]));
    await eachPart(path, async (name, body) => {
      const table = waiting.get(name);
      if (table === undefined) return;
      if (!there.has(table.name)) throw damaged(path, `its schema has no table ${table.name}`);
      const rows = await insertAll(database, tx, table.name, body);
      if (rows === table.rows) return;
      throw damaged(path, `${table.name} has ${rows} rows, not ${table.rows}`);
    });
    for (const sequence of sequences) await setSequence(tx, sequence);
    return applyMissing(database, tx, list);
  });
}

/** Inserts the lines of a part; how many rows came in. */
async function insertAll(
  database: Database,
  tx: Orm,
  table: string,
  body: AsyncIterable<Uint8Array>,
): Promise<number> {
  let rows = 0;
  for await (const lines of batches(Readable.from(body).pipe(createZstdDecompress()))) {
    rows += await insertLines(database, tx, table, lines);
  }
  return rows;
}

/** Lines of a text that comes in pieces, some at a time. */
async function* batches(source: AsyncIterable<Uint8Array>): AsyncGenerator<string[]> {
  const decoder = new TextDecoder();
  let lines: string[] = [];
  let size = 0;
  let rest = "";
  for await (const chunk of source) {
    const pieces = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = pieces.pop() ?? "";
    for (const line of pieces) {
      lines.push(line);
      size += line.length;
      if (size < BATCH_CHARACTERS) continue;
      yield lines;
      [lines, size] = [[], 0];
    }
  }
  if (rest !== "") lines.push(rest);
  if (lines.length > 0) yield lines;
}

/** The experiment that the schema brings along. */
const BROUGHT = sql`where experiment_id <> 0`;

/** Throws `target_not_empty` where a database has rows, or tables that are not of Sluice. */
async function assertEmpty(
  database: Database,
  tx: Orm,
  list: readonly Migration[],
): Promise<string[]> {
  const names = await tableNames(database, tx);
  const there = tablesInOrder().filter(({ name }) => names.has(name));
  if (!names.has("sluice_migrations")) {
    const [first] = there;
    if (first !== undefined) throw notEmpty(`a table "${first.name}" that Sluice did not make`);
    return [];
  }
  assertKnown(await appliedMigrations(database, tx), list);
  for (const { name } of there) {
    const [row] = await database.rows<{ n: string }>(
      sql`select count(*)::text as n from (select 1 from ${tableOf(name)}
        ${name === "experiments" ? BROUGHT : sql``} limit 1000) t`,
      tx,
    );
    const n = Number(row?.n ?? 0);
    if (n > 0) throw notEmpty(`${n === 1_000 ? "1000 or more" : n} rows in ${name}`);
  }
  return there.map(({ name }) => name);
}

/** Removes the empty tables, so that they can be made as they were in the backup. */
async function clear(database: Database, tx: Orm, list: readonly Migration[]): Promise<void> {
  const empty = await assertEmpty(database, tx, list);
  for (const name of [...empty, "sluice_migrations"]) {
    await tx.execute(sql`drop table if exists ${tableOf(name)} cascade`);
  }
}

const notEmpty = (what: string): SluiceError =>
  new SluiceError({
    code: "target_not_empty",
    status: 409,
    detail: `The database to restore into is not empty: it has ${what}.`,
    fix: "Nothing was written. Name an empty one: another SLUICE_DATA or another DATABASE_URL.",
  });
