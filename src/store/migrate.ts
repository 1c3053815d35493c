/*
 * Applies what is missing, in one transaction under an advisory lock: of two processes that start
 * at once, one migrates and the other finds it done.
 */
import { sql } from "drizzle-orm";
import { SluiceError } from "../errors.ts";
import { codeOf } from "./conflict.ts";
import type { Database, Orm } from "./database.ts";
import { type Migration, migrations } from "./migrations.ts";

/** Any constant serves, as long as every version of the program uses the same. */
const MIGRATION_LOCK = 7_240_814_400;

const UNDEFINED_TABLE = "42P01";

/**
 * Brings the schema to the newest migration and returns the names that were applied. Throws
 * `schema_too_new` when the database was migrated by a newer program, and `migration_changed`
 * when one that was applied has another text now.
 */
export async function migrate(
  database: Database,
  list: readonly Migration[] = migrations,
): Promise<string[]> {
  // As it is at nearly every start: that takes one question.
  if (await isNewest(database, list)) return [];
  return database.orm.transaction(async (tx) => {
    await lockMigrations(tx);
    return applyMissing(database, tx, list);
  });
}

/** Whether the database has all of them; nothing is known of one that was never migrated. */
async function isNewest(database: Database, list: readonly Migration[]): Promise<boolean> {
  const applied = await appliedMigrations(database, database.orm).catch((thrown) => {
    if (codeOf(thrown) === UNDEFINED_TABLE) return null;
    throw thrown;
  });
  if (applied === null) return false;
  assertKnown(applied, list);
  return applied.size === list.length;
}

/** Nobody else migrates until the transaction ends. */
export const lockMigrations = (tx: Orm) =>
  tx.execute(sql`select pg_advisory_xact_lock(${MIGRATION_LOCK}::bigint)`);

/** What `migrate` does, within a transaction that holds the lock. */
export async function applyMissing(
  database: Database,
  tx: Orm,
  list: readonly Migration[],
): Promise<string[]> {
  await tx.execute(sql`
    create table if not exists sluice_migrations (
      id integer primary key,
      name text not null,
      digest text not null,
      applied_at timestamptz not null default now()
    )`);
  const applied = await appliedMigrations(database, tx);
  assertKnown(applied, list);
  const missing = list.filter((m) => !applied.has(m.id));
  for (const migration of missing) {
    for (const statement of migration.sql.split("--> statement-breakpoint")) {
      await tx.execute(sql.raw(statement));
    }
    await tx.execute(sql`
      insert into sluice_migrations (id, name, digest)
      values (${migration.id}, ${migration.name}, ${digestOf(migration)})`);
  }
  return missing.map((m) => m.name);
}

/** Digests of the migrations that a database has, by id. */
export async function appliedMigrations(database: Database, tx: Orm): Promise<Map<number, string>> {
  const rows = await database.rows<{ id: number; digest: string }>(
    sql`select id, digest from sluice_migrations order by id`,
    tx,
  );
  return new Map(rows.map((row) => [row.id, row.digest]));
}

/** Throws `schema_too_new` or `migration_changed` unless the list has all that were applied. */
export function assertKnown(
  applied: ReadonlyMap<number, string>,
  list: readonly Migration[],
): void {
  const newest = list.at(-1)?.id ?? -1;
  for (const [id, digest] of applied) {
    const migration = list.find((m) => m.id === id);
    if (migration === undefined) {
      throw new SluiceError({
        code: "schema_too_new",
        detail: `The database has migration ${id}; this program knows them up to ${newest}.`,
        fix: "Run the newer version of Sluice that migrated it, or restore a backup from before.",
      });
    }
    if (digestOf(migration) !== digest) {
      throw new SluiceError({
        code: "migration_changed",
        detail: `Migration ${migration.name} was applied with another text than it has now.`,
        fix: "Restore the migration file as it was released; changes go into a new migration.",
      });
    }
  }
}

/** Of a migration's text, as the database keeps it. */
export const digestOf = (migration: Migration): string =>
  new Bun.CryptoHasher("sha256").update(migration.sql).digest("hex");
