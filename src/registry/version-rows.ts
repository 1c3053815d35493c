/*
 * Versions as rows, and the lock under which a model changes. A version that was removed keeps
 * its row, so that its number is never given again, but nobody can read it.
 */
import { and, desc, eq, isNotNull, lt, ne, type SQL } from "drizzle-orm";
import { SluiceError } from "../errors.ts";
import type { Orm } from "../store/database.ts";
import { aliases, modelVersions, registeredModels } from "../store/schema.ts";
import type { Instant } from "../types.ts";
import type { Signature } from "./signature.ts";

/** A numbered artifact of a model that can be served. `gates` are newest first. */
export interface Version {
  readonly name: string;
  readonly version: number;
  /** sha256 of the ONNX bytes, and how many they are. */
  readonly digest: string;
  readonly size: number;
  readonly signature: Signature;
  readonly runId: string | null;
  /** Whether the run made it: false where a client only said so. */
  readonly trained: boolean;
  readonly createdAt: Instant;
  readonly gates: readonly Readonly<Record<string, unknown>>[];
  readonly aliases: readonly string[];
}

type VersionRow = typeof modelVersions.$inferSelect;

/** The stage that marks a removed version, as in MLflow's own tables. */
export const REMOVED = "Deleted_Internal";

/** Rows of versions of a model that can be served. */
export const servable = (name: string): SQL =>
  and(
    eq(modelVersions.name, name),
    eq(modelVersions.status, "READY"),
    ne(modelVersions.currentStage, REMOVED),
    isNotNull(modelVersions.digest),
    isNotNull(modelVersions.signature),
  )!;

/** The version, or null when there is none that can be served. */
export async function versionOf(
  within: Orm,
  name: string,
  version: number,
): Promise<Version | null> {
  // What the column cannot hold is no version; asking for it would be an error of the database.
  if (!Number.isInteger(version) || version < 1 || version > 2 ** 31 - 1) return null;
  const rows = await within
    .select()
    .from(modelVersions)
    .where(and(servable(name), eq(modelVersions.version, version)));
  return (await withAliases(within, name, rows))[0] ?? null;
}

/** The version that a training or a file from outside became by this run, or null. */
export async function versionOfRun(
  within: Orm,
  name: string,
  runId: string,
): Promise<Version | null> {
  const rows = await within
    .select()
    .from(modelVersions)
    .where(and(servable(name), eq(modelVersions.runId, runId), eq(modelVersions.trained, true)));
  return (await withAliases(within, name, rows))[0] ?? null;
}

/** The newest version that has these bytes, or null. */
export async function versionOfDigest(
  within: Orm,
  name: string,
  digest: string,
): Promise<Version | null> {
  const rows = await within
    .select()
    .from(modelVersions)
    .where(and(servable(name), eq(modelVersions.digest, digest)))
    .orderBy(desc(modelVersions.version))
    .limit(1);
  return (await withAliases(within, name, rows))[0] ?? null;
}

/** At most `limit` versions below `before` (null: from the newest), newest first. */
export async function versionsBelow(
  within: Orm,
  name: string,
  before: number | null,
  limit?: number,
): Promise<Version[]> {
  const query = within
    .select()
    .from(modelVersions)
    .where(and(servable(name), before === null ? undefined : lt(modelVersions.version, before)))
    .orderBy(desc(modelVersions.version));
  return withAliases(within, name, await (limit === undefined ? query : query.limit(limit)));
}

async function withAliases(
  within: Orm,
  name: string,
  rows: readonly VersionRow[],
): Promise<Version[]> {
  if (rows.length === 0) return [];
  const pointers = await within
    .select()
    .from(aliases)
    .where(eq(aliases.name, name))
    .orderBy(aliases.alias);
  return rows.map((row) => ({
    name,
    version: row.version,
    digest: row.digest!,
    size: row.size ?? 0,
    signature: row.signature as Signature,
    runId: row.runId,
    trained: row.trained,
    createdAt: row.creationTime,
    gates: row.gates ?? [],
    aliases: pointers.filter((p) => p.version === row.version).map((p) => p.alias),
  }));
}

/**
 * Locks a model for the rest of the transaction: numbers are drawn and aliases moved one after
 * another. The lock leaves out foreign keys, so that tags and rows beside it need not wait.
 */
export async function lockModel(tx: Orm, name: string): Promise<void> {
  await tx
    .select({ name: registeredModels.name })
    .from(registeredModels)
    .where(eq(registeredModels.name, name))
    .for("no key update");
}

/** A version that can be served was asked for and there is none of that number (404). */
export const unknownVersion = (name: string, version: number): SluiceError =>
  new SluiceError({
    code: "unknown_version",
    status: 404,
    detail: `Model ${name} has no version ${version} that can be served.`,
    fix: "Look the number up in the list of the model's versions.",
  });
