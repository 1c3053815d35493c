/*
 * The stores themselves, for the few commands that work where no server does: what is open here is
 * held, and a folder that another process holds is refused (exit code 3).
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { version } from "../../package.json";
import type { Config } from "../config.ts";
import { SluiceError } from "../errors.ts";
import { backupPath, databasePath, lockPath, objectsPath } from "../folder.ts";
import { modelTexts } from "../models.ts";
import { publicConfig } from "../public-config.ts";
import { namedArtifacts } from "../registry/named.ts";
import { type Backup, type TakeOptions, takeBackup } from "../store/backup/take.ts";
import { type Database, openEmbedded, openPostgres } from "../store/database.ts";
import { type Lock, takeLock } from "../store/lock.ts";
import { folderObjects, type Objects, s3Objects } from "../store/objects.ts";

type Where = Pick<Config, "data" | "databaseUrl">;

/** Does the work with the database that is configured, open for as long as that takes. */
export async function withDatabase<Result>(
  config: Where,
  work: (database: Database) => Promise<Result>,
): Promise<Result> {
  const { databaseUrl } = config;
  const lock: Lock | null = databaseUrl === null ? takeLock(lockPath(config)) : null;
  try {
    const database =
      databaseUrl === null ? await openEmbedded(databasePath(config)) : openPostgres(databaseUrl);
    try {
      return await work(database);
    } finally {
      await database.close();
    }
  } finally {
    lock?.release();
  }
}

/** Where artifacts are kept. */
export const objectsOf = (config: Config): Objects =>
  config.s3 === null
    ? folderObjects(objectsPath(config))
    : s3Objects(config.s3, objectsPath(config));

/** The artifacts of the data folder, and those of the S3 server that are not there. */
export function eitherObjects(config: Config): Pick<Objects, "read" | "size" | "has"> {
  const local = folderObjects(objectsPath(config));
  const { s3 } = config;
  if (s3 === null) return local;
  const remote = s3Objects(s3, objectsPath(config));
  const holder = async (digest: string) => ((await local.has(digest)) ? local : remote);
  return {
    has: async (digest) => (await local.has(digest)) || remote.has(digest),
    size: async (digest) => (await holder(digest)).size(digest),
    read: async function* (digest, range) {
      yield* (await holder(digest)).read(digest, range);
    },
  };
}

/** Throws `nothing_to_back_up` where there is no embedded database: opening it would make one. */
export function assertEmbedded(config: Pick<Config, "data">): void {
  if (existsSync(join(databasePath(config), "PG_VERSION"))) return;
  throw new SluiceError({
    code: "nothing_to_back_up",
    status: 404,
    detail: `The data folder ${config.data} has no database.`,
    fix: "Set SLUICE_DATA to the folder of the server, or DATABASE_URL to its database.",
  });
}

/** A backup of an open database. */
export const backupOf = (
  config: Config,
  database: Database,
  objects: Pick<Objects, "read" | "size" | "has">,
  options: TakeOptions,
): Promise<Backup> =>
  takeBackup(
    {
      ...{ database, objects, version, named: namedArtifacts, now: Date.now },
      folder: backupPath(config),
      config: publicConfig(config),
      models: new Map(modelTexts(config.modelsFolder)),
    },
    options,
  );
