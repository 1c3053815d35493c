/*
 * Challenger against champion, paired on the same rows that neither had learned from: both sides'
 * out-of-fold answers, and for rows newer than the champion its own answers.
 */
import { SluiceError } from "../errors.ts";
import { seriesOf } from "../feature/candles.ts";
import { featureFrame } from "../feature/features.ts";
import { lookbackOf } from "../feature/spec.ts";
import { paired } from "../learn/interval.ts";
import { logLosses } from "../learn/metrics.ts";
import type { VerifyReport } from "../market/verify.ts";
import type { MarketFile } from "../models.ts";
import { matrixOf } from "../onnx/matrix.ts";
import { type GateInput, type Judgement, judge, type Paired } from "../registry/gates.ts";
import type { Tracking } from "../registry/tracking.ts";
import type { Champion, Champions } from "../serve/champions.ts";
import { asMarket } from "../serve/loaded.ts";
import type { CandleStore } from "../store/candles.ts";
import { UNIT_MS } from "../types.ts";
import type { TrainingResult } from "./job.ts";
import { TRAINING_ARTIFACT } from "./record.ts";

export interface JudgeDeps {
  readonly champions: Pick<Champions, "use" | "refresh" | "state">;
  readonly tracking: Tracking;
  readonly candles: CandleStore;
}

/**
 * Tries every gate on a version and the run that trained it, against the champion in place unless
 * that is the version itself; `reports` are the verification of the data as it is now.
 */
export async function judgeRun(
  model: MarketFile,
  { runId, version }: { readonly runId: string; readonly version: number },
  reports: readonly VerifyReport[],
  deps: JudgeDeps,
): Promise<Judgement & { readonly champion: number | null }> {
  const { champions, tracking } = deps;
  const training = await trainingOf(runId, tracking);
  await champions.refresh(model.name);
  const champion = champions.state(model.name).champion?.version ?? null;
  const metrics = training.report?.metrics ?? {};
  const baseline = training.report?.baseline ?? "base_rate";
  const judgement = judge({
    verification: verificationOf(reports),
    leaks: training.leaks.length,
    parity: training.parity,
    candidate: {
      n: metrics["rows"] ?? 0,
      logLoss: metrics["log_loss"] ?? Number.NaN,
      auc: metrics["auc"] ?? Number.NaN,
      baselineName: baseline,
      baselineLogLoss: metrics[`${baseline}_log_loss`] ?? Number.NaN,
      oneClass: metrics["auc"] === undefined,
    },
    paired:
      champion === null || champion === version
        ? null
        : await champions.use(model.name, (held) => pairedLosses(training, held, deps)),
    options: {
      maxAuc: model.promote.max_auc,
      tolerance: model.promote.tolerance,
      rule: model.promote.rule,
    },
  });
  return { ...judgement, champion };
}

function verificationOf(reports: readonly VerifyReport[]): GateInput["verification"] {
  const failed = reports.flatMap((report) =>
    report.checks
      .filter((check) => check.verdict === "fail")
      .map((check) => `${report.market}: ${check.detail}`),
  );
  if (failed.length > 0) return { passed: false, detail: failed.join(" ") };
  const states = reports.map((report) => `${report.market} ${report.verdict}`);
  return { passed: true, detail: `Candles were verified: ${states.join(", ")}.` };
}

async function pairedLosses(
  training: TrainingResult,
  champion: Champion,
  deps: JudgeDeps,
): Promise<Paired> {
  const mine = training.outOfFold ?? { slots: [], up: [], probability: [] };
  const theirs = await championAnswers(mine.slots, champion, deps);
  const rows = mine.slots.flatMap((slot, i) => (theirs.has(slot) ? [i] : []));
  const up = Float64Array.from(rows, (i) => mine.up[i]!);
  const challenger = Float64Array.from(rows, (i) => mine.probability[i]!);
  const held = Float64Array.from(rows, (i) => theirs.get(mine.slots[i]!)!);
  const difference = paired(logLosses(challenger, up), logLosses(held, up));
  // Without common rows nothing is shown: figures that are no numbers pass no gate.
  if (difference === null) return { n: rows.length, mean: NaN, low: NaN, high: NaN, t: NaN };
  return { ...difference, t: difference.t ?? 0 };
}

/** The champion's probability at each slot that it did not learn from. */
async function championAnswers(
  slots: readonly number[],
  champion: Champion,
  deps: JudgeDeps,
): Promise<Map<number, number>> {
  const answers = new Map<number, number>();
  if (champion.runId !== null) {
    // One from outside was trained where nobody here can look.
    const training = await trainingOf(champion.runId, deps.tracking).catch(orNone);
    for (const [i, slot] of (training?.outOfFold?.slots ?? []).entries()) {
      answers.set(slot, training!.outOfFold!.probability[i]!);
    }
  }
  const { facts, session } = asMarket(champion);
  const newer = slots.filter((slot) => slot > facts.last_slot);
  if (newer.length === 0) return answers;
  const { feature_spec: spec, market } = facts;
  const from = newer[0]! - lookbackOf(spec) * UNIT_MS;
  const to = newer.at(-1)!;
  const markets = [...new Set([market, ...spec.peers])];
  const lists = await Promise.all(markets.map((name) => deps.candles.read(name, { from, to })));
  const series = new Map(markets.map((name, i) => [name, seriesOf(name, lists[i] ?? [])]));
  const frame = featureFrame(spec, series, market, Float64Array.from(newer));
  const { probability } = await session.run(matrixOf(frame), newer.length);
  for (const [i, slot] of newer.entries()) answers.set(slot, probability[i]!);
  return answers;
}

function orNone(thrown: unknown): null {
  if (thrown instanceof SluiceError && thrown.code === "unknown_artifact") return null;
  throw thrown;
}

async function trainingOf(runId: string, tracking: Tracking): Promise<TrainingResult> {
  const bytes = await tracking.readArtifact(runId, TRAINING_ARTIFACT);
  return JSON.parse(new TextDecoder().decode(bytes)) as TrainingResult;
}
