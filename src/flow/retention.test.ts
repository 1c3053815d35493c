import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import type { RetainConfig } from "../config.ts";
import { silentLog } from "../log.ts";
import { bytesOf, SIGNATURE, START, testClock } from "../registry/fixture.ts";
import { makePromotion } from "../registry/promotion.ts";
import { PARENT_RUN } from "../registry/run-list.ts";
import { makeSweep } from "../registry/sweep.ts";
import { makeTracking } from "../registry/tracking.ts";
import { makeTrainings } from "../registry/trainings.ts";
import { makeVersions } from "../registry/versions.ts";
import { removeAsides } from "../store/asides.ts";
import type { Database } from "../store/database.ts";
import { makeForecasts } from "../store/forecasts.ts";
import { folderObjects, type Objects, s3Objects } from "../store/objects.ts";
import { makePipelineRuns } from "../store/pipeline-runs.ts";
import { makeRemovals } from "../store/retention.ts";
import { testDatabases } from "../store/testing.ts";
import { until, WAIT_MS } from "../testing.ts";
import { openQueue } from "./queue.ts";
import { makeRetentionJob, ORPHAN_MS } from "./retention.ts";

const DAY = 86_400_000;
const FOR_EVER: RetainConfig = {
  runsDays: null,
  trainingsDays: null,
  forecastsDays: null,
  quarantineDays: null,
  versions: null,
};
const env = (name: string) => process.env[`SLUICE_TEST_S3_${name}`] ?? "";
const s3 =
  env("ENDPOINT") === ""
    ? null
    : {
        endpoint: env("ENDPOINT"),
        bucket: `retention-${crypto.randomUUID().slice(0, 8)}`,
        accessKey: env("KEY"),
        secretKey: env("SECRET"),
        region: "us-east-1",
      };

