/*
 * `sluice train`: asks for a training and watches it to its end.
 */
import type { PipelineRunAnswer, RetrainAnswer } from "./answers.ts";
import { assertSucceeded, followRun } from "./follow.ts";
import type { Io, JsonOption } from "./io.ts";
import { withSession } from "./session.ts";

/** Trains a model now; the gates decide whether the new version becomes champion. */
export const train = (io: Io, model: string, { json }: JsonOption): Promise<number> =>
  withSession(io, async (session) => {
    const path = `/admin/models/${encodeURIComponent(model)}/retrain`;
    const asked = await session.call<RetrainAnswer>("POST", path);
    const run = await followRun(session, model, asked.run);
    assertSucceeded(run);
    await session.print(json ? JSON.stringify(run) : `${model}: ${summaryOf(run)}`);
    return 0;
  });

/** What became of the run in one sentence. */
export function summaryOf(run: PipelineRunAnswer): string {
  if (run.status === "skipped") return `skipped (${run.reason}): ${run.detail}`;
  const result = (step: string) => run.steps.find((s) => s.step === step)?.result ?? {};
  const version = result("train")["version"] ?? "?";
  const { promoted, champion, failed } = result("promote") as {
    promoted?: boolean;
    champion?: number | null;
    failed?: readonly string[];
  };
  if (promoted === true) return `version ${version} is champion.`;
  const gates = failed === undefined ? "" : ` (gates that failed: ${failed.join(", ")})`;
  const stays =
    champion == null ? "there is no champion yet" : `version ${champion} stays champion`;
  return `version ${version} was not promoted${gates}; ${stays}.`;
}
