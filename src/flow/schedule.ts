/*
 * State decides, the timer only wakes. `reconcile` compares what should exist (a run for the
 * newest due slot of each pipeline) with what is stored and asks for the difference; it may be
 * called at any time, any number of times, by any number of replicas. Missed ticks, sleep and
 * clock jumps need no special case.
 */
import { Cron } from "croner";
import { reasonOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { isMarket, type ModelFile } from "../models.ts";
import type { PipelineRun, PipelineRuns } from "../store/pipeline-runs.ts";
import { CLOSE_GRACE_MS, type Instant, slotOf } from "../types.ts";
import type { Queue } from "./queue.ts";

export interface ScheduleDeps {
  readonly models: ReadonlyMap<string, ModelFile>;
  readonly clock: { now(): Instant };
  readonly runs: PipelineRuns;
  readonly queue: Queue;
  readonly log: Log;
  /** The steps of a model's pipeline, by name. */
  readonly stepNames: (model: ModelFile) => readonly string[];
  /** Whether the holder of a lease is known to be dead before its lease runs out. */
  readonly isDead: (holder: string) => boolean;
  /** Ends and removes what runs that have ended left elsewhere; safe to repeat. */
  readonly tidy: () => Promise<void>;
}

const FIRST_RETRY_MS = 60_000;
const LAST_RETRY_MS = 30 * 60_000;

/**
 * The slot that a pipeline's newest tick is for: its last cron time at or before `now - grace`, or
 * the candle that it lies in; null when the pattern has not come due yet.
 */
export function dueSlot(cron: string, now: Instant, ofCandle = true): Instant | null {
  const tick = new Cron(cron, { paused: true, timezone: "UTC" }).previousRuns(
    1,
    // The reference itself is not counted as past, hence the millisecond.
    new Date(now - CLOSE_GRACE_MS + 1),
  )[0];
  if (tick === undefined) return null;
  return ofCandle ? slotOf(tick.getTime()) : tick.getTime();
}

/** Whether a slot wants another run, given those it had: none yet, or all failed some time ago. */
export function wantsRun(tried: readonly PipelineRun[], realNow: number): boolean {
  const newest = tried[0];
  if (newest === undefined) return true;
  if (newest.status !== "failed" && newest.status !== "crashed") return false;
  const wait = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (tried.length - 1));
  return realNow - startOf(newest.id) >= wait;
}

/** Real time at which an id (UUID version 7) was made: a replayed clock may stand still. */
const startOf = (id: string): number => Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16);

/** One comparison of what should be with what is; safe to repeat. */
export async function reconcile(deps: ScheduleDeps): Promise<void> {
  const { models, clock, runs, queue, log } = deps;
  for (const run of await runs.freeLost(deps.isDead)) {
    log.warn("pipeline_run_lost", { pipeline: run.pipeline, run: run.id, status: run.status });
  }
  const now = clock.now();
  if (now > 0) {
    const paused = await runs.paused();
    for (const model of models.values()) {
      if (paused.has(model.name)) continue;
      await requestDue(model, now, deps);
    }
  }
  for (const run of nextOfEach(await runs.open())) await queue.send(run);
  await deps.tidy();
}

/**
 * The oldest queued run of each pipeline, of open ones oldest first. One of a pipeline runs at a
 * time, so messages of the others would be taken for nothing; whoever ends a run looks again.
 */
export function nextOfEach(open: readonly PipelineRun[]): Iterable<PipelineRun> {
  const next = new Map<string, PipelineRun>();
  for (const run of open) {
    if (run.status === "queued" && !next.has(run.pipeline)) next.set(run.pipeline, run);
  }
  return next.values();
}

async function requestDue(model: ModelFile, now: Instant, deps: ScheduleDeps): Promise<void> {
  const { runs, log, stepNames } = deps;
  // A table model without a schedule is trained when somebody asks for it.
  if (model.schedule === undefined) return;
  const slot = dueSlot(model.schedule.cron, now, isMarket(model));
  if (slot === null || !wantsRun(await runs.ofSlot(model.name, slot), Date.now())) return;
  await runs.supersede(model.name, slot);
  const { run, created } = await runs.request(
    { pipeline: model.name, slot, kind: "slot" },
    stepNames(model),
  );
  if (created) log.info("pipeline_run_requested", { pipeline: model.name, run: run.id, slot });
}

export interface Schedule {
  /** Compares now; calls while one is under way become one more after it. */
  wake(): void;
  /** Looks no more; resolves when the look under way has ended. */
  stop(): Promise<void>;
}

const SAFETY_MS = 60_000;
/** After a look that failed, most likely because the database was away for a moment. */
const AGAIN_MS = 5_000;

/** Wakes at each cron tick plus grace, once a minute, and on request. */
export function startSchedule(deps: ScheduleDeps): Schedule {
  let running: Promise<void> | null = null;
  let again = false;
  let stopped = false;
  const timers = new Set<ReturnType<typeof setTimeout>>();

  function wake(): void {
    if (stopped) return;
    if (running !== null) {
      again = true;
      return;
    }
    running = reconcile(deps)
      .catch((thrown) => {
        deps.log.error("reconcile_failed", { reason: reasonOf(thrown) });
        wakeAfter(AGAIN_MS);
      })
      .finally(() => {
        running = null;
        if (again) {
          again = false;
          wake();
        }
      });
  }

  function wakeAfter(ms: number): void {
    if (stopped) return;
    const timer = setTimeout(() => {
      timers.delete(timer);
      wake();
    }, ms);
    timers.add(timer);
  }

  const patterns = new Set(
    [...deps.models.values()].flatMap(({ schedule }) => schedule?.cron ?? []),
  );
  const crons = [...patterns].map(
    (pattern) =>
      new Cron(pattern, { timezone: "UTC", catch: true }, () => wakeAfter(CLOSE_GRACE_MS + 200)),
  );
  const safety = setInterval(wake, SAFETY_MS);
  wake();
  return {
    wake,
    stop: async () => {
      stopped = true;
      clearInterval(safety);
      for (const cron of crons) cron.stop();
      for (const timer of timers) clearTimeout(timer);
      await running;
    },
  };
}
