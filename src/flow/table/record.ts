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
import { logTraining, registerMade } from "../made.ts";
import { type FoundPoint, roundPoints, wholePoints } from "../points.ts";
import { type Recorded, recordRun, TRAINING_ARTIFACT } from "../record.ts";
import { jsonFile, plotFiles, textFile } from "../run-files.ts";
import { tableInputs } from "./inputs.ts";
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
  /** When its work began, and when that had ended. */
  readonly startedAt: Instant;
  readonly at: Instant;
  /** Throws within the registering transaction when the pipeline run's lease was lost. */
  readonly guard: (tx: Orm) => Promise<void>;
}

interface Stores {
  readonly tracking: Tracking;
  readonly versions: Versions;
}

/** Records a training that was not skipped: run, datasets, figures, files, trials, the version. */
export async function recordTable(
  { model, trained, artifact, parts, checks, pipelineRunId, startedAt, at, guard }: TableRecording,
  { tracking, versions }: Stores,
): Promise<Recorded> {
  const { facts, params, report } = trained;
  const name = `${model.name} ${iso(at)}`;
  const begun = { model: model.name, name, pipelineRunId, startedAt };
  return recordRun(begun, tracking, async ({ experimentId, runId }) => {
    const told = { ...report, about: { ...report.about, run: runId, made_at: iso(at) } };
    const made = {
      ...{ runId, artifact, at, params, summary: report.summary },
      ...{ type: facts.task, datasetDigest: facts.dataset_digest },
      points: tablePoints(trained),
      inputs: tableInputs(model, trained, parts, at),
      files: [
        jsonFile(TRAINING_ARTIFACT, trainingOf(trained, checks)),
        jsonFile("report.json", told),
        textFile("report.html", reportPage(told)),
        ...plotFiles(trained.plots),
      ],
    };
    await logTraining(made, tracking);
    await recordTrials(trained, { experimentId, runId, name, model: model.name }, tracking);
    return registerMade(model.name, made, guard, versions);
  });
}

/** Figures of the whole, the validation loss of each trainer, and the trees' by round. */
const tablePoints = ({ report, parity, tried }: Trained): FoundPoint[] => [
  ...wholePoints(report.metrics, "test"),
  ...wholePoints({ parity_max_difference: parity.maxDifference }),
  ...wholePoints(
    Object.fromEntries(
      Object.entries(tried).map(([name, loss]) => [`${name}_validation_loss`, loss]),
    ),
  ),
  ...roundPoints(report.rounds ?? null),
];

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
