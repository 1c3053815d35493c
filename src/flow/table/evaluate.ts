/*
 * Whether a table's version may be promoted: its run's figures, and the champion of now on the same
 * rows. The training compared it to the champion that was in place then; to another it is compared
 * here, on the rows that the run was judged on, if they are still what they were.
 */
import { framed } from "../../learn/table/split.ts";
import type { TableFile } from "../../models.ts";
import type { Judgement } from "../../registry/gates.ts";
import { judgeTable, type TableGateInput } from "../../registry/table-gates.ts";
import type { Tracking } from "../../registry/tracking.ts";
import type { Champions } from "../../serve/champions.ts";
import { asTable } from "../../serve/loaded.ts";
import type { Imports } from "../../table/import.ts";
import { TRAINING_ARTIFACT } from "../record.ts";
import { answersOn, compared, strangerTo } from "./compare.ts";
import type { Comparison } from "./job.ts";
import type { TableTraining } from "./record.ts";

export interface JudgeTableDeps {
  readonly champions: Pick<Champions, "use" | "refresh" | "state">;
  readonly tracking: Tracking;
  readonly imports: Pick<Imports, "load">;
}

/**
 * Tries every gate on a version and the run that trained it, against the champion in place unless
 * that is the version itself.
 */
export async function judgeTableRun(
  model: TableFile,
  { runId, version }: { readonly runId: string; readonly version: number },
  deps: JudgeTableDeps,
): Promise<Judgement & { readonly champion: number | null }> {
  const training = await trainingOf(runId, deps.tracking);
  await deps.champions.refresh(model.name);
  const champion = deps.champions.state(model.name).champion?.version ?? null;
  const comparison =
    champion === null || champion === version
      ? null
      : await compare(model, training, champion, deps);
  const { kind } = model.table.target;
  const { metrics, loss, checks } = training;
  const failed = checks.filter(({ verdict }) => verdict === "fail");
  const warned = checks.filter(({ verdict }) => verdict === "warn");
  const hasClasses = kind === "binary" || kind === "multiclass";
  const auc = metrics["auc"] ?? metrics["macro_auc"] ?? null;
  const judgement = judgeTable({
    verification: {
      passed: failed.length === 0,
      detail:
        failed.length > 0
          ? failed.map(({ name, detail }) => `${name}: ${detail}`).join(" ")
          : `The rows were checked: ${warned.length === 0 ? "nothing to warn of" : warned.map(({ name, detail }) => `${name}: ${detail}`).join(" ")}`,
    },
    parity: training.parity,
    candidate: {
      n: metrics["rows"] ?? 0,
      metric: loss.name,
      loss: loss.value,
      baselineLoss: loss.baseline,
      auc: hasClasses ? auc : null,
      oneClass: hasClasses && auc === null,
    },
    slices: training.slice_gates,
    against: comparison === null ? null : againstOf(comparison),
    options: {
      maxAuc: model.promote.max_auc,
      tolerance: model.promote.tolerance,
      rule: model.promote.rule,
    },
  });
  return { ...judgement, champion };
}

const againstOf = ({ difference, reason }: Comparison): TableGateInput["against"] => ({
  paired: difference === null ? null : { ...difference, t: difference.t ?? 0 },
  reason,
});

async function compare(
  model: TableFile,
  training: TableTraining,
  champion: number,
  deps: JudgeTableDeps,
): Promise<Comparison> {
  const { judged, dataset_digest } = training;
  if (judged.champion?.version === champion && training.loss.name === model.promote.metric) {
    return judged.champion;
  }
  const table = await deps.imports.load(model);
  if (table.digest !== dataset_digest) {
    const reason = "the imported rows are others now; train again";
    return { version: champion, difference: null, reason };
  }
  return deps.champions.use(model.name, async (held) => {
    const { facts, session } = asTable(held);
    const own = training.facts;
    const reason = strangerTo(own, facts);
    if (reason !== null) return { version: held.version, difference: null, reason };
    const frame = framed(table.frame, Int32Array.from(judged.rows));
    return compared(
      {
        target: Float64Array.from(judged.target),
        width: judged.width,
        values: Float64Array.from(judged.values),
        facts: own,
        metric: model.promote.metric,
      },
      { version: held.version, facts, values: await answersOn({ facts, session }, frame) },
    );
  });
}

async function trainingOf(runId: string, tracking: Tracking): Promise<TableTraining> {
  const bytes = await tracking.readArtifact(runId, TRAINING_ARTIFACT);
  return JSON.parse(new TextDecoder().decode(bytes)) as TableTraining;
}
