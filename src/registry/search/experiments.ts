/*
 * Searching experiments: by name, times and tags.
 */
import { sql } from "drizzle-orm";
import type { Database } from "../../store/database.ts";
import { experiments } from "../../store/schema.ts";
import { clausesOf } from "./clauses.ts";
import { textArray } from "./conditions.ts";
import { askedOf, int, type Keys, keyed, named, OPTIONAL, TEXT, text } from "./fields.ts";
import { inChunks, inOrder, type KeyValue, pairs, pairsIn } from "./gather.ts";
import { inView, limitOf, type View } from "./limits.ts";
import { pageOf } from "./pages.ts";
import { ordersOf, termsOf } from "./terms.ts";
import { queryId } from "./token.ts";

export interface ExperimentSearch {
  readonly filter?: string | undefined;
  readonly view?: View | undefined;
  readonly limit: number;
  readonly orderBy?: readonly string[] | undefined;
  readonly token?: string | undefined;
}

export interface ExperimentData {
  readonly row: typeof experiments.$inferSelect;
  readonly tags: readonly KeyValue[];
}

const id = int("experiment_id", sql`e.experiment_id`);
const attributes = {
  name: text("name", sql`e.name`, TEXT),
  creation_time: int("creation_time", sql`e.creation_time`),
  last_update_time: int("last_update_time", sql`e.last_update_time`),
};

const filterable: Keys = {
  of: "experiments",
  attributes,
  groups: named(
    ["tag", "tags"],
    keyed("tags", OPTIONAL, (t, key) => ({
      from: sql`experiment_tags ${t}`,
      link: sql`${t}.experiment_id = e.experiment_id and ${t}.key = ${key}`,
      present: sql`${t}.key`,
      value: sql`${t}.value`,
    })),
  ),
};
const orderable: Keys = {
  of: "experiments",
  attributes: { ...attributes, experiment_id: id },
  groups: {},
};

/** A page of experiments; `invalid_parameter` (400) for what cannot be searched. */
export async function searchExperiments(
  database: Database,
  { filter = "", view = "ACTIVE_ONLY", limit, orderBy = [], token }: ExperimentSearch,
): Promise<{ experiments: ExperimentData[]; next: string | undefined }> {
  const orders = ordersOf(orderable, orderBy);
  const found = await pageOf(database, {
    from: sql`experiments e`,
    alias: sql`e`,
    ids: [sql`e.experiment_id::text`],
    where: inView(sql`e.lifecycle_stage`, view),
    clauses: askedOf(filterable, clausesOf(filter)),
    // Newest first; what else is asked for counts ids down.
    terms:
      orders.length > 0
        ? termsOf(orders, [[id, true]])
        : termsOf(orders, [
            [attributes.creation_time, true],
            [id, false],
          ]),
    limit: limitOf(limit, 50_000),
    token,
    query: queryId("experiments", filter, view, orderBy),
  });
  const ids = found.ids.map(([id]) => id!);
  return { experiments: await experimentData(database, ids), next: found.next };
}

const columns = {
  row: experiments,
  tags: pairs(sql`experiment_tags t where t.experiment_id = experiments.experiment_id`),
};

/** The experiments of these ids with their tags, in their order. */
export const experimentData = (
  database: Database,
  ids: readonly string[],
): Promise<ExperimentData[]> =>
  inChunks(ids, async (chunk) => {
    const found = await database.orm
      .select(columns)
      .from(experiments)
      .where(sql`${experiments.experimentId} = any(${textArray(chunk)}::bigint[])`);
    const all = found.map(({ row, tags }): ExperimentData => ({ row, tags: pairsIn(tags) }));
    return inOrder(chunk, all, ({ row }) => String(row.experimentId));
  });
