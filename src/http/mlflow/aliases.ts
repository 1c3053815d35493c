/*
 * Aliases over the protocol. To point `champion` at a version is a promotion: by an administrator,
 * and under the gates that every promotion has.
 */
import { noAlias } from "../../registry/client-aliases.ts";
import { CHAMPION } from "../../registry/promotion.ts";
import { needed, text } from "./message.ts";
import { checkedAlias, versionNumber } from "./model-names.ts";
import { versionView } from "./model-views.ts";
import { actorOf, leaveOf } from "./registered.ts";
import { type Rpc, type RpcCall, rpc } from "./route.ts";

const path = "registered-models/alias";
/** A promotion loads the version and tries the gates. */
const PROMOTE_DEADLINE_MS = 120_000;

export const aliasRpcs: readonly Rpc[] = [
  rpc({
    ...{ method: "POST", role: "track", path, deadlineMs: PROMOTE_DEADLINE_MS },
    takes: { name: needed(text), alias: needed(text), version: needed(text) },
    answer: async ({ name, alias, version }, call) => {
      const number = versionNumber(version);
      if (checkedAlias(alias) === CHAMPION) await promote(name, number, call);
      else await call.mlflow.models.pointAlias(name, alias, number, actorOf(call));
      return {};
    },
  }),
  rpc({
    ...{ method: "DELETE", role: "track", path },
    takes: { name: needed(text), alias: needed(text) },
    answer: async ({ name, alias }, call) => {
      await call.mlflow.models.dropAlias(name, alias, await leaveOf(call));
      return {};
    },
  }),
  rpc({
    ...{ method: "GET", role: "read", path },
    takes: { name: needed(text), alias: needed(text) },
    answer: async ({ name, alias }, { mlflow: { models } }) => {
      // Not stored: it is whichever is newest.
      const isLatest = alias.toLowerCase() === "latest";
      const number = isLatest ? await models.newest(name) : await models.aliased(name, alias);
      if (number === null) throw noAlias(alias);
      return { model_version: versionView(await models.version(name, number)) };
    },
  }),
];

async function promote(name: string, version: number, call: RpcCall): Promise<void> {
  await call.admit("admin");
  // What is not there, or cannot be served, is told in the words of this protocol.
  await call.mlflow.models.version(name, version);
  await call.mlflow.servable.makeServable(name, version);
  await call.services.operations.promote(name, { version, actor: actorOf(call) });
}
