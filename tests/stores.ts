/*
 * What a story's program keeps its things in: one folder (the embedded database, a folder of
 * objects, notices in memory), or servers (Postgres, S3, Redis). Every story is told on both,
 * `describe.each(stores())("... on %s", ...)`; one that can be told on one only says why in its
 * name, with `only`. The test command counts the stories by these names.
 */

import { afterAll } from "bun:test";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import postgres from "postgres";
import { folderObjects, type Objects, s3Objects } from "../src/store/objects.ts";
import { endAll } from "./served.ts";

export type StoreName = "embedded" | "services";
export type Variables = Readonly<Record<string, string>>;

const variable = (name: string): string => process.env[name] ?? "";
const DATABASE = variable("SLUICE_TEST_DATABASE_URL");
const REDIS = variable("SLUICE_TEST_REDIS_URL");
const S3 = variable("SLUICE_TEST_S3_ENDPOINT");

/** Whether there are servers to tell stories on. */
export const hasServices = DATABASE !== "" && REDIS !== "" && S3 !== "";

/** The stores that a file's stories are told on; whatever they started ends with the file. */
export function stores(): readonly StoreName[] {
  afterAll(endAll);
  return hasServices ? ["embedded", "services"] : ["embedded"];
}

/** What a story's name ends with that is told on one only, and why. */
export const only = (store: StoreName, why: string): string => `(on ${store} only: ${why})`;

export interface OpenStores {
  readonly name: StoreName;
  /** What a process needs to find them; nothing for what is embedded. */
  readonly env: Variables;
  /** The database's address, or null for the embedded one. */
  readonly databaseUrl: string | null;
  /** Removes every object by hand, where a program in the folder of data keeps them. */
  loseObjects(data: string): Promise<void>;
  /** Drops what is on servers. */
  close(): Promise<void>;
}

/** Empty stores of their own. */
export async function openStores(name: StoreName): Promise<OpenStores> {
  if (name === "embedded") {
    return {
      ...{ name, env: {}, databaseUrl: null, close: async () => {} },
      loseObjects: (data) => removeAll(folderObjects(join(data, "objects"))),
    };
  }
  const database = await freshDatabase();
  const objects = freshBucket();
  return {
    name,
    env: { DATABASE_URL: database.url, REDIS_URL: REDIS, ...objects },
    databaseUrl: database.url,
    loseObjects: () => removeAll(s3Objects(configOf(objects))),
    close: database.close,
  };
}

/** A database of its own on the server, which is dropped at the end. */
export async function freshDatabase(): Promise<{
  readonly url: string;
  close(): Promise<void>;
}> {
  const name = `sluice_story_${randomBytes(8).toString("hex")}`;
  await administer(`create database ${name}`);
  const own = new URL(DATABASE);
  own.pathname = `/${name}`;
  return { url: own.href, close: () => administer(`drop database ${name} with (force)`) };
}

async function administer(statement: string): Promise<void> {
  const client = postgres(DATABASE, { max: 1, onnotice: () => {} });
  try {
    await client.unsafe(statement);
  } finally {
    await client.end();
  }
}

/** Variables of a bucket that is not there yet; it goes with the server. */
export const freshBucket = () => ({
  S3_ENDPOINT: S3,
  S3_BUCKET: `sluice-${randomBytes(6).toString("hex")}`,
  S3_ACCESS_KEY_ID: variable("SLUICE_TEST_S3_KEY"),
  S3_SECRET_ACCESS_KEY: variable("SLUICE_TEST_S3_SECRET"),
});

const configOf = (bucket: ReturnType<typeof freshBucket>) => ({
  endpoint: bucket.S3_ENDPOINT,
  bucket: bucket.S3_BUCKET,
  accessKey: bucket.S3_ACCESS_KEY_ID,
  secretKey: bucket.S3_SECRET_ACCESS_KEY,
  region: "us-east-1",
});

async function removeAll(objects: Objects): Promise<void> {
  for await (const digest of objects.list()) await objects.remove(digest);
}
