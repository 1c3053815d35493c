/*
 * Versions of registered models over the protocol.
 */
import { badParameter } from "../../registry/refusal.ts";
import { bool, needed, pairs, text } from "./message.ts";
import { registryTag, registryTags, versionNumber } from "./model-names.ts";
import { versionView } from "./model-views.ts";
import { within } from "./names.ts";
import { described, leaveOf, stageOf } from "./registered.ts";
import { type Rpc, rpc } from "./route.ts";

const track = { role: "track" } as const;
const read = { method: "GET", role: "read" } as const;
const ID_LIMIT = 255;
const LINK_LIMIT = 500;
const which = { name: needed(text), version: needed(text) };

/** Each ONNX file is loaded and tried; those of others are waited for. */
const CREATE_DEADLINE_MS = 120_000;

export const versionRpcs: readonly Rpc[] = [
  rpc({
    ...track,
    method: "POST",
    path: "model-versions/create",
    deadlineMs: CREATE_DEADLINE_MS,
    takes: {
      ...{ name: needed(text), source: needed(text), run_id: text, run_link: text },
      ...{ description: text, model_id: text },
      tags: pairs,
    },
    answer: async (wanted, { mlflow, actor }) => {
      const { name, source, run_id, run_link, description, model_id, tags } = wanted;
      const made = await mlflow.models.makeVersion({
        ...{ name, source, userId: actor },
        runId: optional(run_id, ID_LIMIT, "run_id"),
        modelId: optional(model_id, ID_LIMIT, "model_id"),
        runLink: optional(run_link, LINK_LIMIT, "run_link"),
        description: described(description) ?? null,
        tags: registryTags(tags),
      });
      return { model_version: versionView(made) };
    },
  }),
  rpc({
    ...read,
    path: "model-versions/get",
    takes: which,
    answer: async ({ name, version }, { mlflow }) => ({
      model_version: versionView(await mlflow.models.version(name, versionNumber(version))),
    }),
  }),
  rpc({
    ...track,
    method: "PATCH",
    path: "model-versions/update",
    takes: { ...which, description: text },
    answer: async ({ name, version, description }, { mlflow }) => {
      const number = versionNumber(version);
      const changed = await mlflow.models.describeVersion(name, number, described(description));
      return { model_version: versionView(changed) };
    },
  }),
  rpc({
    ...track,
    method: "DELETE",
    path: "model-versions/delete",
    takes: which,
    answer: async ({ name, version }, call) => {
      const number = versionNumber(version);
      await call.mlflow.models.deleteVersion(name, number, await leaveOf(call));
      return {};
    },
  }),
  rpc({
    ...track,
    method: "POST",
    path: "model-versions/transition-stage",
    takes: { ...which, stage: needed(text), archive_existing_versions: bool },
    answer: async ({ name, version, stage, archive_existing_versions = false }, { mlflow }) => {
      const to = stageOf(stage);
      if (archive_existing_versions && to !== "Staging" && to !== "Production") {
        throw badParameter(
          `Only versions in Staging or Production can be archived by a move, not in ${to}: leave ` +
            "archive_existing_versions out.",
        );
      }
      const number = versionNumber(version);
      const moved = await mlflow.models.stageVersion(name, number, to, archive_existing_versions);
      return { model_version: versionView(moved) };
    },
  }),
  rpc({
    ...read,
    path: "model-versions/get-download-uri",
    takes: which,
    answer: async ({ name, version }, { mlflow }) => {
      const { row } = await mlflow.models.version(name, versionNumber(version));
      return { artifact_uri: row.storageLocation ?? row.source };
    },
  }),
  rpc({
    ...track,
    method: "POST",
    path: "model-versions/set-tag",
    takes: { ...which, key: needed(text), value: text },
    answer: async ({ name, version, key, value }, { mlflow }) => {
      const tag = registryTag(key, value, "key");
      await mlflow.models.tagVersion(name, versionNumber(version), tag);
      return {};
    },
  }),
  rpc({
    ...track,
    method: "DELETE",
    path: "model-versions/delete-tag",
    takes: { ...which, key: needed(text) },
    answer: async ({ name, version, key }, { mlflow }) => {
      await mlflow.models.untagVersion(name, versionNumber(version), key);
      return {};
    },
  }),
];

/** Text that may be left out; empty counts as that. */
const optional = (value: string | undefined, limit: number, path: string): string | null =>
  value === undefined || value === "" ? null : within(value, limit, path);
