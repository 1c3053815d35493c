/*
 * What is counted when everything is healed: nothing acknowledged is lost, nothing was done twice,
 * nothing is left behind.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { SimulatedExchange } from "../../src/market/simulated.ts";
import { iso, slotOf, UNIT_MS } from "../../src/types.ts";
import { countAnswers } from "./answers.ts";
import { countForecasts } from "./forecasts.ts";
import type { Injector } from "./inject.ts";
import { MARKETS, truthOf } from "./market.ts";
import { countObjects } from "./objects.ts";
import { type Step, waitFor } from "./replay.ts";
import type { Replica } from "./replicas.ts";
import type { Servers } from "./servers.ts";
import type { Witness } from "./witness.ts";

export interface Count {
  readonly what: string;
  readonly found: string;
  readonly ok: boolean;
}

export interface Counted {
  readonly done: readonly Step[];
  readonly injector: Injector;
  readonly witness: Witness;
  readonly replicas: readonly Replica[];
  readonly servers: Servers;
  readonly exchange: SimulatedExchange;
  readonly models: readonly string[];
  readonly folder: string;
  readonly say: (line: string) => void;
}

/** The least share of slots and pipelines that must have been waited for to the end. */
const WAITED_SHARE = 0.7;
/** A lease that nobody prolongs is given to another after a minute. */
const SETTLE_MS = 180_000;

/** Two more slots in peace, then every count. */
export async function countAll(deps: Counted): Promise<Count[]> {
  const { exchange, servers, witness, replicas } = deps;
  const counts: Count[] = [];
  const count = (what: string, found: string, ok: boolean) => counts.push({ what, found, ok });

  const peace: Step[] = [];
  for (const isLast of [false, true]) {
    // What it hears after a slot's outcomes were joined would have to wait for the next slot.
    if (isLast) await witness.stop();
    exchange.advance(UNIT_MS);
    const slot = slotOf(exchange.now());
    const waited = await waitFor(slot, SETTLE_MS, {
      ...{ database: servers.database, models: deps.models },
    });
    peace.push({ slot, ...waited });
    deps.say(`slot ${iso(slot)} in peace, ${(waited.tookMs / 1_000).toFixed(1)} s`);
  }
  await idle(deps, "select 1 from pipeline_runs where status in ('queued', 'running')");
  await idle(deps, OPEN_MESSAGES);

  countCandles(await candlesOf(deps), count);
  await countRuns(deps, peace, count);
  await countChampions(deps, count);
  await countForecasts(deps, count);
  await countObjects(deps, count);
  await countJobs(deps, count);
  countAnswers(deps, count);

  countDeaths(replicas, count);
  const codes = await Promise.all(replicas.map((replica) => replica.stop()));
  count(
    "replicas ended by SIGTERM, exit codes",
    codes.join(" "),
    codes.every((code) => code === 0),
  );
  countLeftovers(deps, count);
  return counts;
}

export type CountOne = (what: string, found: string, ok: boolean) => void;

/** Messages of the queue that wait, or that somebody took and has not settled. */
const OPEN_MESSAGES = `select state::text, name from queue.job
  where name = 'pipeline-runs' and state::text in ('created', 'retry', 'active')`;

/** Waits until none is open, as long as a lost lease may take. */
async function idle({ servers }: Counted, open: string): Promise<void> {
  const until = Date.now() + SETTLE_MS;
  while (Date.now() < until) {
    const rows = await servers.database.rows(open);
    if (rows.length === 0) return;
    await Bun.sleep(200);
  }
}

async function candlesOf({ servers, exchange }: Counted) {
  const { database } = servers;
  const out = [];
  for (const market of Object.values(MARKETS)) {
    const stored = await database.rows<Record<string, number | string>>(
      `select start, open, high, low, close, volume, turnover from candles
        where market = $1 and known_to is null order by start`,
      [market],
    );
    const [replaced] = await database.rows<{ n: number }>(
      `select count(*)::int as n from candles where market = $1 and known_to is not null`,
      [market],
    );
    const holes = await database.rows<{ start: string; state: string }>(
      `select start, state from holes where market = $1 order by start`,
      [market],
    );
    const truth = truthOf(market, slotOf(exchange.now()));
    out.push({ market, stored, replaced: replaced!.n, holes, truth });
  }
  return out;
}

function countCandles(markets: Awaited<ReturnType<typeof candlesOf>>, count: CountOne): void {
  for (const { market, stored, replaced, holes, truth } of markets) {
    const asText = (rows: readonly Record<string, unknown>[]) =>
      rows.map((row) =>
        [iso(new Date(row["start"] as string | number).getTime())]
          .concat(["open", "high", "low", "close", "volume", "turnover"].map((n) => `${row[n]}`))
          .join(" "),
      );
    const found = asText(stored);
    const wanted = new Set(asText(truth.candles.map((candle) => ({ ...candle }))));
    const right = found.filter((line) => wanted.has(line)).length;
    count(
      `candles of ${market} equal to the truth`,
      `${right} of ${wanted.size}, ${found.length - right} others, ${replaced} replaced`,
      right === wanted.size && found.length === right && replaced === 0,
    );
    const empty = holes.filter(({ state }) => state === "confirmed_empty");
    const open = holes.filter(({ state }) => state === "unknown").length;
    const trueHoles = new Set(truth.empty);
    const rightHoles = empty.filter(({ start }) => trueHoles.has(new Date(start).getTime())).length;
    count(
      `slots without a trade of ${market}`,
      `${rightHoles} of ${trueHoles.size}, ${empty.length - rightHoles} others, ${open} open`,
      rightHoles === trueHoles.size && empty.length === rightHoles && open === 0,
    );
  }
}

