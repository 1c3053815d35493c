/*
 * The database: real Postgres by DATABASE_URL, or PGlite in a folder. Same schema, same SQL.
 */
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import type { SQL } from "drizzle-orm";
import type { PgDatabase, PgQueryResultHKT } from "drizzle-orm/pg-core";
import { drizzle as drizzlePglite } from "drizzle-orm/pglite";
import { drizzle as drizzlePostgres } from "drizzle-orm/postgres-js";
import { type ConstructorOptions, fromPglite } from "pg-boss";
import postgres from "postgres";
import { readAsset } from "../assets.ts";
import { reasonOf, SluiceError } from "../errors.ts";
import { turn } from "../turn.ts";
import * as schema from "./schema.ts";

/** Drizzle over either driver: a database or a transaction of it. */
export type Orm = PgDatabase<PgQueryResultHKT, typeof schema>;

export interface Database {
  readonly kind: "postgres" | "embedded";
  readonly orm: Orm;
  /** Rows of a raw statement, as plain objects (the drivers differ in how they wrap them). */
  rows<Row extends object>(statement: SQL, within?: Orm): Promise<Row[]>;
  /** How the queue reaches the same database. */
  readonly queue: ConstructorOptions;
  /** Resolves when the database answers within the deadline, rejects otherwise. */
  ping(deadlineMs?: number): Promise<void>;
  close(): Promise<void>;
}

const PING_MS = 1_000;

/** Opens real Postgres (14 to 18). The connection is made at the first statement. */
export function openPostgres(url: string): Database {
  const client = postgres(url, {
    max: 8,
    connect_timeout: 10,
    idle_timeout: 20,
    max_lifetime: 1_800,
    onnotice: () => {},
    connection: { application_name: "sluice", statement_timeout: 60_000, TimeZone: "UTC" },
  });
  const orm = drizzlePostgres(client, { schema }) as unknown as Orm;
  return {
    kind: "postgres",
    orm,
    rows: async <Row extends object>(statement: SQL, within = orm) => [
      ...((await within.execute(statement)) as unknown as Row[]),
    ],
    // The queue keeps its own few connections: it speaks to Postgres by another driver.
    queue: { connectionString: url, max: 3, application_name: "sluice-queue" },
    ping: (deadlineMs = PING_MS) => within(deadlineMs, client`select 1`),
    close: () => client.end({ timeout: 5 }),
  };
}

/**
 * Opens the embedded database in `folder` (the caller holds its lock), making it first from the
 * embedded cluster image: aside and renamed, so that a kill leaves either none or a whole one.
 */
export async function openEmbedded(folder: string): Promise<Database> {
  const parts = await embeddedParts();
  if (!existsSync(join(folder, "PG_VERSION"))) await createCluster(folder, parts);
  return overPglite(fair(await PGlite.create({ dataDir: folder, ...parts })));
}

/** An embedded database in memory, for tests: empty, gone when it is closed. */
export async function openMemory(): Promise<Database> {
  const parts = await embeddedParts();
  return overPglite(await PGlite.create({ ...parts, loadDataDir: await clusterImage() }));
}

interface EmbeddedParts {
  readonly pgliteWasmModule: WebAssembly.Module;
  readonly fsBundle: Blob;
}

async function embeddedParts(): Promise<EmbeddedParts> {
  const [wasm, data] = await Promise.all([readAsset("pgliteWasm"), readAsset("pgliteData")]);
  return { pgliteWasmModule: await WebAssembly.compile(wasm), fsBundle: new Blob([data]) };
}

const clusterImage = async (): Promise<Blob> => new Blob([await readAsset("cluster")]);

async function createCluster(folder: string, parts: EmbeddedParts): Promise<void> {
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
  // What is there without PG_VERSION is no database; it is kept aside, never deleted.
  if (existsSync(folder)) await rename(folder, `${folder}.broken-${Date.now()}`);
  const aside = `${folder}.tmp`;
  await rm(aside, { recursive: true, force: true });
  const loadDataDir = await clusterImage();
  const pglite = await PGlite.create({ dataDir: aside, ...parts, loadDataDir });
  await pglite.close();
  await rename(aside, folder);
}

/**
 * PGlite answers within this thread, and a chain of promises never goes back to the sockets: a
 * client that connects anew for each request would be served for ever while the server still
 * accepts, and all others would wait. So each statement lets the sockets go first.
 */
function fair(pglite: PGlite): PGlite {
  const run = pglite._runExclusiveQuery.bind(pglite);
  pglite._runExclusiveQuery = async (work) => {
    await turn();
    return run(work);
  };
  return pglite;
}

function overPglite(pglite: PGlite): Database {
  const orm = drizzlePglite(pglite, { schema }) as unknown as Orm;
  return {
    kind: "embedded",
    orm,
    rows: async <Row extends object>(statement: SQL, within = orm) =>
      ((await within.execute(statement)) as unknown as { rows: Row[] }).rows,
    queue: { db: fromPglite(pglite), backend: "pglite" },
    ping: (deadlineMs = PING_MS) => within(deadlineMs, pglite.query("select 1")),
    close: () => pglite.close(),
  };
}

/** Settles with the work, or rejects when it takes longer than the deadline. */
async function within(deadlineMs: number, work: PromiseLike<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unreachable(`no answer in ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    await Promise.race([work, late]);
  } catch (thrown) {
    throw thrown instanceof SluiceError ? thrown : unreachable(reasonOf(thrown), thrown);
  } finally {
    clearTimeout(timer);
  }
}

const unreachable = (reason: string, cause?: unknown): SluiceError =>
  new SluiceError({
    code: "database_unreachable",
    status: 503,
    detail: `The database does not answer: ${reason}.`,
    fix: "Check that DATABASE_URL points at a running Postgres that this machine may reach.",
    retryAfter: 5,
    cause,
  });
