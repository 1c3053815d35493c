/*
 * The database: real Postgres by DATABASE_URL, or PGlite in a folder. Same schema, same SQL.
 */
import { existsSync } from "node:fs";
import { chmod, mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import type { SQL } from "drizzle-orm";
import { drizzle } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { readAsset } from "../assets.ts";
import type { Database, Orm } from "./handle.ts";
import { hasDatabase, takeParts } from "./parts.ts";
import { fair, overPglite } from "./pglite.ts";
import { PING_MS, within } from "./ping.ts";
import * as schema from "./schema.ts";

export type { Database, Orm } from "./handle.ts";

/** Opens real Postgres (14 to 18). The connection is made at the first statement. */
export function openPostgres(url: string): Database {
  const client = postgres(url, {
    max: 8,
    connect_timeout: 10,
    // The driver's own waits grow to 20 s, which would be the outage's longer half.
    backoff: (tries) => Math.min(1, 0.05 * 2 ** tries) * (0.5 + Math.random() / 2),
    idle_timeout: 20,
    max_lifetime: 1_800,
    onnotice: () => {},
    connection: { application_name: "sluice", statement_timeout: 60_000, TimeZone: "UTC" },
  });
  const orm = drizzle(client, { schema }) as unknown as Orm;
  return {
    kind: "postgres",
    orm,
    rows: async <Row extends object>(statement: SQL, within = orm) => [
      ...((await within.execute(statement)) as unknown as Row[]),
    ],
    prepared: <Row extends object>(text: string) => {
      return async (params: readonly unknown[]) => [
        ...(await client.unsafe<Row[]>(text, params as never[], { prepare: true })),
      ];
    },
    // The queue keeps its own few connections: it speaks to Postgres by another driver.
    queue: {
      connectionString: url,
      max: 3,
      application_name: "sluice-queue",
      // Without it a connection that nobody answers is waited for until the system gives up.
      connectionTimeoutMillis: 10_000,
    },
    ping: (deadlineMs = PING_MS) => within(deadlineMs, client`select 1`),
    close: () => client.end({ timeout: 5 }),
  };
}

/**
 * Of the 128 MB that Postgres would take it writes over every page as it starts. The files are in
 * the system's cache as well.
 */
const SHARED_BUFFERS = ["-c", "shared_buffers=32MB"];

/**
 * Opens the embedded database in `folder` (the caller holds its lock), making it first from the
 * image that the program carries: aside and renamed, so that a kill leaves either none or a whole
 * one.
 */
export async function openEmbedded(folder: string): Promise<Database> {
  const { code, files, image } = takeParts(folder);
  if (!hasDatabase(folder)) await unpackImage(folder, await (image ?? readAsset("cluster")));
  const pglite = await PGlite.create({
    dataDir: folder,
    pgliteWasmModule: await code,
    fsBundle: await files,
    startParams: [...PGlite.defaultStartParams, ...SHARED_BUFFERS],
  });
  return overPglite(fair(pglite));
}

/**
 * The image is of a database as a first start leaves it: every migration applied, the queue's
 * schema made (scripts/cluster.ts). To make those here would take seconds.
 */
async function unpackImage(folder: string, image: Uint8Array<ArrayBuffer>): Promise<void> {
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
  // What is there without PG_VERSION is no database; it is kept aside, never deleted.
  if (existsSync(folder)) await rename(folder, `${folder}.broken-${Date.now()}`);
  const aside = `${folder}.tmp`;
  await rm(aside, { recursive: true, force: true });
  await new Bun.Archive(image).extract(aside);
  await chmod(aside, 0o700);
  await rename(aside, folder);
}
