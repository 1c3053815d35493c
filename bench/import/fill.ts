/*
 * A tracking server's contents, made by SQL in its own Postgres and by files in its own folder, since
 * logging them by its calls takes hours: runs with ten metrics of ten to a hundred points each, ten
 * params and six tags; every tenth has three files; one in a hundred is registered.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Sql } from "postgres";

export interface Filled {
  readonly runs: number;
  readonly points: number;
  readonly files: number;
  readonly versions: number;
}

const EXPERIMENTS = 5;
const METRICS = 10;
const AT_ONCE = 2_000;
const FILE_BYTES = 20_000;

/** The id of a run, the same wherever it is made. */
const idOf = (at: number): string => new Bun.CryptoHasher("md5").update(`run ${at}`).digest("hex");
/** Points of a metric of a run: from 10 to 100. */
const pointsOf = (at: number, metric: number): number => 10 + ((at * 37 + metric * 11) % 91);
const experimentOf = (at: number): number => 101 + (at % EXPERIMENTS);

/** Fills an empty database that the server has laid out, and the folder of its files. */
export async function fillDatabase(client: Sql, artifacts: string, runs: number): Promise<Filled> {
  await client.unsafe(`
    insert into experiments (experiment_id, name, artifact_location, lifecycle_stage,
      creation_time, last_update_time)
    select 100 + e, 'experiment ' || e, 'mlflow-artifacts:/' || 100 + e, 'active',
      1700000000000 + e, 1700000000000 + e from generate_series(1, ${EXPERIMENTS}) e`);
  let points = 0;
  for (let at = 0; at < runs; at += AT_ONCE) {
    const i = `generate_series(${at}, ${Math.min(runs, at + AT_ONCE) - 1}) i`;
    const id = "md5('run ' || i)";
    await client.unsafe(`
      insert into runs (run_uuid, name, experiment_id, user_id, status, start_time, end_time,
        artifact_uri, lifecycle_stage, source_type, source_name, source_version, entry_point_name)
      select ${id}, 'run-' || i, 101 + i % ${EXPERIMENTS}, 'u' || i % 7, 'FINISHED',
        1700000000000 + i * 1000, 1700000000500 + i * 1000,
        'mlflow-artifacts:/' || 101 + i % ${EXPERIMENTS} || '/' || ${id} || '/artifacts',
        'active', 'LOCAL', '', '', '' from ${i}`);
    await client.unsafe(`
      insert into params (run_uuid, key, value)
      select ${id}, 'p' || k, 'v' || i * k % 17 from ${i}, generate_series(1, 10) k`);
    await client.unsafe(`
      insert into tags (run_uuid, key, value)
      select ${id}, 't' || k, 'x' || i % 500 from ${i}, generate_series(1, 6) k`);
    const many = `generate_series(0, 9 + (i * 37 + k * 11) % 91) p`;
    const [{ count }] = await client.unsafe<[{ count: string }]>(`
      with made as (insert into metrics (run_uuid, key, value, timestamp, step, is_nan)
        select ${id}, 'm' || k, sin(i + k + p), 1700000000000 + p, p, false
        from ${i}, generate_series(1, ${METRICS}) k, ${many} returning 1)
      select count(*) from made`);
    points += Number(count);
    await client.unsafe(`
      insert into latest_metrics (run_uuid, key, value, timestamp, step, is_nan)
      select ${id}, 'm' || k, sin(i + k + p), 1700000000000 + p, p, false
      from ${i}, generate_series(1, ${METRICS}) k,
        lateral (select 9 + (i * 37 + k * 11) % 91 as p) l`);
  }
  const versions = Math.ceil(runs / 100);
  await client.unsafe(`
    insert into registered_models (name, creation_time, last_updated_time)
    select 'model-' || m, 1700000000000, 1700000000000 from generate_series(0, 9) m`);
  await client.unsafe(`
    insert into model_versions (name, version, creation_time, last_updated_time, current_stage,
      source, run_id, status)
    select 'model-' || v % 10, v / 10 + 1, 1700000000000 + v, 1700000000000 + v, 'None',
      'runs:/' || md5('run ' || v * 100) || '/model', md5('run ' || v * 100), 'READY'
    from generate_series(0, ${versions - 1}) v`);
  await client.unsafe("analyze");
  const files = fillFiles(runs, (at) =>
    join(artifacts, `${experimentOf(at)}`, idOf(at), "artifacts"),
  );
  return { runs, points, files, versions };
}

