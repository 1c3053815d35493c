/*
 * What trainings leave behind: runs with params, metrics, tags, datasets and files.
 */
import type { Database } from "../store/database.ts";
import type { Objects } from "../store/objects.ts";
import type { Instant } from "../types.ts";
import { makeArtifacts } from "./artifacts.ts";
import { makeDatasets } from "./datasets.ts";
import { makeMetrics } from "./metrics.ts";
import { makeRunList } from "./run-list.ts";
import { makeRuns } from "./runs.ts";

export type Tracking = ReturnType<typeof makeTracking>;

/** Everything that is written about runs and read from them, over one database and store. */
export function makeTracking(deps: {
  readonly database: Database;
  readonly objects: Objects;
  readonly clock: { now(): Instant };
}) {
  return {
    ...makeRuns(deps),
    ...makeMetrics(deps),
    ...makeDatasets(deps),
    ...makeArtifacts(deps),
    ...makeRunList(deps),
  };
}
