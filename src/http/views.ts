/*
 * Rows as the outside sees them: snake_case, instants as ISO 8601, numbers that are not finite as
 * null, because JSON has no other word for them.
 */
import type { VerifyReport } from "../market/verify.ts";
import { CONTEXT } from "../registry/datasets.ts";
import type { HistoryRow, Moved } from "../registry/promotion.ts";
import type { Run, WholeRun } from "../registry/run-list.ts";
import type { Version } from "../registry/version-rows.ts";
import type { QuarantinedRow } from "../store/candles.ts";
import type { ForecastRow } from "../store/forecasts.ts";
import type { PipelineRun, Step } from "../store/pipeline-runs.ts";
import type { TokenInfo } from "../store/tokens.ts";
import type { Whole } from "../store/whole.ts";
import { type Candle, type Instant, iso } from "../types.ts";

/** An instant as ISO 8601, null where there is none. */
export const isoOrNull = (t: Instant | null): string | null => (t === null ? null : iso(t));

const YEAR_0 = Date.parse("0000-01-01T00:00:00Z");
const YEAR_9999 = Date.parse("9999-12-31T23:59:59.999Z");

/** A time that a client gave: what ISO 8601 has no four digits for is the nearest that it has. */
const clientIso = (t: Whole): string => iso(Math.max(YEAR_0, Math.min(YEAR_9999, Number(t))));

/** A candle without its market, which stands once above the list. */
export const candleView = ({ market: _, start, ...rest }: Candle) => ({
  start: iso(start),
  ...rest,
});

/** The newest value of each metric; null where it is not finite. */
export const metricsView = (metrics: Run["metrics"]): Record<string, number | null> =>
  Object.fromEntries(
    Object.entries(metrics).map(([key, { value }]) => [key, Number.isFinite(value) ? value : null]),
  );

/** A training; `version` is the number of the version that was registered from it, or null. */
export const runView = (run: Run, version: number | null) => ({
  id: run.runId,
  name: run.name,
  model: modelOf(run),
  version,
  experiment: run.experimentId,
  status: run.status,
  message: run.statusMessage,
  started_at: clientIso(run.startTime),
  ended_at: run.endTime === null ? null : clientIso(run.endTime),
  pipeline_run: run.pipelineRunId,
  params: run.params,
  metrics: metricsView(run.metrics),
  tags: run.tags,
});

/** The model that a run trained, or null for a run logged from outside. */
export const modelOf = (run: Run): string | null => run.tags["sluice.model"] ?? null;

/** A training with its datasets and files. */
export const wholeRunView = (run: WholeRun, version: number | null) => ({
  ...runView(run, version),
  datasets: run.datasets.map((dataset) => ({
    name: dataset.name,
    digest: dataset.digest,
    context: dataset.tags[CONTEXT] ?? null,
    first_slot: isoOrNull(dataset.firstSlot),
    last_slot: isoOrNull(dataset.lastSlot),
    as_of: isoOrNull(dataset.asOf),
    stale_at: isoOrNull(dataset.staleAt),
    stale_reason: dataset.staleReason,
  })),
  artifacts: run.artifacts.map(({ path, size, digest, createdAt }) => ({
    path,
    size,
    digest,
    created_at: iso(createdAt),
  })),
});

/** A pipeline run without its steps; who holds its lease is nobody's business. */
export const pipelineRunView = (run: PipelineRun) => ({
  id: run.id,
  pipeline: run.pipeline,
  slot: iso(run.slot),
  kind: run.kind,
  status: run.status,
  attempts: run.attempts,
  created_at: iso(run.createdAt),
  started_at: isoOrNull(run.startedAt),
  ended_at: isoOrNull(run.endedAt),
  reason: run.reason,
  detail: run.detail,
});

/** A pipeline run with the state, times, log and result of each step. */
export const wholePipelineRunView = (run: PipelineRun, steps: readonly Step[]) => ({
  ...pipelineRunView(run),
  options: run.options,
  steps: steps.map((step) => ({
    step: step.step,
    status: step.status,
    attempts: step.attempts,
    started_at: isoOrNull(step.startedAt),
    ended_at: isoOrNull(step.endedAt),
    elapsed_ms: step.elapsedMs,
    result: step.result,
    log: step.log,
  })),
});

/** A version of a model, without the model's name. */
export const versionView = (version: Version) => ({
  version: version.version,
  digest: version.digest,
  size: version.size,
  signature: version.signature,
  run: version.runId,
  created_at: iso(version.createdAt),
  aliases: version.aliases,
  gates: version.gates,
});

/** One move of an alias. */
export const historyView = (row: HistoryRow) => ({
  alias: row.alias,
  from: row.fromVersion,
  to: row.toVersion,
  at: iso(row.at),
  actor: row.actor,
  reason: row.reason,
  forced: row.forced,
});

/** Where an alias points after a move. */
export const movedView = ({ name, since, alias, version, digest, previous, changed }: Moved) => ({
  model: name,
  alias,
  version,
  digest,
  since: iso(since),
  previous,
  changed,
});

/**
 * A forecast as it was answered, what it was made of, and what came of it; null while its candle
 * is open.
 */
export const forecastView = (row: ForecastRow) => ({
  ...row.answer,
  inputs_digest: row.inputsDigest,
  outcome:
    row.outcome === null
      ? null
      : { direction: row.outcome, return: row.outcomeReturn, at: isoOrNull(row.outcomeAt) },
});

/** What verification found of one market. */
export const verifyView = ({ market, verdict, from, to, checks }: VerifyReport) => ({
  market,
  verdict,
  from: iso(from),
  to: iso(to),
  checks,
});

/** A refused row, with the text it came as. */
export const quarantineView = (row: QuarantinedRow) => ({
  id: row.id,
  market: row.market,
  start: isoOrNull(row.start),
  reason: row.reason,
  detail: row.detail,
  raw: row.raw,
  seen: row.seen,
  first_seen_at: iso(row.firstSeenAt),
  last_seen_at: iso(row.lastSeenAt),
});

/** A token without the token. */
export const tokenView = ({ name, scopes, createdAt, revokedAt }: TokenInfo) => ({
  name,
  scopes,
  created_at: iso(createdAt),
  revoked_at: isoOrNull(revokedAt),
});
