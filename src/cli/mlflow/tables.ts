/*
 * The database of a tracking server as a source: its tables since MLflow 2, whatever columns they
 * have grown since.
 */
import type {
  GivenDataset,
  GivenExperiment,
  GivenLogged,
  GivenModel,
  GivenRun,
  GivenVersion,
} from "../../registry/intake/given.ts";
import type { Pair } from "../../registry/registered.ts";
import type { Whole } from "../../store/whole.ts";
import type { Json } from "./client.ts";
import {
  double,
  loggedStatus,
  runStatus,
  stage,
  text,
  textOrNull,
  versionOf,
  whole,
  whole64,
} from "./message.ts";
import type { Rows } from "./rows.ts";
import type { RunPage, Source } from "./source.ts";
import { pointOf, pointsOf } from "./tables-points.ts";
import type { Note } from "./tally.ts";

const PAGE = 500;
/** Parameters of a statement, of which no database has fewer. */
const IDS = 900;
const LOGGED = ["UNSPECIFIED", "PENDING", "READY", "UPLOAD_FAILED"];

/** The source over its rows; files come from elsewhere. */
export function makeTableSource(
  name: string,
  { ask, tables, close }: Rows,
  files: Pick<Source, "files" | "read" | "root">,
): Source {
  const left: Note[] = [];

  /** Of a table that older servers do not have: no rows. */
  const from = async (table: string, rest: string, params: readonly (string | number)[]) =>
    tables.has(table) ? ask(`select * from ${table} ${rest}`, params) : [];

  /** Rows that belong to these ids, by the id. */
  async function ofEach(table: string, column: string, ids: readonly string[], where = "") {
    const rows: Json[] = [];
    for (let at = 0; at < ids.length; at += IDS) {
      const some = ids.slice(at, at + IDS);
      const list = some.map((_, i) => `$${i + 1}`).join(",");
      rows.push(...(await from(table, `where ${column} in (${list}) ${where}`, some)));
    }
    return Map.groupBy(rows, (row) => text(row[column]));
  }

  /** Whether it is of the one workspace that is brought. */
  const isOurs = (kind: string, row: Json): boolean => {
    const workspace = textOrNull(row["workspace"]) ?? "default";
    if (workspace === "default") return true;
    left.push({ what: `${kind} ${text(row["name"])}`, why: `it is of the workspace ${workspace}` });
    return false;
  };

  async function experiments(): Promise<GivenExperiment[]> {
    const rows = await ask("select * from experiments order by experiment_id");
    const ours = rows.filter((row) => isOurs("experiment", row));
    const ids = ours.map((row) => text(row["experiment_id"]));
    const tags = await ofEach("experiment_tags", "experiment_id", ids);
    return ours.map((row) => {
      const id = text(row["experiment_id"]);
      return {
        ...{ id, name: text(row["name"]), location: text(row["artifact_location"]) },
        stage: stage(row["lifecycle_stage"]),
        created: whole(row["creation_time"]),
        updated: whole(row["last_update_time"] ?? row["creation_time"]),
        tags: pairsOf(tags.get(id)),
      };
    });
  }

  async function* runs(experimentId: string): AsyncGenerator<RunPage> {
    const id = Number(experimentId);
    const [count] = await ask("select count(*) as n from runs where experiment_id = $1", [id]);
    const total = whole(count?.["n"]);
    let last: readonly [Whole, string] = [-1, ""];
    for (let done = 0; ; ) {
      const rows = await ask(
        `select * from runs where experiment_id = $1 and (coalesce(start_time, 0) > $2
          or (coalesce(start_time, 0) = $2 and run_uuid > $3))
        order by coalesce(start_time, 0), run_uuid limit ${PAGE}`,
        [id, ...last],
      );
      const end = rows.at(-1);
      if (end === undefined) return;
      last = [whole64(end["start_time"]), text(end["run_uuid"])];
      done += rows.length;
      yield { runs: await runsOf(rows), share: Math.min(1, done / Math.max(1, total)) };
    }
  }

  async function runsOf(rows: readonly Json[]): Promise<GivenRun[]> {
    const ids = rows.map((row) => text(row["run_uuid"]));
    const params = await ofEach("params", "run_uuid", ids);
    const tags = await ofEach("tags", "run_uuid", ids);
    const latest = await ofEach("latest_metrics", "run_uuid", ids);
    const read = "and source_type = 'DATASET' and destination_type = 'RUN'";
    const inputs = await ofEach("inputs", "destination_id", ids, read);
    const used = [...inputs.values()].flat();
    const datasets = await datasetsOf(used);
    const inputModels = await ofEach("inputs", "source_id", ids, "and source_type = 'RUN_INPUT'");
    const outputModels = await ofEach("inputs", "source_id", ids, "and source_type = 'RUN_OUTPUT'");
    return rows.map((row) => {
      const id = text(row["run_uuid"]);
      const own = pairsOf(tags.get(id));
      return {
        ...{ id, tags: own, params: pairsOf(params.get(id)) },
        name: text(row["name"]) || new Map(own).get("mlflow.runName") || "",
        userId: text(row["user_id"]),
        status: runStatus(row["status"]),
        started: whole64(row["start_time"]),
        ended: whole64(row["end_time"]) || null,
        stage: stage(row["lifecycle_stage"]),
        uri: text(row["artifact_uri"]),
        latest: (latest.get(id) ?? []).map(pointOf),
        datasets: (inputs.get(id) ?? []).flatMap((input) => datasets.get(input) ?? []),
        inputModels: (inputModels.get(id) ?? []).map((input) => text(input["destination_id"])),
        outputModels: (outputModels.get(id) ?? []).map((output) => ({
          ...{ id: text(output["destination_id"]), step: whole64(output["step"]) },
        })),
      };
    });
  }

  async function datasetsOf(inputs: readonly Json[]): Promise<Map<Json, GivenDataset>> {
    const ids = [...new Set(inputs.map((input) => text(input["source_id"])))];
    const rows = await ofEach("datasets", "dataset_uuid", ids);
    const uses = inputs.map((input) => text(input["input_uuid"]));
    const tags = await ofEach("input_tags", "input_uuid", uses);
    return new Map(
      inputs.flatMap((input) => {
        const row = rows.get(text(input["source_id"]))?.[0];
        if (row === undefined) return [];
        const of = tags.get(text(input["input_uuid"])) ?? [];
        const dataset = {
          ...{ name: text(row["name"]), digest: text(row["digest"]) },
          sourceType: text(row["dataset_source_type"]),
          source: text(row["dataset_source"]),
          schema: textOrNull(row["dataset_schema"]),
          profile: textOrNull(row["dataset_profile"]),
          tags: of.map((tag): Pair => [text(tag["name"]), text(tag["value"])]),
        };
        return [[input, dataset] as const];
      }),
    );
  }

  async function* logged(experimentId: string): AsyncGenerator<GivenLogged[]> {
    const id = Number(experimentId);
    for (let last = ""; ; ) {
      const rows = await from(
        "logged_models",
        `where experiment_id = $1 and model_id > $2 order by model_id limit ${PAGE}`,
        [id, last],
      );
      if (rows.length === 0) return;
      last = text(rows.at(-1)!["model_id"]);
      const ids = rows.map((row) => text(row["model_id"]));
      const params = await ofEach("logged_model_params", "model_id", ids);
      const tags = await ofEach("logged_model_tags", "model_id", ids);
      const metrics = await ofEach("logged_model_metrics", "model_id", ids);
      yield rows.map((row) => {
        const id = text(row["model_id"]);
        return {
          ...{ id, name: text(row["name"]), uri: text(row["artifact_location"]) },
          modelType: textOrNull(row["model_type"]),
          sourceRunId: textOrNull(row["source_run_id"]),
          status: loggedStatus(LOGGED[whole(row["status"])]),
          statusMessage: textOrNull(row["status_message"]),
          stage: stage(row["lifecycle_stage"]),
          created: whole(row["creation_timestamp_ms"]),
          updated: whole(row["last_updated_timestamp_ms"]),
          params: pairsOf(params.get(id), "param_key", "param_value"),
          tags: pairsOf(tags.get(id), "tag_key", "tag_value"),
          metrics: (metrics.get(id) ?? []).map((metric) => ({
            ...{ runId: text(metric["run_id"]), key: text(metric["metric_name"]) },
            value: metric["metric_value"] === null ? Number.NaN : double(metric["metric_value"]),
            timestamp: whole64(metric["metric_timestamp_ms"]),
            step: whole64(metric["metric_step"]),
            datasetName: text(metric["dataset_name"]),
            datasetDigest: text(metric["dataset_digest"]),
          })),
        };
      });
    }
  }

  async function models(): Promise<GivenModel[]> {
    const rows = (await from("registered_models", "order by name", [])).filter((row) =>
      isOurs("model", row),
    );
    const names = rows.map((row) => text(row["name"]));
    const tags = await ofEach("registered_model_tags", "name", names);
    const aliases = await ofEach("registered_model_aliases", "name", names);
    return rows.map((row) => {
      const name = text(row["name"]);
      return {
        ...{ name, description: textOrNull(row["description"]) },
        created: whole(row["creation_time"]),
        updated: whole(row["last_updated_time"] ?? row["creation_time"]),
        tags: pairsOf(tags.get(name)),
        aliases: (aliases.get(name) ?? []).map(({ alias, version }) => ({
          ...{ alias: text(alias), version: whole(version) },
        })),
      };
    });
  }

  async function versions(): Promise<GivenVersion[]> {
    const rows = (await from("model_versions", "order by name, version", [])).filter((row) =>
      isOurs("version of", row),
    );
    const names = [...new Set(rows.map((row) => text(row["name"])))];
    const found = await ofEach("model_version_tags", "name", names);
    const tags = new Map(
      [...found].map(
        ([name, some]) => [name, Map.groupBy(some, (tag) => whole(tag["version"]))] as const,
      ),
    );
    return rows.map((row) => {
      const { creation_time, last_updated_time } = row;
      const own = tags.get(text(row["name"]))?.get(whole(row["version"]));
      return {
        ...versionOf({
          ...row,
          creation_timestamp: creation_time,
          last_updated_timestamp: last_updated_time,
        }),
        tags: pairsOf(own),
      };
    });
  }

  return {
    ...{ name, left, experiments, runs, logged, models, versions, ...files, close },
    points: (given) => pointsOf(ask, given),
  };
}

const pairsOf = (rows: readonly Json[] = [], key = "key", value = "value"): Pair[] =>
  rows.map((row) => [text(row[key]), text(row[value])]);
