/*
 * Logged models of a file store, which an experiment holds, and its registry: a folder each, in
 * `models` of the root, with a folder for each version.
 */
import type {
  GivenLogged,
  GivenLoggedMetric,
  GivenModel,
  GivenVersion,
} from "../../../registry/intake/given.ts";
import { isLater } from "../carry/latest.ts";
import { loggedStatus, modelOf, stage, text, textOrNull, versionOf, whole } from "../message.ts";
import type { Note } from "../tally.ts";
import { pointsIn } from "./metrics.ts";
import { metaOf, pairsBelow } from "./records.ts";
import type { Tree } from "./tree.ts";

/** As its protocol counts them. */
const STATES = ["UNSPECIFIED", "PENDING", "READY", "UPLOAD_FAILED"];

/** The logged model in a folder; null where there is none. */
export async function readLogged(
  tree: Tree,
  left: Note[],
  [id, at]: readonly [string, string],
): Promise<GivenLogged | null> {
  const { files, folders } = await tree.list(at);
  const meta = await metaOf(tree, { files, folders });
  const isOdd = meta === null ? files.has("meta.yaml") : text(meta["model_id"]) !== id;
  if (isOdd) left.push({ what: `logged model ${id}`, why: "its meta.yaml is not its own" });
  if (meta === null || isOdd) return null;
  const status = text(meta["status"]);
  return {
    ...{ id, name: text(meta["name"]), uri: text(meta["artifact_location"]) },
    modelType: textOrNull(meta["model_type"]),
    sourceRunId: textOrNull(meta["source_run_id"]),
    status: loggedStatus(/^\d$/.test(status) ? STATES[Number(status)] : status),
    statusMessage: textOrNull(meta["status_message"]),
    stage: stage(meta["lifecycle_stage"]),
    created: whole(meta["creation_timestamp"]),
    updated: whole(meta["last_updated_timestamp"] ?? meta["creation_timestamp"]),
    params: await pairsBelow(tree, folders.get("params")),
    tags: await pairsBelow(tree, folders.get("tags")),
    metrics: await metricsOf(tree, folders.get("metrics")),
  };
}

/** The latest of each metric, run and dataset; a line names the two behind its point. */
async function metricsOf(tree: Tree, folder: string | undefined): Promise<GivenLoggedMetric[]> {
  const latest = new Map<string, GivenLoggedMetric>();
  for (const [key, file] of await tree.below(folder)) {
    for await (const points of pointsIn(file)) {
      for (const point of points) {
        if (point === null) continue;
        const { rest, ...facts } = point;
        const [runId = "", ...dataset] = rest;
        const of = JSON.stringify([key, ...rest]);
        const before = latest.get(of);
        if (before !== undefined && !isLater(facts, before)) continue;
        const datasetDigest = dataset.length > 1 ? (dataset.pop() ?? "") : "";
        latest.set(of, { runId, key, ...facts, datasetName: dataset.join(" "), datasetDigest });
      }
    }
  }
  return [...latest.values()];
}

/** Registered models with their versions, deleted ones too. */
export async function readRegistry(
  tree: Tree,
): Promise<{ readonly models: GivenModel[]; readonly versions: GivenVersion[] }> {
  const models: GivenModel[] = [];
  const versions: GivenVersion[] = [];
  const root = await tree.list(tree.root);
  for (const at of (await tree.list(root.folders.get("models"))).folders.values()) {
    const own = await tree.list(at);
    const meta = await metaOf(tree, own);
    if (meta === null) continue;
    const aliases = await pairsBelow(tree, own.folders.get("aliases"));
    models.push({
      ...modelOf({
        ...meta,
        aliases: aliases.map(([alias, version]) => ({ alias, version: version.trim() })),
      }),
      tags: await pairsBelow(tree, own.folders.get("tags")),
    });
    for (const [name, at] of own.folders) {
      if (!/^version-\d+$/.test(name)) continue;
      const version = await tree.list(at);
      const meta = await metaOf(tree, version);
      if (meta === null) continue;
      versions.push({
        ...versionOf(meta),
        tags: await pairsBelow(tree, version.folders.get("tags")),
      });
    }
  }
  return { models, versions };
}