describe.each(testDatabases())("retention on $name", ({ name: on, open }) => {
  let database: Database;
  let folder: string;
  let objects: Objects;
  const clock = testClock();
  beforeAll(async () => {
    database = await open();
    folder = await mkdtemp(join(tmpdir(), "sluice-retention-"));
    // The two kinds of store: everything in a folder, everything on servers.
    objects = on === "postgres" && s3 !== null ? s3Objects(s3) : folderObjects(folder);
  });
  afterAll(async () => {
    for await (const digest of objects.list()) await objects.remove(digest);
    await database.close();
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    clock.at = START;
    await database.orm.execute(
      sql`truncate experiments, registered_models, pipeline_runs, forecasts, quarantine cascade`,
    );
    await database.orm.execute(sql`truncate alias_history`);
    for await (const digest of objects.list()) await objects.remove(digest);
  });

  /** A registry and the job over it, as services.ts puts them together. */
  function house(limits: Partial<RetainConfig>, over = objects) {
    const deps = { database, objects: over, clock };
    const versions = makeVersions({ ...deps, check: async () => {} });
    const sweep = makeSweep(deps);
    const trainings = makeTrainings(database);
    const job = makeRetentionJob({
      ...{ clock, versions, trainings, sweep },
      limits: { ...FOR_EVER, ...limits },
      removals: makeRemovals(database),
      tidyFiles: () => removeAsides(folder, 3_600_000),
      log: silentLog,
    });
    return {
      ...{ job, versions, trainings },
      tracking: makeTracking(deps),
      promotion: makePromotion(deps),
      runs: makePipelineRuns(database, clock),
      forecasts: makeForecasts(database, clock),
    };
  }
  type House = ReturnType<typeof house>;

  const STEPS = ["train"];
  /** A pipeline run, a training of it, and its version. */
  async function trained({ runs, tracking, versions }: House, n: number) {
    const wanted = { pipeline: "btc", slot: START + n * 1_000, kind: "slot" as const };
    const { run } = await runs.request(wanted, STEPS);
    const lease = (await runs.claim(run.id, "test"))!;
    const experimentId = await tracking.experiment("btc");
    const about = { experimentId, name: `run ${n}`, pipelineRunId: run.id };
    const runId = await tracking.startRun(about);
    await tracking.logArtifact(runId, "training.json", bytesOf(`training ${n}`));
    const bytes = bytesOf(`model ${n}`);
    const { digest } = await versions.register({
      ...{ name: "btc", runId, bytes, signature: SIGNATURE },
    });
    await tracking.endRun(runId, "FINISHED");
    return { id: run.id, runId, digest, end: () => runs.finish(lease, "succeeded") };
  }

  const digests = async () => (await Array.fromAsync(objects.list())).length;
  const motive = { actor: "a", reason: "b" };

  test("R8: of ten versions the champion and that of a running job stay, eight go", async () => {
    const all = house({ versions: 1 });
    const made = [];
    for (let n = 1; n <= 10; n++) {
      const one = await trained(all, n);
      // The run that made version 9 is still at work.
      if (n !== 9) await one.end();
      else {
        // One run of a pipeline at a time: the next belongs to another.
        await database.orm.execute(
          sql`update pipeline_runs set pipeline = 'other' where id = ${one.id}`,
        );
      }
      made.push(one);
    }
    await all.promotion.promote({ name: "btc", version: 4, ...motive });
    const outside = await all.tracking.startRun({
      ...{ experimentId: await all.tracking.experiment("btc"), name: "outside" },
    });
    await all.versions.register({
      ...{ name: "btc", runId: outside, bytes: bytesOf("outside"), signature: SIGNATURE },
    });
    await objects.remove(made[5]!.digest);
    const before = await digests();
    const { removed, failed } = await all.job.run();
    expect(failed).toEqual([]);
    expect(removed).toMatchObject({ versions: 8, trainings: 0, objects: 0 });
    // A backup that has read the rows before still finds the bytes; then they go.
    expect(await digests()).toBe(before);
    clock.at += ORPHAN_MS;
    await all.job.sweepAgain();
    expect(all.job.totals().removed.objects).toBe(7);
    expect(all.job.totals().freedBytes).toBe(6 * "model 1".length + "model 10".length);
    for (const [i, { digest }] of made.entries()) {
      expect([i + 1, await objects.has(digest)]).toEqual([i + 1, i + 1 === 4 || i + 1 === 9]);
    }
    expect(await digests()).toBe(before - 7);
    const left = (await all.versions.versions("btc", { limit: 20 })).items;
    expect(left.map(({ version }) => version)).toEqual([11, 9, 4]);
    const { kept } = await all.versions.retain("btc", { newest: 1, onlyTrained: true });
    expect(kept.map(({ version, reason }) => [version, reason])).toEqual([
      [11, "It is from outside."],
      [9, `Pipeline run ${made[8]!.id} works with it.`],
      [4, "It is champion."],
    ]);
    const again = await all.job.run();
    expect([...Object.values(again.removed)]).toEqual(Array(8).fill(0));
    expect(await all.trainings.artifactSizes()).toMatchObject({ files: 13 });
  });

  test("champions before this one stay for rollbacks, and what came from outside stays", async () => {
    const all = house({ versions: 1 });
    for (let n = 1; n <= 4; n++) await (await trained(all, n)).end();
    for (const version of [2, 3]) await all.promotion.promote({ name: "btc", version, ...motive });
    const { removed } = await all.job.run();
    expect(removed.versions).toBe(1);
    expect((await all.promotion.rollback({ name: "btc", actor: "a" })).version).toBe(2);
  });

  test("old trainings go with their trials and files, but none with a version or at work", async () => {
    const all = house({ versions: 1, trainingsDays: 90 });
    const first = await trained(all, 1);
    await first.end();
    const second = await trained(all, 2);
    await second.end();
    const { tracking } = all;
    const experimentId = await tracking.experiment("btc");
    await tracking.logDataset(first.runId, {
      ...{ name: "btc", digest: "ab", sourceType: "sluice_table", source: "{}", schema: null },
      ...{ profile: null, markets: null, firstSlot: null, lastSlot: null, asOf: START },
    });
    const below = { [PARENT_RUN]: first.runId };
    const child = { experimentId, name: "trial", tags: { ...below, "sluice.model": "btc" } };
    const trial = await tracking.startRun(child);
    await tracking.endRun(trial, "FINISHED");
    // A client may log below a training what it made of it.
    const theirs = await tracking.startRun({ experimentId, name: "theirs", tags: below });
    await tracking.endRun(theirs, "FINISHED");
    const outside = await tracking.startRun({ experimentId, name: "outside" });
    await tracking.endRun(outside, "FINISHED");
    const open = await tracking.startRun({ experimentId, name: "open", pipelineRunId: "p" });
    expect((await all.job.run()).removed).toMatchObject({ versions: 1, trainings: 0 });
    clock.at = START + 91 * DAY;
    const report = await all.job.run();
    expect(report.failed).toEqual([]);
    // Its version's bytes were seen without a row 91 days before; its files go after a while.
    expect(report.removed).toMatchObject({ trainings: 2, datasets: 1, objects: 1 });
    clock.at += ORPHAN_MS;
    await all.job.sweepAgain();
    expect(await tracking.run(first.runId)).toBeNull();
    expect(await tracking.run(trial)).toBeNull();
    for (const kept of [second.runId, outside, theirs, open]) {
      expect((await tracking.run(kept))?.runId).toBe(kept);
    }
    expect(await digests()).toBe(2);
    // Its number is not given again.
    expect((await all.versions.models())[0]).toMatchObject({ latest: 2 });
    expect((await all.job.run()).removed.trainings).toBe(0);
  });

  test("counts what is where, which the embedded database never does by itself", async () => {
    const all = house({});
    await trained(all, 1);
    const table = sql`oid = 'experiments'::regclass`;
    const counted = async () => {
      const found = sql`select reltuples::integer as n from pg_class where ${table}`;
      return (await database.rows<{ n: number }>(found))[0]?.n;
    };
    // As it is before anybody has counted.
    if (database.kind === "embedded") {
      await database.orm.execute(sql`update pg_class set reltuples = -1 where ${table}`);
    }
    expect((await all.job.run()).failed).toEqual([]);
    if (database.kind === "embedded") expect(await counted()).toBeGreaterThan(0);
  });

  test("pipeline runs: open ones, the newest fifty and the last slot's stay", async () => {
    const all = house({ runsDays: 90 });
    const many = (pipeline: string, from: number, to: number, kind: string, status: string) =>
      database.orm.execute(sql`
        insert into pipeline_runs (id, pipeline, slot, kind, status, created_at, ended_at)
        select ${pipeline} || to_char(n, 'FM00000'), ${pipeline},
          timestamptz '2025-01-01' + n * interval '4 hours', ${kind}, ${status},
          timestamptz '2025-01-01', timestamptz '2025-01-02'
        from generate_series(${from}::int, ${to}::int) as n`);
    await many("a", 1, 1_200, "slot", "succeeded");
    await many("b", 1, 1, "slot", "succeeded");
    await many("b", 2, 70, "retrain", "succeeded");
    await many("c", 1, 60, "retrain", "queued");
    await database.orm.execute(sql`
      insert into steps (run_id, step, position, status) select id, 'x', 0, 'succeeded'
      from pipeline_runs`);
    const { removed, failed } = await all.job.run();
    expect(failed).toEqual([]);
    expect(removed.pipeline_runs).toBe(1_150 + 19);
    const left = sql`select pipeline, count(*)::int as n, min(id) as first from pipeline_runs
      group by 1 order by 1`;
    expect(await database.rows<object>(left)).toEqual([
      { pipeline: "a", n: 50, first: "a01151" },
      { pipeline: "b", n: 51, first: "b00001" },
      { pipeline: "c", n: 60, first: "c00001" },
    ]);
    const steps = await database.rows<object>(sql`select count(*)::int as n from steps`);
    expect(steps).toEqual([{ n: 161 }]);
  });

  test("forecasts go with their outcome only, refused rows when they were not met again", async () => {
    const all = house({ forecastsDays: 30, quarantineDays: 30 });
    const at = (days: number) => START - days * DAY;
    for (const [id, days, outcome] of [
      ...([["old", 31, "up"] as const, ["waits", 31, null] as const] as const),
      ["young", 29, "down"] as const,
    ]) {
      await all.forecasts.store({
        ...{ id, model: "btc", version: 1, modelDigest: id, inputsDigest: id, market: "KRW-BTC" },
        ...{ targetStart: at(days), madeAt: at(days), answer: {}, outcome },
      });
    }
    await database.orm.execute(sql`
      insert into quarantine (market, unit, reason, detail, raw, digest, first_seen_at, last_seen_at)
      select 'KRW-BTC', 240, 'r', 'd', '', d::text, timestamptz '2025-01-01',
        timestamptz '2025-07-01' - d * interval '1 day' from generate_series(25, 35) as d`);
    const { removed, failed } = await all.job.run();
    expect(failed).toEqual([]);
    expect(removed).toMatchObject({ forecasts: 1, quarantine: 5 });
    expect((await all.forecasts.list("btc", 10, null)).map(({ id }) => id)).toEqual([
      ...["young", "waits"],
    ]);
    // A replay's clock that does not know its time yet.
    clock.at = 0;
    expect((await all.job.run()).removed.forecasts).toBe(0);
  });

  test("a part that fails is told, and the others are done", async () => {
    const broken = {
      ...objects,
      list: (): AsyncIterable<string> => {
        throw new Error("S3 is away");
      },
    };
    const all = house({ versions: 1 }, broken);
    for (let n = 1; n <= 2; n++) await (await trained(all, n)).end();
    const { removed, failed } = await all.job.run();
    expect(removed.versions).toBe(1);
    expect(failed).toEqual(["objects: S3 is away"]);
    expect(all.job.totals().removed.versions).toBe(1);
  });

  test("orphans go in the second look, files written aside when they are old", async () => {
    const all = house({});
    const orphan = await objects.put(bytesOf("nobody's"));
    await all.job.run();
    clock.at += ORPHAN_MS + 1;
    await all.job.sweepAgain();
    expect(await objects.has(orphan)).toBe(false);
    expect(all.job.totals().removed.objects).toBe(1);
    const path = (name: string) => join(folder, "ab", name);
    const [old, young, whole] = [crypto.randomUUID(), crypto.randomUUID(), "model.onnx"].map(
      (end) => path(`${"ab".repeat(32)}.${end}`),
    ) as [string, string, string];
    for (const file of [old, young, whole]) await Bun.write(file, "half");
    const yesterday = new Date(Date.now() - DAY);
    for (const file of [old, whole]) await utimes(file, yesterday, yesterday);
    const { removed, freedBytes } = await all.job.run();
    expect([removed.files, freedBytes]).toEqual([1, 4]);
    expect(await Promise.all([old, young, whole].map((file) => Bun.file(file).exists()))).toEqual([
      ...[false, true, true],
    ]);
  });

  test("of several processes one does the day's work, however often they ask", async () => {
    const done: string[] = [];
    const queues = await Promise.all([
      openQueue(database, silentLog),
      ...(on === "postgres" ? [openQueue(database, silentLog)] : []),
    ]);
    try {
      for (const [i, queue] of queues.entries()) {
        await queue.workDaily(async () => {
          done.push(`process ${i}`);
        });
      }
      await Promise.all(queues.map((queue) => queue.askDaily()));
      await until(() => done.length > 0, WAIT_MS, "the day's work is done");
      await Bun.sleep(1_500);
      for (const queue of queues) await queue.askDaily();
      await Bun.sleep(500);
      expect(done).toHaveLength(1);
    } finally {
      for (const queue of queues) await queue.stop();
    }
  });
});
