/*
 * Histories of metrics over the protocol.
 */
import type { RunPoint } from "../../registry/histories.ts";
import { badParameter } from "../../registry/refusal.ts";
import { invalidValue } from "./errors.ts";
import { count, int64, list, needed, text } from "./message.ts";
import { type Rpc, rpc } from "./route.ts";
import { pointView, some } from "./views.ts";

const read = { method: "GET", role: "read" } as const;
const BULK = "GetMetricHistoryBulk";
const RUNS = 100;
const POINTS = 25_000;
const STEPS = 2_500;

export const historyRpcs: readonly Rpc[] = [
  rpc({
    ...read,
    path: "metrics/get-history",
    takes: { run_id: needed(text), metric_key: needed(text), max_results: count, page_token: text },
    answer: async ({ run_id, metric_key: key, max_results, page_token }, { mlflow }) => {
      if (max_results !== undefined && (max_results <= 0 || max_results >= 2 ** 31)) {
        throw invalidValue("max_results", max_results, "It must be from 1 to 2^31 - 1.");
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
    takes: { run_id: list(text), metric_key: text, max_results: count },
    answer: async ({ run_id, metric_key, max_results = POINTS }, { mlflow }) => {
      assertRuns(run_id);
      if (!metric_key) throw badParameter(`${BULK} request must specify a metric_key.`);
      const most = Math.min(Math.max(max_results, 0), POINTS);
      const points = await mlflow.runs.histories(run_id, metric_key, most);
      return { metrics: points.map((point) => runPointView(metric_key, point)) };
    },
  }),
  rpc({
    ...read,
    path: "metrics/get-history-bulk-interval",
    takes: {
      run_ids: needed(list(text)),
      metric_key: needed(text),
      start_step: int64,
      end_step: int64,
      max_results: count,
    },
    answer: async (
      { run_ids, metric_key: key, start_step, end_step, max_results = STEPS },
      call,
    ) => {
      if (run_ids.length > RUNS) {
        throw badParameter(
          `GetMetricHistoryBulkInterval request must specify at most ${RUNS} run_ids. Received ` +
            `${run_ids.length} run_ids.`,
        );
      }
      if (max_results < 1 || max_results > STEPS) {
        throw badParameter(`max_results must be between 1 and ${STEPS}. Got ${max_results}.`);
      }
      if ((start_step === undefined) !== (end_step === undefined)) {
        throw badParameter(
          "If either start step or end step are specified, both must be specified.",
        );
      }
      const steps = start_step === undefined ? null : ([start_step, end_step!] as const);
      if (steps !== null && steps[0] > steps[1]) {
        throw badParameter(
          "end_step must be greater than start_step. " +
            `Found start_step=${steps[0]} and end_step=${steps[1]}.`,
        );
      }
      const interval = { runIds: run_ids, key, steps, most: max_results };
      const points = await call.mlflow.runs.sampled(interval);
      return { metrics: some(points.map((point) => runPointView(key, point))) };
    },
  }),
];

function assertRuns(ids: readonly string[]): void {
  if (ids.length === 0) throw badParameter(`${BULK} request must specify at least one run_id.`);
  if (ids.length <= RUNS) return;
  throw badParameter(
    `${BULK} request cannot specify more than ${RUNS} run_ids. Received ${ids.length} run_ids.`,
  );
}

const runPointView = (key: string, point: RunPoint) => ({
  ...pointView(key, point),
  run_id: point.runId,
});
