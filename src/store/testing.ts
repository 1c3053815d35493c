/*
 * Databases for tests: the embedded one in memory always, and a fresh one of a real Postgres
 * where SLUICE_TEST_DATABASE_URL names a server that lets databases be made.
 */
import { randomBytes } from "node:crypto";
import postgres from "postgres";
import { type Database, openMemory, openPostgres } from "./database.ts";
import { migrate } from "./migrate.ts";

export interface TestDatabase {
  readonly name: string;
  /** An empty database of its own, migrated; closing it also drops it. */
  open(): Promise<Database>;
}

/** The databases that a test runs on: `describe.each(testDatabases())("$name", ...)`. */
export function testDatabases(): TestDatabase[] {
  const embedded = { name: "embedded", open: async () => migrated(await openMemory()) };
  const url = process.env["SLUICE_TEST_DATABASE_URL"];
  if (url === undefined || url === "") return [embedded];
  return [embedded, { name: "postgres", open: () => openFresh(url) }];
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
