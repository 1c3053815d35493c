/*
 * Registered models over the protocol.
 */
import { CHAMPION } from "../../registry/promotion.ts";
import { badParameter, wrongState } from "../../registry/refusal.ts";
import type { Leave } from "../../registry/registered.ts";
import { list, needed, pairs, text } from "./message.ts";
import { registeredName, registryTag, registryTags } from "./model-names.ts";
import { registeredView, versionView } from "./model-views.ts";
import { within } from "./names.ts";
import { type Rpc, type RpcCall, rpc } from "./route.ts";
import { some } from "./views.ts";

const track = { role: "track" } as const;
const DESCRIPTION = 5_000;
const STAGES = ["None", "Staging", "Production", "Archived"] as const;

const latest = {
  role: "read",
  path: "registered-models/get-latest-versions",
  takes: { name: needed(text), stages: list(text) },
  answer: async (
    { name, stages }: { readonly name: string; readonly stages: readonly string[] },
    { mlflow }: RpcCall,
  ) => {
    const found = await mlflow.models.latest(name, stages.map(stageOf));
    return { model_versions: some(found.map(versionView)) };
  },
} as const;

export const registeredRpcs: readonly Rpc[] = [
  rpc({
    ...track,
    method: "POST",
    path: "registered-models/create",
    takes: {
      name: needed(text),
      description: text,
      tags: pairs,
    },
    answer: async ({ name, description, tags }, { mlflow }) => ({
      registered_model: registeredView(
        await mlflow.models.makeModel({
          name: registeredName(name, "name"),
          description: described(description) ?? null,
          tags: registryTags(tags),
        }),
      ),
    }),
  }),
  rpc({
    method: "GET",
    role: "read",
    path: "registered-models/get",
    takes: { name: needed(text) },
    answer: async ({ name }, { mlflow }) => ({
      registered_model: registeredView(await mlflow.models.registered(name)),
    }),
  }),
  rpc({
    ...track,
    method: "PATCH",
    path: "registered-models/update",
    takes: { name: needed(text), description: text },
    answer: async ({ name, description }, { mlflow }) => ({
      registered_model: registeredView(
        await mlflow.models.describeModel(name, described(description)),
      ),
    }),
  }),
  rpc({
    ...track,
    method: "POST",
    path: "registered-models/rename",
    takes: { name: needed(text), new_name: needed(text) },
    answer: async ({ name, new_name }, call) => {
      assertOwn(name, call);
      const to = registeredName(new_name, "new_name");
      const renamed = await call.mlflow.models.renameModel(name, to, await leaveOf(call));
      return { registered_model: registeredView(renamed) };
    },
  }),
  rpc({
    ...track,
    method: "DELETE",
    path: "registered-models/delete",
    takes: { name: needed(text) },
    answer: async ({ name }, call) => {
      assertOwn(name, call);
      await call.mlflow.models.deleteModel(name, await leaveOf(call));
      return {};
    },
  }),
  rpc({ ...latest, method: "POST" }),
  rpc({ ...latest, method: "GET" }),
  rpc({
    ...track,
    method: "POST",
    path: "registered-models/set-tag",
    takes: { name: needed(text), key: needed(text), value: text },
    answer: async ({ name, key, value }, { mlflow }) => {
      await mlflow.models.tagModel(name, registryTag(key, value, "key"));
      return {};
    },
  }),
  rpc({
    ...track,
    method: "DELETE",
    path: "registered-models/delete-tag",
    takes: { name: needed(text), key: needed(text) },
    answer: async ({ name, key }, { mlflow }) => {
      await mlflow.models.untagModel(name, key);
      return {};
    },
  }),
];

/** A description; undefined where none was given. */
export const described = (description: string | undefined): string | undefined =>
  description === undefined ? undefined : within(description, DESCRIPTION, "description");

/** A stage by its name in any case; `invalid_parameter` (400). */
export function stageOf(given: string): (typeof STAGES)[number] {
  const stage = STAGES.find((each) => each.toLowerCase() === given.toLowerCase());
  if (stage !== undefined) return stage;
  throw badParameter(
    `Invalid Model Version stage: ${given.slice(0, 80)}. ` +
      `Value must be one of ${STAGES.join(", ")}.`,
  );
}

/** Who asks, as the history of aliases has it. */
export const actorOf = ({ actor }: Pick<RpcCall, "actor">): string => `mlflow:${actor}`;

/** What stands against this caller's taking `champion` away: administrators may. */
export async function leaveOf(call: Pick<RpcCall, "actor" | "admit">): Promise<Leave> {
  const refusal = await call.admit("admin").then(
    () => null,
    (thrown) => thrown,
  );
  return { actor: actorOf(call), refusal };
}

/** What a pipeline trains belongs to its model file. */
function assertOwn(name: string, { services }: RpcCall): void {
  if (!services.models.has(name)) return;
  throw wrongState(
    `${name} has a model file here and is trained by a pipeline: it is neither renamed nor ` +
      `deleted while that is there. Its ${CHAMPION} moves by promotion.`,
  );
}
