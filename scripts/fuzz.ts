/*
 * `bun scripts/fuzz.ts --python PYTHON [--requests 20000]`: the binary against requests that
 * schemathesis makes from its own OpenAPI document, with the administrator's token and without.
 * No answer may be a 500, each must be as the document says, and memory must not grow. PYTHON is
 * one with schemathesis from PyPI.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Known, prepare } from "../src/http/mlflow/fixture.ts";
import { simulatedExchange } from "../src/market/simulated.ts";
import { until } from "../src/testing.ts";
import { slotOf, UNIT_MS } from "../src/types.ts";
import { ADMIN_TOKEN, type Served, serve } from "../tests/served.ts";

const root = join(import.meta.dir, "..");
const { values: options } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    binary: { type: "string", default: join(root, "dist", "sluice") },
    requests: { type: "string", default: "20000" },
    warm: { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
  },
});

interface Told {
  readonly requests: number;
  readonly statuses: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly failures: readonly Readonly<Record<string, unknown>>[];
}

const HISTORY = 700;
/** What memory may have grown by, as a share, once it is warm. */
const GROWTH = 0.1;
const BTC = `name = "btc"
kind = "market"
[collect]
market = "KRW-BTC"
others = ["KRW-ETH"]
since = "2024-01-01"
[schedule]
cron = "0 0 */4 * * *"
[train]
trainers = ["gbdt"]
[train.gbdt]
rounds = 10
leaves = 4
[evaluate]
fold_candles = 126
min_train_candles = 300
candles = 400
[promote]
`;
const PAY = `name = "pay"
kind = "table"
[[table.columns]]
name = "age"
type = "number"
integer = true
min = 0
[[table.columns]]
name = "work"
type = "category"
[[table.columns]]
name = "hours"
type = "number"
[[table.columns]]
name = "pay"
type = "category"
[table.target]
column = "pay"
kind = "binary"
positive = "high"
negative = "low"
[train]
trainers = ["gbdt"]
[train.gbdt]
rounds = 10
leaves = 4
[evaluate]
test = "split"
[promote]
`;

process.env["SLUICE_TEST_BINARY"] = options.binary;
const folder = mkdtempSync(join(tmpdir(), "sluice-fuzz-"));
const opening = slotOf(Date.now());
const exchange = simulatedExchange({
  now: opening + 10_000,
  start: opening - HISTORY * UNIT_MS,
});
let failed = true;
try {
  const app = await started();
  await trained(app);
  const names = await namesOf(app);
  console.log(`warm-up: ${options.warm} requests`);
  const wrong = [...(await fuzz(app, Number(options.warm), Number(options.seed), names))];
  const before = app.residentBytes();
  const half = Math.floor(Number(options.requests) / 2);
  wrong.push(...(await fuzz(app, half, Number(options.seed) + 1, names)));
  wrong.push(...(await fuzz(app, half, Number(options.seed) + 2, names, null)));
  await Bun.sleep(2_000);
  const after = app.residentBytes();
  const growth = after / before - 1;
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  console.log(`memory: ${megabytes(before)}, then ${megabytes(after)}`);
  const crashed = app.log.filter(({ event }) => event === "request_failed");
  for (const line of crashed.slice(0, 20)) console.log(JSON.stringify(line));
  const code = await app.stop();
  console.log(
    `${wrong.length} kinds of wrong answers, ${crashed.length} faults, exit code ${code}`,
  );
  failed = wrong.length > 0 || crashed.length > 0 || growth > GROWTH || code !== 0;
} finally {
  await exchange.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);

function started(): Promise<Served> {
  const models = join(folder, "models");
  mkdirSync(models);
  writeFileSync(join(models, "btc.toml"), BTC);
  writeFileSync(join(models, "pay.toml"), PAY);
  const env = {
    SLUICE_DATA: join(folder, "data"),
    SLUICE_MODELS: models,
    SLUICE_CLOCK: "exchange",
    UPBIT_URL: exchange.url,
  };
  return serve({ cwd: folder, env });
}

