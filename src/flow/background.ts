/*
 * What runs without being asked: the schedule, the workers, and the second look at stored history.
 */
import { reasonOf } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Collector } from "../market/collect.ts";
import { isMarket, type ModelFile } from "../models.ts";
import type { Database } from "../store/database.ts";
import type { PipelineRun } from "../store/pipeline-runs.ts";
import { marketsOf } from "./control.ts";
import { isDead } from "./holder.ts";
import { removeLeftWork } from "./left.ts";
import { type DailyQueue, openQueue } from "./queue.ts";
import { endLeftTrainings } from "./record.ts";
import { ORPHAN_MS, type RetentionJob } from "./retention.ts";
import { startSchedule } from "./schedule.ts";
import { backfillStep, STEP_NAMES, type StepDeps, stepsOf } from "./steps.ts";
import { TABLE_STEP_NAMES, type TableStepDeps, tableStepsOf } from "./table/steps.ts";
import { startWorker } from "./worker.ts";

export interface BackgroundDeps {
  readonly database: Database;
  readonly models: ReadonlyMap<string, ModelFile>;
  readonly log: Log;
  readonly steps: StepDeps;
  readonly tableSteps: TableStepDeps;
  readonly collector: Collector;
  /** Where trainings have their work folders. */
  readonly workFolder: string;
  /** What is let go of once a day, from when this process is ready. */
  readonly retention: Pick<RetentionJob, "run" | "sweepAgain">;
  readonly isReady: () => boolean;
}

export interface BackgroundOptions {
  /** Whether due slots are run and history is audited; false does only what is asked for. */
  readonly schedule: boolean;
  /** Workers in this process; 0 leaves the work to others. */
  readonly concurrency: number;
  readonly onProgress: (key: string, share: number, text: string) => void;
}

export interface Background {
  /** Compares what should be with what is, soon. */
  wake(): void;
  /** Gives back what is being worked on. */
  stop(): Promise<void>;
}

/** The steps of a model's pipeline, by name. */
export const stepNamesOf = (model: ModelFile): readonly string[] =>
  isMarket(model) ? STEP_NAMES : TABLE_STEP_NAMES;

const AUDIT_EVERY_MS = 60_000;
const AUDIT_PAGES = 10;

export async function startBackground(
  deps: BackgroundDeps,
  { schedule, concurrency, onProgress }: BackgroundOptions,
): Promise<Background> {
  const { models, log, steps, collector } = deps;
  const queue = await openQueue(deps.database, log);
  const working = schedule && concurrency > 0;
  const scheduler = startSchedule({
    models: working ? models : new Map(),
    clock: steps.clock,
    runs: steps.runs,
    queue,
    log,
    stepNames: stepNamesOf,
    isDead,
    tidy: async () => {
      await endLeftTrainings(steps);
      await removeLeftWork(deps.workFolder, steps.runs);
    },
  });
  const tidying = working ? await startTidying(queue, deps) : null;
  const audit = working ? startAudit(marketsOf(models), collector, steps, log) : null;

  const worker =
    concurrency === 0
      ? null
      : await startWorker({
          queue,
          runs: steps.runs,
          concurrency,
          log,
          stepsOf: (run: PipelineRun) => {
            if (run.kind === "backfill") return [backfillStep(steps)];
            const model = models.get(run.pipeline);
            if (model === undefined) return null;
            return isMarket(model) ? stepsOf(model, steps) : tableStepsOf(model, deps.tableSteps);
          },
          onEnded: (run) => {
            onProgress(run.pipeline, 1, "done");
            scheduler.wake();
            audit?.wake();
          },
          onProgress: (run, share, text) => onProgress(run.pipeline, share, text),
        });

  return {
    wake: scheduler.wake,
    stop: async () => {
      await scheduler.stop();
      await audit?.stop();
      await tidying?.stop();
      await worker?.stop();
      await queue.stop();
    },
  };
}

const TIDY_LOOK_MS = 5_000;

/** Asks for the daily work of each day once this process is ready, and does it in its turn. */
async function startTidying(
  queue: DailyQueue,
  { retention, isReady, log }: BackgroundDeps,
): Promise<{ stop(): Promise<void> }> {
  const stopping = new AbortController();
  let second: ReturnType<typeof setTimeout> | undefined;
  let running: Promise<unknown> = Promise.resolve();
  let asked = -1;
  await queue.workDaily(async () => {
    const work = retention.run(stopping.signal);
    running = work;
    const { failed } = await work;
    // Thrown, so that the queue gives it out again: a day is done when all of it was.
    if (stopping.signal.aborted) throw new Error("the process stops");
    if (failed.length > 0) throw new Error(failed.join("; "));
    clearTimeout(second);
    second = setTimeout(() => {
      running = retention.sweepAgain();
    }, ORPHAN_MS + 1_000);
  });
  const timer = setInterval(() => {
    // More often than daily: the day is the database's, whose clock may be another.
    const hour = Math.floor(Date.now() / 3_600_000);
    if (hour === asked || !isReady()) return;
    asked = hour;
    queue.askDaily().catch((thrown) => {
      asked = -1;
      log.warn("retention_not_asked", { reason: reasonOf(thrown) });
    });
  }, TIDY_LOOK_MS);
  return {
    stop: async () => {
      clearInterval(timer);
      clearTimeout(second);
      stopping.abort();
      await running;
    },
  };
}

/**
 * The second look: what was read once may have been wrong once. It goes on while no pipeline run
 * is open, until all history was looked at twice, and begins anew after a week.
 */
function startAudit(
  markets: readonly string[],
  collector: Collector,
  { runs, forecaster }: StepDeps,
  log: Log,
): { wake(): void; stop(): Promise<void> } {
  const stopping = new AbortController();
  let running: Promise<void> | null = null;

  async function audit(): Promise<void> {
    for (const market of markets) {
      for (let done = false; !done; ) {
        if (stopping.signal.aborted || (await runs.open()).length > 0) return;
        const seen = await collector.audit(market, {
          pages: AUDIT_PAGES,
          signal: stopping.signal,
        });
        done = seen.done;
        if (seen.stored + seen.revised > 0) {
          forecaster.candlesChanged();
          log.warn("history_corrected", { ...seen });
        }
      }
    }
  }

  function wake(): void {
    running ??= audit()
      .catch((thrown) => {
        if (!stopping.signal.aborted) log.warn("audit_failed", { reason: reasonOf(thrown) });
      })
      .finally(() => {
        running = null;
      });
  }

  const timer = setInterval(wake, AUDIT_EVERY_MS);
  return {
    wake,
    stop: async () => {
      clearInterval(timer);
      stopping.abort(new Error("the process is stopping"));
      await running;
    },
  };
}
