/*
 * From the database that a tracking server has left, as it lays its tables out (MLflow 3.17; an
 * older one has fewer of them).
 */
import { Database as Sqlite } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import type { Tracked } from "../../http/mlflow/testing.ts";
import { testDatabases } from "../../store/testing.ts";
import { bring, openTarget, see } from "./fixture.ts";
import { folderFiles } from "./folder-files.ts";
import { openSource } from "./open.ts";
import { openRows, openSqlite } from "./rows.ts";
import { makeTableSource } from "./tables.ts";

let folder: string;
let target: Tracked;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-import-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const OLD = `
  create table alembic_version (version_num text);
  create table experiments (experiment_id integer primary key, name text, artifact_location text,
    lifecycle_stage text, creation_time bigint, last_update_time bigint);
  create table experiment_tags (key text, value text, experiment_id integer);
  create table runs (run_uuid text primary key, name text, source_type text, user_id text,
    status text, start_time bigint, end_time bigint, deleted_time bigint, lifecycle_stage text,
    artifact_uri text, experiment_id integer);
  create table params (key text, value text, run_uuid text);
  create table tags (key text, value text, run_uuid text);
  create table metrics (key text, value float, timestamp bigint, step bigint, is_nan boolean,
    run_uuid text);
  create table latest_metrics (key text, value float, timestamp bigint, step bigint,
    is_nan boolean, run_uuid text);`;
const NEW = `
  create table datasets (dataset_uuid text, experiment_id integer, name text, digest text,
    dataset_source_type text, dataset_source text, dataset_schema text, dataset_profile text);
  create table inputs (input_uuid text, source_type text, source_id text, destination_type text,
    destination_id text, step bigint);
  create table input_tags (input_uuid text, name text, value text);
  create table registered_models (name text, creation_time bigint, last_updated_time bigint,
    description text, workspace text);
  create table registered_model_tags (key text, value text, name text);
  create table registered_model_aliases (alias text, version integer, name text);
  create table model_versions (name text, version integer, creation_time bigint,
    last_updated_time bigint, description text, user_id text, current_stage text, source text,
    storage_location text, run_id text, run_link text, status text, status_message text);
  create table model_version_tags (key text, value text, name text, version integer);
  create table logged_models (model_id text, experiment_id integer, name text,
    artifact_location text, creation_timestamp_ms bigint, last_updated_timestamp_ms bigint,
    status integer, lifecycle_stage text, model_type text, source_run_id text,
    status_message text);
  create table logged_model_params (model_id text, experiment_id integer, param_key text,
    param_value text);
  create table logged_model_tags (model_id text, experiment_id integer, tag_key text,
    tag_value text);
  create table logged_model_metrics (model_id text, metric_name text, metric_timestamp_ms bigint,
    metric_step bigint, metric_value float, experiment_id integer, run_id text, dataset_uuid text,
    dataset_name text, dataset_digest text);`;

/** What both kinds of database read. */
const [NO, YES] = ["cast(0 as boolean)", "cast(1 as boolean)"];
const A = "a".repeat(32);
const B = "b".repeat(32);
const M = `m-${"1".repeat(32)}`;
const ROWS = `
  insert into alembic_version values ('x');
  insert into experiments values (0, 'Default', 'mlflow-artifacts:/0', 'active', 1, 1);
  insert into experiments values (7, 'it''s "seven"', 'mlflow-artifacts:/7', 'active', 10, 20);
  insert into experiments values (8, 'gone', '/elsewhere/8', 'deleted', 30, 40);
  insert into experiment_tags values ('mlflow.note.content', 'a note', 7);
  insert into runs values ('${A}', 'one', 'LOCAL', 'ada', 'FINISHED', 100, 200, null, 'active',
    'mlflow-artifacts:/7/${A}/artifacts', 7);
  insert into runs values ('${B}', null, null, null, 'FAILED', null, null, 5, 'deleted',
    'file:///etc', 7);
  insert into tags values ('mlflow.runName', 'named', '${B}');
  insert into params values ('rate', '0.1', '${A}'), ('empty', '', '${A}');
  insert into latest_metrics values ('loss', 0.5, 3, 2, ${NO}, '${A}'),
    ('odd', 0, 1, 0, ${YES}, '${A}');
  insert into metrics values ('odd', 0, 1, 0, ${YES}, '${A}');
  insert into metrics with recursive n (i) as (select 0 union all select i + 1 from n where i < 44999)
    select 'loss', i % 9, i / 7, 2 - i % 5, ${NO}, '${A}' from n;
  insert into metrics values ('loss', 0.5, 3, 2, ${NO}, '${A}');`;
