/*
 * What the training child does: candles in; dataset, checks, walk-forward, artifact and parity
 * check out. It has no database and no network: only its work folder.
 */
import { dlopen } from "bun:ffi";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { reasonOf, SluiceError } from "../errors.ts";
import { seriesOf } from "../feature/candles.ts";
import { buildDataset, type Dataset } from "../feature/dataset.ts";
import { datasetDigest, featureDigest } from "../feature/digest.ts";
import { featureNames } from "../feature/features.ts";
import { HORIZON } from "../feature/labels.ts";
import { perturbationLeaks, sampleSlots } from "../feature/leak.ts";
import { defaultSpec, type FeatureSpec } from "../feature/spec.ts";
import { BASELINE_NAMES } from "../learn/baseline.ts";
import { GBDT_DEFAULTS } from "../learn/gbdt/options.ts";
import { importanceOf } from "../learn/importance.ts";
import { type MarketFit, type MarketRecipe, trainMarket } from "../learn/market.ts";
import { type MarketReport, marketReport } from "../learn/report.ts";
import { isSingleClass } from "../learn/sample.ts";
import type { Frame } from "../learn/types.ts";
import type { ModelFile } from "../models.ts";
import { matrixOf } from "../onnx/matrix.ts";
import { encodeMarketModel, type MarketParts } from "../onnx/model.ts";
import { referencePredict } from "../onnx/reference.ts";
import { type ArtifactFacts, artifactMetadata } from "../serve/artifact.ts";
import { loadRuntime } from "../serve/runtime.ts";
import { openSession } from "../serve/session.ts";
import { UNIT_MS } from "../types.ts";
import {
  ARTIFACT_FILE,
  type ChildFailure,
  JOB_FILE,
  RESULT_FILE,
  type TrainingJob,
  type TrainingResult,
} from "./job.ts";

const DAY_MS = 86_400_000;
const LEAK_SAMPLES = 12;
const PARITY_ROWS = 2_000;

/** Runs the job in `folder` and returns the exit code; a failure is written there too. */
export async function trainChild(folder: string): Promise<number> {
  dieWithParent();
  const progress = (share: number, text: string) => {
    process.stdout.write(`${share.toFixed(3)}\t${text}\n`);
  };
  const write = (result: TrainingResult | ChildFailure) =>
    writeFile(join(folder, RESULT_FILE), JSON.stringify(result));
  try {
    const job = JSON.parse(await readFile(join(folder, JOB_FILE), "utf8"));
    const { result, artifact } = await runTraining(job, job.cacheFolder, progress);
    await writeFile(join(folder, ARTIFACT_FILE), artifact);
    await write(result);
    return 0;
  } catch (thrown) {
    const known = thrown instanceof SluiceError;
    await write({
      error: {
        code: known ? thrown.code : "training_error",
        detail: reasonOf(thrown),
        fix: known ? thrown.fix : "This is a fault of Sluice: report it with the step's log.",
      },
    });
    process.stderr.write(`${thrown instanceof Error ? thrown.stack : thrown}\n`);
    return 1;
  }
}

/** Asks the kernel to end this process when whoever started it dies (Linux; prctl, option 1). */
function dieWithParent(): void {
  if (process.platform !== "linux") return;
  const libc = dlopen("libc.so.6", { prctl: { args: ["i32", "u64"], returns: "i32" } });
  libc.symbols.prctl(1, 9);
  libc.close();
}

/** The training itself, in this process. */
export async function runTraining(
  job: TrainingJob,
  cacheFolder: string,
  onProgress: (share: number, text: string) => void,
): Promise<{ result: TrainingResult; artifact: Uint8Array }> {
  const { model } = job;
  const { market, others, since } = model.collect;
  onProgress(0, "building the dataset");
  const spec = defaultSpec([market, ...others].sort());
  const series = new Map(
    Object.entries(job.candles).map(([name, list]) => [name, seriesOf(name, list)]),
  );
  const dataset = buildDataset({ spec, series, market, from: since, to: job.slot });
  const skip = skipReason(dataset, model);
  if (skip !== null) return { result: skipped(skip), artifact: new Uint8Array() };
  const leaks = perturbationLeaks(spec, series, market, sampleSlots(dataset.slots, LEAK_SAMPLES));

  const { fit, outOfFold } = trainMarket(dataset, recipeOf(model), (share, text) =>
    onProgress(0.05 + 0.9 * share, text),
  );
  const report = marketReport(outOfFold);
  const facts = factsOf(model, spec, dataset, fit, report);
  const parts = partsOf(fit);
  const artifact = encodeMarketModel({ ...parts, metadata: artifactMetadata(facts) });
  onProgress(0.97, "comparing the artifact with the trainer");
  const parity = await parityOf(artifact, parts, dataset.frame, cacheFolder);
  return {
    artifact,
    result: {
      skip: null,
      summary: report.summary,
      params: paramsOf(model, spec, fit),
      report,
      outOfFold: {
        slots: [...outOfFold.slots],
        up: [...outOfFold.up],
        probability: [...outOfFold.probability],
      },
      importance: fit.probability.kind === "trees" ? importanceOf(fit.probability) : [],
      leaks,
      parity,
      facts,
      dataset: {
        digest: facts.dataset_digest,
        rows: dataset.slots.length,
        firstSlot: dataset.slots[0]!,
        lastSlot: dataset.slots.at(-1)!,
        dropped: dataset.dropped,
      },
    },
  };
}

