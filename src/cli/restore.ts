/*
 * `sluice restore`: a backup into an empty database of either kind, and its artifacts into the
 * folder or the bucket that is configured.
 */
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Config, readConfig } from "../config.ts";
import { reasonOf } from "../errors.ts";
import { modelTexts } from "../models.ts";
import type { Manifest } from "../store/backup/manifest.ts";
import { checkBackup, eachPart } from "../store/backup/read.ts";
import { restoreBackup } from "../store/backup/restore.ts";
import { usageError } from "./failure.ts";
import type { Io, JsonOption } from "./io.ts";
import { objectsOf, withDatabase } from "./stores.ts";

/** Checks a backup whole, then restores it. */
export async function restore(io: Io, path: string, { json }: JsonOption): Promise<number> {
  const there = await stat(path).catch((thrown) => thrown as Error);
  if (there instanceof Error) throw unreadable(path, reasonOf(there));
  if (!there.isFile()) throw unreadable(path, "it is no file");
  const config = readConfig(io.environment, io.terminal);
  const manifest = await checkBackup(path);
  const applied = await withDatabase(config, (database) =>
    restoreBackup({ database, objects: objectsOf(config) }, path, manifest),
  );
  const models = await restoreModels(config, path);
  const answer = { ...restoredOf(manifest), applied, models };
  await io.print(json ? JSON.stringify(answer) : toldOf(manifest, applied, models));
  return 0;
}

/** What was restored. */
export function restoredOf({ made_at, from, sluice, tables, objects, missing }: Manifest) {
  return {
    ...{ made_at, from, sluice, objects, missing },
    tables: Object.fromEntries(tables.map(({ name, rows }) => [name, rows])),
  };
}

/** In words. */
export function toldOf(
  { tables, objects, missing, made_at }: Manifest,
  applied: readonly string[],
  models: string | null = null,
): string {
  const rows = tables.reduce((n, table) => n + table.rows, 0);
  return [
    `${rows} rows and ${objects} artifacts of ${made_at} are restored.`,
    ...(missing.length === 0 ? [] : [`The backup was taken without ${missing.length} artifacts.`]),
    ...applied.map((name) => `applied ${name}`),
    ...(models === null
      ? []
      : [`Its model files are in ${models}; SLUICE_MODELS=${models} uses them.`]),
  ].join("\n");
}

/**
 * Writes the model files where those of this program or of SLUICE_MODELS are others: into an empty
 * SLUICE_MODELS, else beside the data; returns where to, or null where nothing had to be written.
 */
export async function restoreModels(
  config: Pick<Config, "modelsFolder" | "data">,
  path: string,
): Promise<string | null> {
  const { modelsFolder, data } = config;
  const texts = new Map<string, string>();
  await eachPart(path, async (part, body) => {
    const name = /^models\/([\w.-]+\.toml)$/.exec(part)?.[1];
    if (name === undefined) return;
    texts.set(name, Buffer.concat(await Array.fromAsync(body)).toString());
  });
  const there = new Map(isEmpty(await namesIn(modelsFolder)) ? [] : modelTexts(modelsFolder));
  const same = [...texts].every(([name, text]) => there.get(name) === text);
  if (same && there.size === texts.size) return null;
  const folder = modelsFolder !== null && there.size === 0 ? modelsFolder : join(data, "models");
  await mkdir(folder, { recursive: true });
  for (const [name, text] of texts) await writeFile(join(folder, name), text);
  return folder;
}

/** Names of the model files of a folder; null for those that are built in. */
async function namesIn(folder: string | null): Promise<string[] | null> {
  if (folder === null) return null;
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => name.endsWith(".toml"));
}

const isEmpty = (names: readonly string[] | null): boolean => names?.length === 0;

const unreadable = (path: string, reason: string) =>
  usageError(`The file "${path}" cannot be read: ${reason}.`, "Give a backup: sluice backup FILE.");
