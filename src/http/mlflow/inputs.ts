/*
 * What runs read and made, over the protocol.
 */
import { badParameter } from "../../registry/refusal.ts";
import { int64, list, message, needed, pairs, text } from "./message.ts";
import { checkedRunId, within } from "./names.ts";
import { type Rpc, rpc } from "./route.ts";
import { some } from "./views.ts";

const write = { method: "POST", role: "track" } as const;
/** A dataset's profile alone may have 16 MiB. */
const INPUTS_LIMIT = 64 * 1024 * 1024;
const DATASET = {
  ...{ name: 500, digest: 36, source_type: 65_535, source: 65_535 },
  ...{ schema: 1_048_575, profile: 16_777_215 },
};
const TAG = { key: 255, value: 500 };
const EXPERIMENTS = 20;

const dataset = message({
  ...{ name: needed(text), digest: needed(text), source_type: needed(text) },
  ...{ source: needed(text), schema: text, profile: text },
});

const LOGGED_MODEL = ["artifact_path", "flavors", "utc_time_created", "run_id"];
const HISTORY = "mlflow.log-model.history";

export const inputRpcs: readonly Rpc[] = [
  rpc({
    ...write,
    path: "runs/log-inputs",
    bodyLimit: INPUTS_LIMIT,
    takes: {
      run_id: needed(text),
      datasets: list(message({ dataset: needed(dataset), tags: pairs })),
      models: list(message({ model_id: needed(text) })),
    },
    answer: async ({ run_id, datasets, models }, { mlflow }) => {
      const inputs = datasets.map(({ dataset, tags }, i) => {
        const at = `datasets[${i}].dataset.`;
        const checked = (name: keyof typeof DATASET) =>
          within(dataset[name] ?? "", DATASET[name], `${at}${name}`);
        return {
          ...{ name: checked("name"), digest: checked("digest") },
          ...{ sourceType: checked("source_type"), source: checked("source") },
          schema: dataset.schema === undefined ? null : checked("schema"),
          profile: dataset.profile === undefined ? null : checked("profile"),
          tags: Object.fromEntries(
            tags.map(({ key, value = "" }, k) => [
              within(key, TAG.key, `datasets[${i}].tags[${k}].key`),
              within(value, TAG.value, `datasets[${i}].tags[${k}].value`),
            ]),
          ),
        };
      });
      const ids = models.map(({ model_id }) => model_id);
      await mlflow.runs.logInputs(checkedRunId(run_id), inputs, ids);
      return {};
    },
  }),
  rpc({
    ...write,
    path: "runs/outputs",
    takes: {
      run_id: needed(text),
      models: needed(list(message({ model_id: needed(text), step: needed(int64) }))),
    },
    answer: async ({ run_id, models }, { mlflow }) => {
      const made = models.map(({ model_id, step }) => [model_id, step] as const);
      await mlflow.runs.logOutputs(run_id, made);
      return {};
    },
  }),
  rpc({
    ...write,
    path: "runs/log-model",
    takes: { run_id: needed(text), model_json: needed(text) },
    answer: async ({ run_id, model_json }, { mlflow }) => {
      await mlflow.runs.append(run_id, HISTORY, loggedModel(model_json));
      return {};
    },
  }),
  rpc({
    method: "POST",
    role: "read",
    path: "experiments/search-datasets",
    takes: { experiment_ids: list(text) },
    answer: async ({ experiment_ids }, { mlflow }) => {
      if (experiment_ids.length === 0) {
        throw badParameter("SearchDatasets request must specify at least one experiment_id.");
      }
      if (experiment_ids.length > EXPERIMENTS) {
        throw badParameter(
          `SearchDatasets request cannot specify more than ${EXPERIMENTS} experiment_ids. ` +
            `Received ${experiment_ids.length} experiment_ids.`,
        );
      }
      const known = experiment_ids.filter((id) => /^\d{1,18}$/.test(id));
      const summaries = await mlflow.runs.datasetSummaries(known);
      return {
        dataset_summaries: some(
          summaries.map(({ experimentId, name, digest, context }) => ({
            ...{ experiment_id: experimentId, name, digest, context: context ?? undefined },
          })),
        ),
      };
    },
  }),
];

/** What a client of the 2.x kind says of a model that it logged. */
function loggedModel(json: string): object {
  let model: unknown;
  try {
    model = JSON.parse(json);
  } catch {
    model = null;
  }
  if (typeof model !== "object" || model === null || Array.isArray(model)) {
    throw badParameter("Malformed model info: 'model_json' is not a valid JSON object.");
  }
  const absent = LOGGED_MODEL.filter((name) => !Object.hasOwn(model, name));
  if (absent.length === 0) return model;
  const names = absent.map((name) => `'${name}'`).join(", ");
  throw badParameter(`Model json is missing mandatory fields: [${names}]`);
}
