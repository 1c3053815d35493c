/*
 * What a story is told with: a store, small model files, a simulated exchange whose clock the test
 * moves, and the truth to hold answers against.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type SimulatedExchange, simulatedExchange } from "../src/market/simulated.ts";
import { makeWalk } from "../src/market/walk.ts";
import { type Candle, type Instant, iso, slotOf, UNIT_MS } from "../src/types.ts";
import {
  type Finished,
  type Launched,
  launch,
  run,
  type Served,
  type ServeOptions,
  served,
} from "./served.ts";
import { openStores, type StoreName } from "./stores.ts";

/** The model files of a story. */
export const MODELS = ["btc", "eth"] as const;
export type ModelName = (typeof MODELS)[number];
export const MARKETS: Readonly<Record<ModelName, string>> = { btc: "KRW-BTC", eth: "KRW-ETH" };

/** Candles of history that the exchange has at the beginning. */
export const HISTORY = 900;
/** When a story begins: ten seconds after a candle has closed. */
export const BEGIN = Date.parse("2025-06-01T00:00:10Z");
/** The oldest candle that the exchange has. */
const FIRST = slotOf(BEGIN) - HISTORY * UNIT_MS;
const SEED = 20_250_601;

export interface Story {
  readonly exchange: SimulatedExchange;
  /** The folder in which everything of the story lies. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** The database's address, or null for the embedded one. */
  readonly databaseUrl: string | null;
  /** Starts the program, with variables beside the story's. */
  launch(options?: ServeOptions): Launched;
  serve(options?: ServeOptions): Promise<Served>;
  /** Runs a command. */
  run(...args: string[]): Promise<Finished>;
  close(): Promise<void>;
}

/** An exchange with history, standing at `now`. */
export const openExchange = (now: Instant = BEGIN, port = 0): SimulatedExchange =>
  simulatedExchange({
    seed: SEED,
    markets: Object.values(MARKETS),
    now,
    start: FIRST,
    port,
  });

/** Opens a store of its own, an exchange, and a folder with model files: the small ones, or these. */
export async function openStory(
  store: StoreName,
  texts: Readonly<Record<string, string>> = SMALL,
): Promise<Story> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-story-"));
  const models = join(folder, "models");
  mkdirSync(models);
  for (const [name, text] of Object.entries(texts)) {
    writeFileSync(join(models, `${name}.toml`), text);
  }
  const exchange = openExchange();
  const stores = await openStores(store);
  const env = {
    SLUICE_DATA: join(folder, "data"),
    SLUICE_MODELS: models,
    SLUICE_CLOCK: "exchange",
    UPBIT_URL: exchange.url,
    ...stores.env,
  };
  const mine: Launched[] = [];
  const start = (options: ServeOptions = {}) => {
    const launched = launch({ cwd: folder, ...options, env: { ...env, ...options.env } });
    mine.push(launched);
    return launched;
  };
  return {
    exchange,
    folder,
    env,
    databaseUrl: stores.databaseUrl,
    launch: start,
    serve: (options) => served(start(options)),
    run: (...args) => run({ args, cwd: folder, env }),
    close: async () => {
      await Promise.all(mine.map((each) => each.kill()));
      await exchange.stop();
      await stores.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/**
 * Small trainings. Of `btc` nearly every version becomes champion; of `eth` only one that is
 * shown to be better, so that there are gates that fail.
 */
function modelText(name: ModelName): string {
  const others = Object.values(MARKETS).filter((market) => market !== MARKETS[name]);
  const trees = "rounds = 12\nrate = 0.1\nleaves = 4\ndepth = 3\nmin_rows = 30";
  const gate = name === "btc" ? 'rule = "not_worse"\ntolerance = 1' : 'rule = "better"';
  return `name = "${name}"
kind = "market"
[collect]
market = "${MARKETS[name]}"
others = ${JSON.stringify(others)}
since = "2024-01-01"
[schedule]
cron = "0 0 */4 * * *"
[train]
trainers = ["gbdt", "logistic"]
[train.gbdt]
${trees}
[evaluate]
fold_candles = 126
min_train_candles = 300
candles = 500
[promote]
${gate}
`;
}

/** The small model files, by name. */
export const SMALL: Readonly<Record<string, string>> = Object.fromEntries(
  MODELS.map((name) => [name, modelText(name)]),
);

/** A small table, learned in no time. */
export const RENT = `name = "rent"
kind = "table"
[[table.columns]]
name = "rooms"
type = "number"
[[table.columns]]
name = "rent"
type = "number"
[table.target]
column = "rent"
kind = "regression"
[train]
trainers = ["linear"]
[evaluate]
test = "split"
`;

/** A candle as the answers of the program show it. */
export interface CandleView extends Omit<Candle, "market" | "start"> {
  readonly start: string;
}

/** What the exchange has of a market in `from <= start < to`: candles, and slots without one. */
export function truth(market: string, to: Instant, from = FIRST) {
  const walk = makeWalk(SEED, market);
  const candles: CandleView[] = [];
  const empty: string[] = [];
  for (let slot = from; slot < to; slot += UNIT_MS) {
    const candle = walk.candle(slot);
    if (candle === null) empty.push(iso(slot));
    else {
      const { market: _, start, ...rest } = candle;
      candles.push({ start: iso(start), ...rest });
    }
  }
  return { candles, empty };
}
