/*
 * Single works of the program on a history, in this process: what a request or a step would hide
 * behind its own time.
 */
import { sql } from "drizzle-orm";
import { exchangeClock } from "../../src/clock.ts";
import { readConfig } from "../../src/config.ts";
import { defaultSpec, lookbackOf } from "../../src/feature/spec.ts";
import { rowsOf } from "../../src/flow/rows.ts";
import { silentLog } from "../../src/log.ts";
import { verifyMarket } from "../../src/market/verify.ts";
import { marketModels, readModels } from "../../src/models.ts";
import { makeForecaster } from "../../src/serve/forecast.ts";
import { openServices } from "../../src/services.ts";
import { makeCandleStore } from "../../src/store/candles.ts";
import type { Database } from "../../src/store/database.ts";
import { makeForecasts } from "../../src/store/forecasts.ts";
import { tableSizes } from "../../src/store/sizes.ts";
import { type Instant, newestClosed, UNIT_MS } from "../../src/types.ts";
import { ADMIN_TOKEN } from "../../tests/served.ts";
import { median } from "../serve/table.ts";

/** Medians in milliseconds, and sizes. */
export interface InsideFigures {
  readonly forecastMs: number;
  readonly verifyMs: number;
  readonly datasetMs: number;
  readonly outcomesMs: number;
  readonly candles: number;
  readonly forecasts: number;
  readonly candleBytes: number;
  readonly allBytes: number;
}

const TIMES = 20;

/** Opens the services over the database, which is closed again with them. */
export async function measureInside(
  database: Database,
  env: Readonly<Record<string, string>>,
  now: Instant,
): Promise<InsideFigures> {
  const config = readConfig(env, false);
  const clock = exchangeClock();
  clock.observe(now);
  const models = readModels(config.modelsFolder);
  const model = marketModels(models)[0]!;
  const services = await openServices({
    ...{ config, clock, models, database, log: silentLog, adminToken: ADMIN_TOKEN },
  });
  const { champions, served } = services.http;
  const candles = makeCandleStore(database);
  const forecasts = makeForecasts(database, clock);
  const forecaster = makeForecaster({ models, champions, served, candles, forecasts, clock });
  const { market, since } = model.collect;
  const slot = newestClosed(now) + UNIT_MS;
  const from = since - lookbackOf(defaultSpec([market])) * UNIT_MS;
  try {
    const sizes = await tableSizes(database);
    const [counts] = await database.rows<{ candles: number; forecasts: number }>(sql`
      select (select count(*)::integer from candles) as candles,
        (select count(*)::integer from forecasts) as forecasts`);
    return {
      forecastMs: await medianMs(async () => {
        forecaster.candlesChanged();
        await forecaster.forecast(model.name);
      }),
      verifyMs: await medianMs(() => verifyMarket(candles, market, { since, now })),
      datasetMs: await medianMs(async () => {
        const own = await candles.read(market, { from, to: slot, asOf: now });
        return rowsOf(model, { [market]: own }, slot);
      }),
      outcomesMs: await medianMs(() => forecasts.joinOutcomes()),
      candles: counts?.candles ?? 0,
      forecasts: counts?.forecasts ?? 0,
      candleBytes: sizes.find(({ table }) => table === "candles")?.bytes ?? 0,
      allBytes: sizes.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  } finally {
    await services.stop();
    await services.close();
  }
}

async function medianMs(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < TIMES; i++) {
    const begun = performance.now();
    await work();
    times.push(performance.now() - begun);
  }
  return median(times);
}
