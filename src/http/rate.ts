/*
 * So many requests in so many seconds for each key: counted in Redis where there is one, so that
 * replicas count together, and in memory where there is none or it does not answer. Imported only
 * where a limit is set.
 */
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import type { Rate } from "../config.ts";
import { SluiceError } from "../errors.ts";
import type { quickRedis } from "../store/redis.ts";

export interface RateLimit {
  /** Counts a request of the key: null where it may go on, else `rate_limited` (429) to tell. */
  take(key: string): Promise<SluiceError | null>;
}

export interface RateLimitOptions {
  /** What is counted, such as `address`: part of the names in Redis and of headers. */
  readonly name: string;
  readonly rate: Rate;
  readonly redis: ReturnType<typeof quickRedis> | null;
  /** How many keys are told apart in one span; the ones beyond share a limit. */
  readonly most?: number;
}

const MOST = 20_000;
/** After a failure of Redis it is left alone for a while: who waits for it waits 50 ms. */
const AWAY_MS = 1_000;
const OTHERS = "others";

/** The limit of one kind of key. */
export function makeRateLimit({ name, rate, redis, most = MOST }: RateLimitOptions): RateLimit {
  const { requests: points, seconds: duration } = rate;
  const shared = { points, duration, keyPrefix: `sluice:rate:${name}` };
  const memory = new RateLimiterMemory(shared);
  const store =
    redis === null
      ? null
      : new RateLimiterRedis({
          ...{ ...shared, storeClient: redis, rejectIfRedisNotReady: true },
          // Who is over the limit is told so without asking Redis again.
          inMemoryBlockOnConsumed: points + 1,
        });
  const keyOf = boundedKeys(most, duration * 1_000);
  let awayUntil = 0;

  /** What the limiter said: refused or not, or null where it failed. */
  async function asked(limiter: typeof memory | NonNullable<typeof store>, key: string) {
    try {
      return { result: await limiter.consume(key), isRefused: false };
    } catch (thrown) {
      return thrown instanceof RateLimiterRes ? { result: thrown, isRefused: true } : null;
    }
  }

  return {
    take: async (given) => {
      const key = keyOf(given, performance.now());
      let said = null;
      if (store !== null && performance.now() >= awayUntil) {
        said = await asked(store, key);
        if (said === null) awayUntil = performance.now() + AWAY_MS;
      }
      said ??= await asked(memory, key);
      return said?.isRefused === true ? refused(name, rate, said.result.msBeforeNext) : null;
    },
  };
}

/**
 * Names keys so that there are few at a time, whoever thinks up how many: a key beyond `most` in a
 * span of time is called "others". What is remembered elsewhere for one span is twice that at most.
 */
export function boundedKeys(most: number, spanMs: number): (key: string, now: number) => string {
  const known = new Set<string>();
  let since = Number.NEGATIVE_INFINITY;
  return (key, now) => {
    if (now - since >= spanMs) {
      known.clear();
      since = now;
    }
    if (known.has(key)) return key;
    if (known.size >= most) return OTHERS;
    known.add(key);
    return key;
  };
}

function refused(name: string, { requests, seconds }: Rate, ms: number): SluiceError {
  const wait = Math.max(1, Math.ceil(ms / 1_000));
  const span = seconds === 1 ? "a second" : `${seconds} seconds`;
  return new SluiceError({
    code: "rate_limited",
    status: 429,
    detail: `More than ${requests} requests in ${span} from this ${name}.`,
    fix: `Send the request again after ${wait} s, and fewer at a time; put rows together in one.`,
    retryAfter: wait,
    // https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
    headers: {
      "ratelimit-policy": `"${name}";q=${requests};w=${seconds}`,
      ratelimit: `"${name}";r=0;t=${wait}`,
    },
  });
}
