/*
 * Follows a pipeline run to its end: what its steps say, and a bar while it works.
 */
import { SluiceError } from "../errors.ts";
import type { PipelineRunAnswer, StepAnswer } from "./answers.ts";
import { durationText, plain } from "./format.ts";
import type { Session } from "./session.ts";

const POLL_MS = 500;
const ENDED: ReadonlySet<string> = new Set(["succeeded", "failed", "skipped", "crashed"]);

/** The run when it has ended, however it ended. */
export async function followRun(
  session: Session,
  pipeline: string,
  id: string,
  pollMs = POLL_MS,
): Promise<PipelineRunAnswer> {
  const path = `/admin/pipelines/${encodeURIComponent(pipeline)}/runs/${encodeURIComponent(id)}`;
  const told = new Map<string, { lines: number; ended: boolean }>();
  for (;;) {
    const run = await session.call<PipelineRunAnswer>("GET", path);
    for (const step of run.steps) tellStep(session, step, told);
    if (ENDED.has(run.status)) {
      session.update(pipeline, 1, run.status);
      return run;
    }
    // Finer shares, where this process has them, are shown instead of the count of steps.
    if (!session.isFine) session.update(pipeline, shareOf(run), whereOf(run));
    await Bun.sleep(pollMs);
  }
}

/** Says the lines that a step has logged since the last look, and that it has ended. */
function tellStep(
  session: Session,
  step: StepAnswer,
  told: Map<string, { lines: number; ended: boolean }>,
): void {
  const { lines, ended } = told.get(step.step) ?? { lines: 0, ended: false };
  const name = plain(step.step).padEnd(8);
  for (const line of step.log.slice(lines)) session.note(`${name}  ${plain(withoutTime(line))}`);
  const over = ENDED.has(step.status);
  if (over && !ended) session.note(`${name}  ${step.status}${took(step)}`);
  told.set(step.step, { lines: step.log.length, ended: over });
}

/** Log lines begin with their time; who watches them come does not need it. */
const withoutTime = (line: string): string => line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z /, "");

// Not the difference of the two times: those are the exchange's, which may stand still.
const took = ({ elapsed_ms }: StepAnswer): string =>
  elapsed_ms === null ? "" : ` in ${durationText(elapsed_ms)}`;

const shareOf = ({ steps }: PipelineRunAnswer): number =>
  // Never quite 1, which would end the bar: the run itself has not ended.
  Math.min(0.99, steps.filter((step) => ENDED.has(step.status)).length / Math.max(1, steps.length));

const whereOf = (run: PipelineRunAnswer): string =>
  run.steps.find((step) => step.status === "running")?.step ?? run.status;

/** Throws the reason of a run that failed or crashed, as the command's own failure. */
export function assertSucceeded(run: PipelineRunAnswer): void {
  if (run.status !== "failed" && run.status !== "crashed") return;
  throw new SluiceError({
    code: run.reason ?? `pipeline_run_${run.status}`,
    detail: run.detail ?? `Pipeline run ${run.id} of ${run.pipeline} ${run.status}.`,
    fix: "What its steps said is above; what was stored before the failure stays.",
  });
}
