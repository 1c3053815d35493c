import { afterEach, describe, expect, test } from "bun:test";
import type { Log } from "../log.ts";
import { stopwatch, WAIT_MS, until as waitUntil } from "../testing.ts";
import { type Cache, memoryCache, redisCache } from "./cache.ts";

const redisUrl = process.env["SLUICE_TEST_REDIS_URL"];

function keptLog(): Log & { warnings: string[] } {
  const warnings: string[] = [];
  return { warnings, info: () => {}, warn: (event) => void warnings.push(event), error: () => {} };
}

const textOf = async (cache: Cache, key: string): Promise<string | null> => {
  const found = await cache.get(key);
  return found.result === "hit" ? found.text : null;
};
const resultOf = async (cache: Cache, key: string) => (await cache.get(key)).result;

const until = (met: () => Promise<boolean>) => waitUntil(met, WAIT_MS, `${met}`, 10);

describe("in memory", () => {
  test("a text is there until its time is over", async () => {
    let now = 0;
    const cache = memoryCache({ ttlMs: 100, bytes: 1_000, now: () => now });
    expect(await cache.get("a")).toEqual({ result: "miss" });
    cache.set("a", "1");
    now = 99;
    expect(await cache.get("a")).toEqual({ result: "hit", text: "1" });
    now = 100;
    expect(await resultOf(cache, "a")).toBe("miss");
    cache.set("a", "2");
    expect(await textOf(cache, "a")).toBe("2");
    cache.close();
    expect(await resultOf(cache, "a")).toBe("miss");
  });

  test("what was asked for longest ago makes room", async () => {
    // Each is 2 x (1 + 9) = 20 bytes.
    const cache = memoryCache({ ttlMs: 1e6, bytes: 60 });
    for (const key of ["a", "b", "c"]) cache.set(key, "123456789");
    await cache.get("a");
    cache.set("d", "123456789");
    const there = async () =>
      (await Promise.all(["a", "b", "c", "d"].map((key) => textOf(cache, key)))).map(Boolean);
    expect(await there()).toEqual([true, false, true, true]);
    cache.set("c", "1");
    expect(await there()).toEqual([true, false, true, true]);
    cache.set("e", "x".repeat(30));
    expect(await textOf(cache, "e")).toBeNull();
    expect(await there()).toEqual([true, false, true, true]);
  });

  test("a hundred thousand texts take no more room than was given", () => {
    let held = 0;
    const cache = memoryCache({ ttlMs: 1e9, bytes: 100_000 });
    for (let i = 0; i < 100_000; i++) cache.set(`${i}`, "0123456789");
    for (let i = 0; i < 100_000; i++) {
      if ((cache.get(`${i}`) as { result: string }).result === "hit") held++;
    }
    expect(held).toBeGreaterThan(3_000);
    expect(held * 2 * 15).toBeLessThanOrEqual(100_000 + 30);
  });
});

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});
const connected = (url: string, log = keptLog(), ttlMs = 60_000): Cache => {
  const cache = redisCache(url, { ttlMs, log });
  open.push(cache);
  return cache;
};

/** Many looks, one after the other: all are errors; how long the longest and all of them took. */
async function manyOf(cache: Cache, times: number) {
  let worst = 0;
  const watch = stopwatch();
  for (let i = 0; i < times; i++) {
    const before = performance.now();
    expect((await cache.get("a")).result).toBe("error");
    cache.set("a", "1");
    worst = Math.max(worst, performance.now() - before);
  }
  return { worst, all: watch.ms(), promised: watch.promised };
}

describe("without Redis", () => {
  test("nobody listens: every look is an error at once, and one warning is given", async () => {
    const log = keptLog();
    const cache = connected("redis://:hunter2@127.0.0.1:1", log);
    const { worst, all, promised } = await manyOf(cache, 1_000);
    expect(worst).toBeLessThan(promised(60));
    expect(all).toBeLessThan(promised(500));
    await until(async () => log.warnings.length > 0);
    await Bun.sleep(300);
    expect(log.warnings).toEqual(["redis_unreachable"]);
  });

  test("one that takes connections and never answers costs nobody more than 50 ms", async () => {
    const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    open.push({ close: () => silent.stop(true) });
    const cache = connected(`redis://127.0.0.1:${silent.port}`);
    await Bun.sleep(50);
    const { worst, all, promised } = await manyOf(cache, 1_000);
    expect(worst).toBeLessThan(promised(80));
    expect(all).toBeLessThan(promised(500));
  });

  /** A Redis of two words that answers while `alive`, and else nothing. */
  function moody() {
    const state = { alive: true, asked: 0 };
    const kept = new Map<string, string>();
    const answer = (words: readonly string[]): string => {
      const [command = "", key = "", value = ""] = words;
      if (/^set$/i.test(command)) kept.set(key, value);
      if (!/^get$/i.test(command)) return /^info$/i.test(command) ? "$0\r\n\r\n" : "+OK\r\n";
      state.asked++;
      const text = kept.get(key);
      return text === undefined ? "$-1\r\n" : `$${text.length}\r\n${text}\r\n`;
    };
    const server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data: (socket, data) => {
          // `*3 $3 SET $1 a $1 1`: words are at every second line after the first.
          for (const command of data
            .toString()
            .split(/^\*\d+\r\n/m)
            .slice(1)) {
            const words = command.split("\r\n").filter((_, i) => i % 2 === 1);
            const text = answer(words);
            if (state.alive) socket.write(text);
          }
        },
      },
    });
    open.push({ close: () => server.stop(true) });
    return { url: `redis://127.0.0.1:${server.port}`, state };
  }

  test("one that falls silent costs a wait a second, and is used again when it is back", async () => {
    const { url, state } = moody();
    const cache = connected(url);
    await until(async () => (await resultOf(cache, "a")) === "miss");
    // What was slow for a moment is left alone for a second: it is set again.
    await until(async () => {
      cache.set("a", "1");
      return (await textOf(cache, "a")) === "1";
    });

    state.alive = false;
    const asked = state.asked;
    const { worst, all, promised } = await manyOf(cache, 500);
    expect(worst).toBeGreaterThan(40);
    expect(worst).toBeLessThan(promised(90));
    expect(all).toBeLessThan(promised(400));
    // Once a second, and once more where the machine took longer than that.
    expect(state.asked).toBeGreaterThan(asked);
    expect(state.asked).toBeLessThanOrEqual(asked + 1 + Math.floor(all / 1_000));

    state.alive = true;
    await until(async () => (await textOf(cache, "a")) === "1");
  });
});

describe.skipIf(!redisUrl)("in Redis", () => {
  const url = redisUrl ?? "";
  const key = () => `sluice:test:${Bun.randomUUIDv7()}`;

  test("a text is there for all who share it, until its time is over", async () => {
    const [one, two] = [connected(url, keptLog(), 300), connected(url)];
    const name = key();
    await until(async () => (await resultOf(one, name)) === "miss");
    await until(async () => (await resultOf(two, name)) === "miss");
    const text = JSON.stringify({ text: 'é😀"\n', big: "x".repeat(100_000) });
    await until(async () => {
      one.set(name, text);
      return (await textOf(two, name)) === text;
    });
    await until(async () => (await resultOf(two, name)) === "miss");
  });

  test("closed, it is not there", async () => {
    const cache = connected(url);
    await until(async () => (await resultOf(cache, key())) === "miss");
    cache.close();
    expect(await resultOf(cache, key())).toBe("error");
  });
});
