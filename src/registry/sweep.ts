/*
 * Removes bytes that no row names: what a killed registration or a retention left behind.
 */
import { and, eq, ne } from "drizzle-orm";
import type { Database } from "../store/database.ts";
import type { Objects } from "../store/objects.ts";
import { artifacts, files, modelVersions } from "../store/schema.ts";
import type { Instant } from "../types.ts";
import { namedArtifacts } from "./named.ts";
import { REMOVED } from "./version-rows.ts";

export interface Swept {
  readonly removed: number;
  /** Objects that stay: named by a row, or not seen without one for long enough. */
  readonly kept: number;
  readonly freedBytes: number;
}

export type Sweep = ReturnType<typeof makeSweep>;

/** The sweeping of objects. It remembers in this process what it saw orphaned, and since when. */
export function makeSweep({
  database,
  objects,
  clock,
}: {
  database: Database;
  objects: Objects;
  clock: { now(): Instant };
}) {
  const { orm } = database;
  const orphanSince = new Map<string, Instant>();

  /**
   * Removes objects that no artifact, no file and no version names, now and in a sweep at least
   * `olderThanMs` ago: objects have no age of their own, and bytes are stored before their row.
   */
  async function sweepOrphans({ olderThanMs }: { olderThanMs: number }): Promise<Swept> {
    const now = clock.now();
    const named = new Set(await namedArtifacts(orm));
    const orphans = new Set<string>();
    let kept = 0;
    for await (const digest of objects.list()) {
      if (named.has(digest)) kept++;
      else orphans.add(digest);
    }
    for (const digest of orphanSince.keys()) {
      if (!orphans.has(digest)) orphanSince.delete(digest);
    }
    let removed = 0;
    let freedBytes = 0;
    for (const digest of orphans) {
      const since = orphanSince.get(digest);
      if (since === undefined) orphanSince.set(digest, now);
      const isOld = since !== undefined && now - since >= olderThanMs;
      const freed = isOld ? await removeUnnamed(digest) : null;
      if (freed === null) kept++;
      else {
        orphanSince.delete(digest);
        removed++;
        freedBytes += freed;
      }
    }
    return { removed, kept, freedBytes };
  }

  /**
   * Removes one object unless a row names it, and tells how many bytes it had, or null where it
   * stays; an object that is not there is no error. A row that came while it was removed brings it
   * back (see `storeBytes` for the other half).
   */
  async function removeUnnamed(digest: string): Promise<number | null> {
    if (await isNamed(digest)) return null;
    // What is missing or damaged cannot be brought back, and need not be.
    const aside = await objects.aside(digest);
    try {
      await objects.remove(digest);
      if (aside === null || !(await isNamed(digest))) return aside?.size ?? 0;
      await aside.keep();
      return null;
    } finally {
      await aside?.drop().catch(() => {});
    }
  }

  async function isNamed(digest: string): Promise<boolean> {
    for (const table of [artifacts, files]) {
      const named = await orm
        .select({ digest: table.digest })
        .from(table)
        .where(eq(table.digest, digest))
        .limit(1);
      if (named.length > 0) return true;
    }
    const versions = await orm
      .select({ digest: modelVersions.digest })
      .from(modelVersions)
      .where(and(eq(modelVersions.digest, digest), ne(modelVersions.currentStage, REMOVED)))
      .limit(1);
    return versions.length > 0;
  }

  return { sweepOrphans, removeUnnamed };
}
