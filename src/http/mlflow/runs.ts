/*
 * Runs over the protocol: made, read, ended, put away.
 */

import { RUN_NAME, unknownRun } from "../../registry/batch.ts";
import { DEFAULT_EXPERIMENT, experimentId } from "../../registry/experiments.ts";
import { badParameter } from "../../registry/refusal.ts";
import { choice, int64, needed, pairs, text } from "./message.ts";
import { checkedKey, tagValue } from "./names.ts";
import { type Rpc, rpc } from "./route.ts";
import { drawnName } from "./run-names.ts";
import { infoView, runView } from "./views.ts";

const write = { method: "POST", role: "track" } as const;

const status = choice({ RUNNING: 1, SCHEDULED: 2, FINISHED: 3, FAILED: 4, KILLED: 5 });

export const runRpcs: readonly Rpc[] = [
  rpc({
    ...write,
    path: "runs/create",
    takes: {
      experiment_id: text,
      user_id: text,
      run_name: text,
      start_time: int64,
      tags: pairs,
    },
    answer: async ({ experiment_id, user_id = "", run_name, start_time, tags }, call) => {
      const { mlflow, services } = call;
      const tagged = new Map(
        tags.map(({ key, value }, i) => [checkedKey(key, `tags[${i}].key`), tagValue(value)]),
      );
      const run = await mlflow.runs.start({
        experimentId: experimentId(experiment_id || DEFAULT_EXPERIMENT),
        name: nameOf(run_name, tagged.get(RUN_NAME)),
        userId: user_id,
        startTime: start_time ?? services.clock.now(),
        tags: [...tagged],
        pipelineRunId: null,
      });
      tagged.set(RUN_NAME, run.name);
      const logged = [...tagged].map(([key, value]) => ({ key, value }));
      return { run: { info: infoView(run), data: { tags: logged }, inputs: {} } };
    },
  }),
  rpc({
    method: "GET",
    role: "read",
    path: "runs/get",
    takes: { run_id: needed(text) },
    answer: async ({ run_id }, { mlflow }) => {
      const [run] = await mlflow.runData([run_id]);
      if (run === undefined) throw unknownRun(run_id);
      return { run: runView(run) };
    },
  }),
  rpc({
    ...write,
    path: "runs/update",
    takes: { run_id: needed(text), status, end_time: int64, run_name: text },
    answer: async ({ run_id, status, end_time, run_name }, { mlflow }) => {
      const change = {
        status,
        endTime: end_time,
        name: run_name ? tagValue(run_name) : undefined,
      };
      return { run_info: infoView(await mlflow.runs.change(run_id, change)) };
    },
  }),
  rpc({
    ...write,
    path: "runs/delete",
    takes: { run_id: needed(text) },
    answer: async ({ run_id }, { mlflow }) => {
      await mlflow.runs.remove(run_id);
      return {};
    },
  }),
  rpc({
    ...write,
    path: "runs/restore",
    takes: { run_id: needed(text) },
    answer: async ({ run_id }, { mlflow }) => {
      await mlflow.runs.restore(run_id);
      return {};
    },
  }),
  rpc({
    ...write,
    path: "runs/delete-tag",
    takes: { run_id: needed(text), key: needed(text) },
    answer: async ({ run_id, key }, { mlflow }) => {
      await mlflow.runs.untag(run_id, key);
      return {};
    },
  }),
];

/** A run's name: as it is given, or as its tag has it; drawn where nobody says. */
function nameOf(name: string | undefined, tag: string | undefined): string {
  if (name && tag && name !== tag) {
    throw badParameter(
      `Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different ` +
        `values (run_name='${name}', mlflow.runName='${tag}').`,
    );
  }
  return tagValue(name || tag || drawnName());
}
