/*
 * Stores of the cases that go below the program: opened by as many as share them, each over
 * connections of its own, and by processes that are killed in the middle of their work.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { S3Config } from "../src/config.ts";
import { type Database, openEmbedded, openPostgres } from "../src/store/database.ts";
import { migrate } from "../src/store/migrate.ts";
import { folderObjects, type Objects, s3Objects } from "../src/store/objects.ts";
import { openScratch } from "../src/store/testing.ts";
import { openStores, type StoreName } from "./stores.ts";

/** Where a database and objects are, in a form that another process can be given. */
export interface Place {
  /** A folder where there is no address. */
  readonly folder: string;
  readonly databaseUrl: string | null;
  readonly s3: S3Config | null;
}

export interface OpenPlace {
  readonly place: Place;
  close(): Promise<void>;
}

/** Empty stores of their own. */
export async function openPlace(store: StoreName): Promise<OpenPlace> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-cases-"));
  const { databaseUrl, env, close } = await openStores(store);
  const s3 = {
    endpoint: env["S3_ENDPOINT"] ?? "",
    bucket: env["S3_BUCKET"] ?? "",
    accessKey: env["S3_ACCESS_KEY_ID"] ?? "",
    secretKey: env["S3_SECRET_ACCESS_KEY"] ?? "",
    region: "us-east-1",
  };
  return {
    place: { folder, databaseUrl, s3: s3.endpoint === "" ? null : s3 },
    close: async () => {
      await close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The database of a place, migrated; an embedded one must not be opened twice. */
export async function databaseIn({ folder, databaseUrl }: Place): Promise<Database> {
  const database =
    databaseUrl === null ? await openEmbedded(join(folder, "db")) : openPostgres(databaseUrl);
  await migrate(database);
  return database;
}

export const objectsIn = ({ folder, s3 }: Place): Objects =>
  s3 === null ? folderObjects(join(folder, "objects")) : s3Objects(s3);

export interface OpenDatabases {
  readonly all: readonly [Database, ...Database[]];
  close(): Promise<void>;
}

/** One migrated database, opened `many` times; an embedded one cannot be opened twice. */
export async function openDatabases(store: StoreName, many: number): Promise<OpenDatabases> {
  const { databaseUrl, close } = await openStores(store);
  const open = async () => (databaseUrl === null ? openScratch() : openPostgres(databaseUrl));
  const first = await open();
  await migrate(first);
  const more = databaseUrl === null ? 0 : many - 1;
  const all = [first, ...(await Promise.all(Array.from({ length: more }, open)))] as const;
  return {
    all,
    close: async () => {
      for (const database of all) await database.close();
      await close();
    },
  };
}
