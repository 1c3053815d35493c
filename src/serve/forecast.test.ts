import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { T, walk } from "../feature/fixtures.ts";
import { parseModel } from "../models.ts";
import type { Version } from "../registry/version-rows.ts";
import type { CandleStore } from "../store/candles.ts";
import type { ForecastRow, Forecasts, NewForecast } from "../store/forecasts.ts";
import { iso } from "../types.ts";
import { type Champions, makeChampions } from "./champions.ts";
import { foreignBytes, marketBytes, pointer, quietLog } from "./fixture.ts";
import { type Forecaster, makeForecaster } from "./forecast.ts";
import { makePool, type Pool } from "./pool.ts";
import { loadRuntime } from "./runtime.ts";
import { makeServed } from "./versions.ts";

const btc = parseModel(
  "btc.toml",
  `name = "btc"
kind = "market"
[collect]
market = "KRW-BTC"
others = []
since = 2024-01-01
[schedule]
cron = "0 0 */4 * * *"
[train]
trainers = ["gbdt"]
[evaluate]
[promote]`,
);

/** What each version says; 4 is a foreign file, 5 learned from features of another program. */
const FILES: Record<string, Uint8Array> = {
  1: marketBytes(0.1),
  2: marketBytes(0.2),
  3: marketBytes(0.3),
  4: foreignBytes(1),
  5: marketBytes(0.5, { feature_digest: "of another program" }),
  6: marketBytes(0.6, {}, true),
};
const candles = walk(50, 1);

let folder: string;
let champions: Champions;
let pool: Pool;
let forecaster: Forecaster;
let stored: NewForecast[];
let now: number;
/** What an earlier forecast on the same inputs was answered with, or null. */
let before: Record<string, unknown> | null = null;
const pointers = [pointer("btc", "champion", 2), pointer("btc", "challenger", 3)];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-forecast-"));
  const runtime = await loadRuntime(folder);
  const objects = { get: async (digest: string) => FILES[digest]! };
  const { log } = quietLog();
  champions = makeChampions({
    ...{ runtime, objects, log, pollMs: 3_600_000 },
    promotion: { pointers: async () => pointers },
  });
  await champions.refresh();
  pool = makePool({ runtime, objects });
});
afterAll(async () => {
  await Promise.all([champions.stop(), pool.stop()]);
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  stored = [];
  now = T(50) + 60_000;
  before = null;
  const models = new Map([["btc", btc]]);
  const version = async (name: string, number: number) =>
    name !== "btc" || FILES[number] === undefined
      ? null
      : ({ name, version: number, digest: `${number}` } as Version);
  const versions = { version, isRegistered: async (name: string) => name === "gone" };
  forecaster = makeForecaster({
    ...{ models, champions, clock: { now: () => now } },
    served: makeServed({ models, champions, pool, versions }),
    candles: {
      read: async () => [...candles],
      holesOf: async () => [],
    } as unknown as CandleStore,
    forecasts: {
      store: async (row: NewForecast) => {
        stored.push(row);
        return { ...row, ...(before === null ? {} : { answer: before }) } as ForecastRow;
      },
    } as unknown as Forecasts,
  });
});

test("the champion's is stored, by whichever name it was asked for", async () => {
  const answers = [];
  for (const version of [null, "champion", "2"]) {
    answers.push(await forecaster.forecast("btc", version));
  }
  expect(answers[0]).toMatchObject({
    model: { name: "btc", version: 2, digest: "2" },
    target: { start: iso(T(50)) },
    abstain: null,
  });
  expect(answers[0]!.up).toBeCloseTo(0.2, 6);
  // Within some seconds it is the same answer, stored once.
  expect(answers[1]).toEqual(answers[0]!);
  expect(answers[2]).toEqual(answers[0]!);
  expect(stored.map(({ version, up }) => [version, up])).toEqual([[2, answers[0]!.up]]);
});

