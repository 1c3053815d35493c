/*
 * The queue (pg-boss) carries run ids to workers and nothing else: what is to be done stands in
 * the runs' own rows, so that a lost or doubled message changes nothing.
 */
import { PgBoss } from "pg-boss";
import type { Log } from "../log.ts";
import type { Database } from "../store/database.ts";
import type { PipelineRun } from "../store/pipeline-runs.ts";

const QUEUE = "pipeline-runs";

export interface Queue {
  /** Tells the workers about a queued run; told twice, it is one message. */
  send(run: PipelineRun): Promise<void>;
  /** Starts `concurrency` workers in this process. */
  work(concurrency: number, handle: (runId: string) => Promise<void>): Promise<void>;
  /** Stops taking messages; what is being handled is the caller's to end. */
  stop(): Promise<void>;
}

/** Opens the queue in the same database, making its schema when it is not there. */
export async function openQueue(database: Database, log: Log): Promise<Queue> {
  const boss = new PgBoss({ ...database.queue, schema: "queue", supervise: true });
  boss.on("error", (thrown) => log.warn("queue_error", { reason: thrown.message }));
  await boss.start();
  await boss.createQueue(QUEUE, {
    // One waiting message a key. One that was taken does not hold back another: its taker may have
    // died before it claimed the run, and a run is claimed once however often it is told of.
    policy: "short",
    retryLimit: 0,
    expireInSeconds: 3_600,
    deleteAfterSeconds: 86_400,
  });
  const workers: string[] = [];
  return {
    send: async (run) => {
      // Attempts in the key: a run that lost its worker is a new message, while the lost one's
      // may still count as active.
      const singletonKey = `${run.id}:${run.attempts}`;
      await boss.send(QUEUE, { runId: run.id }, { singletonKey });
      // Workers of this process need not wait for their next look; those at work look after it.
      for (const worker of workers) boss.notifyWorker(worker);
    },
    work: async (concurrency, handle) => {
      for (let i = 0; i < concurrency; i++) {
        const worker = await boss.work<{ runId: string }>(
          QUEUE,
          { pollingIntervalSeconds: 1 },
          async ([job]) => {
            if (job !== undefined) await handle(job.data.runId);
          },
        );
        workers.push(worker);
      }
    },
    stop: () => boss.stop({ graceful: false, close: true }),
  };
}