/** A version of each model serves. */
async function trained(app: Served): Promise<void> {
  await until(async () => (await app.fetch("/v1/models")).ok, 60_000, "it has started");
  const rows = Array.from({ length: 400 }, (_, i) => {
    const [age, hours] = [18 + ((i * 7) % 50), (i * 13) % 60];
    const luck = (i * 29) % 10;
    const work = ["clerk", "pilot", "nurse"][i % 3];
    return `${age},${work},${hours},${age + hours + luck > 75 ? "high" : "low"}`;
  });
  const imported = await app.fetch("/admin/models/pay/imports?name=pay.csv", {
    method: "POST",
    headers: { "content-type": "text/csv" },
    body: `age,work,hours,pay\n${rows.join("\n")}\n`,
  });
  if (!imported.ok) throw new Error(await imported.text());
  await app.post("/admin/models/pay/retrain");
  await app.ready();
  const serves = async () => (await app.get("/v1/models/pay"))["champion"] !== null;
  await until(serves, 120_000, "a version of pay serves");
}

/** Names that exist, by the parameter of an address that they stand for. */
async function namesOf(app: Served) {
  const { items } = await app.get<{ items: { id: string }[] }>("/v1/runs");
  const { items: runs } = await app.get<{ items: { id: string }[] }>("/v1/pipelines/btc/runs");
  const inputs = await app.get<{ inputs: { name: string }[] }>("/v2/models/pay");
  const refused = await app.fetch("/v1/models/btc/predict", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"instances":[{}]}',
  });
  const { faults } = (await refused.json()) as { faults: { path: string }[] };
  const logged: Known = { experiment: "0", run: "none", logged: "none" };
  await prepare((path, body) => app.post(`/api/2.0/mlflow/${path}`, body), 0, logged);
  const { experiment, run, logged: model } = logged;
  return {
    names: {
      model: ["btc", "pay"],
      ref: ["btc", "pay", "pay", "btc@1", "pay@champion", "pay@challenger", "pay@9"],
      pipeline: ["btc", "pay"],
      market: ["KRW-BTC", "KRW-ETH"],
      version: ["1", "champion", "2"],
      run: [...items, ...runs].map(({ id }) => id).slice(0, 6),
      path: ["model.onnx", "report.json"],
      ...{ experiment_id: [experiment, "0"], run_id: [run], run_uuid: [run], model_id: [model] },
      ...{ name: ["fuzzed", "pay"], metric_key: ["m"], key: ["m"], alias: ["blue"] },
      folder: [`${experiment}/${run}/artifacts`],
    },
    columns: {
      btc: faults.map(({ path }) => path.replace("instances[0].", "")),
      pay: inputs.inputs.map(({ name }) => name),
    },
  };
}

/** Asks so many times and tells what was wrong. */
async function fuzz(
  app: Served,
  requests: number,
  seed: number,
  known: Awaited<ReturnType<typeof namesOf>>,
  token: string | null = ADMIN_TOKEN,
): Promise<Told["failures"]> {
  const order = join(folder, "order.json");
  writeFileSync(order, JSON.stringify({ url: app.url, requests, seed, token, ...known }));
  const begun = performance.now();
  const child = Bun.spawn([options.python, join(root, "tests", "peers", "fuzz.py"), order], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error("tests/peers/fuzz.py failed");
  const told = JSON.parse(text) as Told;
  const sums = new Map<string, number>();
  for (const of of Object.values(told.statuses)) {
    for (const [status, n] of Object.entries(of)) sums.set(status, (sums.get(status) ?? 0) + n);
  }
  const shown = [...sums].sort().map(([status, n]) => `${status}: ${n}`);
  const seconds = ((performance.now() - begun) / 1_000).toFixed(0);
  const who = token === null ? "without a token" : "as the administrator";
  console.log(`${told.requests} requests ${who} in ${seconds} s: ${shown.join(", ")}`);
  for (const failure of told.failures) console.log(JSON.stringify(failure, null, 1));
  return told.failures;
}
