/*
 * Notices between replicas: "this alias moved". Through Redis where there is one, else through
 * Postgres, or within this process alone. A notice only makes a replica look at the database
 * sooner; one that is lost costs a second, so a failure is a lost notice and never an error.
 */
import { sql } from "drizzle-orm";
import { Redis } from "ioredis";
import postgres from "postgres";
import { reasonOf } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Database } from "./database.ts";

export interface Notices {
  publish(notice: string): void;
  onNotice(listener: (notice: string) => void): void;
  /** Whether Redis carries notices right now; null where it is not what does. */
  connected(): boolean | null;
  close(): void;
}

const CHANNEL = "sluice:notices";
const COMMAND_MS = 1_000;
const BEAT_MS = 2_000;

/** Notices within this process only. */
export function localNotices(): Notices {
  const listeners: ((notice: string) => void)[] = [];
  return {
    publish: (notice) => {
      for (const listener of listeners) listener(notice);
    },
    onNotice: (listener) => listeners.push(listener),
    connected: () => null,
    close: () => {},
  };
}

/**
 * Notices through LISTEN and NOTIFY of Postgres; they come back to this process too. A pooler in
 * transaction mode loses them all.
 */
export function postgresNotices(url: string, database: Pick<Database, "rows">, log: Log): Notices {
  const client = postgres(url, {
    ...{ max: 1, connect_timeout: 10, onnotice: () => {} },
    connection: { application_name: "sluice-notices" },
  });
  const local = localNotices();
  const trouble = (thrown: unknown) => log.warn("notices_lost", { reason: reasonOf(thrown) });
  // The driver listens again, by itself, when the connection was lost.
  client.listen(CHANNEL, local.publish).catch(trouble);
  return {
    publish: (notice) => {
      database.rows(sql`select pg_notify(${CHANNEL}, ${notice})`).catch((thrown) => {
        trouble(thrown);
        local.publish(notice);
      });
    },
    onNotice: local.onNotice,
    connected: () => null,
    close: () => void client.end({ timeout: 0 }).catch(() => {}),
  };
}

/** Notices through Redis; they come back to this process too. */
export function redisNotices(url: string, log: Log): Notices {
  // Without these a command would wait in a queue for as long as Redis is away.
  const options = {
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    connectTimeout: 2_000,
    commandTimeout: COMMAND_MS,
    retryStrategy: (tries: number) => Math.min(tries * 200, 5_000),
  };
  const publisher = new Redis(url, options);
  const subscriber = new Redis(url, options);
  const local = localNotices();
  let troubled = false;
  const trouble = (thrown: unknown) => {
    if (!troubled) log.warn("redis_unreachable", { reason: reasonOf(thrown) });
    troubled = true;
  };
  publisher.on("error", trouble);
  subscriber.on("error", trouble);
  // A connection may be dead without a word: nothing would be heard of it until TCP gives up.
  const giveUp = (redis: Redis) => (thrown: unknown) => {
    trouble(thrown);
    if (redis.status === "ready") redis.disconnect(true);
  };
  const beat = setInterval(() => {
    for (const redis of [publisher, subscriber]) {
      if (redis.status === "ready") redis.ping().catch(giveUp(redis));
    }
  }, BEAT_MS);
  subscriber.on("ready", () => {
    troubled = false;
    subscriber.subscribe(CHANNEL).catch(giveUp(subscriber));
  });
  subscriber.on("message", (_channel: string, notice: string) => local.publish(notice));
  publisher.connect().catch(trouble);
  subscriber.connect().catch(trouble);
  return {
    publish: (notice) => {
      publisher.publish(CHANNEL, notice).catch((thrown) => {
        trouble(thrown);
        local.publish(notice);
      });
    },
    onNotice: local.onNotice,
    connected: () => publisher.status === "ready" && subscriber.status === "ready",
    close: () => {
      clearInterval(beat);
      publisher.disconnect();
      subscriber.disconnect();
    },
  };
}
