/*
 * `sluice backup`: everything of one moment in one file. A server that holds the data folder is
 * asked for it; otherwise the stores are read here, without bringing their schema up to date, so
 * that a backup can be taken before an upgrade.
 */
import { stat } from "node:fs/promises";
import { type Config, readConfig } from "../config.ts";
import { reasonOf, SluiceError } from "../errors.ts";
import { lockPath } from "../folder.ts";
import type { Manifest } from "../store/backup/manifest.ts";
import { checkBackup } from "../store/backup/read.ts";
import { lockHolder } from "../store/lock.ts";
import { type Aside, writeAside } from "./aside.ts";
import { usageError } from "./failure.ts";
import type { Io, JsonOption } from "./io.ts";
import { withSession } from "./session.ts";
import { assertEmbedded, backupOf, objectsOf, withDatabase } from "./stores.ts";

export interface BackupOptions extends JsonOption {
  readonly skipMissing?: boolean;
}

/** A large one takes long. */
const ANSWER_MS = 6 * 60 * 60_000;

/** Takes a backup, checks it, and only then gives it its name. */
export async function backup(
  io: Io,
  path: string,
  { json, skipMissing = false }: BackupOptions,
): Promise<number> {
  const there = await stat(path).catch(() => null);
  if (there?.isDirectory()) throw usageError(`"${path}" is a folder.`, "Give the name of a file.");
  const config = readConfig(io.environment, io.terminal);
  const isHeld = config.databaseUrl === null && lockHolder(lockPath(config)) !== null;
  const take = isHeld ? fetched : taken;
  const { manifest, size } = await writeAside(path, async (aside) => {
    await take(io, config, skipMissing, aside);
    const manifest = await checkBackup(aside.path).catch((thrown) => {
      throw isDamaged(thrown) ? brokenOff(thrown) : thrown;
    });
    return { manifest, size: (await stat(aside.path)).size };
  });
  await io.print(
    json ? JSON.stringify(answerOf(path, size, manifest)) : told(path, size, manifest),
  );
  return 0;
}

const fetched = (io: Io, _: Config, skipMissing: boolean, aside: Aside): Promise<void> =>
  withSession(io, ({ call }) =>
    call<void>("GET", `/admin/backup${skipMissing ? "?missing=skip" : ""}`, undefined, {
      // One that breaks off is not asked for again and again: the server has logged why.
      receive: (bytes) =>
        aside.write(bytes).catch((thrown) => {
          throw thrown instanceof SluiceError ? thrown : brokenOff(thrown);
        }),
      answerMs: ANSWER_MS,
    }),
  );

async function taken(_: Io, config: Config, skipMissing: boolean, aside: Aside): Promise<void> {
  if (config.databaseUrl === null) assertEmbedded(config);
  await withDatabase(config, async (database) => {
    const backup = await backupOf(config, database, objectsOf(config), { skipMissing });
    await aside.write(backup.bytes());
  });
}

const rowsOf = ({ tables }: Manifest): number => tables.reduce((n, { rows }) => n + rows, 0);

function answerOf(file: string, bytes: number, manifest: Manifest) {
  const { made_at, from, sluice, schema, tables, objects, missing } = manifest;
  return {
    ...{ file, bytes, made_at, from, sluice, schema: schema.at(-1)?.name ?? null },
    tables: Object.fromEntries(tables.map(({ name, rows }) => [name, rows])),
    ...{ objects, missing },
  };
}

function told(path: string, bytes: number, manifest: Manifest): string {
  const { objects, missing, made_at } = manifest;
  const without = missing.length === 0 ? "" : ` Without ${missing.length} that are missing.`;
  const what = `${rowsOf(manifest)} rows and ${objects} artifacts of ${made_at}`;
  return `${path}: ${what}, ${sizeText(bytes)}, checked.${without}`;
}

const isDamaged = (thrown: unknown): boolean =>
  thrown instanceof SluiceError && thrown.code === "backup_damaged";

const brokenOff = (cause: unknown): SluiceError =>
  new SluiceError({
    code: "backup_damaged",
    detail: `The backup broke off, and no file was written: ${reasonOf(cause)}`,
    fix: "See backup_failed in the log of the server, and take it again.",
    cause,
  });

const sizeText = (bytes: number): string =>
  bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