test("another version says what it would have said, and nothing is stored", async () => {
  const one = await forecaster.forecast("btc", "1");
  const challenger = await forecaster.forecast("btc", "challenger");
  expect([one.model.version, challenger.model.version]).toEqual([1, 3]);
  expect(one.up).toBeCloseTo(0.1, 6);
  expect(challenger.up).toBeCloseTo(0.3, 6);
  expect(stored).toEqual([]);
  expect(await forecaster.forecast("btc", "3")).toEqual(challenger);
});

test("a version that has become champion meanwhile is stored, although it was asked before", async () => {
  await forecaster.forecast("btc", "3");
  pointers[0] = pointer("btc", "champion", 3);
  await champions.refresh("btc");
  const answer = await forecaster.forecast("btc");
  expect(stored.map(({ version }) => version)).toEqual([3]);
  expect(answer.model.version).toBe(3);
  // The one that was champion is asked from the pool now.
  expect((await forecaster.forecast("btc", "2")).up).toBeCloseTo(0.2, 6);
  expect(stored).toHaveLength(1);
  pointers[0] = pointer("btc", "champion", 2);
  await champions.refresh("btc");
});

test("it is explained beside what is stored, which stays the same", async () => {
  const plain = await forecaster.forecast("btc");
  const { base, contributions, ...rest } = await forecaster.forecast("btc", null, true);
  expect(rest).toEqual(plain);
  expect(base).toBeCloseTo(Math.log(plain.up! / (1 - plain.up!)), 5);
  expect(Object.values(contributions ?? {})).toEqual([0]);
  expect(stored).toHaveLength(1);
  expect(stored[0]!.answer).toEqual({ ...plain });
  expect(await forecaster.forecast("btc")).toEqual(plain);
  const other = await forecaster.forecast("btc", "1", true);
  expect(other.base).toBeCloseTo(Math.log(0.1 / 0.9), 5);
});

test("one that abstains has nothing to explain", async () => {
  now = T(51) + 60_000;
  const answer = await forecaster.forecast("btc", null, true);
  expect(answer).toMatchObject({ up: null, base: null, contributions: null });
  expect(answer.abstain?.reason).toBe("stale_candles");
});

test("an artifact that was made before forecasts, and says that it cannot be explained", async () => {
  expect((await forecaster.forecast("btc", "6")).up).toBeCloseTo(0.6, 6);
  await expect(forecaster.forecast("btc", "6", true)).rejects.toMatchObject({
    ...{ code: "not_explainable", status: 422 },
  });
});

test("what cannot forecast says why", async () => {
  const refused = (version: string, model = "btc") =>
    forecaster.forecast(model, version).then(
      () => null,
      ({ code, status }) => [code, status],
    );
  expect(await refused("4")).toEqual(["no_forecast", 422]);
  expect(await refused("5")).toEqual(["feature_mismatch", 409]);
  expect(await refused("9")).toEqual(["unknown_version", 404]);
  expect(await refused("1", "nobody")).toEqual(["unknown_model", 404]);
});

test("before the exchange has told its time there is no next candle, and nothing is stored", async () => {
  now = 0;
  await expect(forecaster.forecast("btc")).rejects.toMatchObject({
    ...{ code: "exchange_unreachable", status: 503, retryAfter: 5 },
  });
  expect(stored).toEqual([]);
});

test("what was told of the same inputs before is told again to the letter", async () => {
  now = T(53) + 60_000;
  const fresh = await forecaster.forecast("btc");
  const abstain = { reason: "stale_candles", detail: "Another candle was the newest then." };
  // As a column gives it back: its fields in another order.
  const { made_at, id, ...rest } = { ...fresh, abstain };
  before = { ...rest, made_at: iso(Date.parse(made_at) - 1_000), id: `${id}-before` };
  forecaster.candlesChanged();
  const again = await forecaster.forecast("btc");
  expect(again).toEqual(before as never);
  expect(JSON.stringify(Object.keys(again))).toBe(JSON.stringify(Object.keys(fresh)));
});
