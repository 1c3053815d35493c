/*
 * What runs log over the protocol: metrics, params, tags, one by one or many at once.
 */
import type { Point } from "../../registry/batch.ts";
import { badParameter } from "../../registry/refusal.ts";
import type { Whole } from "../../store/whole.ts";
import { invalidValue } from "./errors.ts";
import { double, int64, list, message, needed, pairs, text } from "./message.ts";
import { assertUnlike, checkedKey, checkedRunId, paramValue, tagValue } from "./names.ts";
import { type Rpc, rpc } from "./route.ts";

const write = { method: "POST", role: "track" } as const;
const BATCH = { metrics: 1_000, params: 100, tags: 100, all: 1_000 };

const metric = {
  key: needed(text),
  value: needed(double),
  timestamp: needed(int64),
  step: int64,
  model_id: text,
  dataset_name: text,
  dataset_digest: text,
};

interface Given {
  readonly key: string;
  readonly value: number;
  readonly timestamp: Whole;
  readonly step: Whole | undefined;
  readonly model_id: string | undefined;
  readonly dataset_name: string | undefined;
  readonly dataset_digest: string | undefined;
}

/** A point of a metric; `path` is where it stands in the message, with a dot or empty. */
function pointOf(given: Given, path: string): Point {
  const { value, timestamp, step = 0, model_id, dataset_name, dataset_digest } = given;
  if (timestamp < 0) {
    throw invalidValue(
      `${path}timestamp`,
      timestamp,
      "It is milliseconds since 1970, not negative.",
    );
  }
  return {
    ...{ key: checkedKey(given.key, `${path}name`), value, timestamp, step },
    modelId: model_id || undefined,
    ...{ datasetName: dataset_name, datasetDigest: dataset_digest },
  };
}

export const loggingRpcs: readonly Rpc[] = [
  rpc({
    ...write,
    path: "runs/log-metric",
    takes: { run_id: needed(text), ...metric },
    answer: async ({ run_id, ...given }, { mlflow }) => {
      await mlflow.runs.write(run_id, { metrics: [pointOf(given, "")] });
      return {};
    },
  }),
  rpc({
    ...write,
    path: "runs/log-parameter",
    takes: { run_id: needed(text), key: needed(text), value: text },
    answer: async ({ run_id, key, value }, { mlflow }) => {
      const pair = [checkedKey(key, "key"), paramValue(value)] as const;
      await mlflow.runs.write(run_id, { params: [pair] });
      return {};
    },
  }),
  rpc({
    ...write,
    path: "runs/set-tag",
    takes: { run_id: needed(text), key: needed(text), value: text },
    answer: async ({ run_id, key, value }, { mlflow }) => {
      const pair = [checkedKey(key, "key"), tagValue(value)] as const;
      await mlflow.runs.write(run_id, { tags: [pair] });
      return {};
    },
  }),
  rpc({
    ...write,
    path: "runs/log-batch",
    takes: {
      run_id: needed(text),
      metrics: list(message(metric)),
      params: pairs,
      tags: pairs,
    },
    answer: async ({ run_id, metrics, params, tags }, { mlflow }) => {
      checkedRunId(run_id);
      atMost("metrics", metrics.length, BATCH.metrics);
      atMost("params", params.length, BATCH.params);
      atMost("tags", tags.length, BATCH.tags);
      atMost("metrics, params, and tags", metrics.length + params.length + tags.length, BATCH.all);
      const batch = {
        metrics: metrics.map((each, i) => pointOf(each, `metrics[${i}].`)),
        params: params.map(({ key, value }, i) => pair(key, paramValue(value), `params[${i}].key`)),
        tags: tags.map(({ key, value }, i) => pair(key, tagValue(value), `tags[${i}].key`)),
      };
      assertUnlike(batch.params);
      await mlflow.runs.write(run_id, batch);
      return {};
    },
  }),
];

const pair = (key: string, value: string, path: string) => [checkedKey(key, path), value] as const;

function atMost(what: string, many: number, limit: number): void {
  if (many <= limit) return;
  throw badParameter(
    `A batch logging request can contain at most ${limit} ${what}. Got ${many} ${what}. Please ` +
      `split up ${what} across multiple requests and try again.`,
  );
}
