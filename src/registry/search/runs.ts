/*
 * Searching runs: by what they are, and by their metrics, params, tags and datasets.
 */
import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../../store/database.ts";
import { clausesOf } from "./clauses.ts";
import {
  askedOf,
  type BesideField,
  fieldOf,
  HEAD,
  int,
  type Keys,
  keyed,
  type Lead,
  LISTED,
  NUMERIC,
  named,
  OPTIONAL,
  TEXT,
  text,
} from "./fields.ts";
import { inView, limitOf, ofExperiments, type View } from "./limits.ts";
import { pageOf } from "./pages.ts";
import { type RunData, runData } from "./run-data.ts";
import { ordersOf, termsOf } from "./terms.ts";
import { queryId } from "./token.ts";

export interface RunSearch {
  readonly experimentIds: readonly string[];
  readonly filter?: string | undefined;
  readonly view?: View | undefined;
  readonly limit: number;
  readonly orderBy?: readonly string[] | undefined;
  readonly token?: string | undefined;
}

const runId = text("run_id", sql`r.run_id`, LISTED);
const startTime = int("start_time", sql`r.start_time`);

/** A run's name is the tag `mlflow.runName` too; the column is what both are read from. */
const attributes = {
  run_id: runId,
  ...named(["run_name", "run name", "Run name", "Run Name"], text("run_name", sql`r.name`, TEXT)),
  user_id: text("user_id", sql`r.user_id`, TEXT),
  status: text("status", sql`r.status`, TEXT),
  artifact_uri: text("artifact_uri", sql`r.artifact_uri`, TEXT),
  ...named(["start_time", "created", "Created"], startTime),
  end_time: { ...int("end_time", sql`r.end_time`), nullable: true },
};

const of = sql`r.run_id`;

const metric = (key: string): BesideField => ({
  id: `metrics.${key}`,
  kind: "float",
  operators: NUMERIC,
  rows: (m) => {
    const from = sql`latest_metrics ${m}`;
    const place = { value: sql`${m}.value`, nan: sql`${m}.is_nan` };
    return {
      ...place,
      from,
      link: sql`${m}.run_id = r.run_id and ${m}.key = ${key}`,
      present: sql`${m}.run_id`,
      lead: { ...place, from, where: sql`${m}.key = ${key}`, id: sql`${m}.run_id`, of },
    };
  },
});

/** As the indexes have it. */
const headOf = (value: SQL) => sql`left(${value}, ${sql.raw(String(HEAD))})`;

const logged = (group: string, table: SQL) =>
  keyed(group, OPTIONAL, (t, key) => {
    const from = sql`${table} ${t}`;
    const own = sql`${t}.key = ${key}`;
    const value = sql`${t}.value`;
    return {
      from,
      link: sql`${t}.run_id = r.run_id and ${own}`,
      present: sql`${t}.run_id`,
      value,
      lead: { from, where: own, value, head: headOf(value), id: sql`${t}.run_id`, of },
    };
  });

const ofDataset = sql`inputs i join datasets d on d.dataset_id = i.dataset_id`;
const context = sql`i.tags ->> 'mlflow.data.context'`;
const datasetColumns: Readonly<Record<string, Pick<Lead, "from" | "value" | "head">>> = {
  name: { from: ofDataset, value: sql`d.name` },
  digest: { from: ofDataset, value: sql`d.digest` },
  context: { from: sql`inputs i`, value: sql`(${context})`, head: headOf(context) },
};

function dataset(key: string): BesideField | null {
  if (!Object.hasOwn(datasetColumns, key)) return null;
  const place = datasetColumns[key]!;
  return {
    id: `datasets.${key}`,
    kind: "text",
    operators: LISTED,
    rows: (t) => ({
      from: sql`(select ${place.value} as value from ${place.from}
        where i.run_id = r.run_id offset 0) ${t}`,
      link: sql`true`,
      present: sql`${t}.value`,
      value: sql`${t}.value`,
      lead: { ...place, where: sql`true`, id: sql`i.run_id`, of },
    }),
  };
}

const groups = {
  ...named(["metric", "metrics"], metric),
  ...named(["param", "params", "parameter", "parameters"], logged("params", sql`params`)),
  ...named(["tag", "tags"], logged("tags", sql`tags`)),
  run: (key: string) => fieldOf({ of: "runs", attributes, groups: {} }, { entity: null, key }),
};

const filterable: Keys = {
  of: "runs",
  attributes,
  groups: { ...groups, ...named(["dataset", "datasets"], dataset) },
};
const orderable: Keys = { of: "runs", attributes, groups };

/** A page of runs; `invalid_parameter` (400) for what cannot be searched. */
export async function searchRuns(
  database: Database,
  { experimentIds, filter = "", view = "ACTIVE_ONLY", limit, orderBy = [], token }: RunSearch,
): Promise<{ runs: RunData[]; next: string | undefined }> {
  const clauses = askedOf(filterable, clausesOf(filter));
  const orders = ordersOf(orderable, orderBy);
  const within = ofExperiments(sql`r.experiment_id`, experimentIds);
  const found = await pageOf(database, {
    from: sql`runs r`,
    alias: sql`r`,
    ids: [sql`r.run_id`],
    where: [within, ...inView(sql`r.lifecycle_stage`, view)],
    clauses,
    terms: termsOf(orders, [
      [startTime, true],
      [runId, false],
    ]),
    limit: limitOf(limit, 50_000),
    token,
    query: queryId("runs", [...experimentIds].sort(), filter, view, orderBy),
  });
  const ids = found.ids.map(([id]) => id!);
  return { runs: await runData(database, ids), next: found.next };
}
