/*
 * Redis for what can do without it: a command that cannot be carried out at once fails at once.
 */
import { Redis } from "ioredis";
import { reasonOf } from "../errors.ts";
import type { Log } from "../log.ts";

/** How long a command may take; whoever asks has something else to do after that. */
const COMMAND_MS = 50;

/** A connection whose commands fail when Redis is away, and after 50 ms when it is slow. */
export function quickRedis(url: string, log: Log, commandMs = COMMAND_MS): Redis {
  const redis = new Redis(url, {
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 2_000,
    commandTimeout: commandMs,
    retryStrategy: (tries: number) => Math.min(tries * 200, 5_000),
  });
  let troubled = false;
  const trouble = (thrown: unknown) => {
    if (!troubled) log.warn("redis_unreachable", { reason: reasonOf(thrown) });
    troubled = true;
  };
  redis.on("error", trouble);
  redis.on("ready", () => {
    troubled = false;
  });
  redis.connect().catch(trouble);
  return redis;
}
