/*
 * Histories of metrics over the protocol.
 */
import type { HistoryPoint, RunPoint } from "../../registry/histories.ts";
import { badParameter } from "../../registry/refusal.ts";
import { invalidValue } from "./errors.ts";
import { int64, list, needed, text } from "./message.ts";
import { type Rpc, rpc } from "./route.ts";
import { double64, some } from "./views.ts";

const read = { method: "GET", role: "read" } as const;
const RUNS = 100;
const POINTS = 25_000;
const STEPS = 2_500;

export const historyRpcs: readonly Rpc[] = [
  rpc({
    ...read,
    path: "metrics/get-history",
    takes: { run_id: needed(text), metric_key: needed(text), max_results: int64, page_token: text },
    answer: async ({ run_id, metric_key: key, max_results, page_token }, { mlflow }) => {
      if (max_results !== undefined && (max_results <= 0 || max_results >= 2 ** 31)) {
        throw invalidValue("max_results", max_results, "It must be at least 1.");
      }
      const limit = max_results ?? null;
      const { items, next } = await mlflow.runs.history(
        run_id,
        key,
        limit,
        page_token || undefined,
      );
      return {
        metrics: some(items.map((point) => pointView(key, point))),
        next_page_token: next ?? undefined,
      };
    },
  }),
  rpc({
    ...read,
    path: "metrics/get-history-bulk",
    takes: { run_id: list(text), metric_key: text, max_results: int64 },
    answer: async ({ run_id, metric_key, max_results = POINTS }, { mlflow }) => {
      const name = "GetMetricHistoryBulk";
      assertRuns(name, "run_id", run_id);
      const key = keyOf(name, metric_key);
      const most = Math.min(Math.max(max_results, 0), POINTS);
      const points = await mlflow.runs.histories(run_id, key, most);
      return { metrics: points.map((point) => runPointView(key, point)) };
    },
  }),
  rpc({
    ...read,
    path: "metrics/get-history-bulk-interval",
    takes: {
      run_ids: list(text),
      metric_key: text,
      start_step: int64,
      end_step: int64,
      max_results: int64,
    },
    answer: async ({ run_ids, metric_key, start_step, end_step, max_results = STEPS }, call) => {
      const name = "GetMetricHistoryBulkInterval";
      assertRuns(name, "run_ids", run_ids);
      const key = keyOf(name, metric_key);
      if (max_results < 1 || max_results > STEPS) {
        throw invalidValue("max_results", max_results, `It must be between 1 and ${STEPS}.`);
      }
      if ((start_step === undefined) !== (end_step === undefined)) {
        throw badParameter(
          "If either start step or end step are specified, both must be specified.",
        );
      }
      const steps = start_step === undefined ? null : ([start_step, end_step!] as const);
      if (steps !== null && steps[0] > steps[1]) {
        throw badParameter(
          `end_step must be greater than or equal to start_step. Found start_step=${steps[0]} ` +
            `and end_step=${steps[1]}.`,
        );
      }
      const interval = { runIds: run_ids, key, steps, most: max_results };
      const points = await call.mlflow.runs.sampled(interval);
      return { metrics: some(points.map((point) => runPointView(key, point))) };
    },
  }),
];

function assertRuns(name: string, field: string, ids: readonly string[]): void {
  if (ids.length === 0) throw badParameter(`${name} request must specify at least one ${field}.`);
  if (ids.length <= RUNS) return;
  throw badParameter(
    `${name} request cannot specify more than ${RUNS} run_ids. Received ${ids.length} run_ids.`,
  );
}

function keyOf(name: string, key: string | undefined): string {
  if (key) return key;
  throw badParameter(`${name} request must specify a metric_key.`);
}

const pointView = (key: string, { value, timestamp, step }: HistoryPoint) => ({
  ...{ key, value: double64(value), timestamp, step },
});

const runPointView = (key: string, point: RunPoint) => ({
  ...pointView(key, point),
  run_id: point.runId,
});
