/*
 * A training's result becomes a run and a version of the registry.
 */
import { lookbackOf } from "../feature/spec.ts";
import type { MarketFile } from "../models.ts";
import { readMetadata } from "../onnx/metadata.ts";
import { completeSignature, type Signature } from "../registry/signature.ts";
import type { Tracking } from "../registry/tracking.ts";
import type { Version } from "../registry/version-rows.ts";
import type { Versions } from "../registry/versions.ts";
import type { Orm } from "../store/database.ts";
import { type Instant, iso, UNIT_MS } from "../types.ts";
import type { TrainingResult } from "./job.ts";

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

/** Records a training that was not skipped: run, dataset, figures, files, and the version. */
export async function recordTraining(
  { model, result, artifact, pipelineRunId, asOf, guard }: Recording,
  { tracking, versions }: Stores,
): Promise<Recorded> {
  const { report, dataset, facts } = result;
  if (report === null || dataset === null || facts === null) {
    throw new Error("A skipped training has nothing to record.");
  }
  const name = `${model.name} ${iso(dataset.lastSlot)}`;
  return recordRun({ model: model.name, name, pipelineRunId }, tracking, async ({ runId }) => {
    await tracking.logParams(runId, result.params);
    await tracking.logMetrics(runId, metricsOf(result));
    await tracking.logDataset(
      runId,
      {
        name: model.name,
        digest: dataset.digest.slice(0, 36),
        sourceType: "sluice_candles",
        source: JSON.stringify({ markets: facts.feature_spec.peers, as_of: iso(asOf) }),
        schema: JSON.stringify({ features: facts.features, digest: facts.feature_digest }),
        profile: JSON.stringify({ rows: dataset.rows, dropped: dataset.dropped }),
        markets: [...facts.feature_spec.peers],
        firstSlot: dataset.firstSlot - lookbackOf(facts.feature_spec) * UNIT_MS,
        lastSlot: dataset.lastSlot,
        asOf,
      },
      { "mlflow.data.context": "training" },
    );
    await tracking.logArtifact(runId, TRAINING_ARTIFACT, json(result));
    await tracking.logArtifact(runId, "importance.json", json(result.importance));
    return versions.register({
      name: model.name,
      runId,
      bytes: artifact,
      signature: signatureOf(artifact),
      description: result.summary,
      tags: { "sluice.dataset_digest": dataset.digest },
      guard,
    });
  });
}

/** The run that a training is recorded as. */
export interface OpenRun {
  readonly experimentId: number;
  readonly runId: string;
}

/** Starts a run of the model's experiment, lets `fill` record it, and ends it as that came out. */
export async function recordRun(
  { model, name, pipelineRunId }: { model: string; name: string; pipelineRunId: string },
  tracking: Tracking,
  fill: (run: OpenRun) => Promise<Version>,
): Promise<Recorded> {
  const experimentId = await tracking.experiment(model);
  const runId = await tracking.startRun({
    experimentId,
    name,
    userId: "sluice",
    pipelineRunId,
    tags: {
      "sluice.model": model,
      "sluice.pipeline_run": pipelineRunId,
      "mlflow.source.name": `models/${model}.toml`,
      "mlflow.source.type": "JOB",
    },
  });
  try {
    const version = await fill({ experimentId, runId });
    await tracking.endRun(runId, "FINISHED");
    return { runId, version };
  } catch (thrown) {
    await tracking.endRun(runId, "FAILED", String(thrown)).catch(() => {});
    throw thrown;
  }
}

/** Inputs and outputs as the artifact itself declares them. */
export function signatureOf(artifact: Uint8Array): Signature {
  const { inputs, outputs } = readMetadata(artifact);
  const shown = (values: typeof inputs) =>
    values.map(({ name, type, shape }) => ({ name, dtype: type, shape }));
  return completeSignature({ inputs: shown(inputs), outputs: shown(outputs) });
}

function metricsOf({ report, parity }: TrainingResult) {
  const whole = Object.entries(report?.metrics ?? {}).map(([key, value]) => ({ key, value }));
  const folds = (report?.folds ?? []).flatMap((fold, step) => [
    { key: "fold_log_loss", value: fold.logLoss, step, timestamp: fold.start },
    { key: "fold_baseline_log_loss", value: fold.baseline, step, timestamp: fold.start },
  ]);
  return [...whole, ...folds, { key: "parity_max_difference", value: parity.maxDifference }];
}

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
