/*
 * What a training made, of a market or of a table: logged as MLflow's clients show a run, and
 * registered.
 */
import { readMetadata } from "../onnx/metadata.ts";
import type { RunFile } from "../registry/artifacts.ts";
import { CONTEXT } from "../registry/datasets.ts";
import { MODEL_FOLDER } from "../registry/register.ts";
import { completeSignature, type Signature } from "../registry/signature.ts";
import type { Tracking } from "../registry/tracking.ts";
import type { ModelFigure } from "../registry/trained.ts";
import type { Version } from "../registry/version-rows.ts";
import type { Versions } from "../registry/versions.ts";
import type { Orm } from "../store/database.ts";
import type { Instant } from "../types.ts";
import type { RunInput } from "./inputs.ts";
import { modelFiles, modelHistory } from "./mlmodel.ts";
import type { FoundPoint } from "./points.ts";

export interface Made {
  readonly runId: string;
  /** What it foretells, as the model file has it; of a market, `market`. */
  readonly type: string;
  readonly artifact: Uint8Array;
  readonly at: Instant;
  readonly summary: string;
  readonly datasetDigest: string;
  readonly params: Readonly<Record<string, string | number>>;
  readonly points: readonly FoundPoint[];
  readonly inputs: readonly RunInput[];
  readonly files: readonly RunFile[];
}

/**
 * Logs it to its run. The model's folder is among the files, so that a version has one from its first
 * moment; the run of a worker that lost its lease keeps the bytes, and no version names them.
 */
export async function logTraining(made: Made, tracking: Tracking): Promise<void> {
  const { runId, summary, datasetDigest } = made;
  const model = modelOf(made);
  await tracking.logParams(runId, made.params);
  // However many points: one statement.
  await tracking.logMetrics(runId, made.points);
  for (const { context, dataset } of made.inputs) {
    await tracking.logDataset(runId, dataset, { [CONTEXT]: context });
  }
  await tracking.logArtifacts(runId, [...made.files, ...modelFiles(model)]);
  await tracking.setTags(runId, {
    "mlflow.note.content": summary,
    "mlflow.log-model.history": modelHistory(model),
    "sluice.dataset_digest": datasetDigest,
  });
}

/**
 * Registers it as the next version of the model, and as what its run made: both or neither. The
 * guard is asked within the transaction.
 */
export const registerMade = (
  name: string,
  made: Made,
  guard: (tx: Orm) => Promise<void>,
  versions: Versions,
): Promise<Version> =>
  versions.register({
    name,
    runId: made.runId,
    bytes: made.artifact,
    signature: signatureOf(made.artifact),
    model: { folder: MODEL_FOLDER, type: made.type, figures: figuresOf(made) },
    description: made.summary,
    tags: { "sluice.dataset_digest": made.datasetDigest },
    guard,
  });

const figuresOf = ({ points, inputs }: Made): ModelFigure[] =>
  points.flatMap(({ key, on }) => {
    if (on === undefined) return [];
    const input = inputs.find(({ context }) => context === on);
    return { key, dataset: input?.dataset ?? null };
  });

const modelOf = ({ runId, artifact, at }: Made) => ({
  ...{ runId, bytes: artifact, at },
  signature: signatureOf(artifact),
});

/** Inputs and outputs as the artifact itself declares them. */
function signatureOf(artifact: Uint8Array): Signature {
  const { inputs, outputs } = readMetadata(artifact);
  const shown = (values: typeof inputs) =>
    values.map(({ name, type, shape }) => ({ name, dtype: type, shape }));
  return completeSignature({ inputs: shown(inputs), outputs: shown(outputs) });
}
