/*
 * Notices between replicas: "this alias moved". Redis publish/subscribe, or this process alone.
 * A notice only makes a replica look at the database sooner; one that is lost costs a second, so
 * every failure of Redis is a lost notice and never an error.
 */
import { Redis } from "ioredis";
import { reasonOf } from "../errors.ts";
import type { Log } from "../log.ts";

export interface Notices {
  publish(notice: string): void;
  onNotice(listener: (notice: string) => void): void;
  /** Whether notices reach other replicas right now; null when there is no Redis to do it. */
  connected(): boolean | null;
  close(): void;
}

const CHANNEL = "sluice:notices";

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

/** Notices through Redis; they come back to this process too. */
export function redisNotices(url: string, log: Log): Notices {
  // Without these a command would wait in a queue for as long as Redis is away.
  const options = {
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    connectTimeout: 2_000,
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
  subscriber.on("ready", () => {
    troubled = false;
    subscriber.subscribe(CHANNEL).catch(trouble);
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
      publisher.disconnect();
      subscriber.disconnect();
    },
  };
}
