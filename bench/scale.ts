/*
 * `bun run bench:scale`: how cost grows with history, as a table for bench/README.md. At each level
 * the database has that many hundredths of 200 markets with five years of 4-hour candles, and of
 * three markets with a year of candles a minute apart before them; one market has a small model
 * that looks at 1,500 candles.
 *
 * --database URL   a Postgres server, on which a database is made and dropped; embedded without
 * --levels N,N     1,10,100, each greater than the one before
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { databasePath } from "../src/folder.ts";
import { simulatedExchange } from "../src/market/simulated.ts";
import { type Database, openEmbedded, openPostgres } from "../src/store/database.ts";
import { migrate } from "../src/store/migrate.ts";
import { slotOf, UNIT_MS } from "../src/types.ts";
import { ADMIN_TOKEN } from "../tests/served.ts";
import { CANDLES, grow, type Ingested, MARKETS, sizeOf } from "./scale/history.ts";
import { type InsideFigures, measureInside } from "./scale/inside.ts";
import { measureServed, type ServedFigures } from "./scale/served.ts";
import { BINARY, createDatabase } from "./serve/model.ts";
import { markdown } from "./serve/table.ts";
import { undoing } from "./serve/undo.ts";

const { values: options } = parseArgs({
  options: { database: { type: "string" }, levels: { type: "string", default: "1,10,100" } },
});
const levels = options.levels.split(",").map(Number);

interface Figures {
  readonly level: number;
  readonly ingested: Ingested;
  readonly served: ServedFigures;
  readonly inside: InsideFigures;
}

/** Candles that the model learns from. */
const WINDOW = 1_500;
const EMPTY = { markets: 0, minutes: 0 };

if (!existsSync(BINARY)) throw new Error("There is no dist/sluice: run `bun run build` first.");
process.env["SLUICE_TEST_BINARY"] ??= BINARY;
const begun = performance.now();
const load = loadavg()[0]?.toFixed(1);
const folder = mkdtempSync(join(tmpdir(), "sluice-scale-"));
const removeFolder = undoing(() => rmSync(folder, { recursive: true, force: true }));
const own = options.database === undefined ? null : await createDatabase(options.database);
const opening = slotOf(Date.now());
const exchange = simulatedExchange({
  ...{ now: opening + 10_000, start: opening - CANDLES * UNIT_MS, markets: [MARKETS[0]] },
});
const env = {
  SLUICE_DATA: join(folder, "data"),
  SLUICE_MODELS: join(folder, "models"),
  SLUICE_ADMIN_TOKEN: ADMIN_TOKEN,
  SLUICE_LOG: "json",
  SLUICE_CLOCK: "exchange",
  UPBIT_URL: exchange.url,
  ...(own === null ? {} : { DATABASE_URL: own.url }),
};
try {
  mkdirSync(env.SLUICE_MODELS);
  writeFileSync(join(env.SLUICE_MODELS, "btc.toml"), modelFile());
  const all: Figures[] = [];
  for (const [i, level] of levels.entries()) {
    all.push(await measure(i === 0 ? EMPTY : sizeOf(levels[i - 1]!), level));
  }
  print(all);
} finally {
  await exchange.stop();
  await own?.drop();
  await removeFolder();
}

async function measure(from: ReturnType<typeof sizeOf>, level: number): Promise<Figures> {
  console.error(`${level}x: making the history`);
  const database = await open();
  const ingested = await grow(database, { from, to: sizeOf(level), end: opening }).finally(() =>
    database.close(),
  );
  console.error(`${level}x: the program on it`);
  const served = await measureServed({ cwd: folder, env: { ...env, SLUICE_PORT: "0" } }, exchange);
  const inside = await measureInside(await open(), env, exchange.now());
  return { level, ingested, served, inside };
}

/** The database while no server has it. */
async function open(): Promise<Database> {
  mkdirSync(env.SLUICE_DATA, { recursive: true });
  const place = databasePath({ data: env.SLUICE_DATA });
  const database = own === null ? await openEmbedded(place) : openPostgres(own.url);
  await migrate(database);
  return database;
}

function modelFile(): string {
  const since = new Date(opening - WINDOW * UNIT_MS).toISOString().slice(0, 10);
  return `name = "btc"
kind = "market"
[collect]
market = "${MARKETS[0]}"
since = "${since}"
[schedule]
cron = "0 0 */4 * * *"
[train]
seed = 7
trainers = ["logistic"]
[evaluate]
fold_candles = 250
min_train_candles = 500
candles = 500
[promote]
rule = "not_worse"
`;
}

function print(all: readonly Figures[]): void {
  const line = (what: string, of: (figures: Figures) => string) => [what, ...all.map(of)];
  const ms = (value = Number.NaN) => `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`;
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  const whole = (value: number) => Math.round(value).toLocaleString("en");
  const step = (name: string) =>
    line(`its step ${name}`, ({ served }) => ms(served.steps.get(name)));
  const rows = [
    line("what", ({ level }) => `${level}x`),
    line("candles stored", ({ inside }) => whole(inside.candles)),
    line("markets with five years", ({ level }) => whole(sizeOf(level).markets)),
    line("minutes of each of three", ({ level }) => whole(sizeOf(level).minutes)),
    line("forecasts stored", ({ inside }) => whole(inside.forecasts)),
    line("candles on the disk, indexes included", ({ inside }) => megabytes(inside.candleBytes)),
    line("the whole database", ({ inside }) => megabytes(inside.allBytes)),
    line("ingest by the collector, rows/s", ({ ingested }) => whole(ingested.collector)),
    line("ingest of minutes, rows/s", ({ ingested }) => whole(ingested.minutes)),
    line("start to ready", ({ served }) => ms(served.readyMs)),
    line("memory of the server", ({ served }) => megabytes(served.residentBytes)),
    line("first page of 200 candles", ({ served }) => ms(served.firstPageMs)),
    line("last page of 200 candles", ({ served }) => ms(served.lastPageMs)),
    line("all pages of 5,000 of one market", ({ served: { walked } }) => {
      return `${whole(walked.rows)} rows, ${whole(walked.perSecond)}/s`;
    }),
    line("newest forecast", ({ inside }) => ms(inside.forecastMs)),
    line("verify", ({ inside }) => ms(inside.verifyMs)),
    line("dataset", ({ inside }) => ms(inside.datasetMs)),
    line("outcomes joined", ({ inside }) => ms(inside.outcomesMs)),
    line("a run of the pipeline", ({ served }) =>
      ms([...served.steps.values()].reduce((sum, value) => sum + value, 0)),
    ),
    ...["collect", "verify", "train", "evaluate", "promote", "forecast"].map(step),
  ];
  const took = ((performance.now() - begun) / 1_000).toFixed(0);
  console.log(
    `\n${new Date().toISOString().slice(0, 10)}, ${own === null ? "embedded" : "Postgres"}, ` +
      `${cpus().length} x ${cpus()[0]?.model ?? "unknown"}, load before ${load}, ` +
      `Bun ${Bun.version}, ${took} s in all\n\n${markdown(rows)}`,
  );
}
