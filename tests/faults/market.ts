/*
 * What the replicas work on: three markets of the simulated exchange, a small model of each, and
 * the truth to hold everything against.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type SimulatedExchange, simulatedExchange } from "../../src/market/simulated.ts";
import { makeWalk } from "../../src/market/walk.ts";
import { type Candle, type Instant, slotOf, UNIT_MS } from "../../src/types.ts";

export const MARKETS: Readonly<Record<string, string>> = {
  btc: "KRW-BTC",
  eth: "KRW-ETH",
  ada: "KRW-ADA",
};
export const MODELS: readonly string[] = Object.keys(MARKETS);

const HISTORY = 600;
/** Ten seconds after a candle has closed. */
const BEGIN = Date.parse("2025-06-01T00:00:10Z");
const FIRST = slotOf(BEGIN) - HISTORY * UNIT_MS;
const SEED = 20_250_601;

/** The exchange, its clock standing at the first slot's begin. */
export const openExchange = (): SimulatedExchange =>
  simulatedExchange({ seed: SEED, markets: Object.values(MARKETS), now: BEGIN, start: FIRST });

export interface Truth {
  readonly candles: readonly Candle[];
  /** Slots in which nothing was traded. */
  readonly empty: readonly Instant[];
  /** How the price stood at a slot's close to what it was before, as outcomes name it. */
  outcome(slot: Instant): "up" | "down" | "unchanged" | "no_candle";
}

/** What the exchange has of a market before `to`. */
export function truthOf(market: string, to: Instant): Truth {
  const walk = makeWalk(SEED, market);
  const candles: Candle[] = [];
  const empty: Instant[] = [];
  for (let slot = FIRST; slot < to; slot += UNIT_MS) {
    const candle = walk.candle(slot);
    if (candle === null) empty.push(slot);
    else candles.push(candle);
  }
  return {
    candles,
    empty,
    outcome: (slot) => {
      const at = candles.findIndex(({ start }) => start === slot);
      const [before, candle] = [candles[at - 1], candles[at]];
      if (before === undefined || candle === undefined) return "no_candle";
      if (candle.close === before.close) return "unchanged";
      return candle.close > before.close ? "up" : "down";
    },
  };
}

/** Nearly every version of btc becomes champion, of the others what is shown to be better. */
function modelText(name: string): string {
  const market = MARKETS[name]!;
  const others = Object.values(MARKETS).filter((other) => other !== market);
  const gate = name === "btc" ? 'rule = "not_worse"\ntolerance = 1' : 'rule = "better"';
  return `name = "${name}"
kind = "market"
[collect]
market = "${market}"
others = ${JSON.stringify(others)}
since = "2024-01-01"
[schedule]
cron = "0 0 */4 * * *"
[train]
trainers = ["logistic", "gbdt"]
[train.gbdt]
rounds = 8
rate = 0.1
leaves = 4
depth = 3
min_rows = 30
[evaluate]
fold_candles = 90
min_train_candles = 200
candles = 270
[promote]
${gate}
`;
}

/** Writes the model files into a folder and returns it. */
export function writeModels(folder: string): string {
  mkdirSync(folder, { recursive: true });
  for (const name of MODELS) writeFileSync(join(folder, `${name}.toml`), modelText(name));
  return folder;
}
