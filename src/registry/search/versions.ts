/*
 * Searching versions of registered models.
 */
import { sql } from "drizzle-orm";
import type { Database } from "../../store/database.ts";
import { REMOVED } from "../version-rows.ts";
import { clausesOf } from "./clauses.ts";
import {
  askedOf,
  int,
  type Keys,
  keyed,
  NUMERIC,
  named,
  OPTIONAL,
  type OwnField,
  TEXT,
  text,
} from "./fields.ts";
import { limitOf } from "./limits.ts";
import { type VersionData, versionData } from "./model-data.ts";
import { pageOf } from "./pages.ts";
import { promptsOf } from "./prompts.ts";
import type { ModelSearch } from "./registered.ts";
import { ordersOf, termsOf } from "./terms.ts";
import { queryId } from "./token.ts";

const name = text("name", sql`v.name`, TEXT);
const number: OwnField = {
  id: "version_number",
  kind: "int",
  operators: NUMERIC,
  value: sql`v.version`,
  quotable: true,
};
const updated = int("last_updated_timestamp", sql`v.last_updated_time`);

const filterable: Keys = {
  of: "model versions",
  attributes: {
    name,
    run_id: text("run_id", sql`v.run_id`, [...TEXT, "IN"]),
    source_path: text("source_path", sql`v.source`, TEXT),
    version_number: number,
  },
  groups: named(
    ["tag", "tags"],
    keyed("tags", OPTIONAL, (t, key) => ({
      from: sql`model_version_tags ${t}`,
      link: sql`${t}.name = v.name and ${t}.version = v.version and ${t}.key = ${key}`,
      present: sql`${t}.key`,
      value: sql`${t}.value`,
    })),
  ),
};
const orderable: Keys = {
  of: "model versions",
  attributes: {
    name,
    version_number: number,
    creation_timestamp: int("creation_timestamp", sql`v.creation_time`),
    last_updated_timestamp: updated,
  },
  groups: {},
};

/** A page of versions, those first that changed last; `invalid_parameter` (400). */
export async function searchVersions(
  database: Database,
  { filter = "", limit, orderBy = [], token }: ModelSearch,
): Promise<{ versions: VersionData[]; next: string | undefined }> {
  const { prompts, others } = promptsOf(
    clausesOf(filter),
    sql`model_version_tags p where p.name = v.name and p.version = v.version`,
  );
  const orders = ordersOf(orderable, orderBy);
  const found = await pageOf(database, {
    from: sql`model_versions v`,
    alias: sql`v`,
    ids: [sql`v.name`, sql`v.version::text`],
    where: [sql`v.current_stage <> ${REMOVED}`, ...prompts],
    clauses: askedOf(filterable, others),
    // What is asked for is followed by names; only where nothing is, by the time of change.
    terms: termsOf(orders, [
      ...(orders.length > 0 ? [] : [[updated, true] as const]),
      [name, false],
      [number, true],
    ]),
    limit: limitOf(limit, 200_000),
    token,
    query: queryId("model versions", filter, orderBy),
  });
  const ids = found.ids.map(([name, version]) => ({ name: name!, version: Number(version) }));
  return { versions: await versionData(database, ids), next: found.next };
}
