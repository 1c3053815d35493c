/*
 * Lets old versions go. What an alias points at stays, and so does what somebody works with.
 */
import { and, asc, eq, inArray, like, or, sql } from "drizzle-orm";
import type { Database, Orm } from "../store/database.ts";
import { aliasHistory, artifacts, modelVersions, pipelineRuns, runs } from "../store/schema.ts";
import type { Instant } from "../types.ts";
import { modelName } from "./names.ts";
import { CHAMPION } from "./promotion.ts";
import { MODEL_FILE, MODEL_FOLDER } from "./register.ts";
import { earlierChampions } from "./rollback.ts";
import type { Sweep } from "./sweep.ts";
import { removeTrained, runsStoodOn } from "./trained.ts";
import { lockModel, REMOVED, type Version, versionsBelow } from "./version-rows.ts";

export interface Retention {
  /** How many of the newest versions stay whatever they are. */
  readonly newest: number;
  /** How many champions before this one stay, for rollbacks. */
  readonly formers?: number;
  /** Only what pipelines made may go: what came from outside cannot be made again here. */
  readonly onlyTrained?: boolean;
  /** How many are removed at most, the oldest first; the model is locked meanwhile. */
  readonly most?: number;
  /** Their bytes are left to a sweep, so that a backup under way still finds them. */
  readonly leaveBytes?: boolean;
  /** Versions that somebody works with, each with why it stays. */
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
   * Removes versions of a model but for the newest, those under an alias, those in use and those of
   * pipeline runs that are open, then their bytes where nothing else names them. Bytes that are
   * gone already are no error.
   */
  async function retain(name: string, wanted: Retention): Promise<Retained> {
    modelName(name);
    const removed: Version[] = [];
    const kept: { version: number; reason: string }[] = [];
    await database.orm.transaction(async (tx) => {
      // An alias cannot move onto a version while it is judged.
      await lockModel(tx, name);
      const all = await versionsBelow(tx, name, null);
      const known = await knownUses(tx, name, wanted);
      const going: Version[] = [];
      for (const [place, version] of all.entries()) {
        const reason = reasonToKeep(version, place, wanted, known);
        if (reason !== null) kept.push({ version: version.version, reason });
        else going.push(version);
      }
      for (const version of going.slice(-(wanted.most ?? Number.POSITIVE_INFINITY))) {
        await removeVersion(tx, version);
        removed.push(version);
      }
    });
    if (wanted.leaveBytes !== true) {
      for (const { digest } of removed) await sweep.removeUnnamed(digest);
    }
    return { removed: removed.map((version) => version.version), kept };
  }

  async function removeVersion(tx: Orm, one: Version): Promise<void> {
    const { name, version, digest, runId, trained } = one;
    await tx
      .update(modelVersions)
      .set({
        currentStage: REMOVED,
        // Without these the run may be registered anew, under a number of its own.
        ...{ digest: null, trained: false },
        statusMessage: `Removed by retention; its bytes had the sha256 ${digest}.`,
        lastUpdatedTime: clock.now(),
      })
      .where(and(eq(modelVersions.name, name), eq(modelVersions.version, version)));
    if (runId === null || (await isStoodOn(tx, runId))) return;
    if (trained) await removeTrained(tx, [runId]);
    const own = and(eq(artifacts.path, MODEL_FILE), eq(artifacts.digest, digest));
    // The folder beside it says how to load bytes that are about to be gone.
    const folder = trained ? like(artifacts.path, `${MODEL_FOLDER}/%`) : undefined;
    await tx.delete(artifacts).where(and(eq(artifacts.runId, runId), or(own, folder)));
  }

  /** Whether another version has the run's files, which is not removed with this one. */
  const isStoodOn = async (tx: Orm, runId: string): Promise<boolean> =>
    (await database.rows(sql`select 1 where ${runId} in (${runsStoodOn})`, tx)).length > 0;

  return { retain };
}

interface KnownUses {
  /** Open pipeline runs by the version that they made. */
  readonly open: ReadonlyMap<number, string>;
  readonly formers: ReadonlySet<number>;
  /** Versions whose run belongs to a pipeline run. */
  readonly trained: ReadonlySet<number>;
}

/** What the database itself knows of who needs a version. */
async function knownUses(tx: Orm, name: string, { formers = 0 }: Retention): Promise<KnownUses> {
  const made = await tx
    .select({
      version: modelVersions.version,
      run: runs.pipelineRunId,
      trained: modelVersions.trained,
    })
    .from(modelVersions)
    .innerJoin(runs, eq(runs.runId, modelVersions.runId))
    .where(eq(modelVersions.name, name));
  const open = await tx
    .select({ id: pipelineRuns.id })
    .from(pipelineRuns)
    .where(inArray(pipelineRuns.status, ["queued", "running"]));
  const isOpen = new Set(open.map(({ id }) => id));
  const moves = await tx
    .select()
    .from(aliasHistory)
    .where(and(eq(aliasHistory.name, name), eq(aliasHistory.alias, CHAMPION)))
    .orderBy(asc(aliasHistory.id));
  return {
    open: new Map(
      made.flatMap(({ version, run }) => (run !== null && isOpen.has(run) ? [[version, run]] : [])),
    ),
    formers: new Set(earlierChampions(moves).slice(0, formers)),
    trained: new Set(
      made.flatMap(({ version, run, trained }) => (run !== null && trained ? version : [])),
    ),
  };
}

function reasonToKeep(
  version: Version,
  place: number,
  wanted: Retention,
  { open, formers, trained }: KnownUses,
): string | null {
  if (version.aliases.length > 0) return `It is ${version.aliases.join(" and ")}.`;
  const use = wanted.inUse?.get(version.version);
  if (use !== undefined) return use;
  const run = open.get(version.version);
  if (run !== undefined) return `Pipeline run ${run} works with it.`;
  if (formers.has(version.version)) return "It was champion; a rollback may go back to it.";
  if (wanted.onlyTrained === true && !trained.has(version.version)) return "It is from outside.";
  return place < wanted.newest ? `It is one of the newest ${wanted.newest}.` : null;
}
