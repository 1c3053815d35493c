/*
 * Lets old versions go. What an alias points at stays, and so does what somebody works with.
 */
import { and, eq } from "drizzle-orm";
import type { Database, Orm } from "../store/database.ts";
import { artifacts, modelVersions } from "../store/schema.ts";
import type { Instant } from "../types.ts";
import { modelName } from "./names.ts";
import { MODEL_FILE } from "./register.ts";
import type { Sweep } from "./sweep.ts";
import { lockModel, REMOVED, type Version, versionsBelow } from "./version-rows.ts";

export interface Retention {
  /** How many of the newest versions stay whatever they are. */
  readonly newest: number;
  /** Versions that a job works with, each with why it stays. */
  readonly inUse?: ReadonlyMap<number, string>;
}

export interface Retained {
  readonly removed: readonly number[];
  readonly kept: readonly { readonly version: number; readonly reason: string }[];
}

/** The retention of versions. */
export function makeRetention({
  database,
  clock,
  sweep,
}: {
  database: Database;
  clock: { now(): Instant };
  sweep: Sweep;
}) {
  /**
   * Removes versions of a model but for the newest, those under an alias and those in use, then
   * their bytes where nothing else names them. Bytes that are gone already are no error.
   */
  async function retain(name: string, wanted: Retention): Promise<Retained> {
    modelName(name);
    const removed: Version[] = [];
    const kept: { version: number; reason: string }[] = [];
    await database.orm.transaction(async (tx) => {
      // An alias cannot move onto a version while it is judged.
      await lockModel(tx, name);
      const all = await versionsBelow(tx, name, null);
      for (const [place, version] of all.entries()) {
        const reason = reasonToKeep(version, place, wanted);
        if (reason !== null) kept.push({ version: version.version, reason });
        else {
          await removeVersion(tx, version);
          removed.push(version);
        }
      }
    });
    for (const { digest } of removed) await sweep.removeUnnamed(digest);
    return { removed: removed.map((version) => version.version), kept };
  }

  async function removeVersion(tx: Orm, { name, version, digest, runId }: Version): Promise<void> {
    await tx
      .update(modelVersions)
      .set({
        currentStage: REMOVED,
        // Without the digest the run may be registered anew, under a number of its own.
        digest: null,
        statusMessage: `Removed by retention; its bytes had the sha256 ${digest}.`,
        lastUpdatedTime: clock.now(),
      })
      .where(and(eq(modelVersions.name, name), eq(modelVersions.version, version)));
    if (runId === null) return;
    await tx
      .delete(artifacts)
      .where(
        and(
          eq(artifacts.runId, runId),
          eq(artifacts.path, MODEL_FILE),
          eq(artifacts.digest, digest),
        ),
      );
  }

  return { retain };
}

function reasonToKeep(version: Version, place: number, wanted: Retention): string | null {
  if (version.aliases.length > 0) return `It is ${version.aliases.join(" and ")}.`;
  const use = wanted.inUse?.get(version.version);
  if (use !== undefined) return use;
  return place < wanted.newest ? `It is one of the newest ${wanted.newest}.` : null;
}
