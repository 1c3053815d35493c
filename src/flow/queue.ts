/*
 * The queue (pg-boss) carries run ids to workers and nothing else: what is to be done stands in
 * the runs' own rows, so that a lost or doubled message changes nothing.
 */
import { PgBoss, type QueueOptions } from "pg-boss";
import type { Log } from "../log.ts";
import type { Database } from "../store/database.ts";
import type { PipelineRun } from "../store/pipeline-runs.ts";

const QUEUE = "pipeline-runs";
const DAILY = "daily";
const DAY_S = 86_400;
/** Work of a process that died is given to another after this. */
const DAILY_EXPIRES_S = 3_600;
/**
 * A message whose taker says nothing for so long is nobody's: it died, or could not say that it was
 * done. Looked after as often.
 */
const SILENCE_S = 30;

export interface Queue {
  /** Tells the workers about a queued run; told twice, it is one message. */
  send(run: PipelineRun): Promise<void>;
  /** Starts `concurrency` workers in this process. */
  work(concurrency: number, handle: (runId: string) => Promise<void>): Promise<void>;
  /** Stops taking messages; what is being handled is the caller's to end. */
  stop(): Promise<void>;
}

/** Work that one process of all does once a day. */
export interface DailyQueue {
  /** Lets this process do the daily work when it is its turn. */
  workDaily(handle: () => Promise<void>): Promise<void>;
  /** Asks for the work of this day (UTC): once a day, however many processes ask however often. */
  askDaily(): Promise<void>;
}

/** Opens the queue in the same database, making its schema when it is not there. */
export async function openQueue(database: Database, log: Log): Promise<Queue & DailyQueue> {
  const boss = new PgBoss({
    ...database.queue,
    schema: "queue",
    // When something is due is decided elsewhere, and who is there need not be known.
    schedule: false,
    registerInstance: false,
    supervise: true,
    superviseIntervalSeconds: SILENCE_S,
    monitorIntervalSeconds: SILENCE_S,
  });
  boss.on("error", (thrown) => log.warn("queue_error", { reason: thrown.message }));
  await boss.start();
  /** Made where it is not there; one of an earlier release is brought to the same. */
  const open = async (name: string, policy: "short" | "standard", options: QueueOptions) => {
    const there = await boss.getQueue(name);
    const wanted = Object.entries(options) as [keyof QueueOptions, unknown][];
    if (there === null) await boss.createQueue(name, { policy, ...options });
    else if (wanted.some(([key, value]) => there[key] !== value)) {
      await boss.updateQueue(name, options);
    }
  };
  // One waiting message a key. One that was taken does not hold back another: its taker may have
  // died before it claimed the run, and a run is claimed once however often it is told of.
  await open(QUEUE, "short", {
    retryLimit: 0,
    expireInSeconds: 3_600,
    heartbeatSeconds: SILENCE_S,
    deleteAfterSeconds: 86_400,
  });
  await open(DAILY, "standard", {
    retryLimit: 5,
    retryDelay: 600,
    expireInSeconds: DAILY_EXPIRES_S,
    heartbeatSeconds: SILENCE_S,
    // Longer than a day: while the row is there, the day's work is not asked for again.
    deleteAfterSeconds: 2 * DAY_S,
  });
  const workers: string[] = [];
  let daily: string | null = null;
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
    workDaily: async (handle) => {
      daily = await boss.work(DAILY, { pollingIntervalSeconds: 60 }, handle);
    },
    askDaily: async () => {
      await boss.send(DAILY, {}, { singletonKey: DAILY, singletonSeconds: DAY_S });
      if (daily !== null) boss.notifyWorker(daily);
    },
    stop: () => boss.stop({ graceful: false, close: true }),
  };
}
