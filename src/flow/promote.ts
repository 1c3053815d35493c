/*
 * The step that moves the alias, the same for every kind of model.
 */
import type { Gate } from "../registry/gates.ts";
import type { Promotion } from "../registry/promotion.ts";
import type { Champions } from "../serve/champions.ts";
import type { Orm } from "../store/database.ts";
import type { PipelineRuns } from "../store/pipeline-runs.ts";
import type { StepContext } from "./pipeline.ts";

export interface PromoteDeps {
  readonly promotion: Promotion;
  readonly champions: Champions;
  readonly runs: PipelineRuns;
}

/** Moves `champion` to the trained version if all gates passed, else `challenger`. */
export async function promote(model: string, deps: PromoteDeps, context: StepContext) {
  const { version } = context.results["train"] as { version: number };
  const { passed, gates, champion } = context.results["evaluate"] as {
    passed: boolean;
    gates: Gate[];
    champion: number | null;
  };
  const actor = `pipeline:${context.run.id}`;
  const guard = (tx: Orm) => deps.runs.assertHeld(tx, context.lease);
  if (!passed) {
    const failed = gates.filter((gate) => !gate.passed).map((gate) => gate.name);
    const reason = `gates failed: ${failed.join(", ")}`;
    await deps.promotion.setAlias(model, "challenger", version, actor, reason);
    await context.say(`Not promoted: ${failed.join(", ")}.`);
    return { promoted: false, champion, failed };
  }
  const reason = champion === null ? "first champion" : `passed the gates against ${champion}`;
  // A resumed step finds that it promoted already: promoting the champion again changes nothing.
  const now = (await deps.promotion.champion(model))?.version ?? null;
  if (now !== version) {
    await deps.promotion.promote({
      name: model,
      version,
      expected: champion,
      actor,
      reason,
      guard,
    });
  }
  await deps.champions.refresh(model);
  await context.say(`Version ${version} is champion: ${reason}.`);
  return { promoted: true, champion: version };
}
