/*
 * Searches over one database. A filter is read by a parser of its own (`lexer.ts`, `clauses.ts`),
 * its keys become fields (`fields.ts`), those become conditions of SQL (`conditions.ts`), the
 * order becomes terms (`terms.ts`), and `pages.ts` walks through the rows page by page.
 */
import type { Database } from "../../store/database.ts";
import { type ExperimentSearch, searchExperiments } from "./experiments.ts";
import { type LoggedSearch, searchLogged } from "./logged.ts";
import { type ModelSearch, searchModels } from "./registered.ts";
import { type RunSearch, searchRuns } from "./runs.ts";
import { searchVersions } from "./versions.ts";

/** What can be searched; each throws `invalid_parameter` (400) for what it does not understand. */
export function makeSearch({ database }: { readonly database: Database }) {
  return {
    runs: (search: RunSearch) => searchRuns(database, search),
    experiments: (search: ExperimentSearch) => searchExperiments(database, search),
    models: (search: ModelSearch) => searchModels(database, search),
    versions: (search: ModelSearch) => searchVersions(database, search),
    logged: (search: LoggedSearch) => searchLogged(database, search),
  };
}
