/*
 * Experiments of a file store: a folder each, named by its number, in the root or in its trash.
 */
import type { DatasetFacts } from "../../../registry/datasets.ts";
import type { GivenExperiment } from "../../../registry/intake/given.ts";
import { text, textOrNull, whole } from "../message.ts";
import type { Note } from "../tally.ts";
import { metaOf, metasIn, pairsBelow } from "./records.ts";
import type { Tree } from "./tree.ts";

export interface FoundExperiment extends GivenExperiment {
  /** Folders of runs, by their names. */
  readonly runs: ReadonlyMap<string, string>;
  /** The folder of logged models, if there is one. */
  readonly models: string | undefined;
  /** What was read, by the names that runs know it by; looked for once. */
  datasets(): Promise<ReadonlyMap<string, DatasetFacts>>;
}

/** What an experiment has beside its runs. */
const BESIDE: ReadonlySet<string> = new Set(["tags", "datasets", "traces", "models"]);

/** Every experiment, those in the trash as deleted. */
export async function findExperiments(tree: Tree, left: Note[]): Promise<FoundExperiment[]> {
  const { folders } = await tree.list(tree.root);
  const deleted = await tree.list(folders.get(".trash"));
  const places = new Map([...deleted.folders, ...folders]);
  for (const name of [".trash", "models"]) places.delete(name);
  const found: FoundExperiment[] = [];
  for (const [id, at] of places) {
    const own = await tree.list(at);
    const meta = await metaOf(tree, own);
    if (meta === null) {
      if (own.files.has("meta.yaml"))
        left.push({ what: at, why: "its meta.yaml is not read as one" });
      continue;
    }
    if (text(meta["experiment_id"]) !== id) {
      left.push({ what: at, why: `its meta.yaml is of experiment ${text(meta["experiment_id"])}` });
      continue;
    }
    const name = text(meta["name"]) || id;
    const traces = (await tree.list(own.folders.get("traces"))).folders.size;
    if (traces > 0)
      left.push({ what: `${traces} traces of ${name}`, why: "traces are not brought" });
    let datasets: Promise<ReadonlyMap<string, DatasetFacts>> | null = null;
    found.push({
      ...{ id, name, location: text(meta["artifact_location"]) },
      stage: folders.get(id) === at ? "active" : "deleted",
      created: whole(meta["creation_time"]),
      updated: whole(meta["last_update_time"] ?? meta["creation_time"]),
      tags: await pairsBelow(tree, own.folders.get("tags")),
      runs: new Map([...own.folders].filter(([name]) => !BESIDE.has(name))),
      models: own.folders.get("models"),
      datasets: () => {
        datasets ??= datasetsIn(tree, own.folders.get("datasets"));
        return datasets;
      },
    });
  }
  return found.toSorted((a, b) => a.created - b.created);
}

async function datasetsIn(tree: Tree, folder: string | undefined) {
  const metas = await metasIn(tree, folder);
  return new Map(
    metas.map(([name, meta]): [string, DatasetFacts] => [
      name,
      {
        ...{ name: text(meta["name"]), digest: text(meta["digest"]) },
        ...{ sourceType: text(meta["source_type"]), source: text(meta["source"]) },
        ...{ schema: textOrNull(meta["schema"]), profile: textOrNull(meta["profile"]) },
      },
    ]),
  );
}
