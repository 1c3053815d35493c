/*
 * Backtests of a small model on a random walk, and of the built-in one on real candles, held to
 * what trainings at the same instants make: their artifacts, asked through the runtime.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { walk } from "../feature/fixtures.ts";
import type { Frame } from "../learn/types.ts";
import { type MarketFile, parseModel, readModels } from "../models.ts";
import { matrixOf } from "../onnx/matrix.ts";
import { loadRuntime } from "../serve/runtime.ts";
import { openSession } from "../serve/session.ts";
import { type Candle, iso, UNIT_MS } from "../types.ts";
import { type BacktestJson, backtest } from "./backtest.ts";
import { rowsOf } from "./rows.ts";
import { runTraining } from "./training.ts";

const SINCE = Date.parse("2025-07-01T00:00:00Z");
const T = (n: number) => SINCE + n * UNIT_MS;
const MODEL = parseModel(
  "small.toml",
  `name = "small"
   kind = "market"
   [collect]
   market = "KRW-BTC"
   others = ["KRW-ETH"]
   since = "2025-07-01"
   [schedule]
   cron = "0 0 */4 * * *"
   [train]
   trainers = ["gbdt", "logistic", "ridge"]
   [train.gbdt]
   rounds = 8
   row_share = 0.8
   [evaluate]
   fold_candles = 120
   min_train_candles = 300
   candles = 240
   [promote]`,
) as MarketFile;
const CANDLES = { "KRW-BTC": walk(1_100, 1_000), "KRW-ETH": walk(1_100, 5_000, "KRW-ETH") };

let cache: string;
beforeAll(() => {
  cache = mkdtempSync(join(tmpdir(), "sluice-backtest-"));
});
afterAll(() => rmSync(cache, { recursive: true, force: true }));

const quiet = () => {};
const run = (changed: Partial<Parameters<typeof backtest>[0]> = {}) =>
  backtest(
    {
      model: MODEL,
      candles: CANDLES,
      from: T(760),
      to: T(1_100),
      every: 120,
      cost: 0.0005,
      ...changed,
    },
    quiet,
  );

/** What the artifact of a training at `instant` answers to the rows of a backtest's answers. */
async function expectLive(
  { answers }: BacktestJson,
  model: MarketFile,
  candles: Readonly<Record<string, readonly Candle[]>>,
  instant: number,
): Promise<number> {
  const known = Object.fromEntries(
    Object.entries(candles).map(([name, list]) => [name, list.filter((c) => c.start < instant)]),
  );
  const job = { model, slot: instant, asOf: instant, candles: known };
  const { artifact, result } = await runTraining(job, cache, quiet);
  expect(result.skip).toBeNull();
  const places = answers.trained_at.flatMap((at, i) => (at === iso(instant) ? [i] : []));
  const { own } = rowsOf(model, candles, Date.parse(answers.slots.at(-1)!) + UNIT_MS);
  const rows = places.map((i) => own.slots.indexOf(Date.parse(answers.slots[i]!)));
  const frame: Frame = {
    rows: rows.length,
    columns: own.frame.columns.map((column) =>
      column.kind === "number"
        ? { ...column, values: Float32Array.from(rows, (row) => column.values[row]!) }
        : column,
    ),
  };
  const session = await openSession(await loadRuntime(cache), artifact, frame.columns.length);
  try {
    const live = await session.run(matrixOf(frame), frame.rows);
    places.forEach((i, row) => {
      expect(Math.abs(live.probability[row]! - answers.probability[i]!)).toBeLessThan(1e-6);
      expect(Math.abs(live.quantiles[row * 3]! - answers.p10[i]!)).toBeLessThan(1e-6);
      expect(Math.abs(live.quantiles[row * 3 + 2]! - answers.p90[i]!)).toBeLessThan(1e-6);
    });
  } finally {
    await session.release();
  }
  return places.length;
}

describe("a backtest", () => {
  const { json, page } = run();

  test("judges every slot of the span once, and says with what it was trained", () => {
    const { slots, trained_at, up, returns } = json.answers;
    expect(slots).toEqual(Array.from({ length: 340 }, (_, i) => iso(T(760 + i))));
    expect([json.from, json.to]).toEqual([iso(T(760)), iso(T(1_099))]);
    slots.forEach((slot, i) => {
      const candles = CANDLES["KRW-BTC"];
      const moved = Math.log(candles[760 + i]!.close / candles[759 + i]!.close);
      expect(returns[i]!).toBeCloseTo(moved, 12);
      expect(up[i]!).toBe(moved > 0 ? 1 : 0);
      const age = (Date.parse(slot) - Date.parse(trained_at[i]!)) / UNIT_MS;
      expect(age >= 0 && age < 120).toBe(true);
    });
  });

  test("gives the answers of the artifacts that trainings at those instants make", async () => {
    const instants = [...new Set(json.answers.trained_at)].map((at) => Date.parse(at));
    expect(instants.length).toBeGreaterThan(2);
    const compared = await expectLive(json, MODEL, CANDLES, instants[1]!);
    expect(compared).toBe(120);
  });

  test("so it does when it is trained between the bounds of folds", async () => {
    const often = run({ every: 50, from: T(900), to: T(1_000) }).json;
    const instant = Date.parse(often.answers.trained_at[30]!);
    expect((instant / UNIT_MS) % 120).not.toBe(0);
    await expectLive(often, MODEL, CANDLES, instant);
  });

  test("adds up, finds no skill in a random walk, and says so on the page", () => {
    expect(json.months.reduce((sum, row) => sum + row.rows, 0)).toBe(json.all.rows);
    expect(json.all.log_loss).toBeCloseTo(json.metrics["log_loss"]!, 10);
    expect(["no_skill", "worse"]).toContain(json.verdict);
    expect(json.sentence).not.toStartWith("Better");
    expect(json.all.profit).not.toBe(json.all.hold);
    expect(page).toStartWith("<!doctype html>");
    expect(page).toContain("profit after costs");
    expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
  });

  test("the same request gives the same bytes", () => {
    const again = run();
    expect(JSON.stringify(again.json)).toBe(JSON.stringify(json));
    expect(again.page).toBe(page);
  });

  test("costs lower the profit of following, and leave the answers alone", () => {
    const dear = run({ cost: 0.01 }).json;
    expect(dear.all.profit).toBeLessThan(json.all.profit);
    expect(dear.answers).toEqual(json.answers);
  });

  test("a span with too little before it is refused with what is needed", () => {
    expect(() => run({ from: T(0), to: T(400) })).toThrow(
      expect.objectContaining({ code: "nothing_to_judge" }),
    );
    expect(() => run({ from: T(0), to: T(400) })).toThrow(/421 must come before the first/);
  });
});

const FOLDER = fileURLToPath(new URL("../../../shared/data/upbit", import.meta.url));
const present = existsSync(FOLDER);
if (!present) console.log("skipped: 1 test of a backtest on real candles, no ../shared");

const read = async (market: string): Promise<readonly Candle[]> => {
  const file = Bun.file(`${FOLDER}/${market.toLowerCase()}-240m.csv.gz`);
  const text = new TextDecoder().decode(Bun.gunzipSync(await file.bytes()));
  const lines = text.trim().split("\n").slice(1);
  return lines.map((line) => {
    const [time, open, high, low, close, , volume] = line.split(",");
    return {
      market,
      start: Date.parse(`${time}Z`),
      open: Number(open),
      high: Number(high),
      low: Number(low),
      close: Number(close),
      volume: Number(volume),
      turnover: Number.NaN,
    };
  });
};

test.if(present)(
  "two months of real candles by the built-in model are those of the live pipeline",
  async () => {
    const model = readModels(null).get("btc") as MarketFile;
    const markets = [model.collect.market, ...model.collect.others];
    const lists = await Promise.all(markets.map(async (m) => [m, await read(m)] as const));
    const candles = Object.fromEntries(lists);
    const [from, to] = [Date.parse("2024-02-01T00:00:00Z"), Date.parse("2024-04-01T00:00:00Z")];
    const every = model.evaluate.fold_candles;
    const { json } = backtest({ model, candles, from, to, every, cost: 0.0005 }, quiet);
    expect(json.months.map((row) => row.month)).toEqual(["2024-02", "2024-03"]);
    expect(json.all.hit_rate).toBeLessThan(0.6);
    const instant = Date.parse(json.answers.trained_at.at(-1)!);
    expect(await expectLive(json, model, candles, instant)).toBeGreaterThan(50);
  },
  60_000,
);
