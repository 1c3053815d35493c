import { expect, test } from "bun:test";
import { range, T } from "./fixture.ts";

/** Back-fills 600 slots in a process of its own and tells what was asked and stored. */
async function backfillIn(zone: string) {
  const at = (file: string) => JSON.stringify(new URL(file, import.meta.url).pathname);
  const code = `
    const { memoryStore, T } = await import(${at("./fixture.ts")});
    const { makeClient } = await import(${at("./client.ts")});
    const { makeCollector } = await import(${at("./collect.ts")});
    const { makeLimiter } = await import(${at("./limiter.ts")});
    const { simulatedExchange } = await import(${at("./simulated.ts")});
    const exchange = simulatedExchange({ seed: 5, now: T(0) + 5_000, start: T(-600) });
    const { store, close } = await memoryStore();
    const client = makeClient({ url: exchange.url, limiter: makeLimiter() });
    const collector = makeCollector({ client, store, clock: exchange });
    await collector.collect("KRW-BTC", { since: T(-600) });
    const candles = await store.read("KRW-BTC");
    const local = new Date(T(0)).getHours();
    console.log(JSON.stringify({ asked: exchange.stats.asked, candles, local }));
    await exchange.stop();
    await close();
  `;
  const child = Bun.spawn([process.execPath, "-e", code], {
    env: { ...process.env, TZ: zone },
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  expect(await child.exited).toBe(0);
  return JSON.parse(text) as { asked: string[]; candles: { start: number }[]; local: number };
}

test("in every zone the same requests and the same candles (D1)", async () => {
  const zones = ["UTC", "Asia/Seoul", "America/New_York"];
  const [utc, seoul, newYork] = await Promise.all(zones.map(backfillIn));
  // The zones did take effect: midnight of UTC is another hour there.
  expect([utc?.local, seoul?.local, newYork?.local]).toEqual([0, 9, 20]);
  expect(seoul?.asked).toEqual(utc?.asked as string[]);
  expect(newYork?.asked).toEqual(utc?.asked as string[]);
  expect(utc?.asked.every((to) => /^\d{4}-\d\d-\d\dT\d\d:00:00Z$/.test(to))).toBe(true);
  expect(seoul?.candles).toEqual(utc?.candles as never);
  expect(newYork?.candles).toEqual(utc?.candles as never);
  const starts = utc?.candles.map((c) => c.start) ?? [];
  expect(new Set(starts).size).toBe(starts.length);
  expect(starts.length).toBeGreaterThan(590);
  expect(range(-600, 0).map(T)).toEqual(expect.arrayContaining(starts));
}, 30_000);
