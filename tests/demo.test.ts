/*
 * `demo` and `up` as somebody meets them who has just got the file: no network, no configuration.
 */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { forecastAnswer } from "../src/http/answers.ts";
import { LONG_MS, stopwatch, until } from "../src/testing.ts";
import { askForecasts, askModel, askRuns } from "./ask.ts";
import { run, type Served, serve } from "./served.ts";
import { only, stores } from "./stores.ts";

stores();
const ONLY = only("embedded", "the demo needs nothing but the file");
/** A port of loopback where nobody listens. */
const NOBODY = "http://127.0.0.1:9";
const MINUTE = 60_000;

test(
  `the demo: within a minute a champion, a forecast and its outcome; again, from nothing ${ONLY}`,
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-story-"));
    try {
      const watch = stopwatch();
      const app = await serve({ args: ["demo"], cwd: folder });
      await until(
        async () => (await askForecasts(app, "btc")).items.some((one) => one.outcome !== null),
        10 * MINUTE,
        "a joined outcome",
      );
      const took = watch.ms();
      expect(took).toBeLessThan(watch.promised(MINUTE));
      console.log(`demo: a joined outcome after ${(took / 1_000).toFixed(1)} s`);
      for (const model of ["btc", "eth", "ada"]) {
        expect((await askModel(app, model)).champion).not.toBeNull();
      }
      const forecast = v.parse(forecastAnswer, await app.get("/v1/models/btc/forecast"));
      expect(forecast.simulated).toBe(true);
      expect(forecast.abstain).toBeNull();
      const { outcome } = (await askForecasts(app, "btc")).items.find((one) => one.outcome)!;
      expect(outcome?.direction).toBeOneOf(["up", "down", "unchanged", "no_candle"]);
      await expectMarked(app);
      expect(await app.stop()).toBe(0);

      // The second start, by `up`, which finds no exchange.
      const data = join(folder, ".sluice", "demo");
      writeFileSync(join(data, "of-the-first-demo"), "");
      const again = await serve({ args: ["up"], cwd: folder, env: { UPBIT_URL: NOBODY } });
      const events = again.log.map((line) => line["event"]);
      expect(again.log[0]).toMatchObject({
        ...{ event: "exchange_unreachable_starting_demo", url: NOBODY, level: "warn" },
      });
      expect(events).toContain("simulated");
      expect(existsSync(join(data, "of-the-first-demo"))).toBe(false);
      await until(async () => (await again.fetch("/v1/models")).ok, LONG_MS, "it has started");
      expect((await askModel(again, "btc")).live.n).toBe(0);
      expect((await askRuns(again)).items.length).toBeLessThanOrEqual(3);
      await expectMarked(again);

      // A demo under way keeps its files.
      const other = await run({ args: ["demo"], cwd: folder });
      expect(other.code).toBe(3);
      expect(other.errors).toContain(`process ${again.pid}`);
      expect((await again.fetch("/v1/models")).status).toBe(200);
      expect(await again.stop()).toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  15 * MINUTE,
);

test(`a folder that no demo made is not emptied ${ONLY}`, async () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-story-"));
  try {
    const precious = join(folder, ".sluice", "demo", "precious");
    mkdirSync(join(folder, ".sluice", "demo"), { recursive: true });
    writeFileSync(precious, "mine");
    const { code, errors } = await run({ args: ["demo"], cwd: folder });
    expect(code).toBe(1);
    expect(errors).toContain(join(folder, ".sluice", "demo"));
    expect(existsSync(precious)).toBe(true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 600_000);

/** Nobody can take it for the real thing. */
async function expectMarked(app: Served): Promise<void> {
  for (const page of ["/", "/docs"]) {
    expect(await (await app.fetch(page)).text()).toContain("SIMULATED");
  }
  for (const path of ["/v1/models", "/v1/models/btc", "/v1/candles/KRW-BTC", "/v1/runs"]) {
    expect(await app.get<{ simulated?: unknown }>(path)).toMatchObject({ simulated: true });
  }
  const unknown = await app.fetch("/v1/models/nobody");
  expect(await unknown.json()).toMatchObject({ status: 404, simulated: true });
}
