/*
 * Databases for tests: an embedded one always, and a fresh one of a real Postgres where
 * SLUICE_TEST_DATABASE_URL names a server that lets databases be made.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import postgres from "postgres";
import { type Database, openEmbedded, openPostgres } from "./database.ts";
import { migrate } from "./migrate.ts";

export interface TestDatabase {
  readonly name: string;
  /** An empty database of its own, migrated; closing it also drops it. */
  open(): Promise<Database>;
}

/** The databases that a test runs on: `describe.each(testDatabases())("$name", ...)`. */
export function testDatabases(): TestDatabase[] {
  const embedded = { name: "embedded", open: openScratch };
  const url = process.env["SLUICE_TEST_DATABASE_URL"];
  if (url === undefined || url === "") return [embedded];
  return [embedded, { name: "postgres", open: () => openFresh(url) }];
}

/** An embedded database of its own, migrated; closing it also removes it. */
export async function openScratch(): Promise<Database> {
  const folder = await mkdtemp(join(tmpdir(), "sluice-database-"));
  const database = await openEmbedded(join(folder, "db"));
  return migrated({
    ...database,
    close: async () => {
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  });
}

/** The same without a single table. */
export async function openBare(): Promise<Database> {
  const database = await openScratch();
  for (const schema of ["public", "queue"]) {
    await database.orm.execute(sql.raw(`drop schema if exists ${schema} cascade`));
  }
  await database.orm.execute(sql`create schema public`);
  return database;
}

async function openFresh(url: string): Promise<Database> {
  const name = `sluice_test_${randomBytes(8).toString("hex")}`;
  await administer(url, `create database ${name}`);
  const own = new URL(url);
  own.pathname = `/${name}`;
  const database = openPostgres(own.href);
  return migrated({
    ...database,
    close: async () => {
      await database.close();
      await administer(url, `drop database ${name} with (force)`);
    },
  });
}

async function migrated(database: Database): Promise<Database> {
  await migrate(database);
  return database;
}

/** Runs one statement that cannot stand in a transaction, over a connection of its own. */
async function administer(url: string, statement: string): Promise<void> {
  const client = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await client.unsafe(statement);
  } finally {
    await client.end();
  }
}
