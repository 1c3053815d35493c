/*
 * Steps and times of 64 bits keep all digits on each way into the intake.
 */
import { Database as Sqlite } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testDatabases } from "../../store/testing.ts";
import { pointIn } from "./filestore/metrics.ts";
import { bring, openTarget, openWire } from "./fixture.ts";
import { folderFiles } from "./folder-files.ts";
import { openSqlite } from "./rows.ts";
import { makeTableSource } from "./tables.ts";

const NS = 1_795_735_428_379_123_457n;
const MAX = 2n ** 63n - 1n;
const ID = "a".repeat(32);
const STEPS = [NS, NS + 1n, NS - 1n, 5n, MAX];

/** The steps of the run's metric and what is its latest, by their digits. */
async function digitsAt(at: Awaited<ReturnType<typeof openTarget>>) {
  const runs = await at.ask("POST", "/api/2.0/mlflow/runs/search", {
    body: { experiment_ids: ["0"], run_view_type: "ALL", max_results: 10 },
  });
  const query = `run_id=${runs.json.runs[0].info.run_id}&metric_key=m`;
  const { text } = await at.ask("GET", `/api/2.0/mlflow/metrics/get-history?${query}`);
  const steps = [...text.matchAll(/"step":(-?\d+)/g)].map(([, digits]) => BigInt(digits!));
  return {
    steps,
    latest: /"step":(\d+)/.exec(runs.text)?.[1],
    started: /"start_time":(\d+)/.exec(runs.text)?.[1],
  };
}

const WANTED = {
  steps: [5n, NS - 1n, NS, NS + 1n, MAX],
  ...{ latest: String(MAX), started: String(NS) },
};

test("from a server over the wire, once", async () => {
  const wire = await openWire();
  const target = await openTarget(testDatabases().at(-1)!);
  try {
    const post = async (path: string, body: string) =>
      (
        await wire.tracked.ask("POST", `/api/2.0/mlflow/${path}`, {
          raw: ["application/json", body],
        })
      ).json;
    const { run } = await post("runs/create", `{"experiment_id":"0","start_time":${NS}}`);
    for (const step of STEPS) {
      const point = `"key":"m","value":1,"timestamp":7,"step":${step}`;
      await post("runs/log-metric", `{"run_id":"${run.info.run_id}",${point}}`);
    }
    for (const brought of [5, 0]) {
      const { report } = await bring(wire.source(), target);
      expect(report.counts.points).toMatchObject({ brought, skipped: 0 });
      expect(await digitsAt(target)).toEqual(WANTED);
    }
  } finally {
    await Promise.all([wire.close(), target.close()]);
  }
});

test("from a database", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sluice-whole-"));
  const target = await openTarget(testDatabases().at(-1)!);
  try {
    const path = join(folder, "mlflow.db");
    const database = new Sqlite(path, { create: true });
    database.exec(`
      create table alembic_version (version_num text);
      create table experiments (experiment_id integer, name text, artifact_location text,
        lifecycle_stage text);
      create table runs (run_uuid text, name text, source_type text, user_id text, status text,
        start_time bigint, end_time bigint, deleted_time bigint, lifecycle_stage text,
        artifact_uri text, experiment_id integer);
      create table metrics (key text, value float, timestamp bigint, step bigint, is_nan boolean,
        run_uuid text);
      create table latest_metrics (key text, value float, timestamp bigint, step bigint,
        is_nan boolean, run_uuid text);
      create table params (key text, value text, run_uuid text);
      create table tags (key text, value text, run_uuid text);
      create table experiment_tags (key text, value text, experiment_id integer);
      create table registered_models (name text, creation_time bigint, last_updated_time bigint,
        description text);
      create table model_versions (name text, version integer, creation_time bigint);
      insert into experiments values (0, 'Default', '/x', 'active');
      insert into runs values ('${ID}', 'r', null, 'ada', 'FINISHED', ${NS}, ${MAX}, null, 'active',
        '/x/${ID}', 0);
      insert into latest_metrics values ('m', 1, 7, ${MAX}, 0, '${ID}');`);
    for (const step of STEPS) {
      database.exec(`insert into metrics values ('m', 1, 7, ${step}, 0, '${ID}')`);
    }
    database.close();
    await mkdir(join(folder, "files"));
    const files = folderFiles(join(folder, "files"));
    const source = makeTableSource("its database", await openSqlite(path), files);
    const { report } = await bring(source, target);
    await source.close();
    expect(report).toMatchObject({ failed: [], counts: { points: { brought: 5, skipped: 0 } } });
    expect(await digitsAt(target)).toEqual(WANTED);
  } finally {
    await target.close();
    await rm(folder, { recursive: true, force: true });
  }
});

test("from a line of a file", () => {
  expect(pointIn(`${NS} 0.5 ${MAX}`)).toMatchObject({ timestamp: NS, step: MAX });
  expect(pointIn("7 0.5 -3")).toMatchObject({ timestamp: 7, step: -3 });
});
