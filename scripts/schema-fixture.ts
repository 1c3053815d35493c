/*
 * Writes what a database looked like under a schema, with a few rows in each of its tables:
 *
 *   bun scripts/schema-fixture.ts [number of the migration; the newest unless told]
 *
 * The file holds the statements of the migrations as they were that day, so a migration that is
 * changed after its release is found by tests/upgrade.test.ts, which brings each file forward. A
 * file that is there is never written again.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Migration, migrations } from "../src/store/migrations.ts";

type Row = Readonly<Record<string, unknown>>;

const AT = "2025-06-01T00:00:00.123Z";
const DIGEST = "ab".repeat(32);
const RUN = "0123456789abcdef0123456789abcdef";
const PIPELINE_RUN = "01940000-0000-7000-8000-000000000001";

/** Rows by table, each table after those that it refers to; a new table gets its rows here. */
const rows: Readonly<Record<string, readonly Row[]>> = {
  experiments: [
    {
      ...{ experiment_id: 1, name: "btc", artifact_location: "sluice:/1" },
      ...{ lifecycle_stage: "active", creation_time: 1748736000000, last_update_time: 1 },
    },
  ],
  experiment_tags: [{ experiment_id: 1, key: "team", value: "둘" }],
  pipelines: [{ pipeline: "btc", paused_at: AT }],
  pipeline_runs: [
    {
      ...{ id: PIPELINE_RUN, pipeline: "btc", slot: AT, kind: "slot", options: { a: [1, null] } },
      ...{ status: "succeeded", attempts: 1, created_at: AT, started_at: AT, ended_at: AT },
    },
    {
      ...{ id: PIPELINE_RUN.replace(/1$/, "2"), pipeline: "btc", slot: "2025-06-01T04:00:00Z" },
      ...{ kind: "slot", options: {}, status: "running", attempts: 1, lease_token: "t" },
      ...{ lease_holder: "host:1", lease_until: AT, created_at: AT },
    },
  ],
  steps: [
    {
      ...{ run_id: PIPELINE_RUN, step: "train", position: 2, status: "succeeded", attempts: 1 },
      ...{ elapsed_ms: 12, result: { version: 1 }, log: ["a line", 'with "quotes", {braces}'] },
    },
  ],
  runs: [
    {
      ...{ run_id: RUN, name: "btc it's", experiment_id: 1, user_id: "", status: "FINISHED" },
      ...{ start_time: 1748736000000, end_time: 1748736001000, artifact_uri: "sluice:/1/a" },
      ...{ lifecycle_stage: "active", pipeline_run_id: PIPELINE_RUN },
    },
  ],
  params: [{ run_id: RUN, key: "rate", value: "0.1" }],
  tags: [{ run_id: RUN, key: "mlflow.note", value: "two\nlines" }],
  metrics: [
    { run_id: RUN, key: "log_loss", value: 0.1 + 0.2, is_nan: false, timestamp: 1, step: 0 },
    { run_id: RUN, key: "bad", value: 0, is_nan: true, timestamp: 1, step: 0 },
  ],
  latest_metrics: [
    { run_id: RUN, key: "log_loss", value: 0.1 + 0.2, is_nan: false, timestamp: 1, step: 0 },
  ],
  datasets: [
    {
      ...{ dataset_id: 1, experiment_id: 1, name: "btc", digest: "d", source_type: "candles" },
      ...{ source: "{}", markets: ["KRW-BTC", "KRW-ETH"], first_slot: AT, last_slot: AT },
    },
  ],
  inputs: [{ run_id: RUN, dataset_id: 1, tags: { context: "training" } }],
  logged_models: [
    {
      ...{ model_id: `m-${RUN}`, experiment_id: 1, name: "model", model_type: "sklearn" },
      ...{ source_run_id: RUN, artifact_uri: "mlflow-artifacts:/1/models/m/artifacts" },
      ...{ status: "READY", creation_time: 1748736000000, last_updated_time: 1748736000001 },
    },
  ],
  logged_model_params: [{ model_id: `m-${RUN}`, key: "C", value: "1.0" }],
  logged_model_tags: [{ model_id: `m-${RUN}`, key: "team", value: "둘" }],
  logged_model_metrics: [
    {
      ...{ model_id: `m-${RUN}`, run_id: RUN, key: "auc", value: 0.5, is_nan: false },
      ...{ timestamp: 1, step: 0, dataset_name: "", dataset_digest: "" },
    },
  ],
  run_models: [{ run_id: RUN, model_id: `m-${RUN}`, direction: "output", step: 0 }],
  files: [{ path: "1/models/m/MLmodel", digest: DIGEST, size: 7, created_at: AT }],
  uploads: [{ upload_id: "u", path: "1/big.bin", key: "uploads/u", parts: 2, created_at: AT }],
  artifacts: [{ run_id: RUN, path: "model.onnx", digest: DIGEST, size: 7, created_at: AT }],
  registered_models: [{ name: "btc", creation_time: 1, last_updated_time: 2 }],
  registered_model_tags: [{ name: "btc", key: "k", value: "v" }],
  model_versions: [
    {
      ...{ name: "btc", version: 1, current_stage: "None", source: "sluice:/1/a", run_id: RUN },
      ...{ status: "READY", creation_time: 1, last_updated_time: 1, digest: DIGEST, size: 7 },
      ...{ signature: { inputs: [] }, gates: [{ name: "verified", passed: true }] },
    },
    {
      ...{ name: "btc", version: 2, current_stage: "Staging", source: "models:/m-1", run_id: "x" },
      ...{ storage_location: "mlflow-artifacts:/1/models/m-1/artifacts", model_id: "m-1" },
      ...{ status: "READY", creation_time: 1, last_updated_time: 1 },
    },
  ],
  model_version_tags: [{ name: "btc", version: 1, key: "k", value: "v" }],
  aliases: [{ name: "btc", alias: "champion", version: 1, since: AT }],
  alias_history: [
    {
      ...{ id: 1, name: "btc", alias: "champion", to_version: 1, at: AT, actor: "admin" },
      ...{ reason: "by hand", forced: false },
    },
  ],
  markets: [{ market: "KRW-BTC", unit: 240, first_start: AT, trouble: "away", trouble_at: AT }],
  candles: [
    {
      ...{ market: "KRW-BTC", unit: 240, start: "2025-06-01T00:00:00Z", open: 1e8, high: 1.1e8 },
      ...{ low: 99999999.5, close: 1e8, volume: 1e-8, turnover: 1234567890123.25 },
      ...{ known_from: AT },
    },
  ],
  holes: [
    {
      ...{ market: "KRW-BTC", unit: 240, start: AT, state: "unknown", asked: 2 },
      ...{ first_seen_at: AT, asked_at: AT },
    },
  ],
  quarantine: [
    {
      ...{ id: 1, market: "KRW-BTC", unit: 240, reason: "negative_price", detail: "d" },
      ...{ raw: "{}", digest: "d", seen: 3, first_seen_at: AT, last_seen_at: AT },
    },
  ],
  forecasts: [
    {
      ...{ id: PIPELINE_RUN, model: "btc", version: 1, model_digest: DIGEST, inputs_digest: "i" },
      ...{ market: "KRW-BTC", target_start: AT, made_at: AT, answer: { up: 0.5312345678901234 } },
      ...{ up: 0.5312345678901234, baselines: { base_rate: 0.5 }, outcome: "up" },
      ...{ outcome_return: 0.001, outcome_at: AT },
    },
  ],
  tokens: [{ name: "ci", digest: DIGEST, scopes: ["read", "predict"], created_at: AT }],
  table_imports: [
    {
      ...{ id: 1, model: "income", file: "adult.data", part: "train", sha256: DIGEST },
      ...{ layout: "l", rows: 1, refused: 0, report: { columns: [] }, actor: "admin", at: AT },
    },
  ],
  table_rows: [{ import_id: 1, line: 1, cells: '[39,"State-gov"]' }],
};