function skipReason(dataset: Dataset, { evaluate }: ModelFile): TrainingResult["skip"] {
  // One fold to calibrate on and a row to judge, after the rows to train on.
  const needed = evaluate.min_train_candles + evaluate.fold_candles + 1;
  if (dataset.slots.length < needed) {
    const detail = `${dataset.slots.length} candles can be learned from; ${needed} are needed.`;
    return { reason: "too_few_candles", detail };
  }
  if (!isSingleClass(dataset.up)) return null;
  const detail = `All ${dataset.slots.length} candles ${dataset.up[0] === 1 ? "went" : "did not go"} up.`;
  return { reason: "single_class", detail };
}

const skipped = (skip: NonNullable<TrainingResult["skip"]>): TrainingResult => ({
  skip,
  summary: skip.detail,
  params: {},
  report: null,
  outOfFold: null,
  importance: [],
  leaks: [],
  parity: { rows: 0, maxDifference: 0 },
  facts: null,
  dataset: null,
});

/** The recipe that a model file asks for. */
export function recipeOf({ train, evaluate }: ModelFile): MarketRecipe {
  const trees = (of: ModelFile["train"]["gbdt"]) => ({
    ...GBDT_DEFAULTS,
    rounds: of.rounds,
    rate: of.rate,
    leaves: of.leaves,
    depth: of.depth,
    minRows: of.min_rows,
    l2: of.l2,
    rowShare: of.row_share,
    columnShare: of.column_share,
  });
  return {
    seed: train.seed,
    trainers: train.trainers,
    gbdt: trees(train.gbdt),
    quantile: trees(train.quantile),
    logistic: { l2: train.logistic.l2, rounds: 25 },
    halfLifeMs: train.half_life_days * DAY_MS,
    horizonMs: HORIZON * UNIT_MS,
    foldMs: evaluate.fold_candles * UNIT_MS,
    minTrainRows: evaluate.min_train_candles,
    evaluateMs: evaluate.candles * UNIT_MS,
  };
}

const partsOf = (fit: MarketFit): MarketParts => ({
  probability: fit.probability,
  calibration: { a: fit.calibration.slope, b: fit.calibration.intercept },
  quantiles: fit.quantiles,
  offsets: { p10: -fit.offset, p90: fit.offset },
});

function factsOf(
  model: ModelFile,
  spec: FeatureSpec,
  dataset: Dataset,
  fit: MarketFit,
  report: MarketReport,
): ArtifactFacts {
  return {
    model: model.name,
    market: model.collect.market,
    features: [...featureNames(spec)],
    feature_spec: spec,
    feature_digest: featureDigest(spec),
    dataset_digest: datasetDigest(dataset, spec),
    last_slot: dataset.slots.at(-1)!,
    baselines: Object.fromEntries(
      BASELINE_NAMES.map((name) => [
        name,
        { after_up: fit.baselines[name](1), after_other: fit.baselines[name](0) },
      ]),
    ),
    skill: {
      log_loss: report.metrics["log_loss"] ?? 0,
      baseline_log_loss: report.metrics[`${report.baseline}_log_loss`] ?? 0,
      baseline: report.baseline,
      better: report.better,
    },
  } as ArtifactFacts;
}

function paramsOf({ train, evaluate, collect }: ModelFile, spec: FeatureSpec, fit: MarketFit) {
  const params: Record<string, string | number> = {
    market: collect.market,
    trainer: fit.trainer,
    seed: train.seed,
    half_life_days: train.half_life_days,
    features: featureNames(spec).length,
    calibration_slope: fit.calibration.slope,
    calibration_intercept: fit.calibration.intercept,
    conformal_offset: fit.offset,
  };
  for (const [name, value] of Object.entries(train.gbdt)) params[`gbdt.${name}`] = value;
  for (const [name, value] of Object.entries(train.quantile)) params[`quantile.${name}`] = value;
  params["logistic.l2"] = train.logistic.l2;
  for (const [name, value] of Object.entries(evaluate)) params[`evaluate.${name}`] = value;
  return params;
}

/** The artifact in ONNX Runtime against the models themselves, on the newest rows. */
async function parityOf(
  artifact: Uint8Array,
  parts: MarketParts,
  frame: Frame,
  cacheFolder: string,
): Promise<TrainingResult["parity"]> {
  const rows = Math.min(PARITY_ROWS, frame.rows);
  const tail = tailOf(frame, rows);
  const session = await openSession(await loadRuntime(cacheFolder), artifact, frame.columns.length);
  try {
    const answer = await session.run(matrixOf(tail), rows);
    const wanted = referencePredict(parts, tail);
    const difference = (a: Float32Array, b: Float64Array) =>
      a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!)), 0);
    return {
      rows,
      maxDifference: Math.max(
        difference(answer.probability, wanted.probability),
        difference(answer.quantiles, wanted.quantiles),
      ),
    };
  } finally {
    await session.release();
  }
}

function tailOf(frame: Frame, rows: number): Frame {
  const from = frame.rows - rows;
  return {
    rows,
    columns: frame.columns.map((column) =>
      column.kind === "number"
        ? { ...column, values: column.values.subarray(from) }
        : { ...column, codes: column.codes.subarray(from) },
    ),
  };
}