const MORE = `
  insert into datasets values ('d1', 7, 'rows', 'abc', 'local', '{}', null, '{"n": 1}');
  insert into inputs values ('i1', 'DATASET', 'd1', 'RUN', '${A}', 0);
  insert into inputs values ('i2', 'RUN_OUTPUT', '${A}', 'MODEL_OUTPUT', '${M}', 4);
  insert into inputs values ('i3', 'RUN_INPUT', '${A}', 'MODEL_INPUT', '${M}', 0);
  insert into input_tags values ('i1', 'mlflow.data.context', 'test');
  insert into logged_models values ('${M}', 7, 'adds', 'mlflow-artifacts:/7/models/${M}/artifacts',
    300, 301, 2, 'active', 'onnx', '${A}', null);
  insert into logged_model_params values ('${M}', 7, 'depth', '3');
  insert into logged_model_tags values ('${M}', 7, 'kind', 'good');
  insert into logged_model_metrics values ('${M}', 'fit', 3, 1, 0.25, 7, '${A}', 'd1', 'rows', 'abc');
  insert into registered_models values ('adds', 400, 401, 'adds', 'default');
  insert into registered_models values ('other', 400, 401, null, 'team b');
  insert into registered_model_tags values ('owner', 'ada', 'adds');
  insert into registered_model_aliases values ('blue', 1, 'adds');
  insert into model_versions values ('adds', 1, 402, 403, 'first', 'ada', 'Staging', 'models:/${M}',
    'mlflow-artifacts:/7/models/${M}/artifacts', '${A}', null, 'READY', null);
  insert into model_versions values ('adds', 2, 404, 405, null, null, 'Deleted_Internal',
    'REDACTED-SOURCE-PATH', null, 'REDACTED-RUN-ID', null, 'READY', null);
  insert into model_version_tags values ('quality', 'good', 'adds', 1);`;

async function databaseOf(...statements: readonly string[]): Promise<string> {
  const path = join(folder, `${crypto.randomUUID()}.db`);
  const database = new Sqlite(path, { create: true });
  for (const statement of statements) database.exec(statement);
  database.close();
  return path;
}

async function brought(path: string, root: string) {
  const source = makeTableSource("its database", await openSqlite(path), folderFiles(root));
  try {
    return await bring(source, target);
  } finally {
    await source.close();
  }
}

const onTarget = (name: string, work: () => Promise<void>) =>
  test(name, async () => {
    target = await openTarget(testDatabases().at(-1)!);
    try {
      await work();
    } finally {
      await target.close();
    }
  });

onTarget("all that its tables and its folder have comes over", async () => {
  const path = await databaseOf(OLD, NEW, ROWS, MORE);
  const root = join(folder, "artifacts");
  const ofRun = join(root, "7", A, "artifacts");
  await mkdir(join(ofRun, "plots"), { recursive: true });
  await writeFile(join(ofRun, "plots", "a b.svg"), "a plot");
  await writeFile(join(folder, "secret"), "outside");
  await symlink(join(folder, "secret"), join(ofRun, "link"));
  await symlink("plots/a b.svg", join(ofRun, "inside"));
  await writeFile(join(ofRun, "a#b"), "no path here has such a name");
  const ofModel = join(root, "7", "models", M, "artifacts");
  await mkdir(ofModel, { recursive: true });
  await writeFile(join(ofModel, "MLmodel"), "flavors: {}");

  const { report } = await brought(path, root);
  expect(report.failed).toEqual([]);
  expect(report.skipped.map(({ what }) => what).toSorted()).toEqual([
    `file a#b of run ${A}`,
    `file link of run ${A}`,
    `files of run ${B}`,
  ]);
  expect(report.counts.files).toMatchObject({ brought: 3, skipped: 3 });
  const seen = await see(target);
  expect(Object.keys(seen["experiments"]).sort()).toEqual(["Default", "gone", 'it\'s "seven"']);
  expect(seen["experiments"]["gone"]).toMatchObject({ lifecycle_stage: "deleted" });
  const run = seen["runs"][A];
  expect(run.facts).toMatchObject({ run_name: "one", user_id: "ada", start_time: 100 });
  expect(Object.keys(run.files).sort()).toEqual(["inside", "plots/a b.svg"]);
  expect(run.histories["loss"]).toHaveLength(45_001);
  expect(run.histories["odd"]).toEqual([{ key: "odd", value: "NaN", timestamp: 1, step: 0 }]);
  expect(run.inputs.dataset_inputs).toHaveLength(1);
  expect(run.inputs.model_inputs).toEqual([{ model_id: M }]);
  expect(run.outputs.model_outputs).toEqual([{ model_id: M, step: 4 }]);
  expect(seen["runs"][B].facts).toMatchObject({
    ...{ run_name: "named", status: "FAILED", lifecycle_stage: "deleted" },
  });
  expect(seen["logged"][M]).toMatchObject({
    facts: { name: "adds", status: "LOGGED_MODEL_READY", source_run_id: A },
    tags: [{ key: "kind", value: "good" }],
    data: { metrics: [{ key: "fit", value: 0.25, dataset_name: "rows" }] },
  });
  expect(Object.keys(seen["models"])).toEqual(["adds"]);
  expect(seen["models"]["adds"].aliases).toEqual([{ alias: "blue", version: "1" }]);
  expect(seen["versions"]["adds 1"]).toMatchObject({
    ...{
      current_stage: "Staging",
      description: "first",
      tags: [{ key: "quality", value: "good" }],
    },
    files: { MLmodel: expect.any(String) },
  });
  // The number of the deleted one is not given again.
  const order = { name: "adds", source: "s3://x/y" };
  const { model_version } = await target.post("model-versions/create", order);
  expect(model_version.version).toBe("3");

  const again = await brought(path, root);
  for (const { brought } of Object.values(again.report.counts)) expect(brought).toBe(0);
});

