/*
 * Searching logged models: by what they are, and by their metrics (of certain datasets), params
 * and tags.
 */
import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../../store/database.ts";
import { clausesOf } from "./clauses.ts";
import { badSearch } from "./fault.ts";
import {
  askedOf,
  type BesideField,
  type Field,
  fieldOf,
  int,
  type Keys,
  keyed,
  LISTED,
  NUMERIC,
  named,
  type Rows,
  text,
} from "./fields.ts";
import { limitOf, ofExperiments } from "./limits.ts";
import { type LoggedData, loggedData } from "./logged-data.ts";
import { pageOf } from "./pages.ts";
import { distinct, type Ending, termsOf } from "./terms.ts";
import { queryId } from "./token.ts";

export interface OfDataset {
  readonly name: string;
  /** Without one, whatever its digest. */
  readonly digest?: string | undefined;
}

export interface LoggedOrder {
  readonly field: string;
  readonly ascending?: boolean | undefined;
  readonly dataset?: OfDataset | undefined;
}

export interface LoggedSearch {
  readonly experimentIds: readonly string[];
  readonly filter?: string | undefined;
  /** Metrics are those of one of these; models without any of them are left out. */
  readonly datasets?: readonly OfDataset[] | undefined;
  readonly limit: number;
  readonly orderBy?: readonly LoggedOrder[] | undefined;
  readonly token?: string | undefined;
}

const modelId = text("model_id", sql`l.model_id`, LISTED);
const created = int("creation_timestamp", sql`l.creation_time`);
const optional = (id: string, value: SQL) => ({ ...text(id, value, LISTED), nullable: true });

const attributes: Readonly<Record<string, Field>> = {
  model_id: modelId,
  name: text("name", sql`l.name`, LISTED),
  model_type: optional("model_type", sql`l.model_type`),
  source_run_id: optional("source_run_id", sql`l.source_run_id`),
  // The wire says LOGGED_MODEL_READY, its client READY.
  status: {
    ...text("status", sql`l.status`, LISTED),
    stored: (status) => status.replace(/^LOGGED_MODEL_/, ""),
  },
  ...named(["creation_timestamp", "creation_time", "creation_timestamp_ms"], created),
  ...named(
    ["last_updated_timestamp", "last_updated_time", "last_updated_timestamp_ms"],
    int("last_updated_timestamp", sql`l.last_updated_time`),
  ),
};

const belonging = (group: string, table: SQL) =>
  keyed(group, [...LISTED, "IS NULL", "IS NOT NULL"], (t, key) => ({
    from: sql`${table} ${t}`,
    link: sql`${t}.model_id = l.model_id and ${t}.key = ${key}`,
    present: sql`${t}.key`,
    value: sql`${t}.value`,
  }));

/** The metrics of a key that were logged of one of the datasets; of any where there is none. */
const metricOf =
  (datasets: readonly OfDataset[]) =>
  (key: string): BesideField => {
    const linked = (m: SQL) =>
      sql`${m}.model_id = l.model_id and ${m}.key = ${key} and ${isOf(m, datasets)}`;
    const columns = (m: SQL): Omit<Rows, "from" | "link"> => ({
      present: sql`${m}.model_id`,
      value: sql`${m}.value`,
      nan: sql`${m}.is_nan`,
    });
    return {
      id: JSON.stringify(["metrics", key, datasets]),
      kind: "float",
      operators: NUMERIC,
      rows: (m) => ({ from: sql`logged_model_metrics ${m}`, link: linked(m), ...columns(m) }),
      latest: (m) => ({
        from: sql`lateral (select * from logged_model_metrics x where ${linked(sql`x`)}
          order by x.timestamp desc, x.step desc, x.value desc limit 1) ${m}`,
        link: sql`true`,
        ...columns(m),
      }),
    };
  };

function isOf(m: SQL, datasets: readonly OfDataset[]): SQL {
  if (datasets.length === 0) return sql`true`;
  const options = datasets.map(({ name, digest }) =>
    digest === undefined
      ? sql`${m}.dataset_name = ${name}`
      : sql`(${m}.dataset_name = ${name} and ${m}.dataset_digest = ${digest})`,
  );
  return sql`(${sql.join(options, sql` or `)})`;
}

const filterable = (datasets: readonly OfDataset[]): Keys => ({
  of: "logged models",
  attributes,
  groups: {
    ...named(["metric", "metrics"], metricOf(datasets)),
    ...named(
      ["param", "params", "parameter", "parameters"],
      belonging("params", sql`logged_model_params`),
    ),
    ...named(["tag", "tags"], belonging("tags", sql`logged_model_tags`)),
  },
});

/** A page of logged models, newest first or as asked; `invalid_parameter` (400). */
export async function searchLogged(
  database: Database,
  { experimentIds, filter = "", datasets = [], limit, orderBy = [], token }: LoggedSearch,
): Promise<{ models: LoggedData[]; next: string | undefined }> {
  const clauses = askedOf(filterable(datasets), clausesOf(filter));
  const terms = termsOf(distinct(orderBy.map(orderOf)), [
    [created, true],
    [modelId, false],
  ]);
  const withMetric = clauses.some(({ field }) => field.kind === "float");
  const logged = sql`exists (select 1 from logged_model_metrics b
    where b.model_id = l.model_id and ${isOf(sql`b`, datasets)})`;
  const found = await pageOf(database, {
    from: sql`logged_models l`,
    alias: sql`l`,
    ids: [sql`l.model_id`],
    where: [
      ofExperiments(sql`l.experiment_id`, experimentIds),
      sql`l.lifecycle_stage = 'active'`,
      ...(datasets.length > 0 && !withMetric ? [logged] : []),
    ],
    clauses,
    terms,
    limit: limitOf(limit, 50_000),
    token,
    query: queryId("logged models", [...experimentIds].sort(), filter, datasets, orderBy),
  });
  const ids = found.ids.map(([id]) => id!);
  return { models: await loggedData(database, ids), next: found.next };
}

/** `metrics.K`, of a dataset if one is named, or an attribute; ascending unless it is said. */
function orderOf({ field, ascending = true, dataset }: LoggedOrder): Ending {
  const dot = field.indexOf(".");
  const entity = dot === -1 ? null : field.slice(0, dot);
  const quoted = /^(["`])([\s\S]*)\1$/.exec(field.slice(dot + 1));
  const key = (quoted?.[2] ?? field.slice(dot + 1)).toWellFormed();
  const isMetric = entity === "metrics" || entity === "metric";
  if (dataset !== undefined && !isMetric) {
    throw badSearch(
      "dataset_name and dataset_digest can only be given with an order by a metric.",
      "Leave them out, or order by metrics.<key>.",
    );
  }
  if (dataset?.name === "") {
    throw badSearch("dataset_digest is given without dataset_name.", "Give both, or the name.");
  }
  const groups = named(["metric", "metrics"], metricOf(dataset === undefined ? [] : [dataset]));
  return [fieldOf({ of: "logged models", attributes, groups }, { entity, key }), !ascending];
}
