/*
 * A table's training becomes a run and a version of the registry, and each trial of a search a run
 * below it.
 */
import type { TableFile } from "../../models.ts";
import { PARENT_RUN } from "../../registry/run-list.ts";
import type { Tracking } from "../../registry/tracking.ts";
import type { Versions } from "../../registry/versions.ts";
import { reportPage } from "../../report/table-page.ts";
import type { TableFacts } from "../../serve/table.ts";
import type { Orm } from "../../store/database.ts";
import type { TableCheck } from "../../table/checks.ts";
import { type Instant, iso } from "../../types.ts";
import { type Recorded, recordRun, signatureOf, TRAINING_ARTIFACT } from "../record.ts";
import type { JudgedJson, PartHead, Trained } from "./job.ts";
import { trialParams } from "./recipe.ts";

/** What a run keeps for later comparisons, as TRAINING_ARTIFACT. */
export interface TableTraining {
  readonly dataset_digest: string;
  readonly facts: TableFacts;
  readonly parity: Trained["parity"];
  readonly loss: Trained["loss"];
  readonly judged: JudgedJson;
  readonly metrics: Trained["report"]["metrics"];
  readonly slice_gates: Trained["report"]["slice_gates"];
  readonly checks: readonly TableCheck[];
}

export interface TableRecording {
  readonly model: TableFile;
  readonly trained: Trained;
  readonly artifact: Uint8Array;
  readonly parts: readonly PartHead[];
  readonly checks: readonly TableCheck[];
  readonly pipelineRunId: string;
  readonly at: Instant;
  /** Throws within the registering transaction when the pipeline run's lease was lost. */
  readonly guard: (tx: Orm) => Promise<void>;
}

interface Stores {
  readonly tracking: Tracking;
  readonly versions: Versions;
}

/** Records a training that was not skipped: run, dataset, figures, files, trials, the version. */
export async function recordTable(
  { model, trained, artifact, parts, checks, pipelineRunId, at, guard }: TableRecording,
  { tracking, versions }: Stores,
): Promise<Recorded> {
  const { facts, rows, params, parity, report } = trained;
  const name = `${model.name} ${iso(at)}`;
  const about = { model: model.name, name, pipelineRunId };
  return recordRun(about, tracking, async ({ experimentId, runId }) => {
    await tracking.logParams(runId, params);
    await tracking.logMetrics(runId, [
      ...Object.entries(report.metrics).map(([key, value]) => ({ key, value })),
      { key: "parity_max_difference", value: parity.maxDifference },
    ]);
    await tracking.logDataset(
      runId,
      {
        name: model.name,
        digest: facts.dataset_digest.slice(0, 36),
        sourceType: "sluice_table",
        source: JSON.stringify({ files: parts }),
        schema: JSON.stringify({
          columns: facts.columns.map(({ name, type }) => ({ name, type })),
        }),
        profile: JSON.stringify(rows),
        markets: null,
        firstSlot: null,
        lastSlot: null,
        asOf: at,
      },
      { "mlflow.data.context": "training" },
    );
    await tracking.logArtifact(
      runId,
      TRAINING_ARTIFACT,
      text(JSON.stringify(trainingOf(trained, checks))),
    );
    const told = { ...report, about: { ...report.about, run: runId, made_at: iso(at) } };
    await tracking.logArtifact(runId, "report.json", text(JSON.stringify(told)));
    await tracking.logArtifact(runId, "report.html", text(reportPage(told)));
    await recordTrials(trained, { experimentId, runId, name, model: model.name }, tracking);
    return versions.register({
      name: model.name,
      runId,
      bytes: artifact,
      signature: signatureOf(artifact),
      description: report.summary,
      tags: { "sluice.dataset_digest": facts.dataset_digest },
      guard,
    });
  });
}

const trainingOf = (
  { parity, loss, judged, facts, report }: Trained,
  checks: readonly TableCheck[],
): TableTraining => ({
  dataset_digest: facts.dataset_digest,
  facts,
  parity,
  loss,
  judged,
  metrics: report.metrics,
  slice_gates: report.slice_gates,
  checks,
});

async function recordTrials(
  { trials }: Trained,
  parent: {
    readonly experimentId: number;
    readonly runId: string;
    readonly name: string;
    readonly model: string;
  },
  tracking: Tracking,
): Promise<void> {
  for (const { number, draw, rung, budget, options, loss } of trials) {
    const runId = await tracking.startRun({
      experimentId: parent.experimentId,
      name: `${parent.name} trial ${number + 1}`,
      userId: "sluice",
      tags: { [PARENT_RUN]: parent.runId, "sluice.model": parent.model },
    });
    await tracking.logParams(runId, { ...trialParams(options), draw, rung, budget });
    if (loss !== null) await tracking.logMetrics(runId, [{ key: "validation_loss", value: loss }]);
    await tracking.endRun(runId, loss === null ? "FAILED" : "FINISHED");
  }
}

const text = (of: string): Uint8Array => new TextEncoder().encode(of);
