import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCandleStore } from "../store/candles.ts";
import { openEmbedded } from "../store/database.ts";
import { migrate } from "../store/migrate.ts";
import { makeClient } from "./client.ts";
import { makeCollector } from "./collect.ts";
import { range, T } from "./fixture.ts";
import { makeLimiter } from "./limiter.ts";
import { simulatedExchange } from "./simulated.ts";
import { makeWalk } from "./walk.ts";

const BTC = "KRW-BTC";
const SLOTS = 1_200;

/** A process of its own that back-fills into the folder until it is killed. */
function backfill(folder: string, url: string) {
  const at = (file: string) => JSON.stringify(new URL(file, import.meta.url).pathname);
  const code = `
    const { openEmbedded } = await import(${at("../store/database.ts")});
    const { makeCandleStore } = await import(${at("../store/candles.ts")});
    const { migrate } = await import(${at("../store/migrate.ts")});
    const { makeClient } = await import(${at("./client.ts")});
    const { makeCollector } = await import(${at("./collect.ts")});
    const { makeLimiter } = await import(${at("./limiter.ts")});
    const database = await openEmbedded(${JSON.stringify(folder)});
    await migrate(database);
    const store = makeCandleStore(database);
    const client = makeClient({ url: ${JSON.stringify(url)}, limiter: makeLimiter() });
    const clock = { now: () => ${T(0) + 5_000} };
    const collector = makeCollector({ client, store, clock });
    const onProgress = ({ done }) => console.log(done);
    await collector.collect(${JSON.stringify(BTC)}, { since: ${T(-SLOTS)}, onProgress });
  `;
  return Bun.spawn([process.execPath, "-e", code], { stdout: "pipe", stderr: "inherit" });
}

test("kill -9 in the middle of a back-fill: what was told is there, the rest follows", async () => {
  const folder = join(await mkdtemp(join(tmpdir(), "sluice-resume-")), "db");
  const exchange = simulatedExchange({ seed: 11, now: T(0) + 5_000, start: T(-SLOTS) });
  const child = backfill(folder, exchange.url);
  let told = 0;
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    told = Math.max(told, ...decoder.decode(chunk).trim().split("\n").map(Number));
    if (told >= 400) break;
  }
  child.kill("SIGKILL");
  await child.exited;
  expect(told).toBeLessThan(SLOTS);

  const database = await openEmbedded(folder);
  await migrate(database);
  const store = makeCandleStore(database);
  const before = await store.countOf(BTC);
  const emptySoFar = (await store.holesOf(BTC)).length;
  expect(before + emptySoFar).toBeGreaterThanOrEqual(told);

  const client = makeClient({ url: exchange.url, limiter: makeLimiter() });
  const collector = makeCollector({ client, store, clock: exchange });
  const done = await collector.collect(BTC, { since: T(-SLOTS) });
  const walk = makeWalk(11, BTC);
  const truth = range(-SLOTS, 0).flatMap((n) => walk.candle(T(n)) ?? []);
  expect(await store.read(BTC)).toEqual(truth);
  expect(done.stored).toBe(truth.length - before);
  expect(done.holes).toEqual({ unknown: 0, empty: SLOTS - truth.length });
  await database.close();
  await exchange.stop();
  await rm(join(folder, ".."), { recursive: true, force: true });
}, 40_000);
