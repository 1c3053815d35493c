/*
 * A training's result becomes a run and a version of the registry.
 */
import { version } from "../../package.json";
import type { MarketFile } from "../models.ts";
import type { Tracking } from "../registry/tracking.ts";
import type { Version } from "../registry/version-rows.ts";
import type { Versions } from "../registry/versions.ts";
import { marketReportPage } from "../report/market-page.ts";
import type { Orm } from "../store/database.ts";
import { type Instant, iso } from "../types.ts";
import { marketInputs } from "./inputs.ts";
import type { TrainingResult } from "./job.ts";
import { logTraining, registerMade } from "./made.ts";
import { type FoundPoint, roundPoints, wholePoints } from "./points.ts";
import { jsonFile, plotFiles, textFile } from "./run-files.ts";

/** The artifact of a run that holds what later comparisons need. */
export const TRAINING_ARTIFACT = "training.json";

export interface Recorded {
  readonly runId: string;
  readonly version: Version;
}

export interface Recording {
  readonly model: MarketFile;
  readonly result: TrainingResult;
  readonly artifact: Uint8Array;
  readonly pipelineRunId: string;
  readonly asOf: Instant;
  /** Throws within the registering transaction when the pipeline run's lease was lost. */
  readonly guard: (tx: Orm) => Promise<void>;
}

interface Stores {
  readonly tracking: Tracking;
  readonly versions: Versions;
}

/**
 * What an earlier attempt of the same pipeline run left: its version, or null; trainings that it
 * did not end are ended as failed.
 */
export async function recordedBefore(
  name: string,
  pipelineRunId: string,
  { tracking, versions }: Stores,
): Promise<{ runId: string; version: number; digest: string } | null> {
  let made: { runId: string; version: number; digest: string } | null = null;
  for (const { runId } of await tracking.runsOfPipelineRun(pipelineRunId)) {
    const version = await versions.ofRun(name, runId);
    if (version === null) await tracking.endRun(runId, "FAILED", "The worker was lost.");
    else {
      await tracking.endRun(runId, "FINISHED");
      made ??= { runId, version: version.version, digest: version.digest };
    }
  }
  return made;
}

/** Ends the trainings that pipeline runs left when they were superseded or crashed for good. */
export async function endLeftTrainings(stores: Stores): Promise<void> {
  for (const { id, pipeline } of await stores.tracking.pipelineRunsLeft()) {
    await recordedBefore(pipeline, id, stores);
  }
}

/** Records a training that was not skipped: run, datasets, figures, files, and the version. */
export async function recordTraining(
  { model, result, artifact, pipelineRunId, asOf, guard }: Recording,
  { tracking, versions }: Stores,
): Promise<Recorded> {
  // The report has a file of its own, and so has each plot.
  const { plots, evaluation, ...kept } = result;
  const { dataset } = result;
  if (evaluation === null || dataset === null) {
    throw new Error("A skipped training has nothing to record.");
  }
  const name = `${model.name} ${iso(dataset.lastSlot)}`;
  const begun = { model: model.name, name, pipelineRunId, startedAt: asOf };
  return recordRun(begun, tracking, async ({ runId }) => {
    const told = { ...evaluation, about: { ...evaluation.about, run: runId, made_at: iso(asOf) } };
    const made = {
      ...{ runId, artifact, at: asOf, summary: result.summary, datasetDigest: dataset.digest },
      ...{ type: "market", params: result.params },
      points: marketPoints(result),
      inputs: marketInputs(model.name, result, asOf),
      files: [
        jsonFile(TRAINING_ARTIFACT, kept),
        jsonFile("importance.json", result.importance),
        jsonFile("report.json", told),
        textFile("report.html", marketReportPage(told)),
        ...plotFiles(plots),
      ],
    };
    await logTraining(made, tracking);
    return registerMade(model.name, made, guard, versions);
  });
}

/** The run that a training is recorded as. */
export interface OpenRun {
  readonly experimentId: number;
  readonly runId: string;
}

/** What is known of a training before it is recorded. */
export interface Begun {
  readonly model: string;
  readonly name: string;
  readonly pipelineRunId: string;
  /** When its work began. */
  readonly startedAt: Instant;
}

/** Starts a run of the model's experiment, lets `fill` record it, and ends it as that came out. */
export async function recordRun(
  { model, name, pipelineRunId, startedAt }: Begun,
  tracking: Tracking,
  fill: (run: OpenRun) => Promise<Version>,
): Promise<Recorded> {
  const experimentId = await tracking.experiment(model);
  const runId = await tracking.startRun({
    experimentId,
    name,
    userId: "sluice",
    startedAt,
    pipelineRunId,
    tags: {
      "sluice.model": model,
      "sluice.pipeline_run": pipelineRunId,
      "sluice.version": version,
      "mlflow.user": "sluice",
      "mlflow.source.name": `models/${model}.toml`,
      "mlflow.source.type": "JOB",
    },
  });
  try {
    const registered = await fill({ experimentId, runId });
    await tracking.endRun(runId, "FINISHED");
    return { runId, version: registered };
  } catch (thrown) {
    await tracking.endRun(runId, "FAILED", String(thrown)).catch(() => {});
    throw thrown;
  }
}

/** Figures of the whole, those of each fold (the step; its start is the instant), and by round. */
const marketPoints = ({ report, evaluation, parity }: TrainingResult): FoundPoint[] => [
  ...wholePoints(report?.metrics ?? {}, "validation"),
  ...wholePoints({ parity_max_difference: parity.maxDifference }),
  ...(evaluation?.stretches ?? []).flatMap((fold, step) =>
    wholePoints({
      fold_log_loss: fold.log_loss,
      fold_baseline_log_loss: fold.baseline_log_loss,
      fold_accuracy: fold.hit_rate,
      fold_coverage_80: fold.coverage,
    }).map((point) => ({ ...point, step, timestamp: fold.start })),
  ),
  ...roundPoints(evaluation?.rounds ?? null),
];
