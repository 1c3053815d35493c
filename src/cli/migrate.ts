/*
 * The one command besides serving that opens the database itself: it must work while no server
 * can start, and it refuses a folder that another process holds (exit code 3).
 */
import { readConfig } from "../config.ts";
import { databasePath, lockPath } from "../folder.ts";
import { openEmbedded, openPostgres } from "../store/database.ts";
import { type Lock, takeLock } from "../store/lock.ts";
import { migrate } from "../store/migrate.ts";
import type { Io, JsonOption } from "./io.ts";

/** Applies the missing migrations and prints their names. */
export async function migrateNow(io: Io, { json }: JsonOption): Promise<number> {
  const config = readConfig(io.environment, io.terminal);
  const lock: Lock | null = config.databaseUrl === null ? takeLock(lockPath(config)) : null;
  try {
    const database =
      config.databaseUrl === null
        ? await openEmbedded(databasePath(config))
        : openPostgres(config.databaseUrl);
    try {
      const applied = await migrate(database);
      await io.print(json ? JSON.stringify({ applied }) : textOf(applied));
    } finally {
      await database.close();
    }
  } finally {
    lock?.release();
  }
  return 0;
}

const textOf = (applied: readonly string[]): string =>
  applied.length === 0
    ? "The database is up to date."
    : applied.map((name) => `applied ${name}`).join("\n");
