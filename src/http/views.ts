/*
 * Rows as the outside sees them: snake_case, instants as ISO 8601, numbers that are not finite as
 * null, because JSON has no other word for them.
 */
import type { VerifyReport } from "../market/verify.ts";
import type { HistoryRow, Moved } from "../registry/promotion.ts";
import type { Run, WholeRun } from "../registry/run-list.ts";
import type { Version } from "../registry/version-rows.ts";
import type { QuarantinedRow } from "../store/candles.ts";
import type { ForecastRow } from "../store/forecasts.ts";
import type { PipelineRun, Step } from "../store/pipeline-runs.ts";
import type { TokenInfo } from "../store/tokens.ts";
import { type Candle, type Instant, iso } from "../types.ts";

export const isoOrNull = (t: Instant | null): string | null => (t === null ? null : iso(t));

export const candleView = ({ market: _, start, ...rest }: Candle) => ({
  start: iso(start),
  ...rest,
});

export const metricsView = (metrics: Run["metrics"]): Record<string, number | null> =>
  Object.fromEntries(
    Object.entries(metrics).map(([key, { value }]) => [key, Number.isFinite(value) ? value : null]),
  );

/** `version`: the number of the version that was registered from the run, or null. */
export const runView = (run: Run, version: number | null) => ({
  id: run.runId,
  name: run.name,
  model: modelOf(run),
  version,
  experiment: run.experimentId,
  status: run.status,
  message: run.statusMessage,
  started_at: iso(run.startTime),
  ended_at: isoOrNull(run.endTime),
  pipeline_run: run.pipelineRunId,
  params: run.params,
  metrics: metricsView(run.metrics),
  tags: run.tags,
});

/** The model that a run trained, or null for a run logged from outside. */
export const modelOf = (run: Run): string | null => run.tags["sluice.model"] ?? null;

export const wholeRunView = (run: WholeRun, version: number | null) => ({
  ...runView(run, version),
  datasets: run.datasets.map((dataset) => ({
    name: dataset.name,
    digest: dataset.digest,
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

export const wholePipelineRunView = (run: PipelineRun, steps: readonly Step[]) => ({
  ...pipelineRunView(run),
  options: run.options,
  steps: steps.map((step) => ({
    step: step.step,
    status: step.status,
    attempts: step.attempts,
    started_at: isoOrNull(step.startedAt),
    ended_at: isoOrNull(step.endedAt),
    result: step.result,
    log: step.log,
  })),
});

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

export const historyView = (row: HistoryRow) => ({
  alias: row.alias,
  from: row.fromVersion,
  to: row.toVersion,
  at: iso(row.at),
  actor: row.actor,
  reason: row.reason,
  forced: row.forced,
});

export const movedView = ({ name, since, alias, version, digest, previous, changed }: Moved) => ({
  name,
  alias,
  version,
  digest,
  since: iso(since),
  previous,
  changed,
});

/** A forecast as it was answered, and what came of it; null while its candle is open. */
export const forecastView = (row: ForecastRow) => ({
  ...row.answer,
  outcome:
    row.outcome === null
      ? null
      : { direction: row.outcome, return: row.outcomeReturn, at: isoOrNull(row.outcomeAt) },
});

export const verifyView = ({ market, verdict, from, to, checks }: VerifyReport) => ({
  market,
  verdict,
  from: iso(from),
  to: iso(to),
  checks,
});

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

export const tokenView = ({ name, scopes, createdAt, revokedAt }: TokenInfo) => ({
  name,
  scopes,
  created_at: iso(createdAt),
  revoked_at: isoOrNull(revokedAt),
});
