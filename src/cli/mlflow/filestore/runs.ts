/*
 * Runs of a file store: a folder each, with files of params, tags and metrics, and folders of what
 * went in and came out.
 */
import type { GivenDataset, GivenRun } from "../../../registry/intake/given.ts";
import type { Pair } from "../../../registry/registered.ts";
import { object, runStatus, stage, text, whole64 } from "../message.ts";
import type { Note } from "../tally.ts";
import type { FoundExperiment } from "./experiments.ts";
import { latestIn } from "./metrics.ts";
import { metaOf, metasIn, pairsBelow } from "./records.ts";
import type { Tree } from "./tree.ts";

/** A run, and the files of its metrics by their keys. */
export interface FoundRun {
  readonly run: GivenRun;
  readonly metrics: ReadonlyMap<string, string>;
}

const STATES = ["", "RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"];

/** The run in a folder; null where there is none, which is told of if it looks like one. */
export async function readRun(
  tree: Tree,
  left: Note[],
  of: FoundExperiment,
  [id, at]: readonly [string, string],
): Promise<FoundRun | null> {
  const what = `run ${id}`;
  const own = await tree.list(at);
  const meta = await metaOf(tree, own);
  if (meta === null) {
    const isRun = own.files.has("meta.yaml") || own.folders.has("metrics");
    if (isRun) left.push({ what, why: "its meta.yaml is missing, or not read as one" });
    return null;
  }
  const named = text(meta["run_id"] ?? meta["run_uuid"]);
  const experiment = text(meta["experiment_id"]);
  if (named !== id || experiment !== of.id) {
    left.push({ what, why: `its meta.yaml is of run ${named} of experiment ${experiment}` });
    return null;
  }
  const tags = await pairsBelow(tree, own.folders.get("tags"));
  const metrics = await tree.below(own.folders.get("metrics"));
  const outputs = await metasIn(tree, own.folders.get("outputs"));
  return {
    metrics,
    run: {
      ...{ id, tags, params: await pairsBelow(tree, own.folders.get("params")) },
      name: text(meta["run_name"]) || new Map(tags).get("mlflow.runName") || text(meta["name"]),
      userId: text(meta["user_id"]),
      status: statusOf(text(meta["status"])),
      started: whole64(meta["start_time"]),
      ended: whole64(meta["end_time"]) || null,
      stage: stage(meta["lifecycle_stage"]),
      uri: text(meta["artifact_uri"]),
      latest: await latestIn(id, metrics, left),
      ...(await inputsOf(tree, left, of, { what, folder: own.folders.get("inputs") })),
      outputModels: outputs.map(([id, { step }]) => ({ id, step: whole64(step) })),
    },
  };
}

/** A number, as its protocol counts them; a run that says nothing is running. */
const statusOf = (status: string): GivenRun["status"] =>
  runStatus(/^\d$/.test(status) ? STATES[Number(status)] : status || "RUNNING");

async function inputsOf(
  tree: Tree,
  left: Note[],
  of: FoundExperiment,
  { what, folder }: { readonly what: string; readonly folder: string | undefined },
) {
  const datasets: GivenDataset[] = [];
  const inputModels: string[] = [];
  for (const [, meta] of await metasIn(tree, folder)) {
    const source = text(meta["source_id"]);
    if (text(meta["source_type"]).startsWith("MODEL")) {
      inputModels.push(source);
      continue;
    }
    const dataset = (await of.datasets()).get(source);
    if (dataset === undefined) {
      left.push({ what: `dataset ${source} of ${what}`, why: "the experiment has none of it" });
      continue;
    }
    const tags = Object.entries(object(meta["tags"]));
    datasets.push({ ...dataset, tags: tags.map(([key, value]): Pair => [key, text(value)]) });
  }
  return { datasets, inputModels };
}
