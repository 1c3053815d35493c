/*
 * The training of a market model: candles in; dataset, checks, walk-forward, artifact and parity
 * check out.
 */
import type { Dataset } from "../feature/dataset.ts";
import { datasetDigest, featureDigest } from "../feature/digest.ts";
import { featureNames } from "../feature/features.ts";
import { HORIZON } from "../feature/labels.ts";
import { perturbationLeaks, sampleSlots } from "../feature/leak.ts";
import { COLUMNS_OF, defaultSpec, type FeatureSpec } from "../feature/spec.ts";
import { BASELINE_NAMES } from "../learn/baseline.ts";
import { GBDT_DEFAULTS } from "../learn/gbdt/options.ts";
import { importanceOf } from "../learn/importance.ts";
import { type MarketFit, trainMarket } from "../learn/market.ts";
import type { MarketRecipe } from "../learn/recipe.ts";
import { type MarketReport, marketReport } from "../learn/report.ts";
import { isSingleClass } from "../learn/sample.ts";
import type { Frame, TreeModel } from "../learn/types.ts";
import type { MarketFile } from "../models.ts";
import { matrixOf } from "../onnx/matrix.ts";
import { encodeMarketModel, type MarketParts } from "../onnx/model.ts";
import { partsMetadata } from "../onnx/parts.ts";
import { referencePredict } from "../onnx/reference.ts";
import { type MarketAbout, type MarketReportJson, marketReportJson } from "../report/market.ts";
import { marketPlots } from "../report/plots.ts";
import { type ArtifactFacts, artifactMetadata } from "../serve/artifact.ts";
import { loadRuntime } from "../serve/runtime.ts";
import { openSession } from "../serve/session.ts";
import { UNIT_MS } from "../types.ts";
import type { TrainingJob, TrainingResult } from "./job.ts";
import { rowsOf } from "./rows.ts";
import { sendPlots } from "./run-files.ts";

const DAY_MS = 86_400_000;
const LEAK_SAMPLES = 12;
const PARITY_ROWS = 2_000;

/** The training itself, in this process. */
export async function runTraining(
  job: TrainingJob,
  cacheFolder: string,
  onProgress: (share: number, text: string) => void,
): Promise<{ result: TrainingResult; artifact: Uint8Array }> {
  const { model } = job;
  const { market } = model.collect;
  onProgress(0, "building the dataset");
  const { spec, series, own: dataset, pool } = rowsOf(model, job.candles, job.slot);
  const skip = skipReason(dataset, model);
  if (skip !== null) return { result: skipped(skip), artifact: new Uint8Array() };
  const leaks = perturbationLeaks(spec, series, market, sampleSlots(dataset.slots, LEAK_SAMPLES));

  const { fit, outOfFold, rounds } = trainMarket(pool, recipeOf(model), (share, text) =>
    onProgress(0.05 + 0.9 * share, text),
  );
  const report = marketReport(outOfFold);
  const facts = factsOf(model, spec, dataset, fit, report);
  const parts = partsOf(fit);
  const metadata = { ...artifactMetadata(facts), ...partsMetadata(parts) };
  const artifact = encodeMarketModel({ ...parts, metadata });
  onProgress(0.97, "comparing the artifact with the trainer");
  const parity = await parityOf(artifact, parts, dataset.frame, cacheFolder);
  const params = paramsOf(model, spec, fit);
  const importance = treesOf(fit).flatMap(importanceOf);
  const evaluation: MarketReportJson = {
    ...marketReportJson(aboutOf(model, facts, params), outOfFold, report),
    ...{ rounds, importance },
  };
  return {
    artifact,
    result: {
      skip: null,
      summary: report.summary,
      params,
      report,
      outOfFold: {
        slots: [...outOfFold.slots],
        up: [...outOfFold.up],
        probability: [...outOfFold.probability],
      },
      importance,
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
      evaluation,
      plots: sendPlots(marketPlots(evaluation)),
    },
  };
}

/** The trees among the averaged models: their gains are the importance that is told. */
const treesOf = ({ probability }: MarketFit): readonly TreeModel[] =>
  probability.parts.map((part) => part.model).filter((model) => model.kind === "trees");

function skipReason(dataset: Dataset, { evaluate }: MarketFile): TrainingResult["skip"] {
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
  evaluation: null,
  plots: [],
});

/** The recipe that a model file asks for. */
export function recipeOf({ train, evaluate }: MarketFile): MarketRecipe {
  const trees = (of: MarketFile["train"]["gbdt"]) => ({
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
    logistic: { l2: train.logistic.l2, rounds: 25 },
    ridge: { l2: train.ridge.l2, rounds: 1 },
    spread: { l2: train.spread.l2, rounds: 1 },
    othersWeight: train.others_weight,
    baseRows: train.base_rows,
    direction: COLUMNS_OF.direction(featureNames(defaultSpec([]))),
    range: COLUMNS_OF.range,
    volatility: COLUMNS_OF.volatility,
    step: COLUMNS_OF.step,
    halfLifeMs: train.half_life_days * DAY_MS,
    horizonMs: HORIZON * UNIT_MS,
    foldMs: evaluate.fold_candles * UNIT_MS,
    minTrainRows: evaluate.min_train_candles,
    evaluateMs: evaluate.candles * UNIT_MS,
  };
}

const aboutOf = (
  { name, train, evaluate }: MarketFile,
  { market, dataset_digest: dataset }: ArtifactFacts,
  params: MarketAbout["params"],
): MarketAbout => ({
  ...{ model: name, market, run: null, version: null, made_at: null, dataset, params },
  trainer: train.trainers.join(", "),
  how: `walked forward, fitted anew every ${evaluate.fold_candles} candles`,
});

const partsOf = (fit: MarketFit): MarketParts => ({
  probability: fit.probability,
  calibration: { a: fit.calibration.slope, b: fit.calibration.intercept },
  quantiles: fit.quantiles,
  offsets: { p10: -fit.offset, p90: fit.offset },
});

function factsOf(
  model: MarketFile,
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

function paramsOf({ train, evaluate, collect }: MarketFile, spec: FeatureSpec, fit: MarketFit) {
  const params: Record<string, string | number> = {
    market: collect.market,
    trainers: train.trainers.join(", "),
    others_weight: train.others_weight,
    base_rows: train.base_rows,
    seed: train.seed,
    half_life_days: train.half_life_days,
    features: featureNames(spec).length,
    calibration_slope: fit.calibration.slope,
    calibration_intercept: fit.calibration.intercept,
    conformal_offset: fit.offset,
  };
  for (const [name, value] of Object.entries(train.gbdt)) params[`gbdt.${name}`] = value;
  params["logistic.l2"] = train.logistic.l2;
  params["ridge.l2"] = train.ridge.l2;
  params["spread.l2"] = train.spread.l2;
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
