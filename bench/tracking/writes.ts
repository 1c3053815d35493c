/*
 * What trainings send: a point of a metric, a thousand of them at once, a new run. Both sides get
 * the same bodies, but for the ids that each gave.
 */
import { type Call, type Load, loadBy } from "./load.ts";
import type { Running } from "./sides.ts";

export const WRITES = ["log_metric", "log_batch, 1,000 metrics", "create_run"] as const;
export type Write = (typeof WRITES)[number];

const API = "/api/2.0/mlflow";
const post = (path: string, body: unknown): Call => ({
  ...{ method: "POST", path: `${API}/${path}` },
  body: JSON.stringify(body),
});

/** Of a batch: 50 metrics at 20 steps each. */
const KEYS = 50;
const STEPS = 20;
/** When the first point was. */
const EPOCH = 1_700_000_000_000;

const value = (at: number) => Math.abs(Math.sin(at));

/** What is sent as the `at`th request of a run's connection. */
const CALLS: Readonly<Record<Write, (runId: string, experiment: string, at: number) => Call>> = {
  log_metric: (run_id, _, at) =>
    post("runs/log-metric", {
      ...{ run_uuid: run_id, run_id, key: `loss-${at % 5}`, value: value(at) },
      ...{ timestamp: EPOCH + at, step: at },
    }),
  "log_batch, 1,000 metrics": (run_id, _, at) =>
    post("runs/log-batch", {
      run_id,
      metrics: Array.from({ length: KEYS * STEPS }, (__, i) => {
        const step = at * STEPS + Math.floor(i / KEYS);
        return { key: `m${i % KEYS}`, value: value(at + i), timestamp: EPOCH + step, step };
      }),
    }),
  create_run: (_, experiment_id, at) =>
    post("runs/create", {
      ...{ experiment_id, user_id: "bench", run_name: `run-${at}`, start_time: EPOCH + at },
      tags: [
        { key: "mlflow.user", value: "bench" },
        { key: "mlflow.source.name", value: "train.py" },
        { key: "mlflow.source.type", value: "LOCAL" },
        { key: "mlflow.runName", value: `run-${at}` },
      ],
    }),
};

/** A new experiment of that name. */
export async function makeExperiment(server: Running, name: string): Promise<string> {
  const made = await server.ask<{ experiment_id: string }>(post("experiments/create", { name }));
  return made.experiment_id;
}

/** A new run. */
export async function makeRun(server: Running, experiment: string, at = 0): Promise<string> {
  type Made = { run: { info: { run_id: string } } };
  return (await server.ask<Made>(CALLS.create_run("", experiment, at))).run.info.run_id;
}

/**
 * A load of one kind, on new runs, one a connection; the first `warm` seconds are not counted. Also
 * the processor time of the server a request, microseconds.
 */
export async function measureWrite(
  server: Running,
  experiment: string,
  write: Write,
  { connections, seconds, warm }: { connections: number; seconds: number; warm: number },
): Promise<Load & { readonly cpuUs: number }> {
  const runs = await Promise.all(
    Array.from({ length: connections }, (_, i) => makeRun(server, experiment, i)),
  );
  const sent = runs.map(() => 0);
  const next = (i: number) => server.bytes(CALLS[write](runs[i]!, experiment, sent[i]!++));
  await loadBy(server.url, connections, warm, next);
  const before = server.cpuMs();
  const load = await loadBy(server.url, connections, seconds, next);
  return { ...load, cpuUs: ((server.cpuMs() - before) * 1_000) / load.requests };
}
