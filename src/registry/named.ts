/*
 * Which artifacts the registry names.
 */
import { and, isNotNull, ne } from "drizzle-orm";
import type { Orm } from "../store/database.ts";
import { artifacts, modelVersions } from "../store/schema.ts";
import { REMOVED } from "./version-rows.ts";

/** Digests of the files of runs, and of versions that were not removed; some more than once. */
export async function namedArtifacts(within: Orm): Promise<string[]> {
  const files = await within.selectDistinct({ digest: artifacts.digest }).from(artifacts);
  const versions = await within
    .selectDistinct({ digest: modelVersions.digest })
    .from(modelVersions)
    .where(and(isNotNull(modelVersions.digest), ne(modelVersions.currentStage, REMOVED)));
  return [...files, ...versions].map((row) => row.digest!);
}
