/*
 * What a worker writes about its run, in spite of a database that is away for a moment. Whoever
 * holds a run goes on with it when the database is back: nothing was lost, only late. If the lease
 * has gone to another meanwhile, the write says so by itself.
 */
import { databaseAway } from "../store/away.ts";
import type { PipelineRuns } from "../store/pipeline-runs.ts";

const FIRST_WAIT_MS = 250;
const LAST_WAIT_MS = 5_000;

/**
 * Repeats the work while the database is away, with growing waits; throws what else it throws, and
 * the database's absence once the signal aborts. The work must bear being done twice: a connection
 * may break after the commit and before its word of it.
 */
export async function lasting<Result>(
  work: () => Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(LAST_WAIT_MS, wait * 2)) {
    try {
      return await work();
    } catch (thrown) {
      const away = databaseAway(thrown);
      if (away === null) throw thrown;
      await untilPassed(wait, signal);
      if (signal.aborted) throw away;
    }
  }
}

/** The same runs, whose writes under a lease last. A line of a log may stand there twice. */
export function lastingRuns(runs: PipelineRuns, signal: AbortSignal): PipelineRuns {
  const last =
    <Args extends unknown[], Result>(write: (...args: Args) => Promise<Result>) =>
    (...args: Args) =>
      lasting(() => write(...args), signal);
  return {
    ...runs,
    stepsOf: last(runs.stepsOf),
    startStep: last(runs.startStep),
    endStep: last(runs.endStep),
    logStep: last(runs.logStep),
    finish: last(runs.finish),
  };
}

/** Resolves when the time is over or the signal aborts. */
export function untilPassed(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
