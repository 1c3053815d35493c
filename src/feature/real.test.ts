/*
 * The features on real candles, where the files lie beside the project; without them it is said
 * that the tests were left out.
 */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { NumberColumn } from "../learn/types.ts";
import type { Series } from "./candles.ts";
import { seriesOf } from "./candles.ts";
import { buildDataset } from "./dataset.ts";
import { OFF } from "./fixtures.ts";
import { perturbationLeaks, sampleSlots } from "./leak.ts";
import { defaultSpec } from "./spec.ts";

const FOLDER = fileURLToPath(new URL("../../../shared/data/upbit", import.meta.url));
const MARKETS = ["KRW-BTC", "KRW-ETH", "KRW-ADA"];
const HOLE = Date.parse("2023-12-03T16:00:00Z");
const AFTER_ALL = Date.parse("2026-03-01T00:00:00Z");

const read = async (market: string): Promise<Series> => {
  const file = Bun.file(`${FOLDER}/${market.toLowerCase()}-240m.csv.gz`);
  const text = new TextDecoder().decode(Bun.gunzipSync(await file.bytes()));
  const candles = text.trim().split("\n").slice(1);
  return seriesOf(
    market,
    candles.map((line) => {
      const [time, open, high, low, close, turnover, volume] = line.split(",");
      return {
        market,
        start: Date.parse(`${time}Z`),
        open: Number(open),
        high: Number(high),
        low: Number(low),
        close: Number(close),
        volume: Number(volume),
        turnover: turnover === "" ? Number.NaN : Number(turnover),
      };
    }),
  );
};

const present = existsSync(FOLDER);
if (!present) console.log("skipped: 2 tests of features on real candles, no ../shared");

test.if(present)(
  "real candles give the rows, states and holes that are known of them",
  async () => {
    const series = new Map(
      await Promise.all(MARKETS.map(async (m) => [m, await read(m)] as const)),
    );
    const ups = { "KRW-BTC": [3_632, 9], "KRW-ETH": [3_472, 157], "KRW-ADA": [3_262, 444] };
    for (const [market, [up, same]] of Object.entries(ups)) {
      // Every label there is: a spec that looks back one candle has history at once.
      const spec = { ...defaultSpec([]), groups: { ...OFF, returns: [1] } };
      const { first } = series.get(market)!;
      const data = buildDataset({ spec, series, market, from: first, to: AFTER_ALL });
      expect(data.slots).not.toContain(HOLE);
      expect(data.dropped).toEqual({ no_candle: 1, no_candle_before: 2, short_history: 1 });
      // The row that follows the file's first and the one that straddles the hole are not labels.
      expect(Math.abs(data.up.reduce((a, b) => a + b, 0) - up!)).toBeLessThanOrEqual(2);
      expect(Math.abs(data.unchanged.reduce((a, b) => a + b, 0) - same!)).toBeLessThanOrEqual(1);
    }
  },
);

test.if(present)(
  "no real row moves with the future, and few of its values are unknown",
  async () => {
    const series = new Map(
      await Promise.all(MARKETS.map(async (m) => [m, await read(m)] as const)),
    );
    const spec = defaultSpec(["KRW-ETH", "KRW-ADA"]);
    const { first } = series.get("KRW-BTC")!;
    const data = buildDataset({ spec, series, market: "KRW-BTC", from: first, to: AFTER_ALL });
    expect(data.frame.rows).toBeGreaterThan(6_900);
    const samples = [...sampleSlots(data.slots, 12), HOLE, HOLE + 14_400_000];
    expect(perturbationLeaks(spec, series, "KRW-BTC", samples)).toEqual([]);
    for (const { name, values } of data.frame.columns as readonly NumberColumn[]) {
      const unknown = values.reduce((count, value) => count + (Number.isNaN(value) ? 1 : 0), 0);
      expect(`${name} ${unknown <= 30}`).toBe(`${name} true`);
    }
  },
);
