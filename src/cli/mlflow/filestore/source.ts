/*
 * A folder of MLflow's file store (`./mlruns`) as a source.
 */
import pLimit from "p-limit";
import type { GivenLogged, GivenPoint, GivenRun } from "../../../registry/intake/given.ts";
import type { Files } from "../folder-files.ts";
import type { RunPage, Source } from "../source.ts";
import type { Note } from "../tally.ts";
import type { FoundExperiment } from "./experiments.ts";
import { allPoints } from "./metrics.ts";
import { readLogged, readRegistry } from "./models.ts";
import { type FoundRun, readRun } from "./runs.ts";
import type { Tree } from "./tree.ts";

const PAGE = 100;
const AT_ONCE = 8;

/** The source over a folder that was opened; files come from elsewhere. */
export function makeFileStoreSource(
  name: string,
  tree: Tree,
  experiments: readonly FoundExperiment[],
  files: Files,
  left: Note[],
): Source {
  const found = new Map(experiments.map((one) => [one.id, one]));
  const limit = pLimit(AT_ONCE);
  /** Where the metrics are of the runs that were given last. */
  const metricsOf = new WeakMap<GivenRun, FoundRun["metrics"]>();
  let registry: ReturnType<typeof readRegistry> | null = null;
  const readOnce = () => {
    registry ??= readRegistry(tree);
    return registry;
  };

  async function* runs(experimentId: string): AsyncGenerator<RunPage> {
    const of = found.get(experimentId);
    if (of === undefined) return;
    const places = [...of.runs];
    for (let from = 0; from < places.length; from += PAGE) {
      const some = places.slice(from, from + PAGE);
      const read = await Promise.all(
        some.map((place) => limit(() => readRun(tree, left, of, place))),
      );
      const here = read.filter((one) => one !== null);
      for (const { run, metrics } of here) metricsOf.set(run, metrics);
      yield { runs: here.map(({ run }) => run), share: (from + some.length) / places.length };
    }
  }

  return {
    ...{ name, left, root: files.root, runs },
    experiments: async () => experiments.map(({ runs, models, datasets, ...given }) => given),
    points: (given): AsyncGenerator<GivenPoint[]> =>
      allPoints(
        given.flatMap((run) =>
          [...(metricsOf.get(run) ?? [])].map(([key, file]) => ({ runId: run.id, key, file })),
        ),
      ),
    logged: async function* (experimentId): AsyncGenerator<GivenLogged[]> {
      const places = [...(await tree.list(found.get(experimentId)?.models)).folders];
      for (let from = 0; from < places.length; from += PAGE) {
        const some = places.slice(from, from + PAGE);
        const read = some.map((place) => limit(() => readLogged(tree, left, place)));
        yield (await Promise.all(read)).filter((one) => one !== null);
      }
    },
    models: async () => (await readOnce()).models,
    versions: async () => (await readOnce()).versions,
    files: files.files,
    read: files.read,
    close: async () => {},
  };
}