/** Files of runs, in the folder that each has; how many. */
function fillFiles(runs: number, folderOf: (at: number) => string): number {
  let files = 0;
  const bytes = new Uint8Array(FILE_BYTES);
  for (let at = 0; at < runs; at += 10) {
    const folder = folderOf(at);
    mkdirSync(join(folder, "model"), { recursive: true });
    for (const name of ["a.bin", "b.bin", "model/MLmodel"]) {
      // Other bytes in each, so that none is stored for another.
      bytes.set(new TextEncoder().encode(`${at} ${name}`));
      writeFileSync(join(folder, name), bytes);
      files++;
    }
  }
  return files;
}

/** The same as a folder of the file store, without the registry. */
export function fillFolder(root: string, runs: number): Filled {
  const meta = (members: Readonly<Record<string, string | number>>) =>
    Object.entries(members)
      .map(([name, value]) => `${name}: ${typeof value === "number" ? value : `'${value}'`}\n`)
      .join("");
  const write = (folder: string, files: Readonly<Record<string, string>>) => {
    mkdirSync(folder, { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  };
  for (let e = 1; e <= EXPERIMENTS; e++) {
    const [experiment_id, name] = [`${100 + e}`, `experiment ${e}`];
    const artifact_location = `file:///there/mlruns/${experiment_id}`;
    const times = { creation_time: 1_700_000_000_000 + e, last_update_time: 1_700_000_000_000 + e };
    write(join(root, experiment_id), {
      "meta.yaml": meta({
        experiment_id,
        name,
        artifact_location,
        lifecycle_stage: "active",
        ...times,
      }),
    });
  }
  let points = 0;
  for (let at = 0; at < runs; at++) {
    const [experiment_id, run_id] = [`${experimentOf(at)}`, idOf(at)];
    const folder = join(root, experiment_id, run_id);
    write(folder, {
      "meta.yaml": meta({
        ...{
          experiment_id,
          run_id,
          run_uuid: run_id,
          run_name: `run-${at}`,
          user_id: `u${at % 7}`,
        },
        artifact_uri: `file:///there/mlruns/${experiment_id}/${run_id}/artifacts`,
        ...{ lifecycle_stage: "active", status: 3, start_time: 1_700_000_000_000 + at * 1_000 },
        end_time: 1_700_000_000_500 + at * 1_000,
      }),
    });
    const keys = (many: number, value: (key: number) => string, prefix: string) =>
      Object.fromEntries(
        Array.from({ length: many }, (_, i) => [`${prefix}${i + 1}`, value(i + 1)]),
      );
    write(
      join(folder, "params"),
      keys(10, (k) => `v${(at * k) % 17}`, "p"),
    );
    write(
      join(folder, "tags"),
      keys(6, () => `x${at % 500}`, "t"),
    );
    write(
      join(folder, "metrics"),
      keys(
        METRICS,
        (k) => {
          const many = pointsOf(at, k);
          points += many;
          return Array.from(
            { length: many },
            (_, p) => `${1_700_000_000_000 + p} ${Math.sin(at + k + p)} ${p}\n`,
          ).join("");
        },
        "m",
      ),
    );
  }
  const files = fillFiles(runs, (at) => join(root, `${experimentOf(at)}`, idOf(at), "artifacts"));
  return { runs, points, files, versions: 0 };
}
