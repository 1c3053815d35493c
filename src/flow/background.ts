/*
 * What runs without being asked: the schedule, the workers, and the second look at stored history.
 */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { reasonOf } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Collector } from "../market/collect.ts";
import { isMarket, type ModelFile } from "../models.ts";
import type { Database } from "../store/database.ts";
import type { PipelineRun, PipelineRuns } from "../store/pipeline-runs.ts";
import { marketsOf } from "./control.ts";
import { isDead } from "./holder.ts";
import { openQueue } from "./queue.ts";
import { endLeftTrainings } from "./record.ts";
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
      await worker?.stop();
      await queue.stop();
    },
  };
}

/** Removes work folders of runs that have ended: a killed process could not. */
async function removeLeftWork(folder: string, runs: PipelineRuns): Promise<void> {
  for (const id of await readdir(folder).catch(() => [])) {
    const status = (await runs.run(id))?.status;
    if (status === "queued" || status === "running") continue;
    await rm(join(folder, id), { recursive: true, force: true });
  }
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
