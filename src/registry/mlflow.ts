/*
 * What the routes of the MLflow protocol stand on: the same tables that trainings here write, as
 * that protocol sees them.
 */
import type { Database } from "../store/database.ts";
import type { Objects } from "../store/objects.ts";
import type { Instant } from "../types.ts";
import { makeBatches } from "./batch.ts";
import { makeClientAliases } from "./client-aliases.ts";
import { makeClientVersions } from "./client-versions.ts";
import { removeExperiment } from "./experiment-removal.ts";
import { makeExperiments } from "./experiments.ts";
import { makeFiles } from "./files.ts";
import { makeHistories } from "./histories.ts";
import { makeInputs } from "./inputs.ts";
import { makeLogged } from "./logged.ts";
import type { Check } from "./register.ts";
import { makeRegistered } from "./registered.ts";
import { makeRunLife } from "./run-life.ts";
import { runData } from "./search/run-data.ts";
import { makeSearch } from "./search/search.ts";
import { makeServable } from "./servable.ts";
import { makeUploads } from "./uploads.ts";

export interface MlflowDeps {
  readonly database: Database;
  readonly objects: Objects;
  readonly clock: { now(): Instant };
  /** Loads and tries what is to be served. */
  readonly check: Check;
  /** Told after an alias of a model moved or went. */
  readonly onMoved: (name: string) => Promise<void>;
}

export type Mlflow = ReturnType<typeof makeMlflow>;

/** Everything that the protocol reads and writes, by what it is about. */
export function makeMlflow(deps: MlflowDeps) {
  const files = makeFiles(deps);
  const servable = makeServable({ ...deps, files });
  return {
    experiments: {
      ...makeExperiments(deps),
      removeExperiment: (id: string) => removeExperiment(deps.database, id),
    },
    runs: {
      ...makeRunLife(deps),
      ...makeBatches(deps),
      ...makeInputs(deps),
      ...makeHistories(deps),
    },
    models: {
      ...makeRegistered(deps),
      ...makeClientVersions({ ...deps, servable }),
      ...makeClientAliases(deps),
    },
    logged: makeLogged(deps),
    files,
    uploads: makeUploads({ ...deps, files }),
    servable,
    search: makeSearch(deps),
    runData: (ids: readonly string[]) => runData(deps.database, ids),
  };
}
