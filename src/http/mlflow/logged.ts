/*
 * Logged models over the protocol.
 */
import { experimentId } from "../../registry/experiments.ts";
import type { LoggedStatus } from "../../registry/logged.ts";
import { badParameter } from "../../registry/refusal.ts";
import type { Pair } from "../../registry/registered.ts";
import { invalidValue } from "./errors.ts";
import { bool, choice, needed, pairs, text } from "./message.ts";
import { loggedView } from "./model-views.ts";
import { assertUnlike, checkedKey, paramValue, tagValue, within } from "./names.ts";
import { type Rpc, rpc } from "./route.ts";
import { drawnName } from "./run-names.ts";

const track = { role: "track" } as const;
const NAME_LIMIT = 500;
const TYPE_LIMIT = 500;
const ID_LIMIT = 255;

const status = choice({
  ...{ LOGGED_MODEL_STATUS_UNSPECIFIED: 0, LOGGED_MODEL_PENDING: 1, LOGGED_MODEL_READY: 2 },
  LOGGED_MODEL_UPLOAD_FAILED: 3,
});
const model_id = needed(text);
const one = "logged-models/{model_id}";

export const loggedRpcs: readonly Rpc[] = [
  rpc({
    ...track,
    method: "POST",
    path: "logged-models",
    takes: {
      ...{ experiment_id: needed(text), name: text, model_type: text, source_run_id: text },
      ...{ params: pairs, tags: pairs },
    },
    answer: async (model, { mlflow }) => {
      const { experiment_id, name, model_type, source_run_id, params, tags } = model;
      const made = await mlflow.logged.makeLogged({
        experimentId: experimentId(experiment_id),
        name: name === undefined || name === "" ? drawnName() : loggedName(name),
        modelType: model_type ? within(model_type, TYPE_LIMIT, "model_type") : null,
        sourceRunId: source_run_id ? within(source_run_id, ID_LIMIT, "source_run_id") : null,
        params: paramsOf(params),
        tags: tagsOf(tags),
      });
      return { model: loggedView(made) };
    },
  }),
  rpc({
    method: "GET",
    role: "read",
    path: one,
    takes: { model_id, allow_deleted: bool },
    answer: async ({ model_id, allow_deleted = false }, { mlflow }) => ({
      model: loggedView(await mlflow.logged.logged(model_id, allow_deleted)),
    }),
  }),
  rpc({
    ...track,
    method: "PATCH",
    path: one,
    takes: { model_id, status: needed(status) },
    answer: async ({ model_id, status }, { mlflow }) => {
      const to = STORED[status];
      if (to === undefined) throw badParameter("The status is none that a logged model can have.");
      return { model: loggedView(await mlflow.logged.finishLogged(model_id, to)) };
    },
  }),
  rpc({
    ...track,
    method: "DELETE",
    path: one,
    takes: { model_id },
    answer: async ({ model_id }, { mlflow }) => {
      await mlflow.logged.deleteLogged(model_id);
      return {};
    },
  }),
  rpc({
    ...track,
    method: "PATCH",
    path: `${one}/tags`,
    takes: { model_id, tags: pairs },
    answer: async ({ model_id, tags }, { mlflow }) => ({
      model: loggedView(await mlflow.logged.tagLogged(model_id, tagsOf(tags))),
    }),
  }),
  rpc({
    ...track,
    method: "DELETE",
    path: `${one}/tags/{tag_key+}`,
    takes: { model_id, tag_key: needed(text) },
    answer: async ({ model_id, tag_key }, { mlflow }) => {
      await mlflow.logged.untagLogged(model_id, tag_key);
      return {};
    },
  }),
  rpc({
    ...track,
    method: "POST",
    path: `${one}/params`,
    takes: { model_id, params: pairs },
    answer: async ({ model_id, params }, { mlflow }) => {
      await mlflow.logged.logParams(model_id, paramsOf(params));
      return {};
    },
  }),
];

/** Read as a map, since the wire passes over names that it does not know. */
const STORED: Readonly<Record<string, LoggedStatus>> = {
  LOGGED_MODEL_STATUS_UNSPECIFIED: "UNSPECIFIED",
  LOGGED_MODEL_PENDING: "PENDING",
  LOGGED_MODEL_READY: "READY",
  LOGGED_MODEL_UPLOAD_FAILED: "UPLOAD_FAILED",
};

function loggedName(name: string): string {
  if (name.trim() === "" || /[/:.%"']/.test(name)) {
    throw invalidValue(
      "name",
      name,
      "Names of logged models are not blank and have none of / : . % \" and '.",
    );
  }
  return within(name, NAME_LIMIT, "name");
}

type Given = readonly { readonly key: string; readonly value: string | undefined }[];

const tagsOf = (tags: Given): Pair[] => [
  ...new Map(
    tags.map(({ key, value }, i) => [checkedKey(key, `tags[${i}].key`), tagValue(value)] as const),
  ),
];

function paramsOf(params: Given): Pair[] {
  const checked = params.map(
    ({ key, value }, i) => [checkedKey(key, `params[${i}].key`), paramValue(value)] as const,
  );
  assertUnlike(checked);
  return checked;
}