async function countRuns(
  { servers, done, models }: Counted,
  peace: readonly Step[],
  count: CountOne,
): Promise<void> {
  const runs = await servers.database.rows<{
    pipeline: string;
    slot: string;
    status: string;
    reason: string | null;
    attempts: number;
  }>(`select pipeline, slot, status, reason, attempts from pipeline_runs where kind = 'slot'`);
  const steps = [...done, ...peace];
  const keyOf = (pipeline: string, slot: number) => `${pipeline} ${iso(slot)}`;
  const bySlot = Map.groupBy(runs, (run) => keyOf(run.pipeline, new Date(run.slot).getTime()));
  const isLive = ({ status }: { status: string }) => status !== "failed" && status !== "crashed";
  const waited = steps.flatMap(({ slot, late }) =>
    models.filter((model) => !late.includes(model)).map((model) => keyOf(model, slot)),
  );
  const one = waited.filter((key) => {
    const live = (bySlot.get(key) ?? []).filter(isLive);
    return live.length === 1 && live[0]!.status === "succeeded";
  });
  count(
    "slots waited for that have exactly one run, succeeded",
    `${one.length} of ${waited.length}`,
    one.length === waited.length,
  );
  const all = steps.length * models.length;
  count(
    "slots of all that could be waited for",
    `${waited.length} of ${all}`,
    waited.length >= WAITED_SHARE * all,
  );
  const twice = [...bySlot.values()].filter((of) => of.filter(isLive).length > 1).length;
  count("slots with two runs", `${twice} of ${bySlot.size}`, twice === 0);
  const ended = (status: string) => runs.filter((run) => run.status === status);
  const why = ended("failed").map(({ reason }) => reason);
  count(
    "runs that failed or crashed",
    `${why.length} failed${why.length > 0 ? ` (${why.join(", ")})` : ""}, ` +
      `${ended("crashed").length} crashed, of ${runs.length}; ` +
      `${runs.filter(({ attempts }) => attempts > 1).length} resumed by another`,
    why.length === 0 && ended("crashed").length === 0,
  );
  const openRuns = ended("queued").length + ended("running").length;
  const [openSteps] = await servers.database.rows<{ n: number }>(
    `select count(*)::int as n from steps where status = 'running'`,
  );
  const [trainings] = await servers.database.rows<{ n: number }>(
    `select count(*)::int as n from runs where status = 'RUNNING'`,
  );
  count(
    "runs, steps and trainings that are still open",
    `${openRuns} ${openSteps!.n} ${trainings!.n}`,
    openRuns + openSteps!.n + trainings!.n === 0,
  );
}

async function countChampions({ servers, models, witness }: Counted, count: CountOne) {
  for (const model of models) {
    const now = await servers.database.rows<{ version: number }>(
      `select version from aliases where name = $1 and alias = 'champion'`,
      [model],
    );
    const moves = await servers.database.rows<{ from: number | null; to: number | null }>(
      `select from_version as from, to_version as to from alias_history
        where name = $1 and alias = 'champion' order by id`,
      [model],
    );
    const gaps = moves.filter(({ from }, i) => from !== (moves[i - 1]?.to ?? null)).length;
    const isLast = moves.at(-1)?.to === now[0]?.version;
    count(
      `champions of ${model}`,
      `${now.length} now, ${moves.length} moves, ${gaps} gaps`,
      now.length === 1 && gaps === 0 && isLast && moves.every(({ to }) => to !== null),
    );
  }
  const { looks, broken } = witness;
  const seen = looks.filter(({ path, status }) => status === 200 && !path.endsWith("forecast"));
  count(
    "looks at a champion, of them wrong",
    `${seen.length}, ${broken.length}${broken.length > 0 ? `: ${broken[0]}` : ""}`,
    broken.length === 0 && seen.length > 0,
  );
}

async function countJobs({ servers }: Counted, count: CountOne): Promise<void> {
  const jobs = await servers.database.rows<{ state: string }>(OPEN_MESSAGES);
  const states = Map.groupBy(jobs, ({ state }) => state);
  const text = [...states].map(([state, of]) => `${of.length} ${state}`).join(", ");
  count("messages of the queue that nobody works on", text || "0", jobs.length === 0);
}

/** Who starts while the database is away ends and is started again; nobody else ends by himself. */
function countDeaths(replicas: readonly Replica[], count: CountOne): void {
  const deaths = replicas.flatMap((replica) => replica.deaths());
  const odd = deaths.filter(({ isStart }) => !isStart);
  count(
    "replicas that ended by themselves",
    `${odd.length}${odd[0] === undefined ? "" : `: ${odd[0].reason}`}; ` +
      `${deaths.length - odd.length} at a start with a server away`,
    odd.length === 0,
  );
}

function countLeftovers({ replicas, folder }: Counted, count: CountOne): void {
  const work = replicas.flatMap(({ disk }) => namesIn(join(disk.folder, "data", "work")));
  count("work folders left", `${work.length}`, work.length === 0);
  const binary = join(folder, "sluice");
  const processes = readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, "utf8").includes(binary);
    } catch {
      return false;
    }
  });
  count("processes left", `${processes.length}`, processes.length === 0);
}

const namesIn = (folder: string): string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};
