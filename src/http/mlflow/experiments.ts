/*
 * Experiments over the protocol.
 */
import { decodings } from "../../registry/names.ts";
import { badParameter } from "../../registry/refusal.ts";
import { invalidValue } from "./errors.ts";
import { needed, pairs, text } from "./message.ts";
import { checkedKey, tagValue, within } from "./names.ts";
import { type Rpc, rpc } from "./route.ts";
import { experimentView } from "./views.ts";

const NAME_LIMIT = 500;
const LOCATION_LIMIT = 2_048;
const TAG_LIMIT = 5_000;

const read = { method: "GET", role: "read" } as const;
const write = { method: "POST", role: "track" } as const;

export const experimentRpcs: readonly Rpc[] = [
  rpc({
    ...write,
    path: "experiments/create",
    takes: { name: needed(text), artifact_location: text, tags: pairs },
    answer: async ({ name, artifact_location, tags }, { mlflow }) => ({
      experiment_id: await mlflow.experiments.makeExperiment({
        name: experimentName(name, "name"),
        location: artifact_location ? locationOf(artifact_location) : null,
        tags: [
          ...new Map(
            tags.map(({ key, value }, i) => checkedTag(key, value ?? "", `tags[${i}].key`)),
          ),
        ],
      }),
    }),
  }),
  rpc({
    ...read,
    path: "experiments/get",
    takes: { experiment_id: needed(text) },
    answer: async ({ experiment_id }, { mlflow }) => ({
      experiment: experimentView(await mlflow.experiments.experiment(experiment_id)),
    }),
  }),
  rpc({
    ...read,
    path: "experiments/get-by-name",
    takes: { experiment_name: needed(text) },
    answer: async ({ experiment_name }, { mlflow }) => ({
      experiment: experimentView(await mlflow.experiments.experimentNamed(experiment_name)),
    }),
  }),
  rpc({
    ...write,
    path: "experiments/delete",
    takes: { experiment_id: needed(text) },
    answer: async ({ experiment_id }, { mlflow }) => {
      await mlflow.experiments.deleteExperiment(experiment_id);
      return {};
    },
  }),
  // Not of the protocol, which has no way to free the name of a deleted experiment.
  rpc({
    method: "POST",
    role: "admin",
    path: "experiments/delete-permanently",
    takes: { experiment_id: needed(text) },
    answer: async ({ experiment_id }, { mlflow }) => ({
      removed_runs: await mlflow.experiments.removeExperiment(experiment_id),
    }),
  }),
  rpc({
    ...write,
    path: "experiments/restore",
    takes: { experiment_id: needed(text) },
    answer: async ({ experiment_id }, { mlflow }) => {
      await mlflow.experiments.restoreExperiment(experiment_id);
      return {};
    },
  }),
  rpc({
    ...write,
    path: "experiments/update",
    takes: { experiment_id: needed(text), new_name: needed(text) },
    answer: async ({ experiment_id, new_name }, { mlflow }) => {
      const name = experimentName(new_name, "new_name");
      await mlflow.experiments.renameExperiment(experiment_id, name);
      return {};
    },
  }),
  rpc({
    ...write,
    path: "experiments/set-experiment-tag",
    takes: { experiment_id: needed(text), key: needed(text), value: text },
    answer: async ({ experiment_id, key, value }, { mlflow }) => {
      const pair = checkedTag(key, value ?? "", "key");
      await mlflow.experiments.tagExperiment(experiment_id, ...pair);
      return {};
    },
  }),
  rpc({
    ...write,
    path: "experiments/delete-experiment-tag",
    takes: { experiment_id: needed(text), key: needed(text) },
    answer: async ({ experiment_id, key }, { mlflow }) => {
      await mlflow.experiments.untagExperiment(experiment_id, key);
      return {};
    },
  }),
];

function experimentName(name: string, path: string): string {
  if (name.trim() === "") throw invalidValue(path, name, "The name of an experiment is not blank.");
  return within(name, NAME_LIMIT, path);
}

function checkedTag(key: string, value: string, path: string): [string, string] {
  return [checkedKey(key, path), within(tagValue(value), TAG_LIMIT, "value")];
}

/**
 * Where the files of an experiment are to be. Nothing is ever read from such an address here; what
 * is refused is what would mean another place once something is added to it.
 */
function locationOf(location: string): string {
  within(location, LOCATION_LIMIT, "artifact_location");
  const refuse = (why: string) => invalidValue("artifact_location", location, why);
  if (location.startsWith("runs:")) {
    throw badParameter(`Artifact location cannot be a runs:/ URI. Given: '${location}'`);
  }
  const [path = "", ...query] = location.split("?");
  if (location.includes("#")) throw refuse("It has a fragment (#).");
  if (query.flatMap(decodings).some((form) => form.includes("..")))
    throw refuse("Its query holds '..'.");
  if (path.includes(";")) throw refuse("It has parameters (;).");
  return location;
}
