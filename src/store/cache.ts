/*
 * Texts kept for a while, in this process or in Redis. A cache only ever saves time: whatever is
 * wrong with it is a text that is not there.
 */
import type { Log } from "../log.ts";
import { quickRedis } from "./redis.ts";

/** What a look into the cache gives: an error is a text that is not there, and counted. */
export type Found =
  | { readonly result: "hit"; readonly text: string }
  | { readonly result: "miss" | "error" };

export interface Cache {
  /** The text of a key. Never throws, and waits for Redis as long as `quickRedis` does: 50 ms. */
  get(key: string): Found | Promise<Found>;
  /** Keeps a text for a while, unless that fails; nobody waits for it. */
  set(key: string, text: string): void;
  close(): void;
}

/** Redis is left alone so long after a failure: a dead one costs one wait in that time. */
const REST_MS = 1_000;

const MISS: Found = { result: "miss" };
const ERROR: Found = { result: "error" };

export interface MemoryOptions {
  readonly ttlMs: number;
  /** Of all texts and their keys, at two bytes a character. */
  readonly bytes: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

/** Texts in this process: those that were asked for last, as many as fit. */
export function memoryCache({ ttlMs, bytes, now = () => performance.now() }: MemoryOptions): Cache {
  /** The one that was asked for longest ago in front. */
  const kept = new Map<string, { readonly text: string; readonly until: number }>();
  let size = 0;
  const sizeOf = (key: string, text: string): number => 2 * (key.length + text.length);
  const drop = (key: string): void => {
    const entry = kept.get(key);
    if (entry === undefined) return;
    kept.delete(key);
    size -= sizeOf(key, entry.text);
  };
  return {
    get: (key) => {
      const entry = kept.get(key);
      if (entry === undefined) return MISS;
      if (entry.until <= now()) {
        drop(key);
        return MISS;
      }
      kept.delete(key);
      kept.set(key, entry);
      return { result: "hit", text: entry.text };
    },
    set: (key, text) => {
      drop(key);
      if (sizeOf(key, text) > bytes) return;
      kept.set(key, { text, until: now() + ttlMs });
      size += sizeOf(key, text);
      for (const oldest of kept.keys()) {
        if (size <= bytes) break;
        drop(oldest);
      }
    },
    close: () => {
      kept.clear();
      size = 0;
    },
  };
}

/** Texts in Redis, which all replicas share; Redis itself drops them. */
export function redisCache(url: string, { ttlMs, log }: { ttlMs: number; log: Log }): Cache {
  const redis = quickRedis(url, log);
  let restUntil = 0;
  const isOff = (): boolean => redis.status !== "ready" || performance.now() < restUntil;
  const rest = (): void => {
    if (isOff()) return;
    restUntil = performance.now() + REST_MS;
    // What it still has to say would come too late, and a connection may be dead without a word.
    redis.disconnect(true);
  };
  return {
    get: async (key) => {
      if (isOff()) return ERROR;
      try {
        const text = await redis.get(key);
        return text === null ? MISS : { result: "hit", text };
      } catch {
        rest();
        return ERROR;
      }
    },
    set: (key, text) => {
      if (!isOff()) redis.set(key, text, "PX", ttlMs).catch(rest);
    },
    close: () => redis.disconnect(),
  };
}
