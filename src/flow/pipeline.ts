/*
 * The engine of a pipeline run: steps in order under a lease, each one's state in its row. A run
 * that another worker left resumes at the first step that did not succeed.
 */
import { reasonOf, SluiceError } from "../errors.ts";
import type { Log } from "../log.ts";
import { databaseAway } from "../store/away.ts";
import {
  LEASE_MS,
  type Lease,
  type PipelineRun,
  type PipelineRuns,
} from "../store/pipeline-runs.ts";
import { lastingRuns, untilPassed } from "./lasting.ts";

export type StepResult = Record<string, unknown>;

/** What a step is given. */
export interface StepContext {
  readonly run: PipelineRun;
  readonly lease: Lease;
  /** Results of the steps that succeeded before, by name. */
  readonly results: Readonly<Record<string, StepResult>>;
  /** Adds a line to the step's log, which people read. */
  say(line: string): Promise<void>;
  /** Tells how far the step is, as a share from 0 to 1, and at what. */
  progress(share: number, text: string): void;
  /** Aborts when the lease is lost, the deadline has passed or the process stops. */
  readonly signal: AbortSignal;
}

/** What a step gives: its result; `skip` ends the run, as nothing more is to be done. */
export type StepOutcome = StepResult | Skip;

export interface Skip {
  readonly skip: { readonly reason: string; readonly detail: string };
}

export interface PipelineStep {
  readonly name: string;
  readonly deadlineMs: number;
  run(context: StepContext): Promise<StepOutcome>;
}

export interface ExecuteDeps {
  readonly runs: PipelineRuns;
  readonly log: Log;
  /** Aborts when the process stops: the run is given back. */
  readonly stopping: AbortSignal;
  readonly onProgress: (share: number, text: string) => void;
}

const STEP_ATTEMPTS = 5;

/**
 * Works on a run until it ends or the lease is lost. Errors that may pass (with `retryAfter`) are
 * tried again within the run; any other ends it as `failed` with the error's code.
 */
export async function executeRun(
  run: PipelineRun,
  lease: Lease,
  steps: readonly PipelineStep[],
  { runs: bare, ...others }: ExecuteDeps,
): Promise<void> {
  const { log, stopping } = others;
  const lost = new AbortController();
  const signal = AbortSignal.any([lost.signal, stopping]);
  const runs = lastingRuns(bare, signal);
  const deps = { ...others, runs };
  const beat = setInterval(() => {
    runs.heartbeat(lease).then(
      (held) => held || lost.abort(new Error("the lease was lost")),
      (thrown) => log.warn("heartbeat_failed", { run: run.id, reason: reasonOf(thrown) }),
    );
  }, LEASE_MS / 4);
  try {
    const states = new Map((await runs.stepsOf(run.id)).map((step) => [step.step, step]));
    const results: Record<string, StepResult> = {};
    for (const step of steps) {
      const state = states.get(step.name);
      if (state?.status === "succeeded") {
        results[step.name] = state.result ?? {};
        continue;
      }
      const begun = performance.now();
      const outcome = await executeStep(step, { run, lease, results, signal }, deps);
      const elapsed = () => performance.now() - begun;
      if ("skip" in outcome) {
        const { reason, detail } = (outcome as Skip).skip;
        await runs.endStep(lease, step.name, "skipped", { reason, detail }, elapsed());
        await runs.finish(lease, "skipped", reason, detail);
        log.info("pipeline_run_skipped", { pipeline: run.pipeline, run: run.id, reason });
        return;
      }
      results[step.name] = outcome as StepResult;
      await runs.endStep(lease, step.name, "succeeded", outcome as StepResult, elapsed());
    }
    await runs.finish(lease, "succeeded");
    log.info("pipeline_run_succeeded", { pipeline: run.pipeline, run: run.id });
  } catch (thrown) {
    await endBadly(thrown, run, lease, deps);
  } finally {
    clearInterval(beat);
  }
}

async function executeStep(
  step: PipelineStep,
  context: Pick<StepContext, "run" | "lease" | "results" | "signal">,
  { runs, log, onProgress }: ExecuteDeps,
): Promise<StepOutcome> {
  const begun = performance.now();
  for (let attempt = 1; ; attempt++) {
    context.signal.throwIfAborted();
    await runs.startStep(context.lease, step.name);
    try {
      const late = AbortSignal.timeout(step.deadlineMs);
      const signal = AbortSignal.any([context.signal, late]);
      const work = step.run({
        ...context,
        say: (line) => runs.logStep(context.lease, step.name, line),
        progress: (share, text) => onProgress(share, `${step.name} ${text}`),
        signal,
      });
      return await untilAborted(work, signal, () =>
        late.aborted ? stepLate(step) : new Error(reasonOf(signal.reason)),
      );
    } catch (thrown) {
      const known = thrown instanceof SluiceError ? thrown : databaseAway(thrown);
      const wait = known?.retryAfter ?? null;
      if (wait === null || attempt === STEP_ATTEMPTS || context.signal.aborted) {
        throw new StepError(step.name, performance.now() - begun, known ?? thrown);
      }
      const reason = reasonOf(known);
      log.warn("step_retry", { step: step.name, run: context.run.id, reason });
      await runs.logStep(context.lease, step.name, `${reason} Tried again.`);
      await untilPassed(wait * 1_000 * 2 ** (attempt - 1), context.signal);
    }
  }
}

/** The work's outcome, or the error at the abort: a step that does not listen holds nothing up. */
function untilAborted<Result>(
  work: Promise<Result>,
  signal: AbortSignal,
  error: () => Error,
): Promise<Result> {
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  const onAbort = () => reject(error());
  signal.addEventListener("abort", onAbort, { once: true });
  work
    .then(resolve, (thrown) => reject(signal.aborted ? error() : thrown))
    .finally(() => signal.removeEventListener("abort", onAbort));
  return promise;
}

const stepLate = ({ name, deadlineMs }: PipelineStep): SluiceError =>
  new SluiceError({
    code: "step_deadline",
    status: 504,
    detail: `Step ${name} took longer than ${deadlineMs / 1_000} s.`,
    fix: "See the step's log; the slot is tried again later, or ask for a run.",
  });

/** Which step an error came from. */
class StepError extends Error {
  readonly step: string;
  readonly elapsedMs: number;

  constructor(step: string, elapsedMs: number, cause: unknown) {
    super(reasonOf(cause), { cause });
    this.step = step;
    this.elapsedMs = elapsedMs;
  }
}

async function endBadly(
  thrown: unknown,
  run: PipelineRun,
  lease: Lease,
  { runs, log, stopping }: ExecuteDeps,
): Promise<void> {
  if (stopping.aborted) return runs.giveBack(lease);
  const failed = thrown instanceof StepError ? thrown : null;
  const cause = failed === null ? thrown : failed.cause;
  const reason = cause instanceof SluiceError ? cause.code : "internal_error";
  log.error("pipeline_run_failed", {
    pipeline: run.pipeline,
    run: run.id,
    step: failed?.step,
    reason,
    detail: reasonOf(cause),
    ...(cause instanceof SluiceError ? {} : { stack: (cause as Error)?.stack }),
  });
  // A lost lease is no end of the run: whoever took it over goes on.
  if (reason === "lease_lost") return;
  try {
    if (failed !== null) {
      const result = { reason, detail: reasonOf(cause) };
      await runs.endStep(lease, failed.step, "failed", result, failed.elapsedMs);
    }
    await runs.finish(lease, "failed", reason, reasonOf(cause));
  } catch (second) {
    log.warn("pipeline_run_end_not_written", { run: run.id, reason: reasonOf(second) });
  }
}
