import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { silentLog } from "../log.ts";
import type { Database } from "../store/database.ts";
import { makePipelineRuns, type PipelineRun, type PipelineRuns } from "../store/pipeline-runs.ts";
import { testDatabases } from "../store/testing.ts";
import { WAIT_MS, until as waitUntil } from "../testing.ts";
import { UNIT_MS } from "../types.ts";
import { isDead } from "./holder.ts";
import type { PipelineStep, StepContext } from "./pipeline.ts";
import { openQueue, type Queue } from "./queue.ts";
import { nextOfEach } from "./schedule.ts";
import { startWorker, type Worker } from "./worker.ts";

const T = (n: number) => Date.parse("2025-07-01T00:00:00Z") + n * UNIT_MS;

const until = (met: () => boolean | Promise<boolean>) => waitUntil(met, WAIT_MS, `${met}`, 20);

describe.each(testDatabases())("queue and workers on $name", ({ name, open }) => {
  let database: Database;
  let runs: PipelineRuns;
  const opened: { worker: Worker; queue: Queue }[] = [];
  beforeAll(async () => {
    database = await open();
    runs = makePipelineRuns(database, { now: () => T(0) });
    // Makes the queue's own tables, once for all tests.
    await (await openQueue(database, silentLog)).stop();
  });
  afterAll(async () => {
    await database.close();
  });
  beforeEach(async () => {
    for (const { worker, queue } of opened.splice(0)) {
      await worker.stop();
      await queue.stop();
    }
    await database.orm.execute(sql`truncate pipeline_runs, steps`);
    await database.orm.execute(sql`delete from queue.job`);
  });

  /** The runs that were worked on, in order. */
  const worked: string[] = [];
  /** A process's queue and workers; each run has one step, which does the work. */
  async function start(
    work: (context: StepContext) => Promise<void> = async () => {},
    change: { concurrency?: number; stepless?: string } = {},
  ) {
    const queue = await openQueue(database, silentLog);
    const step: PipelineStep = {
      name: "work",
      deadlineMs: 60_000,
      run: async (context) => {
        worked.push(context.run.id);
        await work(context);
        return {};
      },
    };
    const sendQueued = async () => {
      for (const run of nextOfEach(await runs.open())) await queue.send(run);
    };
    const ended: string[] = [];
    const worker = await startWorker({
      queue,
      runs,
      stepsOf: (run) => (run.pipeline === change.stepless ? null : [step]),
      concurrency: change.concurrency ?? 4,
      log: silentLog,
      onEnded: (run) => {
        ended.push(run.id);
        void sendQueued().catch(() => {});
      },
      onProgress: () => {},
    });
    const process = { worker, queue, sendQueued, ended };
    opened.push(process);
    return process;
  }

  const request = async (pipeline: string) =>
    (await runs.request({ pipeline, slot: T(0), kind: "retrain" }, ["work"])).run;
  const statusOf = async (id: string) => (await runs.run(id))!.status;
  const allDone = async (list: readonly PipelineRun[]) =>
    (await Promise.all(list.map((run) => statusOf(run.id)))).every((s) => s === "succeeded");

  // On Postgres the workers of a process look at the same moment, so it is one run a second.
  const many = name === "embedded" ? 20 : 2;
  test(`${many} runs of one pipeline, and others beside, are each worked on once`, async () => {
    worked.length = 0;
    let atOnce = 0;
    let most = 0;
    const busy = new Set<string>();
    const { sendQueued, ended } = await start(
      async ({ run }) => {
        expect(busy.has(run.pipeline)).toBe(false);
        busy.add(run.pipeline);
        most = Math.max(most, ++atOnce);
        // Those beside go on until they have met another, however busy the machine is.
        if (run.pipeline === "btc") await Bun.sleep(15);
        else await until(() => most > 1).catch(() => {});
        atOnce -= 1;
        busy.delete(run.pipeline);
      },
      { concurrency: 8 },
    );
    const list: PipelineRun[] = [];
    for (let i = 0; i < many; i++) list.push(await request("btc"));
    for (const pipeline of ["eth", "ada", "doge"]) list.push(await request(pipeline));
    await sendQueued();
    await until(() => allDone(list));
    expect(worked.sort()).toEqual(list.map((run) => run.id).sort());
    expect([...new Set(ended)].sort()).toEqual([...worked].sort());
    for (const run of list) expect((await runs.run(run.id))?.attempts).toBe(1);
    expect(most).toBeGreaterThan(1);
  }, 90_000);

  test("told of often, by two processes, each run is worked on once or left alone", async () => {
    worked.length = 0;
    const work = async ({ run }: StepContext) => {
      if (run.pipeline === "bad") throw new Error("no");
    };
    const one = await start(work, { stepless: "gone" });
    const two = await start(work, { stepless: "gone" });
    const [gone, bad, good] = [await request("gone"), await request("bad"), await request("good")];
    const over = await request("over");
    await runs.finish((await runs.claim(over.id, "other"))!, "succeeded");
    const told = [gone, { ...gone, id: "never" }, over, bad, good];
    await Promise.all([...told, ...told].flatMap((r) => [one.queue.send(r), two.queue.send(r)]));
    await until(async () => (await allDone([good])) && (await statusOf(bad.id)) === "failed");
    const left = sql`select count(*)::int as n from queue.job where state in ('created', 'active')`;
    await until(async () => (await database.rows<{ n: number }>(left))[0]?.n === 0);
    expect([...worked].sort()).toEqual([bad.id, good.id].sort());
    expect([...one.ended, ...two.ended].sort()).toEqual([bad.id, good.id].sort());
    expect(await statusOf(gone.id)).toBe("queued");
  });

  test("stopping gives back at once; whoever starts next goes on without waiting", async () => {
    worked.length = 0;
    const first = await start(({ signal }) => {
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    });
    const run = await request("btc");
    await first.queue.send(run);
    await until(() => worked.length === 1);
    // As the app does it (src/flow/background.ts): workers, then the queue.
    await first.worker.stop();
    await first.queue.stop();
    opened.splice(0);
    expect(await runs.run(run.id)).toMatchObject({ status: "queued", attempts: 0 });
    const second = await start();
    await second.sendQueued();
    await until(() => allDone([run]));
    expect(worked).toEqual([run.id, run.id]);
  });

  test("a message whose taker was killed before it claimed the run is not waited for", async () => {
    worked.length = 0;
    const before = await openQueue(database, silentLog);
    const run = await request("btc");
    await before.send(run);
    await before.stop();
    // What a killed taker leaves: a message taken and never ended.
    await database.orm.execute(sql`update queue.job set state = 'active', started_on = now()`);
    const next = await start();
    await next.sendQueued();
    await until(() => allDone([run]));
    expect(worked).toEqual([run.id]);
  });

  test("S9: messages that waited when the process ended are found by the next", async () => {
    worked.length = 0;
    const list = [await request("btc"), await request("eth"), await request("ada")];
    const before = await openQueue(database, silentLog);
    for (const run of list) await before.send(run);
    await before.stop();
    await start();
    await until(() => allDone(list));
    expect(worked.sort()).toEqual(list.map((run) => run.id).sort());
  });

  test.skipIf(name !== "postgres")("the run of a killed process is taken over", async () => {
    worked.length = 0;
    const run = await request("btc");
    // A database of its own, so its address is that of the test server with another name.
    const [{ db }] = (await database.rows<{ db: string }>(
      sql`select current_database() as db`,
    )) as [{ db: string }];
    const url = new URL(process.env["SLUICE_TEST_DATABASE_URL"] ?? "");
    url.pathname = `/${db}`;
    const source = (file: string) => JSON.stringify(join(import.meta.dir, file));
    const script = `
      const { openPostgres } = await import(${source("../store/database.ts")});
      const { makePipelineRuns } = await import(${source("../store/pipeline-runs.ts")});
      const { openQueue } = await import(${source("queue.ts")});
      const { startWorker } = await import(${source("worker.ts")});
      const { silentLog } = await import(${source("../log.ts")});
      const database = openPostgres(${JSON.stringify(url.href)});
      const runs = makePipelineRuns(database, { now: () => 0 });
      const queue = await openQueue(database, silentLog);
      const work = async () => {
        process.stdout.write("working\\n");
        await Bun.sleep(60_000);
        return {};
      };
      await startWorker({
        queue, runs, concurrency: 1, log: silentLog, onEnded() {}, onProgress() {},
        stepsOf: () => [{ name: "work", deadlineMs: 60_000, run: work }],
      });
      await queue.send(await runs.run(${JSON.stringify(run.id)}));`;
    const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
    try {
      const { value } = await child.stdout.getReader().read();
      expect(new TextDecoder().decode(value)).toBe("working\n");
      expect(await runs.freeLost(isDead)).toEqual([]);
      expect((await runs.run(run.id))?.leaseHolder).toContain(`/${child.pid}/`);
    } finally {
      child.kill("SIGKILL");
      await child.exited;
    }
    const { sendQueued } = await start();
    const freed = await runs.freeLost(isDead);
    expect(freed.map((r) => [r.id, r.status])).toEqual([[run.id, "queued"]]);
    await sendQueued();
    await until(() => allDone([run]));
    expect(worked).toEqual([run.id]);
    expect(await runs.run(run.id)).toMatchObject({ status: "succeeded", attempts: 2 });
  });
});
