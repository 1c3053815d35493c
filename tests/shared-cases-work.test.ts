/*
 * Two processes and one list of work: fifty trainings asked for at the same instant are fifty runs,
 * each claimed once.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { isDead } from "../src/flow/holder.ts";
import type { PipelineStep } from "../src/flow/pipeline.ts";
import { openQueue } from "../src/flow/queue.ts";
import { startSchedule } from "../src/flow/schedule.ts";
import { startWorker } from "../src/flow/worker.ts";
import { silentLog } from "../src/log.ts";
import { makePipelineRuns, type PipelineRuns } from "../src/store/pipeline-runs.ts";
import { until } from "../src/testing.ts";
import { type OpenDatabases, openDatabases } from "./shared.ts";
import { stores } from "./stores.ts";

const SLOT = Date.parse("2025-07-01T00:00:00Z");
const RUNS = 50;
const WORKERS = 2;

interface Replica {
  readonly runs: PipelineRuns;
  wake(): void;
  close(): Promise<void>;
}

describe.each([...stores()])("fifty trainings at the same instant on %s", (store) => {
  let databases: OpenDatabases;
  beforeAll(async () => {
    // As many as may work on one database: an embedded one is one process's, as the next test says.
    databases = await openDatabases(store, store === "embedded" ? 1 : 2);
  });
  afterAll(() => databases.close());

  test("are fifty runs with fifty claims, however many processes share them (S8)", async () => {
    const worked: { run: string; replica: number }[] = [];
    let atOnce = 0;
    const replicas: Replica[] = await Promise.all(
      databases.all.map(async (database, replica) => {
        const runs = makePipelineRuns(database, { now: () => SLOT });
        const queue = await openQueue(database, silentLog);
        const train: PipelineStep = {
          name: "train",
          deadlineMs: 60_000,
          run: async ({ run }) => {
            worked.push({ run: run.id, replica });
            // Of one pipeline never two at once, on whichever replica.
            expect(++atOnce).toBe(1);
            await Bun.sleep(1);
            atOnce--;
            return {};
          },
        };
        const { wake, stop } = startSchedule({
          ...{ queue, runs, log: silentLog, isDead, models: new Map(), clock: { now: () => SLOT } },
          stepNames: () => [train.name],
          tidy: async () => {},
        });
        const worker = await startWorker({
          ...{ queue, runs, log: silentLog, concurrency: WORKERS },
          stepsOf: () => [train],
          // Told at once, both go for the same run each time; by themselves they look less often.
          onEnded: () => {
            for (const replica of replicas) replica.wake();
          },
          onProgress: () => {},
        });
        const close = async () => {
          await stop();
          await worker.stop();
          await queue.stop();
        };
        return { runs, wake, close };
      }),
    );
    try {
      const wanted = { pipeline: "btc", slot: SLOT, kind: "retrain" } as const;
      const asked = await Promise.all(
        Array.from({ length: RUNS }, async (_, i) => {
          const { runs, wake } = replicas[i % replicas.length]!;
          const { run } = await runs.request(wanted, ["train"]);
          wake();
          return run.id;
        }),
      );
      expect(new Set(asked).size).toBe(RUNS);
      const { runs } = replicas[0]!;
      await until(async () => (await runs.open()).length === 0, 120_000, "all have ended", 100);
      const ended = await Promise.all(asked.map((id) => runs.run(id)));
      for (const run of ended) expect(run).toMatchObject({ status: "succeeded", attempts: 1 });
      expect(worked.map(({ run }) => run).toSorted()).toEqual(asked.toSorted());
      const shares = replicas.map((_, i) => worked.filter(({ replica }) => replica === i).length);
      for (const share of shares) expect(share).toBeGreaterThan(0);
    } finally {
      for (const { close } of replicas) await close();
    }
  }, 600_000);
});
