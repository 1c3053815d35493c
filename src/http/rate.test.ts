import { afterEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { silentLog } from "../log.ts";
import { quickRedis } from "../store/redis.ts";
import { stopwatch, until, WAIT_MS } from "../testing.ts";
import { boundedKeys, makeRateLimit, type RateLimit } from "./rate.ts";

const redisUrl = process.env["SLUICE_TEST_REDIS_URL"];

const closing: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

const rate = { requests: 3, seconds: 60 };

/** What a key gets in so many tries: the refusals' codes, or null. */
async function takes(limit: RateLimit, key: string, tries: number) {
  const codes: (string | null)[] = [];
  for (let i = 0; i < tries; i++) codes.push((await limit.take(key))?.code ?? null);
  return codes;
}

const ALLOWED = [null, null, null];

describe("in memory", () => {
  test("each key has its own count, and a refusal says when to come again", async () => {
    const limit = makeRateLimit({ name: "address", rate, redis: null });
    expect(await takes(limit, "a", 4)).toEqual([...ALLOWED, "rate_limited"]);
    expect(await takes(limit, "b", 3)).toEqual(ALLOWED);
    const refused = await limit.take("a");
    expect(refused?.status).toBe(429);
    expect(refused?.retryAfter).toBeGreaterThan(58);
    expect(refused?.retryAfter).toBeLessThanOrEqual(60);
    expect(refused?.message).toContain("3 requests in 60 seconds");
    expect(refused?.headers).toEqual({
      "ratelimit-policy": '"address";q=3;w=60',
      ratelimit: `"address";r=0;t=${refused?.retryAfter}`,
    });
  });

  test("a span that is over begins anew", async () => {
    const short = { requests: 2, seconds: 1 };
    const limit = makeRateLimit({ name: "address", rate: short, redis: null });
    expect(await takes(limit, "a", 3)).toEqual([null, null, "rate_limited"]);
    await Bun.sleep(1_050);
    expect(await takes(limit, "a", 3)).toEqual([null, null, "rate_limited"]);
  });

  test("keys beyond the bound share one count", async () => {
    const limit = makeRateLimit({ name: "address", rate, redis: null, most: 2 });
    for (const key of ["a", "b"]) expect(await takes(limit, key, 1)).toEqual([null]);
    const codes = await Promise.all(["c", "d", "e", "f"].map((key) => limit.take(key)));
    expect(codes.map((error) => error?.code ?? null)).toEqual([...ALLOWED, "rate_limited"]);
    expect(await takes(limit, "a", 2)).toEqual([null, null]);
  });
});

test("names of keys are few in a span of time, whoever makes them up", () => {
  const keyOf = boundedKeys(3, 100);
  const names = Array.from({ length: 1_000 }, (_, i) => keyOf(`k${i}`, 50));
  expect(new Set(names)).toEqual(new Set(["k0", "k1", "k2", "others"]));
  expect(keyOf("k2", 149)).toBe("k2");
  expect(keyOf("k900", 149)).toBe("others");
  expect(keyOf("k900", 150)).toBe("k900");
});

/** A server that takes commands, in the form of Redis, and answers nothing after the greeting. */
function deafRedis() {
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data: (socket, data) => {
        // What ioredis asks when it connects is answered; what comes later is not.
        for (const [, asked] of data.toString().matchAll(/\r\n(hello|info|client)\r\n/gi)) {
          socket.write(asked === "hello" ? "%0\r\n" : "+OK\r\n");
        }
      },
    },
  });
  closing.push(() => server.stop(true));
  return `redis://127.0.0.1:${server.port}`;
}

async function connected(url: string, commandMs?: number) {
  const redis = quickRedis(url, silentLog, commandMs);
  closing.push(() => redis.disconnect());
  await until(() => redis.status === "ready", WAIT_MS, "the connection is ready", 10);
  return redis;
}

describe("a Redis that", () => {
  test("is not there is done without, at once", async () => {
    const redis = quickRedis("redis://127.0.0.1:1", silentLog);
    closing.push(() => redis.disconnect());
    const limit = makeRateLimit({ name: "address", rate, redis });
    const watch = stopwatch();
    expect(await takes(limit, "a", 5)).toEqual([...ALLOWED, "rate_limited", "rate_limited"]);
    expect(watch.ms()).toBeLessThan(watch.promised(100));
  });

  test("does not answer costs one wait of 50 ms, not one a request", async () => {
    const redis = await connected(deafRedis());
    const limit = makeRateLimit({ name: "address", rate, redis });
    const first = stopwatch();
    expect(await takes(limit, "a", 1)).toEqual([null]);
    expect(first.ms()).toBeGreaterThan(40);
    expect(first.ms()).toBeLessThan(first.promised(150));
    const others = stopwatch();
    expect(await takes(limit, "a", 3)).toEqual([null, null, "rate_limited"]);
    // Three waits would be 150 ms.
    expect(others.ms()).toBeLessThan(others.promised(30));
  });
});

describe.skipIf(redisUrl === undefined)("with Redis", () => {
  test("two replicas count together, and what is over is refused by each", async () => {
    const name = `test-${randomBytes(6).toString("hex")}`;
    const [one, two] = await Promise.all([0, 1].map(() => connected(redisUrl!, WAIT_MS)));
    if (one === undefined || two === undefined) throw new Error("There are two.");
    const first = makeRateLimit({ name, rate, redis: one });
    const second = makeRateLimit({ name, rate, redis: two });
    expect(await takes(first, "a", 2)).toEqual([null, null]);
    expect(await takes(second, "a", 2)).toEqual([null, "rate_limited"]);
    const refused = await first.take("a");
    expect(refused?.retryAfter).toBeGreaterThan(50);
    expect(await takes(second, "b", 3)).toEqual(ALLOWED);
    // Nothing of it stays longer than the span.
    const ttl = await one.pttl(`sluice:rate:${name}:a`);
    expect(ttl).toBeGreaterThan(0);
    expect(ttl).toBeLessThanOrEqual(60_000);
    await one.del(`sluice:rate:${name}:a`, `sluice:rate:${name}:b`);
  });
});
