/*
 * Commands that open the database themselves: they must work while no server can start, and they
 * refuse a folder that another process holds (exit code 3).
 */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { readConfig } from "../config.ts";
import { backupPath } from "../folder.ts";
import { checkBackup } from "../store/backup/read.ts";
import { restoreBackup } from "../store/backup/restore.ts";
import { migrate } from "../store/migrate.ts";
import { writeAside } from "./aside.ts";
import { usageError } from "./failure.ts";
import type { Io, JsonOption } from "./io.ts";
import { restoredOf, toldOf } from "./restore.ts";
import { assertEmbedded, backupOf, eitherObjects, objectsOf, withDatabase } from "./stores.ts";

export interface MigrateOptions extends JsonOption {
  readonly from?: "embedded";
  readonly to?: string;
}

/** Applies the missing migrations and prints their names, or moves to another database. */
export async function migrateNow(io: Io, { json, from, to }: MigrateOptions): Promise<number> {
  if ((from === undefined) !== (to === undefined)) {
    throw usageError(
      `--${from === undefined ? "to" : "from"} is given without the other.`,
      "Give both: sluice migrate --from embedded --to postgres://…, or none.",
    );
  }
  if (to !== undefined) return moveTo(io, to, json === true);
  const config = readConfig(io.environment, io.terminal);
  const applied = await withDatabase(config, (database) => migrate(database));
  await io.print(json ? JSON.stringify({ applied }) : textOf(applied));
  return 0;
}

/**
 * Moves what the data folder holds to an empty Postgres, and its artifacts to the S3 server where
 * one is configured. The folder is held meanwhile and stays as it is.
 */
async function moveTo(io: Io, to: string, json: boolean): Promise<number> {
  // What DATABASE_URL accepts, this does too, and says it in the same words.
  const target = readConfig({ ...io.environment, DATABASE_URL: to }, io.terminal);
  const source = { ...target, databaseUrl: null };
  assertEmbedded(source);
  const { manifest, applied } = await withDatabase(source, async (database) => {
    const backup = await backupOf(source, database, eitherObjects(source), {});
    const folder = await mkdtemp(join(backupPath(source), "move-"));
    try {
      const path = join(folder, backup.name);
      await writeAside(path, (aside) => aside.write(backup.bytes()));
      const manifest = await checkBackup(path);
      const applied = await withDatabase(target, (empty) =>
        restoreBackup({ database: empty, objects: objectsOf(target) }, path, manifest),
      );
      return { manifest, applied };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
  await io.print(
    json
      ? JSON.stringify({ ...restoredOf(manifest), applied })
      : `${toldOf(manifest, applied)}\n${nextOf(target.s3 === null, target.data)}`,
  );
  return 0;
}

const nextOf = (inFolder: boolean, data: string): string =>
  inFolder
    ? `Set DATABASE_URL and start. The artifacts stay in ${data}; replicas elsewhere need S3.`
    : `Set DATABASE_URL and start. ${data} is as it was, and no longer used.`;

const textOf = (applied: readonly string[]): string =>
  applied.length === 0
    ? "The database is up to date."
    : applied.map((name) => `applied ${name}`).join("\n");
