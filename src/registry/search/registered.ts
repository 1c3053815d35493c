/*
 * Searching registered models: by name and tags.
 */
import { sql } from "drizzle-orm";
import type { Database } from "../../store/database.ts";
import { clausesOf } from "./clauses.ts";
import { askedOf, int, type Keys, keyed, named, OPTIONAL, TEXT, text } from "./fields.ts";
import { limitOf } from "./limits.ts";
import { type RegisteredData, registeredData } from "./model-data.ts";
import { pageOf } from "./pages.ts";
import { promptsOf } from "./prompts.ts";
import { ordersOf, termsOf } from "./terms.ts";
import { queryId } from "./token.ts";

export interface ModelSearch {
  readonly filter?: string | undefined;
  readonly limit: number;
  readonly orderBy?: readonly string[] | undefined;
  readonly token?: string | undefined;
}

const name = text("name", sql`m.name`, TEXT);
const updated = int("last_updated_timestamp", sql`m.last_updated_time`);

const filterable: Keys = {
  of: "registered models",
  attributes: { name },
  groups: named(
    ["tag", "tags"],
    keyed("tags", OPTIONAL, (t, key) => ({
      from: sql`registered_model_tags ${t}`,
      link: sql`${t}.name = m.name and ${t}.key = ${key}`,
      present: sql`${t}.key`,
      value: sql`${t}.value`,
    })),
  ),
};
const orderable: Keys = {
  of: "registered models",
  attributes: { name, ...named(["timestamp", "last_updated_timestamp"], updated) },
  groups: {},
};

/** A page of models by name or as asked; `invalid_parameter` (400) for what cannot be searched. */
export async function searchModels(
  database: Database,
  { filter = "", limit, orderBy = [], token }: ModelSearch,
): Promise<{ models: RegisteredData[]; next: string | undefined }> {
  const { prompts, others } = promptsOf(
    clausesOf(filter),
    sql`registered_model_tags p where p.name = m.name`,
  );
  const found = await pageOf(database, {
    from: sql`registered_models m`,
    alias: sql`m`,
    ids: [sql`m.name`],
    where: [sql`true`, ...prompts],
    clauses: askedOf(filterable, others),
    terms: termsOf(ordersOf(orderable, orderBy), [[name, false]]),
    limit: limitOf(limit, 1_000),
    token,
    query: queryId("registered models", filter, orderBy),
  });
  const names = found.ids.map(([name]) => name!);
  return { models: await registeredData(database, names), next: found.next };
}