const postgresUrl = process.env["SLUICE_TEST_DATABASE_URL"] ?? "";
test.skipIf(postgresUrl === "")("a Postgres says the same as a file of SQLite", async () => {
  const name = `sluice_import_${crypto.randomUUID().replaceAll("-", "")}`;
  const url = new URL(postgresUrl);
  url.pathname = `/${name}`;
  const administer = async (at: string, statement: string) => {
    const client = postgres(at, { max: 1, onnotice: () => {} });
    await client.unsafe(statement).finally(() => client.end());
  };
  await administer(postgresUrl, `create database ${name}`);
  try {
    await administer(url.href, [OLD, NEW, ROWS, MORE].join(""));
    const all = [];
    for (const rows of [
      await openRows(url.href),
      await openSqlite(await databaseOf(OLD, NEW, ROWS, MORE)),
    ]) {
      const source = makeTableSource("either", rows, folderFiles(folder));
      const runs = (await Array.fromAsync(source.runs("7"))).flatMap((page) => page.runs);
      const points = (await Array.fromAsync(source.points(runs))).flat();
      all.push({
        ...{
          experiments: await source.experiments(),
          runs,
          points: points.map((one) => JSON.stringify(one)).sort(),
        },
        ...{ logged: await Array.fromAsync(source.logged("7")), models: await source.models() },
        ...{ versions: await source.versions(), left: source.left },
      });
      await source.close();
    }
    expect(all[0]?.runs).toHaveLength(2);
    expect(all[0]).toEqual(all[1]!);
  } finally {
    await administer(postgresUrl, `drop database ${name} with (force)`);
  }
});

onTarget("files that were looked for in the wrong place come from the right one", async () => {
  const path = await databaseOf(OLD, ROWS);
  const [wrong, right] = [join(folder, "wrong"), join(folder, "right")];
  const file = join(right, "7", A, "artifacts", "a.txt");
  await mkdir(wrong);
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, "here");
  expect((await brought(path, wrong)).report.counts.files.brought).toBe(0);
  expect((await brought(path, right)).report.counts.files.brought).toBe(1);
  expect(Object.keys((await see(target))["runs"][A].files)).toEqual(["a.txt"]);
});

onTarget("of an older server's database what it has comes over", async () => {
  const { report } = await brought(await databaseOf(OLD, ROWS), folder);
  expect(report.counts).toMatchObject({ runs: { brought: 2 }, models: { brought: 0 } });
  expect((await see(target))["runs"][A].params).toHaveLength(2);
});

test("what is no source is refused with what would be one", async () => {
  const refused = (from: string, artifacts?: string) =>
    openSource({ environment: {} }, { s3: null }, from, artifacts).then(
      () => "taken",
      ({ code, message, fix }) => `${code}: ${message} ${fix}`,
    );
  expect(await refused("ftp://host/mlruns")).toContain("--from ./mlruns");
  expect(await refused("mysql+pymysql://ada:secret@host/db")).toContain("mlflow server");
  expect(await refused("mysql+pymysql://ada:secret@host/db")).not.toContain("secret");
  expect(await refused("http://localhost:5000", "./art")).toContain("usage");
  expect(await refused(`sqlite:///${join(folder, "none.db")}`, folder)).toContain("no file");
  const empty = await databaseOf("create table x (y text)");
  expect(await refused(`sqlite:///${empty}`, folder)).toContain("none of MLflow's");
  const path = await databaseOf(OLD, ROWS);
  expect(await refused(`sqlite:///${path}`, "s3://bucket/x")).toContain("S3_ENDPOINT");
  expect(await refused(`sqlite:///${path}`)).toContain("--artifacts");
  expect(await refused(`sqlite:///${path}`, join(folder, "none"))).toContain("no folder");
  expect(await refused(`sqlite:///${path}`, folder)).toBe("taken");
});