/** The statements that make the database, in a text with drizzle's mark between them. */
export function fixtureOf(applied: readonly Migration[]): string {
  const made = applied.map(({ sql }) => sql).join("\n");
  const has = (table: string) => made.includes(`CREATE TABLE "${table}" (`);
  const digest = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest("hex");
  const statements = [
    ...applied.flatMap(({ sql }) => sql.split(MARK)),
    `create table sluice_migrations (
  id integer primary key,
  name text not null,
  digest text not null,
  applied_at timestamptz not null default now()
);`,
    ...applied.map(
      ({ id, name, sql }) => `insert into sluice_migrations (id, name, digest)
values (${id}, '${name}', '${digest(sql)}');`,
    ),
    ...Object.entries(rows).flatMap(([table, those]) =>
      has(table) ? those.map((row) => insertOf(table, row)) : [],
    ),
  ];
  return `${statements.map((text) => text.trim()).join(`\n${MARK}\n`)}\n`;
}

const MARK = "--> statement-breakpoint";

/** A row as an INSERT of its JSON; columns that it leaves out get their defaults. */
function insertOf(table: string, row: Row): string {
  const columns = Object.keys(row).map((name) => `"${name}"`);
  const json = JSON.stringify(row).replaceAll("'", "''");
  return `insert into "${table}" (${columns.join(", ")})
select ${columns.join(", ")} from json_populate_record(null::"${table}", '${json}');`;
}

if (import.meta.main) {
  const newest = Number(process.argv[2] ?? migrations.length - 1);
  const applied = migrations.slice(0, newest + 1);
  const name = applied[newest]?.name;
  if (name === undefined) throw new Error(`There is no migration ${process.argv[2]}.`);
  const path = join(import.meta.dir, "..", "tests", "fixtures", `schema-${name}.sql`);
  writeFileSync(path, fixtureOf(applied), { flag: "wx" });
  console.log(path);
}
