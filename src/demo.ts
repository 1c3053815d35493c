/*
 * `demo`: the whole loop offline, on a simulated exchange whose clock moves. `up`: live when the
 * exchange answers within five seconds, the demo otherwise.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startApp } from "./app.ts";
import type { Config } from "./config.ts";
import { reasonOf, SluiceError } from "./errors.ts";
import { lockPath } from "./folder.ts";
import type { Log } from "./log.ts";
import { makeClient } from "./market/client.ts";
import { makeLimiter } from "./market/limiter.ts";
import { simulatedExchange } from "./market/simulated.ts";
import { takeLock } from "./store/lock.ts";
import { CLOSE_GRACE_MS, slotOf, UNIT_MS } from "./types.ts";

type OnProgress = (key: string, share: number, text: string) => void;

const SEED = 20_250_701;
/** Real time between two candles of the demo. */
const CANDLE_EVERY_MS = 20_000;
const REACH_MS = 5_000;
const MARKER = "SIMULATED";

/** Serves live when the exchange can be reached, and otherwise says so and starts the demo. */
export async function runUp(config: Config, log: Log, onProgress: OnProgress): Promise<number> {
  try {
    const client = makeClient({ url: config.upbitUrl, limiter: makeLimiter() });
    await client.serverTime(AbortSignal.timeout(REACH_MS));
  } catch (thrown) {
    log.warn("exchange_unreachable_starting_demo", {
      url: config.upbitUrl,
      reason: reasonOf(thrown),
    });
    return runDemo(config, log, onProgress);
  }
  const app = await startApp({ config, log, schedule: true, onProgress });
  return app.stopped;
}

/** Runs the demo until it is stopped; its data folder is its own and begins empty each time. */
export async function runDemo(config: Config, log: Log, onProgress: OnProgress): Promise<number> {
  const data = join(config.data, "demo");
  await emptyFolder(data);
  // Just after a candle has closed, and standing still until the first models are trained.
  const exchange = simulatedExchange({
    seed: SEED,
    now: slotOf(Date.now()) + 2 * CLOSE_GRACE_MS,
  });
  log.warn("simulated", {
    note: "SIMULATED: an invented exchange on this machine; no real prices, no real forecasts.",
    commands: `SLUICE_DATA=${data} sluice models`,
  });
  const app = await startApp({
    config: {
      ...config,
      data,
      upbitUrl: exchange.url,
      clock: "exchange",
      databaseUrl: null,
      redisUrl: null,
      s3: null,
      simulated: true,
    },
    log,
    schedule: true,
    onProgress,
  });
  let timer: ReturnType<typeof setInterval> | undefined;
  app.ready.then(
    () => {
      exchange.advance(UNIT_MS);
      timer = setInterval(() => exchange.advance(UNIT_MS), CANDLE_EVERY_MS);
    },
    () => {},
  );
  const code = await app.stopped;
  clearInterval(timer);
  await exchange.stop();
  return code;
}

/** Empties a demo's folder; one that holds anything else is refused, never emptied. */
async function emptyFolder(folder: string): Promise<void> {
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    if (!existsSync(join(folder, MARKER))) throw notADemo(folder);
    // A demo that still runs keeps its files.
    takeLock(lockPath({ data: folder })).release();
    rmSync(folder, { recursive: true });
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, MARKER), "Made by `sluice demo`; emptied at its next start.\n");
}

const notADemo = (folder: string): SluiceError =>
  new SluiceError({
    code: "not_a_demo_folder",
    detail: `${folder} holds files that no demo made.`,
    fix: "Move them away, or set SLUICE_DATA to another folder.",
  });
