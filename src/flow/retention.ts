/*
 * What is let go of once a day: old rows, versions and trainings beyond what is kept, bytes that
 * nothing names. Every part finds by itself what may go, so a run that is killed, repeated, or
 * done by two processes at once does no harm.
 */
import type { RetainConfig } from "../config.ts";
import { reasonOf } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Retained, Retention } from "../registry/retention.ts";
import type { Sweep } from "../registry/sweep.ts";
import type { makeTrainings } from "../registry/trainings.ts";
import type { RemovedFiles } from "../store/asides.ts";
import { type Removals, ROWS_AT_ONCE } from "../store/retention.ts";
import type { Instant } from "../types.ts";

/** What can be removed, as logs and metrics name it. */
export const REMOVABLE = [
  ...(["pipeline_runs", "forecasts", "quarantine"] as const),
  ...(["versions", "trainings", "datasets", "objects", "files"] as const),
];
export type Removable = (typeof REMOVABLE)[number];

export interface RetentionReport {
  readonly removed: Readonly<Record<Removable, number>>;
  /** Of artifacts and files; what rows took is the database's to give back. */
  readonly freedBytes: number;
  /** Parts that failed, each with why; the others were done all the same. */
  readonly failed: readonly string[];
}

export interface RetentionDeps {
  /** Its days are those of the clock. */
  readonly limits: RetainConfig;
  readonly clock: { now(): Instant };
  readonly removals: Removals;
  readonly versions: {
    names(): Promise<string[]>;
    retain(name: string, wanted: Retention): Promise<Retained>;
  };
  readonly trainings: Pick<ReturnType<typeof makeTrainings>, "removeTrainings" | "removeDatasets">;
  /** It counts in real time: bytes are stored before their row, however fast a replay goes. */
  readonly sweep: Pick<Sweep, "sweepOrphans">;
  /** Removes files that were left half-written in this machine's folder. */
  readonly tidyFiles: () => Promise<RemovedFiles>;
  readonly log: Log;
}

const DAY_MS = 86_400_000;
/** Pipeline runs that stay of each pipeline, however old they are. */
const NEWEST_RUNS = 50;
/** Champions before the current one that stay for rollbacks. */
const FORMERS = 5;
/** Versions that one transaction removes. */
const VERSIONS_AT_ONCE = 20;
/**
 * How long bytes stay that no row names: bytes are stored before their row, and a backup reads rows
 * first and then the bytes that they name.
 */
export const ORPHAN_MS = 6 * 3_600_000;

export type RetentionJob = ReturnType<typeof makeRetentionJob>;

/** The daily work, and what it has removed since this process started. */
export function makeRetentionJob(deps: RetentionDeps) {
  const { limits, removals, log } = deps;
  const totals = { removed: noneRemoved(), freedBytes: 0 };

  /** Removes all that may go now; never throws. A part that fails is told and leaves the rest. */
  async function run(signal?: AbortSignal): Promise<RetentionReport> {
    const removed = noneRemoved();
    const failed: string[] = [];
    let freedBytes = 0;
    const now = deps.clock.now();
    const part = async (name: Removable, work: (count: Count) => Promise<void>) => {
      if (signal?.aborted === true) return;
      try {
        await work((rows, bytes = 0) => {
          removed[name] += rows;
          totals.removed[name] += rows;
          freedBytes += bytes;
          totals.freedBytes += bytes;
        });
      } catch (thrown) {
        failed.push(`${name}: ${reasonOf(thrown)}`);
      }
    };
    /** Removes rows some hundred at a time; a clock that does not know its time removes none. */
    const rows = (
      name: Removable,
      days: number | null,
      remove: (before: Instant) => Promise<number>,
    ) =>
      part(name, async (count) => {
        if (days === null || now === 0) return;
        for (let last = ROWS_AT_ONCE; last === ROWS_AT_ONCE && signal?.aborted !== true; ) {
          last = await remove(now - days * DAY_MS);
          count(last);
        }
      });

    await rows("pipeline_runs", limits.runsDays, (t) => removals.pipelineRuns(t, NEWEST_RUNS));
    await rows("forecasts", limits.forecastsDays, removals.forecasts);
    await rows("quarantine", limits.quarantineDays, removals.quarantine);
    await part("versions", (count) => removeVersions(count, signal));
    await part("trainings", async (count) => {
      if (limits.trainingsDays === null || now === 0) return;
      for (let last = 1; last > 0 && signal?.aborted !== true; ) {
        last = await deps.trainings.removeTrainings(now - limits.trainingsDays * DAY_MS);
        count(last);
      }
    });
    // Whatever made them idle, and however long ago.
    await part("datasets", async (count) => {
      for (let last = ROWS_AT_ONCE; last === ROWS_AT_ONCE && signal?.aborted !== true; ) {
        last = await deps.trainings.removeDatasets();
        count(last);
      }
    });
    await part("objects", async (count) => {
      const { removed, freedBytes } = await sweepObjects();
      count(removed, freedBytes);
    });
    await part("files", async (count) => {
      const files = await deps.tidyFiles();
      count(files.removed, files.bytes);
    });
    if (signal?.aborted !== true) {
      await removals.vacuum().catch((thrown) => failed.push(`vacuum: ${reasonOf(thrown)}`));
    }
    const report = { removed, freedBytes, failed };
    if (failed.length > 0) log.warn("retention_failed", { ...report });
    else log.info("retention_done", { ...removed, freed_bytes: freedBytes });
    return report;
  }

  async function removeVersions(count: Count, signal?: AbortSignal): Promise<void> {
    if (limits.versions === null) return;
    const wanted = {
      ...{ newest: limits.versions, formers: FORMERS, onlyTrained: true },
      ...{ most: VERSIONS_AT_ONCE, leaveBytes: true },
    };
    for (const name of await deps.versions.names()) {
      for (let last = VERSIONS_AT_ONCE; last === VERSIONS_AT_ONCE && signal?.aborted !== true; ) {
        const done = await deps.versions.retain(name, wanted);
        count(done.removed.length);
        last = done.removed.length;
      }
    }
  }

  /** One look at the objects: those without a row for long enough go, others are remembered. */
  const sweepObjects = () => deps.sweep.sweepOrphans({ olderThanMs: ORPHAN_MS });

  /** The second look, some hours after the first: by whoever had the first, as it remembers. */
  async function sweepAgain(): Promise<void> {
    try {
      const { removed, freedBytes } = await sweepObjects();
      totals.removed.objects += removed;
      totals.freedBytes += freedBytes;
      if (removed > 0) log.info("orphans_removed", { objects: removed, freed_bytes: freedBytes });
    } catch (thrown) {
      log.warn("retention_failed", { failed: [`objects: ${reasonOf(thrown)}`] });
    }
  }

  return { run, sweepAgain, totals: () => totals };
}

type Count = (rows: number, bytes?: number) => void;

const noneRemoved = (): Record<Removable, number> =>
  Object.fromEntries(REMOVABLE.map((name) => [name, 0])) as Record<Removable, number>;
