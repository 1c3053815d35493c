/*
 * Which artifacts the registry names.
 */
import { and, isNotNull, ne, sql } from "drizzle-orm";
import type { Orm } from "../store/database.ts";
import { artifacts, files, modelVersions } from "../store/schema.ts";
import { REMOVED } from "./version-rows.ts";

/** Digests of the files of runs and of others, and of versions that were not removed; some twice. */
export async function namedArtifacts(within: Orm): Promise<string[]> {
  const ofRuns = await within.selectDistinct({ digest: artifacts.digest }).from(artifacts);
  // A backup may be of a database from before there was that table.
  const [table] = await within
    .select({ isThere: sql<boolean>`to_regclass('files') is not null` })
    .from(sql`(select 1) as one`);
  const others =
    table?.isThere === true
      ? await within.selectDistinct({ digest: files.digest }).from(files)
      : [];
  const versions = await within
    .selectDistinct({ digest: modelVersions.digest })
    .from(modelVersions)
    .where(and(isNotNull(modelVersions.digest), ne(modelVersions.currentStage, REMOVED)));
  return [...ofRuns, ...others, ...versions].map((row) => row.digest!);
}
