/*
 * A worker: takes run ids from the queue, claims the run, works on it, and lets the schedule look
 * again when it has ended.
 */
import type { Log } from "../log.ts";
import type { PipelineRun, PipelineRuns } from "../store/pipeline-runs.ts";
import { holderOf } from "./holder.ts";
import { lasting } from "./lasting.ts";
import { executeRun, type PipelineStep } from "./pipeline.ts";
import type { Queue } from "./queue.ts";

export interface WorkerDeps {
  readonly queue: Queue;
  readonly runs: PipelineRuns;
  readonly stepsOf: (run: PipelineRun) => readonly PipelineStep[] | null;
  readonly concurrency: number;
  readonly log: Log;
  /** Called when a run has ended here, however it did. */
  readonly onEnded: (run: PipelineRun) => void;
  readonly onProgress: (run: PipelineRun, share: number, text: string) => void;
}

export interface Worker {
  /** Gives back what is being worked on, to be resumed by another. */
  stop(): Promise<void>;
}

export async function startWorker(deps: WorkerDeps): Promise<Worker> {
  const { queue, runs, log } = deps;
  const stopping = new AbortController();
  const busy = new Set<Promise<void>>();

  async function handle(runId: string): Promise<void> {
    if (stopping.signal.aborted) return;
    const run = await lasting(() => runs.run(runId), stopping.signal);
    if (run === null || run.status !== "queued") return;
    const steps = deps.stepsOf(run);
    if (steps === null) {
      log.warn("pipeline_unknown", { pipeline: run.pipeline, run: run.id });
      return;
    }
    // Null: another worker was faster, or the pipeline's run before it has not ended yet; the
    // schedule sends the run again when it has.
    const lease = await lasting(() => runs.claim(runId, holderOf()), stopping.signal);
    if (lease === null) return;
    log.info("pipeline_run_started", { pipeline: run.pipeline, run: run.id, kind: run.kind });
    try {
      await executeRun(run, lease, steps, {
        runs,
        log,
        stopping: stopping.signal,
        onProgress: (share, text) => deps.onProgress(run, share, text),
      });
    } finally {
      deps.onEnded(run);
    }
  }

  await queue.work(deps.concurrency, (runId) => {
    const work = handle(runId);
    busy.add(work);
    return work.finally(() => busy.delete(work));
  });
  return {
    stop: async () => {
      stopping.abort(new Error("the process is stopping"));
      await Promise.allSettled(busy);
    },
  };
}
